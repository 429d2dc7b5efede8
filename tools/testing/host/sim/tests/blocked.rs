// SPDX-License-Identifier: GPL-2.0

//! A sender that flow control has stopped, and its peer that does not read.

use quic_core::common::{
    memory::Memory,
    Dir,
    Duration, //
};
use quic_core::conn::State;
use quic_core::stream::Streams;
use quic_sim::net::{
    Link,
    Way, //
};
use quic_sim::node::{
    params,
    Setup, //
};
use quic_sim::pair::Pair;

/// A client that has more to send than its server, which reads nothing, has credit for.
fn stopped(idle: u64, connection_limit: u64, stream_limit: u64) -> Pair {
    let mut client = Setup::default();
    client.plan.streams = vec![(Dir::Uni, 200_000)];
    client.params.max_idle_timeout = Duration::from_millis(idle);
    let mut server = Setup::default();
    server.plan.stalled = true;
    server.params = params();
    server.params.max_idle_timeout = Duration::from_millis(idle);
    server.params.initial_max_data = connection_limit;
    server.params.initial_max_stream_data_uni = stream_limit;
    let mut pair = Pair::new(1, Link::lossy(10, 0), &client, server);
    assert!(pair.connect(10));
    pair.wait(Duration::from_secs(1));
    pair
}

#[test]
fn a_blocked_sender_keeps_the_connection_open_and_says_why() {
    // RFC 9000 4.1 #5 test
    for (connection, stream) in [(20_000, 100_000), (100_000, 20_000)] {
        let mut pair = stopped(2_000, connection, stream);
        let before = pair.world.net.counts(Way::Up).sent;
        pair.wait(Duration::from_secs(60));
        let sent = pair.world.net.counts(Way::Up).sent - before;
        // Four in each time-out, and the acknowledgements of what little the server has to say.
        assert!((100..=300).contains(&sent), "{sent} packets");
        assert_eq!(pair.client.borrow().peer.state(), State::Established);
        assert_eq!(pair.server.borrow().peers[0].state(), State::Established);
        // Once the application reads, everything arrives.
        pair.server.borrow_mut().peers[0].app.plan.stalled = false;
        assert!(pair.transfer(60, 1, 0), "{}", pair.describe());
        // With nothing left to say the connection is given up as any other.
        pair.wait(Duration::from_secs(5));
        assert_eq!(pair.client.borrow().peer.state(), State::Closed);
    }
}

#[test]
fn a_peer_that_is_gone_is_given_up_although_there_is_more_to_send() {
    // RFC 9000 4.1 #5 test
    let mut pair = stopped(2_000, 20_000, 100_000);
    pair.world.net.link(Way::Up).blackhole = true;
    pair.wait(Duration::from_secs(6));
    assert_eq!(pair.client.borrow().peer.state(), State::Closed);
}

#[test]
fn a_connection_without_a_time_limit_needs_no_sign_of_life() {
    let mut pair = stopped(0, 20_000, 100_000);
    let before = pair.world.net.counts(Way::Up).sent;
    pair.wait(Duration::from_secs(600));
    assert_eq!(pair.world.net.counts(Way::Up).sent, before);
    assert_eq!(pair.client.borrow().peer.state(), State::Established);
}

/// Sends what a client has to say in a minute in which nothing moves, checks that it keeps the
/// connection open by no more than that, and that all goes on when the server reads again.
fn check_patience(pair: &mut Pair, streams: usize) {
    let before = pair.world.net.counts(Way::Up).sent;
    pair.wait(Duration::from_secs(60));
    let sent = pair.world.net.counts(Way::Up).sent - before;
    assert!((100..=300).contains(&sent), "{sent} packets");
    assert_eq!(pair.client.borrow().peer.state(), State::Established);
    pair.server.borrow_mut().peers[0].app.plan.stalled = false;
    assert!(pair.transfer(60, streams, streams), "{}", pair.describe());
    pair.wait(Duration::from_secs(5));
    assert_eq!(pair.client.borrow().peer.state(), State::Closed);
}

/// A client and a server that allows one stream at a time, answers each and reads nothing yet.
fn one_at_a_time(streams: &[u64]) -> (Setup, Setup) {
    let mut client = Setup::default();
    client.plan.streams = streams.iter().map(|len| (Dir::Bidi, *len)).collect();
    client.params.max_idle_timeout = Duration::from_secs(2);
    let mut server = Setup::default();
    server.plan.stalled = true;
    server.plan.reply = Some(100);
    server.params = params();
    server.params.initial_max_streams_bidi = 1;
    (client, server)
}

