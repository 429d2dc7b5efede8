// SPDX-License-Identifier: GPL-2.0

//! Reassembly against a map of bytes in which the first copy of a byte wins.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::*;
use crate::{
    buf::Datagram,
    common::test_config,
    mem::fail, //
};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    vec::Vec, //
};

const ROOM: usize = usize::MAX;

/// Bytes that differ by offset and by who sent them.
fn bytes(start: u64, len: usize, sender: u8) -> Vec<u8> {
    (start..)
        .take(len)
        .map(|at| (at as u8).wrapping_mul(31).wrapping_add(sender))
        .collect()
}

fn insert(assembler: &mut Assembler, start: u64, bytes: &[u8], room: usize) -> Result<(), Refused> {
    let datagram = datagram(bytes);
    insert_from(assembler, start, &datagram, bytes.len(), room)
}

fn datagram(bytes: &[u8]) -> Datagram {
    // Some bytes in front: pieces are parts of a datagram.
    let mut packet = std::vec![0xee; 5];
    packet.extend_from_slice(bytes);
    packet.push(0xee);
    Datagram::try_from_slice(&packet).unwrap()
}

fn insert_from(
    assembler: &mut Assembler,
    start: u64,
    datagram: &Datagram,
    len: usize,
    room: usize,
) -> Result<(), Refused> {
    let source = Source {
        datagram,
        at: 5,
        len,
    };
    assembler.insert(start, &source, room)
}

fn read(assembler: &mut Assembler, max: u64) -> Vec<u8> {
    let mut all = Vec::new();
    let count = assembler
        .read(max, &mut |bytes| {
            all.extend_from_slice(bytes);
            Ok(bytes.len())
        })
        .unwrap();
    assert_eq!(count, all.len() as u64);
    all
}

/// The reference: every byte known, and how far the application has read.
#[derive(Default)]
struct Model {
    known: BTreeMap<u64, u8>,
    read: u64,
}

impl Model {
    fn insert(&mut self, start: u64, bytes: &[u8]) {
        for (at, byte) in (start..).zip(bytes) {
            self.known.entry(at).or_insert(*byte);
        }
    }

    fn contiguous(&self) -> u64 {
        (self.read..)
            .find(|at| !self.known.contains_key(at))
            .unwrap()
    }

    fn read(&mut self, max: u64) -> Vec<u8> {
        let end = self.contiguous().min(self.read + max);
        let bytes = (self.read..end).map(|at| self.known[&at]).collect();
        self.read = end;
        bytes
    }

    fn ranges(&self) -> usize {
        let begin = self.contiguous();
        let ahead = self.known.range(begin..).map(|(at, _)| *at);
        ahead
            .filter(|at| !self.known.contains_key(&(at - 1)))
            .count()
    }
}

fn operations(longest: usize) -> impl Strategy<Value = Vec<(u64, usize, u8, u64)>> {
    prop::collection::vec((0u64..3000, 0..longest, 0u8..4, 0u64..400), 1..60)
}

fn agree(assembler: &Assembler, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(assembler.contiguous(), model.contiguous());
    prop_assert_eq!(assembler.read_offset(), model.read);
    prop_assert_eq!(assembler.ranges, model.ranges());
    let held = assembler.ready.iter().map(Piece::truesize).sum::<usize>()
        + assembler
            .ahead
            .iter()
            .map(|(_, piece)| piece.truesize())
            .sum::<usize>();
    prop_assert_eq!(assembler.truesize(), held);
    Ok(())
}

