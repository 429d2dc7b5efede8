// SPDX-License-Identifier: GPL-2.0

//! Early data: remembered limits, acceptance and rejection.

use super::*;

/// A client that has sent 300 bytes and an end on one stream, and 200 bytes on another, as early
/// data.
fn early(remembered: &TransportParams) -> (End, Vec<Packet>) {
    let mut client = End::new(Side::Client, &params(1000, 10));
    client.streams.set_remembered_params(remembered);
    let (first, second) = (client.open(Dir::Bidi), client.open(Dir::Uni));
    client.write(first, &[1; 300], true).unwrap();
    client.write(second, &[2; 200], false).unwrap();
    let packets = client.transmit_all();
    assert_eq!(client.streams.unsent_bytes(), 0);
    (client, packets)
}

fn server(client: &mut End, local: &TransportParams) -> End {
    let mut server = End::new(Side::Server, local);
    server.streams.set_peer_params(&params(1000, 10));
    server.streams.on_app_send_keys();
    client.streams.on_app_send_keys();
    server
}

#[test]
fn without_remembered_limits_nothing_can_be_opened() {
    let mut client = End::new(Side::Client, &params(1000, 10));
    assert_eq!(client.streams.open(None, Dir::Uni), Err(Error::Invalid));
    client.streams.set_remembered_params(&params(1000, 1));
    assert_eq!(client.open(Dir::Uni), client_uni(0));
    assert_eq!(client.streams.sendable(client_uni(0)), Ok(1000));
    // uapi 5.3: above the limit before 1-RTT keys.
    assert_eq!(client.streams.open(None, Dir::Uni), Err(Error::Invalid));
}

// RFC 9000 7.4.1 #5 test
// RFC 9000 7.4.1 #6 test
#[test]
fn a_server_that_accepts_must_not_lower_a_limit() {
    let remembered = params(1000, 4);
    let lowered: [fn(&mut TransportParams); 6] = [
        |p| p.initial_max_data -= 1,
        |p| p.initial_max_stream_data_bidi_local -= 1,
        |p| p.initial_max_stream_data_bidi_remote -= 1,
        |p| p.initial_max_stream_data_uni -= 1,
        |p| p.initial_max_streams_bidi -= 1,
        |p| p.initial_max_streams_uni -= 1,
    ];
    for lower in lowered {
        let (mut client, _) = early(&remembered);
        let mut new = remembered.clone();
        lower(&mut new);
        client.streams.set_peer_params(&new);
        assert_eq!(
            code(client.streams.on_0rtt_accepted()),
            ErrorCode::PROTOCOL_VIOLATION
        );
    }
    let (mut client, _) = early(&remembered);
    client.streams.set_peer_params(&params(2000, 5));
    client.streams.on_0rtt_accepted().unwrap();
    assert_eq!(client.streams.sendable(client_uni(0)), Ok(1800));
}

#[test]
fn accepted_data_is_not_sent_again() {
    let local = params(1000, 4);
    let (mut client, packets) = early(&local);
    let mut server = server(&mut client, &local);
    for packet in &packets {
        server.receive(packet).unwrap();
        client.on_acked(packet);
    }
    client.streams.set_peer_params(&local);
    settle(&mut client, &mut server);
    assert_eq!(server.read_stream().1.len(), 300);
    assert_eq!(server.read_stream().1.len(), 200);
}

fn rejected(known_before: bool, lost_before: bool) {
    let (mut client, packets) = early(&params(1000, 4));
    // Smaller limits than remembered: 250 bytes on each stream and on all.
    let mut local = params(250, 1);
    local.initial_max_data = 250;
    let mut server = server(&mut client, &local);
    if known_before {
        client.streams.set_peer_params(&local);
    }
    if lost_before {
        for packet in &packets {
            client.on_lost(packet);
        }
    }
    client.streams.on_0rtt_rejected();
    if !lost_before {
        for packet in &packets {
            client.on_lost(packet);
        }
    }
    if !known_before {
        assert!(client.transmit().is_none());
        client.streams.set_peer_params(&local);
    }
    let mut read = [0, 0];
    for _ in 0..30 {
        settle(&mut client, &mut server);
        while let Ok((outcome, bytes)) = server.read(50) {
            let Readable::Stream { id } = outcome.what else {
                panic!("a datagram");
            };
            read[(id == client_uni(0)) as usize] += bytes.len();
        }
    }
    assert_eq!(read, [300, 200]);
    assert_eq!(client.streams.unsent_bytes(), 0);
}

#[test]
fn rejected_data_is_sent_again_within_the_new_limits() {
    for known_before in [false, true] {
        for lost_before in [false, true] {
            rejected(known_before, lost_before);
        }
    }
}

