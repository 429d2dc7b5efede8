// SPDX-License-Identifier: GPL-2.0

//! Built packets, opened again.

#![forbid(unsafe_code)]

use super::*;
use crate::{
    aead::KeyError,
    common::{
        ConnectionId,
        RangeSet,
        Reader,
        Side,
        Version, //
    },
    crypto::{
        initial_keys,
        SpaceKeys, //
    },
    mem::fail,
    packet::{
        open,
        Packet,
        Sealed, //
    },
};
use proptest::prelude::*;

/// Bytes that tell their offset.
struct Pattern;

impl StreamSource for Pattern {
    fn copy(&self, offset: u64, out: &mut [u8]) {
        for (at, byte) in (offset..).zip(out) {
            *byte = at as u8;
        }
    }

    fn in_place(&self, offset: u64, _len: usize) -> bool {
        offset & 1 == 0
    }
}

fn pattern(offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Pattern.copy(offset, &mut bytes);
    bytes
}

fn keys() -> (SpaceKeys, SpaceKeys) {
    let dcid = ConnectionId::new(&[3; 8]).unwrap();
    let side = |side| initial_keys(Version::V1, &dcid, side).unwrap();
    (side(Side::Client), side(Side::Server))
}

fn header<'a>(level: Level, token: &'a [u8], ids: &'a [ConnectionId; 2]) -> OutHeader<'a> {
    OutHeader {
        level,
        version: Version::V1,
        dcid: &ids[0],
        scid: &ids[1],
        token,
        pn: 0x1234,
        largest_acked: Some(0x1200),
        key_phase: false,
        spin: false,
        fixed_bit: true,
    }
}

fn ids() -> [ConnectionId; 2] {
    [&[1; 8][..], &[2; 5]].map(|bytes| ConnectionId::new(bytes).unwrap())
}

/// Seals with the client's keys and opens with the server's; returns the payload.
fn through(buffer: &mut [u8], build: impl FnOnce(&mut [u8]) -> Unsealed<'_>) -> (Sealed, Vec<u8>) {
    let (mut client, mut server) = keys();
    let unsealed = build(buffer);
    let tail = unsealed.tail();
    let tail = tail.map_or(vec![], |tail| pattern(tail.offset, tail.len));
    // In two pieces, as it may come from two chunks.
    let (first, second) = tail.split_at(tail.len() / 2);
    let promised = unsealed.len;
    let sealed = client
        .tx
        .as_mut()
        .unwrap()
        .seal(unsealed, &[first, second])
        .unwrap();
    assert_eq!(sealed.len, promised);
    let packet = &mut buffer[..sealed.len];
    let Ok(Packet::Protected(header)) = Packet::parse_first(packet, 8) else {
        panic!("not a packet");
    };
    assert_eq!((header.len, header.level), (sealed.len, sealed.level));
    let opened = open(packet, &header, server.rx.as_mut().unwrap(), 0x1230).unwrap();
    assert_eq!(opened.pn, sealed.pn);
    (sealed, packet[opened.payload].to_vec())
}

#[test]
fn frames_arrive_as_they_were_written_in_every_kind_of_packet() {
    // RFC 9000 12.4 #1 test, RFC 9000 17.2 #8 test, RFC 9000 17.3.1 #2 test, RFC 9000 17.2 #2 test, RFC 9000 17.2 #5 test
    let ids = ids();
    for level in [Level::Initial, Level::Early, Level::Handshake, Level::App] {
        let token: &[u8] = if level == Level::Initial {
            &[9; 70]
        } else {
            &[]
        };
        let mut buffer = [0xee; 1200];
        let (sealed, payload) = through(&mut buffer, |buffer| {
            let mut builder = PacketBuilder::new(buffer, &header(level, token, &ids)).unwrap();
            assert!(builder.is_empty() && !builder.ack_eliciting());
            assert!(builder.write_frame(&Frame::Ping, Some(Token::Ping)));
            assert!(builder.ack_eliciting());
            builder.pad_to(100);
            builder.finish()
        });
        assert_eq!((sealed.level, sealed.pn), (level, 0x1234));
        assert!(sealed.ack_eliciting && sealed.in_flight);
        assert!(sealed.tokens.iter().eq(&[Token::Ping]));
        let mut reader = Reader::new(&payload);
        assert_eq!(Frame::parse(&mut reader), Ok(Frame::Ping));
        assert!(reader.rest().iter().all(|byte| *byte == 0));
        assert_eq!(
            sealed.len,
            if level == Level::Initial { 115 } else { 100 }.max(sealed.len)
        );
    }
}

