// SPDX-License-Identifier: GPL-2.0

//! What the connection has to tell its owner: notifications for the user and wake-ups.
//!
//! The core only records; the glue takes events out after it has let go of everything it borrowed
//! from the connection. Notifications wait in a bounded queue and only if the user asked for their
//! type; wake-ups are edge flags, so any number of them costs one bit. Must be called with the
//! connection's lock held, in any context.

#![forbid(unsafe_code)]

pub use super::reason::{
    CloseInfo,
    CloseKind,
    REASON_MAX, //
};

use crate::{
    common::{
        deque::Deque,
        id::StreamId, //
    },
    mem::Vec, //
};

/// Notifications kept for one connection. A user who does not read loses the newest, as the
/// socket interface allows; 512 of them are more than any program leaves unread.
const MAX_QUEUED: usize = 512;

/// A notification for the user (`enum quic_event_type`).
#[derive(Debug)]
pub enum Event {
    /// A stream's half changed its state; `state` is `enum quic_stream_state`.
    StreamUpdate {
        /// The stream.
        id: StreamId,
        /// New state, numbered as in the user interface.
        state: u8,
        /// Application error code of a reset, else 0.
        errcode: u64,
        /// Final size where it is known, else 0.
        finalsz: u64,
    },
    /// The peer raised a stream's credit to `max`.
    MaxStreamData {
        /// The stream.
        id: StreamId,
        /// New limit in bytes from the stream's start.
        max: u64,
    },
    /// The peer raised the count of streams; the highest stream id now allowed.
    MaxStreams {
        /// Stream id with its type bits.
        id_limit: u64,
    },
    /// A connection id was retired.
    ConnectionId {
        /// True for an id of the peer's, false for one of this side's.
        dest: bool,
        /// Sequence number now in use.
        active: u64,
        /// Smallest sequence number still issued.
        prior_to: u64,
    },
    /// The connection ended.
    Closed(CloseInfo),
    /// An address changed: this side's (`local`) or the peer's.
    Migrated {
        /// Whose address it was.
        local: bool,
    },
    /// Packets of a new key phase are in use.
    KeyUpdated {
        /// The phase, 0 or 1.
        phase: u8,
    },
    /// The client received a token for later connections.
    NewToken(Vec<u8>),
    /// The client received a whole NewSessionTicket message.
    NewSessionTicket(Vec<u8>),
}

impl Event {
    /// The event's number in the user interface (`QUIC_EVENT_*`), 1 to 9.
    pub const fn number(&self) -> u8 {
        match self {
            Self::StreamUpdate { .. } => 1,
            Self::MaxStreamData { .. } => 2,
            Self::MaxStreams { .. } => 3,
            Self::ConnectionId { .. } => 4,
            Self::Closed(_) => 5,
            Self::Migrated { .. } => 6,
            Self::KeyUpdated { .. } => 7,
            Self::NewToken(_) => 8,
            Self::NewSessionTicket(_) => 9,
        }
    }
}

/// Which event types the user wants, one bit per [`Event::number`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventMask(u16);

impl EventMask {
    /// Every type.
    pub const ALL: Self = Self(0x3fe);

    /// Switches one type on or off; numbers outside 1 to 9 change nothing.
    pub fn set(&mut self, number: u8, on: bool) {
        let bit = Self::bit(number);
        if on {
            self.0 |= bit;
        } else {
            self.0 &= !bit;
        }
    }

    /// Whether the type is wanted.
    pub fn contains(&self, number: u8) -> bool {
        self.0 & Self::bit(number) != 0
    }

    fn bit(number: u8) -> u16 {
        1u16.checked_shl(u32::from(number)).unwrap_or(0) & Self::ALL.0
    }
}

/// Wake-ups collected since they were last taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wake {
    /// Something can be read: handshake bytes, an event, stream data or a datagram.
    pub readable: bool,
    /// Flow-control credit or queue space came back.
    pub writable: bool,
    /// The peer allows more streams.
    pub streams: bool,
    /// The connection's state changed.
    pub state: bool,
}

/// Notifications and wake-ups of one connection.
#[derive(Debug, Default)]
pub struct Events {
    queue: Deque<Event>,
    mask: EventMask,
    wake: Wake,
}

impl Events {
    /// An empty queue that keeps the types of `mask`.
    pub fn new(mask: EventMask) -> Self {
        Self {
            queue: Deque::new(),
            mask,
            wake: Wake::default(),
        }
    }

    /// Whether an event of this number would be kept; saves making one that would not.
    pub fn wants(&self, number: u8) -> bool {
        self.mask.contains(number)
    }

    /// Changes the types that are kept from now on; queued events stay.
    pub fn set_mask(&mut self, mask: EventMask) {
        self.mask = mask;
    }

    /// Queues an event if its type is wanted and there is room, and wakes readers.
    pub fn push(&mut self, event: Event) {
        if !self.mask.contains(event.number()) {
            return;
        }
        if self.queue.len() >= MAX_QUEUED || self.queue.push_back(event).is_err() {
            return;
        }
        self.wake.readable = true;
    }

    /// The oldest event, left in the queue.
    pub fn front(&self) -> Option<&Event> {
        self.queue.front()
    }

    /// Takes the oldest event.
    pub fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Notes that something became readable.
    pub fn wake_readable(&mut self) {
        self.wake.readable = true;
    }

    /// Notes that credit or queue space came back.
    pub fn wake_writable(&mut self) {
        self.wake.writable = true;
    }

    /// Notes that the peer allows more streams.
    pub fn wake_streams(&mut self) {
        self.wake.streams = true;
    }

    /// Notes a change of the connection's state.
    pub fn wake_state(&mut self) {
        self.wake.state = true;
    }

    /// Whether somebody is to be woken.
    pub fn has_wake(&self) -> bool {
        self.wake != Wake::default()
    }

    /// Takes the wake-ups collected so far.
    #[must_use]
    pub fn take_wake(&mut self) -> Wake {
        core::mem::take(&mut self.wake)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn only_wanted_types_are_kept_and_wake_readers() {
        let mut events = Events::new(EventMask::default());
        events.push(Event::Migrated { local: true });
        assert!(events.is_empty());
        assert_eq!(events.take_wake(), Wake::default());
        let mut mask = EventMask::default();
        mask.set(6, true);
        events.set_mask(mask);
        events.push(Event::Migrated { local: true });
        events.push(Event::KeyUpdated { phase: 1 });
        assert_eq!(events.front().unwrap().number(), 6);
        assert!(events.take_wake().readable);
        assert_eq!(events.take_wake(), Wake::default());
        assert!(events.pop().is_some());
        assert!(events.pop().is_none());
    }

    #[test]
    fn a_full_queue_drops_the_newest() {
        let mut events = Events::new(EventMask::ALL);
        for number in 0..MAX_QUEUED + 3 {
            let local = number >= MAX_QUEUED;
            events.push(Event::Migrated { local });
        }
        let mut kept = 0;
        while let Some(event) = events.pop() {
            assert!(matches!(event, Event::Migrated { local: false }));
            kept += 1;
        }
        assert_eq!(kept, MAX_QUEUED);
    }

    #[test]
    fn numbers_outside_one_to_nine_change_no_mask() {
        let mut mask = EventMask::default();
        for number in [0, 10, 15, 16, 200] {
            mask.set(number, true);
            assert!(!mask.contains(number));
        }
        assert_eq!(mask, EventMask::default());
        for number in 1..=9 {
            mask.set(number, true);
        }
        assert_eq!(mask, EventMask::ALL);
    }
}
