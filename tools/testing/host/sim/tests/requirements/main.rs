// SPDX-License-Identifier: GPL-2.0

//! A peer that knows the keys and breaks the rules, one at a time.
//!
//! The scripted handshake has fixed secrets, so that packets can be made outside the core: each
//! wrong one must end the connection with exactly the error that the RFC names, or change nothing.

mod first;
#[path = "../forge/mod.rs"]
mod forge;
mod server;

use forge::Lab;
use quic_core::common::{
    ErrorCode,
    Side,
    Version, //
};
use quic_core::conn::State;

/// What a frame of the client does to the server's connection.
fn server_says(payload: &[u8]) -> Option<u64> {
    let mut lab = Lab::new(1);
    lab.inject(Side::Client, payload);
    lab.error(Side::Server)
}

/// A stream frame of the types with offset and length.
fn stream(id: u8, offset: u64, fin: bool, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x0e | u8::from(fin), id];
    frame.extend((offset | (3 << 62)).to_be_bytes());
    frame.push(data.len() as u8);
    frame.extend(data);
    frame
}

#[test]
fn every_violation_of_the_client_gives_its_own_error() {
    // RFC 9000 4.1 #2 test, RFC 9000 4.6 #3 test, RFC 9000 5.1.1 #6 test, RFC 9000 12.4 #3 test,
    // RFC 9000 12.4 #4 test, RFC 9000 19.4 #1 test, RFC 9000 19.5 #1 test, RFC 9000 19.5 #2 test,
    // RFC 9000 19.7 #4 test, RFC 9000 19.8 #1 test, RFC 9000 19.9 #2 test, RFC 9000 19.10 #1 test,
    // RFC 9000 19.10 #2 test, RFC 9000 19.10 #4 test, RFC 9000 19.11 #4 test,
    // RFC 9000 19.13 #2 test, RFC 9000 19.16 #1 test, RFC 9000 19.20 #2 test
    // RFC 9000 11.1 #1 test, RFC 9000 11 #1 test, RFC 9000 11 #2 test, RFC 9000 10.3 #2 test
    let too_far = 1 << 40;
    // Ids of their own from sequence number 100 on: more than the server stores.
    let many_ids: Vec<u8> = (100..120u8)
        .flat_map(|seq| [&[0x18, 0x40, seq, 0, 8][..], &[seq; 24]].concat())
        .collect();
    let cases: Vec<(&str, Vec<u8>, ErrorCode)> = vec![
        ("unknown frame", vec![0x21], ErrorCode::FRAME_ENCODING_ERROR),
        (
            "long frame type",
            vec![0x40, 1],
            ErrorCode::PROTOCOL_VIOLATION,
        ),
        (
            "truncated frame",
            vec![0x04, 0],
            ErrorCode::FRAME_ENCODING_ERROR,
        ),
        ("HANDSHAKE_DONE", vec![0x1e], ErrorCode::PROTOCOL_VIOLATION),
        ("NEW_TOKEN", vec![0x07, 1, 9], ErrorCode::PROTOCOL_VIOLATION),
        (
            "STREAM, not created",
            stream(5, 0, false, b"x"),
            ErrorCode::STREAM_STATE_ERROR,
        ),
        (
            "STREAM, send-only",
            stream(3, 0, false, b"x"),
            ErrorCode::STREAM_STATE_ERROR,
        ),
        (
            "RESET_STREAM_AT, not announced",
            vec![0x24, 0, 0, 0, 0],
            ErrorCode::FRAME_ENCODING_ERROR,
        ),
        (
            "RESET_STREAM, send-only",
            vec![0x04, 3, 0, 0],
            ErrorCode::STREAM_STATE_ERROR,
        ),
        (
            "STOP_SENDING, not created",
            vec![0x05, 5, 0],
            ErrorCode::STREAM_STATE_ERROR,
        ),
        (
            "STOP_SENDING, receive-only",
            vec![0x05, 2, 0],
            ErrorCode::STREAM_STATE_ERROR,
        ),
        (
            "MAX_STREAM_DATA, not created",
            vec![0x11, 5, 9],
            ErrorCode::STREAM_STATE_ERROR,
        ),
        (
            "MAX_STREAM_DATA, receive-only",
            vec![0x11, 2, 9],
            ErrorCode::STREAM_STATE_ERROR,
        ),
        (
            "STREAM_DATA_BLOCKED, send-only",
            vec![0x15, 3, 9],
            ErrorCode::STREAM_STATE_ERROR,
        ),
        (
            "stream limit",
            vec![0x0a, 0x80, 1, 0, 0, 0],
            ErrorCode::STREAM_LIMIT_ERROR,
        ),
        (
            "flow control",
            stream(4, too_far, false, b"x"),
            ErrorCode::FLOW_CONTROL_ERROR,
        ),
        (
            "final size moves down",
            [stream(4, 5, true, b"x"), stream(4, 2, true, b"x")].concat(),
            ErrorCode::FINAL_SIZE_ERROR,
        ),
        (
            "data behind the end",
            [stream(4, 5, true, b"x"), stream(4, 7, false, b"x")].concat(),
            ErrorCode::FINAL_SIZE_ERROR,
        ),
        (
            "RETIRE_CONNECTION_ID of none",
            vec![0x19, 0x3f],
            ErrorCode::PROTOCOL_VIOLATION,
        ),
        (
            "too many ids",
            many_ids,
            ErrorCode::CONNECTION_ID_LIMIT_ERROR,
        ),
        (
            "ACK of nothing sent",
            vec![0x02, 0xbf, 0, 0, 0, 0, 0, 0],
            ErrorCode::PROTOCOL_VIOLATION,
        ),
        (
            "PATH_RESPONSE cut short",
            vec![0x1b, 0, 0],
            ErrorCode::FRAME_ENCODING_ERROR,
        ),
        (
            "DATAGRAM, not announced",
            vec![0x30, 1],
            ErrorCode::PROTOCOL_VIOLATION,
        ),
        (
            "ACK_FREQUENCY without a delay",
            vec![0x40, 0xaf, 0, 0, 0, 0],
            ErrorCode::PROTOCOL_VIOLATION,
        ),
        (
            "too many streams",
            [&[0x12][..], &[0xff; 8]].concat(),
            ErrorCode::FRAME_ENCODING_ERROR,
        ),
        (
            "offset too large",
            [&[0x0e, 4][..], &[0xff; 8], &[1, 9]].concat(),
            ErrorCode::FRAME_ENCODING_ERROR,
        ),
    ];
    for (what, payload, code) in cases {
        assert_eq!(server_says(&payload), Some(code.0), "{what}");
    }
}

