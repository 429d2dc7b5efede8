// SPDX-License-Identifier: GPL-2.0

//! The queue against the standard library's.

#![forbid(unsafe_code)]

use super::*;
use crate::mem::fail;
use proptest::prelude::*;
use std::collections::VecDeque;

#[derive(Clone, Debug)]
enum Op {
    PushBack(u16),
    PopBack,
    PopFront,
    Set(usize, u16),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => any::<u16>().prop_map(Op::PushBack),
        2 => Just(Op::PopBack),
        4 => Just(Op::PopFront),
        1 => (0..80usize, any::<u16>()).prop_map(|(at, value)| Op::Set(at, value)),
    ]
}

proptest! {
    #![proptest_config(crate::common::test_config(200))]

    #[test]
    fn it_does_what_the_standard_queue_does(ops in proptest::collection::vec(op(), 0..400)) {
        // An item of 40 bytes makes small chunks.
        let mut queue = Deque::<(u16, [u64; 4])>::new();
        let mut model = VecDeque::new();
        for op in ops {
            match op {
                Op::PushBack(value) => {
                    queue.push_back((value, [0; 4])).unwrap();
                    model.push_back(value);
                }
                Op::PopBack => {
                    prop_assert_eq!(queue.pop_back().map(|item| item.0), model.pop_back());
                }
                Op::PopFront => {
                    prop_assert_eq!(queue.pop_front().map(|item| item.0), model.pop_front());
                }
                Op::Set(at, value) => {
                    let ours = queue.get_mut(at).map(|item| item.0 = value);
                    let theirs = model.get_mut(at).map(|item| *item = value);
                    prop_assert_eq!(ours, theirs);
                }
            }
            prop_assert_eq!(queue.len(), model.len());
            prop_assert!(queue.iter().map(|item| item.0).eq(model.iter().copied()));
            prop_assert_eq!(queue.front().map(|item| item.0), model.front().copied());
            prop_assert_eq!(queue.back().map(|item| item.0), model.back().copied());
        }
    }
}

#[test]
fn a_queue_in_steady_use_does_not_allocate() {
    let mut queue = Deque::new();
    for value in 0..40u64 {
        queue.push_back(value).unwrap();
    }
    for value in 0..40 {
        queue.pop_front();
        queue.push_back(value).unwrap();
    }
    fail::off();
    for value in 0..1_000 {
        queue.pop_front();
        queue.push_back(value).unwrap();
    }
    assert_eq!(fail::count(), 0);
}

#[test]
fn without_memory_the_item_comes_back() {
    for nr in 0..2 {
        let mut queue = Deque::new();
        fail::after(nr);
        assert_eq!(queue.push_back(1u64), Err(PushError(1)));
        assert_eq!(queue.push_back(2), Ok(()));
        fail::off();
        assert!(queue.iter().eq(&[2]));
    }
}
