// SPDX-License-Identifier: GPL-2.0

//! Congestion control: RFC 9002 section 7, behind one trait for all algorithms.
//!
//! [`Congestion`] owns what the algorithms have in common, the recovery period and the undo of a
//! congestion event that was none; an algorithm is a small window-growth function behind
//! [`Controller`]. Integer arithmetic only: floats and 128-bit division are fatal in the kernel.
//! Windows and lengths are bytes. Called by [`recovery`](crate::recovery) under the connection's
//! lock, in any context; nothing allocates.

#![forbid(unsafe_code)]

pub mod cubic;
pub mod hystart;
pub mod newreno;

#[cfg(test)]
mod tests;

use crate::common::time::{
    Duration,
    Instant, //
};

use self::hystart::HyStart;
pub use self::{
    cubic::Cubic,
    newreno::NewReno, //
};

/// No window is larger. It keeps products of a window with a second in nanoseconds, or with
/// another window's bytes acknowledged, inside 64 bits; 4 GiB is 34 Gbit/s over a whole second.
pub const MAX_WINDOW: u64 = u32::MAX as u64;

/// Packets in the minimum window. RFC 9002 7.2 #4
const MINIMUM_PACKETS: u64 = 2;

/// Which algorithm a connection uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// RFC 9002 appendix B, with HyStart++.
    #[default]
    NewReno,
    /// RFC 9438, with HyStart++.
    Cubic,
}

/// What made the path look congested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Packets were declared lost.
    Loss,
    /// The peer reported more packets marked CE.
    Ecn,
}

/// One ACK frame's worth of newly acknowledged packets.
#[derive(Debug, Clone, Copy)]
pub struct AckEvent {
    /// The time now.
    pub now: Instant,
    /// Newly acknowledged bytes that may enlarge the window: sent after the current recovery
    /// period began, while the window was in full use.
    pub growth: u64,
    /// The sender did not use the whole window; `growth` is zero for that reason.
    pub is_app_limited: bool,
    /// Send time of the newest packet acknowledged.
    pub sent: Instant,
    /// The RTT sample that the frame gave, if any.
    pub rtt_sample: Option<Duration>,
    /// `smoothed_rtt`.
    pub smoothed_rtt: Duration,
}

/// A window-growth algorithm. RFC 9002 7 #1
pub trait Controller {
    /// Packets were acknowledged outside a recovery period.
    fn on_ack(&mut self, ack: &AckEvent);
    /// A recovery period begins at `now`: saves what [`Self::on_spurious`] restores and shrinks
    /// the window.
    fn on_congestion_event(&mut self, now: Instant, signal: Signal);
    /// The last congestion event was caused by reordering: takes its effect back.
    fn on_spurious(&mut self);
    /// RFC 9002 7.6: the window falls to its minimum.
    fn on_persistent_congestion(&mut self);
    /// The maximum datagram size changed to `mtu` bytes.
    fn on_mtu(&mut self, mtu: u64);
    /// The congestion window.
    fn window(&self) -> u64;
    /// The slow start threshold, `u64::MAX` when none is known.
    fn ssthresh(&self) -> u64;
    /// Where the initial slow start stands.
    fn hystart(&self) -> &HyStart;
    /// Whether the window is below the threshold.
    fn is_in_slow_start(&self) -> bool {
        self.window() < self.ssthresh()
    }
    /// Whether the window doubles in a round trip, so that pacing must leave room for that.
    fn is_doubling(&self) -> bool {
        self.is_in_slow_start() && !self.hystart().is_conservative()
    }
}

/// The congestion controller of one path.
#[derive(Debug, Clone)]
pub struct Congestion {
    algorithm: Choice,
    /// `congestion_recovery_start_time` of RFC 9002 B.2.
    recovery_start: Option<Instant>,
    /// The recovery start before the last event, for its undo.
    prior_recovery_start: Option<Instant>,
    events: u64,
}

#[derive(Debug, Clone)]
enum Choice {
    NewReno(NewReno),
    Cubic(Cubic),
}

