// SPDX-License-Identifier: LGPL-2.1-or-later
//! Handshakes between two sessions in memory.

use std::{
    path::PathBuf,
    sync::Arc,
    thread,
    time::Duration, //
};

use super::*;
use crate::{
    config::{
        Cipher,
        ClientAuth,
        Trust, //
    },
    error::{
        Alert,
        CertificateProblem, //
    },
    handshake::Tickets,
    settings::Settings,
    tls::{
        ClientTls,
        KeyLog,
        Psk,
        PskKeys,
        ServerTls, //
    },
};

mod hello;
mod identity;
mod pipe;
mod resumption;
mod steps;

use pipe::End;

/// A whole handshake.
fn run(end: &Arc<End>, prepared: Prepared, timeout: Duration) -> crate::Result<Finished> {
    Running::start(Arc::clone(end), prepared, timeout)?.finish()
}

const TIMEOUT: Duration = Duration::from_secs(20);

/// A client and a server, to be changed by a test before they meet.
struct Scene {
    name: &'static str,
    trust: Trust,
    client_key: Option<&'static str>,
    client_psk: Option<Psk>,
    client: Settings,
    certificate: Option<&'static str>,
    psks: PskKeys,
    auth: ClientAuth,
    server: Settings,
    /// The client's groups, if not the usual ones.
    client_groups: Option<&'static str>,
    /// Data of an earlier session to continue.
    resume: Option<Vec<u8>>,
    /// The server's credentials, if it is the server of an earlier scene.
    server_tls: Option<Arc<ServerTls>>,
    ends: (End, End),
}

type Outcome = (crate::Result<Finished>, crate::Result<Finished>);

impl Scene {
    fn new() -> Scene {
        let settings = || Settings {
            alpn: vec!["sample".into()],
            ..Settings::default()
        };
        Scene {
            name: "server.test",
            trust: Trust::File(data("ca.pem")),
            client_key: None,
            client_psk: None,
            client: settings(),
            certificate: Some("server.pem"),
            psks: PskKeys::default(),
            auth: ClientAuth::None,
            server: settings(),
            client_groups: None,
            resume: None,
            server_tls: None,
            ends: pipe::pair(),
        }
    }

    /// Both sockets and sessions.
    fn prepare(self) -> [(Arc<End>, Prepared); 2] {
        let key = data("leaf.key");
        let chain = self.client_key.map(data);
        let files = chain.as_deref().map(|chain| (chain, key.as_path()));
        let client_tls = match &self.client_psk {
            Some(psk) => ClientTls::with_psk(psk, &self.client.ciphers),
            None => ClientTls::with_trust(&self.trust, files, &self.client.ciphers),
        };
        let server_tls = self.server_tls.unwrap_or_else(|| {
            let certificate = self.certificate.map(|chain| (data(chain), key.clone()));
            let certificates: Vec<_> = certificate.into_iter().collect();
            let ciphers = &self.server.ciphers;
            Arc::new(ServerTls::new(&certificates, self.psks, &self.auth, ciphers).unwrap())
        });
        let mut client = client_tls
            .unwrap()
            .session(Some(self.name), &self.client, self.resume.is_some())
            .unwrap();
        if let Some(groups) = self.client_groups {
            let usual = crate::tls::priority(&self.client.ciphers);
            let session = client.session.as_ref();
            session
                .set_priority(&(usual + ":-GROUP-ALL" + groups))
                .unwrap();
        }
        if let Some(data) = &self.resume {
            client.session.as_ref().resume(data).unwrap();
        }
        let server = server_tls
            .session(&self.server, Tickets::Ours, true)
            .unwrap();
        let (client_end, server_end) = (Arc::new(self.ends.0), Arc::new(self.ends.1));
        [(client_end, client), (server_end, server)]
    }

    /// The client's and the server's result.
    fn run(self) -> (Outcome, (Arc<End>, Arc<End>)) {
        let [(client_end, client), (server_end, server)] = self.prepare();
        let outcome = thread::scope(|scope| {
            let server = scope.spawn(|| run(&server_end, server, TIMEOUT));
            let client = run(&client_end, client, TIMEOUT);
            (client, server.join().unwrap())
        });
        (outcome, (client_end, server_end))
    }

    fn fails(self) -> (Error, Error) {
        let ((client, server), _) = self.run();
        (client.unwrap_err(), server.unwrap_err())
    }

    fn succeeds(self) -> ((Finished, Finished), (Arc<End>, Arc<End>)) {
        let ((client, server), ends) = self.run();
        match (client, server) {
            (Ok(client), Ok(server)) => ((client, server), ends),
            (client, server) => panic!("client: {client:?}\nserver: {server:?}"),
        }
    }
}