/// Early data on four streams of which three are reset, before or after the reset was sent; then it
/// is rejected, by limits that are smaller than what was sent on any of them.
fn rejected_and_reset(known_before: bool, is_reset_sent: bool) {
    let mut client = End::new(Side::Client, &params(1000, 10));
    client.streams.set_remembered_params(&params(1000, 4));
    let ids: Vec<_> = (0..4).map(|_| client.open(Dir::Uni)).collect();
    for id in &ids {
        client.write(*id, &[1; 200], false).unwrap();
    }
    let mut early = client.transmit_all();
    for id in &ids[..3] {
        client.streams.reset(*id, 5).unwrap();
    }
    if is_reset_sent {
        early.extend(client.transmit_all());
    }
    let mut local = params(150, 4);
    local.initial_max_data = 250;
    if known_before {
        client.streams.set_peer_params(&local);
    }
    client.streams.on_0rtt_rejected();
    for packet in &early {
        client.on_lost(packet);
    }
    client.streams.set_peer_params(&local);
    let mut server = server(&mut client, &local);
    for _ in 0..30 {
        settle(&mut client, &mut server);
        while server.read(50).is_ok() {}
    }
    assert_eq!(server.streams.totals(), (0, 200, 200));
    assert_eq!(client.streams.unsent_bytes(), 0);
    assert_eq!(client.streams.totals().0, 200);
    // The credit of the connection is whole.
    client.streams.finish(ids[3]).unwrap();
    settle(&mut client, &mut server);
    while server.read(50).is_ok() {}
    settle(&mut client, &mut server);
    assert!(client.streams.is_empty() && server.streams.is_empty());
}

#[test]
fn a_stream_that_was_reset_in_rejected_early_data_takes_no_credit() {
    for known_before in [false, true] {
        for is_reset_sent in [false, true] {
            rejected_and_reset(known_before, is_reset_sent);
        }
    }
}

#[test]
fn a_stream_that_uses_up_the_connections_new_limit_goes_on_when_that_rises() {
    let mut client = End::new(Side::Client, &params(1000, 10));
    client.streams.set_remembered_params(&params(1000, 4));
    let id = client.open(Dir::Bidi);
    client.write(id, &[1; 300], true).unwrap();
    // The stream's own limit is no obstacle.
    let mut local = params(1000, 4);
    local.initial_max_data = 100;
    let mut server = server(&mut client, &local);
    client.streams.set_peer_params(&local);
    client.streams.on_0rtt_rejected();
    let mut read = 0;
    for _ in 0..4 {
        settle(&mut client, &mut server);
        while let Ok((_, bytes)) = server.read(1000) {
            read += bytes.len();
        }
    }
    assert_eq!((read, client.streams.unsent_bytes()), (300, 0));
}

#[test]
fn a_stream_above_the_new_limit_waits_until_it_is_allowed() {
    let mut client = End::new(Side::Client, &params(1000, 10));
    client.streams.set_remembered_params(&params(1000, 4));
    let ids: Vec<_> = (0..3).map(|_| client.open(Dir::Uni)).collect();
    for id in &ids[..2] {
        client.write(*id, b"x", false).unwrap();
    }
    client.streams.reset(ids[2], 5).unwrap();
    for packet in client.transmit_all() {
        client.on_lost(&packet);
    }
    let local = params(1000, 1);
    let mut server = server(&mut client, &local);
    client.streams.set_peer_params(&local);
    client.streams.on_0rtt_rejected();
    settle(&mut client, &mut server);
    assert_eq!(server.streams.len(), 1);
    assert_eq!(server.read_stream().0, ids[0]);
    // The stream ends, its successor is allowed, and so on.
    client.streams.finish(ids[0]).unwrap();
    settle(&mut client, &mut server);
    server.read_stream();
    settle(&mut client, &mut server);
    assert_eq!(server.read_stream().0, ids[1]);
    client.streams.finish(ids[1]).unwrap();
    settle(&mut client, &mut server);
    server.read_stream();
    server.updates();
    settle(&mut client, &mut server);
    assert_eq!(server.updates(), [(ids[2], 10, 5, 0)]);
}

/// A client with two bidirectional streams and one unidirectional one, of which rejected early data
/// leaves it one of each, with credit for ten bytes.
fn above_limit() -> (End, End, [StreamId; 3]) {
    let mut client = End::new(Side::Client, &params(1000, 10));
    client.streams.set_remembered_params(&params(1000, 4));
    let ids = [Dir::Bidi, Dir::Bidi, Dir::Uni].map(|dir| client.open(dir));
    let mut local = params(1000, 1);
    local.initial_max_stream_data_bidi_remote = 10;
    local.initial_max_stream_data_uni = 10;
    let server = server(&mut client, &local);
    client.streams.set_peer_params(&local);
    client.streams.on_0rtt_rejected();
    (client, server, ids)
}

