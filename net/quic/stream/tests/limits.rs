// SPDX-License-Identifier: GPL-2.0

//! Counts of streams: limits that move, implicit opening, floods (hardening 3 and 7).

use super::*;

fn reset(id: StreamId) -> Frame<'static> {
    Frame::ResetStream {
        id,
        code: 1,
        final_size: 0,
    }
}

fn receive(end: &mut End, frame: Frame<'_>) {
    assert!(end.receive(&Packet::of(&[frame])).unwrap());
}

// RFC 9000 3.2 #1 test
#[test]
fn naming_the_highest_stream_opens_all_and_makes_one_object() {
    let (_, mut server) = End::pair(&params(1000, MAX_OPEN));
    receive(&mut server, stream_frame(client_bidi(4095), 0, b"x", false));
    assert_eq!(server.streams.len(), 1);
    // Any of the others is open, and gets an object when it is used.
    let other = client_bidi(17);
    assert_eq!(server.streams.prepare_send(other, false), Ok(()));
    receive(&mut server, stream_frame(client_bidi(5), 0, b"y", true));
    assert_eq!(server.streams.len(), 3);
    assert_eq!(server.read_stream().0, client_bidi(4095));
    assert_eq!(server.read_stream().0, client_bidi(5));
    // The newest stream of the peer is the active one, not the one used last.
    assert_eq!(server.streams.send_target(Dir::Bidi), client_bidi(4095));
}

#[test]
fn opening_a_stream_opens_all_lower_ones_of_this_side() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    assert_eq!(
        client.streams.open(Some(client_bidi(4)), Dir::Bidi),
        Ok(client_bidi(4))
    );
    assert_eq!(client.streams.len(), 1);
    assert_eq!(client.streams.next_id(Dir::Bidi), client_bidi(5));
    assert_eq!(client.streams.prepare_send(client_bidi(2), false), Ok(()));
    client.write(client_bidi(2), b"x", false).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(server.read_stream().0, client_bidi(2));
    // RFC 9000 2.1 #1 test
    assert_eq!(client.open(Dir::Bidi), client_bidi(5));
}

#[test]
fn a_stream_whose_end_was_written_is_not_the_active_one() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    for index in 0..3 {
        let id = client.streams.send_target(Dir::Bidi);
        assert_eq!(id, client_bidi(index));
        assert_eq!(client.streams.prepare_send(id, true), Ok(()));
        assert_eq!(client.streams.send_target(Dir::Uni), id);
        client.write(id, b"x", index != 1).unwrap();
        client.streams.finish(id).ok();
    }
    // An answer ends the peer's stream, which was the active one since it came.
    for packet in client.transmit_all() {
        server.receive(&packet).unwrap();
    }
    let id = server.streams.send_target(Dir::Bidi);
    assert_eq!(id, client_bidi(2));
    server.write(id, b"y", true).unwrap();
    assert_eq!(server.streams.send_target(Dir::Bidi), server_bidi(0));
}

// RFC 9000 4.6 #6 test
#[test]
fn the_limit_moves_as_streams_end_and_the_peer_need_not_ask() {
    let (mut client, mut server) = End::pair(&params(1000, 8));
    for round in 0..50 {
        let ids: Vec<_> = (0..8).map(|_| client.open(Dir::Uni)).collect();
        assert_eq!(
            client.streams.open(None, Dir::Uni),
            Err(Error::WouldBlock),
            "round {round}"
        );
        for id in ids {
            client.write(id, b"x", true).unwrap();
        }
        settle(&mut client, &mut server);
        for _ in 0..8 {
            assert!(server.read_stream().2);
        }
        settle(&mut client, &mut server);
        assert!(client.streams.is_empty() && server.streams.is_empty());
    }
}

/// Echoes stream `id` of the client: both write their end. Returns the server's packets, which the
/// client has not acknowledged.
fn echo(client: &mut End, server: &mut End, id: StreamId) -> Vec<Packet> {
    assert_eq!(client.streams.open(Some(id), Dir::Bidi), Ok(id));
    client.write(id, b"x", true).unwrap();
    for packet in client.transmit_all() {
        server.receive(&packet).unwrap();
    }
    assert!(server.read_stream().2);
    server.write(id, b"x", true).unwrap();
    let packets = server.transmit_all();
    for packet in &packets {
        client.receive(packet).unwrap();
    }
    assert!(client.read_stream().2);
    packets
}

