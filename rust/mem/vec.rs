// SPDX-License-Identifier: GPL-2.0

//! A growing array whose growth may fail: [`Vec`].

use core::{
    cmp::Ordering,
    fmt,
    hint,
    mem,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr, //
};

use kernel::{
    alloc::kvec,
    iov::IovIterSource,
    prelude::*, //
};

use super::{
    AllocError,
    Gfp,
    PushError, //
};

/// A growing array whose growth may fail.
pub struct Vec<T>(KVec<T>);

impl<T> Vec<T> {
    /// Returns an empty array; allocates nothing.
    pub const fn new() -> Self {
        Self(KVec::new())
    }

    /// Returns an empty array with room for `capacity` items.
    pub fn try_with_capacity(capacity: usize) -> Result<Self, AllocError> {
        Self::try_with_capacity_in(capacity, Gfp::atomic())
    }

    /// Like [`Vec::try_with_capacity`], in the given way.
    pub fn try_with_capacity_in(capacity: usize, gfp: Gfp) -> Result<Self, AllocError> {
        let mut vec = Self::new();
        vec.try_reserve_in(capacity, gfp)?;
        Ok(vec)
    }

    /// Makes room for `additional` more items.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), AllocError> {
        self.try_reserve_in(additional, Gfp::atomic())
    }

    /// Like [`Vec::try_reserve`], in the given way.
    pub fn try_reserve_in(&mut self, additional: usize, gfp: Gfp) -> Result<(), AllocError> {
        self.assume_bounds();
        Ok(self.0.reserve(additional, gfp.flags())?)
    }

    /// Tells the compiler what the type invariants of [`KVec`] say, so that the checked arithmetic
    /// of its methods leaves no panic behind.
    #[inline(always)]
    fn assume_bounds(&self) {
        let (len, capacity) = (self.0.len(), self.0.capacity());
        // SAFETY: The length of a `KVec` never exceeds its capacity.
        unsafe { hint::assert_unchecked(len <= capacity) };
        if const { mem::size_of::<T>() != 0 } {
            // SAFETY: An allocation never exceeds `isize::MAX` bytes, so that this many items never
            // do either.
            unsafe { hint::assert_unchecked(capacity <= usize::MAX / 2) };
        }
    }

    /// Takes `count` items of the spare capacity in.
    ///
    /// # Safety
    ///
    /// - The first `count` items of the spare capacity have been written.
    #[inline(always)]
    unsafe fn grow(&mut self, count: usize) {
        // SAFETY: The caller promises that they fit; neither summand exceeds the capacity.
        unsafe { hint::assert_unchecked(self.0.len().checked_add(count).is_some()) };
        // SAFETY: The caller promises it.
        unsafe { self.0.inc_len(count) };
    }

    /// Appends an item, growing when full.
    pub fn try_push(&mut self, value: T) -> Result<(), PushError<T>> {
        if self.try_reserve(1).is_err() {
            return Err(PushError(value));
        }
        self.push_within_capacity(value).map_err(PushError)
    }

    /// Appends an item if there is room already.
    pub fn push_within_capacity(&mut self, value: T) -> Result<(), T> {
        self.assume_bounds();
        self.0.push_within_capacity(value).map_err(|error| error.0)
    }

    /// Inserts an item before position `index`, which is cut to the length.
    pub fn try_insert(&mut self, index: usize, value: T) -> Result<(), PushError<T>> {
        if self.try_reserve(1).is_err() {
            return Err(PushError(value));
        }
        self.assume_bounds();
        let index = index.min(self.0.len());
        match self.0.insert_within_capacity(index, value) {
            Ok(()) => Ok(()),
            Err(kvec::InsertError::IndexOutOfBounds(value))
            | Err(kvec::InsertError::OutOfCapacity(value)) => Err(PushError(value)),
        }
    }

    /// Removes the item at `index` and closes the gap.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        self.0.remove(index).ok()
    }

    /// Removes the item at `index` and puts the last one in its place.
    pub fn swap_remove(&mut self, index: usize) -> Option<T> {
        if index >= self.0.len() {
            return None;
        }
        let last = self.0.pop()?;
        match self.0.get_mut(index) {
            Some(slot) => Some(mem::replace(slot, last)),
            None => Some(last),
        }
    }

    /// Removes the last item.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Keeps the first `len` items.
    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// Removes all items and keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is no item.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of items there is room for.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// The items.
    pub fn as_slice(&self) -> &[T] {
        self.0.as_slice()
    }

    /// The items, to be changed in place.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self.0.as_mut_slice()
    }

    /// Moves the items from `at` on into a new array.
    pub fn split_off_tail(&mut self, at: usize) -> Result<Vec<T>, AllocError> {
        let mut tail = Vec::try_with_capacity(self.0.len().saturating_sub(at))?;
        while self.0.len() > at {
            // There is an item and there is room, by the condition and the capacity.
            let Some(item) = self.0.pop() else { break };
            if tail.push_within_capacity(item).is_err() {
                break;
            }
        }
        tail.as_mut_slice().reverse();
        Ok(tail)
    }

    /// Drops the first `count` items.
    pub fn drain_front(&mut self, count: usize) {
        let rest = self.0.len().saturating_sub(count);
        let items = self.0.as_mut_ptr();
        // The standard `rotate_left` would do, but leaves a panic for every type.
        for to in 0..rest {
            // SAFETY: `to` is less than the length.
            let to_item = unsafe { items.add(to) };
            // SAFETY: `to + count` is less than `rest + count`, which is the length.
            let from_item = unsafe { to_item.add(count) };
            // SAFETY: Both are items of the array.
            unsafe { ptr::swap(to_item, from_item) };
        }
        self.0.truncate(rest);
    }
}

