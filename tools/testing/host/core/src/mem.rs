// SPDX-License-Identifier: GPL-2.0

//! Fallible memory: the host's twin of `rust/mem.rs`.
//!
//! The kernel's version allocates with `GFP_ATOMIC | __GFP_NOWARN`.  This one uses the global
//! allocator and the fail points of [`fail`], which let a test make the n-th allocation fail.

#![forbid(unsafe_code)]

use core::fmt;
use core::ops::{
    Deref,
    DerefMut, //
};

/// No memory was available; the object is as it was before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocError;

/// A value that could not be stored because no memory was available.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PushError<T>(pub T);

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushError")
    }
}

impl<T> From<PushError<T>> for AllocError {
    fn from(_: PushError<T>) -> Self {
        AllocError
    }
}

/// A growing array whose growth may fail.
pub struct Vec<T>(std::vec::Vec<T>);

impl<T> Vec<T> {
    /// Returns an empty array; allocates nothing.
    pub const fn new() -> Self {
        Self(std::vec::Vec::new())
    }

    /// Returns an empty array with room for `capacity` items.
    pub fn try_with_capacity(capacity: usize) -> Result<Self, AllocError> {
        let mut vec = Self::new();
        vec.try_reserve(capacity)?;
        Ok(vec)
    }

    /// Makes room for `additional` more items.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), AllocError> {
        if self.0.capacity().saturating_sub(self.0.len()) >= additional {
            return Ok(());
        }
        fail::check()?;
        self.0.try_reserve(additional).map_err(|_| AllocError)
    }

    /// Appends an item, growing when full.
    pub fn try_push(&mut self, value: T) -> Result<(), PushError<T>> {
        match self.try_reserve(1) {
            Ok(()) => {
                self.0.push(value);
                Ok(())
            }
            Err(AllocError) => Err(PushError(value)),
        }
    }

    /// Appends an item if there is room already.
    pub fn push_within_capacity(&mut self, value: T) -> Result<(), T> {
        if self.0.len() < self.0.capacity() {
            self.0.push(value);
            Ok(())
        } else {
            Err(value)
        }
    }

    /// Inserts an item before position `index`, which is cut to the length.
    pub fn try_insert(&mut self, index: usize, value: T) -> Result<(), PushError<T>> {
        match self.try_reserve(1) {
            Ok(()) => {
                self.0.insert(index.min(self.0.len()), value);
                Ok(())
            }
            Err(AllocError) => Err(PushError(value)),
        }
    }

    /// Removes the item at `index` and closes the gap.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        (index < self.0.len()).then(|| self.0.remove(index))
    }

    /// Removes the item at `index` and puts the last one in its place.
    pub fn swap_remove(&mut self, index: usize) -> Option<T> {
        (index < self.0.len()).then(|| self.0.swap_remove(index))
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
        &self.0
    }

    /// The items, to be changed in place.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.0
    }

    /// Moves the items from `at` on into a new array.
    pub fn split_off_tail(&mut self, at: usize) -> Result<Vec<T>, AllocError> {
        let at = at.min(self.0.len());
        let mut tail = Vec::try_with_capacity(self.0.len().saturating_sub(at))?;
        tail.0.extend(self.0.drain(at..));
        Ok(tail)
    }

    /// Drops the first `count` items.
    pub fn drain_front(&mut self, count: usize) {
        let count = count.min(self.0.len());
        self.0.drain(..count);
    }
}

impl<T: Clone> Vec<T> {
    /// Appends copies of `items`.
    pub fn try_extend_from_slice(&mut self, items: &[T]) -> Result<(), AllocError> {
        self.try_reserve(items.len())?;
        self.0.extend_from_slice(items);
        Ok(())
    }

    /// Cuts or fills with copies of `value` to `len` items.
    pub fn try_resize(&mut self, len: usize, value: T) -> Result<(), AllocError> {
        self.try_reserve(len.saturating_sub(self.0.len()))?;
        self.0.resize(len, value);
        Ok(())
    }
}

