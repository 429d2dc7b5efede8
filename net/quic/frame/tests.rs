// SPDX-License-Identifier: GPL-2.0

//! Frames as bytes, the errors of bad ones, and the table of RFC 9000 section 12.4.

use super::*;
use crate::common::{
    Level,
    Reader,
    VarInt,
    Writer, //
};
use proptest::prelude::*;

fn id(raw: u64) -> StreamId {
    StreamId::from_raw(raw).unwrap()
}

fn stream(raw: u64, offset: u64, fin: bool, data: &[u8], at: usize) -> Frame<'_> {
    Frame::Stream(StreamFrame {
        id: id(raw),
        offset,
        fin,
        data,
        at,
    })
}

/// One frame of every type in its own encoding.
fn samples() -> Vec<(&'static [u8], Frame<'static>)> {
    let close = |code, app, frame, reason| {
        let code = ErrorCode(code);
        Frame::ConnectionClose(CloseFrame {
            code,
            app,
            frame,
            reason,
        })
    };
    let cid = ConnectionId::new(&[1, 2, 3]).unwrap();
    vec![
        (&[0, 0, 0], Frame::Padding { len: 3 }),
        (&[1], Frame::Ping),
        (
            &[4, 8, 0x40, 0x99, 5],
            Frame::ResetStream {
                id: id(8),
                code: 0x99,
                final_size: 5,
            },
        ),
        (&[5, 9, 1], Frame::StopSending { id: id(9), code: 1 }),
        (
            &[6, 0x41, 0, 2, 7, 8],
            Frame::Crypto(CryptoFrame {
                offset: 256,
                data: &[7, 8],
                at: 4,
            }),
        ),
        (&[7, 2, 5, 6], Frame::NewToken { token: &[5, 6] }),
        (&[0x0a, 4, 2, 7, 8], stream(4, 0, false, &[7, 8], 3)),
        (&[0x0b, 4, 0], stream(4, 0, true, &[], 3)),
        (&[0x0e, 4, 9, 1, 7], stream(4, 9, false, &[7], 4)),
        (&[0x0f, 4, 9, 1, 7], stream(4, 9, true, &[7], 4)),
        (&[0x10, 0x41, 0], Frame::MaxData { max: 256 }),
        (&[0x11, 3, 1], Frame::MaxStreamData { id: id(3), max: 1 }),
        (
            &[0x12, 9],
            Frame::MaxStreams {
                dir: Dir::Bidi,
                max: 9,
            },
        ),
        (
            &[0x13, 9],
            Frame::MaxStreams {
                dir: Dir::Uni,
                max: 9,
            },
        ),
        (&[0x14, 1], Frame::DataBlocked { limit: 1 }),
        (
            &[0x15, 2, 1],
            Frame::StreamDataBlocked {
                id: id(2),
                limit: 1,
            },
        ),
        (
            &[0x16, 1],
            Frame::StreamsBlocked {
                dir: Dir::Bidi,
                limit: 1,
            },
        ),
        (
            &[0x17, 1],
            Frame::StreamsBlocked {
                dir: Dir::Uni,
                limit: 1,
            },
        ),
        (
            &[
                0x18, 5, 4, 3, 1, 2, 3, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9,
            ],
            Frame::NewConnectionId(NewConnectionId {
                seq: 5,
                retire_prior_to: 4,
                id: cid,
                token: [9; 16],
            }),
        ),
        (&[0x19, 5], Frame::RetireConnectionId { seq: 5 }),
        (
            &[0x1a, 1, 2, 3, 4, 5, 6, 7, 8],
            Frame::PathChallenge {
                data: [1, 2, 3, 4, 5, 6, 7, 8],
            },
        ),
        (
            &[0x1b, 1, 2, 3, 4, 5, 6, 7, 8],
            Frame::PathResponse {
                data: [1, 2, 3, 4, 5, 6, 7, 8],
            },
        ),
        (&[0x1c, 10, 8, 2, b'n', b'o'], close(10, false, 8, b"no")),
        (&[0x1d, 10, 2, b'n', b'o'], close(10, true, 0, b"no")),
        (&[0x1e], Frame::HandshakeDone),
        (&[0x1f], Frame::ImmediateAck),
        (
            &[0x24, 8, 1, 5, 4],
            Frame::ResetStreamAt {
                id: id(8),
                code: 1,
                final_size: 5,
                reliable_size: 4,
            },
        ),
        (
            &[0x31, 2, 7, 8],
            Frame::Datagram(DatagramFrame {
                data: &[7, 8],
                at: 2,
            }),
        ),
        (
            &[0x40, 0xaf, 1, 2, 3, 4],
            Frame::AckFrequency(AckFrequency {
                seq: 1,
                threshold: 2,
                max_ack_delay: 3,
                reordering_threshold: 4,
            }),
        ),
    ]
}

