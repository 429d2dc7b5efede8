// SPDX-License-Identifier: GPL-2.0

//! Rules about addresses, and about a server before its handshake is complete.

mod forge;

use std::net::SocketAddr;

use forge::Lab;
use quic_core::common::error::Error;
use quic_core::common::{
    Level,
    Side, //
};
use quic_core::conn::State;
use quic_sim::net::Packet;
use quic_sim::node::Setup;
use quic_sim::world::Node;

fn other(port: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 9], port))
}

/// The data of the challenges in packets of the server.
fn challenges(lab: &Lab, packets: &[Packet]) -> Vec<(SocketAddr, usize, Vec<u8>)> {
    let mut found = vec![];
    for packet in packets {
        let payload = lab.open(Side::Server, &packet.bytes);
        let mut reader = quic_core::common::Reader::new(&payload);
        while let Ok(frame) = quic_core::frame::Frame::parse(&mut reader) {
            if let quic_core::frame::Frame::PathChallenge { data } = frame {
                found.push((packet.dst, packet.bytes.len(), data.to_vec()));
            }
            if reader.is_empty() {
                break;
            }
        }
    }
    found
}

#[test]
fn a_server_answers_where_its_client_is_and_tries_both_paths() {
    // RFC 9000 9.3 #1 test, RFC 9000 9.3 #2 test, RFC 9000 9.3.3 #1 test, RFC 9000 9 #4 test,
    // RFC 9000 8.2.1 #4 test, RFC 9000 8.2.1 #5 test
    let mut lab = Lab::new(1);
    // Enough bytes that the anti-amplification limit permits a full datagram.
    let payload = [&[1][..], &[0; 600]].concat();
    lab.inject_from(other(5), &payload);
    let mut packets = lab.drive(Side::Server);
    assert!(packets.iter().any(|packet| packet.dst == other(5)));
    let mut found = challenges(&lab, &packets);
    assert!(found.iter().any(|(dst, ..)| *dst == other(5)), "{found:?}");
    assert!(found
        .iter()
        .any(|(dst, ..)| *dst == forge::addr(Side::Client)));
    // Each fills a datagram, as long as the anti-amplification limit of the new path permits.
    assert!(found.iter().all(|(_, len, _)| *len >= 1200));
    // No two challenges are the same.
    for _ in 0..3 {
        lab.expire(Side::Server);
        packets = lab.drive(Side::Server);
        found.extend(challenges(&lab, &packets));
    }
    assert!(found.len() >= 4);
    for (at, (_, _, data)) in found.iter().enumerate() {
        assert!(found[..at].iter().all(|(.., earlier)| earlier != data));
    }
    // Whatever else is said goes to the new address.
    lab.inject_from(other(5), &[1, 0, 0, 0]);
    let packets = lab.drive(Side::Server);
    let validating = challenges(&lab, &packets);
    for packet in &packets {
        let is_challenge = validating.iter().any(|(dst, ..)| *dst == packet.dst);
        assert!(packet.dst == other(5) || is_challenge);
    }
}

#[test]
fn a_new_address_gets_no_more_than_three_times_what_it_sent() {
    // RFC 9000 8 #1 test, RFC 9000 8.1 #3 test, RFC 9000 8.2.2 #6 test
    let mut lab = Lab::new(1);
    lab.inject_from(other(6), &[1, 0, 0, 0]);
    let received = 13 + 4 + 16;
    let mut sent = 0;
    for _ in 0..10 {
        let packets = lab.drive(Side::Server);
        let there = packets.iter().filter(|packet| packet.dst == other(6));
        sent += there.map(|packet| packet.bytes.len()).sum::<usize>();
        if !lab.expire(Side::Server) {
            break;
        }
    }
    assert!(sent <= 3 * received, "{sent} bytes for {received}");
}

#[test]
fn a_server_does_not_move_while_it_does_not_know_where_its_client_is() {
    // RFC 9000 8 #1 test
    let mut lab = Lab::new(1);
    let local = SocketAddr::from(([198, 51, 100, 9], 443));
    lab.inject_from(other(5), &[1, 0, 0, 0]);
    lab.drive(Side::Server);
    assert_eq!(lab.migrate(Side::Server, local), Err(Error::Busy));
    assert!(lab.drive(Side::Server).is_empty());
    // The client is back, at its validated address.
    lab.inject(Side::Client, &[1, 0, 0, 0]);
    lab.drive(Side::Server);
    assert_eq!(lab.migrate(Side::Server, local), Ok(()));
}

