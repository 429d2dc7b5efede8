// SPDX-License-Identifier: GPL-2.0

//! Rules about a connection that is established: addresses, acknowledgements, probes, extensions.

mod forge;

use std::net::SocketAddr;
use std::rc::Rc;

use forge::Lab;
use quic_core::common::error::Error;
use quic_core::common::{
    Dir,
    Duration,
    Reader,
    Side, //
};
use quic_core::conn::{
    Connection,
    State, //
};
use quic_core::frame::Frame;
use quic_core::params::TransportParams;
use quic_sim::net::{
    Link,
    Packet,
    Way, //
};
use quic_sim::node::Setup;
use quic_sim::pair::Pair;

fn other(port: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 9], port))
}

#[test]
fn a_client_that_moves_although_it_must_not_is_not_reset() {
    // RFC 9000 9 #3 test
    let mut setup = Setup::default();
    setup.params.disable_active_migration = true;
    let mut lab = Lab::with_setup(1, setup);
    lab.inject_from(other(5), &[&[1][..], &[0; 600]].concat());
    for packet in lab.drive(Side::Server) {
        // Whatever is sent is a packet of the connection.
        let _ = lab.kinds(Side::Server, &packet);
    }
    assert!(lab.state(Side::Server).is_open());
}

#[test]
fn an_address_seen_at_the_preferred_address_only_is_protected_too() {
    // RFC 9000 9.6.3 #4 test, RFC 9000 9.3 #3 test
    let mut lab = Lab::new(1);
    let preferred = SocketAddr::from(([198, 51, 100, 2], 4433));
    lab.inject_over(other(6), preferred, &[1, 0, 0, 0]);
    let received = 13 + 4 + 16;
    let mut sent = 0;
    for _ in 0..10 {
        let packets = lab.drive(Side::Server);
        let there = packets.iter().filter(|packet| packet.dst == other(6));
        sent += there.map(|packet| packet.bytes.len()).sum::<usize>();
        lab.expire(Side::Server);
    }
    assert!(sent <= 3 * received, "{sent} bytes for {received}");
}

#[test]
fn a_server_that_knows_no_address_of_its_client_any_more_falls_silent() {
    // RFC 9000 9.3.2 #2 test
    let mut lab = Lab::new(1);
    let ping = [&[1][..], &[0; 600]].concat();
    lab.inject_from(other(1), &ping);
    let _ = lab.drive(Side::Server);
    // A while later it seems to have moved on; the address before that has not answered either.
    for _ in 0..3 {
        lab.expire(Side::Server);
        let _ = lab.drive(Side::Server);
    }
    lab.inject_from(other(2), &ping);
    let end = lab.now().saturating_add(Duration::from_secs(20));
    while lab.now() < end && lab.state(Side::Server) == State::Established {
        for packet in lab.drive(Side::Server) {
            assert!(!lab.kinds(Side::Server, &packet).contains(&0x1c));
        }
        lab.expire(Side::Server);
    }
    assert_eq!(lab.state(Side::Server), State::Closed);
    assert!(lab.drive(Side::Server).is_empty());
}

#[test]
fn challenges_are_repeated_no_more_often_than_probes() {
    // RFC 9000 9.4 #4 test, RFC 9000 8.2.1 #3 test, RFC 9000 8.2.1 #2 test
    let mut lab = Lab::new(1);
    lab.inject_from(other(5), &[&[1][..], &[0; 1_000]].concat());
    let mut sent = vec![];
    let mut ptos = vec![];
    for _ in 0..20 {
        let pto = lab.info(Side::Server).pto;
        for packet in lab.drive(Side::Server) {
            let kinds = lab.kinds(Side::Server, &packet);
            assert!(kinds.iter().filter(|kind| **kind == 0x1a).count() <= 1);
            let is_challenge = kinds.contains(&0x1a);
            if packet.dst == other(5) && is_challenge {
                sent.push(lab.now());
                ptos.push(pto);
            }
        }
        lab.expire(Side::Server);
    }
    assert!(sent.len() >= 2, "{sent:?}");
    let gaps: Vec<_> = sent.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    assert!(gaps[0] >= ptos[0], "{gaps:?} {ptos:?}");
    assert!(gaps.windows(2).all(|pair| pair[1] > pair[0]), "{gaps:?}");
}

