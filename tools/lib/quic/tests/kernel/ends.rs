// SPDX-License-Identifier: LGPL-2.1-or-later
//! Time-outs, closing, and what a connection leaves behind.

use std::{
    io::{
        Read,
        Write, //
    },
    net::{
        Shutdown,
        TcpStream,
        UdpSocket, //
    },
    os::fd::AsFd,
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use quic::{
    Connection,
    Error,
    TransportParams, //
};

use super::{
    client,
    meet,
    pattern,
    server,
    LONG, //
};

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
    let config = super::client().transport(idle(1)).build().unwrap();
    let err = Connection::connect(nobody.local_addr().unwrap(), "x", &config).unwrap_err();
    assert!(matches!(err, Error::IdleTimeout), "{err}");
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
