// SPDX-License-Identifier: GPL-2.0

//! Round-trip time estimation: RFC 9002 section 5.
//!
//! Owned by [`Recovery`](super::Recovery), one estimator for the active path. All arithmetic is
//! integer nanoseconds; nothing here allocates, sleeps or reads a clock.

#![forbid(unsafe_code)]

use crate::common::time::{
    Duration,
    Instant, //
};

/// RFC 9002 6.2.2 #2: the RTT assumed before the first sample.
pub const INITIAL_RTT: Duration = Duration::from_millis(333);

/// `kGranularity` of RFC 9002 6.1.2: no recovery timer is shorter than this.
pub const GRANULARITY: Duration = Duration::from_millis(1);

/// The RTT estimate of one path.
#[derive(Debug, Clone)]
pub struct Rtt {
    latest: Duration,
    smoothed: Duration,
    var: Duration,
    min: Duration,
    first_sample: Option<Instant>,
    /// The next sample replaces `min` whatever it is: persistent congestion may mean a new route.
    refresh_min: bool,
}

impl Rtt {
    /// An estimator without samples, assuming `initial` (RFC 9002 5.3).
    pub fn new(initial: Duration) -> Self {
        let initial = initial.max(GRANULARITY);
        Self {
            latest: Duration::ZERO,
            smoothed: initial,
            var: half(initial),
            min: Duration::ZERO,
            first_sample: None,
            refresh_min: false,
        }
    }

    /// Takes a sample: `latest` is the time from sending the largest newly acknowledged packet to
    /// now; `ack_delay` what the peer reported, already limited by its `max_ack_delay` once the
    /// handshake is confirmed.
    pub fn update(&mut self, now: Instant, latest: Duration, ack_delay: Duration) {
        self.latest = latest;
        if self.first_sample.is_none() {
            // RFC 9002 5.2 #1
            self.min = latest;
            self.smoothed = latest;
            self.var = half(latest);
            self.first_sample = Some(now);
            self.refresh_min = false;
            return;
        }
        if self.refresh_min {
            // RFC 9002 5.2 #3
            self.min = latest;
            self.refresh_min = false;
        }
        // RFC 9002 5.2 #2
        self.min = self.min.min(latest);
        // RFC 9002 5.3 #6
        let adjusted = match latest.checked_sub(ack_delay) {
            Some(adjusted) if adjusted >= self.min => adjusted,
            _ => latest,
        };
        let deviation = self.smoothed.abs_diff(adjusted);
        self.var = blend(self.var, deviation, 4);
        self.smoothed = blend(self.smoothed, adjusted, 8);
    }

    /// The most recent sample; zero before the first one.
    pub fn latest(&self) -> Duration {
        self.latest
    }

    /// `smoothed_rtt`; the initial RTT before the first sample.
    pub fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// `rttvar`.
    pub fn var(&self) -> Duration {
        self.var
    }

    /// `min_rtt`; zero before the first sample.
    pub fn min(&self) -> Duration {
        self.min
    }

    /// When the first sample was taken.
    pub fn first_sample(&self) -> Option<Instant> {
        self.first_sample
    }

    /// Probe timeout without `max_ack_delay` and without backoff: RFC 9002 6.2.1.
    pub fn pto_base(&self) -> Duration {
        // RFC 9002 6.2.1 #1
        let var = self.var.saturating_mul(4).max(GRANULARITY);
        self.smoothed.saturating_add(var)
    }

    /// The larger of the smoothed and the latest RTT: the base of the time threshold.
    pub fn loss_base(&self) -> Duration {
        self.smoothed.max(self.latest)
    }

    /// Persistent congestion was established: the next sample becomes `min_rtt`, which nothing
    /// else refreshes. RFC 9002 5.2 #5
    pub fn on_persistent_congestion(&mut self) {
        self.refresh_min = true;
    }
}

fn half(d: Duration) -> Duration {
    Duration::from_nanos(d.as_nanos() >> 1)
}

/// `(old * (n - 1) + sample) / n` without overflow for any 64-bit input.
fn blend(old: Duration, sample: Duration, n: u64) -> Duration {
    let part = |d: Duration| d.as_nanos().checked_div(n).unwrap_or(0);
    let kept = old.as_nanos().saturating_sub(part(old));
    Duration::from_nanos(kept.saturating_add(part(sample)))
}
