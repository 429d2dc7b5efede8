// SPDX-License-Identifier: GPL-2.0

//! The sending half of draft-ietf-quic-ack-frequency: asks the peer to acknowledge less often.
//!
//! Fewer ACK frames cost less at both ends. What is asked for follows the congestion window and
//! the RTT, so that the peer still acknowledges several times in a round trip.

#![forbid(unsafe_code)]

use crate::common::time::{
    Duration,
    Instant, //
};

/// ACK frames wanted for each congestion window: enough for loss detection and for pacing.
const ACKS_PER_WINDOW: u64 = 8;

/// Never ask for fewer ACK frames than one for this many packets.
const MAX_THRESHOLD: u64 = 32;

/// Reordering in packets that the peer reports at once: `kPacketThreshold`.
const REORDERING: u64 = 3;

/// The contents of an ACK_FREQUENCY frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Sequence Number.
    pub sequence: u64,
    /// Ack-Eliciting Threshold.
    pub eliciting_threshold: u64,
    /// Requested Max Ack Delay.
    pub max_ack_delay: Duration,
    /// Reordering Threshold.
    pub reordering_threshold: u64,
}

/// What was asked of the peer, and what to ask next.
#[derive(Debug)]
pub struct AckFrequency {
    /// The peer's `min_ack_delay`; it supports the extension.
    min_ack_delay: Duration,
    /// The delay that the peer uses as far as we know.
    current_delay: Duration,
    current_threshold: u64,
    /// The newest request that was sent and has no fate yet.
    in_flight: Option<Request>,
    /// When the newest request was sent: at most one in a round trip.
    sent: Option<Instant>,
    next_sequence: u64,
    /// The newest request was lost and nothing newer was sent.
    is_lost: bool,
}

impl AckFrequency {
    /// For a peer that sent the transport parameter `min_ack_delay`, with its `max_ack_delay`.
    pub const fn new(min_ack_delay: Duration, max_ack_delay: Duration) -> Self {
        Self {
            min_ack_delay,
            current_delay: max_ack_delay,
            current_threshold: 1,
            in_flight: None,
            sent: None,
            next_sequence: 0,
            is_lost: false,
        }
    }

    /// The request to send now, if there is any reason for one. `window` and `mtu` are bytes.
    pub fn poll(&self, now: Instant, window: u64, mtu: u64, rtt: Duration) -> Option<Request> {
        if self.sent.is_some_and(|sent| now < sent.saturating_add(rtt)) {
            return None;
        }
        let packets = window.checked_div(mtu).unwrap_or(0);
        let threshold = (packets / ACKS_PER_WINDOW).clamp(1, MAX_THRESHOLD);
        // Not more than a round trip, and never less than the peer is able to keep.
        let quarter = Duration::from_nanos(rtt.as_nanos() >> 2);
        let delay = quarter.min(MAX_DELAY).max(self.min_ack_delay);
        let is_changed = self.is_lost
            || is_far(threshold, self.wanted_threshold())
            || is_far(delay.as_micros(), self.wanted_delay().as_micros());
        is_changed.then_some(Request {
            sequence: self.next_sequence,
            eliciting_threshold: threshold,
            max_ack_delay: delay,
            reordering_threshold: REORDERING,
        })
    }

    /// `request` was sent at `now`.
    pub fn on_sent(&mut self, now: Instant, request: Request) {
        self.next_sequence = request.sequence.saturating_add(1);
        self.sent = Some(now);
        // An older request in flight may still take effect: its delay counts until then.
        if let Some(older) = self.in_flight.replace(request) {
            self.current_delay = self.current_delay.max(older.max_ack_delay);
        }
        self.is_lost = false;
    }

    /// The packet with request `sequence` was acknowledged.
    pub fn on_acked(&mut self, sequence: u64) {
        if let Some(request) = self.in_flight.take_if(|r| r.sequence == sequence) {
            self.current_delay = request.max_ack_delay;
            self.current_threshold = request.eliciting_threshold;
        }
    }

    /// The packet with request `sequence` was lost. It may have arrived nevertheless.
    pub fn on_lost(&mut self, sequence: u64) {
        if let Some(request) = self.in_flight.take_if(|r| r.sequence == sequence) {
            self.current_delay = self.current_delay.max(request.max_ack_delay);
            self.is_lost = true;
        }
    }

    /// The delay to reckon with in probe timeouts: the larger of the current one and the one in
    /// flight.
    pub fn max_ack_delay(&self) -> Duration {
        match &self.in_flight {
            Some(request) => self.current_delay.max(request.max_ack_delay),
            None => self.current_delay,
        }
    }

    fn wanted_threshold(&self) -> u64 {
        let request = self.in_flight.map(|r| r.eliciting_threshold);
        request.unwrap_or(self.current_threshold)
    }

    fn wanted_delay(&self) -> Duration {
        let request = self.in_flight.map(|r| r.max_ack_delay);
        request.unwrap_or(self.current_delay)
    }
}

/// The longest delay asked for, which is the default of RFC 9000 18.2.
const MAX_DELAY: Duration = Duration::from_millis(25);

/// Whether two values differ by more than a quarter, so that a new request is worth its bytes.
fn is_far(a: u64, b: u64) -> bool {
    a.abs_diff(b) > a.max(b) / 4
}
