// SPDX-License-Identifier: GPL-2.0

//! Flow-control credit, the same at both levels (RFC 9000 4.1): of a stream and of the connection.
//!
//! [`RecvCredit`] is what this side grants. Its window grows with what the application reads in a
//! round trip, so that it follows the bandwidth-delay product, up to a bound. [`SendCredit`] is
//! what the peer granted; it is used up when bytes are queued, so that a program never queues what
//! may not be sent.

#![forbid(unsafe_code)]

use crate::common::{
    error::TransportError,
    time::{
        Duration,
        Instant, //
    },
    varint::VarInt, //
};

/// A larger limit is announced when this part of the window was used up: 1/4. Later would let a
/// fast peer stall for a round trip, sooner would cost more frames.
const UPDATE_FRACTION: u64 = 4;

/// The window is to hold this many times what was read in one round trip: one part on its way,
/// one part being read.
const WINDOW_FACTOR: u64 = 2;

/// Round trip assumed while none was measured.
const DEFAULT_RTT: Duration = Duration::from_millis(100);

/// Credit granted to the peer, in bytes from the start.
#[derive(Debug, Clone)]
pub struct RecvCredit {
    /// Largest limit announced.
    limit: u64,
    /// What the peer has used: the largest offset, or the sum of them.
    received: u64,
    /// What the application has read or what was thrown away.
    consumed: u64,
    window: u64,
    max_window: u64,
    /// Begin of the measured round trip, and what had been read then.
    epoch: Option<(Instant, u64)>,
}

impl RecvCredit {
    /// Credit of `window` bytes, announced in the transport parameters, that may grow to
    /// `max_window`.
    pub fn new(window: u64, max_window: u64) -> Self {
        Self {
            limit: window,
            received: 0,
            consumed: 0,
            window,
            max_window: max_window.max(window),
            epoch: None,
        }
    }

    /// Accounts `more` bytes received, or refuses them as a violation of the limit.
    pub fn on_received(&mut self, more: u64) -> Result<(), TransportError> {
        self.check(more)?;
        self.received = self.received.saturating_add(more);
        Ok(())
    }

    /// Whether `more` bytes keep to the limit; changes nothing.
    pub fn check(&self, more: u64) -> Result<(), TransportError> {
        // RFC 9000 4.1 #2, RFC 9000 19.9 #2, RFC 9000 19.10 #4
        match self.received.checked_add(more) {
            Some(total) if total <= self.limit => Ok(()),
            _ => Err(TransportError::flow_control("more data than granted")),
        }
    }

    /// Bytes received.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes read or thrown away.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Current size of the window.
    #[cfg(test)]
    pub fn window(&self) -> u64 {
        self.window
    }

    /// Accounts `count` bytes read by the application, and lets the window grow if the peer could
    /// fill more than it in a round trip.
    pub fn on_read(&mut self, count: u64, now: Instant, rtt: Option<Duration>) {
        self.on_discarded(count);
        let (begin, before) = *self
            .epoch
            .get_or_insert((now, self.consumed.saturating_sub(count)));
        if now.since(begin) < rtt.unwrap_or(DEFAULT_RTT) {
            return;
        }
        let wanted = self
            .consumed
            .saturating_sub(before)
            .saturating_mul(WINDOW_FACTOR);
        self.window = self.window.max(wanted.min(self.max_window));
        self.epoch = Some((now, self.consumed));
    }

    /// As [`Self::on_read`], while memory is scarce: the window stays as it is, and what is read
    /// meanwhile says nothing about the time afterwards.
    pub fn on_read_scarce(&mut self, count: u64) {
        self.on_discarded(count);
        self.epoch = None;
    }

    /// Accounts `count` bytes that nobody will read.
    pub fn on_discarded(&mut self, count: u64) {
        self.consumed = self.consumed.saturating_add(count).min(self.received);
    }

    /// The limit that could be announced now.
    pub fn next_limit(&self) -> u64 {
        self.consumed
            .saturating_add(self.window)
            .min(VarInt::MAX)
            .max(self.limit)
    }

    /// Whether it is worth a frame to announce [`Self::next_limit`].
    pub fn wants_update(&self) -> bool {
        let gain = self.next_limit().saturating_sub(self.limit);
        gain > 0 && gain >= self.window / UPDATE_FRACTION
    }

    /// Whether a frame would raise the limit at all; enough when the peer says it is blocked.
    pub fn can_update(&self) -> bool {
        self.next_limit() > self.limit
    }

    /// Notes that `limit` is in a packet.
    pub fn on_announced(&mut self, limit: u64) {
        self.limit = self.limit.max(limit);
    }

    /// Whether `limit` is the newest one announced.
    pub fn is_newest(&self, limit: u64) -> bool {
        limit >= self.limit
    }
}

/// Credit granted by the peer, in bytes from the start.
#[derive(Debug, Clone, Default)]
pub struct SendCredit {
    limit: u64,
    used: u64,
    /// Limit at which the peer was to be told of being blocked, so that it is told once.
    blocked_at: Option<u64>,
}

impl SendCredit {
    /// Credit of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            used: 0,
            blocked_at: None,
        }
    }

    /// Bytes that may still be queued.
    pub fn available(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// Credit used up.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Sets how much is used up, where it is not a sum.
    pub fn set_used(&mut self, used: u64) {
        self.used = used;
    }

    /// The peer's limit.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Takes credit for `count` bytes; the caller has compared with [`Self::available`].
    pub fn take(&mut self, count: u64) {
        self.used = self.used.saturating_add(count);
    }

    /// Gives back credit for bytes that will never be sent.
    pub fn give_back(&mut self, count: u64) {
        self.used = self.used.saturating_sub(count);
    }

    /// Takes over a limit from the peer; returns whether it is a larger one.
    pub fn raise(&mut self, limit: u64) -> bool {
        // RFC 9000 4.1 #3, RFC 9000 13.3 #5
        let raised = limit > self.limit;
        self.limit = self.limit.max(limit);
        raised
    }

    /// Replaces the limit, also by a smaller one: the peer rejected early data, and with it the
    /// limits this side remembered.
    pub fn replace(&mut self, limit: u64) {
        self.limit = limit;
        self.blocked_at = None;
    }

    /// Notes that the application has more to send than the limit allows. Returns whether the peer
    /// has to be told, which is once for each limit.
    pub fn note_blocked(&mut self) -> bool {
        self.available() == 0 && self.note_wanting()
    }

    /// As [`Self::note_blocked`], where what is wanted lies beyond the limit although some credit
    /// is left.
    pub fn note_wanting(&mut self) -> bool {
        self.blocked_at.replace(self.limit) != Some(self.limit)
    }

    /// Nobody wants more than the limit allows any longer.
    pub fn forget_wanting(&mut self) {
        self.blocked_at = None;
    }

    /// Whether the application is still blocked at `limit`.
    pub fn is_blocked_at(&self, limit: u64) -> bool {
        self.blocked_at == Some(limit) && self.limit == limit
    }

    /// The limit at which the application is blocked now.
    pub fn blocked(&self) -> Option<u64> {
        self.blocked_at.filter(|limit| *limit == self.limit)
    }
}