impl<T> Deref for Vec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for Vec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T> Default for Vec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Vec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> IntoIterator for Vec<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Vec<T> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Vec<T> {
    type Item = &'a mut T;
    type IntoIter = core::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}

/// An owned value on the heap.
pub struct Box<T>(std::boxed::Box<T>);

impl<T> Box<T> {
    /// Moves `value` to the heap.
    pub fn try_new(value: T) -> Result<Box<T>, AllocError> {
        fail::check()?;
        Ok(Box(std::boxed::Box::new(value)))
    }

    /// Moves the result of `init` to the heap; `init` runs only when there is memory.
    pub fn try_new_with(init: impl FnOnce() -> T) -> Result<Box<T>, AllocError> {
        fail::check()?;
        Ok(Box(std::boxed::Box::new(init())))
    }
}

impl<T> Deref for Box<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Box<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Box<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Fail points of the current thread, for the allocation-failure sweep.
pub mod fail {
    use super::AllocError;
    use core::cell::Cell;

    #[derive(Clone, Copy)]
    enum Plan {
        Off,
        Once(u64),
        From(u64),
    }

    thread_local! {
        static PLAN: Cell<Plan> = const { Cell::new(Plan::Off) };
        static COUNT: Cell<u64> = const { Cell::new(0) };
    }

    /// Lets `n` allocations succeed and the one after them fail; the count starts again at zero.
    pub fn after(n: u64) {
        COUNT.set(0);
        PLAN.set(Plan::Once(n));
    }

    /// Lets `n` allocations succeed and all after them fail; the count starts again at zero.
    pub fn all_after(n: u64) {
        COUNT.set(0);
        PLAN.set(Plan::From(n));
    }

    /// Lets all allocations succeed; the count starts again at zero.
    pub fn off() {
        COUNT.set(0);
        PLAN.set(Plan::Off);
    }

    /// Runs a part of the test itself, whose allocations neither fail nor count.
    pub fn spared<R>(call: impl FnOnce() -> R) -> R {
        let (plan, count) = (PLAN.replace(Plan::Off), COUNT.get());
        let result = call();
        PLAN.set(plan);
        COUNT.set(count);
        result
    }

    /// Number of allocations tried since the last call of [`after`], [`all_after`] or [`off`].
    pub fn count() -> u64 {
        COUNT.get()
    }

    /// Counts one allocation and decides its fate.  Each facade calls it before it allocates.
    pub(crate) fn check() -> Result<(), AllocError> {
        let nr = COUNT.get();
        COUNT.set(nr.wrapping_add(1));
        let fails = match PLAN.get() {
            Plan::Off => false,
            Plan::Once(n) => nr == n,
            Plan::From(n) => nr >= n,
        };
        if fails {
            Err(AllocError)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_allocation_fails_and_leaves_the_vector_as_it_was() {
        fail::after(1);
        let mut vec = Vec::try_with_capacity(2).unwrap();
        vec.try_push(1).unwrap();
        vec.try_push(2).unwrap();
        while vec.len() < vec.capacity() {
            vec.try_push(0).unwrap();
        }
        let before = vec.as_slice().to_vec();
        assert_eq!(vec.try_push(7), Err(PushError(7)));
        assert_eq!(vec.as_slice(), before);
        assert_eq!(vec.try_push(8), Ok(()));
        assert_eq!(fail::count(), 3);
        fail::off();
        assert_eq!(fail::count(), 0);
    }

    #[test]
    fn positions_beyond_the_end_are_harmless() {
        let mut vec = Vec::new();
        vec.try_insert(9, 'a').unwrap();
        assert_eq!(vec.remove(1), None);
        assert_eq!(vec.swap_remove(1), None);
        assert!(vec.split_off_tail(5).unwrap().is_empty());
        vec.drain_front(3);
        assert!(vec.is_empty());
    }
}
