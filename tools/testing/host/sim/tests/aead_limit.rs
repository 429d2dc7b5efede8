// SPDX-License-Identifier: GPL-2.0

//! Packets that do not open, until there were too many of them (RFC 9001 6.6).

mod forge;

use forge::Wire;
use quic_core::aead::Suite;
use quic_core::conn::State;
use quic_core::crypto::limits;
use quic_sim::net::Packet;
use quic_sim::node::Setup;

/// A Handshake packet to `dcid` that no key opens.
fn forged(dcid: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xe3, 0, 0, 0, 1, dcid.len() as u8];
    packet.extend(dcid);
    packet.push(0);
    packet.extend([0x40, 20]);
    packet.extend([0x5a; 20]);
    packet
}

// RFC 9001 6.6 #6 test, RFC 9001 6.6 #7 test
#[test]
fn handshake_packets_that_do_not_open_count_as_those_behind_them_do() {
    let mut server = Setup::default();
    server.shape.suite = Suite::Aes128Ccm;
    let mut wire = Wire::new(&server.clone(), server);
    let mut first = wire.up();
    let to_server = Packet {
        bytes: vec![],
        ..first[0].clone()
    };
    first.truncate(1);
    wire.give_server(first);
    let flight = wire.down();
    let (client, dcid) = forge::long_ids(&flight[0].bytes);
    let mut one = forged(&dcid);
    // From the id that the client has.
    let at = 6 + dcid.len();
    one.splice(at..=at, [&[client.len() as u8][..], &client].concat());
    let many = 65_000 / one.len();
    let bytes = one.repeat(many);
    let limit = limits::integrity(Suite::Aes128Ccm);
    for _ in 0..limit / many as u64 {
        let packet = Packet {
            bytes: bytes.clone(),
            ..to_server.clone()
        };
        wire.give_server(vec![packet]);
    }
    let peer = &wire.server.peers[0];
    assert_eq!(peer.state(), State::Establishing);
    let packet = Packet { bytes, ..to_server };
    wire.give_server(vec![packet]);
    let closed = wire.server.peers[0].connection.close_info();
    assert_eq!(closed.map(|info| info.code), Some(0x0f));
}
