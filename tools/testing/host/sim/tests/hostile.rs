// SPDX-License-Identifier: GPL-2.0

//! Peers and bystanders with a plan: known attacks on QUIC stacks, and what becomes of them.

mod forge;

use std::net::SocketAddr;

use forge::Lab;
use quic_core::common::{
    ConnectionId,
    Dir,
    Duration,
    ErrorCode,
    Side,
    Version, //
};
use quic_core::conn::event::CloseKind;
use quic_core::conn::State;
use quic_core::packet::stateless;
use quic_sim::forge::{
    frame,
    varint, //
};
use quic_sim::net::{
    Link,
    Packet,
    Way, //
};
use quic_sim::node::Setup;
use quic_sim::pair::{
    client_addr,
    seeds,
    server_addr,
    Pair, //
};
use quic_sim::rng::SeedRng;

/// The largest number among 1-RTT packets of the server.
fn largest(lab: &Lab, packets: &[Packet], known: u64) -> u64 {
    let numbers = packets
        .iter()
        .map(|packet| lab.number(Side::Server, &packet.bytes, known + 1));
    numbers.fold(known, u64::max)
}

#[test]
fn acknowledging_everything_unseen_ends_the_connection_before_the_window_grows_much() {
    // RFC 9000 21.4 #1 test
    for seed in 0..50 {
        let mut lab = Lab::new(seed);
        let (mut top, mut rounds) = (0, 0);
        while lab.error(Side::Server).is_none() {
            lab.write(Side::Server, 500_000);
            let packets = lab.drive(Side::Server);
            top = largest(&lab, &packets, top);
            // All numbers up to the largest, received or not.
            lab.inject(Side::Client, &frame(&[0x02, top, 0, 0, top]));
            lab.expire_soon(Side::Server);
            rounds += 1;
            assert!(rounds < 40, "{top} packets acknowledged blindly");
        }
        let code = ErrorCode::PROTOCOL_VIOLATION.0;
        assert_eq!(lab.error(Side::Server), Some(code));
        assert!(top < 500, "{top} packets acknowledged blindly");
    }
}

#[test]
fn two_hosts_without_state_do_not_reset_each_other_for_ever() {
    // RFC 9000 10.3.3 #1 test
    let mut rng = SeedRng::new(1, 1);
    let token = [7; 16];
    for first in [21, 22, 43, 100, 1_200] {
        let (mut size, mut count) = (first, 0);
        let mut out = [0; 2_000];
        while let Some(len) = stateless::write_stateless_reset(&mut out, size, &token, &mut rng) {
            assert!(len < size && len >= 21);
            (size, count) = (len, count + 1);
            if count > 1_300 {
                panic!("a reset of {first} bytes goes round and round");
            }
        }
    }
}

#[test]
fn tokens_of_ids_that_are_not_in_use_reset_nothing() {
    // RFC 9000 10.3.1 #3 test
    let mut lab = Lab::new(1);
    let own = ConnectionId::new(&[0x5a; 8]).expect("a length");
    let reset = |id: &ConnectionId| {
        let mut packet = vec![0x41; 40];
        let token = stateless::reset_token(&Setup::default().config.reset_key, id);
        packet[24..].copy_from_slice(&token);
        packet
    };
    lab.deliver(Side::Client, reset(&own));
    assert_eq!(lab.state(Side::Client), State::Established);
    // Nor do those of the client's own ids, which an observer of its host could have made.
    let issued = lab.ids(Side::Client);
    for (_, id) in issued {
        lab.deliver(Side::Client, reset(&id));
    }
    assert_eq!(lab.state(Side::Client), State::Established);
}

