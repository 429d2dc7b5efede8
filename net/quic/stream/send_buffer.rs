// SPDX-License-Identifier: GPL-2.0

//! Bytes the application has written, kept until the peer has acknowledged them.
//!
//! The buffer remembers ranges, not packets: what was never sent, what has to be sent again, and
//! what was acknowledged out of order. It is used by streams and by the CRYPTO streams.
//!
//! Acknowledgements and losses cannot be refused, so they cannot fail either: when there is no
//! memory to note a range, sending goes back to where that range begins. Bytes are then sent once
//! more than needed, and nothing is lost.

#![forbid(unsafe_code)]

use crate::{
    buf::Chunk,
    common::{
        deque::Deque,
        ranges::RangeSet, //
    },
};
use core::ops::Range;

/// A chunk and its place in the stream.
#[derive(Debug)]
struct Held {
    start: u64,
    chunk: Chunk,
}

impl Held {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.chunk.len() as u64)
    }
}

/// The bytes of one stream that are not yet known to have arrived.
#[derive(Debug, Default)]
pub struct SendBuffer {
    /// INVARIANT: chunks follow each other without a gap and end at `end`, or behind it when the
    /// rest was cut off.
    chunks: Deque<Held>,
    /// Everything below is acknowledged; chunks below are gone.
    base: u64,
    /// First byte to be sent as new. Below it only `lost` has to be sent.
    next: u64,
    /// End of what the application wrote.
    end: u64,
    /// End of what was ever sent.
    sent: u64,
    /// Acknowledged ranges above `base`. As many as the packets in flight can make.
    acked: RangeSet,
    /// Ranges to send again. INVARIANT: all below `next`.
    lost: RangeSet,
    truesize: usize,
}

impl SendBuffer {
    /// Takes a chunk to be sent behind all others; gives it back if there is no memory.
    pub fn push(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        let len = chunk.len() as u64;
        let truesize = chunk.truesize();
        let held = Held {
            start: self.end,
            chunk,
        };
        self.chunks.push_back(held).map_err(|error| error.0.chunk)?;
        self.end = self.end.saturating_add(len);
        self.truesize = self.truesize.saturating_add(truesize);
        Ok(())
    }

    /// End of what the application wrote.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// End of what was ever sent; the final size of a stream that is reset now.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes that were never sent.
    #[cfg(test)]
    pub fn unsent(&self) -> u64 {
        self.end.saturating_sub(self.sent)
    }

    /// First byte to be sent as new.
    pub fn next_offset(&self) -> u64 {
        self.next
    }

    /// Whether something has to be sent again.
    pub fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether every byte written is acknowledged.
    pub fn is_acked(&self) -> bool {
        self.base == self.end
    }

    /// Whether every byte written was sent and none waits to be sent again.
    pub fn is_sent(&self) -> bool {
        self.next == self.end && self.lost.is_empty()
    }

    /// Memory held, in bytes to charge.
    pub fn truesize(&self) -> usize {
        self.truesize
    }

    /// The next range to send: lost bytes first (RFC 9000 13.3 #4), then new ones below `limit`.
    pub fn next_range(&mut self, limit: u64) -> Option<Range<u64>> {
        if let Some(range) = self.next_lost() {
            return Some(range);
        }
        let mut stop = self.end.min(limit);
        // Acknowledged ranges above `next` are seen only after sending went back.
        while let Some(acked) = self.acked.ceiling(self.next) {
            if acked.start > self.next {
                stop = stop.min(acked.start);
                break;
            }
            self.next = acked.end.min(self.end);
        }
        (self.next < stop).then_some(self.next..stop)
    }

    /// Notes that `range`, a front part of what [`Self::next_range`] gave, is in a packet.
    pub fn on_sent(&mut self, range: &Range<u64>) {
        if range.start < self.next {
            // Whatever lies below the range was dealt with before.
            self.lost.remove_below(range.end);
        } else {
            self.next = range.end.min(self.end);
        }
        self.sent = self.sent.max(range.end.min(self.end));
    }

    /// Notes that the peer has `range`, and frees what is no longer needed: the last chunk of it is
    /// handed back, as its memory may serve another.
    pub fn on_acked(&mut self, range: &Range<u64>) -> Option<Chunk> {
        let range = range.start..range.end.min(self.sent);
        if range.start >= range.end || range.end <= self.base {
            return None;
        }
        if range.start <= self.base {
            self.base = range.end;
        } else if self.acked.insert_range(range.clone()).is_err() {
            self.go_back(range.start);
            return None;
        }
        self.acked.remove_below(self.base);
        if let Some(first) = self.acked.first().filter(|first| first.start <= self.base) {
            self.base = first.end;
            self.acked.remove_below(self.base);
        }
        self.next = self.next.max(self.base);
        if !self.lost.is_empty() {
            self.lost.remove_below(self.base);
            // Without memory to split a range it stays whole and is sent in whole: harmless.
            let _ = self.lost.remove_range(range);
        }
        self.free_below_base()
    }

    /// Notes that the packet with `range` was lost.
    pub fn on_lost(&mut self, range: &Range<u64>) {
        let start = range.start.max(self.base);
        let end = range.end.min(self.next);
        if start >= end {
            return;
        }
        if self.lost.insert_range(start..end).is_err() {
            self.go_back(start);
        }
    }

