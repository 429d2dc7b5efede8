// SPDX-License-Identifier: GPL-2.0

//! How the leaves of a map are found, split and joined.

#![forbid(unsafe_code)]

use super::{
    OrdMap,
    Slot, //
};
use crate::mem::{
    AllocError,
    Vec, //
};
use core::cmp::Ordering;

impl<K: Ord + Copy, V> OrdMap<K, V> {
    /// Finds where `key` is, or where it belongs: in an existing leaf whenever there is one.
    pub(super) fn find(&self, key: &K) -> Result<Slot, Slot> {
        let leaf = match self.spine.last().and_then(|leaf| leaf.first()) {
            // Most often the newest entries are asked for.
            Some((first, _)) if first <= key => self.spine.len().saturating_sub(1),
            _ => self
                .spine
                .partition_point(|leaf| leaf.first().is_some_and(|(first, _)| first <= key))
                .saturating_sub(1),
        };
        let Some(entries) = self.spine.get(leaf) else {
            return Err(Slot { leaf, index: 0 });
        };
        match entries.last().map(|(last, _)| last.cmp(key)) {
            Some(Ordering::Less) => Err(Slot {
                leaf,
                index: entries.len(),
            }),
            Some(Ordering::Equal) => Ok(Slot {
                leaf,
                index: entries.len().saturating_sub(1),
            }),
            _ => match entries.binary_search_by(|(probe, _)| probe.cmp(key)) {
                Ok(index) => Ok(Slot { leaf, index }),
                Err(index) => Err(Slot { leaf, index }),
            },
        }
    }

    pub(super) fn before(&self, slot: Slot) -> Option<Slot> {
        if let Some(index) = slot.index.checked_sub(1) {
            return Some(Slot { index, ..slot });
        }
        let leaf = slot.leaf.checked_sub(1)?;
        let index = self.spine.get(leaf)?.len().checked_sub(1)?;
        Some(Slot { leaf, index })
    }

    pub(super) fn entry_mut(&mut self, slot: Slot) -> Option<&mut (K, V)> {
        self.spine.get_mut(slot.leaf)?.get_mut(slot.index)
    }

    /// Splits or adds a leaf when the one at `slot` is full; says where the entry goes then.
    pub(super) fn make_room(&mut self, slot: Slot) -> Result<Slot, AllocError> {
        let len = match self.spine.get(slot.leaf) {
            None => {
                self.spine.try_push(Vec::new())?;
                return Ok(slot);
            }
            Some(leaf) => leaf.len(),
        };
        if len < Self::LEAF {
            return Ok(slot);
        }
        let next = slot.leaf.saturating_add(1);
        // Behind the last leaf nothing moves: appended entries fill their leaves.
        if slot.index == len && next == self.spine.len() {
            self.spine.try_push(Vec::new())?;
            return Ok(Slot {
                leaf: next,
                index: 0,
            });
        }
        let half = len / 2;
        self.spine.try_reserve(1)?;
        let Some(leaf) = self.spine.get_mut(slot.leaf) else {
            return Err(AllocError);
        };
        let tail = leaf.split_off_tail(half)?;
        self.spine.try_insert(next, tail)?;
        Ok(match slot.index.checked_sub(half) {
            Some(index) if index > 0 => Slot { leaf: next, index },
            _ => slot,
        })
    }

    pub(super) fn remove_slot(&mut self, slot: Slot) -> Option<(K, V)> {
        let entry = self.take(slot)?;
        self.drop_leaf_if_empty(slot.leaf);
        self.merge(slot.leaf);
        if let Some(before) = slot.leaf.checked_sub(1) {
            self.merge(before);
        }
        Some(entry)
    }

    fn take(&mut self, slot: Slot) -> Option<(K, V)> {
        let entry = self.spine.get_mut(slot.leaf)?.remove(slot.index)?;
        self.len = self.len.saturating_sub(1);
        Some(entry)
    }

    pub(super) fn drop_leaf_if_empty(&mut self, leaf: usize) {
        if self.spine.get(leaf).is_some_and(|leaf| leaf.is_empty()) {
            self.spine.remove(leaf);
        }
    }

    /// Joins a leaf that got small with the next one, so that sparse removal frees memory.
    fn merge(&mut self, at: usize) {
        let next = at.saturating_add(1);
        let (Some(left), Some(right)) = (self.spine.get(at), self.spine.get(next)) else {
            return;
        };
        let extra = right.len();
        if left.len() > Self::LEAF / 4 || extra > Self::LEAF / 4 {
            return;
        }
        let reserved = self.spine.get_mut(at).map(|leaf| leaf.try_reserve(extra));
        if !matches!(reserved, Some(Ok(()))) {
            return;
        }
        let Some(right) = self.spine.remove(next) else {
            return;
        };
        if let Some(left) = self.spine.get_mut(at) {
            for entry in right {
                // Reserved above, so nothing is lost here.
                let _ = left.push_within_capacity(entry);
            }
        }
    }
}
