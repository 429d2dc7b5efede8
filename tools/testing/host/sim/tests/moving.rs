// SPDX-License-Identifier: GPL-2.0

//! Paths that change under a packet that is being read, and what of the one left lingers on.

mod forge;

use std::net::SocketAddr;

use forge::Lab;
use quic_core::common::{
    ConnectionId,
    Reader,
    Side, //
};
use quic_core::frame::Frame;
use quic_sim::net::Packet;

const PATH_RESPONSE: u8 = 0x1b;

fn other(host: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, host], 1_000))
}

/// A packet that does more than probe, with enough bytes to be answered by a full datagram.
fn ping() -> Vec<u8> {
    [&[1][..], &[0; 600]].concat()
}

/// The data of the challenge that the server has sent to an address.
fn challenge(lab: &Lab, packets: &[Packet], to: SocketAddr) -> Vec<u8> {
    for packet in packets.iter().filter(|packet| packet.dst == to) {
        let payload = lab.open(Side::Server, &packet.bytes);
        let mut reader = Reader::new(&payload);
        while !reader.is_empty() {
            if let Ok(Frame::PathChallenge { data }) = Frame::parse(&mut reader) {
                return data.to_vec();
            }
        }
    }
    panic!("no challenge to {to}");
}

/// The ids that packets to an address go to.
fn ids_to(packets: &[Packet], to: SocketAddr) -> Vec<Vec<u8>> {
    let there = packets.iter().filter(|packet| packet.dst == to);
    there.map(|packet| packet.bytes[1..9].to_vec()).collect()
}

fn own_id(lab: &mut Lab, number: u64) -> ConnectionId {
    let ids = lab.ids(Side::Server);
    ids.iter().find(|(seq, _)| *seq == number).expect("an id").1
}

#[test]
fn an_answer_that_comes_by_the_path_left_is_no_move_back() {
    // RFC 9000 9.5 #3 test
    let mut lab = Lab::new(1);
    let home = forge::addr(Side::Client);
    let (first, second) = (own_id(&mut lab, 0), own_id(&mut lab, 1));
    lab.use_id(&second);
    lab.inject_from(other(5), &ping());
    let packets = lab.drive(Side::Server);
    let data = challenge(&lab, &packets, other(5));
    assert_eq!(lab.stats(Side::Server).migration_in, 1);
    // It validates the new path, and with that the old one is no path any more.
    lab.use_id(&first);
    lab.inject(Side::Client, &[&[PATH_RESPONSE][..], &data, &[1]].concat());
    assert_eq!(lab.stats(Side::Server).migration_in, 1);
    assert_eq!(lab.remote(Side::Server), other(5));
    // To the id that the old address has used it is no change under way, but a move: it gets an id of
    // its own.
    lab.inject(Side::Client, &ping());
    let packets = lab.drive(Side::Server);
    assert_eq!(lab.stats(Side::Server).migration_in, 2);
    let (new, old) = (ids_to(&packets, other(5)), ids_to(&packets, home));
    assert!(!new.is_empty() && !old.is_empty());
    assert!(old.iter().all(|id| !new.contains(id)), "{old:?} {new:?}");
}

#[test]
fn a_challenge_is_answered_on_its_path_or_not_at_all() {
    // RFC 9000 8.2.2 #3 test
    let mut lab = Lab::new(1);
    // The packet that asks takes all ids back but one, which the path in use gets.
    let ids = [&[0x18, 20, 20, 8][..], &[9; 8], &[7; 16]].concat();
    let frames = [&ids[..], &[0x1a], &[5; 8], &[0; 600]].concat();
    lab.inject_from(other(7), &frames);
    let packets = lab.drive(Side::Server);
    assert!(lab.state(Side::Server).is_open());
    assert!(packets.iter().all(|packet| packet.dst != other(7)));
    assert!(!packets.is_empty());
    for packet in &packets {
        let kinds = lab.kinds(Side::Server, packet);
        assert!(!kinds.contains(&PATH_RESPONSE.into()), "{kinds:?}");
    }
}

#[test]
fn the_spin_bit_begins_anew_with_an_id_that_the_user_has_chosen() {
    let mut seen = 0;
    for seed in 1..10 {
        let mut lab = Lab::new(seed);
        let bits = |lab: &mut Lab| {
            // What the server shows, the client does not.
            for _ in 0..2 {
                lab.inject(Side::Server, &[1, 0, 0, 0]);
            }
            let packets = lab.drive(Side::Client);
            assert!(!packets.is_empty());
            packets.iter().all(|packet| packet.bytes[0] & 0x20 != 0)
        };
        // One path of sixteen shows nothing but noise.
        if !(0..12).all(|_| bits(&mut lab)) {
            continue;
        }
        let result = lab.with(Side::Client, |peer, now| {
            peer.with(now, |connection, cx| connection.set_cids(cx, true, 1, 0))
        });
        assert_eq!(result, Ok(()));
        lab.open_stream(Side::Client);
        let packets = lab.drive(Side::Client);
        assert!(!packets.is_empty());
        assert!(packets.iter().all(|packet| packet.bytes[0] & 0x20 == 0));
        seen += 1;
    }
    assert!(seen > 5, "{seen} paths");
}

/// Lets the client move to an address and prove it.
fn move_to(lab: &mut Lab, to: SocketAddr) {
    lab.inject_from(to, &ping());
    let packets = lab.drive(Side::Server);
    let data = challenge(lab, &packets, to);
    lab.inject_from(to, &[&[PATH_RESPONSE][..], &data, &[1], &[0; 600]].concat());
}

/// The numbers of packets larger than all paths carry, and of all packets.
fn sent(lab: &mut Lab, packets: &[Packet]) -> (Vec<u64>, Vec<u64>) {
    let number = |packet: &Packet| lab.number(Side::Server, &packet.bytes, 0);
    let large = packets.iter().filter(|packet| packet.bytes.len() > 1200);
    (
        large.map(number).collect(),
        packets.iter().map(number).collect(),
    )
}

#[test]
fn a_probe_lost_on_the_path_left_is_no_failure_of_the_one_on_the_new() {
    let mut lab = Lab::new(1);
    move_to(&mut lab, other(1));
    let packets = lab.drive(Side::Server);
    let (probes, _) = sent(&mut lab, &packets);
    assert_eq!(probes.len(), 1, "{packets:?}");
    // The client moves on before its answer arrives.
    move_to(&mut lab, other(2));
    let mut numbers = vec![];
    for _ in 0..4 {
        lab.inject_from(other(2), &[1, 0, 0, 0]);
        lab.inject_from(other(2), &[1, 0, 0, 0]);
        let packets = lab.drive(Side::Server);
        numbers.push(sent(&mut lab, &packets));
    }
    let on_trial: Vec<u64> = numbers
        .iter()
        .flat_map(|(large, _)| large.clone())
        .collect();
    assert_eq!(on_trial.len(), 1, "{numbers:?}");
    // An acknowledgement from which the old one is lost, and which says nothing of the new one.
    let largest = on_trial[0] - 1;
    assert!(largest >= probes[0] + 3, "{numbers:?} {probes:?}");
    let lost = lab.info(Side::Server).packets_lost;
    let ack = [
        &[0x02][..],
        &(largest as u32 | 0x8000_0000).to_be_bytes(),
        &[0; 3],
    ]
    .concat();
    lab.inject_from(other(2), &ack);
    assert!(lab.info(Side::Server).packets_lost > lost);
    let packets = lab.drive(Side::Server);
    assert!(sent(&mut lab, &packets).0.is_empty());
}
