// SPDX-License-Identifier: GPL-2.0

//! A peer that knows the keys and breaks the rules, one at a time.
//!
//! The scripted handshake has fixed secrets, so that packets can be made outside the core: each
//! wrong one must end the connection with exactly the error that the RFC names, or change nothing.

mod forge;

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

#[test]
fn late_negotiation_and_retry_are_ignored() {
    // RFC 9000 6.2 #2 test, RFC 9000 17.2.5.2 #2 test
    let mut lab = Lab::new(1);
    for packet in [
        lab.version_negotiation(&[0x1a2a_3a4a]),
        lab.retry(Version::V1),
    ] {
        lab.deliver(Side::Client, packet);
        assert!(lab.state(Side::Client).is_open());
        assert_eq!(lab.stats(Side::Client).retry_in, 0);
        assert_eq!(lab.stats(Side::Client).version_negotiation_in, 0);
    }
}

#[test]
fn the_first_datagram_is_padded_and_has_a_long_random_destination() {
    // RFC 9000 7.2 #1 test, RFC 9000 8.1 #4 test, RFC 9000 14.1 #1 test, RFC 9001 9.3 #1 test,
    // RFC 9000 6 #1 test
    let mut seen = vec![];
    for seed in 0..20 {
        let first = forge::first_flight(seed);
        assert!(first.iter().all(|packet| packet.bytes.len() >= 1200));
        let len = usize::from(first[0].bytes[5]);
        assert!((8..=20).contains(&len));
        let dcid = first[0].bytes[6..6 + len].to_vec();
        assert!(!seen.contains(&dcid));
        seen.push(dcid);
    }
}

#[test]
fn negotiation_that_lists_the_version_in_use_is_ignored() {
    // RFC 9000 6.2 #3 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let bytes = &first[0].1.bytes;
    for (versions, followed) in [
        (vec![Version::V1.0, Version::V2.0], 0),
        (vec![Version::V2.0], 1),
    ] {
        let packet = forge::negotiation_for(bytes, &versions);
        client.receive(now, &forge::packet_to_client(packet));
        assert_eq!(
            client.stats.version_negotiation_in, followed,
            "{versions:x?}"
        );
    }
}

#[test]
fn a_retry_counts_once_and_only_if_it_is_right() {
    // RFC 9000 17.2.5.1 #2 test, RFC 9000 17.2.5.1 #3 test, RFC 9000 17.2.5.2 #1 test,
    // RFC 9000 17.2.5.2 #3 test, RFC 9000 17.2.5.2 #5 test, RFC 9000 8.1.2 #1 test,
    // RFC 9000 17.2.5.3 #4 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let initial = &first[0].1.bytes;
    let (dcid, scid) = forge::long_ids(initial);
    let good = forge::retry_for(initial, &[0x77; 8], b"token");
    let mut bad_tag = good.clone();
    *bad_tag.last_mut().unwrap() ^= 1;
    let same_id = forge::retry_for(initial, &dcid, b"token");
    for packet in [bad_tag, same_id] {
        client.receive(now, &forge::packet_to_client(packet));
        assert_eq!(client.stats.retry_in, 0);
    }
    let second = forge::retry_for(initial, &[0x78; 8], b"other");
    client.receive(now, &forge::packet_to_client(good));
    client.receive(now, &forge::packet_to_client(second));
    assert_eq!(client.stats.retry_in, 1);
    let again = client.drive(now, &mut |_| {});
    let bytes = &again[0].1.bytes;
    assert_eq!(forge::long_ids(bytes), (vec![0x77; 8], scid));
    assert!(bytes.windows(5).any(|part| part == b"token"));
    // Numbers go on: the packet does not open as number zero.
    assert!(forge::initial_number(bytes) > forge::initial_number(initial));
}

#[test]
fn a_retry_is_followed_if_its_token_leaves_room_for_the_handshake() {
    for (len, followed) in [(1, 1), (1_000, 1), (1_001, 0), (1_100, 0)] {
        let (mut client, now) = forge::fresh_client(1);
        let first = client.drive(now, &mut |_| {});
        let token = vec![7; len];
        let packet = forge::retry_for(&first[0].1.bytes, &[0x77; 8], &token);
        client.receive(now, &forge::packet_to_client(packet));
        assert_eq!(client.stats.retry_in, followed, "{len}");
        let again = client.drive(now, &mut |_| {});
        assert_eq!(again.is_empty(), followed == 0, "{len}");
        let handshake = again.iter().map(|(_, packet)| packet.bytes.len());
        assert!(handshake.sum::<usize>() >= 1_200 * followed as usize);
    }
}

