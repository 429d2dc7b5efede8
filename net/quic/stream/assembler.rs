// SPDX-License-Identifier: GPL-2.0

//! Reassembly of received bytes into order, with overlap and in bounded memory.
//!
//! Bytes in order wait in a queue; bytes ahead of a gap wait in a map by offset, without overlap:
//! the first copy of a byte wins (RFC 9000 2.2 lets a receiver discard the later one). The count
//! of separate ranges ahead is bounded here; the memory they hold is bounded by the caller's
//! `room`. Bytes that extend the part in order are never refused for lack of room, so a gap can
//! always be closed.
//!
//! A call that fails for lack of memory loses nothing it held before: pieces already stored stay,
//! and the frame can be offered again.

#![forbid(unsafe_code)]

use super::piece::{
    Piece,
    Source, //
};
use crate::{
    common::{
        deque::Deque,
        error::Error,
        map::OrdMap, //
    },
    mem::AllocError,
};

/// Separate ranges ahead of the first gap. One lost packet makes one, so a thousand is more than
/// a window with heavy loss has; a peer that scatters single bytes is stopped there.
pub const MAX_RANGES: usize = 1024;

/// Why bytes were not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No memory, or no room left for bytes ahead of a gap.
    NoMemory,
    /// They would make more than [`MAX_RANGES`] separate ranges.
    TooManyRanges,
}

impl From<AllocError> for Refused {
    fn from(_: AllocError) -> Self {
        Self::NoMemory
    }
}

/// Received bytes of one stream.
#[derive(Debug, Default)]
pub struct Assembler {
    ready: Deque<Piece>,
    /// Bytes ahead of a gap by their offset. INVARIANT: pieces do not overlap and all lie at or
    /// above `contiguous`.
    ahead: OrdMap<u64, Piece>,
    /// First byte not read.
    read: u64,
    /// End of the bytes in order: `read` plus the lengths in `ready`.
    contiguous: u64,
    /// Count of separate ranges in `ahead`.
    ranges: usize,
    truesize: usize,
}

impl Assembler {
    /// Stores the bytes of `source` at stream offset `start`.
    ///
    /// `room` bounds the memory that may be taken for bytes ahead of a gap, in bytes of truesize.
    /// Bytes known already are skipped. The caller has checked that the end of the range does not
    /// overflow.
    pub fn insert(&mut self, start: u64, source: &Source<'_>, room: usize) -> Result<(), Refused> {
        let end = start.saturating_add(source.len as u64);
        if end > self.contiguous {
            let known = self.contiguous.saturating_sub(start);
            // CAST: `known` is below the length of the source.
            let rest = source.part(known as usize, usize::MAX);
            let start = start.max(self.contiguous);
            if start == self.contiguous && self.ahead.is_empty() {
                return Ok(self.append(&rest)?);
            }
            if start > self.contiguous && self.truesize_after(&rest) > room {
                return Err(Refused::NoMemory);
            }
            self.fill(start, end, &rest)?;
        }
        Ok(self.drain()?)
    }

    /// First byte not yet read.
    pub fn read_offset(&self) -> u64 {
        self.read
    }

    /// End of the bytes in order.
    pub fn contiguous(&self) -> u64 {
        self.contiguous
    }

    /// Memory held, in bytes to charge.
    pub fn truesize(&self) -> usize {
        self.truesize
    }

    /// Length of the first piece in order, 0 if there is none.
    pub fn first_len(&self) -> usize {
        self.ready.front().map_or(0, Piece::len)
    }

    /// Hands at most `max` bytes in order to `out`, which returns how many it took, and drops
    /// them. An error of `out` is returned if it took nothing before.
    pub fn read(
        &mut self,
        max: u64,
        out: &mut dyn FnMut(&[u8]) -> Result<usize, Error>,
    ) -> Result<u64, Error> {
        let mut done = 0u64;
        while done < max {
            let Some(piece) = self.ready.front_mut() else {
                break;
            };
            let (want, took) = match offer(piece, max.saturating_sub(done), out) {
                Ok(pair) => pair,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            };
            piece.advance(took);
            if piece.len() == 0 {
                let freed = piece.truesize();
                self.truesize = self.truesize.saturating_sub(freed);
                self.ready.pop_front();
            }
            done = done.saturating_add(took as u64);
            self.read = self.read.saturating_add(took as u64);
            if took < want {
                break;
            }
        }
        Ok(done)
    }

    /// As [`Self::read`], and leaves the bytes.
    pub fn peek(
        &self,
        max: u64,
        out: &mut dyn FnMut(&[u8]) -> Result<usize, Error>,
    ) -> Result<u64, Error> {
        let mut done = 0u64;
        for piece in self.ready.iter() {
            if done >= max {
                break;
            }
            let (want, took) = match offer(piece, max.saturating_sub(done), out) {
                Ok(pair) => pair,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            };
            done = done.saturating_add(took as u64);
            if took < want {
                break;
            }
        }
        Ok(done)
    }