#[test]
fn a_packet_for_a_known_connection_is_never_answered_by_a_reset() {
    // RFC 9000 11 #4 test
    let mut lab = Lab::new(1);
    for len in [40, 100, 1_200] {
        let mut bytes = lab.forge(Side::Client, 0x43, &vec![1; len]);
        *bytes.last_mut().expect("a tag") ^= 1;
        lab.deliver(Side::Server, bytes);
        assert!(lab.drive(Side::Server).is_empty());
    }
    assert!(lab.state(Side::Server).is_open());
}

/// The ranges that the newest ACK frame of an endpoint acknowledges.
fn acknowledged(lab: &mut Lab, side: Side) -> Vec<std::ops::RangeInclusive<u64>> {
    let mut ranges = vec![];
    for packet in lab.drive(side) {
        let payload = lab.open(side, &packet.bytes);
        let mut reader = Reader::new(&payload);
        while !reader.is_empty() {
            if let Frame::Ack(ack) = Frame::parse(&mut reader).expect("a frame") {
                ranges = ack.ranges().collect();
            }
        }
    }
    ranges
}

#[test]
fn what_does_not_open_is_not_acknowledged() {
    // RFC 9000 13.1 #1 test
    let mut lab = Lab::new(1);
    let mut broken = lab.forge(Side::Client, 0x43, &[1, 0, 0, 0]);
    *broken.last_mut().expect("a tag") ^= 1;
    let number = lab.last_number();
    lab.deliver(Side::Server, broken);
    for _ in 0..2 {
        lab.inject(Side::Client, &[1, 0, 0, 0]);
    }
    let ranges = acknowledged(&mut lab, Side::Server);
    assert!(ranges.iter().any(|range| range.contains(&(number + 1))));
    assert!(ranges.iter().all(|range| !range.contains(&number)));
}

#[test]
fn a_packet_whose_frames_are_wrong_in_the_end_ends_the_connection() {
    // RFC 9000 5.2 #2 test
    let mut lab = Lab::new(1);
    let good = [0x10, 0x80, 0xff, 0xff, 0xff, 0x1a, 1, 2, 3, 4, 5, 6, 7, 8];
    lab.inject(Side::Client, &[&good[..], &[0x21]].concat());
    assert_eq!(lab.error(Side::Server), Some(0x07));
}

#[test]
fn every_probe_after_a_timeout_wants_an_answer() {
    // RFC 9002 6.2.4 #3 test
    let mut lab = Lab::new(1);
    lab.open_stream(Side::Server);
    let mut probes = 0;
    for _ in 0..6 {
        for packet in lab.drive(Side::Server) {
            let kinds = lab.kinds(Side::Server, &packet);
            let is_eliciting = kinds
                .iter()
                .any(|kind| ![0x02, 0x03, 0x1c, 0x1d].contains(kind));
            assert!(is_eliciting, "{kinds:x?}");
            probes += 1;
        }
        lab.expire(Side::Server);
    }
    assert!(probes >= 5, "{probes}");
    assert!(lab.info(Side::Server).timeouts >= 4);
}

#[test]
fn frames_of_extensions_go_only_to_those_who_offered_them() {
    // RFC 9000 19.21 #1 test
    for (ours, theirs) in [(true, false), (false, true)] {
        let (mut client, mut server) = (Setup::default(), Setup::default());
        client.plan.streams = vec![(Dir::Bidi, 3_000_000)];
        server.plan.reply = Some(3_000_000);
        client.config.ack_frequency = ours;
        server.config.ack_frequency = theirs;
        client.params.max_datagram_frame_size = if ours { 1_200 } else { 0 };
        server.params.max_datagram_frame_size = if theirs { 1_200 } else { 0 };
        // Either would end the connection if it got a frame that it has not offered.
        let mut pair = Pair::new(1, Link::lossy(20, 0), &client, server);
        assert!(pair.transfer(60, 1, 1), "{}", pair.describe());
        let chunk = quic_core::buf::Chunk::try_from_slice(&[0, 0, 0, 0, 0x5a]).expect("memory");
        let sent = pair
            .client
            .borrow_mut()
            .peer
            .connection
            .send_datagram(chunk);
        assert_eq!(
            sent.err().map(|(error, _)| error),
            (!theirs).then_some(Error::Invalid)
        );
        pair.wait(Duration::from_secs(1));
        assert!(pair.client.borrow().peer.state().is_open());
        assert!(pair.server.borrow().peers[0].state().is_open());
    }
}