proptest! {
    #![proptest_config(test_config(300))]

    // RFC 9000 2.2 #1 test
    // RFC 9000 2.2 #3 test
    #[test]
    fn whatever_the_order_and_overlap_the_first_copy_is_read_in_order(
        long in any::<bool>(),
        operations in operations(600),
    ) {
        let (mut assembler, mut model) = (Assembler::default(), Model::default());
        for (start, len, sender, max) in operations {
            let len = if long { len } else { len % 20 };
            let frame = bytes(start, len, sender);
            insert(&mut assembler, start, &frame, ROOM).unwrap();
            model.insert(start, &frame);
            agree(&assembler, &model)?;
            let mut peeked = Vec::new();
            assembler.peek(max, &mut |bytes| {
                peeked.extend_from_slice(bytes);
                Ok(bytes.len())
            }).unwrap();
            let expected = model.read(max);
            prop_assert_eq!(&peeked, &expected);
            prop_assert_eq!(read(&mut assembler, max), expected);
            agree(&assembler, &model)?;
        }
    }

    #[test]
    fn a_frame_refused_for_lack_of_memory_can_be_offered_again(
        operations in operations(300),
        failing in 0u64..40,
    ) {
        let (mut assembler, mut model) = (Assembler::default(), Model::default());
        for (nr, (start, len, _, max)) in operations.into_iter().enumerate() {
            // One sender: with two, which copy is first would depend on what was refused.
            let frame = bytes(start, len, 0);
            let before = assembler.contiguous();
            let packet = datagram(&frame);
            fail::after((nr as u64 * 7 + failing) % 9);
            let result = insert_from(&mut assembler, start, &packet, len, ROOM);
            fail::off();
            prop_assert!(assembler.contiguous() >= before);
            if result.is_err() {
                prop_assert_eq!(result, Err(Refused::NoMemory));
                insert(&mut assembler, start, &frame, ROOM).unwrap();
            }
            model.insert(start, &frame);
            agree(&assembler, &model)?;
            prop_assert_eq!(read(&mut assembler, max), model.read(max));
        }
    }
}

#[test]
fn single_bytes_in_order_cost_little_more_than_their_number() {
    let mut assembler = Assembler::default();
    for at in 0..10_000 {
        insert(&mut assembler, at, &[7], ROOM).unwrap();
    }
    assert_eq!(assembler.contiguous(), 10_000);
    assert!(assembler.truesize() < 25_000, "{}", assembler.truesize());
    assert_eq!(read(&mut assembler, u64::MAX).len(), 10_000);
    assert_eq!(assembler.truesize(), 0);
}

#[test]
fn scattered_bytes_are_bounded_and_the_gap_can_still_be_closed() {
    let mut assembler = Assembler::default();
    let mut kept = 0;
    for at in 1..=2 * MAX_RANGES as u64 {
        match insert(&mut assembler, at * 2, &[1], ROOM) {
            Ok(()) => kept += 1,
            Err(error) => assert_eq!(error, Refused::TooManyRanges),
        }
    }
    assert_eq!(kept, MAX_RANGES);
    // Bytes that join two ranges make fewer, those in order make none.
    insert(&mut assembler, 3, &[1], ROOM).unwrap();
    insert(&mut assembler, 0, &[1, 1], ROOM).unwrap();
    assert_eq!(assembler.contiguous(), 5);
    assert_eq!(read(&mut assembler, 9), [1; 5]);
}

#[test]
fn without_room_only_bytes_in_order_are_taken() {
    let mut assembler = Assembler::default();
    insert(&mut assembler, 1000, &[2; 1000], ROOM).unwrap();
    let full = assembler.truesize();
    let refused = insert(&mut assembler, 3000, &[4; 1000], full);
    assert_eq!(refused, Err(Refused::NoMemory));
    insert(&mut assembler, 1500, &[9; 400], full + 400).unwrap();
    insert(&mut assembler, 0, &[1; 1000], 0).unwrap();
    assert_eq!(assembler.contiguous(), 2000);
    let all = read(&mut assembler, u64::MAX);
    assert_eq!((all[999], all[1000], all[1999]), (1, 2, 2));
}

#[test]
fn a_sink_that_fails_or_takes_less_leaves_the_rest() {
    let mut assembler = Assembler::default();
    insert(&mut assembler, 0, &[1; 300], ROOM).unwrap();
    insert(&mut assembler, 300, &[2; 300], ROOM).unwrap();
    assert_eq!(
        assembler.read(9, &mut |_| Err(Error::Invalid)),
        Err(Error::Invalid)
    );
    assert_eq!(
        assembler.read(600, &mut |bytes| Ok(bytes.len().min(7))),
        Ok(7)
    );
    let mut calls = 0;
    let partly = assembler.read(600, &mut |bytes| {
        calls += 1;
        if calls > 1 {
            return Err(Error::Invalid);
        }
        Ok(bytes.len())
    });
    assert_eq!((partly, assembler.read_offset()), (Ok(293), 300));
    assert_eq!(read(&mut assembler, 600), [2; 300]);
}

#[test]
fn discarding_frees_everything_and_goes_on_behind_it() {
    let mut assembler = Assembler::default();
    insert(&mut assembler, 0, &[1; 300], ROOM).unwrap();
    insert(&mut assembler, 400, &[2; 300], ROOM).unwrap();
    assembler.discard();
    assert_eq!((assembler.truesize(), assembler.read_offset()), (0, 300));
    assert!(read(&mut assembler, 600).is_empty());
}
