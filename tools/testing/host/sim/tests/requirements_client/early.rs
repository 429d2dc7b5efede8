// SPDX-License-Identifier: GPL-2.0

//! 0-RTT: what a server acknowledges, rejects and opens late.

use super::*;

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