fn data(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file)
}

fn keys(list: &[(&str, &[u8])]) -> PskKeys {
    let mut keys = PskKeys::default();
    for (identity, key) in list {
        keys.insert((*identity).into(), (*key).into()).unwrap();
    }
    keys
}

fn peer_alert(err: &Error) -> Option<Alert> {
    match err {
        Error::PeerAlert(alert, _) => Some(*alert),
        _ => None,
    }
}

// RFC 9001 8.2 #1 test
#[test]
fn both_sides_end_with_the_same_secrets_parameters_and_protocol() {
    let mut scene = Scene::new();
    scene.client.alpn = vec!["other".into(), "sample".into()];
    let ((mut client, mut server), (client_end, server_end)) = scene.succeeds();
    assert_eq!(client.session.as_ref().alpn().unwrap(), b"sample");
    assert_eq!(server.session.as_ref().alpn().unwrap(), b"sample");
    assert_eq!(
        server.session.as_ref().server_name().unwrap(),
        "server.test"
    );
    assert_eq!(client_end.peer_params().unwrap(), b"the server's");
    assert_eq!(server_end.peer_params().unwrap(), b"the client's");
    let (client_secrets, server_secrets) = (client_end.secrets(), server_end.secrets());
    let order = |secrets: &[pipe::Secret]| -> Vec<(u8, bool)> {
        secrets.iter().map(|s| (s.level, s.send)).collect()
    };
    // Handshake (2) and application (0), each time the sending direction first; the server
    // cannot read application data before the client's Finished.
    assert_eq!(
        order(&client_secrets),
        [(2, true), (2, false), (0, true), (0, false)]
    );
    assert_eq!(
        order(&server_secrets),
        [(2, true), (2, false), (0, true), (0, false)]
    );
    for secret in &client_secrets {
        let other = pipe::Secret {
            send: !secret.send,
            ..secret.clone()
        };
        assert!(server_secrets.contains(&other), "{secret:?}");
    }
}

#[test]
fn each_cipher_can_be_agreed_on() {
    for (cipher, number) in [
        (Cipher::Aes128Gcm, 51),
        (Cipher::Aes256Gcm, 52),
        (Cipher::Aes128Ccm, 53),
        (Cipher::ChaCha20Poly1305, 54),
    ] {
        let mut scene = Scene::new();
        scene.client.ciphers = vec![cipher];
        let ((mut client, _), (end, _)) = scene.succeeds();
        assert_eq!(client.session.as_ref().cipher(false), Some(cipher));
        assert!(end.secrets().iter().all(|secret| secret.cipher == number));
    }
}

#[test]
fn messages_may_arrive_in_any_pieces() {
    for piece in [1, 7, 100_000] {
        let mut scene = Scene::new();
        scene.ends.0.piece = piece;
        scene.ends.1.piece = piece;
        scene.succeeds();
    }
}

// RFC 9001 8.1 #2 test
#[test]
fn without_a_common_protocol_the_server_sends_no_application_protocol() {
    let mut scene = Scene::new();
    scene.server.alpn = vec!["other".into()];
    let (client, server) = scene.fails();
    assert_eq!(
        peer_alert(&client),
        Some(Alert::NO_APPLICATION_PROTOCOL),
        "{client}"
    );
    assert_eq!(
        server.alert(),
        Some(Alert::NO_APPLICATION_PROTOCOL),
        "{server}"
    );
}

// RFC 9001 8.1 #3 test
#[test]
fn a_client_whose_protocols_were_ignored_sends_no_application_protocol() {
    let mut scene = Scene::new();
    scene.server.alpn = Vec::new();
    let (client, server) = scene.fails();
    assert_eq!(
        client.alert(),
        Some(Alert::NO_APPLICATION_PROTOCOL),
        "{client}"
    );
    assert_eq!(
        peer_alert(&server),
        Some(Alert::NO_APPLICATION_PROTOCOL),
        "{server}"
    );
}

#[test]
fn a_connection_without_any_protocol_is_possible() {
    let mut scene = Scene::new();
    scene.client.alpn = Vec::new();
    scene.server.alpn = Vec::new();
    let ((mut client, _), _) = scene.succeeds();
    assert_eq!(client.session.as_ref().alpn(), None);
}

#[test]
fn a_silent_peer_is_a_time_out() {
    let tls = ClientTls::with_trust(&Trust::InsecureNoVerification, None, &Cipher::ALL).unwrap();
    let prepared = tls
        .session(Some("server.test"), &Settings::default(), false)
        .unwrap();
    let (end, _other) = pipe::pair();
    let err = run(&Arc::new(end), prepared, Duration::from_millis(50)).unwrap_err();
    assert!(matches!(err, Error::Timeout(_)), "{err}");
}

