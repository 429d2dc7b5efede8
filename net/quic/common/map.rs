// SPDX-License-Identifier: GPL-2.0

//! A sorted map whose growth may fail.
//!
//! Entries live in sorted leaves of a bounded size, and the leaves in a sorted spine: finding is
//! two binary searches, inserting moves at most one leaf's worth of entries, appending at the end
//! moves none, and no allocation is larger than a leaf or the spine of pointers.  Leaves are never
//! empty.

#![forbid(unsafe_code)]

use crate::mem::{
    PushError,
    Vec, //
};
use core::fmt;

type Leaf<K, V> = Vec<(K, V)>;

/// A map from `K` to `V` in the order of the keys.
pub struct OrdMap<K, V> {
    // INVARIANT: no leaf is empty; the keys ascend within and across the leaves.
    spine: Vec<Leaf<K, V>>,
    len: usize,
}

/// Where an entry is, or belongs.
#[derive(Clone, Copy)]
struct Slot {
    leaf: usize,
    index: usize,
}

impl<K: Ord + Copy, V> OrdMap<K, V> {
    // A leaf is at most about 2 KiB, so that it is a small allocation in any context, and at most
    // 64 entries, so that moving them stays cheap.
    const LEAF: usize = match 2048usize.checked_div(size_of::<(K, V)>()) {
        None => 64,
        Some(n) if n > 64 => 64,
        Some(n) if n < 4 => 4,
        Some(n) => n,
    };

    /// Returns an empty map; allocates nothing.
    pub const fn new() -> Self {
        Self {
            spine: Vec::new(),
            len: 0,
        }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of `key`.
    #[inline]
    pub fn get(&self, key: &K) -> Option<&V> {
        // The newest entry is asked for most often, and often is the only one: no search then.
        match self.newest() {
            Some((newest, value)) if newest == key => Some(value),
            _ => self.search(key),
        }
    }

    fn newest(&self) -> Option<&(K, V)> {
        self.spine.last()?.last()
    }

    fn search(&self, key: &K) -> Option<&V> {
        let slot = self.find(key).ok()?;
        let (_, value) = self.spine.get(slot.leaf)?.get(slot.index)?;
        Some(value)
    }

    /// The value of `key`, to be changed in place.
    #[inline]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self.newest() {
            Some((newest, _)) if newest == key => {
                let (_, value) = self.spine.last_mut()?.last_mut()?;
                Some(value)
            }
            _ => self.search_mut(key),
        }
    }

    fn search_mut(&mut self, key: &K) -> Option<&mut V> {
        let slot = self.find(key).ok()?;
        let (_, value) = self.spine.get_mut(slot.leaf)?.get_mut(slot.index)?;
        Some(value)
    }

    /// True when there is an entry for `key`.
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of `key` and returns the one before.  Without memory the value comes back
    /// and the map is as it was.
    pub fn insert(&mut self, key: K, value: V) -> Result<Option<V>, PushError<V>> {
        match self.find(&key) {
            Ok(slot) => match self.entry_mut(slot) {
                Some((_, old)) => Ok(Some(core::mem::replace(old, value))),
                None => Err(PushError(value)),
            },
            Err(slot) => {
                let Ok(slot) = self.make_room(slot) else {
                    return Err(PushError(value));
                };
                match self.spine.get_mut(slot.leaf) {
                    Some(leaf) => match leaf.try_insert(slot.index, (key, value)) {
                        Ok(()) => {
                            self.len = self.len.saturating_add(1);
                            Ok(None)
                        }
                        Err(PushError((_, value))) => {
                            // A leaf added by `make_room` may be empty.
                            self.drop_leaf_if_empty(slot.leaf);
                            Err(PushError(value))
                        }
                    },
                    None => Err(PushError(value)),
                }
            }
        }
    }

    /// Removes the entry of `key` and returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let slot = self.find(key).ok()?;
        self.remove_slot(slot).map(|(_, value)| value)
    }

    /// The entry with the smallest key.
    pub fn first(&self) -> Option<(K, &V)> {
        self.spine
            .first()?
            .first()
            .map(|(key, value)| (*key, value))
    }

    /// The entry with the smallest key, its value to be changed in place.
    pub fn first_mut(&mut self) -> Option<(K, &mut V)> {
        let (key, value) = self.spine.first_mut()?.first_mut()?;
        Some((*key, value))
    }

    /// The entry with the largest key, its value to be changed in place.
    pub fn last_mut(&mut self) -> Option<(K, &mut V)> {
        let (key, value) = self.spine.last_mut()?.last_mut()?;
        Some((*key, value))
    }

    /// Removes the entry with the smallest key.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        self.remove_slot(Slot { leaf: 0, index: 0 })
    }

    /// The entry with the largest key that is at most `key`.
    pub fn floor(&self, key: &K) -> Option<(K, &V)> {
        let slot = match self.find(key) {
            Ok(slot) => slot,
            Err(slot) => self.before(slot)?,
        };
        let (key, value) = self.spine.get(slot.leaf)?.get(slot.index)?;
        Some((*key, value))
    }

    /// The entry with the smallest key that is at least `key`.
    pub fn ceiling(&self, key: &K) -> Option<(K, &V)> {
        self.range(*key).next()
    }

    /// The entries in the order of the keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (K, &V)> {
        let entries = self.spine.iter().flat_map(|leaf| leaf.iter());
        entries.map(|(key, value)| (*key, value))
    }

    /// The entries in the order of the keys, their values to be changed in place.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (K, &mut V)> {
        let entries = self.spine.iter_mut().flat_map(|leaf| leaf.iter_mut());
        entries.map(|(key, value)| (*key, value))
    }

    /// The entries whose keys are at least `from`.
    pub fn range(&self, from: K) -> impl DoubleEndedIterator<Item = (K, &V)> {
        let slot = self.find(&from).unwrap_or_else(|slot| slot);
        let head = self.spine.get(slot.leaf);
        let head = head
            .and_then(|leaf| leaf.get(slot.index..))
            .unwrap_or_default();
        let tail = self
            .spine
            .get(slot.leaf.saturating_add(1)..)
            .unwrap_or_default();
        let entries = head.iter().chain(tail.iter().flat_map(|leaf| leaf.iter()));
        entries.map(|(key, value)| (*key, value))
    }

    /// The entries whose keys are at least `from`, their values to be changed in place.
    pub fn range_mut(&mut self, from: K) -> impl DoubleEndedIterator<Item = (K, &mut V)> {
        let slot = self.find(&from).unwrap_or_else(|slot| slot);
        let leaves = self.spine.get_mut(slot.leaf..).unwrap_or_default();
        let (head, tail) = match leaves.split_first_mut() {
            Some((head, tail)) => (head.get_mut(slot.index..).unwrap_or_default(), tail),
            None => Default::default(),
        };
        let entries = head
            .iter_mut()
            .chain(tail.iter_mut().flat_map(|leaf| leaf.iter_mut()));
        entries.map(|(key, value)| (*key, value))
    }
}

impl<K: Ord + Copy, V> Default for OrdMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord + Copy + fmt::Debug, V: fmt::Debug> fmt::Debug for OrdMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

mod leaves;
#[cfg(test)]
mod tests;
