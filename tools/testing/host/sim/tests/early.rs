// SPDX-License-Identifier: GPL-2.0

//! What a client remembers of a server, and what it sends by it, when the server has changed its
//! mind.

use quic_core::common::id::Dir;
use quic_core::common::time::Duration;
use quic_core::common::ErrorCode;
use quic_core::conn::State;
use quic_core::params::TransportParams;
use quic_sim::net::Link;
use quic_sim::node::{
    params,
    Setup, //
};
use quic_sim::pair::Pair;

/// A client that remembers the server's parameters and writes before the handshake, and a server
/// that knows of 0-RTT but does not take it.
fn resuming(remembered: TransportParams) -> (Setup, Setup) {
    let (mut client, mut server) = (Setup::default(), Setup::default());
    client.plan.early = true;
    client.plan.streams = vec![(Dir::Bidi, 5_000)];
    client.shape.early = true;
    client.remembered = Some(remembered);
    server.shape.early = true;
    server.shape.accept_early = false;
    server.plan.reply = Some(5_000);
    (client, server)
}

/// Lets the client write another stream; returns how many there are now.
fn write_more(pair: &Pair, stream: Option<(Dir, u64)>) -> usize {
    let streams = &mut pair.client.borrow_mut().peer.app.plan.streams;
    streams.extend(stream);
    streams.len()
}

// RFC 9000 4.1 #1 test
// RFC 9000 4.6 #2 test
// RFC 9000 7.4.1 #3 test
#[test]
fn remembered_limits_end_with_the_servers_own_whether_early_data_was_offered_or_not() {
    let lowered: [fn(&mut TransportParams); 3] = [
        |p| p.initial_max_data = 20_000,
        |p| p.initial_max_stream_data_bidi_remote = 10_000,
        |p| p.initial_max_streams_bidi = 1,
    ];
    for (case, lower) in lowered.into_iter().enumerate() {
        for (offered, version) in [(true, 0), (false, 0), (true, 123), (false, 123)] {
            let (mut client, mut server) = resuming(params());
            client.shape.early = offered;
            client.config.version = version;
            client.plan.streams = vec![(Dir::Bidi, 60_000); 5];
            lower(&mut server.params);
            let mut pair = Pair::new(6, Link::lossy(20, 0), &client, server);
            let is_done = pair.transfer(60, 5, 5);
            let what = (case, offered, version);
            assert!(is_done, "{what:?}: {}", pair.describe());
        }
    }
}

// RFC 9221 3 test
#[test]
fn datagrams_that_waited_for_a_server_that_takes_shorter_ones_now_are_dropped() {
    for (limit, expected) in [(0, &[][..]), (100, &[1]), (1_200, &[0, 1, 2])] {
        let remembered = TransportParams {
            max_datagram_frame_size: 1_200,
            ..params()
        };
        let (mut client, mut server) = resuming(remembered);
        client.shape.early = false;
        client.plan.datagrams = [1_000, 97, 98].into();
        server.params.max_datagram_frame_size = limit;
        let mut pair = Pair::new(7, Link::lossy(20, 0), &client, server);
        assert!(pair.transfer(20, 1, 1), "{limit}: {}", pair.describe());
        pair.wait(Duration::from_secs(1));
        let client = pair.client.borrow();
        assert_eq!(client.peer.state(), State::Established, "{limit}");
        assert_eq!(client.peer.connection.send_truesize(), 0);
        let server = pair.server.borrow();
        assert_eq!(server.peers[0].app.datagrams, expected, "{limit}");
    }
}

// RFC 9001 5.6 #4 test
// RFC 9002 6.4 #1 test
// RFC 9002 6.4 #2 test
#[test]
fn rejected_early_data_is_sent_again_at_once_and_is_no_sign_of_congestion() {
    for more in [0, 2_000] {
        let (client, server) = resuming(params());
        let mut pair = Pair::new(8, Link::lossy(100, 0), &client, server);
        pair.wait(Duration::from_millis(210));
        let count = write_more(&pair, (more > 0).then_some((Dir::Bidi, more)));
        // The handshake was complete after one round trip; a probe time-out is three more.
        pair.wait(Duration::from_millis(190));
        let arrived = pair.server.borrow().peers[0].app.bytes();
        assert_eq!(arrived, 5_000 + more, "{}", pair.describe());
        assert!(pair.transfer(10, count, count), "{}", pair.describe());
        let info = pair.client.borrow().peer.connection.info();
        assert_eq!((info.packets_lost, info.timeouts), (0, 0), "{more}");
        assert_eq!(info.ssthresh, u64::MAX, "{more}");
    }
}

