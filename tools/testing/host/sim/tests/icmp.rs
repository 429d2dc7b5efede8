// SPDX-License-Identifier: GPL-2.0

//! ICMP messages about packets that did not fit, true ones and forged ones.

mod forge;

use quic_core::common::{
    Dir,
    Duration,
    Side, //
};
use quic_core::conn::{
    too_big::destination,
    PacketTooBig,
    PathAddr, //
};
use quic_sim::net::{
    Link,
    Packet,
    Way, //
};
use quic_sim::node::Setup;
use quic_sim::pair::Pair;

/// A path that carries what the device does, and a client in the middle of a transfer over it.
fn busy(bytes: u64) -> Pair {
    let mut client = Setup::default();
    client.plan.streams = vec![(Dir::Uni, bytes)];
    let link = Link::bottleneck(10, 1_000_000);
    let mut pair = Pair::new(1, link, &client, Setup::default());
    assert!(pair.connect(10));
    pair.wait(Duration::from_millis(300));
    assert_eq!(mtu(&pair), 1452);
    pair
}

fn mtu(pair: &Pair) -> u32 {
    let info = pair.client.borrow().peer.connection.info();
    info.mtu.into()
}

/// What a router says about a packet of the client's.
fn message(packet: &Packet, max_payload: u16, quote: usize) -> PacketTooBig<'_> {
    PacketTooBig {
        path: PathAddr {
            local: packet.src,
            remote: packet.dst,
        },
        max_payload,
        payload: packet.bytes.len() as u16,
        quoted: &packet.bytes[..quote],
    }
}

fn tell(pair: &Pair, message: &PacketTooBig<'_>) -> bool {
    let mut client = pair.client.borrow_mut();
    client.peer.connection.handle_packet_too_big(message)
}

#[test]
fn a_path_that_shrinks_costs_one_window_when_a_router_says_so() {
    // RFC 9000 14.2.1 #3 test, RFC 8899 4.6.2 #1 test, RFC 8899 4.6.2 #4 test,
    // RFC 8899 3 #18 test
    let mut pair = busy(2_000_000);
    pair.world.net.link(Way::Up).mtu = 1300;
    pair.wait(Duration::from_millis(15));
    let packet = pair.world.net.take_misfit(Way::Up).expect("a large packet");
    let window = pair.client.borrow().peer.connection.info().cwnd;
    assert!(tell(&pair, &message(&packet, 1300, 40)));
    assert_eq!(mtu(&pair), 1200);
    assert!(pair.client.borrow().peer.connection.info().cwnd <= window);
    pair.wait(Duration::from_millis(500));
    // The size that the router named was tried and found good, at once.
    assert_eq!(mtu(&pair), 1300);
    let misfits = pair.world.net.counts(Way::Up).too_big;
    assert!(pair.transfer(60, 1, 0), "{}", pair.describe());
    assert_eq!(pair.world.net.counts(Way::Up).too_big, misfits);
}

#[test]
fn a_message_counts_only_if_it_quotes_a_packet_of_the_connection() {
    // RFC 9000 14.2.1 #2 test, RFC 9000 14.2.1 #3 test, RFC 9000 14.2.1 #4 test,
    // RFC 9000 14.2.1 #5 test, RFC 8899 3 #11 test, RFC 8899 4.6.1 #2 test,
    // RFC 8899 4.6.1 #3 test, RFC 8899 4.6.1 #4 test, RFC 8899 4.6.1 #5 test, RFC 8899 8 #2 test,
    // RFC 8899 8 #3 test
    let mut pair = busy(2_000_000);
    pair.world.net.link(Way::Up).mtu = 1300;
    pair.wait(Duration::from_millis(15));
    let packet = pair.world.net.take_misfit(Way::Up).expect("a large packet");
    let good = message(&packet, 1300, 40);
    let mut forged = packet.clone();
    // One bit of the connection id.
    forged.bytes[4] ^= 1;
    let mut ignored = vec![
        message(&forged, 1300, 40),
        // Nothing of the id, or not all of it, is quoted.
        message(&packet, 1300, 0),
        message(&packet, 1300, 8),
        // The packet fits what the message says.
        PacketTooBig {
            payload: 1300,
            ..good
        },
    ];
    for (local, remote) in [(1, 0), (0, 1)] {
        let mut path = good.path;
        path.local.set_port(path.local.port() + local);
        path.remote.set_port(path.remote.port() + remote);
        ignored.push(PacketTooBig { path, ..good });
    }
    let mut path = good.path;
    path.remote.set_ip([203, 0, 113, 77].into());
    ignored.push(PacketTooBig { path, ..good });
    for (nr, message) in ignored.iter().enumerate() {
        assert!(!tell(&pair, message), "message {nr}");
        assert_eq!(mtu(&pair), 1452, "message {nr}");
    }
    assert!(tell(&pair, &good));
    assert_eq!(mtu(&pair), 1200);
}

#[test]
fn what_a_message_quotes_names_the_connection_while_it_can_have_an_effect() {
    let (client, _) = forge::fresh_client(1);
    assert_eq!(client.connection.quotable(), None);
    let mut pair = busy(2_000_000);
    pair.world.net.link(Way::Up).mtu = 1300;
    pair.wait(Duration::from_millis(15));
    let packet = pair.world.net.take_misfit(Way::Up).expect("a large packet");
    let quotable = || pair.client.borrow().peer.connection.quotable();
    let (port, remote, id) = quotable().expect("the size of datagrams is looked for");
    assert_eq!(port, packet.src.port());
    assert_eq!(remote, packet.dst);
    assert_eq!(destination(&packet.bytes, id.len()), Some(id.as_slice()));
}

#[test]
fn a_size_below_the_minimum_or_above_what_was_sent_is_ignored() {
    // RFC 9000 14.2.1 #1 test, RFC 9000 14.2.1 #6 test, RFC 8899 3 #12 test, RFC 8899 3 #13 test
    let mut pair = busy(2_000_000);
    pair.world.net.link(Way::Up).mtu = 1300;
    pair.wait(Duration::from_millis(15));
    let packet = pair.world.net.take_misfit(Way::Up).expect("a large packet");
    for size in [0, 68, 576, 1199, 1452, 9000] {
        let _ = tell(&pair, &message(&packet, size, 40));
        assert_eq!(mtu(&pair), 1452, "{size}");
    }
}

#[test]
fn long_headers_are_recognised_and_lead_below_no_minimum() {
    // RFC 9000 14.2.1 #1 test, RFC 9000 14.2.1 #4 test
    let first = forge::first_flight(1).remove(0);
    let (mut client, _) = forge::fresh_client(1);
    let mut told = message(&first, 1190, 40);
    assert!(client.connection.handle_packet_too_big(&told));
    assert_eq!(client.connection.info().mtu, 1200);
    told.quoted = &first.bytes[..13];
    assert!(!client.connection.handle_packet_too_big(&told));
    told.path.remote = forge::addr(Side::Client);
    told.quoted = &first.bytes;
    assert!(!client.connection.handle_packet_too_big(&told));
}
