// SPDX-License-Identifier: GPL-2.0

//! Rules of the handshake, seen on the wire between a client and a server.

mod forge;

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

fn preferred() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 2], 4433))
}

/// The token in the first packet of a datagram.
fn token(datagram: &[u8]) -> Vec<u8> {
    let Ok(Parsed::Protected(header)) = Parsed::parse_first(datagram, 8) else {
        panic!("not a packet");
    };
    datagram[header.token].to_vec()
}

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
fn the_token_of_a_retry_serves_the_attempt_it_was_given_for() {
    // RFC 9000 8.1.3 #12 test, RFC 9000 17.2.5.1 #5 test
    let mut server = Setup {
        retry: true,
        ..Setup::default()
    };
    server.shape.certificate = 200;
    let mut wire = Wire::new(&Setup::default(), server);
    let mut first = wire.up();
    first.truncate(1);
    wire.give_server(first);
    // One datagram, one Retry.
    let retry = wire.down();
    assert_eq!(retry.len(), 1);
    wire.give_client(retry);
    let second = wire.up();
    let given = token(&second[0].bytes);
    assert!(!given.is_empty());
    assert!(second.iter().all(|packet| token(&packet.bytes) == given));
    assert!(wire.client.peer.connection.token().is_empty());
    wire.give_server(second);
    let packets = wire.down();
    wire.give_client(packets);
    wire.exchange(5);
    assert_eq!(wire.client.peer.state(), State::Established);
    let kept = wire.client.peer.connection.token();
    assert!(!kept.is_empty() && kept != given);
}

