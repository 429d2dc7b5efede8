// SPDX-License-Identifier: LGPL-2.1-or-later
//! Clients and servers over loopback, on a kernel that has QUIC sockets.
//!
//! Ignored elsewhere; in a guest: `cargo test -p libquic --test kernel -- --ignored`.

mod common;
#[path = "common/middlebox.rs"]
mod middlebox;

use std::{
    io::{
        Read,
        Write, //
    },
    net::{
        Shutdown,
        SocketAddr,
        TcpStream,
        UdpSocket, //
    },
    os::fd::AsFd,
    path::PathBuf,
    process::Command,
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use quic::{
    Alert,
    CertificateProblem,
    Cipher,
    ClientAuth,
    ClientConfig,
    ClientConfigBuilder,
    Connection,
    Error,
    Listener,
    PeerStream,
    Result,
    ServerConfig,
    ServerConfigBuilder,
    SessionTicket,
    SocketConfig,
    TransportParams,
    Trust,
    Version, //
};

use middlebox::{
    behind_version_1,
    ignore_other_versions, //
};

/// An emulated guest is slow.
const LONG: Duration = Duration::from_secs(60);

fn data(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file)
}

fn client() -> ClientConfigBuilder {
    ClientConfig::builder()
        .trust(Trust::File(data("ca.pem")))
        .alpn(["sample"])
        .handshake_timeout(LONG)
        .read_timeout(Some(LONG))
        .write_timeout(Some(LONG))
}

fn server() -> ServerConfigBuilder {
    ServerConfig::builder()
        .certificate(data("server.pem"), data("leaf.key"))
        .alpn(["sample"])
        .handshake_timeout(LONG)
        .read_timeout(Some(LONG))
        .write_timeout(Some(LONG))
}

/// Results of both sides' handshakes.
fn meet_at(
    addr: &str,
    name: &str,
    client: ClientConfigBuilder,
    server: ServerConfigBuilder,
) -> (Result<Connection>, Result<Connection>) {
    let listener = Listener::bind(addr, &server.build().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    let client = client.build().unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| listener.accept_timeout(Some(LONG))?.handshake());
        let client = Connection::connect(addr, name, &client);
        (client, server.join().unwrap())
    })
}

fn meet(client: ClientConfigBuilder, server: ServerConfigBuilder) -> (Connection, Connection) {
    let (client, server) = meet_at("127.0.0.1:0", "server.test", client, server);
    (client.unwrap(), server.unwrap())
}

/// Bytes that depend on their place and on a seed.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|nr| (nr * 31 + (nr >> 8) * 7 + seed) as u8)
        .collect()
}

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

#[test]
#[ignore = "needs a kernel with QUIC"]
fn nobody_at_the_other_end_is_a_time_out() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let config = client()
        .handshake_timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let start = Instant::now();
    let err = Connection::connect(silent.local_addr().unwrap(), "x", &config).unwrap_err();
    assert!(matches!(err, Error::Timeout(_)), "{err}");
    assert!(start.elapsed() >= Duration::from_secs(1));
}

