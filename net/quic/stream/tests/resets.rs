// SPDX-License-Identifier: GPL-2.0

//! RESET_STREAM, RESET_STREAM_AT and STOP_SENDING, and everything they can cross with.

use super::*;

fn started() -> (End, End, StreamId) {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Bidi);
    client.write(id, &[1; 100], false).unwrap();
    settle(&mut client, &mut server);
    (client, server, id)
}

fn at(id: StreamId, code: u64, final_size: u64, reliable_size: u64) -> Packet {
    Packet::of(&[Frame::ResetStreamAt {
        id,
        code,
        final_size,
        reliable_size,
    }])
}

fn released(ends: [&mut End; 2]) {
    for end in ends {
        assert!(end.streams.is_empty(), "{:?}", end.streams);
        assert_eq!(end.streams.recv_truesize(), 0);
        assert_eq!(end.streams.send_truesize(), 0);
        let (_, received, read) = end.streams.totals();
        assert_eq!(received, read);
        assert!(!end.streams.has_pending());
    }
}

// RFC 9000 3.3 #2 test
#[test]
fn after_a_reset_no_data_is_sent_again() {
    let (mut client, mut server, id) = started();
    client.write(id, &[2; 500], true).unwrap();
    let data = client.transmit().unwrap();
    client.streams.reset(id, 4).unwrap();
    client.on_lost(&data);
    let packet = client.transmit().unwrap();
    let expected = [Frame::ResetStream {
        id,
        code: 4,
        final_size: 600,
    }];
    assert_eq!(packet.frames(), expected);
    assert!(client.transmit().is_none());
    // RFC 9000 13.3 #1 test
    client.on_lost(&packet);
    let packet = client.transmit().unwrap();
    assert_eq!(packet.frames(), expected);
    server.receive(&packet).unwrap();
    client.on_acked(&packet);
    assert!(client.transmit().is_none());
    assert_eq!(server.streams.recv_state(id), Some(RecvState::ResetRead));
    assert_eq!(client.streams.send_state(id), Some(SendState::ResetRecvd));
}

// RFC 9000 3.1 #1 test
#[test]
fn a_reset_may_be_the_first_frame_of_a_stream() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Uni);
    client.streams.reset(id, 4).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(server.updates(), [(id, 10, 4, 0)]);
    released([&mut client, &mut server]);
}

// RFC 9000 3.2 #2 test
#[test]
fn a_reset_that_arrives_behind_all_data_is_suppressed() {
    let (mut client, mut server, id) = started();
    client.write(id, &[2; 50], true).unwrap();
    let data = client.transmit().unwrap();
    server.receive(&data).unwrap();
    client.streams.reset(id, 4).unwrap();
    let reset = client.transmit().unwrap();
    assert!(server.receive(&reset).unwrap());
    client.on_acked(&data);
    client.on_acked(&reset);
    let (read, bytes, fin) = server.read_stream();
    assert_eq!((read, bytes.len(), fin), (id, 150, true));
    assert_eq!(client.streams.send_state(id), Some(SendState::ResetRecvd));
}

// RFC 9000 3.5 #7 test
#[test]
fn nobody_is_asked_to_stop_who_has_reset_the_stream() {
    let (mut client, mut server, id) = started();
    client.streams.reset(id, 4).unwrap();
    let reset = client.transmit().unwrap();
    // The reset arrives when the request has been made and not yet been written.
    server.streams.stop_sending(id, 9).unwrap();
    server.receive(&reset).unwrap();
    let stops = |packets: &[Packet]| {
        let frames = packets.iter().flat_map(Packet::frames);
        frames
            .filter(|frame| matches!(frame, Frame::StopSending { .. }))
            .count()
    };
    assert_eq!(stops(&server.transmit_all()), 0);
    // Before the request is made.
    let (mut client, mut server, id) = started();
    client.streams.reset(id, 4).unwrap();
    server.receive(&client.transmit().unwrap()).unwrap();
    assert_eq!(server.streams.stop_sending(id, 9), Err(Error::Invalid));
    assert_eq!(stops(&server.transmit_all()), 0);
    // When the request was sent, and was lost.
    let (mut client, mut server, id) = started();
    server.streams.stop_sending(id, 9).unwrap();
    let stop = server.transmit().unwrap();
    assert_eq!(stops(std::slice::from_ref(&stop)), 1);
    client.streams.reset(id, 4).unwrap();
    server.receive(&client.transmit().unwrap()).unwrap();
    server.on_lost(&stop);
    assert_eq!(stops(&server.transmit_all()), 0);
}

