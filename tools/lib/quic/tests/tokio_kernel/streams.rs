// SPDX-License-Identifier: LGPL-2.1-or-later
//! Streams and datagrams of a connection that stands.

use std::time::Duration;

use quic::{
    tokio::PeerStream,
    Error,
    TransportParams, //
};

use tokio::{
    io::{
        AsyncReadExt,
        AsyncWriteExt, //
    },
    time::timeout, //
};

use super::{
    ask_at_once,
    client,
    meet,
    on_tokio,
    pattern,
    server, //
};

#[test]
#[ignore = "needs a kernel with QUIC"]
fn many_streams_at_once_carry_their_own_bytes_both_ways() {
    on_tokio(|| async {
        let (client, server) = meet(client(), server()).await;
        ask_at_once(client, server, 40, 40_000).await;
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
        ask_at_once(client, server, 7, 100_000).await;
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