#[test]
fn a_path_that_carries_less_than_the_minimum_carries_no_connection() {
    // RFC 9000 14 #1 test, RFC 9000 14.2 #4 test
    let narrow = Link {
        mtu: 1_199,
        ..Link::lossy(10, 0)
    };
    let mut pair = Pair::new(1, narrow, &Setup::default(), Setup::default());
    assert!(!pair.connect(60));
    assert_eq!(pair.client.borrow().peer.state(), State::Closed);
    // One that shrinks ends its connection, and nothing smaller is tried.
    let mut client = Setup::default();
    client.plan.streams = vec![(Dir::Uni, 4_000_000)];
    let mut pair = Pair::new(1, Link::bottleneck(10, 500_000), &client, Setup::default());
    assert!(pair.connect(10));
    pair.wait(Duration::from_secs(1));
    for way in [Way::Up, Way::Down] {
        pair.world.net.link(way).mtu = 1_100;
    }
    let received = pair.server.borrow().peers[0].app.bytes();
    pair.wait(Duration::from_secs(100));
    assert!(pair.server.borrow().peers[0].app.bytes() < received + 100_000);
    assert_eq!(pair.client.borrow().peer.state(), State::Closed);
    assert_eq!(pair.server.borrow().peers[0].state(), State::Closed);
}

#[test]
fn new_connection_ids_retire_no_more_than_there_are() {
    // RFC 9000 19.15 #6 test
    let mut lab = Lab::new(1);
    let mut issued = 0;
    for prior_to in 1..6 {
        lab.retire_own_ids(Side::Server, prior_to);
        let packets: Vec<Packet> = lab.drive(Side::Server);
        for packet in packets {
            let payload = lab.open(Side::Server, &packet.bytes);
            let mut reader = Reader::new(&payload);
            while !reader.is_empty() {
                if let Ok(Frame::NewConnectionId(new)) = Frame::parse(&mut reader) {
                    assert!(new.retire_prior_to <= new.seq);
                    issued += 1;
                }
            }
            lab.deliver(Side::Client, packet.bytes);
        }
        for packet in lab.drive(Side::Client) {
            lab.deliver(Side::Server, packet.bytes);
        }
    }
    assert!(issued >= 3, "{issued}");
}

#[test]
fn a_client_at_a_new_address_gets_a_token_for_it() {
    // RFC 9000 9.3 #5 test
    let mut lab = Lab::new(1);
    lab.inject_from(other(5), &[&[1][..], &[0; 1_000]].concat());
    let mut data = None;
    for packet in lab.drive(Side::Server) {
        let payload = lab.open(Side::Server, &packet.bytes);
        let mut reader = Reader::new(&payload);
        while !reader.is_empty() {
            if let Ok(Frame::PathChallenge { data: found }) = Frame::parse(&mut reader) {
                data = data.or((packet.dst == other(5)).then_some(found));
            }
        }
        assert!(!lab.kinds(Side::Server, &packet).contains(&0x07));
    }
    let answer = [&[0x1b][..], &data.expect("a challenge")].concat();
    lab.inject_from(other(5), &answer);
    let packets = lab.drive(Side::Server);
    let kinds: Vec<u64> = packets
        .iter()
        .flat_map(|packet| lab.kinds(Side::Server, packet))
        .collect();
    assert!(kinds.contains(&0x07), "{kinds:x?}");
}