/// The kernel ends the connection by the idle time-out, which is not an end without an error.
#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_peer_that_falls_silent_is_a_time_out_for_every_call() {
    let idle = |secs| {
        let mut params = TransportParams::default();
        params.max_idle_timeout = Some(Duration::from_secs(secs));
        params
    };
    // Longer than a slow guest pauses in its handshake.
    let (client, server) = meet(client().transport(idle(4)), server());
    let mut stream = server.open_bi().unwrap();
    stream.write_all(b"is anybody there?").unwrap();
    // Reading alone is shut down without a word to the peer.
    let silent = TcpStream::from(client.as_fd().try_clone_to_owned().unwrap());
    silent.shutdown(Shutdown::Read).unwrap();
    let err = server.accept_stream().unwrap_err();
    assert!(matches!(err, Error::IdleTimeout), "{err}");
    let err = server.wait_closed(Some(LONG)).unwrap_err();
    assert!(matches!(err, Error::IdleTimeout), "{err}");
    let err = stream.read(&mut [0; 10]).unwrap_err();
    assert_eq!(err.kind(), std::io::ErrorKind::TimedOut, "{err}");
    stream.finish().unwrap_err();
    // What was written has not arrived.
    let err = server.close(0, "").unwrap_err();
    assert!(matches!(err, Error::IdleTimeout), "{err}");
    drop(client);

    // The same before there is a connection.
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    let config = self::client().transport(idle(1)).build().unwrap();
    let err = Connection::connect(nobody.local_addr().unwrap(), "x", &config).unwrap_err();
    assert!(matches!(err, Error::IdleTimeout), "{err}");
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn many_streams_in_many_threads_carry_their_own_bytes_both_ways() {
    const STREAMS: usize = 12;
    const LEN: usize = 300_000;
    let (client, server) = meet(client(), server());
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..STREAMS {
                let PeerStream::Bi(stream) = server.accept_stream().unwrap() else {
                    panic!("not bidirectional");
                };
                let (mut send, mut recv) = stream.split();
                scope.spawn(move || {
                    std::io::copy(&mut recv, &mut send).unwrap();
                    send.finish().unwrap();
                });
            }
        });
        for nr in 0..STREAMS {
            let stream = client.open_bi().unwrap();
            scope.spawn(move || {
                let (mut send, mut recv) = stream.split();
                let sent = pattern(nr, LEN);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        send.write_all(&sent).unwrap();
                        send.finish().unwrap();
                    });
                    let got = recv.read_to_limit(LEN).unwrap();
                    assert!(got == sent, "stream {nr}");
                });
            });
        }
    });
    client.close(0, "").unwrap();
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn what_was_finished_before_the_close_arrives() {
    let (client, server) = meet(client(), server());
    let sent = pattern(1, 500_000);
    let reader = thread::spawn(move || {
        let mut stream = server.accept_stream().unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).unwrap();
        (got, server.wait_closed(Some(LONG)).unwrap())
    });
    let mut stream = client.open_uni().unwrap();
    stream.write_all(&sent).unwrap();
    stream.finish().unwrap();
    client.close(77, "that was all").unwrap();
    let (got, reason) = reader.join().unwrap();
    assert!(got == sent);
    assert_eq!((reason.code, reason.phrase.as_str()), (77, "that was all"));
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn resets_and_stops_reach_the_other_side_with_their_codes() {
    let (client, server) = meet(client(), server());
    let mut stream = client.open_bi().unwrap();
    stream.write_all(b"first").unwrap();
    let PeerStream::Bi(mut other) = server.accept_stream().unwrap() else {
        panic!("not bidirectional");
    };
    let mut buf = [0; 5];
    other.read_exact(&mut buf).unwrap();
    stream.send.reset(5).unwrap();
    let err = other.read(&mut buf).unwrap_err();
    assert!(
        matches!(Error::from_io(&err), Some(Error::Reset(5))),
        "{err}"
    );
    stream.recv.stop(6).unwrap();
    let err = loop {
        // Writing goes on until the request has arrived.
        if let Err(err) = other.write(b"x") {
            break err;
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert!(
        matches!(Error::from_io(&err), Some(Error::Stopped(6))),
        "{err}"
    );
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_reset_delivers_the_bytes_that_it_promises() {
    let (client, server) = meet(client(), server());
    // Read before and after the promise arrives, and in one piece and in several.
    for (id, chunk) in [(0, 100), (1, 3), (2, 20_000)] {
        let bytes = pattern(id, 30_000);
        let mut stream = client.open_uni().unwrap();
        stream.write_all(&bytes).unwrap();
        assert!(matches!(stream.reset_at(7, 30_001), Err(Error::Config(_))));
        stream.reset_at(7, 29_000).unwrap();
        assert!(stream.write(b"more").is_err());
        let PeerStream::Uni(mut other) = server.accept_stream().unwrap() else {
            panic!("not unidirectional");
        };
        let mut got = Vec::new();
        let mut buf = vec![0; chunk];
        let err = loop {
            match other.read(&mut buf) {
                Ok(0) => panic!("a clean end after {} bytes", got.len()),
                Ok(len) => got.extend_from_slice(&buf[..len]),
                Err(err) => break err,
            }
        };
        assert!(
            matches!(Error::from_io(&err), Some(Error::Reset(7))),
            "{err}"
        );
        assert!(got.len() >= 29_000, "only {} bytes", got.len());
        assert!(bytes.starts_with(&got));
    }
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn closing_wakes_a_reader_in_another_thread() {
    let (client, _server) = meet(client(), server());
    let handle = client.clone();
    let reader = thread::spawn(move || handle.accept_stream().unwrap_err());
    thread::sleep(Duration::from_millis(200));
    client.abort(0, "").unwrap();
    let err = reader.join().unwrap();
    assert!(matches!(err, Error::LocallyClosed), "{err}");
    assert!(matches!(client.open_uni(), Err(Error::LocallyClosed)));
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_read_that_nobody_answers_times_out() {
    let limit = Duration::from_millis(300);
    let (client, _server) = meet(client().read_timeout(Some(limit)), server());
    let mut stream = client.open_bi().unwrap();
    stream.write_all(b"?").unwrap();
    let err = stream.read(&mut [0; 10]).unwrap_err();
    assert_eq!(err.kind(), std::io::ErrorKind::TimedOut);
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn datagrams_arrive_whole() {
    let params = || {
        let mut params = TransportParams::default();
        params.max_datagram_frame_size = Some(1500);
        params
    };
    let (client, server) = meet(client().transport(params()), server().transport(params()));
    for text in ["one", "two"] {
        client.send_datagram(text.as_bytes()).unwrap();
        assert_eq!(server.recv_datagram().unwrap(), text.as_bytes());
    }
}

fn welcomed(client: &Connection) {
    let mut text = String::new();
    let mut stream = client.accept_stream().unwrap();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "welcome");
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_ticket_continues_a_connection_without_a_certificate() {
    let listener = Listener::bind("127.0.0.1:0", &server().build().unwrap()).unwrap();
    let addr: SocketAddr = listener.local_addr().unwrap();
    let config = client().build().unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut resumed = Vec::new();
            for _ in 0..2 {
                let conn = listener
                    .accept_timeout(Some(LONG))
                    .unwrap()
                    .handshake()
                    .unwrap();
                resumed.push(conn.info().resumed);
                // A client that closes at once may be gone before the server is done.
                conn.open_uni().unwrap().write_last(b"welcome").unwrap();
                conn.wait_closed(Some(LONG)).unwrap();
            }
            resumed
        });
        let first = Connection::connect(addr, "server.test", &config).unwrap();
        welcomed(&first);
        let ticket = first.session_ticket(LONG).unwrap().unwrap();
        first.close(0, "").unwrap();
        let ticket = SessionTicket::from_bytes(&ticket.to_bytes()).unwrap();
        let second = Connection::connect_resuming(addr, "server.test", &config, &ticket).unwrap();
        assert!(second.info().resumed);
        welcomed(&second);
        second.close(0, "").unwrap();
        assert_eq!(server.join().unwrap(), [false, true]);
    });
    // A ticket of a server named "x" is not used for another.
    let foreign = [&b"\x02\x01\x01x"[..], &[0; 56], b"data"].concat();
    let foreign = SessionTicket::from_bytes(&foreign).unwrap();
    let err = Connection::connect_resuming(addr, "server.test", &config, &foreign).unwrap_err();
    assert!(matches!(err, Error::Config(_)), "{err}");
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn the_examples_in_c_talk_to_each_other() {
    let server = common::compiled("examples/c/server.c", "libquic-example-server");
    let client = common::compiled("examples/c/client.c", "libquic-example-client");
    let keys = std::env::temp_dir().join(format!("libquic-keys-{}", std::process::id()));
    std::fs::write(&keys, "me:000102030405060708090a0b0c0d0e0f\n").unwrap();
    let port = "5433";
    let mut server = Command::new(server).arg(port).arg(&keys).spawn().unwrap();
    let answer = (0..50).find_map(|_| {
        let mut client = Command::new(&client);
        let output = client
            .args(["127.0.0.1", port])
            .arg(&keys)
            .arg("text")
            .output()
            .unwrap();
        // The server may not listen yet.
        let good = output.status.success();
        thread::sleep(Duration::from_millis(if good { 0 } else { 200 }));
        good.then_some(output.stdout)
    });
    server.kill().unwrap();
    server.wait().unwrap();
    std::fs::remove_file(&keys).unwrap();
    assert_eq!(answer.as_deref(), Some(&b"text\n"[..]));
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn the_tour_of_the_manual_page_finds_what_the_page_says() {
    let program = common::compiled("examples/c/tour.c", "libquic-example-tour");
    let keys = std::env::temp_dir().join(format!("libquic-tour-{}", std::process::id()));
    std::fs::write(&keys, "me:000102030405060708090a0b0c0d0e0f\n").unwrap();
    let output = Command::new(program).arg(&keys).output().unwrap();
    std::fs::remove_file(&keys).unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("server: has had a content client"), "{out}");
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn the_whole_c_interface_keeps_its_promises() {
    let program = common::compiled("tests/c/sockets.c", "libquic-test-sockets");
    // A trust store of the system's that has the tests' authority, if it may be mounted.
    let store = "/etc/ssl/certs/ca-certificates.crt";
    let merged = std::env::temp_dir().join(format!("libquic-store-{}", std::process::id()));
    let mut authorities = std::fs::read(store).unwrap_or_default();
    authorities.extend(std::fs::read(data("ca.pem")).unwrap());
    std::fs::write(&merged, authorities).unwrap();
    let mounted = Command::new("mount")
        .args(["--bind", merged.to_str().unwrap(), store])
        .status()
        .unwrap();
    assert!(mounted.success());
    let output = Command::new(program)
        .arg(data(""))
        .arg(store)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    print!("{out}");
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(
        out.lines().filter(|line| line.starts_with("ok ")).count(),
        15
    );
    std::fs::remove_file(&merged).unwrap();
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_client_without_the_certificate_asked_for_learns_it_after_its_handshake() {
    let auth = ClientAuth::Require(Trust::File(data("ca.pem")));
    let (_, server) = meet_at(
        "127.0.0.1:0",
        "server.test",
        client().certificate(data("client.pem"), data("leaf.key")),
        self::server().client_auth(auth.clone()),
    );
    assert!(server.unwrap().info().peer_verified);
    let (client, server) = meet_at(
        "127.0.0.1:0",
        "server.test",
        client(),
        self::server().client_auth(auth),
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
fn early_data_arrives_whether_or_not_the_server_takes_it_early() {
    for takes in [true, false] {
        let config = server().early_data(takes).build().unwrap();
        let listener = Listener::bind("127.0.0.1:0", &config).unwrap();
        let addr = listener.local_addr().unwrap();
        let config = client().build().unwrap();
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                let first = listener
                    .accept_timeout(Some(LONG))
                    .unwrap()
                    .handshake()
                    .unwrap();
                first.open_uni().unwrap().write_last(b"welcome").unwrap();
                first.wait_closed(Some(LONG)).unwrap();
                let second = listener
                    .accept_timeout(Some(LONG))
                    .unwrap()
                    .handshake()
                    .unwrap();
                let PeerStream::Bi(mut stream) = second.accept_stream().unwrap() else {
                    panic!("not bidirectional");
                };
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                stream
                    .send
                    .write_last(text.to_uppercase().as_bytes())
                    .unwrap();
                second.wait_closed(Some(LONG)).unwrap();
                second.info().early_data
            });
            let first = Connection::connect(addr, "server.test", &config).unwrap();
            welcomed(&first);
            let ticket = first.session_ticket(LONG).unwrap().unwrap();
            first.close(0, "").unwrap();
            let ticket = SessionTicket::from_bytes(&ticket.to_bytes()).unwrap();
            let early = Connection::connect_early(addr, "server.test", &config, &ticket).unwrap();
            let mut stream = early.open_bi().unwrap();
            stream.write_all(b"early").unwrap();
            stream.finish().unwrap();
            let second = early.handshake().unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            assert_eq!(text, "EARLY");
            assert!(second.info().resumed);
            assert_eq!(second.info().early_data, takes);
            second.close(0, "").unwrap();
            assert_eq!(server.join().unwrap(), takes);
        });
    }
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn one_thread_serves_several_streams_without_waiting_for_any() {
    const STREAMS: usize = 5;
    const LEN: usize = 50_000;
    let (client, server) = meet(client(), server());
    thread::scope(|scope| {
        for nr in 0..STREAMS {
            let mut stream = client.open_bi().unwrap();
            scope.spawn(move || {
                let sent = pattern(nr, LEN);
                stream.write_all(&sent).unwrap();
                stream.finish().unwrap();
                assert!(stream.recv.read_to_limit(LEN).unwrap() == sent);
            });
        }
        // An echo: what was read and not yet written, for each stream.
        let mut open = Vec::new();
        let (mut buf, mut done, start) = (vec![0; 20_000], 0, Instant::now());
        while done < STREAMS {
            assert!(start.elapsed() < LONG);
            if let Some(PeerStream::Bi(stream)) = server.try_accept_stream().unwrap() {
                open.push((stream, Vec::new(), false));
            }
            for (stream, pending, at_end) in &mut open {
                if !*at_end {
                    match stream.recv.try_read(&mut buf).unwrap() {
                        Some(0) => *at_end = true,
                        Some(len) => pending.extend_from_slice(&buf[..len]),
                        None => {}
                    }
                }
                if let Some(len) = stream.send.try_write(pending).unwrap() {
                    pending.drain(..len);
                }
            }
            open.retain_mut(|(stream, pending, at_end)| {
                let over = *at_end && pending.is_empty();
                if over {
                    stream.finish().unwrap();
                    done += 1;
                }
                !over
            });
            thread::sleep(Duration::from_millis(1));
        }
    });
}

/// A client that would rather speak version 2.
fn version_2(config: ClientConfigBuilder) -> ClientConfigBuilder {
    let mut socket = SocketConfig::default();
    socket.version = Some(Version::V2);
    config.socket(socket)
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_client_starts_anew_in_the_version_of_a_server_that_speaks_no_other() {
    let listener = Listener::bind("127.0.0.1:0", &server().build().unwrap()).unwrap();
    ignore_other_versions(&listener);
    let config = version_2(client()).build().unwrap();
    behind_version_1(listener.local_addr().unwrap(), |addr| {
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                let server = listener.accept_timeout(Some(LONG))?.handshake()?;
                let mut stream = server.open_bi()?;
                stream.write_all(b"version 1").unwrap();
                stream.finish().unwrap();
                // Until it has arrived.
                let _ = server.wait_closed(Some(LONG));
                Ok::<(), Error>(())
            });
            let client = Connection::connect(addr, "server.test", &config).unwrap();
            assert_eq!(client.info().version, Version::V1);
            let PeerStream::Bi(mut stream) = client.accept_stream().unwrap() else {
                panic!("not bidirectional");
            };
            let mut got = [0; 9];
            stream.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"version 1");
            client.close(0, "").unwrap();
            server.join().unwrap().unwrap();
        });
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_version_that_somebody_has_talked_a_client_out_of_is_found_out() {
    // This server speaks version 2 and says so.
    let listener = Listener::bind("127.0.0.1:0", &server().build().unwrap()).unwrap();
    let config = version_2(client()).build().unwrap();
    behind_version_1(listener.local_addr().unwrap(), |addr| {
        thread::scope(|scope| {
            let server = scope.spawn(|| listener.accept_timeout(Some(LONG))?.handshake());
            let err = Connection::connect(addr, "server.test", &config).unwrap_err();
            assert!(
                matches!(&err, Error::Closed(reason) if reason.code == 0x11),
                "{err}"
            );
            assert!(server.join().unwrap().is_err());
        });
    });
}
