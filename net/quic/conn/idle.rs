// SPDX-License-Identifier: GPL-2.0

//! Idle time-out and keep-alive (RFC 9000 10.1), and when memory for packets to come is given up.

#![forbid(unsafe_code)]

use crate::common::time::{
    Duration,
    Instant, //
};

/// Memory that is needed for every packet stays for so long after the last one: a program that asks
/// again soon finds it, and a connection without traffic has none.
const REST: Duration = Duration::from_millis(100);

/// The clock of a connection on which nothing happens.
#[derive(Debug)]
pub struct Idle {
    /// The smaller of both sides' `max_idle_timeout`; none if neither wants one.
    timeout: Option<Duration>,
    keep_alive: Option<Duration>,
    /// When the time-out last started anew.
    since: Instant,
    /// When a packet was last sent or received.
    active: Instant,
    /// An ack-eliciting packet was sent since the last one was received.
    has_sent: bool,
    /// A packet was sent or received since memory was given up.
    is_busy: bool,
}

impl Idle {
    /// Starts at `now` with this side's own time-out.
    pub fn new(now: Instant, own: Duration, keep_alive: Option<Duration>) -> Self {
        Self {
            timeout: (!own.is_zero()).then_some(own),
            keep_alive,
            since: now,
            active: now,
            has_sent: false,
            is_busy: false,
        }
    }

    /// The peer's parameter is known; zero means that it wants no time-out.
    pub fn negotiate(&mut self, own: Duration, peer: Duration) {
        self.timeout = match (own.is_zero(), peer.is_zero()) {
            (true, true) => None,
            (true, false) => Some(peer),
            (false, true) => Some(own),
            (false, false) => Some(own.min(peer)),
        };
    }

    /// Changes the keep-alive interval.
    pub fn set_keep_alive(&mut self, interval: Option<Duration>) {
        self.keep_alive = interval;
    }

    /// A packet was received and processed.
    pub fn on_received(&mut self, now: Instant) {
        self.since = now;
        self.active = now;
        self.is_busy = true;
        self.has_sent = false;
    }

    /// An ack-eliciting packet was sent. Only the first since one was received counts: a peer that
    /// is gone must not be kept alive by our own retransmissions.
    pub fn on_sent(&mut self, now: Instant) {
        self.active = now;
        self.is_busy = true;
        if !self.has_sent {
            self.has_sent = true;
            self.since = now;
        }
    }

    /// When the connection is given up, with three times the PTO as the least time.
    // RFC 9000 10.1 #1
    pub fn deadline(&self, three_pto: Duration) -> Option<Instant> {
        let timeout = self.timeout?.max(three_pto);
        Some(self.since.saturating_add(timeout))
    }

    /// When a side that is blocked by flow control says so again, which keeps the connection open:
    /// as often as leaves room for the frame to be lost. A connection that is never given up needs
    /// no sign of life.
    pub fn blocked_deadline(&self, three_pto: Duration) -> Option<Instant> {
        let interval = self.timeout?.max(three_pto).as_nanos() >> 2;
        Some(self.active.saturating_add(Duration::from_nanos(interval)))
    }

    /// When a PING keeps the connection alive.
    pub fn keep_alive_deadline(&self) -> Option<Instant> {
        Some(self.active.saturating_add(self.keep_alive?))
    }

    /// When memory for packets to come is given up; none when it was.
    pub fn rest_deadline(&self) -> Option<Instant> {
        self.is_busy.then(|| self.active.saturating_add(REST))
    }

    /// Memory for packets to come was given up.
    pub fn on_rest(&mut self) {
        self.is_busy = false;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::ZERO.saturating_add(Duration::from_millis(ms))
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    // RFC 9000 10.1 #1 test
    #[test]
    fn the_smaller_timeout_counts_but_never_less_than_three_ptos() {
        for (own, peer, expected) in [
            (0, 0, None),
            (500, 0, Some(500)),
            (0, 400, Some(400)),
            (500, 400, Some(400)),
            (100, 400, Some(300)),
        ] {
            let mut idle = Idle::new(at(0), ms(own), None);
            idle.negotiate(ms(own), ms(peer));
            assert_eq!(idle.deadline(ms(300)), expected.map(at));
        }
    }

    // RFC 9000 4.1 #5 test
    #[test]
    fn a_blocked_side_speaks_four_times_before_it_would_be_given_up() {
        let mut idle = Idle::new(at(0), ms(1000), None);
        assert_eq!(idle.blocked_deadline(ms(10)), Some(at(250)));
        idle.on_sent(at(250));
        assert_eq!(idle.blocked_deadline(ms(10)), Some(at(500)));
        idle.negotiate(ms(0), ms(0));
        assert_eq!(idle.blocked_deadline(ms(10)), None);
    }

    #[test]
    fn our_own_repetitions_do_not_keep_a_connection_alive() {
        let mut idle = Idle::new(at(0), ms(1000), Some(ms(300)));
        idle.on_received(at(100));
        idle.on_sent(at(200));
        idle.on_sent(at(900));
        assert_eq!(idle.deadline(ms(1)), Some(at(1200)));
        assert_eq!(idle.keep_alive_deadline(), Some(at(1200)));
        idle.on_received(at(1000));
        assert_eq!(idle.deadline(ms(1)), Some(at(2000)));
    }

    #[test]
    fn memory_is_given_up_once_a_while_after_the_last_packet() {
        let mut idle = Idle::new(at(0), ms(1000), None);
        assert_eq!(idle.rest_deadline(), None);
        idle.on_received(at(100));
        assert_eq!(idle.rest_deadline(), Some(at(200)));
        idle.on_sent(at(150));
        assert_eq!(idle.rest_deadline(), Some(at(250)));
        idle.on_rest();
        assert_eq!(idle.rest_deadline(), None);
        idle.on_sent(at(300));
        assert_eq!(idle.rest_deadline(), Some(at(400)));
    }
}