#[test]
fn small_or_tokened_initial_packets_are_dropped() {
    // RFC 9000 14.1 #4 test, RFC 9000 17.2.2 #1 test, RFC 9000 17.2.2 #2 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let initial = &first[0].1.bytes;
    let close = [0x1c, 0x0a, 0, 0];
    let with_token = forge::server_initial(initial, b"no", &close);
    client.receive(now, &forge::packet_to_client(with_token));
    assert!(client.state().is_open());
    let without = forge::server_initial(initial, b"", &close);
    client.receive(now, &forge::packet_to_client(without));
    assert!(!client.state().is_open());
    assert!(forge::is_incoming(initial));
    assert!(!forge::is_incoming(&initial[..1199]));
}

/// What a frame of the server does to the client's connection.
fn client_says(payload: &[u8]) -> Option<u64> {
    let mut lab = Lab::new(1);
    lab.inject(Side::Server, payload);
    lab.drive(Side::Client);
    lab.error(Side::Client)
}

/// A CRYPTO frame behind the session ticket of the scripted handshake.
fn post_handshake(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x06, 0x40, 104, message.len() as u8];
    frame.extend(message);
    frame
}

#[test]
fn every_violation_of_the_server_gives_its_own_error() {
    // RFC 9000 19.7 #2 test, RFC 9000 19.15 #7 test, RFC 9000 19.8 #1 test,
    // RFC 9001 4.4 #6 test, RFC 9001 4.6.1 #2 test, RFC 9001 6 #3 test
    let mut ticket = vec![4, 0, 0, 22, 0, 0, 0, 9, 0, 0, 0, 9, 1, 5, 0, 1, 7, 0, 8];
    ticket.extend([0, 42, 0, 4, 0, 0, 0x40, 0]);
    ticket[3] = ticket.len() as u8 - 4;
    let cases: Vec<(&str, Vec<u8>, u64)> = vec![
        ("empty NEW_TOKEN", vec![0x07, 0], 0x07),
        (
            "ids retired beyond",
            [&[0x18, 9, 10, 8][..], &[1; 24]].concat(),
            0x07,
        ),
        ("STREAM, send-only", stream(2, 0, false, b"x"), 0x05),
        ("STREAM, not created", stream(4, 0, false, b"x"), 0x05),
        ("TLS KeyUpdate", post_handshake(&[24, 0, 0, 1, 0]), 0x10a),
        (
            "CertificateRequest",
            post_handshake(&[13, 0, 0, 3, 0, 0, 0]),
            0x0a,
        ),
        ("limited early data", post_handshake(&ticket), 0x0a),
        ("begun KeyUpdate", post_handshake(&[24, 9, 9, 9]), 0x10a),
        ("another message", post_handshake(&[1, 0, 0, 1, 7]), 0x10a),
    ];
    for (what, payload, code) in cases {
        assert_eq!(client_says(&payload), Some(code), "{what}");
    }
    // Another message that is not complete, short or long, is none yet.
    assert_eq!(client_says(&post_handshake(&[1, 0, 0, 9, 7])), None);
    assert_eq!(client_says(&post_handshake(&[1, 2, 3, 4, 7])), None);
    assert_eq!(client_says(&[0x1e]), None);
    assert_eq!(client_says(&[0x07, 3, 1, 2, 3]), None);
}

#[test]
fn a_message_behind_the_ticket_that_is_too_long_to_keep_is_judged_at_its_end() {
    let mut lab = Lab::new(1);
    // A ClientHello of 8,192 bytes.
    lab.inject(Side::Server, &post_handshake(&[1, 0, 0x20, 0]));
    for chunk in 0..9u16 {
        lab.drive(Side::Client);
        assert_eq!(lab.error(Side::Client), None, "{chunk}");
        let mut frame = vec![0x06];
        frame.extend((0x4000 + 108 + 1000 * chunk).to_be_bytes());
        frame.extend([0x43, 0xe8]);
        frame.extend([7; 1000]);
        lab.inject(Side::Server, &frame);
    }
    lab.drive(Side::Client);
    assert_eq!(lab.error(Side::Client), Some(0x10a));
}

