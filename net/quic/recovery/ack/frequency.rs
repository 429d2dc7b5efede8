// SPDX-License-Identifier: GPL-2.0

//! How often the peer wants to be told: the rules of RFC 9000 13.2.1 and 13.2.2, which it may change
//! by the frames of draft-ietf-quic-ack-frequency.

#![forbid(unsafe_code)]

use super::{
    AckTracker,
    Ecn, //
};
use crate::common::{
    error::TransportError,
    time::Duration, //
};

/// Largest `max_ack_delay`, exclusive: RFC 9000 18.2.
const MAX_ACK_DELAY: Duration = Duration::from_millis(1 << 14);

/// When the peer wants to be told: RFC 9000 13.2.2 and the ACK_FREQUENCY frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frequency {
    /// Ack-eliciting packets that may wait; one more makes an ACK due.
    pub eliciting_threshold: u64,
    /// How long they may wait.
    pub max_ack_delay: Duration,
    /// Reordering that makes an ACK due at once; 1 is any, 0 is none.
    pub reordering_threshold: u64,
}

impl Frequency {
    /// The rules of RFC 9000: an ACK for every other packet, and at once for reordering.
    /// RFC 9000 13.2.2 #1, RFC 9000 13.2.3 #1
    pub const fn new(max_ack_delay: Duration) -> Self {
        Self {
            eliciting_threshold: 1,
            max_ack_delay,
            reordering_threshold: 1,
        }
    }
}

impl AckTracker {
    /// How long ACKs may be held back from now on, unless the peer has said so itself.
    pub fn set_max_ack_delay(&mut self, delay: Duration) {
        if self.sequence.is_none() {
            self.frequency.max_ack_delay = delay;
        }
    }

    /// An ACK_FREQUENCY frame arrived; `min_ack_delay` is the transport parameter that we sent.
    /// Returns whether the frame was newer than those before.
    ///
    /// # Errors
    ///
    /// PROTOCOL_VIOLATION for a delay outside the valid range.
    pub fn on_ack_frequency(
        &mut self,
        sequence: u64,
        frequency: Frequency,
        min_ack_delay: Duration,
    ) -> Result<bool, TransportError> {
        let delay = frequency.max_ack_delay;
        if delay >= MAX_ACK_DELAY || delay < min_ack_delay {
            return Err(TransportError::protocol_violation("invalid max_ack_delay"));
        }
        if self.sequence.is_some_and(|newest| sequence <= newest) {
            return Ok(false);
        }
        self.sequence = Some(sequence);
        self.frequency = frequency;
        Ok(true)
    }

    /// An IMMEDIATE_ACK frame arrived.
    pub fn on_immediate_ack(&mut self) {
        self.is_due = true;
    }

    /// The current rules.
    #[cfg(test)]
    pub fn frequency(&self) -> &Frequency {
        &self.frequency
    }

    /// RFC 9000 13.2.1 #9. With a larger threshold only the change to CE counts.
    pub(super) fn is_ce_due(&self, ecn: Ecn, is_first: bool) -> bool {
        match self.frequency.eliciting_threshold {
            0 | 1 => ecn == Ecn::Ce,
            _ => is_first,
        }
    }

    /// RFC 9000 13.2.1 #8, and the section on out-of-order packets of the extension.
    pub(super) fn is_reordered(&self, pn: u64, previous: Option<u64>) -> bool {
        match (self.frequency.reordering_threshold, previous) {
            (0, _) => false,
            (1, None) => false,
            (1, Some(previous)) => {
                let previous = previous.max(self.floor);
                pn < previous
                    || !self
                        .ranges
                        .contains_range(&(previous..pn.saturating_add(1)))
            }
            (threshold, _) => self.is_beyond(pn, threshold),
        }
    }

    fn is_beyond(&self, pn: u64, threshold: u64) -> bool {
        let reported = self.largest_reported;
        let largest_missing = reported.and_then(|acked| acked.checked_sub(threshold));
        if largest_missing.is_some_and(|missing| pn <= missing) {
            return true;
        }
        let from = largest_missing.map_or(0, |missing| missing.saturating_add(1));
        let newest = self.largest_eliciting.unwrap_or(pn);
        let missing = self.first_missing(from.max(self.floor));
        newest.checked_sub(missing).is_some_and(|d| d >= threshold)
    }

    /// The smallest number that is at least `from` and was not received. Looks at the ranges from
    /// the newest down, of which few lie within the reordering window.
    fn first_missing(&self, from: u64) -> u64 {
        let mut missing = from;
        for range in self.ranges.iter().rev() {
            if range.end <= from {
                break;
            }
            missing = if range.start <= from { range.end } else { from };
        }
        missing
    }
}