// RFC 8446 4.2.10: a server that asks for another ClientHello has refused early data.
#[test]
fn no_early_data_is_sent_when_the_server_has_asked_for_another_client_hello() {
    for early in [5_000, 60_000] {
        let (mut client, mut server) = resuming(params());
        client.plan.streams = vec![(Dir::Bidi, early)];
        server.shape.retry = true;
        let mut pair = Pair::new(9, Link::lossy(100, 0), &client, server);
        pair.wait(Duration::from_millis(190));
        let sent = |pair: &Pair| pair.client.borrow().peer.connection.info().packets_sent;
        let first = sent(&pair);
        assert!(first > early.min(10_000) / 1_200, "{first}");
        pair.wait(Duration::from_millis(20));
        // The second ClientHello, and at most one acknowledgement beside it.
        let second = sent(&pair);
        assert!((1..=2).contains(&(second - first)), "{first} {second}");
        let count = write_more(&pair, Some((Dir::Bidi, 2_000)));
        pair.wait(Duration::from_millis(170));
        assert_eq!(sent(&pair), second, "{}", pair.describe());
        assert!(pair.transfer(10, count, count), "{}", pair.describe());
        let info = pair.client.borrow().peer.connection.info();
        assert_eq!((info.packets_lost, info.timeouts), (0, 0), "{early}");
    }
}

/// A client with an early secret that writes `early` bytes before the handshake and 200 kB behind
/// it, whose server says in its own `opaque` way, or in TLS's, whether it `accepts`.
fn sends_once((early, accepts, opaque): (u64, bool, bool)) {
    let (mut client, mut server) = resuming(params());
    client.plan.streams = vec![];
    server.plan.reply = None;
    server.shape.accept_early = accepts;
    for shape in [&mut client.shape, &mut server.shape] {
        shape.opaque = opaque;
    }
    if early > 0 {
        client.plan.streams.push((Dir::Uni, early));
    }
    let mut pair = Pair::new(9, Link::lossy(100, 0), &client, server);
    pair.wait(Duration::from_millis(210));
    let count = write_more(&pair, Some((Dir::Uni, 200_000)));
    assert!(pair.transfer(30, count, 0), "{}", pair.describe());
    let info = pair.client.borrow().peer.connection.info();
    let expected = 200_000 + early * if accepts { 1 } else { 2 };
    let what = (early, accepts, opaque);
    assert!(info.bytes_sent < expected * 11 / 10, "{what:?}: {info:?}");
    // What was sent early is all that may be thought lost.
    assert!(info.packets_lost <= early / 1_000, "{what:?}: {info:?}");
}

#[test]
fn what_is_sent_behind_the_handshake_is_sent_once_whatever_became_of_early_data() {
    for early in [0, 5_000] {
        for accepts in [false, true] {
            for opaque in [false, true] {
                sends_once((early, accepts, opaque));
            }
        }
    }
}

// RFC 9000 7.4.1 #6 test
#[test]
fn a_server_that_takes_early_data_and_lowers_a_limit_is_refused_if_any_was_sent() {
    for has_sent in [false, true] {
        let (mut client, mut server) = resuming(params());
        client.plan.early = has_sent;
        server.shape.accept_early = true;
        server.params.initial_max_data = 20_000;
        let mut pair = Pair::new(10, Link::lossy(20, 0), &client, server);
        assert_eq!(pair.transfer(10, 1, 1), !has_sent, "{}", pair.describe());
        let client = pair.client.borrow();
        let code = client.peer.connection.close_info().map(|info| info.code);
        let expected = has_sent.then_some(ErrorCode::PROTOCOL_VIOLATION.0);
        assert_eq!(code, expected);
        // It is said with the handshake, and not first when early data is acknowledged.
        assert!(!client.peer.connection.is_confirmed() || !has_sent);
    }
}
