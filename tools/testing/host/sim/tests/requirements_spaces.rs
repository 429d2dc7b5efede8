// SPDX-License-Identifier: GPL-2.0

//! Rules about packet number spaces: what is acknowledged where and when, and what becomes of 0-RTT.

mod forge;

use forge::{
    Opened,
    Wire, //
};
use quic_core::common::{
    Dir,
    Duration,
    ErrorCode,
    Level,
    Reader,
    Side, //
};
use quic_core::conn::State;
use quic_core::frame::Frame;
use quic_sim::forge::{
    frame,
    Forger, //
};
use quic_sim::net::Packet;
use quic_sim::node::Setup;

/// The packets of datagrams of `sender`, of a connection that began with `original`.
fn opened(sender: Side, original: &[u8], datagrams: &[Packet]) -> Vec<Opened> {
    let packets = datagrams
        .iter()
        .flat_map(|datagram| forge::packets(sender, original, &datagram.bytes));
    packets.collect()
}

/// The numbers that the ACK frames of a payload name, and the delay as it is on the wire.
fn acks(payload: &[u8]) -> Vec<(Vec<u64>, u64)> {
    let mut reader = Reader::new(payload);
    let mut found = vec![];
    while !reader.is_empty() {
        if let Frame::Ack(ack) = Frame::parse(&mut reader).expect("a frame") {
            found.push((ack.ranges().flatten().collect(), ack.delay));
        }
    }
    found
}

#[test]
fn acknowledgements_stay_in_the_space_of_what_they_acknowledge() {
    // RFC 9000 13.2.6 #1 test
    // A ClientHello of three packets, a certificate of many: no space has as many as another.
    let (mut client, mut server) = (Setup::default(), Setup::default());
    client.shape.hello = 3_000;
    client.plan.streams = vec![(Dir::Bidi, 20_000)];
    server.shape.certificate = 9_000;
    let mut wire = Wire::new(&client, server);
    let mut original = vec![];
    let mut sent: [Vec<(Level, u64)>; 2] = [vec![], vec![]];
    let mut acked: [Vec<(Level, u64)>; 2] = [vec![], vec![]];
    for _ in 0..20 {
        for (index, side) in [Side::Client, Side::Server].into_iter().enumerate() {
            let datagrams = match side {
                Side::Client => wire.up(),
                Side::Server => wire.down(),
            };
            if original.is_empty() {
                original = forge::long_ids(&datagrams[0].bytes).0;
            }
            for packet in opened(side, &original, &datagrams) {
                sent[index].push((packet.level, packet.pn));
                for (numbers, _) in acks(&packet.payload) {
                    acked[index].extend(numbers.into_iter().map(|pn| (packet.level, pn)));
                }
            }
            match side {
                Side::Client => wire.give_server(datagrams),
                Side::Server => wire.give_client(datagrams),
            }
        }
    }
    assert_eq!(wire.server.peers[0].app.bytes(), 20_000);
    for index in [0, 1] {
        for level in [Level::Initial, Level::Handshake, Level::App] {
            // A server has no Handshake keys any more when it has read the Finished.
            let is_gone = index == 1 && level == Level::Handshake;
            let has_any = acked[index].iter().any(|(other, _)| *other == level);
            assert!(has_any || is_gone, "{index} {level:?}");
        }
        // Nothing is named that the other side has not sent at the level.
        for ack in &acked[index] {
            assert!(sent[1 - index].contains(ack), "{index}: {ack:?}");
        }
    }
}

#[test]
fn the_wait_for_keys_counts_into_the_delay_of_an_acknowledgement() {
    // RFC 9000 13.2.5 #2 test
    let mut client = Setup::default();
    client.plan.streams = vec![(Dir::Bidi, 5_000)];
    let mut wire = Wire::new(&client, Setup::default());
    let first = wire.up();
    let original = forge::long_ids(&first[0].bytes).0;
    wire.give_server(first);
    let flight = wire.down();
    wire.give_client(flight);
    // The datagram with the Finished is late; the 1-RTT packets are not.
    let (app, handshake): (Vec<_>, Vec<_>) = wire
        .up()
        .into_iter()
        .partition(|packet| forge::levels(&packet.bytes) == [Level::App]);
    assert!(!app.is_empty() && !handshake.is_empty());
    wire.give_server(app);
    wire.now = wire.now.saturating_add(Duration::from_millis(40));
    wire.give_server(handshake);
    let answers = opened(Side::Server, &original, &wire.down());
    assert_eq!(wire.server.peers[0].state(), State::Established);
    let delay = answers
        .iter()
        .filter(|packet| packet.level == Level::App)
        .flat_map(|packet| acks(&packet.payload))
        .map(|(_, delay)| delay << 3)
        .max();
    assert!(delay.is_some_and(|delay| delay >= 40_000), "{delay:?}");
}

