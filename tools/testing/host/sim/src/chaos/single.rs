// SPDX-License-Identifier: GPL-2.0

//! One decoder of a connection at a time, with the connection around it.

use quic_core::common::id::{
    ConnectionId,
    Level,
    Side,
    Version, //
};
use quic_core::common::time::Instant;
use quic_core::conn::event::CloseKind;
use quic_core::conn::State;
use quic_core::packet::Packet as Parsed;

use crate::forge::{
    varint,
    Forger, //
};
use crate::net::Packet;
use crate::node::{
    Client,
    Server,
    Setup, //
};
use crate::pair::{
    client_addr,
    server_addr, //
};
use crate::peer::Peer;
use crate::world::Node;

/// Length of the connection ids of the core.
const CID: usize = 8;

/// A client and a server that have connected without loss or delay.
fn connected(client: &Setup, server: Setup) -> (Client, Server, Instant) {
    let now = Instant::from_nanos(1_000_000_000);
    let made = Client::new(now, 1, client_addr(), server_addr(), client);
    let mut client = made.expect("a client's connection");
    let mut server = Server::new(1, server_addr(), server);
    for _ in 0..20 {
        for (_, packet) in client.drive(now) {
            server.receive(now, packet);
        }
        for (_, packet) in server.drive(now) {
            client.receive(now, packet);
        }
    }
    assert_eq!(client.peer.state(), State::Established);
    (client, server, now)
}

fn to(side: Side, bytes: Vec<u8>) -> Packet {
    let (src, dst) = match side {
        Side::Client => (server_addr(), client_addr()),
        Side::Server => (client_addr(), server_addr()),
    };
    Packet {
        src,
        dst,
        ecn: 0,
        bytes,
    }
}

fn id(peer: &Peer) -> ConnectionId {
    peer.ids.last().expect("an id").1
}

/// Whatever arrived: the connection is open, or ended by an error that it tells the peer.
fn check(peer: &mut Peer, now: Instant) {
    let sent = peer.drive(now, &mut |_| {});
    match peer.connection.close_info() {
        None => assert!(peer.state().is_open()),
        Some(info) if info.kind == CloseKind::LocalTransport => {
            assert!(info.code != 0 && !sent.is_empty(), "{info:?}");
        }
        Some(_) => assert!(sent.is_empty()),
    }
}

/// The payload of a 1-RTT packet, at either end: the first byte chooses.
pub fn payload(input: &[u8]) {
    let Some((choice, payload)) = input.split_first() else {
        return;
    };
    let mut setup = Setup::default();
    setup.plan.unchecked = true;
    if choice & 2 != 0 {
        setup.params.max_datagram_frame_size = 1_400;
    }
    let (mut client, mut server, now) = connected(&setup, setup.clone());
    let payload = &payload[..payload.len().min(1_400)];
    let (victim, other) = match choice & 1 {
        0 => (&mut server.peers[0], &client.peer),
        _ => (&mut client.peer, &server.peers[0]),
    };
    let side = victim.connection.side();
    let mut forger = Forger::new(side.peer(), id(victim), id(other));
    let packet = to(side, forger.packet(Level::App, payload));
    victim.receive(now, &packet);
    check(victim, now);
}

/// Handshake messages after the handshake, at a client: the first byte chooses the size of the
/// pieces they arrive in.
pub fn ticket(input: &[u8]) {
    let Some((choice, messages)) = input.split_first() else {
        return;
    };
    let mut setup = Setup::default();
    setup.shape.ticket = 0;
    let (mut client, server, now) = connected(&setup, setup.clone());
    let mut forger = Forger::new(Side::Server, id(&client.peer), id(&server.peers[0]));
    let mut offset = 0u64;
    for piece in messages.chunks(1 + usize::from(*choice) * 4) {
        let mut frame = vec![0x06];
        frame.extend(varint(offset));
        frame.extend(varint(piece.len() as u64));
        frame.extend(piece);
        offset += piece.len() as u64;
        let packet = to(Side::Client, forger.packet(Level::App, &frame));
        client.receive(now, packet);
    }
    let ticket = client.peer.connection.session_ticket();
    // A NewSessionTicket, as it came.
    assert!(ticket.is_empty() || ticket[0] == 4);
    let is_sent = |part: &[u8]| part == ticket;
    assert!(ticket.is_empty() || messages.windows(ticket.len()).any(is_sent));
    check(&mut client.peer, now);
}

/// A packet without protection to a client that has sent its first one: Version Negotiation, a
/// Retry whose tag is right, or something that is neither.
pub fn unprotected(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else {
        return;
    };
    let now = Instant::from_nanos(1_000_000_000);
    let setup = Setup::default();
    let made = Client::new(now, 1, client_addr(), server_addr(), &setup);
    let mut client = made.expect("a client's connection");
    let first = client.drive(now);
    let Ok(Parsed::Protected(header)) = Parsed::parse_first(&first[0].1.bytes, CID) else {
        panic!("a client begins with an Initial packet");
    };
    let mut packet = vec![0x80 | choice];
    let version = if choice & 1 == 0 { 0 } else { Version::V1.0 };
    packet.extend(version.to_be_bytes());
    packet.push(CID as u8);
    packet.extend(header.scid.as_slice());
    if choice & 2 == 0 {
        packet.push(header.dcid.len() as u8);
        packet.extend(header.dcid.as_slice());
    }
    packet.extend(rest);
    if choice & 0x31 == 0x31 {
        let tag = quic_core::crypto::retry_tag(Version::V1, &header.dcid, &packet);
        packet.extend(tag.expect("a tag"));
    }
    client.receive(now, to(Side::Client, packet));
    let stats = client.peer.stats;
    assert!(stats.retry_in + stats.version_negotiation_in <= 1);
    match client.peer.connection.close_info() {
        None => assert!(client.peer.state().is_open()),
        Some(info) => assert_eq!(info.kind, CloseKind::VersionNegotiation),
    }
    // A Retry is answered with its token, a negotiation with another first packet.
    let again = client.drive(now);
    let is_new = stats.retry_in + stats.version_negotiation_in == 1;
    assert!(again.is_empty() != is_new || !client.peer.state().is_open());
}
