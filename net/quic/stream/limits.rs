// SPDX-License-Identifier: GPL-2.0

//! Which streams of a type were opened, and how many may be (RFC 9000 2.1 and 4.6).
//!
//! Opening a stream opens all lower ones of its type. Those are only noted as a range here; a
//! stream object is made when one of them is first used. So a peer that names its highest allowed
//! stream costs one range, not thousands of objects. A stream that was opened, is not noted here
//! and has no object was released.
//!
//! Bound: the ranges lie between streams that exist or were released while others below them were
//! not, and no more streams of the peer can be open than its limit allows; 4096 of a type at most,
//! and a quarter more of which only acknowledgements are missing. As many of this side's own have an
//! object at a time, however many the peer allows.

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

/// A new limit is announced when this part of the streams was used up: 1/4, or one stream. A peer
/// that has less than that left is told of every stream: it may be waiting for just one, and others
/// that stay open for long must not keep it waiting.
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
    /// Count of those that have one.
    objects: u64,
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
        } else {
            self.implicit.remove_range(index..index.saturating_add(1))?;
        }
        self.objects = self.objects.saturating_add(1);
        Ok(())
    }

    /// Notes that a stream's object is gone. Returns whether that made room for another one.
    pub fn on_released(&mut self) -> bool {
        let was_full = self.is_full();
        self.objects = self.objects.saturating_sub(1);
        was_full && !self.is_full()
    }

    /// Whether [`MAX_OPEN`] streams have an object.
    pub fn is_full(&self) -> bool {
        self.objects >= MAX_OPEN
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
    /// Streams that are over so far.
    released: u64,
    /// Those among them that still wait for acknowledgements.
    lingering: u64,
}

impl Granted {
    /// A limit of `initial` streams, announced in the transport parameters.
    pub fn new(initial: u64) -> Self {
        Self {
            concurrent: initial.min(MAX_OPEN),
            limit: initial.min(StreamId::MAX_STREAMS),
            released: 0,
            lingering: 0,
        }
    }

    /// The limit announced.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Notes that a stream of the peer, which has opened `opened` so far, is over. Returns whether a
    /// new limit is worth a frame.
    pub fn on_released(&mut self, opened: u64) -> bool {
        self.released = self.released.saturating_add(1);
        let step = (self.concurrent / UPDATE_FRACTION).max(1);
        let gain = self.next_limit().saturating_sub(self.limit);
        gain >= step || (gain > 0 && self.limit.saturating_sub(opened) < step)
    }

    /// Whether a stream may count as over of which only acknowledgements are missing: the new limit
    /// then goes out with the stream's end. A peer that acknowledges nothing gains a quarter of the
    /// streams by that.
    pub fn may_linger(&self) -> bool {
        self.lingering < self.concurrent / UPDATE_FRACTION
    }

    /// As [`Self::on_released`], of a stream that [`Self::may_linger`].
    pub fn on_lingering(&mut self, opened: u64) -> bool {
        self.lingering = self.lingering.saturating_add(1);
        self.on_released(opened)
    }

    /// The last acknowledgement of such a stream came.
    pub fn on_settled(&mut self) {
        self.lingering = self.lingering.saturating_sub(1);
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
        assert!(!granted.on_released(1));
        assert!(granted.on_released(2));
        assert_eq!((granted.limit(), granted.next_limit()), (8, 10));
        granted.on_announced(10);
        assert!(!granted.on_released(3));
        let mut single = Granted::new(1);
        assert!(single.on_released(1));
        assert_eq!(single.next_limit(), 2);
    }

    #[test]
    fn every_stream_counts_for_a_peer_that_has_few_left() {
        let mut granted = Granted::new(100);
        assert!(!granted.on_released(75));
        assert!(granted.on_released(76));
        granted.on_announced(102);
        assert!(granted.on_released(100));
        assert_eq!(granted.next_limit(), 103);
    }

    #[test]
    fn a_quarter_of_the_streams_may_wait_for_acknowledgements() {
        let mut granted = Granted::new(8);
        for _ in 0..2 {
            assert!(granted.may_linger());
            granted.on_lingering(8);
        }
        assert!(!granted.may_linger());
        assert_eq!(granted.next_limit(), 10);
        granted.on_settled();
        assert!(granted.may_linger());
        assert_eq!(granted.next_limit(), 10);
        // With so few streams each is waited for.
        assert!(!Granted::new(3).may_linger());
    }

    #[test]
    fn no_more_than_4096_streams_are_open_and_the_limit_never_falls() {
        let mut granted = Granted::new(5000);
        assert_eq!((granted.limit(), granted.next_limit()), (5000, 5000));
        for _ in 0..904 {
            assert!(!granted.on_released(5000));
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
