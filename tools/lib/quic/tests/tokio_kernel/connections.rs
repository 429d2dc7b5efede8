// SPDX-License-Identifier: LGPL-2.1-or-later
//! Connections: how they begin and end, many at a time, and the examples.

use std::{
    io::{
        BufRead,
        BufReader, //
    },
    net::{
        SocketAddr,
        UdpSocket, //
    },
    process::{
        Command,
        Stdio, //
    },
    time::Duration, //
};

use quic::{
    tokio::{
        Connection,
        Listener, //
    },
    Alert,
    CertificateProblem,
    Error,
    SessionTicket,
    SocketConfig,
    Version, //
};

use tokio::{
    io::{
        AsyncReadExt,
        AsyncWriteExt, //
    },
    task::JoinSet, //
};

use super::{
    ask,
    client,
    data,
    echo,
    limit,
    meet,
    meet_as,
    on_tokio,
    server,
    LONG, //
};

use super::middlebox::{
    behind_version_1,
    ignore_other_versions, //
};

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
