// SPDX-License-Identifier: GPL-2.0

//! The send buffer against a model in which every byte has a state of its own.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::*;
use crate::{
    common::test_config,
    mem::fail, //
};
use proptest::prelude::*;
use std::vec::Vec;

fn byte(at: u64) -> u8 {
    (at as u8).wrapping_mul(17).wrapping_add((at >> 8) as u8)
}

fn push(buffer: &mut SendBuffer, len: usize) {
    let bytes: Vec<u8> = (buffer.end()..).take(len).map(byte).collect();
    buffer.push(Chunk::try_from_slice(&bytes).unwrap()).unwrap();
}

/// Sends at most `max` bytes; returns the range.
fn send(buffer: &mut SendBuffer, limit: u64, max: u64) -> Option<Range<u64>> {
    let range = buffer.next_range(limit)?;
    let range = range.start..range.end.min(range.start + max);
    buffer.on_sent(&range);
    Some(range)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Byte {
    Unsent,
    Flying,
    Lost,
    Acked,
}

#[derive(Clone, Debug)]
enum Op {
    Push(usize),
    Send(u64),
    Ack(usize),
    Lose(usize),
}

fn operation() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (1usize..500).prop_map(Op::Push),
        6 => (1u64..200).prop_map(Op::Send),
        4 => (0usize..64).prop_map(Op::Ack),
        3 => (0usize..64).prop_map(Op::Lose),
    ]
}

/// The bytes of `range` by both ways of reading.
fn check_bytes(buffer: &SendBuffer, range: &Range<u64>) -> Result<(), TestCaseError> {
    let len = (range.end - range.start) as usize;
    let expected: Vec<u8> = (range.start..range.end).map(byte).collect();
    let mut copied = std::vec![0; len];
    prop_assert!(buffer.copy_to(range.start, &mut copied));
    prop_assert_eq!(&copied, &expected);
    let mut slices = [&[][..]; 256];
    let count = buffer.segments(range, &mut slices).unwrap();
    prop_assert_eq!(slices[..count].concat(), expected);
    prop_assert_eq!(buffer.segment_count(range, 1000), count);
    Ok(())
}

struct Model {
    bytes: Vec<Byte>,
    flying: Vec<Range<u64>>,
}

impl Model {
    fn each(&mut self, range: &Range<u64>, change: impl Fn(Byte) -> Byte) {
        for byte in &mut self.bytes[range.start as usize..range.end as usize] {
            *byte = change(*byte);
        }
    }

    fn on_sent(&mut self, range: &Range<u64>) -> Result<(), TestCaseError> {
        let sent = self.bytes[range.start as usize..range.end as usize].to_vec();
        // Nothing acknowledged and nothing in flight is sent again.
        prop_assert!(sent
            .iter()
            .all(|byte| matches!(byte, Byte::Unsent | Byte::Lost)));
        // What was lost goes before what is new.
        let lost_left = self.bytes.contains(&Byte::Lost);
        prop_assert!(!lost_left || sent[0] == Byte::Lost);
        self.each(range, |_| Byte::Flying);
        self.flying.push(range.clone());
        Ok(())
    }

    fn take(&mut self, nr: usize) -> Option<Range<u64>> {
        if self.flying.is_empty() {
            return None;
        }
        let nr = nr % self.flying.len();
        Some(self.flying.remove(nr))
    }
}

proptest! {
    #![proptest_config(test_config(300))]

    // RFC 9000 13.3 #4 test
    // RFC 9000 13.3 #6 test
    #[test]
    fn every_byte_is_sent_until_acknowledged_and_no_longer(
        operations in prop::collection::vec(operation(), 1..150),
    ) {
        let mut buffer = SendBuffer::default();
        let mut model = Model { bytes: Vec::new(), flying: Vec::new() };
        for operation in operations {
            match operation {
                Op::Push(len) => {
                    push(&mut buffer, len);
                    model.bytes.extend(core::iter::repeat_n(Byte::Unsent, len));
                }
                Op::Send(max) => {
                    let waits = model.bytes.iter().any(|b| matches!(b, Byte::Unsent | Byte::Lost));
                    let range = send(&mut buffer, u64::MAX, max);
                    prop_assert_eq!(range.is_some(), waits);
                    if let Some(range) = range {
                        check_bytes(&buffer, &range)?;
                        model.on_sent(&range)?;
                    }
                }
                Op::Ack(nr) => if let Some(range) = model.take(nr) {
                    buffer.on_acked(&range);
                    model.each(&range, |_| Byte::Acked);
                },
                Op::Lose(nr) => if let Some(range) = model.take(nr) {
                    buffer.on_lost(&range);
                    model.each(&range, |byte| match byte {
                        Byte::Acked => byte,
                        _ => Byte::Lost,
                    });
                },
            }
            let acked = model.bytes.iter().all(|byte| *byte == Byte::Acked);
            prop_assert_eq!(buffer.is_acked(), acked);
            prop_assert_eq!(buffer.truesize() == 0, acked);
        }
    }

    #[test]
    fn without_memory_bytes_are_sent_again_but_none_is_forgotten(
        operations in prop::collection::vec(operation(), 1..150),
    ) {
        let mut buffer = SendBuffer::default();
        let mut flying: Vec<Range<u64>> = Vec::new();
        for operation in operations {
            match operation {
                Op::Push(len) => push(&mut buffer, len),
                Op::Send(max) => flying.extend(send(&mut buffer, u64::MAX, max)),
                Op::Ack(nr) if nr < flying.len() => {
                    let range = flying.remove(nr);
                    fail::all_after(0);
                    buffer.on_acked(&range);
                    fail::off();
                }
                Op::Lose(nr) if nr < flying.len() => {
                    let range = flying.remove(nr);
                    fail::all_after(0);
                    buffer.on_lost(&range);
                    fail::off();
                }
                _ => {}
            }
        }
        // What is in flight arrives, and what waits is sent and arrives.
        for range in flying {
            buffer.on_acked(&range);
        }
        while let Some(range) = send(&mut buffer, u64::MAX, 100) {
            check_bytes(&buffer, &range)?;
            buffer.on_acked(&range);
        }
        prop_assert!(buffer.is_acked());
        prop_assert_eq!(buffer.truesize(), 0);
    }
}

