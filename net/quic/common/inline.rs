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
        for value in 0..20 {
            assert!(list.iter().copied().eq(0..value));
            list.try_push(value).unwrap();
        }
        assert!(list.iter().copied().eq(0..20));
    }

    #[test]
    fn without_memory_the_list_stays_as_it_was() {
        let mut list = InlineVec::<u32, 2>::new();
        list.try_push(1).unwrap();
        list.try_push(2).unwrap();
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
