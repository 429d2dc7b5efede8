// SPDX-License-Identifier: GPL-2.0

//! Ranges as bytes, and what fits of a set.

#![forbid(unsafe_code)]

use super::*;
use crate::common::RangeSet;
use proptest::prelude::*;

fn parse(bytes: &[u8], with_ecn: bool) -> Result<AckFrame<'_>, AckError> {
    AckFrame::parse(&mut Reader::new(bytes), with_ecn)
}

#[test]
fn ranges_are_walked_from_the_largest_down() {
    // 10, 9; a gap of 8, 7 and 6; 5; a gap of 4 alone; 3 to 0.
    let ack = parse(&[10, 7, 2, 1, 2, 0, 0, 3], false).unwrap();
    assert!(ack.ranges().eq([9..=10, 5..=5, 0..=3]));
    assert_eq!((ack.largest, ack.delay, ack.range_count()), (10, 7, 3));
}

#[test]
fn a_negative_packet_number_is_refused() {
    // RFC 9000 19.3.1 #1 test
    for bytes in [
        &[10, 0, 0, 11][..],        // First range below zero.
        &[10, 0, 1, 1, 8, 0],       // Gap below zero.
        &[10, 0, 1, 1, 7, 1],       // Range below zero.
        &[1, 0, 1, 0, 0, 0],        // The gap itself needs two numbers.
        &[10, 0, 2, 1, 5, 0, 2, 0], // The second of two.
    ] {
        assert_eq!(parse(bytes, false), Err(AckError::Negative), "{bytes:?}");
    }
    assert!(parse(&[10, 0, 1, 1, 7, 0], false).is_ok());
}

#[test]
fn both_types_are_understood_and_cut_ones_refused() {
    // RFC 9000 19.3 #1 test
    let bytes = [10, 0, 1, 1, 7, 0, 5, 6, 0x40, 0x77];
    let ack = parse(&bytes, true).unwrap();
    let ecn = EcnCounts {
        ect0: 5,
        ect1: 6,
        ce: 0x77,
    };
    assert_eq!(ack.ecn, Some(ecn));
    for cut in 0..bytes.len() {
        assert_eq!(parse(&bytes[..cut], true), Err(AckError::Truncated));
    }
    assert_eq!(parse(&bytes, false).unwrap().ecn, None);
}

#[test]
fn a_count_larger_than_the_packet_ends_with_the_packet() {
    let mut bytes = vec![0x80, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff];
    bytes.extend([0xff; 4]);
    bytes.extend([0; 1_000]);
    assert_eq!(parse(&bytes, false), Err(AckError::Truncated));
}

proptest! {
    #![proptest_config(crate::common::test_config(400))]

    #[test]
    fn what_fits_is_the_top_of_the_set(
        starts in proptest::collection::btree_map(0..5_000u64, 1..70u64, 1..150),
        room in 0..400usize,
        delay in 0..1u64 << 40,
        ecn in proptest::option::of((0..70u64, 0..70u64, 0..70_000u64)),
    ) {
        let mut set = RangeSet::new();
        for (start, len) in starts {
            set.insert_range(start..start + len).unwrap();
        }
        let ecn = ecn.map(|(ect0, ect1, ce)| EcnCounts { ect0, ect1, ce });
        let mut buffer = [0; 400];
        let mut writer = Writer::new(&mut buffer[..room]);
        match encode_ack(set.as_slice(), delay, ecn, &mut writer) {
            Ok(largest) => {
                prop_assert_eq!(Some(largest), set.max());
                let mut reader = Reader::new(writer.written());
                let with_ecn = reader.u8().unwrap() == 3;
                let ack = AckFrame::parse(&mut reader, with_ecn).unwrap();
                prop_assert!(reader.is_empty());
                prop_assert_eq!((ack.delay, ack.ecn), (delay, ecn));
                let all = set.iter().rev().map(|range| range.start..=range.end - 1);
                prop_assert!(ack.ranges().eq(all.take(ack.range_count() as usize)));
                // Nothing is left out while there is room for a further range.
                let complete = ack.range_count() as usize == set.len();
                prop_assert!(complete || room - writer.position() < 5);
            }
            Err(NoSpace) => {
                prop_assert_eq!(writer.position(), 0);
                prop_assert!(room < 45);
            }
        }
    }
}
