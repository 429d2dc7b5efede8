// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a ClientHello offers.

use super::{
    run,
    Received,
    Scene, //
};
use crate::{
    error::{
        Alert,
        Error, //
    },
    uapi::Level, //
};

/// A ClientHello (RFC 8446 4.1.2), as far as the rules of QUIC look at it.
struct Hello {
    session_id: Vec<u8>,
    extensions: Vec<(u16, Vec<u8>)>,
}

/// Takes a length of `size` bytes and as many bytes.
fn take<'a>(bytes: &mut &'a [u8], size: usize) -> &'a [u8] {
    let (len, rest) = bytes.split_at(size);
    let len = len
        .iter()
        .fold(0, |len, byte| (len << 8) | usize::from(*byte));
    let (found, rest) = rest.split_at(len);
    *bytes = rest;
    found
}

impl Hello {
    fn parse(message: &[u8]) -> Hello {
        // Type, length, legacy_version, random.
        assert_eq!(message[0], 1, "a ClientHello");
        let mut rest = &message[4 + 2 + 32..];
        let session_id = take(&mut rest, 1).to_vec();
        let _ciphers = take(&mut rest, 2);
        let _compression = take(&mut rest, 1);
        let mut list = take(&mut rest, 2);
        assert!(rest.is_empty());
        let mut extensions = Vec::new();
        while let Some((kind, rest)) = list.split_first_chunk() {
            list = rest;
            extensions.push((u16::from_be_bytes(*kind), take(&mut list, 2).to_vec()));
        }
        Hello {
            session_id,
            extensions,
        }
    }

    /// The length of the message at the beginning.
    fn len(message: &[u8]) -> usize {
        4 + take(&mut &message[1..], 3).len()
    }

    fn extension(&self, kind: u16) -> &[u8] {
        let mut found = self.extensions.iter().filter(|(known, _)| *known == kind);
        let (_, value) = found.next().expect("the extension");
        assert!(found.next().is_none(), "it is there once");
        value
    }
}

// RFC 9001 4.2 #1 test, RFC 9001 8.2 #1 test, RFC 9001 8.4 #1 test
#[test]
fn a_client_hello_offers_tls_1_3_alone_and_nothing_for_middleboxes() {
    let (_, (_, server_end)) = Scene::new().succeeds();
    let hello = Hello::parse(&server_end.hello());
    // supported_versions: a list of one.
    assert_eq!(hello.extension(43), [2, 3, 4]);
    // quic_transport_parameters.
    assert_eq!(hello.extension(0x39), b"the client's");
    // legacy_session_id, which asks for the compatibility mode.
    assert_eq!(hello.session_id, []);
}

/// The client shows keys of the first two, which no server here has.
const RETRY_GROUPS: &str = ":+GROUP-X448:+GROUP-FFDHE2048:+GROUP-X25519";

// The socket takes transport parameters once, and they are in both ClientHellos.
#[test]
fn a_client_whose_keys_are_of_no_use_is_told_to_retry() {
    let mut scene = Scene::new();
    scene.client_groups = Some(RETRY_GROUPS);
    let (_, (client_end, server_end)) = scene.succeeds();
    // HelloRetryRequest is a ServerHello with this random value.
    let answer = client_end.hello();
    assert_eq!(answer[..8], [2, 0, 0, answer[3], 3, 3, 0xcf, 0x21]);
    let first = Hello::len(&server_end.hello());
    let second = Hello::parse(&server_end.hello()[first..]);
    assert_eq!(second.extension(0x39), b"the client's");
    assert_eq!(server_end.peer_params().unwrap(), b"the client's");
}

// RFC 8446 4.1.2
#[test]
fn transport_parameters_must_not_change_when_a_client_retries() {
    let mut scene = Scene::new();
    scene.client_groups = Some(RETRY_GROUPS);
    let (_, (_, server_end)) = scene.succeeds();
    let both = server_end.hello();
    let (first, second) = both.split_at(Hello::len(&both));
    let at = second
        .windows(12)
        .position(|bytes| bytes == b"the client's");
    let mut changed = second.to_vec();
    changed[at.unwrap()] = b'T';
    for (second, alert) in [
        // All is well up to the Finished of the client, whose keys are not known here.
        (second, None),
        (&changed, Some(Alert::ILLEGAL_PARAMETER)),
    ] {
        let [_, (end, server)] = Scene::new().prepare();
        for hello in [first, second] {
            let received = Received {
                len: hello.len(),
                handshake: Some(Level::Initial as u8),
                ..Received::default()
            };
            end.inject(received, hello);
        }
        let err = run(&end, server, std::time::Duration::from_millis(100)).unwrap_err();
        match (&err, alert) {
            (Error::Timeout(_), None) => {}
            (Error::Tls { alert, .. }, expected) => assert_eq!(*alert, expected, "{err}"),
            _ => panic!("{err}"),
        }
    }
}
