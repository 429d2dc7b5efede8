// SPDX-License-Identifier: GPL-2.0

//! Handshakes under every circumstance the network and the peers can make.

use std::collections::BTreeSet;

use quic_core::aead::Suite;
use quic_core::buf::Chunk;
use quic_core::common::error::Error;
use quic_core::common::id::Dir;
use quic_core::common::time::Duration;
use quic_core::common::Reader;
use quic_core::conn::event::Event;
use quic_core::conn::State;
use quic_core::params::TransportParams;
use quic_sim::net::{
    Link,
    Way, //
};
use quic_sim::node::Setup;
use quic_sim::pair::{
    seeds,
    Pair, //
};
use quic_sim::world::Node;

fn client() -> Setup {
    let mut setup = Setup::default();
    setup.plan.streams = vec![(Dir::Bidi, 5_000)];
    setup
}

fn server() -> Setup {
    let mut setup = Setup::default();
    setup.plan.reply = Some(5_000);
    setup
}

fn version(mut setup: Setup, version: u32) -> Setup {
    setup.config.version = version;
    setup
}

const V1: u32 = 1;
const V2: u32 = 0x6b33_43cf;

// RFC 9001 4.1.2 #1 test
// RFC 9001 4.9.2 #1 test
#[test]
fn the_handshake_takes_one_round_trip_for_the_client_and_is_confirmed_in_two() {
    let mut pair = Pair::new(1, Link::lossy(50, 0), &client(), server());
    let start = pair.world.now;
    assert!(pair.connect(10));
    let taken = pair.world.now.since(start);
    assert!(taken <= Duration::from_millis(205), "{taken:?}");
}

// RFC 9001 5.3 #1 test
#[test]
fn every_cipher_suite_carries_a_connection() {
    for suite in [
        Suite::Aes128Gcm,
        Suite::Aes256Gcm,
        Suite::Aes128Ccm,
        Suite::ChaCha20Poly1305,
    ] {
        let (mut client, mut server) = (client(), server());
        client.shape.suite = suite;
        server.shape.suite = suite;
        let mut pair = Pair::new(2, Link::default(), &client, server);
        assert!(pair.transfer(10, 1, 1), "{suite:?}");
    }
}

#[test]
fn a_client_hello_of_several_packets_and_a_long_certificate_cross_a_lossy_network() {
    seeds(200, |seed| {
        let (mut client, mut server) = (client(), server());
        client.shape.hello = 3_000;
        server.shape.certificate = 9_000;
        let mut pair = Pair::new(seed, Link::lossy(30, 100_000), &client, server);
        assert!(pair.transfer(120, 1, 1));
    });
}

#[test]
fn thirty_percent_loss_delays_a_handshake_but_does_not_prevent_it() {
    seeds(200, |seed| {
        let mut pair = Pair::new(seed, Link::lossy(10, 300_000), &client(), server());
        assert!(pair.transfer(300, 1, 1));
    });
}

// RFC 9000 8.1.2 #1 test
// RFC 9000 17.2.5.3 #1 test
#[test]
fn a_retry_is_followed_over_a_lossy_network() {
    seeds(200, |seed| {
        let mut server = server();
        server.retry = true;
        let mut pair = Pair::new(seed, Link::lossy(10, 100_000), &client(), server);
        assert!(pair.transfer(120, 1, 1));
        assert_eq!(pair.client.borrow().peer.stats.retry_in, 1);
    });
}

// RFC 9000 6.2 #1 test
#[test]
fn an_unknown_version_is_negotiated() {
    seeds(200, |seed| {
        let client = version(client(), 123);
        let mut pair = Pair::new(seed, Link::lossy(10, 50_000), &client, server());
        assert!(pair.transfer(60, 1, 1));
        let client = pair.client.borrow();
        assert_eq!(client.peer.stats.version_negotiation_in, 1);
        assert_eq!(client.peer.connection.version(), V1);
    });
}

#[test]
fn an_unknown_version_a_retry_and_a_compatible_change_go_together() {
    let client = version(client(), 123);
    let mut server = version(server(), V2);
    server.retry = true;
    let mut pair = Pair::new(3, Link::default(), &client, server);
    assert!(pair.transfer(60, 1, 1));
    let client = pair.client.borrow();
    let negotiated = client.peer.stats.version_negotiation_in;
    assert_eq!((negotiated, client.peer.stats.retry_in), (1, 1));
    assert_eq!(client.peer.connection.version(), V2);
}