#[test]
fn few_short_streams_among_long_ones_end_and_others_follow() {
    let (mut client, mut server) = End::pair(&params(1000, 100));
    for index in 0..97 {
        assert_eq!(client.open(Dir::Bidi), client_bidi(index));
    }
    // None of those ends. The limit comes with the end of the stream before, in one packet.
    for index in 97..300 {
        let packets = echo(&mut client, &mut server, client_bidi(index));
        assert_eq!(packets.len(), 1, "{index}");
        server.on_acked(&packets[0]);
        settle(&mut client, &mut server);
    }
}

#[test]
fn a_peer_that_acknowledges_nothing_gains_a_quarter_of_the_streams() {
    let (mut client, mut server) = End::pair(&params(1000, 8));
    let packets: Vec<_> = (0..10)
        .flat_map(|index| echo(&mut client, &mut server, client_bidi(index)))
        .collect();
    assert_eq!(server.streams.len(), 10);
    assert_eq!(client.streams.open(None, Dir::Bidi), Err(Error::WouldBlock));
    for packet in &packets {
        server.on_acked(packet);
    }
    assert!(server.streams.is_empty());
    settle(&mut client, &mut server);
    for index in 10..18 {
        assert_eq!(client.open(Dir::Bidi), client_bidi(index));
    }
}

// RFC 9000 4.6 #5 test
// RFC 9000 19.14 #1 test
#[test]
fn wanting_more_streams_is_told_once_for_each_limit() {
    let (mut client, mut server) = End::pair(&params(1000, 1));
    client.open(Dir::Bidi);
    for _ in 0..3 {
        assert_eq!(client.streams.open(None, Dir::Bidi), Err(Error::WouldBlock));
        client.streams.note_streams_blocked(Dir::Bidi);
    }
    let packet = client.transmit().unwrap();
    let expected = [Frame::StreamsBlocked {
        dir: Dir::Bidi,
        limit: 1,
    }];
    assert_eq!(packet.frames(), expected);
    assert!(client.transmit().is_none());
    client.on_lost(&packet);
    assert_eq!(client.transmit().unwrap().frames(), expected);
    // Nothing is over, so there is nothing to grant.
    server.receive(&packet).unwrap();
    assert!(server.transmit().is_none());
}

#[test]
fn wanting_more_streams_is_told_again_until_the_limit_rises() {
    let (mut client, _) = End::pair(&params(1000, 1));
    for dir in [Dir::Bidi, Dir::Uni] {
        client.open(dir);
        client.streams.note_streams_blocked(dir);
    }
    assert!(client.streams.may_be_blocked());
    let first = client.transmit().unwrap();
    let [bidi, uni] = [Dir::Bidi, Dir::Uni].map(|dir| Frame::StreamsBlocked { dir, limit: 1 });
    assert_eq!(first.frames(), [bidi.clone(), uni.clone()]);
    client.streams.resignal_blocked();
    assert_eq!(client.transmit().unwrap().frames(), first.frames());
    for (dir, rest) in [(Dir::Uni, Some(bidi)), (Dir::Bidi, None)] {
        receive(&mut client, Frame::MaxStreams { dir, max: 2 });
        client.streams.resignal_blocked();
        let again = client.transmit();
        let frames = again.as_ref().map(Packet::frames).unwrap_or_default();
        assert_eq!(frames, Vec::from_iter(rest.clone()));
        assert_eq!(client.streams.may_be_blocked(), rest.is_some());
    }
}

#[test]
fn a_flood_of_resets_holds_nothing_and_costs_one_frame_of_credit() {
    let (_, mut server) = End::pair(&params(1000, 100));
    let mut limit = 100;
    for index in 0..100_000 {
        if index == limit {
            let packets = server.transmit_all();
            let granted = packets
                .iter()
                .flat_map(Packet::frames)
                .find_map(|frame| match frame {
                    Frame::MaxStreams { dir: Dir::Uni, max } => Some(max),
                    _ => None,
                });
            limit = granted.unwrap();
            assert_eq!(limit, index + 100);
            assert_eq!(packets.len(), 1);
        }
        receive(&mut server, reset(client_uni(index)));
        assert!(server.streams.is_empty());
        server.take_events();
    }
    assert_eq!(server.streams.recv_truesize(), 0);
}