#[test]
fn legal_frames_change_nothing_they_should_not() {
    // RFC 9000 4.1 #3 test, RFC 9000 4.6 #4 test, RFC 9000 19.11 #2 test, RFC 9000 19.15 #4 test,
    // RFC 9000 8.2.2 #4 test
    let id = [&[0x18, 1, 0, 8][..], &[7; 24]].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("PING", vec![1]),
        ("smaller MAX_DATA", vec![0x10, 1]),
        ("smaller MAX_STREAMS", vec![0x12, 0, 0x13, 0]),
        (
            "PATH_RESPONSE to nothing",
            vec![0x1b, 1, 2, 3, 4, 5, 6, 7, 8],
        ),
        ("empty stream data", stream(4, 0, false, b"")),
        ("DATA_BLOCKED", vec![0x14, 1]),
        ("STREAMS_BLOCKED", vec![0x16, 1]),
        (
            "the same data again",
            [stream(4, 0, false, b"ab"), stream(4, 0, false, b"ab")].concat(),
        ),
    ];
    for (what, payload) in cases {
        assert_eq!(server_says(&payload), None, "{what}");
    }
    // The same NEW_CONNECTION_ID twice; the id of sequence number 1 is one the client issued.
    let mut lab = Lab::new(1);
    let fresh = [&[0x18, 0x40, 60, 0x40, 60, 8][..], &id[4..]].concat();
    lab.inject(Side::Client, &fresh);
    lab.inject(Side::Client, &fresh);
    assert_eq!(lab.error(Side::Server), None);
}

#[test]
fn authentic_packets_without_frames_or_with_reserved_bits_end_the_connection() {
    // RFC 9000 12.4 #2 test, RFC 9000 17.3.1 #3 test
    for (first, payload) in [
        (0x43, &[][..]),
        (0x4b, &[1, 0, 0, 0]),
        (0x53, &[1, 0, 0, 0]),
    ] {
        let mut lab = Lab::new(1);
        let packet = lab.forge(Side::Client, first, payload);
        lab.deliver(Side::Server, packet);
        let code = ErrorCode::PROTOCOL_VIOLATION.0;
        assert_eq!(lab.error(Side::Server), Some(code), "{first:#x}");
    }
}