#[test]
fn a_probing_packet_moves_nobody() {
    // RFC 9000 9.3 #1 test
    let mut lab = Lab::new(1);
    lab.inject_from(other(7), &[&[0x1a][..], &[5; 8], &[0; 600]].concat());
    let packets = lab.drive(Side::Server);
    // The answer goes back where the challenge came from, everything else to the old address.
    assert!(packets.iter().any(|packet| packet.dst == other(7)));
    lab.inject(Side::Client, &[1, 0, 0, 0]);
    lab.inject(Side::Client, &[1, 0, 0, 0]);
    let packets = lab.drive(Side::Server);
    assert!(!packets.is_empty());
    assert!(packets
        .iter()
        .all(|packet| packet.dst == forge::addr(Side::Client)));
}

#[test]
fn a_client_hears_only_addresses_it_has_chosen() {
    // RFC 9000 9 #7 test, RFC 9000 9.6 #1 test
    let mut lab = Lab::new(1);
    let before = lab.opened(Side::Client);
    lab.inject_to_client_from(other(8), &[0x21, 0, 0, 0]);
    assert_eq!(lab.opened(Side::Client), before);
    assert!(lab.state(Side::Client).is_open());
    lab.inject(Side::Server, &[0x21, 0, 0, 0]);
    assert!(!lab.state(Side::Client).is_open());
}

#[test]
fn a_challenge_behind_the_answer_that_makes_the_path_the_one_in_use_is_answered() {
    // RFC 9000 8.2.2 #1 test, RFC 9000 8.2.2 #3 test
    let mut lab = Lab::new(1);
    assert_eq!(lab.migrate(Side::Client, other(9)), Ok(()));
    let probes = lab.drive(Side::Client);
    let probe = probes.iter().find(|packet| packet.src == other(9)).unwrap();
    let payload = lab.open(Side::Client, &probe.bytes);
    let at = payload.iter().position(|byte| *byte == 0x1a).unwrap();
    let frames = [
        &[0x1b][..],
        &payload[at + 1..at + 9],
        &[0x1a],
        &[7; 8],
        &[0; 1150],
    ]
    .concat();
    let bytes = lab.forge(Side::Server, 0x43, &frames);
    let packet = Packet {
        src: forge::addr(Side::Server),
        dst: other(9),
        ecn: 0,
        bytes,
    };
    lab.with(Side::Client, |peer, now| peer.receive(now, &packet));
    let packets = lab.drive(Side::Client);
    assert!(packets.iter().all(|packet| packet.src == other(9)));
    let answers = packets.iter().any(|packet| {
        packet.bytes.len() >= 1200 && lab.kinds(Side::Client, packet).contains(&0x1b)
    });
    assert!(answers, "{} packets", packets.len());
}

#[test]
fn nobody_moves_before_the_handshake_is_confirmed() {
    // RFC 9000 9 #1 test
    let (mut client, now) = forge::fresh_client(1);
    let moved = client.with(now, |connection, cx| connection.migrate(cx, other(9)));
    assert_eq!(moved, Err(Error::NotConnected));
}

/// A server that has got the first datagram of a client, with that datagram and its answers.
fn half_open(certificate: usize) -> (quic_sim::node::Server, Vec<u8>, Vec<Packet>) {
    let mut setup = Setup::default();
    setup.shape.certificate = certificate;
    let mut server = forge::fresh_server(setup);
    let (_, now) = forge::fresh_client(1);
    let first = forge::first_flight(1).remove(0);
    let bytes = first.bytes.clone();
    server.receive(now, first);
    let packets = server.drive(now);
    let packets = packets.into_iter().map(|(_, packet)| packet).collect();
    (server, bytes, packets)
}

#[test]
fn before_validation_a_server_sends_three_times_what_it_got_in_full_datagrams() {
    // RFC 9000 8 #1 test, RFC 9000 8.1 #2 test, RFC 9000 8.1 #3 test, RFC 9000 14.1 #2 test,
    // RFC 9000 14.1 #6 test, RFC 9000 7.2 #5 test, RFC 9000 17.2.2 #1 test,
    // RFC 9000 12.2 #4 test
    let (_, initial, packets) = half_open(20_000);
    let sent: usize = packets.iter().map(|packet| packet.bytes.len()).sum();
    assert!(sent > initial.len() && sent <= 3 * initial.len());
    let client_id = forge::long_ids(&initial).1;
    let first = &packets[0].bytes;
    assert!(first.len() >= 1200);
    assert_eq!(forge::long_ids(first).0, client_id);
    // The token length behind the ids is zero.
    let ids = forge::long_ids(first);
    assert_eq!(first[7 + ids.0.len() + ids.1.len()], 0);
    // Every packet of every datagram goes to the same id.
    for packet in &packets {
        let mut rest = &packet.bytes[..];
        while let Ok(quic_core::packet::Packet::Protected(header)) =
            quic_core::packet::Packet::parse_first(rest, client_id.len())
        {
            assert_eq!(header.dcid.as_slice(), client_id);
            rest = &rest[header.len..];
        }
        assert!(rest.is_empty());
    }
}