#[test]
fn early_packets_follow_a_retry_again() {
    // RFC 9000 17.2.3 #1 test
    let (client, mut server) = early(true);
    server.retry = true;
    let mut wire = Wire::new(&client, server);
    let has_early = |packets: &[Packet]| {
        let mut levels = packets.iter().flat_map(|p| forge::levels(&p.bytes));
        levels.any(|level| level == Level::Early)
    };
    let first = wire.up();
    assert!(has_early(&first));
    wire.give_server(first);
    let retry = wire.down();
    wire.give_client(retry);
    assert!(has_early(&wire.up()));
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
fn a_retry_token_of_another_address_is_refused() {
    // RFC 9000 8.1.2 #2 test
    let server = Setup::default();
    let other = SocketAddr::from(([203, 0, 113, 9], 1111));
    let client = Setup {
        token: token_for(other, TokenKind::Retry, server.config.token_key),
        ..Setup::default()
    };
    let mut wire = Wire::new(&client, server);
    let mut first = wire.up();
    first.truncate(1);
    wire.give_server(first);
    assert!(wire.server.peers.is_empty());
    let answer = wire.down();
    assert_eq!(answer.len(), 1);
    wire.give_client(answer);
    let info = wire.client.peer.connection.close_info();
    assert_eq!(info.map(|info| info.code), Some(0x0b));
}

/// A token that a server with this key would have given to `addr`.
fn token_for(addr: SocketAddr, kind: TokenKind, key: [u8; 32]) -> Vec<u8> {
    let claims = Claims {
        kind,
        version: Version::V1,
        issued: quic_core::common::Instant::from_nanos(900_000_000),
        original_dcid: quic_core::common::ConnectionId::EMPTY,
        retry_scid: quic_core::common::ConnectionId::EMPTY,
    };
    let mut token = [0; MAX_TOKEN_LEN];
    let len = TokenKey::new(key)
        .seal(&claims, addr, &mut SeedRng::new(1, 9), &mut token)
        .expect("a token");
    token[..len].to_vec()
}

/// Bytes that a server sends at once to a client that comes with a token for `addr`.
fn sent_for_token(addr: SocketAddr) -> usize {
    let mut server = Setup::default();
    server.shape.certificate = 20_000;
    let client = Setup {
        token: token_for(addr, TokenKind::NewToken, server.config.token_key),
        ..Setup::default()
    };
    let mut wire = Wire::new(&client, server);
    let mut first = wire.up();
    first.truncate(1);
    wire.give_server(first);
    wire.down().iter().map(|packet| packet.bytes.len()).sum()
}

#[test]
fn a_token_of_another_address_validates_nothing() {
    // RFC 9000 8.1.4 #5 test, RFC 9000 8.1.3 #15 test, RFC 9000 8.1.3 #16 test
    assert!(sent_for_token(forge::addr(Side::Client)) > 3 * 1200);
    let other = SocketAddr::from(([203, 0, 113, 9], 1111));
    assert!((1200..=3 * 1200).contains(&sent_for_token(other)));
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

/// Both sides with 0-RTT, which the server accepts or not.
fn early(accept: bool) -> (Setup, Setup) {
    let (mut client, mut server) = (Setup::default(), Setup::default());
    client.shape.early = true;
    client.plan.early = true;
    client.plan.streams = vec![(Dir::Bidi, 3_000)];
    client.remembered = Some(quic_sim::node::params());
    server.shape.early = true;
    server.shape.accept_early = accept;
    (client, server)
}

#[test]
fn early_packets_are_acknowledged_in_one_rtt_packets() {
    // RFC 9000 13.2.6 #3 test
    let (client, server) = early(true);
    let mut wire = Wire::new(&client, server);
    let first = wire.up();
    let has_early = |packet: &Packet| forge::levels(&packet.bytes).contains(&Level::Early);
    assert!(first.iter().any(has_early));
    wire.give_server(first);
    let flight = wire.down();
    // The client has sent nothing else that a 1-RTT packet could acknowledge.
    let kinds = flight
        .iter()
        .map(|p| forge::app_kinds(Side::Server, &p.bytes));
    assert!(kinds.flatten().any(|kind| kind == 0x02 || kind == 0x03));
}

#[test]
fn early_packets_that_are_rejected_are_not_looked_at() {
    // RFC 9001 4.6.2 #1 test
    let (client, server) = early(false);
    let mut wire = Wire::new(&client, server);
    let first = wire.up();
    wire.give_server(first);
    for _ in 0..3 {
        let _ = wire.down();
        let more = wire.up();
        wire.give_server(more);
        wire.tick();
    }
    assert_eq!(wire.server.peers[0].app.bytes(), 0);
    let (client, server) = early(true);
    let mut wire = Wire::new(&client, server);
    let first = wire.up();
    wire.give_server(first);
    let _ = wire.down();
    assert!(wire.server.peers[0].app.bytes() > 0);
}

#[test]
fn early_packets_are_opened_for_a_short_time_after_the_handshake() {
    // RFC 9001 4.9.3 #4 test
    for is_late in [false, true] {
        let (client, server) = early(true);
        let mut wire = Wire::new(&client, server);
        wire.exchange(4);
        let peer = &wire.server.peers[0];
        assert_eq!(peer.state(), State::Established);
        let client_id = wire.client.peer.ids[0].1;
        let server_id = peer.ids.iter().find(|(seq, _)| *seq == 0).expect("an id").1;
        if is_late {
            // Three times the PTO of a connection without an RTT sample.
            wire.now = wire.now.saturating_add(Duration::from_millis(3_100));
            wire.server.timeout(wire.now);
        }
        // A frame that ends the connection when it is seen.
        let packet =
            Forger::new(Side::Client, server_id, client_id).packet(Level::Early, &[0x21; 4]);
        let packet = Packet {
            src: forge::addr(Side::Client),
            dst: forge::addr(Side::Server),
            ecn: 0,
            bytes: packet,
        };
        wire.give_server(vec![packet]);
        assert_eq!(wire.server.peers[0].state().is_open(), is_late);
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
fn a_client_only_probes_a_preferred_address_that_does_not_answer() {
    // RFC 9000 9.6.2 #1 test, RFC 9000 21.5.3 #1 test, RFC 9000 9.6.3 #2 test,
    // RFC 9000 9.5 #3 test
    let mut client = Setup::default();
    client.plan.streams = vec![(Dir::Uni, 100_000)];
    for is_silent in [true, false] {
        let mut wire = Wire::new(&client, Setup::default());
        wire.server.preferred = vec![preferred()];
        wire.server.add_addr(preferred());
        let (mut there, mut elsewhere) = (HashSet::new(), HashSet::new());
        let (mut probes, mut last) = (0, None);
        for _ in 0..400 {
            let packets = wire.up();
            for packet in &packets {
                last = Some(packet.dst);
                if packet.bytes[0] & 0x80 != 0 {
                    continue;
                }
                let id = packet.bytes[1..9].to_vec();
                if packet.dst != preferred() {
                    elsewhere.insert(id);
                    continue;
                }
                there.insert(id);
                let kinds = forge::app_kinds(Side::Client, &packet.bytes);
                let is_probing = kinds.iter().all(|kind| [0x18, 0x1a, 0x1b].contains(kind));
                probes += u32::from(is_probing);
                assert!(is_probing || !is_silent, "{kinds:x?}");
            }
            let (to_new, to_old) = packets
                .into_iter()
                .partition(|packet| packet.dst == preferred());
            wire.give_server(to_old);
            if !is_silent {
                wire.give_server(to_new);
            }
            let packets = wire.down();
            wire.give_client(packets);
            wire.tick();
            if wire.now.as_nanos() > 10_000_000_000 {
                break;
            }
        }
        assert!(probes > 0);
        // One id leads to one address.
        assert!(there.is_disjoint(&elsewhere));
        let expected = if is_silent {
            forge::addr(Side::Server)
        } else {
            preferred()
        };
        assert_eq!(wire.client.peer.remote(), expected);
        assert_eq!(last, Some(expected));
        assert_eq!(wire.server.peers[0].app.bytes(), 100_000);
    }
}

#[test]
fn of_two_preferred_addresses_the_one_of_the_clients_family_is_tried() {
    // RFC 9000 9.6.3 #6 test
    let six = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 2], 4433));
    let mut wire = Wire::new(&Setup::default(), Setup::default());
    wire.server.preferred = vec![six, preferred()];
    for addr in [six, preferred()] {
        wire.server.add_addr(addr);
    }
    let mut seen = HashSet::new();
    for _ in 0..10 {
        let packets = wire.up();
        seen.extend(packets.iter().map(|packet| packet.dst));
        wire.give_server(packets);
        let packets = wire.down();
        wire.give_client(packets);
        wire.tick();
    }
    assert_eq!(wire.client.peer.remote(), preferred());
    assert!(!seen.contains(&six));
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