    /// Forgets that anything was sent: the peer threw away all early data. Returns how many bytes
    /// had been sent.
    pub fn forget_sent(&mut self) -> u64 {
        let sent = core::mem::replace(&mut self.sent, self.base);
        self.acked.clear();
        self.go_back(self.base);
        sent.saturating_sub(self.base)
    }

    /// Drops the bytes from `end` on: the stream is reset and only those below are delivered. What
    /// was sent of the others is forgotten.
    pub fn cut(&mut self, end: u64) {
        while let Some(held) = self.chunks.back().filter(|held| held.start >= end) {
            self.truesize = self.truesize.saturating_sub(held.chunk.truesize());
            self.chunks.pop_back();
        }
        // Cutting off the upper end splits nothing and takes no memory.
        let _ = self.acked.remove_range(end..u64::MAX);
        let _ = self.lost.remove_range(end..u64::MAX);
        for mark in [
            &mut self.base,
            &mut self.next,
            &mut self.sent,
            &mut self.end,
        ] {
            *mark = (*mark).min(end);
        }
        drop(self.free_below_base());
    }

    /// Lends the bytes of `range` as slices, one a chunk. Returns how many of `out` were filled,
    /// or `None` if the bytes are not held or need more slices than there are.
    pub fn segments<'a>(&'a self, range: &Range<u64>, out: &mut [&'a [u8]]) -> Option<usize> {
        let mut at = range.start;
        let mut count = 0usize;
        let mut index = self.chunk_at(at)?;
        while at < range.end {
            let bytes = self.bytes_at(index, at, range.end)?;
            *out.get_mut(count)? = bytes;
            count = count.saturating_add(1);
            at = at.saturating_add(bytes.len() as u64);
            index = index.saturating_add(1);
        }
        Some(count)
    }

    /// Count of slices [`Self::segments`] needs for `range`, at most `max` + 1.
    pub fn segment_count(&self, range: &Range<u64>, max: usize) -> usize {
        let Some(mut index) = self.chunk_at(range.start) else {
            return 0;
        };
        let mut count = 0usize;
        while count <= max {
            count = count.saturating_add(1);
            match self.chunks.get(index) {
                Some(held) if held.end() < range.end => index = index.saturating_add(1),
                _ => break,
            }
        }
        count
    }

    /// Copies the bytes from stream offset `start` on into `out`; returns whether all were there.
    pub fn copy_to(&self, start: u64, out: &mut [u8]) -> bool {
        let mut at = start;
        let mut rest = out;
        let Some(mut index) = self.chunk_at(start) else {
            return rest.is_empty();
        };
        while !rest.is_empty() {
            let end = at.saturating_add(rest.len() as u64);
            let Some(bytes) = self.bytes_at(index, at, end) else {
                return false;
            };
            let Some((to, after)) = rest.split_at_mut_checked(bytes.len()) else {
                return false;
            };
            to.copy_from_slice(bytes);
            at = at.saturating_add(bytes.len() as u64);
            rest = after;
            index = index.saturating_add(1);
        }
        true
    }

    /// First lost range without what was acknowledged since.
    fn next_lost(&mut self) -> Option<Range<u64>> {
        while let Some(lost) = self.lost.first() {
            let start = lost.start.max(self.base);
            let acked = self.acked.ceiling(start);
            let stop = match &acked {
                _ if start >= lost.end => lost.end,
                Some(acked) if acked.start <= start => acked.end.min(lost.end),
                Some(acked) => return Some(start..lost.end.min(acked.start)),
                None => return Some(start..lost.end),
            };
            self.lost.remove_below(stop);
        }
        None
    }

    /// Treats everything from `start` on as not sent.
    fn go_back(&mut self, start: u64) {
        self.next = self.next.min(start.max(self.base));
        // Cutting off the upper end splits nothing and takes no memory.
        let _ = self.lost.remove_range(self.next..u64::MAX);
    }

    fn free_below_base(&mut self) -> Option<Chunk> {
        let mut last = None;
        while let Some(held) = self.chunks.front() {
            if held.end().min(self.end) > self.base {
                break;
            }
            self.truesize = self.truesize.saturating_sub(held.chunk.truesize());
            last = self.chunks.pop_front().map(|held| held.chunk);
        }
        last
    }

    /// Index of the chunk that holds the byte at `offset`.
    fn chunk_at(&self, offset: u64) -> Option<usize> {
        let (mut low, mut high) = (0usize, self.chunks.len());
        while low < high {
            let middle = low.midpoint(high);
            let held = self.chunks.get(middle)?;
            if held.end() <= offset {
                low = middle.saturating_add(1);
            } else if held.start > offset {
                high = middle;
            } else {
                return Some(middle);
            }
        }
        None
    }

    /// The bytes of chunk `index` from stream offset `at` up to `end`.
    fn bytes_at(&self, index: usize, at: u64, end: u64) -> Option<&[u8]> {
        let held = self.chunks.get(index)?;
        let skip = usize::try_from(at.checked_sub(held.start)?).ok()?;
        let stop = usize::try_from(end.min(held.end()).checked_sub(held.start)?).ok()?;
        held.chunk.as_slice().get(skip..stop)
    }
}

#[cfg(test)]
mod tests;
