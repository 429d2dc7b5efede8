// SPDX-License-Identifier: GPL-2.0

//! Sending RESET_STREAM_AT: what is delivered of a stream that is given up.

use super::*;

pub(super) const CODE: u64 = 7;

fn announced(window: u64) -> TransportParams {
    TransportParams {
        reset_stream_at: true,
        ..params(window, 10)
    }
}

/// A stream of which the server has `sent` bytes, and `queued` more wait to be sent.
pub(super) fn started(sent: usize, queued: usize) -> (End, End, StreamId) {
    let (mut client, mut server) = End::pair(&announced(1000));
    let id = client.open(Dir::Uni);
    if sent > 0 {
        client.write(id, &std::vec![1; sent], false).unwrap();
        settle(&mut client, &mut server);
    }
    if queued > 0 {
        client.write(id, &std::vec![2; queued], false).unwrap();
    }
    (client, server, id)
}

fn at(id: StreamId, final_size: u64, reliable_size: u64) -> Frame<'static> {
    Frame::ResetStreamAt {
        id,
        code: CODE,
        final_size,
        reliable_size,
    }
}

fn reset(id: StreamId, final_size: u64) -> Frame<'static> {
    Frame::ResetStream {
        id,
        code: CODE,
        final_size,
    }
}

/// The stretches of stream data in packets, and the other frames.
fn split(packets: &[Packet]) -> (Vec<(u64, u64)>, Vec<Frame<'_>>) {
    let (mut data, mut others) = (Vec::new(), Vec::new());
    for frame in packets.iter().flat_map(Packet::frames) {
        match frame {
            Frame::Stream(stream) => {
                assert!(!stream.fin, "the reset is the end");
                data.push((stream.offset, stream.offset + stream.data.len() as u64));
            }
            other => others.push(other),
        }
    }
    (data, others)
}

fn check_released(ends: [&End; 2]) {
    for end in ends {
        assert!(end.streams.is_empty(), "{:?}", end.streams);
        assert_eq!(end.streams.send_truesize(), 0);
        assert_eq!(end.streams.recv_truesize(), 0);
        assert!(!end.streams.has_pending());
    }
}

/// `(sent, queued, reliable)` to `(bytes still sent, final size)`.
#[test]
fn what_is_sent_still_and_the_final_size_follow_from_the_reliable_size() {
    let rows = [
        // Of what waits only a part, or all of it.
        (100, 500, 250, Some((100, 250)), 250),
        (100, 500, 600, Some((100, 600)), 600),
        (0, 500, 1, Some((0, 1)), 1),
        // Nothing more than was sent.
        (100, 500, 100, None, 100),
        (100, 500, 30, None, 100),
        (100, 0, 100, None, 100),
    ];
    for (sent, queued, reliable, still, final_size) in rows {
        let (mut client, mut server, id) = started(sent, queued);
        client.streams.reset_at(id, CODE, reliable).unwrap();
        assert_eq!(client.write(id, b"x", false), Err(Error::Invalid));
        assert_eq!(client.streams.connection_credit(), 4000 - final_size);
        let packets = client.transmit_all();
        let (data, others) = split(&packets);
        assert_eq!(data, Vec::from_iter(still), "{reliable}");
        assert_eq!(others, [at(id, final_size, reliable)], "{reliable}");
        assert_eq!(client.streams.unsent_bytes(), 0);
        for packet in &packets {
            server.receive(packet).unwrap();
        }
        for packet in &packets {
            client.on_acked(packet);
        }
        assert_eq!(client.updates(), [(id, 3, CODE, final_size)]);
        let last = server.updates().pop();
        assert_eq!(last, Some((id, 10, CODE, final_size)));
        let mut read = 0;
        while let Ok((outcome, bytes)) = server.read(u64::MAX) {
            assert!(!outcome.is_end, "no clean end");
            read += bytes.len() as u64;
        }
        assert!(read >= reliable);
        settle(&mut client, &mut server);
        check_released([&client, &server]);
        assert_eq!(server.streams.totals(), (0, final_size, final_size));
    }
}

#[test]
fn a_reset_is_announced_when_the_last_byte_in_front_of_it_was_sent() {
    let (mut client, _, id) = started(0, 900);
    client.streams.reset_at(id, CODE, 600).unwrap();
    let mut end = 0;
    while end < 600 {
        let packets = [client.transmit_within(200).unwrap()];
        let (data, others) = split(&packets);
        assert_eq!(others, [], "{end}");
        assert_eq!(data[0].0, end);
        assert_eq!(client.streams.send_state(id), Some(SendState::Send));
        end = data[0].1;
    }
    assert_eq!(split(&client.transmit_all()).1, [at(id, 600, 600)]);
    assert_eq!(client.streams.send_state(id), Some(SendState::DataSent));
}

