// SPDX-License-Identifier: GPL-2.0

//! The map against the standard library's.

use super::*;
use crate::mem::fail;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Op {
    Insert(u16, u32),
    Append(u32),
    Remove(u16),
    PopFirst,
    Starve(u16, u64),
}

fn op() -> impl Strategy<Value = Op> {
    let key = 0..300u16;
    prop_oneof![
        10 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Op::Insert(key, value)),
        10 => any::<u32>().prop_map(Op::Append),
        6 => key.clone().prop_map(Op::Remove),
        3 => Just(Op::PopFirst),
        3 => (key, 0..3u64).prop_map(|(key, nr)| Op::Starve(key, nr)),
    ]
}

/// 200 bytes make leaves of ten entries.
type Wide = (u32, [u64; 24]);

fn apply(
    map: &mut OrdMap<u16, Wide>,
    model: &mut BTreeMap<u16, u32>,
    op: Op,
) -> Result<(), TestCaseError> {
    let wide = |value: u32| (value, [0; 24]);
    match op {
        Op::Insert(key, value) => {
            let old = map.insert(key, wide(value)).unwrap();
            prop_assert_eq!(old.map(|old| old.0), model.insert(key, value));
        }
        Op::Append(value) => {
            let key = model
                .last_key_value()
                .map_or(0, |(key, _)| key.saturating_add(1));
            map.insert(key, wide(value)).unwrap();
            model.insert(key, value);
        }
        Op::Remove(key) => {
            prop_assert_eq!(map.remove(&key).map(|old| old.0), model.remove(&key));
        }
        Op::PopFirst => {
            let ours = map.pop_first().map(|(key, value)| (key, value.0));
            prop_assert_eq!(ours, model.pop_first());
        }
        Op::Starve(key, nr) => {
            fail::after(nr);
            match map.insert(key, wide(7)) {
                Ok(_) => drop(model.insert(key, 7)),
                Err(PushError(value)) => prop_assert_eq!(value, wide(7)),
            }
            fail::off();
        }
    }
    Ok(())
}

fn check(map: &OrdMap<u16, Wide>, model: &BTreeMap<u16, u32>) -> Result<(), TestCaseError> {
    prop_assert_eq!(map.len(), model.len());
    let theirs = || model.iter().map(|(key, value)| (*key, *value));
    prop_assert!(map.iter().map(|(key, value)| (key, value.0)).eq(theirs()));
    prop_assert!(map.spine.iter().all(|leaf| !leaf.is_empty()));
    for key in [0, 5, 100, 150, 299, 1_000] {
        prop_assert_eq!(map.get(&key).map(|value| value.0), model.get(&key).copied());
        let ours = map.floor(&key).map(|(key, _)| key);
        prop_assert_eq!(ours, model.range(..=key).next_back().map(|(key, _)| *key));
        let ours = map.ceiling(&key).map(|(key, _)| key);
        prop_assert_eq!(ours, model.range(key..).next().map(|(key, _)| *key));
        let ours = map.range(key).map(|(key, _)| key);
        prop_assert!(ours.eq(model.range(key..).map(|(key, _)| *key)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::common::test_config(200))]

    #[test]
    fn it_does_what_the_standard_map_does(ops in proptest::collection::vec(op(), 0..400)) {
        let mut map = OrdMap::new();
        let mut model = BTreeMap::new();
        for op in ops {
            apply(&mut map, &mut model, op)?;
            check(&map, &model)?;
        }
        for (_, value) in map.range_mut(100) {
            value.0 = 1;
        }
        for (_, value) in map.iter_mut().filter(|(key, _)| *key < 100) {
            value.0 = 2;
        }
        let expected = |key| if key < 100 { 2 } else { 1 };
        prop_assert!(map.iter().all(|(key, value)| value.0 == expected(key)));
    }
}

#[test]
fn appended_entries_fill_their_leaves_and_removal_frees_them() {
    let mut map = OrdMap::new();
    for key in 0..6_400u64 {
        map.insert(key, ()).unwrap();
    }
    assert_eq!(map.spine.len(), 100);
    for key in 0..6_400 {
        if key % 64 != 0 {
            map.remove(&key).unwrap();
        }
    }
    assert_eq!(map.len(), 100);
    assert!(map.spine.len() < 15, "{} leaves", map.spine.len());
    while map.pop_first().is_some() {}
    assert!(map.first().is_none() && map.last_mut().is_none() && map.first_mut().is_none());
}