#[test]
fn the_smallest_packets_are_long_enough_to_sample_and_to_hide_a_reset() {
    // RFC 9000 10.3 #4 test, RFC 9001 5.4.2 #1 test
    let ids = [ConnectionId::new(&[1; 8]).unwrap(), ConnectionId::EMPTY];
    let mut buffer = [0; 64];
    let (sealed, payload) = through(&mut buffer, |buffer| {
        let mut builder = PacketBuilder::new(buffer, &header(Level::App, &[], &ids)).unwrap();
        assert!(builder.write_frame(&Frame::Ping, None));
        builder.finish()
    });
    assert_eq!(sealed.len, ids[0].len() + 22);
    assert_eq!(payload[0], 1);
}

#[test]
fn a_frame_is_refused_where_it_may_not_be_or_does_not_fit() {
    // RFC 9000 12.5 #5 test, RFC 9000 13.2.6 #2 test, RFC 9000 17.2.3 #4 test
    let ids = ids();
    let mut buffer = [0; 80];
    let mut builder =
        PacketBuilder::new(&mut buffer, &header(Level::Handshake, &[], &ids)).unwrap();
    for frame in [
        Frame::HandshakeDone,
        Frame::MaxData { max: 1 },
        Frame::ImmediateAck,
    ] {
        assert!(!builder.write_frame(&frame, None));
    }
    let id = StreamId::from_raw(0).unwrap();
    assert_eq!(builder.write_stream(id, 0, 9, true, &Pattern), None);
    assert!(builder.is_empty());
    let mut other = [0; 80];
    let mut early = PacketBuilder::new(&mut other, &header(Level::Early, &[], &ids)).unwrap();
    let mut ranges = RangeSet::new();
    ranges.insert(1).unwrap();
    assert!(!early.write_ack(ranges.as_slice(), 0, None));
    assert_eq!(early.write_crypto(0, 9, &Pattern), None);
    assert!(early.is_empty());
    let room = builder.remaining();
    assert!(!builder.write_frame(&Frame::Padding { len: room + 1 }, None));
    assert!(builder.is_empty());
    assert!(builder.write_frame(&Frame::Padding { len: room }, None));
    assert_eq!((builder.remaining(), builder.len()), (0, 80));
    assert!(!builder.ack_eliciting());
}

#[test]
fn stream_bytes_that_fill_the_packet_are_sealed_in_place() {
    let ids = ids();
    let id = StreamId::from_raw(4).unwrap();
    for (offset, in_place) in [(0, true), (6, true), (7, false)] {
        let mut buffer = [0; 300];
        let (sealed, payload) = through(&mut buffer, |buffer| {
            let mut builder = PacketBuilder::new(buffer, &header(Level::App, &[], &ids)).unwrap();
            let room = builder.remaining();
            let written = builder
                .write_stream(id, offset, 5_000, true, &Pattern)
                .unwrap();
            assert_eq!(written, room - if offset == 0 { 2 } else { 3 });
            assert_eq!((builder.remaining(), builder.len()), (0, 300));
            // Nothing comes behind.
            assert!(!builder.write_frame(&Frame::Ping, None));
            assert_eq!(builder.write_stream(id, 0, 1, false, &Pattern), None);
            let unsealed = builder.finish();
            assert_eq!(unsealed.tail().is_some(), in_place);
            unsealed
        });
        assert_eq!(sealed.len, 300);
        let Ok(Frame::Stream(frame)) = Frame::parse(&mut Reader::new(&payload)) else {
            panic!("no stream frame");
        };
        assert_eq!((frame.id, frame.offset, frame.fin), (id, offset, false));
        assert_eq!(frame.data, pattern(offset, frame.data.len()));
        let token = Token::Stream {
            id,
            off: offset,
            len: frame.data.len() as u32,
            fin: false,
        };
        assert!(sealed.tokens.iter().eq(&[token]));
    }
}

#[test]
fn a_tail_of_another_length_is_not_sealed() {
    let ids = ids();
    let (mut client, _) = keys();
    let mut buffer = [0; 100];
    let mut builder = PacketBuilder::new(&mut buffer, &header(Level::App, &[], &ids)).unwrap();
    let id = StreamId::from_raw(0).unwrap();
    assert!(builder.write_stream(id, 0, 500, false, &Pattern).is_some());
    let sealed = client
        .tx
        .as_mut()
        .unwrap()
        .seal(builder.finish(), &[b"short"]);
    assert_eq!(sealed.map(|_| ()), Err(KeyError::Invalid));
}

#[test]
fn without_memory_for_a_token_nothing_is_written() {
    let ids = ids();
    let mut buffer = [0; 200];
    let mut builder = PacketBuilder::new(&mut buffer, &header(Level::App, &[], &ids)).unwrap();
    for max in 0..3 {
        assert!(builder.write_frame(&Frame::MaxData { max }, Some(Token::MaxData { max })));
    }
    let before = builder.len();
    fail::all_after(0);
    assert!(!builder.write_frame(&Frame::Ping, Some(Token::Ping)));
    assert_eq!(
        builder.write_stream(StreamId::from_raw(0).unwrap(), 0, 9, true, &Pattern),
        None
    );
    assert_eq!(builder.write_crypto(0, 9, &Pattern), None);
    fail::off();
    assert_eq!(builder.len(), before);
    assert!(builder.write_frame(&Frame::Ping, Some(Token::Ping)));
}