impl Congestion {
    /// A controller in its initial state for datagrams of at most `mtu` bytes.
    pub fn new(algorithm: Algorithm, mtu: u64) -> Self {
        let algorithm = match algorithm {
            Algorithm::NewReno => Choice::NewReno(NewReno::new(mtu)),
            Algorithm::Cubic => Choice::Cubic(Cubic::new(mtu)),
        };
        Self {
            algorithm,
            recovery_start: None,
            prior_recovery_start: None,
            events: 0,
        }
    }

    /// Which algorithm this is.
    pub fn algorithm(&self) -> Algorithm {
        match &self.algorithm {
            Choice::NewReno(_) => Algorithm::NewReno,
            Choice::Cubic(_) => Algorithm::Cubic,
        }
    }

    /// Whether a packet sent at `time` belongs to the current recovery period or an earlier one.
    pub fn is_in_recovery(&self, time: Instant) -> bool {
        self.recovery_start.is_some_and(|start| time <= start)
    }

    /// Packets were acknowledged. RFC 9002 7.8 #1: without `growth` the window stays as it is.
    pub fn on_ack(&mut self, ack: &AckEvent) {
        self.inner_mut().on_ack(ack);
    }

    /// A packet sent at `sent` was lost or marked. Returns whether a new recovery period began.
    pub fn on_congestion_event(&mut self, now: Instant, sent: Instant, signal: Signal) -> bool {
        if self.is_in_recovery(sent) {
            return false;
        }
        // RFC 9002 7.3.1 #1
        self.prior_recovery_start = self.recovery_start;
        self.recovery_start = Some(now);
        self.events = self.events.saturating_add(1);
        self.inner_mut().on_congestion_event(now, signal);
        true
    }

    /// Every packet whose loss made up the last congestion event was acknowledged after all.
    pub fn on_spurious(&mut self) {
        self.recovery_start = self.prior_recovery_start.take();
        self.inner_mut().on_spurious();
    }

    /// RFC 9002 7.6.2 #5
    pub fn on_persistent_congestion(&mut self) {
        self.recovery_start = None;
        self.inner_mut().on_persistent_congestion();
    }

    /// The maximum datagram size changed.
    pub fn on_mtu(&mut self, mtu: u64) {
        self.inner_mut().on_mtu(mtu);
    }

    /// The congestion window.
    pub fn window(&self) -> u64 {
        self.inner().window()
    }

    /// The slow start threshold, `u64::MAX` when none is known.
    pub fn ssthresh(&self) -> u64 {
        self.inner().ssthresh()
    }

    /// Whether the window is below the threshold.
    pub fn is_in_slow_start(&self) -> bool {
        self.inner().is_in_slow_start()
    }

    /// Whether the window doubles in a round trip.
    pub fn is_doubling(&self) -> bool {
        self.inner().is_doubling()
    }

    /// Recovery periods entered so far.
    #[cfg(test)]
    pub fn events(&self) -> u64 {
        self.events
    }

    fn inner(&self) -> &dyn Controller {
        match &self.algorithm {
            Choice::NewReno(c) => c,
            Choice::Cubic(c) => c,
        }
    }

    fn inner_mut(&mut self) -> &mut dyn Controller {
        match &mut self.algorithm {
            Choice::NewReno(c) => c,
            Choice::Cubic(c) => c,
        }
    }
}

/// Initial window for datagrams of `mtu` bytes. RFC 9002 7.2 #1
pub const fn initial_window(mtu: u64) -> u64 {
    let ten = mtu.saturating_mul(10);
    let two = mtu.saturating_mul(2);
    let limit = if two > 14_720 { two } else { 14_720 };
    if ten < limit {
        ten
    } else {
        limit
    }
}

/// `kMinimumWindow` for datagrams of `mtu` bytes. RFC 9002 7.2 #4
pub const fn minimum_window(mtu: u64) -> u64 {
    mtu.saturating_mul(MINIMUM_PACKETS)
}
