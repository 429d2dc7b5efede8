// SPDX-License-Identifier: GPL-2.0

//! Delivery rate estimation: draft-cheng-iccrg-delivery-rate-estimation-02.
//!
//! Each packet carries a snapshot of what had been delivered when it was sent; the acknowledgement
//! of the newest packet of an ACK frame gives a sample. The rate is shown to the user and is the
//! input of model-based congestion controllers.

#![forbid(unsafe_code)]

use crate::common::time::{
    Duration,
    Instant, //
};

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// State of the estimator at the time a packet was sent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Snapshot {
    delivered: u64,
    delivered_time: Instant,
    first_sent: Instant,
    is_app_limited: bool,
}

/// A measurement of the delivery rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateSample {
    /// Bytes per second.
    pub rate: u64,
    /// Bytes delivered over [`interval`](Self::interval).
    pub delivered: u64,
    /// The longer of the time it took to send and to acknowledge them.
    pub interval: Duration,
    /// Bytes delivered on the connection when the sampled packet was sent.
    pub prior_delivered: u64,
    /// The application did not keep the path busy: the rate is a lower bound.
    pub is_app_limited: bool,
}

/// The estimator of one path.
#[derive(Debug, Default)]
pub struct RateSampler {
    delivered: u64,
    delivered_time: Instant,
    first_sent: Instant,
    /// `delivered` beyond which samples are no longer limited by the application; 0 = not limited.
    app_limited_until: u64,
    newest: Option<(Instant, Snapshot)>,
    last_rate: u64,
}

impl RateSampler {
    /// Takes the snapshot for a packet sent at `now`; `is_idle` says that nothing was in flight.
    pub fn on_sent(&mut self, now: Instant, is_idle: bool) -> Snapshot {
        if is_idle {
            self.first_sent = now;
            self.delivered_time = now;
        }
        Snapshot {
            delivered: self.delivered,
            delivered_time: self.delivered_time,
            first_sent: self.first_sent,
            is_app_limited: self.app_limited_until != 0,
        }
    }

    /// A packet of `bytes` that was sent at `time` is newly acknowledged at `now`.
    pub fn on_acked(&mut self, now: Instant, time: Instant, bytes: u64, packet: &Snapshot) {
        self.delivered = self.delivered.saturating_add(bytes);
        self.delivered_time = now;
        let is_newer = match &self.newest {
            None => true,
            Some((newest, at)) => packet.delivered > at.delivered || time > *newest,
        };
        if is_newer {
            self.newest = Some((time, *packet));
        }
    }

    /// All packets of an ACK frame were given; the sample they make, if it is valid.
    pub fn sample(&mut self, min_rtt: Duration) -> Option<RateSample> {
        if self.app_limited_until != 0 && self.delivered > self.app_limited_until {
            self.app_limited_until = 0;
        }
        let (sent, at) = self.newest.take()?;
        self.first_sent = sent;
        let send = sent.since(at.first_sent);
        let ack = self.delivered_time.since(at.delivered_time);
        let interval = send.max(ack);
        // A shorter interval than the path's own RTT comes from compressed acknowledgements.
        if interval.as_nanos() == 0 || interval < min_rtt {
            return None;
        }
        let delivered = self.delivered.saturating_sub(at.delivered);
        let rate = per_second(delivered, interval);
        if !at.is_app_limited || rate > self.last_rate {
            self.last_rate = rate;
        }
        Some(RateSample {
            rate,
            delivered,
            interval,
            prior_delivered: at.delivered,
            is_app_limited: at.is_app_limited,
        })
    }

    /// The application left the path idle with `in_flight` bytes still out.
    pub fn on_app_limited(&mut self, in_flight: u64) {
        self.app_limited_until = self.delivered.saturating_add(in_flight).max(1);
    }

    /// The latest rate in bytes per second, 0 before the first sample.
    pub fn rate(&self) -> u64 {
        self.last_rate
    }

    /// Bytes delivered so far.
    #[cfg(test)]
    pub fn delivered(&self) -> u64 {
        self.delivered
    }
}

/// `bytes` over `time` in bytes per second, without overflow.
fn per_second(bytes: u64, time: Duration) -> u64 {
    let nanos = time.as_nanos().max(1);
    match bytes.checked_mul(NANOS_PER_SEC) {
        Some(product) => product.checked_div(nanos).unwrap_or(0),
        None => {
            let millis = (nanos / 1_000_000).max(1);
            let per_milli = bytes.checked_div(millis).unwrap_or(0);
            per_milli.saturating_mul(1_000)
        }
    }
}