#[test]
fn an_ack_alone_elicits_nothing_and_is_not_in_flight() {
    let ids = ids();
    let mut ranges = RangeSet::new();
    ranges.insert_range(3..9).unwrap();
    let mut buffer = [0; 100];
    let (sealed, payload) = through(&mut buffer, |buffer| {
        let mut builder = PacketBuilder::new(buffer, &header(Level::App, &[], &ids)).unwrap();
        assert!(!builder.write_ack(&[], 0, None));
        assert!(builder.write_ack(ranges.as_slice(), 7, None));
        builder.finish()
    });
    assert!(!sealed.ack_eliciting && !sealed.in_flight);
    assert!(sealed.tokens.iter().eq(&[Token::Ack { largest: 8 }]));
    assert!(
        matches!(Frame::parse(&mut Reader::new(&payload)), Ok(Frame::Ack(ack)) if ack.ranges().eq([3..=8]))
    );
}

#[test]
fn large_datagrams_have_a_longer_length_field() {
    let ids = ids();
    let mut buffer = vec![0; 40_000];
    let (sealed, payload) = through(&mut buffer, |buffer| {
        let mut builder = PacketBuilder::new(buffer, &header(Level::Handshake, &[], &ids)).unwrap();
        assert!(builder.write_crypto(0, 30_000, &Pattern).is_some());
        builder.finish()
    });
    assert!(sealed.len > 30_000);
    let Ok(Frame::Crypto(frame)) = Frame::parse(&mut Reader::new(&payload)) else {
        panic!("no frame");
    };
    assert_eq!(frame.data, pattern(0, 30_000));
}

proptest! {
    #![proptest_config(crate::common::test_config(600))]

    /// Streams of any length into packets of any size: what is said to be written is there.
    #[test]
    fn any_mix_of_frames_fits_exactly_or_is_refused(
        size in 32..400usize,
        pieces in proptest::collection::vec(
            (0..5u8, 0..1u64 << 62, 0..40u32, 0..600usize, any::<bool>()), 0..12
        ),
    ) {
        let ids = ids();
        let mut buffer = vec![0; size];
        let mut expected = vec![];
        let mut empty = true;
        let (sealed, payload) = through(&mut buffer, |buffer| {
            let mut builder = PacketBuilder::new(buffer, &header(Level::App, &[], &ids)).unwrap();
            for (kind, raw, shift, len, fin) in pieces {
                let (raw, room) = (raw >> shift, builder.remaining());
                let offset = raw.min((1 << 62) - 1 - len as u64);
                match kind {
                    0 => {
                        let frame = Frame::MaxData { max: raw };
                        let fits = frame.encoded_len() <= room;
                        assert_eq!(builder.write_frame(&frame, Some(Token::MaxData { max: raw })), fits);
                        if fits {
                            expected.push(Token::MaxData { max: raw });
                        }
                    }
                    1 => {
                        if let Some(count) = builder.write_crypto(offset, len, &Pattern) {
                            assert!(count > 0 && (count == len || builder.remaining() < 3));
                            expected.push(Token::Crypto { off: offset, len: count as u32 });
                        }
                    }
                    _ => {
                        let id = StreamId::from_raw(raw).unwrap();
                        match builder.write_stream(id, offset, len, fin, &Pattern) {
                            Some(count) => {
                                assert!(count == len || builder.remaining() < 3);
                                let fin = fin && count == len;
                                expected.push(Token::Stream { id, off: offset, len: count as u32, fin });
                            }
                            None => assert!(room < 20 || (len == 0 && !fin)),
                        }
                    }
                }
                assert!(builder.len() <= size);
            }
            empty = builder.is_empty();
            builder.finish()
        });
        prop_assert!(sealed.len <= size);
        prop_assert_eq!(empty, expected.is_empty());
        let mut found = vec![];
        let mut reader = Reader::new(&payload);
        while !reader.is_empty() {
            match Frame::parse(&mut reader).unwrap() {
                Frame::MaxData { max } => found.push(Token::MaxData { max }),
                Frame::Crypto(frame) => {
                    prop_assert_eq!(frame.data, pattern(frame.offset, frame.data.len()));
                    found.push(Token::Crypto { off: frame.offset, len: frame.data.len() as u32 });
                }
                Frame::Stream(frame) => {
                    prop_assert_eq!(frame.data, pattern(frame.offset, frame.data.len()));
                    let (id, off, fin) = (frame.id, frame.offset, frame.fin);
                    found.push(Token::Stream { id, off, len: frame.data.len() as u32, fin });
                }
                frame => assert!(matches!(frame, Frame::Padding { .. })),
            }
        }
        prop_assert_eq!(&found, &expected);
        prop_assert!(sealed.tokens.iter().eq(&expected));
    }
}