#[test]
fn every_type_reads_and_writes_as_the_rfc_says() {
    // RFC 9000 12.4 #5 test
    for (bytes, frame) in samples() {
        let mut reader = Reader::new(bytes);
        assert_eq!(Frame::parse(&mut reader), Ok(frame.clone()), "{bytes:x?}");
        assert!(reader.is_empty());
        assert_eq!(frame.encoded_len(), bytes.len(), "{frame:?}");
        let mut buffer = [0xee; 32];
        let mut writer = Writer::new(&mut buffer);
        frame.encode(&mut writer).unwrap();
        assert_eq!(writer.written(), bytes);
        // One byte less is one too few, in either direction.
        let short = &mut [0; 32][..bytes.len() - 1];
        let mut writer = Writer::new(short);
        assert!(frame.encode(&mut writer).is_err(), "{frame:?}");
        assert_eq!(writer.position(), 0);
    }
}

#[test]
fn a_truncated_frame_is_badly_formatted() {
    for (bytes, frame) in samples() {
        for cut in 1..bytes.len() {
            if matches!(frame, Frame::Padding { .. }) {
                continue;
            }
            let error = Frame::parse(&mut Reader::new(&bytes[..cut])).unwrap_err();
            assert_eq!(
                error.code,
                ErrorCode::FRAME_ENCODING_ERROR,
                "{bytes:x?} {cut}"
            );
            let two_byte_type = bytes[0] & 0x40 != 0;
            let known = if two_byte_type && cut < 2 {
                0
            } else {
                frame.frame_type()
            };
            assert_eq!(error.frame, known);
        }
    }
}

