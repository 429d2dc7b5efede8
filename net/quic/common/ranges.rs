// SPDX-License-Identifier: GPL-2.0

//! A set of numbers kept as ranges: packet numbers received, bytes acknowledged, bytes lost.

#![forbid(unsafe_code)]

use crate::mem::{
    AllocError,
    Vec, //
};
use core::ops::Range;

/// Disjoint half-open ranges, ascending and never adjacent.
///
/// The most common calls, extending or shrinking at either end, do not search.
#[derive(Debug)]
pub struct RangeSet {
    ranges: Vec<Range<u64>>,
    limit: usize,
}

impl RangeSet {
    /// Returns an empty set without a bound on the number of ranges.
    pub const fn new() -> Self {
        Self::with_limit(usize::MAX)
    }

    /// Returns an empty set that forgets its lowest range when there are more than `limit`.
    pub const fn with_limit(limit: usize) -> Self {
        Self {
            ranges: Vec::new(),
            limit,
        }
    }

    /// Number of ranges.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// True when the set is empty.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Adds one number; says whether it is new.
    pub fn insert(&mut self, value: u64) -> Result<bool, AllocError> {
        if self.contains(value) {
            return Ok(false);
        }
        match value.checked_add(1) {
            Some(end) => self.insert_range(value..end).map(|()| true),
            None => Ok(false),
        }
    }

    /// Adds a range.  On failure the set is as it was.
    pub fn insert_range(&mut self, range: Range<u64>) -> Result<(), AllocError> {
        if range.is_empty() {
            return Ok(());
        }
        // The ranges that touch the new one become one with it.
        let first = self.index_of_end(range.start);
        let touching = self.ranges.get(first..).unwrap_or_default();
        let count = touching
            .iter()
            .take_while(|other| other.start <= range.end)
            .count();
        match self.ranges.get_mut(first) {
            Some(kept) if count > 0 => {
                let start = kept.start.min(range.start);
                kept.start = start;
                kept.end = kept.end.max(range.end);
                self.absorb(first, count.saturating_sub(1));
                Ok(())
            }
            _ => self.insert_new(first, range),
        }
    }

    /// Removes a range.  Only splitting a range in two needs memory; on failure the set is as it
    /// was.
    pub fn remove_range(&mut self, range: Range<u64>) -> Result<(), AllocError> {
        if range.is_empty() {
            return Ok(());
        }
        let first = self.index_of_end(range.start.saturating_add(1));
        let Some(found) = self.ranges.get_mut(first) else {
            return Ok(());
        };
        if found.start < range.start {
            let end = found.end;
            if end > range.end {
                self.ranges
                    .try_insert(first.saturating_add(1), range.end..end)?;
            }
            if let Some(found) = self.ranges.get_mut(first) {
                found.end = range.start;
            }
            return if end > range.end {
                Ok(())
            } else {
                self.remove_whole(first.saturating_add(1), range.end);
                Ok(())
            };
        }
        self.remove_whole(first, range.end);
        Ok(())
    }

    /// Removes all numbers below `end`; needs no memory.
    pub fn remove_below(&mut self, end: u64) {
        let gone = self.ranges.partition_point(|range| range.end <= end);
        self.ranges.drain_front(gone);
        if let Some(first) = self.ranges.first_mut() {
            first.start = first.start.max(end);
        }
    }

    /// True when `value` is in the set.
    pub fn contains(&self, value: u64) -> bool {
        self.range_of(value).is_some()
    }

    /// The range that `value` is in.
    pub fn range_of(&self, value: u64) -> Option<Range<u64>> {
        let index = self.index_of_end(value.checked_add(1)?);
        let range = self.ranges.get(index)?;
        range.contains(&value).then(|| range.clone())
    }

    /// The range that `value` is in, or else the next one above.
    pub fn ceiling(&self, value: u64) -> Option<Range<u64>> {
        let index = self.index_of_end(value.checked_add(1)?);
        self.ranges.get(index).cloned()
    }

    /// True when all of `range` is in the set.
    pub fn contains_range(&self, range: &Range<u64>) -> bool {
        range.is_empty()
            || self
                .range_of(range.start)
                .is_some_and(|found| found.end >= range.end)
    }

    /// The ranges, ascending; descending by `rev()`.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range<u64>> + ExactSizeIterator + '_ {
        self.ranges.iter().cloned()
    }

    /// The ranges, ascending.
    pub fn as_slice(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// The ranges, ascending, from the one on that `value` is in, or else the next one above.
    pub fn above(&self, value: u64) -> &[Range<u64>] {
        let first = self.index_of_end(value.saturating_add(1));
        self.ranges.get(first..).unwrap_or_default()
    }

    /// The smallest number.
    pub fn min(&self) -> Option<u64> {
        self.ranges.first().map(|range| range.start)
    }

    /// The largest number.
    pub fn max(&self) -> Option<u64> {
        self.ranges.last()?.end.checked_sub(1)
    }

    /// The lowest range.
    pub fn first(&self) -> Option<Range<u64>> {
        self.ranges.first().cloned()
    }

    /// The highest range.
    pub fn last(&self) -> Option<Range<u64>> {
        self.ranges.last().cloned()
    }

    /// Removes the lowest range.
    pub fn pop_first(&mut self) -> Option<Range<u64>> {
        self.ranges.remove(0)
    }

    /// Removes all numbers and keeps the memory.
    pub fn clear(&mut self) {
        self.ranges.clear();
    }

    /// The first range that ends at `value` or later.
    fn index_of_end(&self, value: u64) -> usize {
        match self.ranges.last() {
            Some(last) if last.start < value => {
                if last.end < value {
                    self.ranges.len()
                } else {
                    self.ranges.len().saturating_sub(1)
                }
            }
            _ => self.ranges.partition_point(|range| range.end < value),
        }
    }

    /// Lets the range at `at` take over the `count` ranges behind it.
    fn absorb(&mut self, at: usize, count: usize) {
        let next = at.saturating_add(1);
        let mut left = count;
        while left > 0 {
            left = left.saturating_sub(1);
            let Some(gone) = self.ranges.remove(next) else {
                return;
            };
            if let Some(kept) = self.ranges.get_mut(at) {
                kept.end = kept.end.max(gone.end);
            }
        }
    }

    fn insert_new(&mut self, at: usize, range: Range<u64>) -> Result<(), AllocError> {
        if self.ranges.len() < self.limit {
            return Ok(self.ranges.try_insert(at, range)?);
        }
        // Full: the lowest goes, be it the new one itself.
        let Some(at) = at.checked_sub(1) else {
            return Ok(());
        };
        self.ranges.remove(0);
        Ok(self.ranges.try_insert(at, range)?)
    }

    /// Removes what lies below `end` from the ranges at `at` and behind.
    fn remove_whole(&mut self, at: usize, end: u64) {
        while let Some(range) = self.ranges.get_mut(at) {
            if range.end > end {
                range.start = range.start.max(end);
                return;
            }
            self.ranges.remove(at);
        }
    }
}

impl Default for RangeSet {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