#[test]
fn compatible_version_negotiation_ends_in_the_version_the_server_prefers() {
    for (ours, theirs, expected) in [
        (0, 0, V1),
        (V1, V2, V2),
        (V2, V1, V1),
        (V2, 0, V2),
        (V2, V2, V2),
    ] {
        seeds(200, |seed| {
            let client = version(client(), ours);
            let server = version(server(), theirs);
            let mut pair = Pair::new(seed, Link::lossy(10, 100_000), &client, server);
            assert!(pair.transfer(60, 1, 1));
            let version = pair.client.borrow().peer.connection.version();
            assert_eq!(version, expected, "{ours:x} {theirs:x}");
            let server = pair.server.borrow();
            assert_eq!(server.peers[0].connection.version(), expected);
        });
    }
}

#[test]
fn without_compatible_versions_the_clients_choice_stays() {
    let (mut client, mut server) = (version(client(), V1), version(server(), V2));
    client.config.compatible_versions = false;
    let mut pair = Pair::new(4, Link::default(), &client, server.clone());
    assert!(pair.transfer(10, 1, 1));
    assert_eq!(pair.client.borrow().peer.connection.version(), V1);
    client.config.compatible_versions = true;
    server.config.compatible_versions = false;
    let mut pair = Pair::new(4, Link::default(), &client, server);
    assert!(pair.transfer(10, 1, 1));
    assert_eq!(pair.client.borrow().peer.connection.version(), V1);
}

/// A client that remembers the server's parameters and sends 0-RTT.
fn resuming(accept: bool, remembered: TransportParams) -> (Setup, Setup) {
    let (mut client, mut server) = (client(), server());
    client.plan.early = true;
    client.shape.early = true;
    server.shape.early = true;
    server.shape.accept_early = accept;
    client.remembered = Some(remembered);
    (client, server)
}

#[test]
fn early_data_arrives_with_the_first_flight() {
    let (client, server) = resuming(true, quic_sim::node::params());
    let mut pair = Pair::new(5, Link::lossy(100, 0), &client, server);
    pair.wait(Duration::from_millis(105));
    // Half a round trip has passed.
    let early = pair.server.borrow().peers[0].app.bytes();
    assert!(early > 500, "{early} bytes");
    assert!(pair.transfer(10, 1, 1));
}

#[test]
fn early_data_arrives_whether_it_is_accepted_or_not() {
    for accept in [true, false] {
        seeds(200, |seed| {
            let (mut client, server) = resuming(accept, quic_sim::node::params());
            client.plan.streams = (0..5).map(|n| (Dir::Bidi, 100 + n * 4_000)).collect();
            let mut pair = Pair::new(seed, Link::lossy(20, 80_000), &client, server);
            assert!(pair.transfer(120, 5, 5), "{accept}: {}", pair.describe());
        });
    }
}

/// A client that may send datagrams in 0-RTT and has nothing else to send.
fn resuming_with_datagrams() -> (Setup, Setup) {
    let remembered = TransportParams {
        max_datagram_frame_size: 1_200,
        ..quic_sim::node::params()
    };
    let (mut client, mut server) = resuming(true, remembered);
    client.plan.streams.clear();
    server.params.max_datagram_frame_size = 1_200;
    (client, server)
}

#[test]
fn the_longest_datagram_that_is_taken_before_the_handshake_leaves_at_once() {
    let (client, server) = resuming_with_datagrams();
    let mut pair = Pair::new(5, Link::lossy(100, 0), &client, server);
    let connection = |pair: &Pair| pair.client.borrow().peer.connection.max_datagram_len();
    let early = connection(&pair).expect("a server that takes datagrams");
    let send = |pair: &Pair, len: usize| {
        let chunk = Chunk::try_from_slice(&vec![0x5a; len]).expect("memory");
        let mut client = pair.client.borrow_mut();
        let sent = client.peer.connection.send_datagram(chunk);
        sent.map_err(|(error, _)| error)
    };
    assert_eq!(send(&pair, early + 1), Err(Error::MsgSize));
    for len in [early, 10, early] {
        assert_eq!(send(&pair, len), Ok(()));
    }
    // Half a round trip.
    pair.wait(Duration::from_millis(105));
    assert_eq!(pair.server.borrow().peers[0].app.datagrams.len(), 3);
    assert!(pair.connect(1), "{}", pair.describe());
    let later = connection(&pair).expect("a server that takes datagrams");
    assert!(later > early, "{later} after {early}");
    assert_eq!(send(&pair, later), Ok(()));
    pair.wait(Duration::from_millis(105));
    assert_eq!(pair.server.borrow().peers[0].app.datagrams.len(), 4);
}