#[test]
fn streams_opened_and_reset_both_ways_are_bounded_by_the_limit() {
    let (_, mut server) = End::pair(&params(1000, 100));
    for index in 0..100 {
        let id = client_bidi(index);
        receive(&mut server, reset(id));
        receive(&mut server, Frame::StopSending { id, code: 2 });
        receive(&mut server, Frame::StopSending { id, code: 2 });
    }
    // Each waits for its own RESET_STREAM to be acknowledged, so no more may be opened.
    assert_eq!(server.streams.len(), 100);
    let packets = server.transmit_all();
    let frames: Vec<_> = packets.iter().flat_map(Packet::frames).collect();
    assert_eq!(frames.len(), 100);
    assert!(frames.iter().all(|frame| matches!(
        frame,
        Frame::ResetStream {
            code: 2,
            final_size: 0,
            ..
        }
    )));
    let above = stream_frame(client_bidi(100), 0, b"", false);
    assert_eq!(
        code(server.receive(&Packet::of(&[above]))),
        ErrorCode::STREAM_LIMIT_ERROR
    );
    for packet in &packets {
        server.on_acked(packet);
    }
    assert!(server.streams.is_empty());
}

#[test]
fn reflected_control_frames_do_not_pile_up() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Bidi);
    client.write(id, &[1; 600], false).unwrap();
    settle(&mut client, &mut server);
    server.read(500).unwrap();
    for limit in 0..10_000 {
        for frame in [
            Frame::DataBlocked { limit },
            Frame::StreamDataBlocked { id, limit },
            Frame::StreamsBlocked {
                dir: Dir::Bidi,
                limit,
            },
            Frame::MaxStreamData { id, max: limit },
            Frame::StopSending { id, code: limit },
        ] {
            receive(&mut server, frame);
        }
    }
    let packets = server.transmit_all();
    let frames: Vec<_> = packets.iter().flat_map(Packet::frames).collect();
    assert_eq!(frames.len(), 3, "{frames:?}");
    // RFC 9000 13.3 #1 test
    for packet in &packets {
        server.on_lost(packet);
    }
    let again = server.transmit_all();
    let again: Vec<_> = again.iter().flat_map(Packet::frames).collect();
    assert_eq!(again, frames);
}

#[test]
fn streams_with_only_an_end_are_released_when_read() {
    let (_, mut server) = End::pair(&params(1000, 10));
    for index in 0..10 {
        receive(&mut server, stream_frame(client_uni(index), 0, b"", true));
    }
    assert_eq!(server.streams.len(), 10);
    for index in 0..10 {
        let (id, bytes, fin) = server.read_stream();
        assert_eq!((id, bytes.len(), fin), (client_uni(index), 0, true));
    }
    assert!(server.streams.is_empty());
    assert_eq!(server.streams.recv_truesize(), 0);
}

#[test]
fn scattered_single_bytes_are_refused_beyond_the_bound_and_cost_no_connection() {
    let (_, mut server) = End::pair(&params(100_000, 10));
    let id = client_bidi(0);
    let mut refused = 0;
    for index in 1..5000 {
        let frame = stream_frame(id, index * 2, b"x", false);
        if !server.receive(&Packet::of(&[frame])).unwrap() {
            refused += 1;
        }
    }
    assert!(refused > 3900, "{refused}");
    assert!(server.streams.recv_truesize() < 200_000);
    // What is in order is taken all the same.
    let all = std::vec![b'y'; 10_000];
    for (nr, part) in all.chunks(1000).enumerate() {
        receive(&mut server, stream_frame(id, nr as u64 * 1000, part, false));
    }
    assert_eq!(server.read_stream().1.len(), 10_000);
}

#[test]
fn wanting_more_streams_ends_with_the_last_caller_that_waits() {
    let (mut client, _) = End::pair(&params(1000, 1));
    client.open(Dir::Bidi);
    for _ in 0..2 {
        client.streams.start_wanting(Dir::Bidi);
    }
    assert!(client.transmit().is_some());
    for is_left in [true, false] {
        client.streams.stop_wanting(Dir::Bidi);
        client.streams.resignal_blocked();
        assert_eq!(client.streams.may_be_blocked(), is_left);
        assert_eq!(client.transmit().is_some(), is_left);
    }
    // Who wants it anew says so anew.
    client.streams.start_wanting(Dir::Bidi);
    assert!(client.transmit().is_some());
}