// RFC 9000 4.6 #5 test
#[test]
fn a_client_that_waits_for_streams_keeps_the_connection_open_and_says_why() {
    let (client, server) = one_at_a_time(&[500, 500, 500]);
    let mut pair = Pair::new(1, Link::lossy(10, 0), &client, server);
    assert!(pair.connect(10));
    pair.wait(Duration::from_secs(1));
    check_patience(&mut pair, 3);
}

#[test]
fn streams_that_rejected_early_data_left_above_the_limit_wait_without_a_storm() {
    // The second stream is opened, above the limit, and blocked by its own credit.
    let (mut client, mut server) = one_at_a_time(&[500, 300_000]);
    client.plan.early = true;
    client.shape.early = true;
    client.remembered = Some(params());
    server.shape.early = true;
    server.params.initial_max_stream_data_bidi_remote = 10_000;
    let mut pair = Pair::new(1, Link::lossy(10, 0), &client, server);
    assert!(pair.connect(10));
    pair.wait(Duration::from_secs(1));
    check_patience(&mut pair, 2);
}

// RFC 9000 4.6 #5 test
#[test]
fn a_client_that_has_given_up_waiting_for_a_stream_falls_idle() {
    let (client, mut server) = one_at_a_time(&[]);
    server.params.initial_max_streams_uni = 0;
    let mut pair = Pair::new(1, Link::lossy(10, 0), &client, server);
    assert!(pair.connect(10));
    let streams = |pair: &Pair, call: &dyn Fn(&mut Streams)| {
        call(pair.client.borrow_mut().peer.connection.streams_mut());
    };
    streams(&pair, &|streams| streams.start_wanting(Dir::Uni));
    pair.wait(Duration::from_secs(20));
    assert_eq!(pair.client.borrow().peer.state(), State::Established);
    streams(&pair, &|streams| streams.stop_wanting(Dir::Uni));
    pair.wait(Duration::from_secs(5));
    assert_eq!(pair.client.borrow().peer.state(), State::Closed);
    assert_eq!(pair.client.borrow().peer.stats.idle_timeout, 1);
}

/// A client whose server has no memory for what it sends, however much the windows allow.
fn starved() -> Pair {
    let mut client = Setup::default();
    client.plan.streams = vec![(Dir::Uni, 200_000)];
    client.params.max_idle_timeout = Duration::from_secs(2);
    let mut server = Setup::default();
    server.plan.stalled = true;
    server.params = params();
    server.params.max_idle_timeout = Duration::from_secs(2);
    let mut pair = Pair::new(1, Link::lossy(10, 0), &client, server);
    assert!(pair.connect(10));
    pair.server.borrow_mut().peers[0]
        .connection
        .set_memory(Memory::Exhausted);
    pair
}

#[test]
fn a_receiver_without_memory_keeps_the_connection_open_and_holds_what_it_held() {
    let mut pair = starved();
    pair.wait(Duration::from_secs(1));
    let held = pair.server.borrow().peers[0].connection.recv_truesize();
    let before = pair.world.net.counts(Way::Down).sent;
    pair.wait(Duration::from_secs(60));
    let sent = pair.world.net.counts(Way::Down).sent - before;
    // Signs of life, and an answer to each of the client's ever rarer probes.
    assert!((20..=300).contains(&sent), "{sent} packets");
    assert_eq!(pair.client.borrow().peer.state(), State::Established);
    let state = pair.server.borrow().peers[0].state();
    assert_eq!(state, State::Established);
    let now = pair.server.borrow().peers[0].connection.recv_truesize();
    assert!(now <= held, "{now} bytes, before {held}");
    // With memory for more, and a reader, everything arrives.
    {
        let peer = &mut pair.server.borrow_mut().peers[0];
        peer.connection.set_memory(Memory::Plenty);
        peer.app.plan.stalled = false;
    }
    assert!(pair.transfer(60, 1, 0), "{}", pair.describe());
}

#[test]
fn a_reader_gets_on_without_memory_a_packet_at_a_time() {
    let mut pair = starved();
    pair.server.borrow_mut().peers[0].app.plan.stalled = false;
    assert!(pair.transfer(60, 1, 0), "{}", pair.describe());
}
