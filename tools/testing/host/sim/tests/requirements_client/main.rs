// SPDX-License-Identifier: GPL-2.0

//! Rules of the handshake, seen on the wire between a client and a server.

mod early;
#[path = "../forge/mod.rs"]
mod forge;
mod preferred;
mod tokens;

use std::collections::HashSet;
use std::net::SocketAddr;

use forge::Wire;
use quic_core::common::{
    Dir,
    Duration,
    Level,
    Side,
    Version, //
};
use quic_core::conn::State;
use quic_core::packet::token::{
    Claims,
    TokenKey,
    TokenKind,
    MAX_TOKEN_LEN, //
};
use quic_core::packet::Packet as Parsed;
use quic_sim::forge::Forger;
use quic_sim::net::Packet;
use quic_sim::node::Setup;
use quic_sim::rng::SeedRng;
use quic_sim::world::Node;

const HANDSHAKE_DONE: u64 = 0x1e;

#[test]
fn until_it_hears_the_server_a_client_sends_to_one_id() {
    // RFC 9000 7.2 #2 test, RFC 9000 7.2 #1 test
    let mut wire = Wire::new(&Setup::default(), Setup::default());
    let mut ids = HashSet::new();
    for _ in 0..5 {
        for packet in wire.up() {
            ids.insert(forge::long_ids(&packet.bytes));
        }
        wire.tick();
    }
    assert_eq!(ids.len(), 1);
    assert!(ids
        .iter()
        .all(|(to, from)| to.len() >= 8 && from.len() == 8));
}

#[test]
fn ids_are_random_and_never_empty_or_the_same() {
    // RFC 9000 5.1 #1 test, RFC 9000 5.1 #3 test, RFC 9000 10.3.2 #3 test,
    // RFC 9000 10.3.2 #4 test, RFC 9000 19.16 #4 test
    let mut seen = HashSet::new();
    let mut set = [0u32; 64];
    for seed in 0..400 {
        let first = forge::first_flight(seed).remove(0);
        let (_, id) = forge::long_ids(&first.bytes);
        assert_eq!(id.len(), 8);
        for (bit, count) in set.iter_mut().enumerate() {
            *count += u32::from((id[bit / 8] >> (bit % 8)) & 1);
        }
        assert!(seen.insert(id), "the id of seed {seed} was there before");
    }
    // No bit of an id tells anything.
    assert!(
        set.iter().all(|count| (130..=270).contains(count)),
        "{set:?}"
    );
}

#[test]
fn a_client_with_nothing_in_flight_breaks_the_deadlock() {
    // RFC 9000 8.1 #5 test, RFC 9000 8.1 #6 test
    let mut wire = Wire::new(&Setup::default(), Setup::default());
    let first = wire.up();
    let last = &first.last().expect("a flight").bytes;
    let number = forge::initial_number(last) as u8;
    // Everything is acknowledged, but the server cannot say more.
    let ack = [0x02, number, 0, 0, number];
    let answer = forge::server_initial(&first[0].bytes, b"", &ack);
    wire.give_client(vec![forge::packet_to_client(answer)]);
    assert_eq!(wire.client.peer.connection.info().bytes_in_flight, 0);
    for _ in 0..3 {
        wire.tick();
        let probes = wire.up();
        assert!(!probes.is_empty());
        for probe in probes {
            assert_eq!(forge::levels(&probe.bytes)[0], Level::Initial);
            assert!(probe.bytes.len() >= 1200);
        }
    }
}

#[test]
fn a_listener_answers_a_datagram_with_one_version_negotiation() {
    // RFC 9000 17.2.1 #7 test, RFC 9000 5.2.2 #1 test, RFC 9000 5.2.2 #4 test
    let mut wire = Wire::new(&Setup::default(), Setup::default());
    let mut datagram = wire.up().remove(0);
    datagram.bytes[1..5].copy_from_slice(&[0x1a; 4]);
    // As if two packets of the version were coalesced.
    datagram.bytes.extend(datagram.bytes.clone());
    wire.give_server(vec![datagram.clone()]);
    assert_eq!(wire.down().len(), 1);
    // One that is too small is not answered at all.
    datagram.bytes.truncate(1_199);
    wire.give_server(vec![datagram]);
    assert!(wire.down().is_empty());
}

