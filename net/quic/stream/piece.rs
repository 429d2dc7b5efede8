// SPDX-License-Identifier: GPL-2.0

//! One retained piece of received stream data.
//!
//! A piece either shares the datagram it came in, which is charged in whole, or is a copy. Small
//! pieces are copied and joined with their neighbour, so that a peer which sends its data in tiny
//! frames makes us keep little more than the bytes themselves.

#![forbid(unsafe_code)]

use crate::{
    buf::{
        Datagram,
        RxSlice, //
    },
    mem::{
        AllocError,
        Vec, //
    },
};

/// Below this length a copy is cheaper to keep than a reference: the smallest socket buffer is
/// charged with several hundred bytes.
const COPY_BELOW: usize = 256;

/// A joined copy grows up to this size; large enough to make the cost of its allocation small,
/// small enough for one slab object.
const BLOCK: usize = 2048;

/// What a piece costs besides its bytes: its place in a queue or a map.
const OVERHEAD: usize = 64;

/// Bytes of one frame, still in their datagram.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The datagram, opened in place.
    pub datagram: &'a Datagram,
    /// Where in the datagram the bytes begin.
    pub at: usize,
    /// Count of bytes.
    pub len: usize,
}

impl Source<'_> {
    /// The part from `skip` on with `len` bytes; a range beyond the end is cut.
    pub fn part(&self, skip: usize, len: usize) -> Self {
        let skip = skip.min(self.len);
        Self {
            datagram: self.datagram,
            at: self.at.saturating_add(skip),
            len: len.min(self.len.saturating_sub(skip)),
        }
    }

    fn bytes(&self) -> &[u8] {
        let end = self.at.saturating_add(self.len);
        self.datagram.bytes().get(self.at..end).unwrap_or_default()
    }
}

#[derive(Debug)]
enum Store {
    /// A part of a datagram, kept by reference.
    Shared(RxSlice),
    /// A copy; the first `usize` bytes were read already.
    Copied(Vec<u8>, usize),
}

/// Received bytes without a gap.
#[derive(Debug)]
pub struct Piece(Store);

impl Piece {
    /// A piece without bytes and without memory, to hold a place.
    pub const fn empty() -> Self {
        Self(Store::Copied(Vec::new(), 0))
    }

    /// Retains or copies the bytes of `source`.
    pub fn new(source: &Source<'_>) -> Result<Self, AllocError> {
        if source.len >= COPY_BELOW {
            let slice = source.datagram.retain(source.at, source.len)?;
            return Ok(Self(Store::Shared(slice)));
        }
        let mut copy = Vec::try_with_capacity(source.len)?;
        copy.try_extend_from_slice(source.bytes())?;
        Ok(Self(Store::Copied(copy, 0)))
    }

    /// Adds the bytes of `source` behind this piece's own if both are small.
    ///
    /// Returns whether it did; on failure the piece is as it was.
    pub fn join(&mut self, source: &Source<'_>) -> Result<bool, AllocError> {
        match &mut self.0 {
            Store::Copied(copy, _)
                if source.len < COPY_BELOW && copy.len().saturating_add(source.len) <= BLOCK =>
            {
                copy.try_extend_from_slice(source.bytes())?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Count of bytes not yet read.
    pub fn len(&self) -> usize {
        match &self.0 {
            Store::Shared(slice) => slice.len(),
            Store::Copied(copy, skip) => copy.len().saturating_sub(*skip),
        }
    }

    /// Memory to charge for the piece, in bytes.
    pub fn truesize(&self) -> usize {
        let held = match &self.0 {
            Store::Shared(slice) => slice.truesize(),
            Store::Copied(copy, _) => copy.capacity(),
        };
        held.saturating_add(OVERHEAD)
    }

    /// Drops the first `count` bytes.
    pub fn advance(&mut self, count: usize) {
        match &mut self.0 {
            Store::Shared(slice) => slice.advance(count),
            Store::Copied(copy, skip) => *skip = skip.saturating_add(count).min(copy.len()),
        }
    }

    /// Lends the bytes not yet read.
    pub fn with_bytes<R>(&self, with: impl FnOnce(&[u8]) -> R) -> R {
        match &self.0 {
            Store::Shared(slice) => slice.with_bytes(with),
            Store::Copied(copy, skip) => with(copy.get(*skip..).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )]

    use super::*;

    fn text(piece: &Piece) -> std::vec::Vec<u8> {
        piece.with_bytes(|bytes| bytes.to_vec())
    }

    #[test]
    fn small_pieces_are_copied_and_joined_up_to_a_block() {
        let datagram = Datagram::try_from_slice(&[7; 1200]).unwrap();
        let small = Source {
            datagram: &datagram,
            at: 0,
            len: 200,
        };
        let mut piece = Piece::new(&small).unwrap();
        let mut joined = 1;
        while piece.join(&small).unwrap() {
            joined += 1;
        }
        assert_eq!(joined, BLOCK / 200);
        assert_eq!(piece.len(), joined * 200);
        assert!(piece.truesize() < 2 * BLOCK + OVERHEAD);
    }

    #[test]
    fn large_pieces_share_the_datagram_and_take_no_more() {
        let datagram = Datagram::try_from_slice(&[7; 1200]).unwrap();
        let large = Source {
            datagram: &datagram,
            at: 100,
            len: COPY_BELOW,
        };
        let mut piece = Piece::new(&large).unwrap();
        assert!(piece.truesize() >= 1200);
        assert!(!piece.join(&large.part(0, 1)).unwrap());
    }

    #[test]
    fn reading_moves_the_front_of_both_kinds() {
        let bytes: std::vec::Vec<u8> = (0..=255).cycle().take(600).collect();
        let datagram = Datagram::try_from_slice(&bytes).unwrap();
        for len in [10, 500] {
            let source = Source {
                datagram: &datagram,
                at: 3,
                len,
            };
            let mut piece = Piece::new(&source).unwrap();
            piece.advance(4);
            assert_eq!(text(&piece), &bytes[7..3 + len]);
            piece.advance(1000);
            assert_eq!(piece.len(), 0);
            assert!(text(&piece).is_empty());
        }
    }

    #[test]
    fn a_part_beyond_the_end_is_cut() {
        let datagram = Datagram::try_from_slice(b"abcdef").unwrap();
        let source = Source {
            datagram: &datagram,
            at: 1,
            len: 4,
        };
        assert_eq!(source.part(1, 99).bytes(), b"cde");
        assert_eq!(source.part(9, 9).bytes(), b"");
    }
}