#[test]
fn a_transport_error_of_either_side_is_reported_with_its_code() {
    for by_client in [true, false] {
        let mut scene = Scene::new();
        let end = if by_client {
            &mut scene.ends.0
        } else {
            &mut scene.ends.1
        };
        end.refuse_params = Some(8);
        let (client, server) = scene.fails();
        for err in [client, server] {
            assert!(
                matches!(&err, Error::Closed(reason) if reason.code == 8),
                "{err:?}"
            );
        }
    }
}

#[test]
fn a_socket_that_refuses_a_secret_ends_the_handshake() {
    let mut scene = Scene::new();
    scene.ends.1.refuse_secrets = true;
    let (client, server) = scene.fails();
    assert!(matches!(&server, Error::Io(_, err) if err.raw_os_error() == Some(libc::EINVAL)));
    assert_eq!(peer_alert(&client), Some(Alert::INTERNAL_ERROR), "{client}");
}

#[test]
fn garbage_instead_of_a_client_hello_is_refused() {
    let tls = ServerTls::new(
        &[(data("server.pem"), data("leaf.key"))],
        PskKeys::default(),
        &ClientAuth::None,
        &Cipher::ALL,
    )
    .unwrap();
    let endless = [&[1, 255, 255, 255][..], &[0; 60_000]].concat();
    for bytes in [&b"\x01\x00\x00\x04abcd"[..], b"\x02\x00\x00\x00", &endless] {
        let prepared = tls
            .session(&Settings::default(), Tickets::None, false)
            .unwrap();
        let (_client, end) = pipe::pair();
        let received = Received {
            len: bytes.len(),
            handshake: Some(Level::Initial as u8),
            ..Received::default()
        };
        for _ in 0..20 {
            end.inject(received, bytes);
        }
        let err = run(&Arc::new(end), prepared, Duration::from_millis(500)).unwrap_err();
        assert!(matches!(err, Error::Tls { .. }), "{err:?}");
    }
}

#[test]
fn other_items_among_handshake_messages_are_kept_in_order() {
    let scene = Scene::new();
    let early = |id| Received {
        len: 4,
        stream: Some((id, 0)),
        ..Received::default()
    };
    scene.ends.1.inject(early(0), b"zero");
    scene.ends.1.inject(early(4), b"four");
    let ((_, server), _) = scene.succeeds();
    let ids: Vec<_> = server
        .items
        .iter()
        .map(|(r, b)| (r.stream, &b[..]))
        .collect();
    assert_eq!(ids, [(Some((0, 0)), &b"zero"[..]), (Some((4, 0)), b"four")]);
}

#[test]
fn the_key_log_names_the_connection_by_the_clients_random_value() {
    let file = std::env::temp_dir().join(format!("libquic-keylog-{}", std::process::id()));
    let mut scene = Scene::new();
    scene.client.key_log = Some(Arc::new(KeyLog::open(&file).unwrap()));
    let ((mut client, _), (end, _)) = scene.succeeds();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(String::new(), |s, b| s + &format!("{b:02x}"))
    };
    let random = hex(&client.session.as_ref().client_random());
    assert_eq!(random.len(), 64);
    let secrets = end.secrets();
    for (label, secret) in [
        ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", &secrets[0]),
        ("SERVER_HANDSHAKE_TRAFFIC_SECRET", &secrets[1]),
        ("CLIENT_TRAFFIC_SECRET_0", &secrets[2]),
        ("SERVER_TRAFFIC_SECRET_0", &secrets[3]),
    ] {
        let line = format!("{label} {random} {}", hex(&secret.bytes));
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let trust = |file: &str| {
        let trust = Trust::File(data(file));
        ClientTls::with_trust(&trust, None, &Cipher::ALL)
            .unwrap_err()
            .to_string()
    };
    assert!(trust("missing.pem").contains("missing.pem: No such file"));
    assert!(
        trust("leaf.key").contains("no certificate in"),
        "{}",
        trust("leaf.key")
    );
    let server = |chain: &str, key: &str| {
        let files = [(data(chain), data(key))];
        ServerTls::new(&files, PskKeys::default(), &ClientAuth::None, &Cipher::ALL)
            .unwrap_err()
            .to_string()
    };
    assert!(server("server.pem", "missing.key").contains("missing.key"));
    assert!(
        server("other-ca.pem", "leaf.key").contains("do not match")
            || server("other-ca.pem", "leaf.key").contains("mismatch")
    );
}