#[test]
fn data_that_arrives_behind_a_reset_is_ignored() {
    let (mut client, mut server, id) = started();
    client.write(id, &[2; 50], false).unwrap();
    let data = client.transmit().unwrap();
    client.streams.reset(id, 4).unwrap();
    let reset = client.transmit().unwrap();
    assert!(server.receive(&reset).unwrap());
    assert!(server.receive(&data).unwrap());
    assert!(server.streams.next_readable().is_none());
    assert_eq!(server.streams.totals(), (0, 150, 150));
}

// RFC 9000 3.5 #2 test
// RFC 9000 3.5 #5 test
#[test]
fn a_request_to_stop_is_answered_by_a_reset_with_its_code() {
    let (mut client, mut server, id) = started();
    client.write(id, &[2; 200], false).unwrap();
    server.streams.stop_sending(id, 1 << 50).unwrap();
    let stop = server.transmit().unwrap();
    client.receive(&stop).unwrap();
    assert_eq!(client.write(id, b"x", false), Err(Error::Invalid));
    let packet = client.transmit().unwrap();
    assert_eq!(
        packet.frames(),
        [Frame::ResetStream {
            id,
            code: 1 << 50,
            final_size: 100,
        }]
    );
    assert!(client.transmit().is_none());
    assert_eq!(client.streams.connection_credit(), 3900);
}

// RFC 9000 3.5 #3 test
// RFC 9000 3.5 #4 test
#[test]
fn a_request_to_stop_ends_a_stream_whose_data_is_still_in_flight() {
    let (mut client, mut server, id) = started();
    client.write(id, &[2; 200], true).unwrap();
    let lost = client.transmit().unwrap();
    server.streams.stop_sending(id, 9).unwrap();
    settle(&mut client, &mut server);
    client.on_lost(&lost);
    assert!(client.transmit().is_none());
    assert_eq!(client.streams.send_state(id), Some(SendState::ResetRecvd));
    assert_eq!(server.streams.totals(), (0, 300, 300));
}

#[test]
fn a_request_to_stop_that_crosses_with_the_last_acknowledgement_changes_nothing() {
    let (mut client, mut server, id) = started();
    client.write(id, &[2; 200], true).unwrap();
    server.streams.stop_sending(id, 9).unwrap();
    let stop = server.transmit().unwrap();
    let data = client.transmit().unwrap();
    server.receive(&data).unwrap();
    client.on_acked(&data);
    client.receive(&stop).unwrap();
    assert_eq!(client.streams.send_state(id), Some(SendState::DataRecvd));
    assert!(client.transmit().is_none());
    // The peer was told and the size is known: nobody waits for anything.
    assert_eq!(server.streams.recv_state(id), Some(RecvState::DataRead));
}

#[test]
fn both_sides_reset_at_once() {
    let (mut client, mut server, id) = started();
    client.streams.reset(id, 1).unwrap();
    client.streams.stop_sending(id, 2).unwrap();
    server.streams.reset(id, 3).unwrap();
    server.streams.stop_sending(id, 4).unwrap();
    let (from_client, from_server) = (client.transmit_all(), server.transmit_all());
    for packet in &from_client {
        server.receive(packet).unwrap();
    }
    for packet in &from_server {
        client.receive(packet).unwrap();
    }
    for packet in &from_client {
        client.on_acked(packet);
    }
    for packet in &from_server {
        server.on_acked(packet);
    }
    settle(&mut client, &mut server);
    released([&mut client, &mut server]);
}

// RFC 9000 3.5 #1 test
#[test]
fn a_lost_request_to_stop_is_sent_again_until_it_is_needless() {
    let (mut client, mut server, id) = started();
    server.streams.stop_sending(id, 9).unwrap();
    let stop = server.transmit().unwrap();
    server.on_lost(&stop);
    let stop = server.transmit().unwrap();
    assert_eq!(stop.frames(), [Frame::StopSending { id, code: 9 }]);
    client.streams.reset(id, 1).unwrap();
    server.receive(&client.transmit().unwrap()).unwrap();
    server.on_lost(&stop);
    assert!(server.transmit().is_none());
}