#[test]
fn without_the_fixed_bit_or_the_tag_a_packet_is_dropped() {
    // RFC 9000 17.2 #1 test, RFC 9000 17.3.1 #1 test, RFC 9000 10.3 #7 test
    let mut lab = Lab::new(1);
    let before = lab.opened(Side::Server);
    let violation = [0x1e, 0, 0, 0];
    let packet = lab.forge(Side::Client, 0x03, &violation);
    lab.deliver(Side::Server, packet);
    let mut forged = lab.forge(Side::Client, 0x43, &violation);
    *forged.last_mut().unwrap() ^= 1;
    lab.deliver(Side::Server, forged);
    let short = lab.forge(Side::Client, 0x43, &violation)[..20].to_vec();
    lab.deliver(Side::Server, short);
    assert_eq!(
        (lab.opened(Side::Server), lab.error(Side::Server)),
        (before, None)
    );
    // The same with both is opened.
    let packet = lab.forge(Side::Client, 0x43, &violation);
    lab.deliver(Side::Server, packet);
    assert!(lab.error(Side::Server).is_some());
}

#[test]
fn a_packet_that_comes_twice_counts_once() {
    // RFC 9000 12.3 #4 test, RFC 9000 12.3 #5 test
    let mut lab = Lab::new(1);
    let packet = lab.forge(Side::Client, 0x43, &stream(4, 0, false, b"data"));
    lab.deliver(Side::Server, packet.clone());
    let duplicates = lab.stats(Side::Server).pkt_inv_num_drop;
    lab.deliver(Side::Server, packet);
    assert_eq!(lab.stats(Side::Server).pkt_inv_num_drop, duplicates + 1);
    assert_eq!(lab.error(Side::Server), None);
}

#[test]
fn a_challenge_is_echoed_at_once_on_its_path_in_a_full_datagram() {
    // RFC 9000 8.2.2 #1 test, RFC 9000 8.2.2 #2 test, RFC 9000 8.2.2 #3 test,
    // RFC 9000 8.2.2 #5 test, RFC 9000 19.17 #1 test
    let mut lab = Lab::new(1);
    let data = [9, 8, 7, 6, 5, 4, 3, 2];
    lab.inject(Side::Client, &[&[0x1a][..], &data].concat());
    let answers = lab.drive(Side::Server);
    let wanted = [&[0x1b][..], &data].concat();
    let echo = answers.iter().find(|packet| {
        let payload = lab.open(Side::Server, &packet.bytes);
        payload.windows(wanted.len()).any(|part| part == wanted)
    });
    let echo = echo.expect("a response");
    assert!(echo.bytes.len() >= 1200);
    assert_eq!(echo.dst, forge::addr(Side::Client));
}

#[test]
fn a_thousand_challenges_are_not_a_thousand_answers() {
    // RFC 9000 21.9 #1 test
    let mut lab = Lab::new(1);
    for _ in 0..1_000 {
        lab.inject(Side::Client, &[0x1a, 1, 2, 3, 4, 5, 6, 7, 8]);
    }
    let answers = lab.drive(Side::Server);
    assert!(answers.len() < 10, "{} answers", answers.len());
    assert_eq!(lab.error(Side::Server), None);
}

#[test]
fn after_a_close_of_the_peer_nothing_is_sent() {
    // RFC 9000 10.2.2 #1 test, RFC 9000 10.2.2 #3 test
    let mut lab = Lab::new(1);
    lab.inject(Side::Client, &[0x1d, 7, 0]);
    assert_eq!(lab.state(Side::Server), State::Draining);
    lab.inject(Side::Client, &[1]);
    assert!(lab.drive(Side::Server).is_empty());
}

#[test]
fn a_stateless_reset_ends_the_connection_whatever_it_looks_like() {
    // RFC 9000 10.3 #9 test, RFC 9000 10.3.1 #2 test, RFC 9000 10.3.1 #5 test
    for first in [0x41, 0xc1] {
        let mut lab = Lab::new(1);
        let mut packet = vec![0x5a; 40];
        packet[0] = first;
        let token = lab.reset_token_of_server();
        packet[24..].copy_from_slice(&token);
        lab.deliver(Side::Client, packet.clone());
        assert!(!lab.state(Side::Client).is_open(), "{first:#x}");
        assert!(lab.drive(Side::Client).is_empty());
        // One bit off is no reset.
        let mut lab = Lab::new(1);
        *packet.last_mut().unwrap() ^= 1;
        lab.deliver(Side::Client, packet);
        assert!(lab.state(Side::Client).is_open());
    }
}
