// SPDX-License-Identifier: GPL-2.0

//! The set against the standard library's.

#![forbid(unsafe_code)]

use super::*;
use crate::mem::fail;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn check(set: &RangeSet, model: &BTreeSet<u64>) -> Result<(), TestCaseError> {
    let numbers = set.iter().flatten();
    prop_assert!(numbers.eq(model.iter().copied()));
    let ranges: std::vec::Vec<_> = set.iter().collect();
    prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
    prop_assert_eq!(set.min(), model.first().copied());
    prop_assert_eq!(set.max(), model.last().copied());
    Ok(())
}

proptest! {
    #![proptest_config(crate::common::test_config(400))]

    #[test]
    fn it_holds_the_same_numbers_as_a_set(
        ops in proptest::collection::vec((0..5u8, 0..120u64, 0..12u64), 0..120)
    ) {
        let mut set = RangeSet::new();
        let mut model = BTreeSet::new();
        for (op, start, len) in ops {
            let range = start..start + len;
            match op {
                0 | 1 => {
                    set.insert_range(range.clone()).unwrap();
                    model.extend(range.clone());
                }
                2 => {
                    set.remove_range(range.clone()).unwrap();
                    model.retain(|value| !range.contains(value));
                }
                3 => prop_assert_eq!(set.insert(start), Ok(model.insert(start))),
                _ => {
                    set.remove_below(len);
                    model.retain(|value| *value >= len);
                }
            }
            check(&set, &model)?;
            prop_assert_eq!(set.contains(start), model.contains(&start));
            let all = range.clone().all(|value| model.contains(&value));
            prop_assert_eq!(set.contains_range(&range), all);
        }
    }

    #[test]
    fn a_bounded_set_keeps_its_highest_ranges(
        starts in proptest::collection::vec(0..200u64, 0..60), limit in 1..6usize
    ) {
        let mut set = RangeSet::with_limit(limit);
        let mut free = RangeSet::new();
        for start in starts {
            set.insert_range(start..start + 2).unwrap();
            free.insert_range(start..start + 2).unwrap();
            prop_assert!(set.len() <= limit);
            prop_assert_eq!(set.max(), free.max());
            prop_assert!(set.iter().all(|range| free.contains_range(&range)));
            if free.len() <= limit {
                prop_assert!(set.iter().eq(free.iter()));
            }
        }
    }
}

#[test]
fn the_ends_of_the_numbers_hold() {
    let mut set = RangeSet::new();
    set.insert_range(u64::MAX - 2..u64::MAX).unwrap();
    assert_eq!(set.insert(u64::MAX), Ok(false));
    assert!(!set.contains(u64::MAX));
    assert_eq!(set.max(), Some(u64::MAX - 1));
    set.remove_below(u64::MAX);
    assert!(set.is_empty());
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "an empty range is what is tried"
    )]
    set.insert_range(5..3).unwrap();
    assert!(set.is_empty());
}

#[test]
fn without_memory_the_set_stays_as_it_was() {
    let mut set = RangeSet::new();
    for start in 0..4 {
        set.insert_range(start * 10..start * 10 + 5).unwrap();
    }
    fail::all_after(0);
    assert_eq!(set.remove_range(11..12), Err(AllocError));
    assert_eq!(set.insert_range(7..8), Err(AllocError));
    fail::off();
    assert!(set.iter().eq([0..5, 10..15, 20..25, 30..35]));
}