/// Both sides with 0-RTT, which the server accepts or not.
fn early(accept: bool) -> Wire {
    let (mut client, mut server) = (Setup::default(), Setup::default());
    client.params.max_datagram_frame_size = 1_200;
    server.params.max_datagram_frame_size = 1_200;
    client.shape.early = true;
    client.plan.early = true;
    client.plan.streams = vec![(Dir::Bidi, 3_000)];
    client.remembered = Some(server.params.clone());
    server.shape.early = true;
    server.shape.accept_early = accept;
    Wire::new(&client, server)
}

#[test]
fn a_client_whose_early_data_is_rejected_sends_no_more_of_it() {
    // RFC 9001 5.6 #4 test
    for is_rejected in [false, true] {
        let mut wire = early(!is_rejected);
        let first = wire.up();
        let now = wire.now;
        let peer = &mut wire.client.peer;
        if is_rejected {
            // TLS may know before the transport parameters are there.
            peer.with(now, |connection, cx| connection.reject_early(cx));
        }
        peer.app.plan.streams.push((Dir::Uni, 500));
        peer.app.plan.datagrams.push_back(600);
        let more = wire.up();
        let is_early = |packet: &Packet| forge::levels(&packet.bytes).contains(&Level::Early);
        assert!(first.iter().any(is_early));
        assert_eq!(more.iter().any(is_early), !is_rejected);
        // All of it comes in the end.
        wire.give_server(first);
        wire.give_server(more);
        for _ in 0..20 {
            wire.exchange(4);
            wire.tick();
        }
        assert_eq!(wire.server.peers[0].app.bytes(), 3_500);
        assert_eq!(wire.server.peers[0].app.datagrams, [0]);
    }
}

#[test]
fn an_acknowledgement_of_rejected_early_data_ends_the_connection() {
    // RFC 9001 4.6.2 #2 test
    for is_accepted in [false, true] {
        let mut wire = early(is_accepted);
        let first = wire.up();
        wire.give_server(first);
        let now = wire.now;
        if !is_accepted {
            let peer = &mut wire.client.peer;
            peer.with(now, |connection, cx| connection.reject_early(cx));
        }
        let flight = wire.down();
        wire.give_client(flight);
        wire.exchange(6);
        assert_eq!(wire.client.peer.state(), State::Established);
        let id = wire.client.peer.ids[0].1;
        // The first packet of the space was a 0-RTT packet.
        let packet = Forger::new(Side::Server, id, id).packet(Level::App, &[2, 0, 0, 0, 0]);
        wire.give_client(vec![forge::packet_to_client(packet)]);
        let info = wire.client.peer.connection.close_info();
        let expected = (!is_accepted).then_some(ErrorCode::PROTOCOL_VIOLATION.0);
        assert_eq!(info.map(|info| info.code), expected);
    }
}

#[test]
fn early_data_beyond_the_remembered_limits_ends_the_connection() {
    // RFC 9000 17.2.3 #5 test
    let limits = quic_sim::node::params();
    let cases = [
        (
            frame(&[0x0e, 4, limits.initial_max_stream_data_bidi_remote, 1]),
            ErrorCode::FLOW_CONTROL_ERROR,
        ),
        (
            frame(&[0x0e, 4 * limits.initial_max_streams_bidi, 0, 1]),
            ErrorCode::STREAM_LIMIT_ERROR,
        ),
    ];
    for (mut payload, code) in cases {
        payload.push(7);
        let mut wire = early(true);
        let first = wire.up();
        let (dcid, scid) = forge::long_ids(&first[0].bytes);
        let id = |bytes: &[u8]| quic_core::common::ConnectionId::new(bytes).expect("length");
        let packet = Forger::new(Side::Client, id(&dcid), id(&scid)).packet(Level::Early, &payload);
        let forged = Packet {
            bytes: packet,
            ..first[0].clone()
        };
        wire.give_server(first);
        wire.give_server(vec![forged]);
        let _ = wire.down();
        let info = wire.server.peers[0].connection.close_info();
        assert_eq!(info.map(|info| info.code), Some(code.0));
    }
}