// RFC 9000 4.1 #5 test
#[test]
fn a_blocked_stream_above_the_new_limit_speaks_through_streams_blocked_alone() {
    for has_other in [false, true] {
        let (mut client, mut server, ids) = above_limit();
        client.write(ids[1], &[1; 10], false).unwrap();
        client.streams.note_data_blocked(ids[1]);
        if has_other {
            client.write(ids[2], &[1; 10], false).unwrap();
            client.streams.note_data_blocked(ids[2]);
        }
        let told = client.transmit().unwrap();
        let dir = Dir::Bidi;
        let blocked = Frame::StreamsBlocked { dir, limit: 1 };
        assert_eq!(told.frames()[0], blocked);
        settle(&mut client, &mut server);
        assert!(client.streams.may_be_blocked() && !client.streams.has_pending());
        // Whoever keeps a timer for it has something to send each time.
        for _ in 0..3 {
            client.streams.resignal_blocked();
            let mut expected = std::vec![blocked.clone()];
            if has_other {
                let (id, limit) = (ids[2], 10);
                expected.push(Frame::StreamDataBlocked { id, limit });
            }
            assert_eq!(client.transmit().unwrap().frames(), expected);
            assert!(client.streams.may_be_blocked() && !client.streams.has_pending());
        }
        // Once the stream is allowed, it says itself what stops it.
        let raised = Frame::MaxStreams { dir, max: 2 };
        client.receive(&Packet::of(&[raised])).unwrap();
        let frames = client.transmit().unwrap();
        let (id, limit) = (ids[1], 10);
        assert_eq!(
            frames.frames()[0],
            Frame::StreamDataBlocked { id, limit },
            "{has_other}"
        );
    }
}

#[test]
fn a_stream_above_the_new_limit_that_is_given_up_leaves_no_signal_behind() {
    let (mut client, mut server, ids) = above_limit();
    // Nothing to say on it, nothing that waits.
    client.streams.resignal_blocked();
    assert!(!client.streams.may_be_blocked() && !client.streams.has_pending());
    client.write(ids[1], &[1; 10], false).unwrap();
    settle(&mut client, &mut server);
    let raised = Frame::MaxStreams {
        dir: Dir::Bidi,
        max: 2,
    };
    client.receive(&Packet::of(&[raised])).unwrap();
    client.streams.resignal_blocked();
    assert!(!client.streams.may_be_blocked());
}

#[test]
fn streams_above_the_limit_are_looked_at_once_a_datagram() {
    let (mut client, _, ids) = above_limit();
    client.write(ids[1], &[1; 10], false).unwrap();
    client.transmit().unwrap();
    // Many limits that rise in one datagram: what may go is found out behind the last of them.
    let mut frames: Vec<_> = (5000..5300).map(|max| Frame::MaxData { max }).collect();
    frames.push(Frame::MaxStreams {
        dir: Dir::Bidi,
        max: 2,
    });
    for frame in &frames {
        let packet = Packet::of(std::slice::from_ref(frame));
        let datagram = Datagram::try_from_slice(&packet.payload).unwrap();
        client.dispatch(frame, &datagram).unwrap();
        assert!(!client.streams.has_data());
    }
    client.streams.on_datagram_end();
    assert!(client.streams.has_data());
    assert!(client.transmit().is_some());
}

#[test]
fn limits_remembered_too_late_change_nothing() {
    let mut client = End::new(Side::Client, &params(1000, 10));
    client.streams.set_peer_params(&params(1000, 1));
    client.streams.set_remembered_params(&params(9000, 9));
    assert_eq!(client.streams.connection_credit(), 4000);
}

// RFC 9000 4.1 #1 test
#[test]
fn the_final_size_of_a_reset_stream_falls_with_the_data_that_was_rejected() {
    for lost_before in [false, true] {
        let (mut client, packets) = early(&params(1000, 4));
        let (first, second) = (client_bidi(0), client_uni(0));
        assert_eq!(client.streams.unsent_bytes(), 0);
        client.streams.reset(second, 7).unwrap();
        let mut packets = packets;
        packets.extend(client.transmit_all());
        let mut local = params(150, 4);
        local.initial_max_data = 150;
        let mut server = server(&mut client, &local);
        client.streams.set_peer_params(&local);
        if lost_before {
            packets.iter().for_each(|packet| client.on_lost(packet));
        }
        client.streams.on_0rtt_rejected();
        if !lost_before {
            packets.iter().for_each(|packet| client.on_lost(packet));
        }
        // The bytes that nobody will send leave the credit to the other stream.
        let mut read = 0;
        let mut resets = std::vec![];
        for _ in 0..30 {
            settle(&mut client, &mut server);
            while let Ok((outcome, bytes)) = server.read(50) {
                assert_eq!(outcome.what, Readable::Stream { id: first });
                read += bytes.len();
            }
            let updates = server.updates().into_iter();
            resets.extend(updates.filter(|(id, ..)| *id == second));
        }
        assert_eq!((read, client.streams.unsent_bytes()), (300, 0));
        assert_eq!(resets, [(second, 10, 7, 0)]);
        assert_eq!(client.streams.totals().0, 300);
        assert_eq!(
            client.streams.connection_credit(),
            server.streams.totals().2 + 150 - 300
        );
    }
}
