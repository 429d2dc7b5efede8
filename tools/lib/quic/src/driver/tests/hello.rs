// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a ClientHello offers.

use super::Scene;

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
