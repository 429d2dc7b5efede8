// SPDX-License-Identifier: GPL-2.0

//! Which streams of a type were opened, and how many may be (RFC 9000 2.1 and 4.6).
//!
//! Opening a stream opens all lower ones of its type. Those are only noted as a range here; a
//! stream object is made when one of them is first used. So a peer that names its highest allowed
//! stream costs one range, not thousands of objects. A stream that was opened, is not noted here
//! and has no object was released.
//!
//! Bound: the ranges lie between streams that exist or were released while others below them were
//! not, and no more streams can be open than the limit allows; 4096 of a type at most.

#![forbid(unsafe_code)]

use crate::{
    common::{
        id::StreamId,
        ranges::RangeSet, //
    },
    mem::AllocError,
};

/// Streams of a type that may be open at a time, whatever the application or the peer asks for
/// (the user interface allows no more).
pub const MAX_OPEN: u64 = 4096;

/// A new limit is announced when this part of the streams was used up: 1/4, or one stream.
const UPDATE_FRACTION: u64 = 4;

/// Where a stream stands that has no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// Opened together with a higher one; no object was made yet.
    Implicit,
    /// Opened once and finished.
    Released,
    /// Not opened.
    Unopened,
}

/// The streams of one type that were opened so far.
#[derive(Debug, Default)]
pub struct Opened {
    /// All streams with a lower index were opened.
    next: u64,
    /// Opened without an object.
    implicit: RangeSet,
}

impl Opened {
    /// Index of the next stream that was not opened.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Where a stream without object stands.
    pub fn absent(&self, index: u64) -> Absent {
        if index >= self.next {
            Absent::Unopened
        } else if self.implicit.contains(index) {
            Absent::Implicit
        } else {
            Absent::Released
        }
    }

    /// Notes that stream `index` gets an object, and opens it and all lower ones if they were not
    /// open. On failure nothing has changed.
    pub fn create(&mut self, index: u64) -> Result<(), AllocError> {
        // RFC 9000 3.2 #1
        if index >= self.next {
            self.implicit.insert_range(self.next..index)?;
            self.next = index.saturating_add(1);
            return Ok(());
        }
        self.implicit.remove_range(index..index.saturating_add(1))
    }

    /// Count of ranges kept.
    #[cfg(test)]
    pub fn ranges(&self) -> usize {
        self.implicit.len()
    }
}

/// The limit this side sets to the peer for streams of one type.
#[derive(Debug, Clone, Copy)]
pub struct Granted {
    /// Streams that may be open at a time.
    concurrent: u64,
    /// Largest limit announced, as a count of streams over the connection's life.
    limit: u64,
    /// Streams released so far.
    released: u64,
}

impl Granted {
    /// A limit of `initial` streams, announced in the transport parameters.
    pub fn new(initial: u64) -> Self {
        Self {
            concurrent: initial.min(MAX_OPEN),
            limit: initial.min(StreamId::MAX_STREAMS),
            released: 0,
        }
    }

    /// The limit announced.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Notes that a stream of the peer is over. Returns whether a new limit is worth a frame.
    pub fn on_released(&mut self) -> bool {
        self.released = self.released.saturating_add(1);
        let step = (self.concurrent / UPDATE_FRACTION).max(1);
        self.next_limit().saturating_sub(self.limit) >= step
    }

    /// The limit that could be announced now.
    pub fn next_limit(&self) -> u64 {
        self.released
            .saturating_add(self.concurrent)
            .min(StreamId::MAX_STREAMS)
            .max(self.limit)
    }

    /// Notes that `limit` is in a packet.
    pub fn on_announced(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
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
    use crate::mem::fail;

    // RFC 9000 3.2 #1 test
    #[test]
    fn opening_a_stream_opens_all_lower_ones_at_the_price_of_one_range() {
        let mut opened = Opened::default();
        assert_eq!(opened.absent(0), Absent::Unopened);
        opened.create(4000).unwrap();
        assert_eq!((opened.next(), opened.ranges()), (4001, 1));
        assert_eq!(opened.absent(0), Absent::Implicit);
        assert_eq!(opened.absent(3999), Absent::Implicit);
        assert_eq!(opened.absent(4000), Absent::Released);
        assert_eq!(opened.absent(4001), Absent::Unopened);
        opened.create(7).unwrap();
        assert_eq!(opened.absent(7), Absent::Released);
        assert_eq!((opened.next(), opened.ranges()), (4001, 2));
    }

    #[test]
    fn without_memory_nothing_is_opened() {
        let mut opened = Opened::default();
        fail::after(0);
        assert!(opened.create(9).is_err());
        fail::off();
        assert_eq!((opened.next(), opened.ranges()), (0, 0));
        assert_eq!(opened.absent(3), Absent::Unopened);
    }

    #[test]
    fn the_limit_moves_with_the_streams_that_are_over() {
        let mut granted = Granted::new(8);
        assert!(!granted.on_released());
        assert!(granted.on_released());
        assert_eq!((granted.limit(), granted.next_limit()), (8, 10));
        granted.on_announced(10);
        assert!(!granted.on_released());
        let mut single = Granted::new(1);
        assert!(single.on_released());
        assert_eq!(single.next_limit(), 2);
    }

    #[test]
    fn no_more_than_4096_streams_are_open_and_the_limit_never_falls() {
        let mut granted = Granted::new(5000);
        assert_eq!((granted.limit(), granted.next_limit()), (5000, 5000));
        for _ in 0..904 {
            assert!(!granted.on_released());
        }
        assert_eq!(granted.next_limit(), 5000);
        granted.on_announced(3);
        assert_eq!(granted.limit(), 5000);
        let mut none = Granted::new(0);
        assert_eq!(none.next_limit(), 0);
        none.on_announced(StreamId::MAX_STREAMS);
        assert_eq!(none.next_limit(), StreamId::MAX_STREAMS);
    }
}