#[test]
fn what_is_held_back_for_more_data_goes_with_the_reset() {
    let (mut client, _, id) = started(0, 0);
    client.streams.set_corked(id, true);
    client.write(id, &[1; 50], false).unwrap();
    assert!(client.transmit().is_none());
    client.streams.reset_at(id, CODE, 50).unwrap();
    assert!(!client.streams.is_small(1200));
    let packets = client.transmit_all();
    assert_eq!(
        split(&packets),
        (std::vec![(0, 50)], std::vec![at(id, 50, 50)])
    );
}

#[test]
fn lost_bytes_are_sent_again_up_to_the_reliable_size() {
    let (mut client, _, id) = started(0, 900);
    let data = client.transmit().unwrap();
    client.streams.reset_at(id, CODE, 300).unwrap();
    let frame = client.transmit().unwrap();
    assert_eq!(frame.frames(), [at(id, 900, 300)]);
    client.on_lost(&data);
    client.on_lost(&frame);
    // RFC 9000 13.3 #1 test
    let again = client.transmit_all();
    assert_eq!(
        split(&again),
        (std::vec![(0, 300)], std::vec![at(id, 900, 300)])
    );
}

#[test]
fn the_stream_ends_when_bytes_and_reset_are_acknowledged_in_any_order() {
    for reset_first in [true, false] {
        let (mut client, _, id) = started(0, 900);
        let data = client.transmit().unwrap();
        client.streams.reset_at(id, CODE, 300).unwrap();
        let frame = client.transmit().unwrap();
        let order = match reset_first {
            true => [&frame, &data],
            false => [&data, &frame],
        };
        client.on_acked(order[0]);
        assert_eq!(client.streams.send_state(id), Some(SendState::DataSent));
        client.on_acked(order[0]);
        assert_eq!(client.streams.send_state(id), Some(SendState::DataSent));
        client.on_acked(order[1]);
        assert_eq!(client.updates(), [(id, 3, CODE, 900)]);
        assert!(client.streams.is_empty());
        assert_eq!(client.streams.send_truesize(), 0);
        // A copy of either comes too late to mean anything.
        client.on_lost(&frame);
        client.on_lost(&data);
        assert!(client.transmit().is_none());
    }
}

// draft-ietf-quic-reliable-stream-reset 5.2
#[test]
fn a_reset_may_be_left_to_deliver_less_and_only_the_last_one_counts() {
    let (mut client, mut server, id) = started(0, 900);
    let data = client.transmit().unwrap();
    client.streams.reset_at(id, CODE, 500).unwrap();
    let first = client.transmit().unwrap();
    for (code, reliable) in [(CODE, 500), (CODE, 501), (CODE + 1, 200), (CODE + 1, 0)] {
        let result = client.streams.reset_at(id, code, reliable);
        assert_eq!(result, Err(Error::Invalid), "{code} {reliable}");
    }
    client.streams.reset_at(id, CODE, 200).unwrap();
    let second = client.transmit().unwrap();
    assert_eq!(second.frames(), [at(id, 900, 200)]);
    client.on_lost(&first);
    client.on_lost(&data);
    let packets = client.transmit_all();
    assert_eq!(split(&packets), (std::vec![(0, 200)], std::vec![]));
    client.on_acked(&first);
    client.on_acked(&packets[0]);
    assert_eq!(client.streams.send_state(id), Some(SendState::DataSent));
    // At last nothing at all; the size that the peer may know stays.
    client.streams.reset(id, CODE).unwrap();
    let last = client.transmit().unwrap();
    assert_eq!(last.frames(), [reset(id, 900)]);
    client.on_acked(&second);
    assert_eq!(client.streams.send_state(id), Some(SendState::ResetSent));
    client.on_lost(&second);
    assert!(client.transmit().is_none());
    for packet in [&last, &first, &second] {
        server.receive(packet).unwrap();
    }
    client.on_acked(&last);
    assert_eq!(client.updates(), [(id, 5, CODE, 900)]);
    check_released([&client, &server]);
}