#[test]
fn one_rtt_packets_wait_for_the_end_of_the_handshake() {
    // RFC 9001 5.7 #1 test, RFC 9001 5.7 #2 test
    let (mut server, _, packets) = half_open(20_000);
    let dcid = forge::long_ids(&packets[0].bytes).1;
    let (_, now) = forge::fresh_client(1);
    let opened = server.peers[0].stats.pkt_in;
    // HANDSHAKE_DONE from a client would end the connection at once.
    let bytes = forge::short_packet(&dcid, &[0x1e, 0, 0, 0]);
    let packet = Packet {
        src: forge::addr(Side::Client),
        dst: forge::addr(Side::Server),
        ecn: 0,
        bytes,
    };
    server.receive(now, packet);
    server.drive(now);
    assert_eq!(server.peers[0].state(), State::Establishing);
    assert_eq!(server.peers[0].stats.pkt_in, opened);
}

#[test]
fn a_packet_that_does_not_open_does_not_stop_those_behind_it() {
    // RFC 9000 12.2 #1 test, RFC 9000 12.2 #5 test, RFC 9000 12.2 #6 test, RFC 9000 12.2 #7 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let initial = &first[0].1.bytes;
    let mut broken = forge::numbered_initial(initial, 0, 0x66, b"", &[1]);
    *broken.last_mut().unwrap() ^= 1;
    let close = forge::numbered_initial(initial, 1, 0x66, b"", &[0x1c, 0x0a, 0, 0]);
    // A packet to another id behind the first is not looked at.
    let mut foreign = close.clone();
    foreign[6] ^= 1;
    let both = [&broken[..], &foreign].concat();
    client.receive(now, &forge::packet_to_client(both));
    assert!(client.state().is_open());
    let both = [broken, close].concat();
    client.receive(now, &forge::packet_to_client(both));
    assert!(!client.state().is_open());
}

#[test]
fn a_close_before_keys_are_sure_is_said_at_every_level() {
    // RFC 9000 10.2.3 #1 test, RFC 9000 10.2.3 #3 test, RFC 9000 10.2.3 #4 test,
    // RFC 9000 10.2.3 #5 test
    let (mut server, _, packets) = half_open(500);
    let (_, now) = forge::fresh_client(1);
    assert!(!packets.is_empty());
    server.peers[0].with(now, |connection, cx| {
        connection.close(cx, true, 99, b"secret");
    });
    // An application's reason is not told in packets that anyone can open.
    let close = server.drive(now);
    assert_eq!(close.len(), 1);
    let levels = forge::levels(&close[0].1.bytes);
    assert!(
        levels.starts_with(&[Level::Initial, Level::Handshake]),
        "{levels:?}"
    );
    for (_, packet) in close {
        assert!(!packet.bytes.windows(6).any(|part| part == b"secret"));
    }
    let mut lab = Lab::new(1);
    lab.inject(Side::Client, &[0x21]);
    let close = lab.drive(Side::Server);
    assert_eq!(close.len(), 1);
    let payload = lab.open(Side::Server, &close[0].bytes);
    assert_eq!(payload[..2], [0x1c, 0x07]);
}

#[test]
fn a_closing_endpoint_sends_nothing_but_its_close() {
    // RFC 9000 10.2.1 #1 test
    let mut lab = Lab::new(1);
    lab.inject(Side::Client, &[0x21]);
    assert_eq!(lab.drive(Side::Server).len(), 1);
    let mut sent = 0;
    for _ in 0..64 {
        lab.inject(Side::Client, &[1, 0, 0, 0]);
        for packet in lab.drive(Side::Server) {
            assert_eq!(lab.open(Side::Server, &packet.bytes)[0], 0x1c);
            sent += 1;
        }
    }
    assert!((1..8).contains(&sent), "{sent} closes for 64 packets");
}

#[test]
fn a_client_with_a_new_id_is_never_answered_with_the_old_one() {
    // RFC 9000 9.5 #3 test
    let mut setup = Setup::default();
    // One id beside the one in use, for each side.
    setup.params.active_connection_id_limit = 2;
    let mut lab = Lab::with_setup(1, setup);
    lab.drive(Side::Server);
    let at = |host| SocketAddr::from(([203, 0, 113, host], 1_000));
    let ids = lab.ids(Side::Server);
    let id = |n: u64| ids.iter().find(|(seq, _)| *seq == n).expect("an id").1;
    // The server's only spare id goes to the first address; nothing retires the one before.
    lab.use_id(&id(1));
    let ping = [&[1][..], &[0; 600]].concat();
    lab.inject_from(at(1), &ping);
    lab.drive(Side::Server);
    lab.use_id(&id(0));
    for _ in 0..3 {
        lab.inject_from(at(2), &ping);
        let packets = lab.drive(Side::Server);
        assert!(packets.iter().all(|p| p.dst != at(2)), "{packets:?}");
    }
    assert_eq!(lab.state(Side::Server), State::Established);
}