// RFC 9000 14.1 #1 test
#[test]
fn a_datagram_that_does_not_fit_behind_the_client_hello_leaves_the_first_flight_whole() {
    // The longest wait for 1-RTT.
    for len in [1_000, 1_160] {
        let (mut client, server) = resuming_with_datagrams();
        client.plan.datagrams = [len].into();
        let mut pair = Pair::new(5, Link::lossy(20, 0), &client, server);
        let now = pair.world.now;
        let flight = pair.client.borrow_mut().drive(now);
        assert!(!flight.is_empty());
        for (departure, packet) in flight {
            let is_initial = packet.bytes[0] & 0xb0 == 0x80;
            assert!(!is_initial || packet.bytes.len() >= 1_200, "{len}");
            pair.world.net.send(departure, packet);
        }
        assert!(pair.connect(1), "{len}: {}", pair.describe());
        pair.wait(Duration::from_secs(1));
        assert_eq!(pair.server.borrow().peers[0].app.datagrams, [0], "{len}");
    }
}

// RFC 9000 7.4.1 #3 test
#[test]
fn a_server_that_lowers_its_limits_and_rejects_early_data_gets_everything_later() {
    let remembered = TransportParams {
        initial_max_data: 1 << 30,
        initial_max_stream_data_bidi_remote: 1 << 30,
        ..quic_sim::node::params()
    };
    let (mut client, mut server) = resuming(false, remembered);
    client.plan.streams = vec![(Dir::Bidi, 300_000)];
    server.params.initial_max_data = 20_000;
    server.params.initial_max_stream_data_bidi_remote = 10_000;
    let mut pair = Pair::new(6, Link::lossy(20, 0), &client, server);
    assert!(pair.transfer(60, 1, 1));
}

#[test]
fn early_data_survives_a_retry_and_a_version_negotiation() {
    for version in [0, 123] {
        let (mut client, mut server) = resuming(true, quic_sim::node::params());
        client.config.version = version;
        server.retry = true;
        let mut pair = Pair::new(7, Link::lossy(20, 0), &client, server);
        assert!(pair.transfer(60, 1, 1), "version {version}");
    }
}

// RFC 9000 19.7 #1 test
#[test]
fn a_token_of_an_earlier_connection_saves_the_retry() {
    let mut server = server();
    server.retry = true;
    let mut pair = Pair::new(8, Link::default(), &client(), server);
    assert!(pair.transfer(10, 1, 1));
    pair.wait(Duration::from_secs(1));
    let token = pair.client.borrow().peer.connection.token().to_vec();
    assert!(!token.is_empty());
    let is_told = |event: &Event| matches!(event, Event::NewToken(told) if **told == *token);
    assert!(pair.client.borrow().peer.events.iter().any(is_told));
    let mut second = client();
    second.token = token;
    let second = pair.add_client(9, 2222, &second);
    pair.wait(Duration::from_secs(1));
    let second = second.borrow();
    assert_eq!(second.peer.app.complete(), 1);
    assert_eq!(second.peer.stats.retry_in, 0);
    assert_eq!(pair.server.borrow().stats.retry_out, 1);
}

// RFC 9369 5
#[test]
fn a_token_of_one_version_validates_nothing_in_the_other() {
    for (earlier, later) in [(V1, V2), (V2, V1)] {
        let (mut first, mut server) = (client(), server());
        first.config.version = earlier;
        // The server leaves each client its version.
        server.config.version = 0;
        server.config.compatible_versions = false;
        server.retry = true;
        let mut pair = Pair::new(8, Link::default(), &first, server);
        assert!(pair.transfer(10, 1, 1));
        pair.wait(Duration::from_secs(1));
        let token = pair.client.borrow().peer.connection.token().to_vec();
        for (port, version, retries) in [(2_222, later, 2), (3_333, earlier, 2)] {
            let mut again = first.clone();
            again.config.version = version;
            again.token = token.clone();
            let again = pair.add_client(9, port, &again);
            pair.wait(Duration::from_secs(1));
            assert_eq!(again.borrow().peer.app.complete(), 1, "{version:?}");
            assert_eq!(pair.server.borrow().stats.retry_out, retries, "{version:?}");
        }
    }
}

