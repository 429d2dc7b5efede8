// SPDX-License-Identifier: GPL-2.0

//! What the peer may not do, and the error each gets.

use super::*;

/// A server that allows the client 4 streams of each type and 1000 bytes on each, and has opened
/// one stream of each type itself.
fn server() -> End {
    let (_, mut server) = End::pair(&params(1000, 4));
    for dir in [Dir::Bidi, Dir::Uni] {
        server.open(dir);
    }
    server
}

fn receive(frames: &[Frame<'_>]) -> Result<bool, TransportError> {
    let mut server = server();
    for frame in frames {
        server.receive(&Packet::of(core::slice::from_ref(frame)))?;
    }
    Ok(true)
}

fn reset(id: StreamId, final_size: u64) -> Frame<'static> {
    Frame::ResetStream {
        id,
        code: 9,
        final_size,
    }
}

fn stop(id: StreamId) -> Frame<'static> {
    Frame::StopSending { id, code: 9 }
}

fn max_stream_data(id: StreamId) -> Frame<'static> {
    Frame::MaxStreamData { id, max: 5000 }
}

fn blocked(id: StreamId) -> Frame<'static> {
    Frame::StreamDataBlocked { id, limit: 1 }
}

#[track_caller]
fn refused(expected: ErrorCode, frames: &[Frame<'_>]) {
    assert_eq!(code(receive(frames)), expected, "{frames:?}");
    // All but the last frame is legal.
    let (_, legal) = frames.split_last().unwrap();
    receive(legal).unwrap();
}

// RFC 9000 19.8 #1 test
// RFC 9000 19.4 #1 test
// RFC 9000 19.13 #2 test
#[test]
fn data_for_a_send_only_stream_or_one_not_opened_is_a_stream_state_error() {
    for id in [server_uni(0), server_uni(1), server_bidi(1)] {
        refused(
            ErrorCode::STREAM_STATE_ERROR,
            &[stream_frame(id, 0, b"x", false)],
        );
        refused(ErrorCode::STREAM_STATE_ERROR, &[reset(id, 0)]);
        refused(ErrorCode::STREAM_STATE_ERROR, &[blocked(id)]);
    }
}

// RFC 9000 19.5 #1 test
// RFC 9000 19.5 #2 test
// RFC 9000 19.10 #1 test
// RFC 9000 19.10 #2 test
#[test]
fn credit_or_stop_for_a_receive_only_stream_or_one_not_opened_is_a_stream_state_error() {
    for id in [client_uni(0), server_uni(1), server_bidi(1)] {
        refused(ErrorCode::STREAM_STATE_ERROR, &[stop(id)]);
        refused(ErrorCode::STREAM_STATE_ERROR, &[max_stream_data(id)]);
    }
    receive(&[stop(server_uni(0)), max_stream_data(server_bidi(0))]).unwrap();
    receive(&[stop(client_bidi(3)), max_stream_data(client_bidi(2))]).unwrap();
}

// RFC 9000 4.6 #3 test
// RFC 9000 19.11 #4 test
#[test]
fn any_frame_for_a_stream_above_the_limit_is_a_stream_limit_error() {
    for id in [client_bidi(4), client_uni(4), client_bidi(1 << 59)] {
        let limit = ErrorCode::STREAM_LIMIT_ERROR;
        refused(limit, &[stream_frame(id, 0, b"", false)]);
        refused(limit, &[reset(id, 0)]);
        refused(limit, &[blocked(id)]);
        if id.dir() == Dir::Bidi {
            refused(limit, &[stop(id)]);
            refused(limit, &[max_stream_data(id)]);
        }
    }
    receive(&[stream_frame(client_bidi(3), 0, b"", false)]).unwrap();
}

// RFC 9000 4.1 #2 test
// RFC 9000 19.10 #4 test
#[test]
fn more_than_a_streams_credit_is_a_flow_control_error() {
    let error = ErrorCode::FLOW_CONTROL_ERROR;
    let id = client_bidi(0);
    let full = stream_frame(id, 999, b"x", false);
    refused(error, &[full.clone(), stream_frame(id, 1000, b"x", false)]);
    refused(error, &[full.clone(), stream_frame(id, 1001, b"", true)]);
    refused(error, &[reset(id, 1001)]);
    receive(&[full, stream_frame(id, 1000, b"", true), reset(id, 1000)]).unwrap();
}

// RFC 9000 4.1 #2 test
// RFC 9000 19.9 #2 test
// RFC 9000 4.5 #1 test
#[test]
fn more_than_the_connections_credit_is_a_flow_control_error() {
    let error = ErrorCode::FLOW_CONTROL_ERROR;
    let fill: Vec<Frame<'_>> = (0..4)
        .map(|index| stream_frame(client_bidi(index), 999, b"x", false))
        .collect();
    let mut frames = fill.clone();
    frames.push(stream_frame(client_uni(0), 0, b"x", false));
    refused(error, &frames);
    // Bytes that a reset stream has sent count as well.
    let mut frames: Vec<_> = (0..4)
        .map(|index| reset(client_bidi(index), 1000))
        .collect();
    frames.push(stream_frame(client_uni(0), 0, b"x", false));
    refused(error, &frames);
    // And bytes of streams that are over.
    let mut frames: Vec<_> = (0..4).map(|index| reset(client_uni(index), 1000)).collect();
    frames.push(reset(client_bidi(0), 1));
    refused(error, &frames);
}

// RFC 9000 4.5 #3 test
// RFC 9000 4.5 #4 test
#[test]
fn another_final_size_or_data_beyond_it_is_a_final_size_error() {
    let error = ErrorCode::FINAL_SIZE_ERROR;
    let id = client_bidi(0);
    let end = stream_frame(id, 9, b"x", true);
    refused(error, &[end.clone(), stream_frame(id, 9, b"xx", false)]);
    refused(error, &[end.clone(), stream_frame(id, 0, b"xx", true)]);
    refused(error, &[end.clone(), stream_frame(id, 10, b"x", true)]);
    refused(error, &[end.clone(), reset(id, 9)]);
    refused(error, &[end.clone(), reset(id, 11)]);
    let data = stream_frame(id, 9, b"x", false);
    refused(error, &[data.clone(), stream_frame(id, 0, b"x", true)]);
    refused(error, &[data.clone(), reset(id, 9)]);
    refused(error, &[reset(id, 10), stream_frame(id, 10, b"x", false)]);
    refused(error, &[reset(id, 10), reset(id, 11)]);
    receive(&[data, end.clone(), end, reset(id, 10), reset(id, 10)]).unwrap();
}

#[test]
fn another_final_size_of_a_stream_received_in_whole_is_found_too() {
    let error = ErrorCode::FINAL_SIZE_ERROR;
    let id = client_bidi(0);
    let all = stream_frame(id, 0, b"abc", true);
    refused(error, &[all.clone(), stream_frame(id, 0, b"abcd", false)]);
    refused(error, &[all.clone(), reset(id, 2)]);
    receive(&[all.clone(), all, reset(id, 3)]).unwrap();
}

// RFC 9000 4.6 #1 test
// RFC 9000 19.11 #1 test
// RFC 9000 19.14 #2 test
#[test]
fn a_count_of_streams_that_no_id_can_reach_is_a_frame_encoding_error() {
    let mut server = server();
    let above = (1 << 60) + 1;
    for dir in [Dir::Bidi, Dir::Uni] {
        let streams = &mut server.streams;
        let result = streams.on_max_streams(dir, above, &mut server.events);
        assert_eq!(code(result), ErrorCode::FRAME_ENCODING_ERROR);
        let result = streams.on_streams_blocked(dir, above);
        assert_eq!(code(result), ErrorCode::FRAME_ENCODING_ERROR);
        streams
            .on_max_streams(dir, 1 << 60, &mut server.events)
            .unwrap();
    }
}

// RFC 9000 19.8 #2 test
#[test]
fn an_offset_beyond_the_largest_number_is_refused() {
    let mut server = server();
    let datagram = Datagram::try_from_slice(b"xx").unwrap();
    let frame = StreamFrame {
        id: client_bidi(0),
        offset: (1 << 62) - 2,
        fin: false,
        data: b"xx",
        at: 0,
    };
    let result = server.dispatch(&Frame::Stream(frame), &datagram);
    assert_eq!(code(result), ErrorCode::FRAME_ENCODING_ERROR);
    let result = server.dispatch(&reset(client_bidi(0), u64::MAX), &datagram);
    assert_eq!(code(result), ErrorCode::FRAME_ENCODING_ERROR);
}

#[test]
fn frames_for_streams_that_are_over_mean_nothing() {
    let mut server = server();
    let id = client_uni(0);
    server.receive(&Packet::of(&[reset(id, 10)])).unwrap();
    assert_eq!(server.streams.recv_state(id), None);
    let late = [
        stream_frame(id, 0, b"abc", false),
        stream_frame(id, 900, b"abc", true),
        reset(id, 999),
        blocked(id),
    ];
    let before = server.streams.totals();
    assert!(server.receive(&Packet::of(&late)).unwrap());
    assert_eq!(server.streams.totals(), before);
    assert!(server.streams.next_readable().is_none());
}

#[test]
fn a_refused_frame_of_an_error_changes_no_account() {
    let mut server = server();
    let id = client_bidi(0);
    let before = server.streams.totals();
    for frame in [
        stream_frame(id, 1000, b"x", false),
        stream_frame(id, 1000, b"x", true),
        reset(id, 4001),
    ] {
        server.receive(&Packet::of(&[frame])).unwrap_err();
        assert_eq!(server.streams.totals(), before);
        assert!(server.streams.next_readable().is_none());
    }
    server
        .receive(&Packet::of(&[stream_frame(id, 0, b"ok", true)]))
        .unwrap();
    assert_eq!(server.read_stream(), (id, b"ok".to_vec(), true));
}