#[test]
fn memory_ahead_of_gaps_is_bounded_for_the_connection() {
    let (_, mut server) = End::pair(&params(100_000, 10));
    server.streams.set_recv_limit(50_000);
    let mut kept = 0;
    for index in 0..8 {
        for part in 1..20 {
            let frame = stream_frame(client_bidi(index), part * 1000, &[1; 1000], false);
            kept += usize::from(server.receive(&Packet::of(&[frame])).unwrap());
        }
    }
    assert!((30..50).contains(&kept), "{kept}");
    assert!(server.streams.recv_truesize() < 60_000);
}

#[test]
fn without_memory_a_frame_is_kept_only_if_nothing_waits_and_it_can_be_read() {
    let (_, mut server) = End::pair(&params(100_000, 10));
    let take = |end: &mut End, index, offset, fin| {
        let frame = stream_frame(client_bidi(index), offset, &[1; 1000], fin);
        end.receive(&Packet::of(&[frame])).unwrap()
    };
    assert!(take(&mut server, 0, 0, false));
    server.streams.set_memory(Memory::Exhausted);
    // Something waits: neither what follows it nor other streams' data.
    assert!(!take(&mut server, 0, 1000, false));
    assert!(!take(&mut server, 1, 0, false));
    assert!(server.streams.is_refusing());
    // What is known costs nothing, and is acknowledged.
    assert!(take(&mut server, 0, 0, false));
    assert_eq!(server.read_stream().1.len(), 1000);
    // Nothing waits, but what is ahead of a gap could not be read.
    assert!(!take(&mut server, 0, 2000, false));
    assert!(take(&mut server, 0, 1000, false));
    assert!(!take(&mut server, 1, 0, false));
    assert_eq!(server.read_stream().1.len(), 1000);
    assert!(take(&mut server, 0, 2000, true));
    assert!(server.read_stream().2);
    server.streams.set_memory(Memory::Scarce);
    assert!(take(&mut server, 1, 5000, false) && take(&mut server, 1, 0, false));
    assert!(!server.streams.is_refusing());
}

#[test]
fn a_stream_that_its_peer_has_reset_is_refused_no_longer() {
    let reset = |index| Frame::ResetStream {
        id: client_bidi(index),
        code: 7,
        final_size: 500,
    };
    for (frame, is_refusing) in [(reset(1), false), (reset(0), true)] {
        let (_, mut server) = End::pair(&params(100_000, 10));
        let take = |end: &mut End, index| {
            let frame = stream_frame(client_bidi(index), 0, &[1; 500], false);
            end.receive(&Packet::of(&[frame])).unwrap()
        };
        assert!(take(&mut server, 0));
        server.streams.set_memory(Memory::Exhausted);
        assert!(!take(&mut server, 1));
        assert!(server.streams.is_refusing());
        receive(&mut server, frame);
        assert_eq!(server.streams.is_refusing(), is_refusing);
    }
}

#[test]
fn without_memory_a_datagram_is_kept_only_if_nothing_waits() {
    let (_, mut server) = End::pair(&params(100_000, 10));
    let datagram = Datagram::try_from_slice(&[1; 100]).unwrap();
    server.streams.set_memory(Memory::Exhausted);
    let keep = |end: &mut End| {
        let End {
            streams, events, ..
        } = end;
        streams.on_datagram(&datagram, 0, 100, events)
    };
    assert!(keep(&mut server));
    assert!(!keep(&mut server));
    server.streams.set_memory(Memory::Plenty);
    assert!(keep(&mut server));
}

#[test]
fn windows_do_not_grow_while_memory_is_scarce() {
    let read_fast = |memory| {
        let (_, mut server) = End::pair(&params(10_000, 10));
        server.streams.set_memory(memory);
        server.streams.set_rtt(Duration::from_millis(100));
        for round in 0..20u64 {
            for part in 0..10 {
                let at = round * 10_000 + part * 1000;
                receive(
                    &mut server,
                    stream_frame(client_bidi(0), at, &[1; 1000], false),
                );
            }
            assert_eq!(server.read_stream().1.len(), 10_000);
            server.transmit_all();
            server.now = server.now.saturating_add(Duration::from_millis(51));
        }
        // What is announced beyond what was read.
        server.streams.recv_credit.next_limit() - 200_000
    };
    assert_eq!(read_fast(Memory::Scarce), 40_000);
    assert!(read_fast(Memory::Plenty) > 40_000);
}
