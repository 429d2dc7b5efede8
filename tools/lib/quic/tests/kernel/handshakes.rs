// SPDX-License-Identifier: LGPL-2.1-or-later
//! Handshakes that succeed, and those that one side refuses.

use std::{
    io::{
        Read,
        Write, //
    },
    net::SocketAddr,
    thread,
    time::Duration, //
};

use quic::{
    Alert,
    CertificateProblem,
    Cipher,
    ClientAuth,
    Connection,
    Error,
    Listener,
    PeerStream,
    ServerConfig,
    Trust, //
};

use super::{
    client,
    data,
    meet,
    meet_at,
    server,
    LONG, //
};

#[test]
#[ignore = "needs a kernel with QUIC"]
fn both_families_and_all_ciphers_connect_and_carry_data() {
    for (addr, cipher) in [
        ("127.0.0.1:0", Cipher::Aes128Gcm),
        ("[::1]:0", Cipher::Aes256Gcm),
        ("127.0.0.1:0", Cipher::ChaCha20Poly1305),
        ("[::1]:0", Cipher::Aes128Ccm),
    ] {
        let (client, server) = meet_at(addr, "server.test", client().ciphers([cipher]), server());
        let (client, server) = (client.unwrap(), server.unwrap());
        assert_eq!(client.info().cipher, cipher);
        assert_eq!(server.info().alpn.as_deref(), Some("sample"));
        assert_eq!(server.info().server_name.as_deref(), Some("server.test"));
        assert_eq!(client.info().peer, server.info().local);
        assert!(client.info().peer_verified && !server.info().peer_verified);
        let mut stream = client.open_bi().unwrap();
        stream.write_all(b"ping").unwrap();
        stream.finish().unwrap();
        let PeerStream::Bi(mut other) = server.accept_stream().unwrap() else {
            panic!("not bidirectional");
        };
        let mut text = String::new();
        other.read_to_string(&mut text).unwrap();
        assert_eq!(text, "ping");
        other.send.write_last(b"pong").unwrap();
        text.clear();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "pong");
        client.close(0, "").unwrap();
    }
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_server_is_found_at_the_second_of_its_addresses() {
    let listener = Listener::bind("127.0.0.1:0", &server().build().unwrap()).unwrap();
    let there = listener.local_addr().unwrap();
    // No server can be at a multicast address.
    let nowhere = SocketAddr::from(([224, 0, 0, 1], there.port()));
    let client = client().build().unwrap();
    let connect = |addrs: &[SocketAddr]| Connection::connect(addrs, "server.test", &client);
    thread::scope(|scope| {
        let server = scope.spawn(|| listener.accept_timeout(Some(LONG))?.handshake());
        // It lasts until the server has finished its handshake, too.
        let _client = connect(&[nowhere, there]).unwrap();
        server.join().unwrap().unwrap();
    });
    assert!(matches!(connect(&[nowhere, nowhere]), Err(Error::Io(..))));
    assert!(matches!(connect(&[]), Err(Error::Config(_))));
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_certificate_for_another_name_is_refused_and_the_server_learns_it() {
    let (client, server) = meet_at("127.0.0.1:0", "wrong.test", client(), server());
    match client.unwrap_err() {
        Error::Certificate(err) => assert!(err.is(CertificateProblem::WrongName), "{err}"),
        err => panic!("{err}"),
    }
    match server.unwrap_err() {
        Error::PeerAlert(alert, _) => assert_eq!(alert, Alert::BAD_CERTIFICATE),
        err => panic!("{err}"),
    }
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_client_without_the_certificate_asked_for_learns_it_after_its_handshake() {
    let auth = ClientAuth::Require(Trust::File(data("ca.pem")));
    let (_, server) = meet_at(
        "127.0.0.1:0",
        "server.test",
        client().certificate(data("client.pem"), data("leaf.key")),
        super::server().client_auth(auth.clone()),
    );
    assert!(server.unwrap().info().peer_verified);
    let (client, server) = meet_at(
        "127.0.0.1:0",
        "server.test",
        client(),
        super::server().client_auth(auth),
    );
    assert_eq!(
        server.unwrap_err().alert(),
        Some(Alert::CERTIFICATE_REQUIRED)
    );
    let err = match client {
        Ok(client) => client.accept_stream().unwrap_err(),
        Err(err) => err,
    };
    assert_eq!(err.alert(), Some(Alert::CERTIFICATE_REQUIRED), "{err}");
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn without_a_common_protocol_the_client_learns_it() {
    let config = server().build().unwrap();
    let listener = Listener::bind("127.0.0.1:0", &config).unwrap();
    let addr = listener.local_addr().unwrap();
    let config = client().alpn(["other"]).build().unwrap();
    let server = thread::spawn(move || {
        // The kernel may refuse the client without asking this process.
        let incoming = listener.accept_timeout(Some(Duration::from_secs(5)));
        incoming
            .and_then(|incoming| incoming.handshake())
            .unwrap_err()
    });
    let err = Connection::connect(addr, "server.test", &config).unwrap_err();
    assert_eq!(err.alert(), Some(Alert::NO_APPLICATION_PROTOCOL), "{err}");
    server.join().unwrap();
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn listeners_share_a_port_by_protocol() {
    let listen = |addr: SocketAddr, alpn: &str| {
        Listener::bind(addr, &server().alpn([alpn]).build().unwrap())
    };
    let one = listen("127.0.0.1:0".parse().unwrap(), "one").unwrap();
    let addr = one.local_addr().unwrap();
    let two = listen(addr, "two").unwrap();
    let err = listen(addr, "two").unwrap_err().to_string();
    assert!(err.contains("in use"), "{err}");
    for (listener, alpn) in [(&two, "two"), (&one, "one")] {
        let config = client().alpn([alpn]).build().unwrap();
        thread::scope(|scope| {
            let server = scope.spawn(|| listener.accept_timeout(Some(LONG))?.handshake());
            let client = Connection::connect(addr, "server.test", &config).unwrap();
            assert_eq!(client.info().alpn.as_deref(), Some(alpn));
            assert_eq!(
                server.join().unwrap().unwrap().info().alpn.as_deref(),
                Some(alpn)
            );
        });
    }
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn pre_shared_keys_connect_when_they_are_equal() {
    let server = || {
        ServerConfig::builder()
            .psk("me", [1; 32])
            .alpn(["sample"])
            .handshake_timeout(LONG)
    };
    let (_, other) = meet(client().psk("me", [1; 32]), server());
    assert_eq!(other.info().psk_identity.as_deref(), Some("me"));
    assert!(other.info().peer_verified);
    let (client, server) = meet_at(
        "127.0.0.1:0",
        "server.test",
        client().psk("me", [2; 32]),
        server(),
    );
    assert_eq!(server.unwrap_err().alert(), Some(Alert::DECRYPT_ERROR));
    assert_eq!(client.unwrap_err().alert(), Some(Alert::DECRYPT_ERROR));
}
