// SPDX-License-Identifier: GPL-2.0

//! A short list of small values that needs no memory of its own until it gets long.

#![forbid(unsafe_code)]

use crate::mem::{
    AllocError,
    Vec, //
};
use core::fmt;

/// Up to `N` values in place; more move to the heap.
pub struct InlineVec<T: Copy, const N: usize>(Repr<T, N>);

enum Repr<T: Copy, const N: usize> {
    // The `Some` come first.
    Inline([Option<T>; N]),
    Heap(Vec<T>),
}

impl<T: Copy, const N: usize> InlineVec<T, N> {
    /// Returns an empty list.
    pub const fn new() -> Self {
        Self(Repr::Inline([None; N]))
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Inline(slots) => slots.iter().take_while(|slot| slot.is_some()).count(),
            Repr::Heap(vec) => vec.len(),
        }
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Inline(slots) => slots.first().is_none_or(Option::is_none),
            Repr::Heap(vec) => vec.is_empty(),
        }
    }

    /// Appends a value.  On failure the list is as before.
    pub fn try_push(&mut self, value: T) -> Result<(), AllocError> {
        match &mut self.0 {
            Repr::Inline(slots) => {
                if let Some(slot) = slots.iter_mut().find(|slot| slot.is_none()) {
                    *slot = Some(value);
                    return Ok(());
                }
                let mut vec = Vec::try_with_capacity(N.saturating_mul(2).max(4))?;
                for value in slots.iter().flatten() {
                    vec.try_push(*value)?;
                }
                vec.try_push(value)?;
                self.0 = Repr::Heap(vec);
                Ok(())
            }
            Repr::Heap(vec) => Ok(vec.try_push(value)?),
        }
    }

    /// True when the next [`InlineVec::try_push`] cannot fail.
    pub fn has_room(&self) -> bool {
        match &self.0 {
            Repr::Inline(slots) => slots.iter().any(Option::is_none),
            Repr::Heap(vec) => vec.len() < vec.capacity(),
        }
    }

    /// Makes sure that the next [`InlineVec::try_push`] cannot fail.
    pub fn try_reserve_one(&mut self) -> Result<(), AllocError> {
        match &mut self.0 {
            Repr::Inline(slots) => {
                if slots.iter().any(Option::is_none) {
                    return Ok(());
                }
                let mut vec = Vec::try_with_capacity(N.saturating_mul(2).max(4))?;
                for value in slots.iter().flatten() {
                    vec.try_push(*value)?;
                }
                self.0 = Repr::Heap(vec);
                Ok(())
            }
            Repr::Heap(vec) => vec.try_reserve(1),
        }
    }

    /// The values in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let (slots, heap): (&[Option<T>], &[T]) = match &self.0 {
            Repr::Inline(slots) => (slots, &[]),
            Repr::Heap(vec) => (&[], vec),
        };
        slots.iter().map_while(Option::as_ref).chain(heap)
    }

    /// The last value.
    pub fn last(&self) -> Option<&T> {
        match &self.0 {
            Repr::Inline(slots) => slots.iter().rev().find_map(Option::as_ref),
            Repr::Heap(vec) => vec.last(),
        }
    }

    /// Removes all values and gives the memory back.
    pub fn clear(&mut self) {
        *self = Self::new();
    }
}

impl<T: Copy, const N: usize> Default for InlineVec<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy + fmt::Debug, const N: usize> fmt::Debug for InlineVec<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::fail;

    #[test]
    fn values_keep_their_order_across_the_move_to_the_heap() {
        let mut list = InlineVec::<u32, 3>::new();
        assert!(list.is_empty());
        for value in 0..20 {
            assert_eq!(list.len(), value as usize);
            list.try_push(value).unwrap();
            assert_eq!(list.last(), Some(&value));
        }
        assert!(list.iter().copied().eq(0..20));
        list.clear();
        assert!(list.is_empty() && list.has_room());
    }

    #[test]
    fn without_memory_the_list_stays_as_it_was() {
        let mut list = InlineVec::<u32, 2>::new();
        list.try_push(1).unwrap();
        list.try_push(2).unwrap();
        assert!(!list.has_room());
        fail::after(0);
        assert_eq!(list.try_push(3), Err(AllocError));
        assert!(list.iter().copied().eq([1, 2]));
        fail::off();
        list.try_reserve_one().unwrap();
        fail::all_after(0);
        assert_eq!(list.try_push(3), Ok(()));
        fail::off();
        assert!(list.iter().copied().eq([1, 2, 3]));
    }
}
