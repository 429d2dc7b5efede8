// SPDX-License-Identifier: GPL-2.0

//! Frames and the ranges of acknowledgements.

#![forbid(unsafe_code)]

use quic_core::{
    common::{
        RangeSet,
        Reader,
        Writer, //
    },
    frame::{
        encode_ack,
        Frame, //
    },
};

/// A packet's payload: frames that write back to what they were, until one is refused.
pub fn frames(payload: &[u8]) {
    let mut reader = Reader::new(payload);
    while !reader.is_empty() {
        let Ok(frame) = Frame::parse(&mut reader) else {
            return;
        };
        let mut buffer = vec![0; payload.len() + 16];
        let mut writer = Writer::new(&mut buffer);
        frame.encode(&mut writer).expect("what was read fits");
        assert_eq!(writer.position(), frame.encoded_len());
        let mut again = Reader::new(writer.written());
        let second = Frame::parse(&mut again).expect("what was written is read");
        assert!(again.is_empty());
        assert!(is_same(payload, &frame, &second), "{frame:?} {second:?}");
    }
}

/// Where bytes are differs when the first frame had no length; all else is equal.
fn is_same(payload: &[u8], first: &Frame<'_>, second: &Frame<'_>) -> bool {
    match (first, second) {
        (Frame::Stream(a), Frame::Stream(b)) => {
            &payload[a.at..][..a.data.len()] == b.data
                && (a.id, a.offset, a.fin) == (b.id, b.offset, b.fin)
        }
        (Frame::Crypto(a), Frame::Crypto(b)) => {
            &payload[a.at..][..a.data.len()] == b.data && a.offset == b.offset
        }
        (Frame::Datagram(a), Frame::Datagram(b)) => &payload[a.at..][..a.data.len()] == b.data,
        (a, b) => a == b,
    }
}

/// An ACK frame: its ranges descend, and a set made of them writes the same ranges again.
pub fn ack(body: &[u8]) {
    let bytes = [&[3], body].concat();
    let Ok(Frame::Ack(ack)) = Frame::parse(&mut Reader::new(&bytes)) else {
        return;
    };
    let mut below = None;
    let mut set = RangeSet::new();
    let mut count = 0;
    for range in ack.ranges() {
        assert!(range.start() <= range.end());
        // At least one number lies between two ranges.
        assert!(below.is_none_or(|below| range.end() + 1 < below));
        below = Some(*range.start());
        set.insert_range(*range.start()..range.end() + 1)
            .expect("memory");
        count += 1;
    }
    assert_eq!(count, ack.range_count());
    let mut buffer = vec![0; bytes.len() + 64];
    let mut writer = Writer::new(&mut buffer);
    let largest = encode_ack(set.as_slice(), ack.delay, ack.ecn, &mut writer);
    assert_eq!(largest, Ok(ack.largest));
    match Frame::parse(&mut Reader::new(writer.written())) {
        Ok(Frame::Ack(again)) => assert!(again.ranges().eq(ack.ranges())),
        other => panic!("{other:?}"),
    }
}
