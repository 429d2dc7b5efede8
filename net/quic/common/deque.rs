// SPDX-License-Identifier: GPL-2.0

//! A double-ended queue whose growth may fail.
//!
//! Items live in chunks of a fixed size, so that growing moves none of them and no allocation is
//! large.  One emptied chunk is kept for reuse: a queue in steady use does not allocate.

#![forbid(unsafe_code)]

use crate::mem::{
    AllocError,
    PushError,
    Vec, //
};
use core::fmt;

type Chunk<T> = Vec<Option<T>>;

/// A queue with access at both ends and by position.
pub struct Deque<T> {
    // INVARIANT: every chunk has `CHUNK` slots; the items are in the slots `head..head + len`
    // counted across the chunks, all others are `None`; `head < CHUNK`; the last chunk holds an
    // item.
    chunks: Vec<Chunk<T>>,
    head: usize,
    len: usize,
    spare: Option<Chunk<T>>,
}

impl<T> Deque<T> {
    // A power of two (so that positions split by shift), about 1 KiB, at most 32 items.
    const CHUNK: usize = match size_of::<Option<T>>() {
        0..=32 => 32,
        33..=64 => 16,
        65..=128 => 8,
        _ => 4,
    };

    /// Returns an empty queue; allocates nothing.
    pub const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            head: 0,
            len: 0,
            spare: None,
        }
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when there is no item.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends an item.  Without memory it comes back and the queue is as it was.
    pub fn push_back(&mut self, item: T) -> Result<(), PushError<T>> {
        let position = self.head.saturating_add(self.len);
        let (chunk, _) = Self::split(position);
        if chunk >= self.chunks.len() {
            match self.new_chunk() {
                Ok(chunk) => {
                    if let Err(PushError(chunk)) = self.chunks.try_push(chunk) {
                        self.spare = Some(chunk);
                        return Err(PushError(item));
                    }
                }
                Err(AllocError) => return Err(PushError(item)),
            }
        }
        match self.slot_mut(position) {
            Some(slot) => *slot = Some(item),
            None => return Err(PushError(item)),
        }
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Removes the first item.
    pub fn pop_front(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        let item = self.slot_mut(self.head)?.take();
        self.len = self.len.saturating_sub(1);
        self.head = self.head.saturating_add(1);
        if self.head >= Self::CHUNK || self.len == 0 {
            self.head = if self.len == 0 {
                0
            } else {
                self.head.saturating_sub(Self::CHUNK)
            };
            self.spare = self.chunks.remove(0);
        }
        item
    }

    /// Removes the last item.
    pub fn pop_back(&mut self) -> Option<T> {
        let last = self.len.checked_sub(1)?;
        let position = self.head.saturating_add(last);
        let item = self.slot_mut(position)?.take();
        self.len = last;
        let (_, slot) = Self::split(position);
        if slot == 0 || last == 0 {
            self.spare = self.chunks.pop();
        }
        if last == 0 {
            self.head = 0;
        }
        item
    }

    /// The first item.
    pub fn front(&self) -> Option<&T> {
        self.get(0)
    }

    /// The first item, to be changed in place.
    pub fn front_mut(&mut self) -> Option<&mut T> {
        self.get_mut(0)
    }

    /// The last item.
    pub fn back(&self) -> Option<&T> {
        self.get(self.len.checked_sub(1)?)
    }

    /// The last item, to be changed in place.
    pub fn back_mut(&mut self) -> Option<&mut T> {
        self.get_mut(self.len.checked_sub(1)?)
    }

    /// The item at position `index`, counted from the front.
    pub fn get(&self, index: usize) -> Option<&T> {
        let (chunk, slot) = Self::split(self.head.checked_add(index)?);
        self.chunks.get(chunk)?.get(slot)?.as_ref()
    }

    /// The item at position `index`, to be changed in place.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.slot_mut(self.head.checked_add(index)?)?.as_mut()
    }

    /// The items from front to back.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().flatten())
    }

    /// Removes all items and gives the memory back.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Splits a position across all slots into a chunk and a slot in it.
    fn split(position: usize) -> (usize, usize) {
        let mask = Self::CHUNK.saturating_sub(1);
        (
            position.wrapping_shr(Self::CHUNK.trailing_zeros()),
            position & mask,
        )
    }

    fn slot_mut(&mut self, position: usize) -> Option<&mut Option<T>> {
        let (chunk, slot) = Self::split(position);
        self.chunks.get_mut(chunk)?.get_mut(slot)
    }

    fn new_chunk(&mut self) -> Result<Chunk<T>, AllocError> {
        if let Some(chunk) = self.spare.take() {
            return Ok(chunk);
        }
        let mut chunk = Vec::try_with_capacity(Self::CHUNK)?;
        while chunk.len() < Self::CHUNK {
            chunk.try_push(None)?;
        }
        Ok(chunk)
    }
}

impl<T> Default for Deque<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Deque<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