#[test]
fn packets_behind_the_first_make_no_connection() {
    // RFC 9000 5.2.2 #7 test
    for kind in [0xd3, 0xe3] {
        let mut datagram = forge::first_flight(1).remove(0).bytes;
        datagram[0] = kind;
        assert!(forge::is_stray(&datagram));
    }
}

#[test]
fn handshake_done_comes_after_the_handshake_and_until_it_is_acknowledged() {
    // RFC 9000 19.20 #1 test, RFC 9000 13.3 #3 test
    let mut wire = Wire::new(&Setup::default(), Setup::default());
    let says_done = |packets: &[Packet]| {
        let kinds = packets
            .iter()
            .map(|p| forge::app_kinds(Side::Server, &p.bytes));
        kinds.flatten().any(|kind| kind == HANDSHAKE_DONE)
    };
    let first = wire.up();
    wire.give_server(first);
    let flight = wire.down();
    assert!(!flight.is_empty() && !says_done(&flight));
    wire.give_client(flight);
    let finished = wire.up();
    wire.give_server(finished);
    // The first, and repetitions, get lost.
    let mut said = 0;
    for _ in 0..10 {
        said += u32::from(says_done(&wire.down()));
        wire.tick();
        let _ = wire.up();
    }
    assert!(said >= 2, "{said}");
    assert!(!wire.client.peer.connection.is_confirmed());
    for _ in 0..20 {
        wire.exchange(2);
        if wire.client.peer.connection.is_confirmed() {
            break;
        }
        wire.tick();
    }
    assert!(wire.client.peer.connection.is_confirmed());
    wire.exchange(2);
    for _ in 0..4 {
        assert!(!says_done(&wire.down()));
        wire.tick();
    }
}

#[test]
fn a_client_opens_no_one_rtt_packet_before_its_handshake_is_complete() {
    // RFC 9001 5.7 #5 test, RFC 9001 4.1.4 #1 test
    let mut server = Setup::default();
    server.shape.certificate = 20_000;
    let mut wire = Wire::new(&Setup::default(), server);
    let first = wire.up();
    wire.give_server(first);
    let flight = wire.down();
    wire.give_client(flight);
    assert_eq!(wire.client.peer.state(), State::Establishing);
    let id = wire.client.peer.ids[0].1;
    let packet = Forger::new(Side::Server, id, id).packet(Level::App, &[0x21; 4]);
    wire.give_client(vec![forge::packet_to_client(packet)]);
    assert_eq!(wire.client.peer.state(), State::Establishing);
    // With the rest of the flight it is opened, and does its harm.
    for _ in 0..20 {
        wire.exchange(1);
    }
    assert!(!wire.client.peer.state().is_open());
}

/// A client that gets these CRYPTO frames before and after a ServerHello.
fn around_hello(before: Option<&[u8]>, after: Option<&[u8]>) -> Option<u64> {
    let mut wire = Wire::new(&Setup::default(), Setup::default());
    let initial = wire.up().remove(0).bytes;
    let hello = [&[2, 0, 0, 86][..], &[2; 86]].concat();
    let hello = [&[0x06, 0, 0x40, 90][..], &hello].concat();
    let payloads = [before, Some(&hello), after];
    for (number, payload) in payloads.into_iter().enumerate() {
        let Some(payload) = payload else {
            continue;
        };
        let packet = forge::numbered_initial(&initial, number as u8, 0x66, b"", payload);
        wire.give_client(vec![forge::packet_to_client(packet)]);
        // TLS reads the ServerHello, and the client has Handshake keys.
        let _ = wire.up();
    }
    let info = wire.client.peer.connection.close_info();
    info.map(|info| info.code)
}