#[test]
fn new_bytes_stop_at_the_limit_and_lost_ones_do_not() {
    let mut buffer = SendBuffer::default();
    push(&mut buffer, 100);
    assert_eq!(send(&mut buffer, 60, 1000), Some(0..60));
    assert_eq!(send(&mut buffer, 60, 1000), None);
    buffer.on_lost(&(10..20));
    assert_eq!(send(&mut buffer, 0, 1000), Some(10..20));
    assert_eq!((buffer.sent(), buffer.unsent()), (60, 40));
}

#[test]
fn a_loss_after_an_acknowledgement_of_the_same_bytes_is_no_loss() {
    let mut buffer = SendBuffer::default();
    push(&mut buffer, 100);
    send(&mut buffer, u64::MAX, 100);
    buffer.on_acked(&(20..40));
    buffer.on_lost(&(10..60));
    assert_eq!(send(&mut buffer, 0, 1000), Some(10..20));
    assert_eq!(send(&mut buffer, 0, 1000), Some(40..60));
    assert_eq!(send(&mut buffer, 0, 1000), None);
    assert!(buffer.is_sent());
}

#[test]
fn chunks_are_freed_as_the_front_is_acknowledged() {
    let mut buffer = SendBuffer::default();
    for _ in 0..10 {
        push(&mut buffer, 100);
    }
    let one = buffer.truesize() / 10;
    send(&mut buffer, u64::MAX, 1000);
    buffer.on_acked(&(100..300));
    assert_eq!(buffer.truesize(), 10 * one);
    buffer.on_acked(&(0..100));
    assert_eq!(buffer.truesize(), 7 * one);
    assert!(!buffer.copy_to(299, &mut [0; 2]));
    assert!(buffer.segments(&(100..200), &mut [&[][..]; 4]).is_none());
}

#[test]
fn a_rejected_start_makes_everything_new_again() {
    let mut buffer = SendBuffer::default();
    push(&mut buffer, 100);
    send(&mut buffer, u64::MAX, 70);
    buffer.on_lost(&(0..10));
    assert_eq!(buffer.forget_sent(), 70);
    assert_eq!((buffer.sent(), buffer.unsent()), (0, 100));
    assert_eq!(send(&mut buffer, 50, 1000), Some(0..50));
}

#[test]
fn a_cut_leaves_what_lies_in_front_of_it() {
    let mut buffer = SendBuffer::default();
    push(&mut buffer, 100);
    let one = buffer.truesize();
    push(&mut buffer, 100);
    send(&mut buffer, u64::MAX, 130);
    buffer.cut(60);
    assert_eq!((buffer.sent(), buffer.end(), buffer.unsent()), (60, 60, 0));
    assert_eq!(buffer.truesize(), one);
    buffer.on_lost(&(0..130));
    assert_eq!(send(&mut buffer, u64::MAX, 1000), Some(0..60));
    assert_eq!(send(&mut buffer, u64::MAX, 1000), None);
    buffer.on_acked(&(50..130));
    assert!(!buffer.is_acked());
    buffer.on_acked(&(0..55));
    assert!(buffer.is_acked());
    assert_eq!(buffer.truesize(), 0);
}

#[test]
fn a_cut_below_what_is_acknowledged_leaves_nothing_to_do() {
    for end in [0, 30, 70] {
        let mut buffer = SendBuffer::default();
        push(&mut buffer, 100);
        send(&mut buffer, u64::MAX, 90);
        buffer.on_acked(&(0..70));
        buffer.cut(end);
        assert!(buffer.is_acked() && buffer.is_sent());
        assert_eq!((buffer.end(), buffer.truesize()), (end, 0));
        buffer.on_lost(&(60..90));
        assert_eq!(send(&mut buffer, u64::MAX, 1000), None);
    }
}

#[test]
fn the_last_chunk_that_is_no_longer_needed_is_handed_back() {
    let mut buffer = SendBuffer::default();
    [100, 50, 70]
        .into_iter()
        .for_each(|len| push(&mut buffer, len));
    send(&mut buffer, u64::MAX, 1000);
    let mut len = |range| buffer.on_acked(&range).map(|chunk| chunk.len());
    assert_eq!(len(100..150), None);
    assert_eq!(len(0..100), Some(50));
    assert_eq!(len(150..219), None);
    assert_eq!(len(0..219), None);
    assert_eq!(len(219..220), Some(70));
    assert_eq!(buffer.truesize(), 0);
}