    /// Drops the bytes ahead of a gap; none of them will ever be read.
    pub fn discard_ahead(&mut self) {
        let freed = self.ahead.iter().fold(0usize, |sum, (_, piece)| {
            sum.saturating_add(piece.truesize())
        });
        self.truesize = self.truesize.saturating_sub(freed);
        self.ahead = OrdMap::new();
        self.ranges = 0;
    }

    /// Drops everything that is held.
    pub fn discard(&mut self) {
        self.discard_ahead();
        self.ready.clear();
        self.read = self.contiguous;
        self.truesize = 0;
    }

    fn truesize_after(&self, source: &Source<'_>) -> usize {
        self.truesize.saturating_add(source.len)
    }

    /// Appends bytes that follow those in order.
    fn append(&mut self, source: &Source<'_>) -> Result<(), AllocError> {
        let len = source.len as u64;
        if let Some(last) = self.ready.back_mut() {
            let before = last.truesize();
            if last.join(source)? {
                let grown = last.truesize().saturating_sub(before);
                self.truesize = self.truesize.saturating_add(grown);
                self.contiguous = self.contiguous.saturating_add(len);
                return Ok(());
            }
        }
        let piece = Piece::new(source)?;
        let truesize = piece.truesize();
        self.ready.push_back(piece)?;
        self.truesize = self.truesize.saturating_add(truesize);
        self.contiguous = self.contiguous.saturating_add(len);
        Ok(())
    }

    /// Stores what is missing of `start..end`. Each step closes a gap or opens one, so the work is
    /// paid for by the pieces stored before.
    fn fill(&mut self, start: u64, end: u64, source: &Source<'_>) -> Result<(), Refused> {
        let mut at = start;
        while at < end {
            let before = self.end_before(at);
            if let Some(before) = before.filter(|before| *before > at) {
                at = before;
                continue;
            }
            let next = self.ahead.ceiling(&at).map(|(offset, _)| offset);
            let stop = next.map_or(end, |next| next.min(end));
            // CAST: both are below the length of the source.
            let skip = at.saturating_sub(start) as usize;
            let len = stop.saturating_sub(at) as usize;
            let touches_next = next == Some(stop);
            let touches_before = before == Some(at);
            self.store(at, touches_before, touches_next, &source.part(skip, len))?;
            at = stop;
        }
        Ok(())
    }

    /// End of the piece that begins at or before `at`.
    fn end_before(&self, at: u64) -> Option<u64> {
        let (offset, piece) = self.ahead.floor(&at)?;
        Some(offset.saturating_add(piece.len() as u64))
    }

    /// Stores bytes ahead of a gap that overlap nothing.
    fn store(
        &mut self,
        at: u64,
        touches_before: bool,
        touches_next: bool,
        source: &Source<'_>,
    ) -> Result<(), Refused> {
        let joined = usize::from(touches_before).saturating_add(usize::from(touches_next));
        let ranges = self.ranges.saturating_add(1).saturating_sub(joined);
        if ranges > MAX_RANGES && at != self.contiguous {
            return Err(Refused::TooManyRanges);
        }
        if touches_before {
            let before = self.ahead.floor(&at).map(|(offset, _)| offset);
            if let Some(piece) = before.and_then(|offset| self.ahead.get_mut(&offset)) {
                let before = piece.truesize();
                if piece.join(source)? {
                    let grown = piece.truesize().saturating_sub(before);
                    self.truesize = self.truesize.saturating_add(grown);
                    self.ranges = ranges;
                    return Ok(());
                }
            }
        }
        let piece = Piece::new(source)?;
        let truesize = piece.truesize();
        self.ahead
            .insert(at, piece)
            .map_err(|_| Refused::NoMemory)?;
        self.truesize = self.truesize.saturating_add(truesize);
        self.ranges = ranges;
        Ok(())
    }

    /// Moves pieces that are in order now to the queue.
    fn drain(&mut self) -> Result<(), AllocError> {
        while self.ahead.first().map(|(offset, _)| offset) == Some(self.contiguous) {
            // The place is taken first: a piece must not be lost when there is no memory for it.
            self.ready.push_back(Piece::empty())?;
            let (Some((_, piece)), Some(place)) = (self.ahead.pop_first(), self.ready.back_mut())
            else {
                break;
            };
            self.contiguous = self.contiguous.saturating_add(piece.len() as u64);
            *place = piece;
            let continues = self.ahead.first().map(|(offset, _)| offset) == Some(self.contiguous);
            if !continues {
                self.ranges = self.ranges.saturating_sub(1);
            }
        }
        Ok(())
    }
}

/// Offers at most `max` bytes of `piece`; returns how many were offered and taken.
fn offer(
    piece: &Piece,
    max: u64,
    out: &mut dyn FnMut(&[u8]) -> Result<usize, Error>,
) -> Result<(usize, usize), Error> {
    piece.with_bytes(|bytes| {
        let want = bytes.len().min(usize::try_from(max).unwrap_or(usize::MAX));
        let took = out(bytes.get(..want).unwrap_or_default())?;
        Ok((want, took.min(want)))
    })
}

#[cfg(test)]
mod tests;
