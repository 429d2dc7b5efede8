// SPDX-License-Identifier: LGPL-2.1-or-later
//! Streams and datagrams of a connection that stands.

use std::{
    io::{
        Read,
        Write, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use quic::{
    Error,
    PeerStream,
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
fn a_stream_has_a_priority_until_it_is_over() {
    let (client, server) = meet(client(), server());
    let mut stream = client.open_uni().unwrap();
    stream.set_priority(0, false).unwrap();
    stream.set_priority(7, true).unwrap();
    assert!(matches!(
        stream.set_priority(8, true),
        Err(Error::Config(_))
    ));
    stream.write_all(b"all").unwrap();
    stream.finish().unwrap();
    let PeerStream::Uni(mut other) = server.accept_stream().unwrap() else {
        panic!("not unidirectional");
    };
    let mut got = Vec::new();
    other.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"all");
    stream.wait_delivered(None).unwrap();
    stream.set_priority(1, true).unwrap();
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
