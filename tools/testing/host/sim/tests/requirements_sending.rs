// SPDX-License-Identifier: GPL-2.0

//! Rules about what an established connection sends, and which ids it holds: probes, pacing,
//! datagram sizes.

mod forge;

use std::net::SocketAddr;

use forge::{
    Lab,
    Wire, //
};
use quic_core::buf::Chunk;
use quic_core::common::{
    ConnectionId,
    Dir,
    Duration,
    Side, //
};
use quic_sim::forge::frame;
use quic_sim::net::Packet;
use quic_sim::node::Setup;
use quic_sim::world::Node;

const PING: u64 = 0x01;

/// The types of the frames of each packet of the server.
fn kinds(lab: &Lab, packets: &[Packet]) -> Vec<Vec<u64>> {
    let kinds = packets.iter().map(|p| lab.kinds(Side::Server, p));
    kinds.collect()
}

fn is_stream(kind: u64) -> bool {
    (0x08..=0x0f).contains(&kind)
}

/// A server with DATAGRAM frames in flight, which are never repeated.
fn with_datagrams(count: usize) -> Lab {
    let mut setup = Setup::default();
    setup.params.max_datagram_frame_size = 1_500;
    let mut lab = Lab::with_setup(1, setup);
    // Nothing else is in flight.
    for _ in 0..4 {
        for side in [Side::Client, Side::Server] {
            lab.expire_soon(side);
            for packet in lab.drive(side) {
                lab.deliver(side.peer(), packet.bytes);
            }
        }
    }
    assert_eq!(lab.info(Side::Server).bytes_in_flight, 0);
    lab.with(Side::Server, |peer, _| {
        for _ in 0..count {
            let chunk = Chunk::try_from_slice(&[0x5a; 1_000]).expect("memory");
            assert!(peer.connection.send_datagram(chunk).is_ok());
        }
    });
    lab
}

/// Lets the server's timers fire until it has sent something; returns that.
fn until_sent(lab: &mut Lab) -> Vec<Packet> {
    for _ in 0..20 {
        let packets = lab.drive(Side::Server);
        if !packets.is_empty() {
            return packets;
        }
        lab.expire(Side::Server);
    }
    panic!("nothing is sent");
}

/// Everything that pacing lets go one after the other, until the window is full.
fn fill_window(lab: &mut Lab) {
    let timeouts = lab.info(Side::Server).timeouts;
    for _ in 0..1_000 {
        let info = lab.info(Side::Server);
        if info.bytes_in_flight + u64::from(info.mtu) > info.cwnd {
            return;
        }
        if lab.drive(Side::Server).is_empty() {
            lab.expire(Side::Server);
        }
        assert_eq!(lab.info(Side::Server).timeouts, timeouts, "{info:?}");
    }
    panic!("the window is never full");
}

#[test]
fn a_probe_carries_new_data_when_nothing_is_to_be_repeated() {
    // RFC 9002 6.2.4 #5 test
    let mut lab = with_datagrams(100);
    fill_window(&mut lab);
    // The window is full: what is written now waits.
    lab.write(Side::Server, 50_000);
    assert!(lab.drive(Side::Server).is_empty());
    let timeouts = lab.info(Side::Server).timeouts;
    let probes = until_sent(&mut lab);
    assert_eq!(lab.info(Side::Server).timeouts, timeouts + 1);
    let kinds = kinds(&lab, &probes);
    // RFC 9002 6.2.4 #1: no more than two.
    assert!((1..=2).contains(&kinds.len()), "{kinds:x?}");
    let is_new = |kinds: &Vec<u64>| kinds.iter().any(|kind| is_stream(*kind) || *kind >= 0x30);
    assert!(kinds.iter().all(is_new), "{kinds:x?}");
}

#[test]
fn a_probe_without_data_is_a_ping() {
    // RFC 9002 6.2.4 #8 test
    let mut lab = with_datagrams(1);
    let sent = lab.drive(Side::Server);
    assert_eq!(sent.len(), 1);
    let armed = lab.deadline(Side::Server);
    let probes = until_sent(&mut lab);
    for kinds in kinds(&lab, &probes) {
        assert_eq!(kinds, [PING]);
    }
    // The timer is armed again, for later.
    assert!(lab.deadline(Side::Server) > armed);
}

