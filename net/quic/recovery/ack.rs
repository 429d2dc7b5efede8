// SPDX-License-Identifier: GPL-2.0

//! The receiving half: which packets arrived, and when to tell the peer. RFC 9000 section 13.2.
//!
//! One tracker for each packet number space. It only decides; the ACK frame is written straight
//! from its ranges into the packet. The number of ranges is bounded, and whatever falls below the
//! oldest one kept counts as received, so that no packet is ever processed twice.

#![forbid(unsafe_code)]

mod frequency;

use core::ops::Range;

pub use frequency::Frequency;

use super::ecn::{
    self,
    Ecn,
    EcnCounts, //
};
use crate::common::{
    id::Space,
    ranges::RangeSet,
    time::{
        Duration,
        Instant, //
    },
};

/// Ranges remembered. RFC 9000 13.2.3 leaves the number open; a peer whose packets arrive with
/// more gaps than this within the time of an ACK's round trip is retransmitting anyway.
const MAX_RANGES: usize = 256;

/// Packet numbers below an acknowledged ACK frame that are still told apart, so that packets the
/// network reordered are not taken for duplicates. ACK frames do not mention them any more.
const REORDER_SLACK: u64 = 1024;

/// An endpoint that only receives asks for an acknowledgement of its ACK frames after this many of
/// them, RFC 9000 13.2.4, if there are at least [`MANY_RANGES`] that it could then forget.
const ACKS_WITHOUT_ANSWER: u32 = 16;

/// Ranges in an ACK frame that are worth a PING to get rid of.
const MANY_RANGES: usize = 8;

/// Whether a packet is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It was not seen before.
    New,
    /// It was processed before, or is so old that it cannot be told any more: to be discarded.
    Duplicate,
}

/// Received packets of one packet number space.
#[derive(Debug)]
pub struct AckTracker {
    ranges: RangeSet,
    /// Every number below counts as received: its range was forgotten.
    floor: u64,
    /// The peer knows of every packet below that arrived: ACK frames begin with the range it is in.
    known: u64,
    /// Largest packet number when one below it arrived last. An ACK frame up to that number may have
    /// left before, so that the peer's knowing it says nothing of the late packet.
    late: Option<u64>,
    /// Largest packet number and when it arrived: the base of the ACK Delay field.
    largest: Option<(u64, Instant)>,
    largest_eliciting: Option<u64>,
    ecn: EcnCounts,
    was_ce: bool,

    /// RFC 9000 13.2.1 #2: Initial and Handshake packets are never held back.
    is_immediate: bool,
    frequency: Frequency,
    /// Sequence number of the newest ACK_FREQUENCY frame.
    sequence: Option<u64>,

    /// Ack-eliciting packets since the last ACK frame was sent.
    waiting: u64,
    /// An ACK frame is due at once.
    is_due: bool,
    /// An ACK frame is due then.
    deadline: Option<Instant>,
    /// Largest Acknowledged of the newest ACK frame sent.
    largest_reported: Option<u64>,
    /// ACK frames sent since one was acknowledged, or since a PING asked for that.
    unanswered: u32,
}

impl AckTracker {
    /// A tracker that holds back ACKs of the application data space by up to `max_ack_delay`, and
    /// none in the other spaces.
    pub fn new(space: Space, max_ack_delay: Duration) -> Self {
        Self {
            ranges: RangeSet::with_limit(MAX_RANGES),
            floor: 0,
            known: 0,
            late: None,
            largest: None,
            largest_eliciting: None,
            ecn: EcnCounts::default(),
            was_ce: false,
            is_immediate: space != Space::Data,
            frequency: Frequency::new(max_ack_delay),
            sequence: None,
            waiting: 0,
            is_due: false,
            deadline: None,
            largest_reported: None,
            unanswered: 0,
        }
    }

    /// Whether packet `pn` is to be discarded after its protection was removed: RFC 9000 12.3 #4,
    /// #5.
    pub fn is_duplicate(&self, pn: u64) -> bool {
        pn < self.floor || self.ranges.contains(pn)
    }

    /// Packet `pn` arrived at `now` and all of its frames were processed (RFC 9000 13.1 #1).
    ///
    /// Never fails: without memory for another range the oldest one is given up, and if there is
    /// none, the packet stays unacknowledged and what it carried comes again.
    pub fn on_received(
        &mut self,
        pn: u64,
        ecn: Ecn,
        ack_eliciting: bool,
        now: Instant,
    ) -> Received {
        if self.is_duplicate(pn) {
            return Received::Duplicate;
        }
        self.insert(pn);
        ecn::count(&mut self.ecn, ecn);
        let is_first_ce = ecn == Ecn::Ce && !self.was_ce;
        self.was_ce = ecn == Ecn::Ce;
        let previous = self.largest_eliciting;
        match self.largest {
            Some((largest, _)) if pn < largest => {
                self.late = Some(largest);
                self.known = self.known.min(pn);
            }
            _ => self.largest = Some((pn, now)),
        }
        // RFC 9000 13.2.1 #4
        if !ack_eliciting || self.ranges.is_empty() {
            return Received::New;
        }
        self.largest_eliciting = Some(previous.map_or(pn, |p| p.max(pn)));
        self.waiting = self.waiting.saturating_add(1);
        self.is_due = self.is_due
            || self.is_immediate
            || self.waiting > self.frequency.eliciting_threshold
            || self.is_ce_due(ecn, is_first_ce)
            || self.is_reordered(pn, previous);
        // RFC 9000 13.2.1 #1, RFC 9000 13.2.1 #2
        if self.deadline.is_none() {
            self.deadline = Some(now.saturating_add(self.frequency.max_ack_delay));
        }
        Received::New
    }

