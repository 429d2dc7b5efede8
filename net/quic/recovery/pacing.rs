// SPDX-License-Identifier: GPL-2.0

//! Pacing: RFC 9002 section 7.7.
//!
//! A generic cell rate algorithm: one instant, the *theoretical departure* of the next byte, moves
//! on with every packet by its length over the rate. A packet may leave up to one burst before its
//! theoretical departure. No state is refilled by a timer, a packet handed to the qdisc ahead of
//! its time is accounted like any other.

#![forbid(unsafe_code)]

use crate::{
    common::time::{
        Duration,
        Instant, //
    },
    cong::initial_window,
};

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Bursts worth this much time are allowed where the rate is high: a timer or a qdisc does not
/// separate packets more finely than `kGranularity`, and GSO batches of 64 KiB stay whole from
/// half a gigabit per second on.
const BURST_TIME: Duration = Duration::from_millis(1);

/// A sender that has to wait waits for this much time's worth of bytes, so that what it then sends
/// is a batch: a timer and a traversal of the stack for each packet would cost more than the
/// packets. At a gigabit per second this is one GSO batch of 64 KiB.
const BATCH_TIME: Duration = Duration::from_micros(500);

/// The pacer of one path.
#[derive(Debug, Clone)]
pub struct Pacer {
    departure: Instant,
    /// The latest time known here.
    seen: Instant,
    /// Bytes per second, at least 1.
    rate: u64,
    /// Bytes that may leave at once.
    burst: u64,
    /// Bytes that a sender without any to send waits for; at most a burst.
    batch: u64,
    /// The highest rate that the user allows.
    limit: u64,
}

impl Pacer {
    /// A pacer that lets one burst pass at once.
    pub fn new(rate: u64, mtu: u64) -> Self {
        let mut pacer = Self {
            departure: Instant::ZERO,
            seen: Instant::ZERO,
            rate: 1,
            burst: 0,
            batch: 0,
            limit: u64::MAX,
        };
        pacer.set_rate(rate, mtu);
        pacer
    }

    /// Sets the rate in bytes per second for datagrams of `mtu` bytes. At any rate a burst is as
    /// large as the initial window: RFC 9002 7.7 #2, RFC 9002 7.7 #3.
    ///
    /// What was sent ahead of its departure keeps its size in bytes, not in time: a window sent at
    /// the rate of the initial RTT would otherwise block a fast path for the rest of that RTT.
    pub fn set_rate(&mut self, rate: u64, mtu: u64) {
        let rate = rate.min(self.limit).max(1);
        let ahead = self.departure.since(self.seen);
        if rate != self.rate && !ahead.is_zero() {
            let bytes = bytes_in(ahead, self.rate);
            self.departure = self.seen.saturating_add(time_for(bytes, rate));
        }
        self.rate = rate;
        self.batch = bytes_in(BATCH_TIME, self.rate);
        let timed = bytes_in(BURST_TIME, self.rate);
        self.burst = initial_window(mtu).max(timed);
    }

    /// Sets the highest rate in bytes per second; in force from the next [`Self::set_rate`] on.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// It is `now`: a change of the rate takes effect from here on.
    pub fn on_time(&mut self, now: Instant) {
        self.seen = self.seen.max(now);
    }

    /// The rate in bytes per second.
    pub fn rate(&self) -> u64 {
        self.rate
    }

    /// Bytes that may leave at once after a pause.
    #[cfg(test)]
    pub fn burst(&self) -> u64 {
        self.burst
    }

    /// Bytes that may leave at `now`.
    pub fn budget(&self, now: Instant) -> u64 {
        let ahead = self.departure.since(now);
        let free = time_for(self.burst, self.rate).saturating_sub(ahead);
        bytes_in(free, self.rate)
    }

    /// When `bytes` may leave; an instant that is not after `now` means at once. One that is
    /// after `now` is when a batch may leave.
    pub fn earliest(&self, now: Instant, bytes: u64) -> Instant {
        let ahead = self.departure.since(now);
        if ahead <= self.slack(bytes) {
            return now;
        }
        let slack = self.slack(bytes.max(self.batch));
        now.saturating_add(ahead.saturating_sub(slack))
    }

    /// How far ahead of its departure a packet may leave when `bytes` are to leave with it.
    fn slack(&self, bytes: u64) -> Duration {
        time_for(self.burst.saturating_sub(bytes), self.rate)
    }

    /// `bytes` were sent at `now`, or handed down to leave later.
    pub fn on_sent(&mut self, now: Instant, bytes: u64) {
        self.on_time(now);
        let from = self.departure.max(now);
        self.departure = from.saturating_add(time_for(bytes, self.rate));
    }
}

/// The rate that sends `window` bytes in `rtt`, times `num / den`, in bytes per second.
///
/// `window` is at most [`MAX_WINDOW`](crate::cong::MAX_WINDOW), so the product fits 64 bits.
pub fn rate_for(window: u64, rtt: Duration, num: u64, den: u64) -> u64 {
    let rtt = rtt.as_nanos().max(1);
    let base = window
        .saturating_mul(NANOS_PER_SEC)
        .checked_div(rtt)
        .unwrap_or(1);
    base.saturating_mul(num)
        .checked_div(den)
        .unwrap_or(base)
        .max(1)
}

/// How long `bytes` take at `rate`.
fn time_for(bytes: u64, rate: u64) -> Duration {
    let nanos = bytes
        .saturating_mul(NANOS_PER_SEC)
        .checked_div(rate)
        .unwrap_or(u64::MAX);
    Duration::from_nanos(nanos)
}

/// How many bytes leave in `time` at `rate`. Split at a microsecond so that rates of terabits do
/// not overflow: what is lost is below one byte for each gigabyte per second.
fn bytes_in(time: Duration, rate: u64) -> u64 {
    let nanos = time.as_nanos();
    match nanos.checked_mul(rate) {
        Some(product) => product / NANOS_PER_SEC,
        None => (nanos / 1_000).saturating_mul(rate / 1_000_000),
    }
}