#[test]
fn a_forged_negotiation_cannot_bring_a_client_down_to_another_version() {
    // A client that prefers version 2 hears, from an attacker, that there is only version 1.
    let mut client = Setup::default();
    client.config.version = Version::V2.0;
    client.plan.streams = vec![(Dir::Bidi, 1_000)];
    let mut server = Setup::default();
    server.config.version = Version::V2.0;
    let mut pair = Pair::new(1, Link::lossy(20, 0), &client, server);
    pair.wait(Duration::from_millis(1));
    let now = pair.world.now;
    let first = forge::first_flight_of(1, &client).remove(0);
    let bytes = forge::negotiation_for(&first.bytes, &[Version::V1.0]);
    let packet = Packet {
        src: server_addr(),
        dst: client_addr(),
        ecn: 0,
        bytes,
    };
    pair.world.net.send(now, packet);
    pair.wait(Duration::from_millis(500));
    let client = pair.client.borrow();
    assert_eq!(client.peer.stats.version_negotiation_in, 1);
    let info = client.peer.connection.close_info().expect("a cause");
    // The server sees that the client would have chosen another version.
    let code = ErrorCode::VERSION_NEGOTIATION_ERROR.0;
    assert_eq!((info.kind, info.code), (CloseKind::PeerTransport, code));
}

#[test]
fn packets_from_a_thousand_addresses_make_a_server_scan_nobody() {
    let mut lab = Lab::new(1);
    let payload = [&[1][..], &[0; 100]].concat();
    let size = 1 + 8 + 4 + payload.len() + 16;
    let mut sent = std::collections::BTreeMap::<SocketAddr, usize>::new();
    for number in 0..1_000u16 {
        let victim = SocketAddr::from(([203, 0, 113, (number >> 4) as u8], 1 + number));
        lab.inject_from(victim, &payload);
        for packet in lab.drive(Side::Server) {
            *sent.entry(packet.dst).or_default() += packet.bytes.len();
        }
    }
    for _ in 0..20 {
        lab.expire_soon(Side::Server);
        for packet in lab.drive(Side::Server) {
            *sent.entry(packet.dst).or_default() += packet.bytes.len();
        }
    }
    sent.remove(&forge::addr(Side::Client));
    let most = sent.values().copied().max().unwrap_or(0);
    assert!(most <= 3 * size, "{most} bytes to one address");
    // The client is where it was.
    lab.inject(Side::Client, &[1, 0, 0]);
    lab.drive(Side::Server);
    assert_eq!(lab.state(Side::Server), State::Established);
    assert_eq!(lab.remote(Side::Server), forge::addr(Side::Client));
}

#[test]
fn an_honest_peer_at_any_limit_of_ids_is_no_offender() {
    // RFC 9000 5.1.1 #4 test, RFC 9000 5.1.1 #6 test
    for limit in 2..=12 {
        for role in [Side::Client, Side::Server] {
            seeds(5, |seed| {
                let (mut client, mut server) = (Setup::default(), Setup::default());
                client.plan.streams = vec![(Dir::Bidi, 50_000)];
                server.plan.reply = Some(50_000);
                match role {
                    Side::Client => client.params.active_connection_id_limit = limit,
                    Side::Server => server.params.active_connection_id_limit = limit,
                }
                let mut pair = Pair::new(seed, Link::lossy(5, 20_000), &client, server);
                for turn in 0..5 {
                    let outer = SocketAddr::from(([203, 0, 113, 5], 100 + turn));
                    let at = Duration::from_millis(40 + 30 * u64::from(turn));
                    pair.world.after(at, move |world| {
                        world.net.rebind(client_addr(), outer);
                    });
                }
                assert!(pair.transfer(60, 1, 1), "{}", pair.describe());
                pair.check_no_error();
            });
        }
    }
}

#[test]
fn key_updates_without_end_by_somebody_without_keys_change_nothing() {
    let mut lab = Lab::new(1);
    let before = lab.key_phase(Side::Server);
    for number in 0..2_000u32 {
        // The other phase, and the tag of the present keys: as good as any garbage.
        let packet = lab.forge(Side::Client, 0x47, &number.to_be_bytes());
        lab.deliver(Side::Server, packet);
        lab.drive(Side::Server);
    }
    assert_eq!(lab.error(Side::Server), None);
    assert_eq!(lab.key_phase(Side::Server), before);
    assert_eq!(lab.stats(Side::Server).key_update, 0);
    // The honest client is still heard.
    let opened = lab.opened(Side::Server);
    lab.inject(Side::Client, &[1, 0, 0]);
    assert_eq!(lab.opened(Side::Server), opened + 1);
}