#[test]
fn frames_without_length_take_the_rest_of_the_packet() {
    let cases: [(&[u8], Frame<'_>); 4] = [
        (&[0x08, 4, 7, 8], stream(4, 0, false, &[7, 8], 2)),
        (&[0x09, 4], stream(4, 0, true, &[], 2)),
        (&[0x0d, 4, 1, 7], stream(4, 1, true, &[7], 3)),
        (
            &[0x30, 7, 8],
            Frame::Datagram(DatagramFrame {
                data: &[7, 8],
                at: 1,
            }),
        ),
    ];
    for (bytes, frame) in cases {
        assert_eq!(Frame::parse(&mut Reader::new(bytes)), Ok(frame));
    }
}

const FRAME_ENCODING: ErrorCode = ErrorCode::FRAME_ENCODING_ERROR;

#[test]
fn bad_values_give_the_error_that_the_rfc_names() {
    // RFC 9000 4.6 #1 test, RFC 9000 12.4 #4 test, RFC 9000 12.4 #6 test, RFC 9000 19.6 #1 test,
    // RFC 9000 19.7 #2 test, RFC 9000 19.8 #2 test, RFC 9000 19.11 #1 test, RFC 9000 19.14 #2 test,
    // RFC 9000 19.15 #1 test, RFC 9000 19.15 #7 test
    let too_many = [0xd0, 0, 0, 0, 0, 0, 0, 1];
    let end_of_offsets = [0xff; 8];
    let with = |ty: u8, rest: &[u8]| [&[ty], rest].concat();
    let cid = |len: u8| [&[0x18, 5, 5, len][..], &[1; 40]].concat();
    let cases: Vec<(Vec<u8>, ErrorCode)> = vec![
        // Types: unknown, not in the shortest form.
        (vec![0x20], FRAME_ENCODING),
        (vec![0x80, 0, 0x40, 0], FRAME_ENCODING),
        (vec![0x40, 0x01], ErrorCode::PROTOCOL_VIOLATION),
        (
            vec![0x80, 0, 0, 0xaf, 1, 2, 3, 4],
            ErrorCode::PROTOCOL_VIOLATION,
        ),
        // Counts of streams beyond 2^60.
        (with(0x12, &too_many), FRAME_ENCODING),
        (with(0x13, &too_many), FRAME_ENCODING),
        (with(0x16, &too_many), FRAME_ENCODING),
        (with(0x17, &too_many), FRAME_ENCODING),
        // Data that ends beyond 2^62 - 1.
        (
            [&[0x0e, 4][..], &end_of_offsets, &[1, 9]].concat(),
            FRAME_ENCODING,
        ),
        (
            [&[0x0c, 4][..], &end_of_offsets, &[9]].concat(),
            FRAME_ENCODING,
        ),
        (
            [&[0x06][..], &end_of_offsets, &[1, 9]].concat(),
            FRAME_ENCODING,
        ),
        // An empty token.
        (vec![7, 0], FRAME_ENCODING),
        // Connection ids of no bytes and of 21; one that retires later ones.
        (cid(0), FRAME_ENCODING),
        (cid(21), FRAME_ENCODING),
        ([&[0x18, 5, 6, 1][..], &[1; 17]].concat(), FRAME_ENCODING),
        // More reliable bytes than there are.
        (vec![0x24, 8, 1, 5, 6], FRAME_ENCODING),
        // A close whose phrase is longer than the packet.
        (vec![0x1c, 0, 0, 0x44, 0], FRAME_ENCODING),
        // A negative packet number.
        (vec![2, 3, 0, 0, 4], FRAME_ENCODING),
    ];
    for (bytes, code) in cases {
        let error = Frame::parse(&mut Reader::new(&bytes)).unwrap_err();
        assert_eq!(error.code, code, "{bytes:x?}");
    }
    // The largest legal values next to them.
    for (bytes, rest) in [
        (vec![0x12, 0xd0, 0, 0, 0, 0, 0, 0, 0], 0),
        ([&[0x0e, 4][..], &end_of_offsets, &[0]].concat(), 0),
        (cid(1), 23),
        (cid(20), 4),
    ] {
        let mut reader = Reader::new(&bytes);
        assert!(Frame::parse(&mut reader).is_ok(), "{bytes:x?}");
        assert_eq!(reader.remaining(), rest);
    }
}

#[test]
fn each_type_is_allowed_in_the_packets_of_the_table() {
    // RFC 9000 12.4 #3 test, RFC 9000 12.5 #3 test, RFC 9000 12.5 #5 test,
    // RFC 9000 12.5 #6 test, RFC 9000 17.2.4 #2 test, RFC 9001 8.3 #2 test
    let allowed = |ty: u64| match ty {
        0x00 | 0x01 | 0x1c => "IH01",
        0x02 | 0x03 | 0x06 => "IH_1",
        0x07 | 0x19 | 0x1b | 0x1e | 0x1f | 0xaf => "___1",
        _ => "__01",
    };
    let ack = [3, 9, 0, 0, 1, 0, 0, 0];
    let ack = Frame::parse(&mut Reader::new(&ack)).unwrap();
    for frame in samples().into_iter().map(|sample| sample.1).chain([ack]) {
        let levels = [
            (Level::Initial, 'I'),
            (Level::Handshake, 'H'),
            (Level::Early, '0'),
            (Level::App, '1'),
        ];
        for (level, letter) in levels {
            let expected = allowed(frame.frame_type()).contains(letter);
            assert_eq!(frame.allowed_in(level), expected, "{frame:?} {level:?}");
        }
    }
}

#[test]
fn each_type_elicits_probes_and_counts_as_the_table_says() {
    // RFC 9000 19.21 #3 test, RFC 9000 19.21 #4 test
    for frame in samples().into_iter().map(|sample| sample.1) {
        let ty = frame.frame_type();
        let not_eliciting = [0x00, 0x02, 0x03, 0x1c, 0x1d].contains(&ty);
        assert_eq!(frame.is_ack_eliciting(), !not_eliciting, "{frame:?}");
        let probing = [0x00, 0x18, 0x1a, 0x1b].contains(&ty);
        assert_eq!(frame.is_probing(), probing, "{frame:?}");
        assert_eq!(frame.is_in_flight(), !not_eliciting || ty == 0, "{frame:?}");
    }
}

#[test]
fn values_that_no_integer_can_carry_are_not_written() {
    let frame = Frame::MaxData {
        max: VarInt::MAX + 1,
    };
    let mut buffer = [0; 32];
    let mut writer = Writer::new(&mut buffer);
    assert!(frame.encode(&mut writer).is_err());
    assert_eq!(writer.position(), 0);
}

proptest! {
    #![proptest_config(crate::common::test_config(4_000))]

    /// Most random bytes start with one of the known types.
    #[test]
    fn random_bytes_give_frames_that_write_back_or_an_error(
        first in prop_oneof![0..0x32u8, any::<u8>()],
        bytes in proptest::collection::vec(prop_oneof![0..64u8, any::<u8>()], 0..80)
    ) {
        let bytes = [&[first][..], &bytes].concat();
        let mut reader = Reader::new(&bytes);
        while !reader.is_empty() {
            let start = reader.position();
            let Ok(frame) = Frame::parse(&mut reader) else {
                break;
            };
            prop_assert!(reader.position() > start);
            let mut buffer = [0; 200];
            let mut writer = Writer::new(&mut buffer);
            prop_assert!(frame.encode(&mut writer).is_ok());
            prop_assert_eq!(writer.position(), frame.encoded_len());
            let mut again = Reader::new(writer.written());
            match (&frame, Frame::parse(&mut again).unwrap()) {
                // Where the bytes are depends on whether the length was written.
                (Frame::Stream(a), Frame::Stream(b)) => {
                    prop_assert_eq!((a.id, a.offset, a.fin, a.data), (b.id, b.offset, b.fin, b.data));
                    prop_assert_eq!(&bytes[a.at..a.at + a.data.len()], a.data);
                }
                (Frame::Crypto(a), Frame::Crypto(b)) => {
                    prop_assert_eq!((a.offset, a.data), (b.offset, b.data));
                    prop_assert_eq!(&bytes[a.at..a.at + a.data.len()], a.data);
                }
                (Frame::Datagram(a), Frame::Datagram(b)) => {
                    prop_assert_eq!(a.data, b.data);
                    prop_assert_eq!(&bytes[a.at..a.at + a.data.len()], a.data);
                }
                (a, b) => prop_assert_eq!(a, &b),
            }
            prop_assert!(again.is_empty());
        }
    }
}
