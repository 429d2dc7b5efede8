// SPDX-License-Identifier: LGPL-2.1-or-later
//! Later sessions that continue earlier ones, and early data.

use super::*;

/// A server and the data of a session with it.
fn earlier_session() -> (Arc<ServerTls>, Vec<u8>) {
    let files = [(data("server.pem"), data("leaf.key"))];
    let (keys, ciphers) = (PskKeys::default(), &Cipher::ALL);
    let server = Arc::new(ServerTls::new(&files, keys, &ClientAuth::None, ciphers).unwrap());
    let ((mut client, _), (end, _)) = resumed(&server, None);
    let session = client.session.as_ref();
    assert!(!session.is_resumed());
    session.feed(Level::App, &end.ticket()).unwrap();
    (server, session.resumption_data().unwrap())
}

/// A handshake with a server as before.
fn resumed(
    server: &Arc<ServerTls>,
    ticket: Option<&Vec<u8>>,
) -> ((Finished, Finished), (Arc<End>, Arc<End>)) {
    let mut scene = Scene::new();
    scene.server_tls = Some(Arc::clone(server));
    scene.resume = ticket.cloned();
    scene.succeeds()
}

/// The secret of the early data.
fn early(end: &End) -> Option<pipe::Secret> {
    end.secrets().into_iter().find(|secret| secret.level == 3)
}

/// As [`resumed`], with a server whose tickets have these keys before and after the version is
/// settled.
fn resumed_with(
    server: &Arc<ServerTls>,
    ticket: Option<&Vec<u8>>,
    keys: [u8; 2],
) -> ((Finished, Finished), (Arc<End>, Arc<End>)) {
    let mut scene = Scene::new();
    scene.server_tls = Some(Arc::clone(server));
    scene.resume = ticket.cloned();
    scene.ends.1.ticket_keys = keys;
    scene.succeeds()
}

// RFC 9369 5
#[test]
fn a_ticket_serves_in_the_version_that_was_settled_on_and_in_no_other() {
    let (server, _) = earlier_session();
    let (v1, v2) = (1, 2);
    for (given, taken, continues) in [
        ([v1, v1], [v1, v1], true),
        ([v2, v2], [v2, v2], true),
        ([v1, v1], [v2, v2], false),
        ([v2, v2], [v1, v1], false),
        // The server has changed the version.
        ([v1, v2], [v2, v2], true),
        ([v1, v2], [v1, v1], false),
        ([v1, v1], [v1, v2], false),
    ] {
        let ((mut client, _), (end, _)) = resumed_with(&server, None, given);
        let session = client.session.as_ref();
        session.feed(Level::App, &end.ticket()).unwrap();
        let ticket = session.resumption_data().unwrap();
        let ((mut client, mut other), (_, server_end)) =
            resumed_with(&server, Some(&ticket), taken);
        let outcome = [
            client.session.as_ref().is_resumed(),
            other.session.as_ref().is_resumed(),
            early(&server_end).is_some(),
        ];
        assert_eq!(outcome, [continues; 3], "{given:?} {taken:?}");
    }
}

// RFC 9001 4.6.1 #1 test
// RFC 9001 8.3 #1 test
#[test]
fn a_later_session_continues_an_earlier_one_with_early_data() {
    let (server, ticket) = earlier_session();
    let ((mut client, mut other), (client_end, server_end)) = resumed(&server, Some(&ticket));
    assert!(client.session.as_ref().is_resumed());
    assert!(other.session.as_ref().is_resumed());
    let (sent, received) = (early(&client_end).unwrap(), early(&server_end).unwrap());
    assert!(sent.send && !received.send);
    assert_eq!((sent.bytes, sent.cipher), (received.bytes, received.cipher));
}

#[test]
fn early_data_is_refused_when_a_client_hello_is_replayed() {
    let (server, ticket) = earlier_session();
    let (_, (_, server_end)) = resumed(&server, Some(&ticket));
    assert!(early(&server_end).is_some());
    let prepared = server
        .session(&Scene::new().server, Tickets::Ours, true)
        .unwrap();
    let (_client, end) = pipe::pair();
    let hello = server_end.hello();
    let received = Received {
        len: hello.len(),
        handshake: Some(Level::Initial as u8),
        ..Received::default()
    };
    end.inject(received, &hello);
    let end = Arc::new(end);
    let err = run(&end, prepared, Duration::from_millis(100)).unwrap_err();
    assert!(matches!(err, Error::Timeout(_)), "{err}");
    assert!(!end.secrets().is_empty(), "the hello itself is good");
    assert_eq!(early(&end), None);
}

// A ticket travels in clear, and GnuTLS reads the certificates in it before it looks at its age.
#[test]
fn a_certificate_in_somebody_elses_ticket_proves_nothing() {
    let files = [(data("server.pem"), data("leaf.key"))];
    let auth = ClientAuth::Request(Trust::File(data("ca.pem")));
    let server = Arc::new(ServerTls::new(&files, PskKeys::default(), &auth, &Cipher::ALL).unwrap());
    let scene = |client_key, resume: Option<&Vec<u8>>| {
        let mut scene = Scene::new();
        scene.client_key = client_key;
        scene.server_tls = Some(Arc::clone(&server));
        scene.resume = resume.cloned();
        scene
    };
    let ((mut client, mut other), (end, _)) = scene(Some("client.pem"), None).succeeds();
    assert!(other.session.as_ref().has_peer_certificate());
    let mut ticket = end.ticket();
    // ticket_age_add: the server takes the ticket for a very old one.
    ticket[8] ^= 0x80;
    let session = client.session.as_ref();
    session.feed(Level::App, &ticket).unwrap();
    let stolen = session.resumption_data().unwrap();
    let ((_, other), _) = scene(None, Some(&stolen)).run();
    let err = other.unwrap_err();
    assert_eq!(err.alert(), Some(Alert::CERTIFICATE_REQUIRED), "{err}");
    // Who has its key is let in as by any full handshake.
    let ((_, mut other), _) = scene(Some("client.pem"), Some(&stolen)).succeeds();
    assert!(!other.session.as_ref().is_resumed());
    assert!(other.session.as_ref().has_peer_certificate());
}