#[test]
fn numbers_at_the_end_of_their_range_overflow_nothing() {
    let max = (1u64 << 62) - 1;
    let cases: Vec<(&str, Vec<u8>, Option<u64>)> = vec![
        ("MAX_DATA", frame(&[0x10, max]), None),
        ("MAX_STREAM_DATA", frame(&[0x11, 1, max]), None),
        ("MAX_STREAMS", frame(&[0x12, 1 << 60]), None),
        ("DATA_BLOCKED", frame(&[0x14, max]), None),
        ("STREAM_DATA_BLOCKED", frame(&[0x15, 0, max]), None),
        ("STREAMS_BLOCKED", frame(&[0x16, 1 << 60]), None),
        ("reset at the end", frame(&[0x04, 0, max, max]), Some(0x03)),
        ("stop", frame(&[0x05, 1, max]), None),
        (
            "stream behind the end",
            [frame(&[0x0e, 0, max, 1]), vec![7]].concat(),
            Some(0x07),
        ),
        (
            "stream at the end",
            [frame(&[0x0e, 0, max - 1, 1]), vec![7]].concat(),
            Some(0x03),
        ),
        (
            "CRYPTO at the end",
            [frame(&[0x06, max - 1, 1]), vec![7]].concat(),
            Some(0x0d),
        ),
        (
            "CRYPTO behind the end",
            [frame(&[0x06, max, 1]), vec![7]].concat(),
            Some(0x07),
        ),
        ("ACK of the last", frame(&[0x02, max, 0, 0, 0]), Some(0x0a)),
        ("ACK below zero", frame(&[0x02, 0, 0, 0, 1]), Some(0x07)),
        ("longest delay", frame(&[0x02, 0, max, 0, 0]), None),
        ("most ranges", frame(&[0x02, 5, 0, max, 0]), Some(0x07)),
        (
            "highest stream",
            [frame(&[0x0a, max, 0])].concat(),
            Some(0x05),
        ),
        ("highest of theirs", frame(&[0x0a, max - 3, 0]), Some(0x04)),
        ("last id", frame(&[0x19, max]), Some(0x0a)),
        (
            "longest frame",
            [&[0x31][..], &varint(max)].concat(),
            Some(0x07),
        ),
        ("ACK_FREQUENCY", frame(&[0xaf, max, max, 25_000, max]), None),
        (
            "delay of ACK_FREQUENCY",
            frame(&[0xaf, max, max, max, max]),
            Some(0x0a),
        ),
    ];
    for (what, payload, code) in cases {
        let mut lab = Lab::new(1);
        lab.inject(Side::Client, &payload);
        lab.drive(Side::Server);
        assert_eq!(lab.error(Side::Server), code, "{what}");
        if code.is_none() {
            // What follows works as before.
            let is_written = lab.write(Side::Server, 20_000);
            assert!(!lab.drive(Side::Server).is_empty() || !is_written);
            for _ in 0..10 {
                lab.expire_soon(Side::Server);
                lab.drive(Side::Server);
            }
        }
    }
}

#[test]
fn a_client_that_never_finishes_is_forgotten_in_time() {
    let mut pair = Pair::new(1, Link::default(), &Setup::default(), Setup::default());
    pair.wait(Duration::from_millis(15));
    pair.world.net.link(Way::Up).blackhole = true;
    // Now and then another first packet, as of a slow attacker.
    for turn in 0..20 {
        let first = forge::first_flight(1).remove(0);
        let now = pair.world.now;
        pair.world.net.link(Way::Up).blackhole = false;
        pair.world.net.send(now, first);
        pair.world.net.link(Way::Up).blackhole = true;
        pair.wait(Duration::from_secs(3));
        let _ = turn;
    }
    pair.wait(Duration::from_secs(40));
    let server = pair.server.borrow();
    assert!(server.peers.iter().all(|p| p.state() == State::Closed));
}