// RFC 9369 5
#[test]
fn a_client_that_follows_version_negotiation_leaves_its_token_behind() {
    let mut client = client();
    client.config.version = 123;
    client.token = vec![7; 77];
    let mut pair = Pair::new(1, Link::default(), &client, server());
    pair.world.net.tap = Some(Vec::new());
    assert!(pair.transfer(10, 1, 1), "{}", pair.describe());
    let sent = pair.world.net.tap.take().expect("a tap");
    let has_token = |bytes: &[u8]| bytes.windows(77).any(|part| part == [7; 77]);
    let versions = [123, V1].map(|version: u32| {
        let first = sent.iter().find(|p| p.bytes[1..5] == version.to_be_bytes());
        has_token(&first.expect("an Initial packet").bytes)
    });
    assert_eq!(versions, [true, false]);
}

#[test]
fn the_client_gets_the_session_ticket() {
    let mut pair = Pair::new(10, Link::default(), &client(), server());
    assert!(pair.connect(10));
    pair.wait(Duration::from_secs(1));
    let client = pair.client.borrow();
    assert_eq!(client.peer.connection.session_ticket().len(), 104);
    let is_ticket = |event: &Event| matches!(event, Event::NewSessionTicket(_));
    assert_eq!(
        client.peer.events.iter().filter(|e| is_ticket(e)).count(),
        1
    );
}

// RFC 9000 8.1 #2 test
#[test]
fn a_server_sends_three_times_what_an_unvalidated_client_sent() {
    let mut server = server();
    server.shape.certificate = 50_000;
    let mut pair = Pair::new(11, Link::default(), &client(), server);
    // The client's answers never arrive; its first packet did.
    pair.wait(Duration::from_millis(9));
    let arrived = pair.world.net.counts(Way::Up).bytes;
    pair.world.net.link(Way::Up).blackhole = true;
    pair.wait(Duration::from_secs(20));
    let sent = pair.world.net.counts(Way::Down).bytes;
    assert_eq!(arrived, 1200);
    assert!(sent > 2400 && sent <= 3 * arrived, "{sent}");
}

#[test]
fn a_handshake_without_an_answer_ends_by_the_idle_timeout() {
    let mut pair = Pair::new(12, Link::default(), &client(), server());
    pair.world.net.link(Way::Up).blackhole = true;
    pair.wait(Duration::from_secs(40));
    assert_eq!(pair.client.borrow().peer.state(), State::Closed);
    assert_eq!(pair.client.borrow().peer.stats.idle_timeout, 1);
}

/// The identifiers of encoded transport parameters that are reserved to be ignored.
fn reserved(params: &[u8]) -> Vec<(u64, usize)> {
    let mut found = Vec::new();
    let mut reader = Reader::new(params);
    while let Ok(id) = reader.varint() {
        let value = reader.varint_bytes().expect("a whole parameter");
        if id % 31 == 27 {
            found.push((id, value.len()));
        }
    }
    found
}

// RFC 9000 7.4.2 #1 test
#[test]
fn each_side_sends_a_reserved_parameter_and_ignores_the_others() {
    let mut seen = Vec::new();
    for seed in 0..20 {
        let mut pair = Pair::new(seed, Link::default(), &client(), server());
        assert!(pair.transfer(10, 1, 1));
        let (client, server) = (pair.client.borrow(), pair.server.borrow());
        for peer in [&client.peer, &server.peers[0]] {
            let [one] = reserved(&peer.peer_params)[..] else {
                panic!("{:?}", peer.peer_params);
            };
            seen.push(one);
        }
    }
    // Neither the identifier nor the length is always the same.
    let ids = seen.iter().map(|(id, _)| id).collect::<BTreeSet<_>>();
    let lengths = seen.iter().map(|(_, len)| len).collect::<BTreeSet<_>>();
    assert_eq!(ids.len(), seen.len());
    assert!(lengths.len() > 4 && lengths.iter().all(|len| **len < 8));
}