#[test]
fn a_reset_nobody_was_told_of_takes_its_promise_back() {
    // (reliable sizes, final size): the bytes that will never be sent are credit again.
    let rows: [(&[u64], u64); 4] = [
        (&[800, 300], 300),
        (&[800, 50], 100),
        (&[60, 50], 100),
        (&[800, 300, 0], 100),
    ];
    for (sizes, final_size) in rows {
        let (mut client, mut server, id) = started(100, 800);
        for size in sizes {
            client.streams.reset_at(id, CODE, *size).unwrap();
        }
        assert_eq!(client.streams.connection_credit(), 4000 - final_size);
        let packets = client.transmit_all();
        let (_, others) = split(&packets);
        let expected = match sizes.last() {
            Some(0) => reset(id, final_size),
            size => at(id, final_size, *size.unwrap()),
        };
        assert_eq!(others, [expected]);
        for packet in &packets {
            server.receive(packet).unwrap();
            client.on_acked(packet);
        }
        while server.read(u64::MAX).is_ok() {}
        settle(&mut client, &mut server);
        check_released([&client, &server]);
    }
}

// RFC 9000 3.5 #2 test
#[test]
fn a_request_to_stop_turns_the_reset_into_one_that_delivers_nothing() {
    for is_announced in [true, false] {
        let (mut client, mut server, id) = started(100, 500);
        client.streams.reset_at(id, CODE, 400).unwrap();
        let before = if is_announced {
            client.transmit_all()
        } else {
            Vec::new()
        };
        server.streams.stop_sending(id, 99).unwrap();
        for packet in server.transmit_all() {
            client.receive(&packet).unwrap();
        }
        for packet in &before {
            client.on_lost(packet);
        }
        let packets = client.transmit_all();
        // The code may be known and stays, as does the size.
        let final_size = if is_announced { 400 } else { 100 };
        assert_eq!(
            split(&packets),
            (std::vec![], std::vec![reset(id, final_size)])
        );
        assert_eq!(client.updates(), [(id, 4, CODE, final_size)]);
        for packet in before.iter().chain(&packets) {
            server.receive(packet).unwrap();
        }
        client.on_acked(&packets[0]);
        assert_eq!(client.updates(), [(id, 5, CODE, final_size)]);
        settle(&mut client, &mut server);
        check_released([&client, &server]);
    }
}

#[test]
fn a_reset_behind_the_end_keeps_the_final_size() {
    let (mut client, mut server, id) = started(0, 0);
    client.write(id, &[1; 600], true).unwrap();
    let data = client.transmit().unwrap();
    client.streams.reset_at(id, CODE, 50).unwrap();
    let packets = client.transmit_all();
    assert_eq!(split(&packets).1, [at(id, 600, 50)]);
    client.on_lost(&data);
    let again = client.transmit_all();
    assert_eq!(split(&again).0, [(0, 50)]);
    for packet in packets.iter().chain(&again) {
        server.receive(packet).unwrap();
        client.on_acked(packet);
    }
    assert_eq!(client.updates(), [(id, 3, CODE, 600)]);
    assert_eq!(server.read_stream().1.len(), 50);
    settle(&mut client, &mut server);
    check_released([&client, &server]);
}

#[test]
fn an_end_that_was_not_sent_is_never_sent() {
    let (mut client, _, id) = started(0, 0);
    client.write(id, &[1; 600], true).unwrap();
    client.streams.reset_at(id, CODE, 600).unwrap();
    let packets = client.transmit_all();
    assert_eq!(
        split(&packets),
        (std::vec![(0, 600)], std::vec![at(id, 600, 600)])
    );
}

#[test]
fn a_peer_that_has_not_announced_it_gets_no_such_frame() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Uni);
    client.write(id, &[1; 100], false).unwrap();
    let result = client.streams.reset_at(id, CODE, 100);
    assert_eq!(result, Err(Error::Unsupported));
    client.write(id, &[1; 100], false).unwrap();
    client.streams.reset_at(id, CODE, 0).unwrap();
    assert_eq!(client.transmit().unwrap().frames(), [reset(id, 0)]);
    settle(&mut client, &mut server);
    // Nor one of which only an earlier connection tells.
    let mut client = End::new(Side::Client, &params(1000, 10));
    client.streams.set_remembered_params(&announced(1000));
    let id = client.open(Dir::Uni);
    client.write(id, &[1; 100], false).unwrap();
    let result = client.streams.reset_at(id, CODE, 100);
    assert_eq!(result, Err(Error::Unsupported));
}

#[test]
fn a_reset_of_a_stream_that_cannot_be_is_refused() {
    let (mut client, mut server, id) = started(100, 0);
    let cases = [
        ("more than was written", id, 101, Error::Invalid),
        ("not opened", client_uni(5), 1, Error::Invalid),
        ("the peer's", server_uni(0), 1, Error::Invalid),
    ];
    for (what, id, reliable, error) in cases {
        assert_eq!(
            client.streams.reset_at(id, CODE, reliable),
            Err(error),
            "{what}"
        );
    }
    client.streams.finish(id).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(client.streams.reset_at(id, CODE, 1), Err(Error::Released));
}
