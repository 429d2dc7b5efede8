// SPDX-License-Identifier: LGPL-2.1-or-later
//! Clients and servers on tokio over loopback, on a kernel that has QUIC sockets.
//!
//! Ignored elsewhere; in a guest:
//! `cargo test -p libquic --features tokio --test tokio_kernel -- --ignored`.

#[path = "common/middlebox.rs"]
mod middlebox;

use std::{
    future::Future,
    io::{
        BufRead,
        BufReader, //
    },
    net::{
        SocketAddr,
        UdpSocket, //
    },
    path::PathBuf,
    process::{
        Command,
        Stdio, //
    },
    time::Duration,
};

use quic::{
    tokio::{
        BiStream,
        Connection,
        Listener,
        PeerStream, //
    },
    Alert,
    CertificateProblem,
    ClientConfig,
    ClientConfigBuilder,
    Error,
    Result,
    ServerConfig,
    ServerConfigBuilder,
    SessionTicket,
    SocketConfig,
    TransportParams,
    Trust,
    Version, //
};
use tokio::{
    io::{
        AsyncReadExt,
        AsyncWriteExt, //
    },
    task::JoinSet,
    time::timeout, //
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
}

fn server() -> ServerConfigBuilder {
    ServerConfig::builder()
        .certificate(data("server.pem"), data("leaf.key"))
        .alpn(["sample"])
        .handshake_timeout(LONG)
}

/// Runs a test on both kinds of runtime, and fails when it hangs.
fn on_tokio<F: Future<Output = ()>>(test: impl Fn() -> F) {
    let one = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    one.unwrap().block_on(async { limit(test()).await });
    let several = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(3)
        .enable_all()
        .build();
    several.unwrap().block_on(async { limit(test()).await });
}

async fn limit<T>(future: impl Future<Output = T>) -> T {
    timeout(2 * LONG, future).await.expect("it hangs")
}

async fn meet_as(
    name: &str,
    client: ClientConfigBuilder,
    server: ServerConfigBuilder,
) -> (Result<Connection>, Result<Connection>) {
    let listener = Listener::bind("127.0.0.1:0", &server.build().unwrap())
        .await
        .unwrap();
    let addr = listener.local_addr().unwrap();
    let client = client.build().unwrap();
    tokio::join!(Connection::connect(addr, name, &client), async {
        listener.accept().await?.handshake().await
    })
}

async fn meet(
    client: ClientConfigBuilder,
    server: ServerConfigBuilder,
) -> (Connection, Connection) {
    let (client, server) = meet_as("server.test", client, server).await;
    (client.unwrap(), server.unwrap())
}

/// Bytes that depend on their place and on a seed.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|nr| (nr * 31 + (nr >> 8) * 7 + seed) as u8)
        .collect()
}

/// Sends back what comes, each stream in a task of its own, until the connection ends.
async fn echo(conn: Connection) {
    let mut streams = JoinSet::new();
    while let Ok(stream) = conn.accept_stream().await {
        if let PeerStream::Bi(stream) = stream {
            streams.spawn(async move {
                let (mut send, mut recv) = stream.split();
                tokio::io::copy(&mut recv, &mut send).await.unwrap();
                send.shutdown().await.unwrap();
            });
        }
    }
    streams.join_all().await;
}