/// Searches in sorted items. Those of the standard slice do the same, but their arithmetic is checked
/// and leaves a panic at every call.
impl<T> Vec<T> {
    /// Returns how many items at the front are `before`; all of these must come first.
    pub fn partition_point(&self, mut before: impl FnMut(&T) -> bool) -> usize {
        let mut rest = self.as_slice();
        let mut passed = 0_usize;
        while let Some((left, [middle, right @ ..])) = rest.split_at_checked(rest.len() / 2) {
            if before(middle) {
                passed = passed.wrapping_add(left.len()).wrapping_add(1);
                rest = right;
            } else {
                rest = left;
            }
        }
        passed
    }

    /// Finds an item for which `compare` says equal, or else the place where it belongs.
    pub fn binary_search_by(
        &self,
        mut compare: impl FnMut(&T) -> Ordering,
    ) -> Result<usize, usize> {
        let at = self.partition_point(|item| compare(item) == Ordering::Less);
        match self.get(at).map(compare) {
            Some(Ordering::Equal) => Ok(at),
            _ => Err(at),
        }
    }
}

impl<T: Clone> Vec<T> {
    /// Appends copies of `items`.
    pub fn try_extend_from_slice(&mut self, items: &[T]) -> Result<(), AllocError> {
        self.try_reserve(items.len())?;
        self.fill(items.iter().cloned());
        Ok(())
    }

    /// Cuts or fills with copies of `value` to `len` items.
    pub fn try_resize(&mut self, len: usize, value: T) -> Result<(), AllocError> {
        let more = len.saturating_sub(self.0.len());
        self.try_reserve(more)?;
        self.truncate(len);
        self.fill(core::iter::repeat_n(value, more));
        Ok(())
    }

    /// Appends items as long as there are some and there is room.
    fn fill(&mut self, items: impl Iterator<Item = T>) {
        self.assume_bounds();
        let mut count = 0_usize;
        for (place, item) in self.0.spare_capacity_mut().iter_mut().zip(items) {
            place.write(item);
            count = count.wrapping_add(1);
        }
        // SAFETY: So many items of the spare capacity have just been written.
        unsafe { self.grow(count) };
    }
}

impl Vec<u8> {
    /// Appends up to `len` bytes of `iter`, for which there must be room, and returns how many.
    /// Process context; fewer come when `iter` ends or its memory cannot be read.
    pub fn fill_from_iov(&mut self, iter: &mut IovIterSource<'_>, len: usize) -> usize {
        self.assume_bounds();
        let Some(room) = self.0.spare_capacity_mut().get_mut(..len) else {
            return 0;
        };
        let copied = iter.copy_from_iter_raw(room).len();
        // SAFETY: So many bytes of the spare capacity have just been written.
        unsafe { self.grow(copied) };
        copied
    }
}

impl<T> Deref for Vec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T> DerefMut for Vec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.as_mut_slice()
    }
}

impl<T> Default for Vec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Vec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

impl<T> IntoIterator for Vec<T> {
    type Item = T;
    type IntoIter = <KVec<T> as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Vec<T> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.as_slice().iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Vec<T> {
    type Item = &'a mut T;
    type IntoIter = core::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.as_mut_slice().iter_mut()
    }
}