#[test]
fn a_challenge_on_the_active_path_is_answered_by_more_than_a_probe() {
    // RFC 9000 9.3.3 #2 test
    let mut lab = Lab::new(1);
    lab.inject(Side::Server, &[&[0x1a][..], &[5; 8]].concat());
    let packets = lab.drive(Side::Client);
    let answer = packets
        .iter()
        .map(|packet| lab.kinds(Side::Client, packet))
        .find(|kinds| kinds.contains(&0x1b));
    let kinds = answer.expect("an answer");
    let is_probing = |kind: &u64| [0x18, 0x1a, 0x1b].contains(kind);
    assert!(!kinds.iter().all(is_probing), "{kinds:x?}");
}

#[test]
fn an_end_is_remembered_for_three_probe_timeouts() {
    // RFC 9000 10.2 #1 test, RFC 9000 10.2 #3 test, RFC 9000 10.2 #4 test
    let mut lab = Lab::new(1);
    let pto = lab.info(Side::Server).pto;
    let begin = lab.now();
    lab.inject(Side::Client, &[0x21]);
    assert_eq!(lab.state(Side::Server), State::Closing);
    let end = lab.deadline(Side::Server).expect("an end");
    assert!(end.since(begin).as_nanos() >= 3 * pto.as_nanos());
    lab.expire(Side::Server);
    assert_eq!(lab.state(Side::Server), State::Closed);
    assert_eq!(lab.deadline(Side::Server), None);
}

/// The longest time that an endpoint takes to acknowledge a packet of the peer. What it sends for
/// other reasons may bring an acknowledgement earlier.
fn delay_of_ack(lab: &mut Lab, side: Side) -> Duration {
    let delays = (0..8).map(|_| {
        let start = lab.now();
        lab.inject(side.peer(), &[1, 0, 0, 0]);
        while acknowledged(lab, side).is_empty() {
            assert!(lab.expire(side));
        }
        lab.now().since(start)
    });
    delays.max().expect("a delay")
}

#[test]
fn an_acknowledgement_leaves_in_time_although_its_timer_may_be_late() {
    // RFC 9000 18.2 #2 test, RFC 9000 13.2.1 #2 test
    let announcing = |delay| TransportParams {
        max_ack_delay: Duration::from_millis(delay),
        ..quic_sim::node::params()
    };
    // The peer would ask for less delay on so short a path.
    let mut plain = Setup::default();
    plain.config.ack_frequency = false;
    for announced in [2, 25, 100] {
        let setup = Setup {
            params: announcing(announced),
            ..plain.clone()
        };
        let mut lab = Lab::with_setup(1, setup);
        for side in [Side::Client, Side::Server] {
            let delay = delay_of_ack(&mut lab, side);
            assert_eq!(delay, Duration::from_millis(announced - 1));
        }
    }
    // The same if it is chosen only after the connection was made.
    for chosen in [2, 15, 60] {
        let params = announcing(chosen);
        let setup = Setup {
            prepare: Some(Rc::new(move |client: &mut Connection| {
                assert_eq!(client.set_local_params(&params), Ok(()));
            })),
            ..plain.clone()
        };
        let mut lab = Lab::with_setup(1, setup);
        let delay = delay_of_ack(&mut lab, Side::Client);
        assert_eq!(delay, Duration::from_millis(chosen - 1));
    }
}

#[test]
fn an_acknowledgement_goes_along_with_data() {
    // RFC 9000 13.2 #1 test, RFC 9000 12.2 #2 test
    let mut lab = Lab::new(1);
    // One packet is not acknowledged at once, unless something else is to be said.
    // The lab's own first byte is in flight: Nagle's rule would hold the second one back.
    lab.with(Side::Server, |peer, _| peer.connection.set_nodelay(true));
    lab.open_stream(Side::Server);
    lab.inject(Side::Client, &[1, 0, 0, 0]);
    let packets = lab.drive(Side::Server);
    assert_eq!(packets.len(), 1);
    let kinds = lab.kinds(Side::Server, &packets[0]);
    assert!(kinds.contains(&0x02) || kinds.contains(&0x03), "{kinds:x?}");
    assert!(
        kinds.iter().any(|kind| (0x08..0x10).contains(kind)),
        "{kinds:x?}"
    );
}