#[test]
fn bytes_behind_the_last_message_of_a_level_end_the_connection() {
    // RFC 9001 4.1.3 #1 test, RFC 9001 4.1.3 #2 test
    assert_eq!(around_hello(None, None), None);
    for offset in [90, 200] {
        let crypto = [0x06, 0x40, offset, 1, 7];
        assert_eq!(around_hello(None, Some(&crypto)), Some(0x0a), "{offset}");
    }
    // The same bytes again are none.
    let hello = [&[0x06, 0, 2, 2, 0][..]].concat();
    assert_eq!(around_hello(None, Some(&hello)), None);
}

#[test]
fn bytes_that_tls_has_not_taken_when_it_goes_on_end_the_connection() {
    // RFC 9001 4.1.3 #3 test
    let crypto = [0x06, 0x40, 200, 1, 7];
    assert_eq!(around_hello(Some(&crypto), None), Some(0x0a));
}

#[test]
fn handshake_bytes_are_repeated_at_their_own_level() {
    // RFC 9001 4 #1 test, RFC 9001 4.9 #1 test, RFC 9001 4 #2 test, RFC 9002 6.2.4 #4 test
    let mut server = Setup::default();
    server.shape.certificate = 500;
    let mut wire = Wire::new(&Setup::default(), server);
    let first = wire.up();
    wire.give_server(first);
    // The server has keys of every level when its flight is lost.
    let lost: Vec<Level> = wire
        .down()
        .iter()
        .flat_map(|p| forge::levels(&p.bytes))
        .collect();
    assert!(lost.contains(&Level::Initial) && lost.contains(&Level::Handshake));
    let mut again = vec![];
    for _ in 0..4 {
        wire.tick();
        again.extend(wire.down());
        let packets = wire.up();
        wire.give_server(packets);
    }
    let levels: Vec<Level> = again.iter().flat_map(|p| forge::levels(&p.bytes)).collect();
    assert!(levels.contains(&Level::Initial) && levels.contains(&Level::Handshake));
    let both = [Level::Initial, Level::Handshake];
    assert!(again.iter().any(|p| forge::levels(&p.bytes) == both));
    let app = again
        .iter()
        .flat_map(|p| forge::app_kinds(Side::Server, &p.bytes));
    assert!(app.filter(|kind| *kind == 0x06).count() == 0);
    // So has the client when its Finished is lost.
    let mut server = Setup::default();
    server.shape.certificate = 500;
    let mut wire = Wire::new(&Setup::default(), server);
    let first = wire.up();
    wire.give_server(first);
    let flight = wire.down();
    wire.give_client(flight);
    let lost: Vec<Level> = wire
        .up()
        .iter()
        .flat_map(|p| forge::levels(&p.bytes))
        .collect();
    assert!(lost.contains(&Level::Handshake));
    assert_eq!(wire.client.peer.state(), State::Established);
    let mut again = vec![];
    for _ in 0..4 {
        wire.tick();
        again.extend(wire.up());
        let _ = wire.down();
    }
    let levels: Vec<Level> = again.iter().flat_map(|p| forge::levels(&p.bytes)).collect();
    assert!(levels.contains(&Level::Handshake));
    wire.give_server(again);
    // Its TLS reads when it is driven.
    let _ = wire.down();
    assert_eq!(wire.server.peers[0].state(), State::Established);
}

#[test]
fn a_client_hello_in_compatibility_mode_is_a_protocol_violation() {
    // RFC 9001 8.4 #2 test
    for has_session_id in [false, true] {
        let mut wire = Wire::new(&Setup::default(), Setup::default());
        let mut hello = vec![1, 0, 0, 60, 3, 3];
        hello.extend([7; 32]);
        hello.push(if has_session_id { 16 } else { 0 });
        hello.extend([0; 30]);
        let payload = [&[0x06, 0, 0x40, hello.len() as u8][..], &hello].concat();
        let initial = wire.up().remove(0);
        let packet = forge::client_initial(&initial.bytes, &payload);
        assert_eq!(forge::levels(&packet), [Level::Initial]);
        wire.give_server(vec![Packet {
            bytes: packet,
            ..initial
        }]);
        let code = wire.server.peers[0]
            .connection
            .close_info()
            .map(|info| info.code);
        assert_eq!(code, has_session_id.then_some(0x0a));
    }
}