/// Writes and reads at once; what comes back must be what was sent.
async fn ask(stream: BiStream, seed: usize, len: usize) {
    let (mut send, mut recv) = stream.split();
    let sent = pattern(seed, len);
    let write = async {
        send.write_all(&sent).await.unwrap();
        send.finish().await.unwrap();
    };
    let (_, got) = tokio::join!(write, recv.read_to_limit(len));
    assert!(got.unwrap() == sent, "stream {seed}");
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn many_streams_at_once_carry_their_own_bytes_both_ways() {
    on_tokio(|| async {
        let (client, server) = meet(client(), server()).await;
        let echo = tokio::spawn(echo(server));
        let mut asking = JoinSet::new();
        for nr in 0..40 {
            let client = client.clone();
            asking.spawn(async move { ask(client.open_bi().await.unwrap(), nr, 40_000).await });
        }
        while let Some(asked) = asking.join_next().await {
            asked.unwrap();
        }
        client.close(0, "").await.unwrap();
        echo.await.unwrap();
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn small_limits_of_bytes_and_streams_only_slow_it_down() {
    let params = || {
        let mut params = TransportParams::default();
        params.max_streams_bidi = Some(2);
        params.max_data = Some(30_000);
        params.max_stream_data_bidi_local = Some(8_000);
        params.max_stream_data_bidi_remote = Some(8_000);
        params
    };
    on_tokio(|| async {
        let (client, server) =
            meet(client().transport(params()), server().transport(params())).await;
        let echo = tokio::spawn(echo(server));
        let mut asking = JoinSet::new();
        for nr in 0..7 {
            let client = client.clone();
            asking.spawn(async move { ask(client.open_bi().await.unwrap(), nr, 100_000).await });
        }
        while let Some(asked) = asking.join_next().await {
            asked.unwrap();
        }
        client.close(0, "").await.unwrap();
        echo.await.unwrap();
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn fifty_connections_need_no_thread_of_their_own() {
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let config = server().build().unwrap();
        let listener = Listener::bind("127.0.0.1:0", &config).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let config = client().build().unwrap();
        let before = threads();
        tokio::spawn(async move {
            loop {
                let incoming = listener.accept().await.unwrap();
                tokio::spawn(async move { echo(incoming.handshake().await.unwrap()).await });
            }
        });
        let mut open = Vec::new();
        for _ in 0..50 {
            let conn = Connection::connect(addr, "server.test", &config).await;
            open.push(conn.unwrap());
        }
        let mut asking = JoinSet::new();
        for (nr, conn) in open.iter().cloned().enumerate() {
            asking.spawn(async move { ask(conn.open_bi().await.unwrap(), nr, 5_000).await });
        }
        assert_eq!(threads(), before);
        while let Some(asked) = asking.join_next().await {
            asked.unwrap();
        }
        assert_eq!(threads(), before);
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn refusals_come_with_their_reason() {
    on_tokio(|| async {
        let (client, server) = meet_as("wrong.test", client(), server()).await;
        match client.unwrap_err() {
            Error::Certificate(err) => assert!(err.is(CertificateProblem::WrongName), "{err}"),
            err => panic!("{err}"),
        }
        assert_eq!(server.unwrap_err().alert(), Some(Alert::BAD_CERTIFICATE));
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn nobody_at_the_other_end_is_a_time_out() {
    on_tokio(|| async {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let limit = Duration::from_millis(500);
        let config = client().handshake_timeout(limit).build().unwrap();
        let addr = silent.local_addr().unwrap();
        let err = Connection::connect(addr, "x", &config).await.unwrap_err();
        assert!(matches!(err, Error::Timeout(_)), "{err}");
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_wait_that_was_cancelled_loses_nothing() {
    let short = Duration::from_millis(50);
    on_tokio(|| async {
        let (client, server) = meet(client(), server()).await;
        assert!(timeout(short, server.accept_stream()).await.is_err());
        let mut stream = client.open_bi().await.unwrap();
        assert!(timeout(short, stream.read_u8()).await.is_err());
        stream.write_all(b"a").await.unwrap();
        let PeerStream::Bi(mut other) = server.accept_stream().await.unwrap() else {
            panic!("not bidirectional");
        };
        assert_eq!(other.read_u8().await.unwrap(), b'a');
        assert!(timeout(short, other.read_u8()).await.is_err());
        other.write_all(b"b").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'b');
        stream.write_all(b"c").await.unwrap();
        assert_eq!(other.read_u8().await.unwrap(), b'c');
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn datagrams_arrive_whole_and_wake_who_waits() {
    let params = || {
        let mut params = TransportParams::default();
        params.max_datagram_frame_size = Some(1500);
        params
    };
    on_tokio(|| async {
        let (client, server) =
            meet(client().transport(params()), server().transport(params())).await;
        let reader = tokio::spawn(async move {
            let first = server.recv_datagram().await.unwrap();
            (first, server.recv_datagram().await.unwrap())
        });
        client.send_datagram(b"one").await.unwrap();
        client.send_datagram(b"two").await.unwrap();
        assert_eq!(reader.await.unwrap(), (b"one".to_vec(), b"two".to_vec()));
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn resets_and_stops_reach_the_other_side_with_their_codes() {
    on_tokio(|| async {
        let (client, server) = meet(client(), server()).await;
        let mut stream = client.open_bi().await.unwrap();
        stream.write_all(b"first").await.unwrap();
        let PeerStream::Bi(mut other) = server.accept_stream().await.unwrap() else {
            panic!("not bidirectional");
        };
        let mut buf = [0; 5];
        other.read_exact(&mut buf).await.unwrap();
        stream.send.reset(5).unwrap();
        let err = other.read(&mut buf).await.unwrap_err();
        assert!(
            matches!(Error::from_io(&err), Some(Error::Reset(5))),
            "{err}"
        );
        stream.recv.stop(6).unwrap();
        let err = loop {
            // Writing goes on until the request has arrived.
            if let Err(err) = other.write(b"x").await {
                break err;
            }
            tokio::task::yield_now().await;
        };
        assert!(
            matches!(Error::from_io(&err), Some(Error::Stopped(6))),
            "{err}"
        );
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_reset_delivers_the_bytes_that_it_promises() {
    on_tokio(|| async {
        let (client, server) = meet(client(), server()).await;
        let bytes = pattern(3, 30_000);
        let mut stream = client.open_uni().await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        stream.reset_at(7, 29_000).unwrap();
        let PeerStream::Uni(mut other) = server.accept_stream().await.unwrap() else {
            panic!("not unidirectional");
        };
        let mut got = Vec::new();
        let err = other.read_to_end(&mut got).await.unwrap_err();
        assert!(
            matches!(Error::from_io(&err), Some(Error::Reset(7))),
            "{err}"
        );
        assert!(got.len() >= 29_000 && bytes.starts_with(&got));
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn the_end_of_the_connection_wakes_all_who_wait() {
    on_tokio(|| async {
        let (client, server) = meet(client(), server()).await;
        let mut stream = client.open_bi().await.unwrap();
        stream.write_all(b"?").await.unwrap();
        let conn = client.clone();
        let accept = tokio::spawn(async move { conn.accept_stream().await.unwrap_err() });
        let read = tokio::spawn(async move { stream.read_u8().await.unwrap_err() });
        let closed = tokio::spawn(async move { client.wait_closed().await.unwrap() });
        server.accept_stream().await.unwrap();
        server.close(9, "enough").await.unwrap();
        let err = accept.await.unwrap();
        assert!(
            matches!(&err, Error::Closed(reason) if reason.code == 9),
            "{err}"
        );
        let err = read.await.unwrap();
        let inner = Error::from_io(&err);
        assert!(
            matches!(inner, Some(Error::Closed(_) | Error::Reset(0))),
            "{err}"
        );
        let reason = closed.await.unwrap();
        assert_eq!((reason.code, reason.phrase.as_str()), (9, "enough"));
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_ticket_continues_the_connection_with_early_data() {
    on_tokio(|| async {
        let config = server().early_data(true).build().unwrap();
        let listener = Listener::bind("127.0.0.1:0", &config).await.unwrap();
        let addr: SocketAddr = listener.local_addr().unwrap();
        let config = client().build().unwrap();
        let server = tokio::spawn(async move {
            let mut early = Vec::new();
            for _ in 0..2 {
                let conn = listener.accept().await.unwrap().handshake().await.unwrap();
                early.push(conn.info().early_data);
                echo(conn).await;
            }
            early
        });
        let first = Connection::connect(addr, "server.test", &config)
            .await
            .unwrap();
        ask(first.open_bi().await.unwrap(), 1, 100).await;
        let ticket = first.session_ticket().await.unwrap();
        first.close(0, "").await.unwrap();
        let ticket = SessionTicket::from_bytes(&ticket.to_bytes()).unwrap();
        let early = Connection::connect_early(addr, "server.test", &config, &ticket)
            .await
            .unwrap();
        let mut stream = early.open_bi().await.unwrap();
        stream.write_all(b"early").await.unwrap();
        stream.shutdown().await.unwrap();
        let second = early.handshake().await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "early");
        assert!(second.info().resumed && second.info().early_data);
        second.close(0, "").await.unwrap();
        assert_eq!(server.await.unwrap(), [false, true]);
    });
}

/// The folder of the compiled examples, beside that of the tests.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap().join("examples");
    Command::new(folder.join(name))
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn the_examples_talk_to_each_other() {
    for (server, client) in [
        ("server", "client"),
        ("tokio_server", "tokio_client"),
        ("server", "tokio_client"),
        ("tokio_server", "client"),
    ] {
        let mut server = example(server)
            .arg("127.0.0.1:0")
            .args([data("server.pem"), data("leaf.key")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let addr = line.strip_prefix("listening on ").unwrap();
        let output = example(client)
            .args([addr, "server.test"])
            .arg(data("ca.pem"))
            .arg("a text")
            .output()
            .unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{client}: {err}");
        assert!(out.lines().any(|line| line == "a text"), "{client}: {out}");
        assert!(lines.next().unwrap().unwrap().ends_with(": done"));
        server.kill().unwrap();
        server.wait().unwrap();
    }
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_client_starts_anew_in_the_version_of_a_server_that_speaks_no_other() {
    let listener = quic::Listener::bind("127.0.0.1:0", &server().build().unwrap()).unwrap();
    ignore_other_versions(&listener);
    let mut socket = SocketConfig::default();
    socket.version = Some(Version::V2);
    let config = client().socket(socket).build().unwrap();
    behind_version_1(listener.local_addr().unwrap(), |addr| {
        std::thread::scope(|scope| {
            let server = scope.spawn(|| {
                let server = listener.accept_timeout(Some(LONG))?.handshake()?;
                server.wait_closed(Some(LONG)).map(|_| ())
            });
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(limit(async {
                let client = Connection::connect(addr, "server.test", &config)
                    .await
                    .unwrap();
                assert_eq!(client.info().version, Version::V1);
                client.close(0, "").await.unwrap();
            }));
            server.join().unwrap().unwrap();
        });
    });
}