    /// An ack-eliciting packet arrived that cannot be acknowledged, as what it carries found no
    /// memory. An ACK frame without it is due: it shows the peer, whose packets would go unanswered
    /// for as long as the want lasts, that the connection is alive (RFC 9000 10.1).
    pub fn on_refused(&mut self) {
        if !self.ranges.is_empty() {
            self.waiting = self.waiting.saturating_add(1);
            self.is_due = true;
        }
    }

    /// Whether an ACK frame must be sent now, in a packet of its own if need be. It is due only
    /// because an ack-eliciting packet arrived since the last one: RFC 9000 13.2.1 #3.
    pub fn is_due(&self, now: Instant) -> bool {
        (self.is_due && self.waiting > 0) || self.deadline.is_some_and(|at| at <= now)
    }

    /// Whether an ACK frame belongs into a packet that is sent anyway:
    /// RFC 9000 13.2.1 #5, RFC 9000 13.2.1 #6.
    pub fn is_useful(&self) -> bool {
        self.waiting > 0
    }

    /// When an ACK frame becomes due. An instant in the past stands for one that is due now.
    pub fn deadline(&self) -> Option<Instant> {
        if self.is_due && self.waiting > 0 {
            return Some(Instant::ZERO);
        }
        self.deadline
    }

    /// The packets remembered.
    pub fn ranges(&self) -> &RangeSet {
        &self.ranges
    }

    /// The packets to acknowledge: without those of which the peer knows that they arrived, as it
    /// has acknowledged an ACK frame that said so.
    // RFC 9000 13.2.3 #2
    // RFC 9000 13.2.3 #4
    pub fn unknown(&self) -> &[Range<u64>] {
        self.ranges.above(self.known)
    }

    /// The largest packet number received, for decoding truncated ones: RFC 9000 17.1.
    pub fn largest(&self) -> Option<u64> {
        self.largest.map(|(pn, _)| pn)
    }

    /// The ECN counts of an ACK frame, once there are any: RFC 9000 13.4.1 #1.
    pub fn ecn_counts(&self) -> Option<EcnCounts> {
        (self.ecn != EcnCounts::default()).then_some(self.ecn)
    }

    /// The time since the largest packet arrived: RFC 9000 13.2.5 #1, RFC 9000 13.2.5 #3.
    pub fn ack_delay(&self, now: Instant) -> Duration {
        self.largest.map_or(Duration::ZERO, |(_, at)| now.since(at))
    }

    /// An ACK frame with all ranges, or as many of the newest as fitted, was written.
    pub fn on_ack_sent(&mut self) {
        self.waiting = 0;
        self.is_due = false;
        self.deadline = None;
        self.largest_reported = self.largest();
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// Whether the packet with the ACK frame just written should carry a PING if nothing else in
    /// it is ack-eliciting: the frames have become long, and nothing that the peer acknowledges
    /// was sent for a while. True at most once in many packets: RFC 9000 13.2.1 #7.
    pub fn take_ping(&mut self) -> bool {
        let is_wanted =
            self.unanswered >= ACKS_WITHOUT_ANSWER && self.unknown().len() >= MANY_RANGES;
        if is_wanted {
            self.unanswered = 0;
        }
        is_wanted
    }

    /// The peer acknowledged a packet with an ACK frame whose Largest Acknowledged was `largest`:
    /// the ranges up to it need not be sent again. RFC 9000 13.2.3 #2, RFC 9000 13.2.3 #4
    pub fn on_ack_acked(&mut self, largest: u64) {
        // RFC 9000 13.2.3 #5, RFC 9000 13.2.3 #6: the largest one stays.
        let keep = self.largest().unwrap_or(0).min(largest);
        let floor = keep.saturating_sub(REORDER_SLACK);
        self.unanswered = 0;
        if self.late.is_none_or(|late| late < largest) {
            self.known = self.known.max(keep);
            self.late = None;
        }
        if floor > self.floor {
            self.ranges.remove_below(floor);
            self.floor = floor;
        }
    }

    fn insert(&mut self, pn: u64) {
        if self.ranges.insert(pn).is_err() {
            if let Some(oldest) = self.ranges.pop_first() {
                self.floor = self.floor.max(oldest.end);
            }
            if pn < self.floor || self.ranges.insert(pn).is_err() {
                self.floor = self.floor.max(pn.saturating_add(1));
                return;
            }
        }
        // Whatever falls out at the bottom of a full set must not be accepted a second time.
        if self.ranges.len() >= MAX_RANGES {
            self.floor = self.floor.max(self.ranges.min().unwrap_or(0));
        }
    }
}