#[test]
fn acknowledgements_do_not_wait_for_pacing() {
    // RFC 9002 7.7 #5 test
    let mut lab = Lab::new(1);
    lab.write(Side::Server, 60_000);
    let mut ack = vec![];
    for packet in lab.drive(Side::Server) {
        let pn = lab.number(Side::Server, &packet.bytes, 0);
        ack.extend(frame(&[0x02, pn, 0, 0, 0]));
    }
    lab.inject(Side::Client, &ack);
    lab.drive(Side::Server);
    // Data is left, the window is not full, and only pacing holds back.
    let info = lab.info(Side::Server);
    assert!(
        info.bytes_in_flight + u64::from(info.mtu) <= info.cwnd,
        "{info:?}"
    );
    let release = lab.deadline(Side::Server).expect("a deadline");
    assert!(release > lab.now());
    lab.inject(Side::Client, &[1]);
    lab.inject(Side::Client, &[1]);
    let packets = lab.drive(Side::Server);
    // With counts of ECN or without.
    assert!(
        matches!(kinds(&lab, &packets)[..], [ref kinds] if *kinds == [0x02] || *kinds == [0x03])
    );
    // The rest goes when its time comes.
    lab.expire(Side::Server);
    assert_eq!(lab.now(), release);
    let packets = lab.drive(Side::Server);
    assert!(kinds(&lab, &packets).concat().into_iter().any(is_stream));
}

#[test]
fn only_probes_are_larger_than_what_is_known_to_arrive() {
    // RFC 9000 14.2 #3 test
    let mut client = Setup::default();
    client.plan.streams = vec![(Dir::Uni, 300_000)];
    let mut wire = Wire::new(&client, Setup::default());
    let (mut probes, mut full) = (0, 0);
    for round in 0..400 {
        let known = usize::from(wire.client.peer.connection.info().mtu);
        let up = wire.up();
        let mut is_quiet = up.is_empty();
        for packet in up {
            let len = packet.bytes.len();
            let kinds = forge::app_kinds(Side::Client, &packet.bytes);
            if len > known {
                assert_eq!(kinds, [PING], "{len} bytes in round {round}");
                probes += 1;
            }
            full += u32::from(len == known && len > 1_200);
            // A path of 1300 bytes.
            if len <= 1_300 {
                wire.give_server(vec![packet]);
            }
        }
        let down = wire.down();
        is_quiet &= down.is_empty();
        wire.give_client(down);
        if is_quiet {
            // A search that is complete leaves nothing to wait for but the end of idleness.
            let next = wire.client.next_timeout().map(|at| at.since(wire.now));
            let is_complete = next > Some(Duration::from_secs(5));
            if is_complete && full > 0 {
                break;
            }
            if is_complete {
                wire.client.peer.app.plan.streams.push((Dir::Uni, 100_000));
                continue;
            }
            wire.tick();
        }
    }
    let known = wire.client.peer.connection.info().mtu;
    assert!((1_284..=1_300).contains(&known), "{known}");
    assert!(probes > 3 && full > 10, "{probes} {full}");
}

#[test]
fn ids_of_a_path_that_was_left_are_given_back() {
    // RFC 9000 5.1.2 #1 test
    let mut wire = Wire::new(&Setup::default(), Setup::default());
    wire.exchange(6);
    let other = SocketAddr::from(([192, 0, 2, 7], 7_777));
    wire.client.add_addr(other);
    let now = wire.now;
    let moved = wire
        .client
        .peer
        .with(now, |connection, cx| connection.migrate(cx, other));
    assert_eq!(moved, Ok(()));
    for _ in 0..10 {
        wire.exchange(3);
        wire.tick();
    }
    let client = &wire.client.peer.connection;
    let server = &wire.server.peers[0].connection;
    assert_eq!(client.path().local, other);
    assert_eq!(server.path().remote, other);
    // Either side sends to another id now, and neither keeps the old one of the other.
    for (sender, issuer) in [(client, server), (server, client)] {
        let (active, first) = sender.cid_info(true);
        assert!(active > 0 && first > 0, "{active} {first}");
        let (_, issued) = issuer.cid_info(false);
        assert!(issued > 0);
    }
}

#[test]
fn a_packet_to_an_id_of_a_connection_provokes_no_stateless_reset() {
    // RFC 9000 21.11 #2 test
    let mut wire = Wire::new(&Setup::default(), Setup::default());
    let first = wire.up();
    // The client's own choice, which it has no use for any more.
    let original = forge::long_ids(&first[0].bytes).0;
    wire.give_server(first);
    wire.exchange(6);
    let mut ids: Vec<ConnectionId> = wire.server.peers[0].ids.iter().map(|(_, id)| *id).collect();
    ids.retain(|id| id.as_slice() != original);
    assert!(ids.len() >= 7, "{}", ids.len());
    let unknown = ConnectionId::new(&[0x99; 8]).expect("length");
    for (index, id) in ids.iter().chain([&unknown]).enumerate() {
        let bytes = [&[0x41][..], id.as_slice(), &[0x5a; 100]].concat();
        wire.give_server(vec![Packet {
            src: SocketAddr::from(([203, 0, 113, 5], 5)),
            dst: forge::addr(Side::Server),
            ecn: 0,
            bytes,
        }]);
        let answers = wire.down();
        let is_unknown = index == ids.len();
        assert_eq!(answers.is_empty(), !is_unknown, "{index}");
    }
    assert_eq!(wire.server.stats.stateless_reset_out, 1);
}