#[test]
fn a_stopped_stream_that_ends_normally_is_over_as_soon_as_the_end_is_known() {
    let (mut client, mut server, id) = started();
    server.streams.stop_sending(id, 9).unwrap();
    server.transmit().unwrap();
    // The part in front is lost; it is not waited for.
    let end = Packet::of(&[stream_frame(id, 300, b"x", true)]);
    server.receive(&end).unwrap();
    assert_eq!(server.streams.recv_state(id), Some(RecvState::DataRead));
    assert_eq!(server.streams.totals(), (0, 301, 301));
    server.streams.reset(id, 0).unwrap();
    let reset = server.transmit().unwrap();
    server.on_acked(&reset);
    assert!(server.streams.is_empty());
    client.receive(&reset).unwrap();
}

#[test]
fn a_stop_when_only_the_end_is_known_is_still_sent() {
    let (_, mut server, id) = started();
    let end = Packet::of(&[stream_frame(id, 300, b"x", true)]);
    server.receive(&end).unwrap();
    server.streams.stop_sending(id, 9).unwrap();
    assert_eq!(server.streams.recv_state(id), Some(RecvState::SizeKnown));
    let stop = server.transmit().unwrap();
    assert_eq!(stop.frames()[0], Frame::StopSending { id, code: 9 });
    assert_eq!(server.streams.recv_state(id), Some(RecvState::DataRead));
}

#[test]
fn a_reset_with_a_reliable_size_delivers_that_much() {
    let (mut client, mut server, id) = started();
    server.receive(&at(id, 7, 500, 200)).unwrap();
    assert_eq!(server.streams.recv_state(id), Some(RecvState::SizeKnown));
    assert_eq!(server.read_stream().1, [1; 100]);
    let rest = Packet::of(&[stream_frame(id, 100, &[2; 120], false)]);
    server.updates();
    server.receive(&rest).unwrap();
    assert_eq!(server.updates(), [(id, 10, 7, 500)]);
    // More than the reliable size was here, and is given too; the end is no clean one.
    let (_, bytes, fin) = server.read_stream();
    assert_eq!((bytes.len(), fin), (120, false));
    assert_eq!(server.streams.recv_state(id), Some(RecvState::ResetRead));
    assert_eq!(server.streams.totals(), (0, 500, 500));
    client.streams.reset(id, 0).unwrap();
}

#[test]
fn a_smaller_reliable_size_counts_and_a_larger_one_does_not() {
    let (_, mut server, id) = started();
    server.receive(&at(id, 7, 500, 400)).unwrap();
    server.receive(&at(id, 7, 500, 450)).unwrap();
    assert_eq!(server.streams.recv_state(id), Some(RecvState::SizeKnown));
    server.receive(&at(id, 7, 500, 100)).unwrap();
    assert_eq!(server.streams.recv_state(id), Some(RecvState::ResetRecvd));
    assert_eq!(server.read_stream().1.len(), 100);
    assert_eq!(server.streams.recv_state(id), Some(RecvState::ResetRead));
}

#[test]
fn a_reset_with_all_bytes_reliable_is_no_clean_end() {
    let (_, mut server, id) = started();
    server.receive(&at(id, 7, 100, 100)).unwrap();
    let (_, bytes, fin) = server.read_stream();
    assert_eq!((bytes.len(), fin), (100, false));
    assert_eq!(server.streams.recv_state(id), Some(RecvState::ResetRead));
}

#[test]
fn a_reset_must_not_change_its_code_or_size() {
    let (_, mut server, id) = started();
    server.receive(&at(id, 7, 500, 400)).unwrap();
    let changed = server.receive(&at(id, 8, 500, 400));
    assert_eq!(code(changed), ErrorCode::STREAM_STATE_ERROR);
    let changed = server.receive(&at(id, 7, 501, 400));
    assert_eq!(code(changed), ErrorCode::FINAL_SIZE_ERROR);
    let beyond = server.receive(&at(id, 7, 5000, 400));
    assert_eq!(code(beyond), ErrorCode::FINAL_SIZE_ERROR);
}

#[test]
fn a_reset_with_a_reliable_size_on_a_stopped_stream_leaves_nothing() {
    let (_, mut server, id) = started();
    server.streams.stop_sending(id, 1).unwrap();
    server.receive(&at(id, 7, 500, 400)).unwrap();
    server.transmit();
    let late = Packet::of(&[stream_frame(id, 100, &[1; 300], false)]);
    server.receive(&late).unwrap();
    assert!(server.streams.next_readable().is_none());
    assert_eq!(server.streams.totals(), (0, 500, 500));
}