#[test]
fn every_violation_in_an_initial_packet_gives_its_own_error() {
    // RFC 9000 7.5 #3 test, RFC 9000 12.4 #3 test, RFC 9000 12.5 #3 test, RFC 9000 12.5 #5 test
    let far = [0x06, 0x80, 1, 0x20, 0, 1, 7];
    let cases: Vec<(&str, Vec<u8>, u64)> = vec![
        ("STREAM", vec![0x0a, 1, 1, 7], 0x0a),
        ("HANDSHAKE_DONE", vec![0x1e], 0x0a),
        ("application close", vec![0x1d, 0, 0], 0x0a),
        ("MAX_DATA", vec![0x10, 9], 0x0a),
        ("NEW_TOKEN", vec![0x07, 1, 9], 0x0a),
        ("unknown frame", vec![0x21], 0x07),
        ("CRYPTO beyond any buffer", far.to_vec(), 0x0d),
        ("ACK of nothing sent", vec![0x02, 9, 0, 0, 0], 0x0a),
    ];
    for (what, payload, code) in cases {
        let (mut client, now) = forge::fresh_client(1);
        let first = client.drive(now, &mut |_| {});
        let packet = forge::server_initial(&first[0].1.bytes, b"", &payload);
        client.receive(now, &forge::packet_to_client(packet));
        let info = client.connection.close_info();
        assert_eq!(info.map(|info| info.code), Some(code), "{what}");
        // The peer is told, in a full datagram that it may not have validated yet.
        let close = client.drive(now, &mut |_| {});
        assert!(
            !close.is_empty() && close[0].1.bytes.len() >= 1200,
            "{what}"
        );
    }
}

#[test]
fn four_kilobytes_of_crypto_data_out_of_order_are_kept() {
    // RFC 9000 7.5 #1 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    for nr in 1..=8u8 {
        let offset = (u16::from(nr) * 512).to_be_bytes();
        let mut frame = vec![0x06, offset[0] | 0x40, offset[1], 0x42, 0];
        frame.extend([nr; 512]);
        let packet = forge::numbered_initial(&first[0].1.bytes, nr, 0x66, b"", &frame);
        client.receive(now, &forge::packet_to_client(packet));
    }
    assert!(client.state().is_open());
    assert_eq!(client.stats.pkt_in, 8);
}

#[test]
fn the_first_packet_of_the_server_settles_its_connection_id_and_version() {
    // RFC 9000 7.2 #3 test, RFC 9000 7.2 #4 test, RFC 9000 7.2 #6 test, RFC 9000 5.2.1 #3 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let initial = &first[0].1.bytes;
    let close = [0x1c, 0x0a, 0, 0];
    let receive = |client: &mut quic_sim::peer::Peer, packet| {
        client.receive(now, &forge::packet_to_client(packet));
    };
    receive(
        &mut client,
        forge::numbered_initial(initial, 0, 0x66, b"", &[1]),
    );
    let answer = client.drive(now, &mut |_| {});
    let answer = &answer[0].1.bytes;
    assert_eq!(forge::long_ids(answer).0, [0x66; 8]);
    // Another source id, and another version: dropped, close or not.
    receive(
        &mut client,
        forge::numbered_initial(initial, 1, 0x67, b"", &close),
    );
    let mut other = forge::numbered_initial(initial, 1, 0x66, b"", &close);
    other[1..5].copy_from_slice(&0xff00_001du32.to_be_bytes());
    receive(&mut client, other);
    assert!(client.state().is_open());
    receive(
        &mut client,
        forge::numbered_initial(initial, 1, 0x66, b"", &close),
    );
    assert!(!client.state().is_open());
}

#[test]
fn a_client_does_not_open_early_packets() {
    // RFC 9001 5.6 #6 test, RFC 9001 5.6 #7 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let mut packet = forge::server_initial(&first[0].1.bytes, b"", &[0x1c, 0x0a, 0, 0]);
    // The same bytes as 0-RTT: the token length becomes the length.
    packet[0] = packet[0] & 0x0f | 0xd0;
    let (dropped, open) = (client.stats.pkt_inv_hdr_drop, client.stats.pkt_in);
    client.receive(now, &forge::packet_to_client(packet));
    assert!(client.stats.pkt_inv_hdr_drop > dropped && client.stats.pkt_in == open);
    assert!(client.state().is_open());
}

#[test]
fn a_listener_answers_nothing_that_it_must_drop() {
    // RFC 9000 5.2.2 #3 test, RFC 9000 5.2.2 #8 test, RFC 9000 6.1 #1 test
    let first = forge::first_flight(1);
    let initial = &first[0].bytes;
    let with = |at: usize, value: &[u8]| {
        let mut bytes = initial.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    let unknown = with(1, &0xff00_001du32.to_be_bytes());
    assert!(forge::is_unsupported(&unknown));
    assert!(forge::is_dropped(&unknown[..1199]));
    assert!(forge::is_dropped(&with(1, &[0; 4])));
    assert!(forge::is_dropped(&initial[..1199]));
    assert!(forge::is_dropped(&with(0, &[0xf0])));
    assert!(forge::is_dropped(&[]));
}
