// SPDX-License-Identifier: GPL-2.0

//! CUBIC: RFC 9438 (draft-eggert-tcpm-rfc8312bis), with HyStart++ in the initial slow start.
//!
//! Windows are bytes and time is whole milliseconds in the cubic function; the constants `C`,
//! `beta` and `alpha` are fractions. Products saturate instead of overflowing: where they would,
//! the result is clamped to 1.5 windows anyway.

#![forbid(unsafe_code)]

use super::{
    hystart::HyStart,
    initial_window,
    minimum_window,
    AckEvent,
    Controller,
    Signal,
    MAX_WINDOW, //
};
use crate::common::time::{
    Duration,
    Instant, //
};

/// Multiplicative decrease `beta` = 7/10.
const BETA: (u64, u64) = (7, 10);

/// Fast convergence: `W_max` becomes `(1 + beta) / 2` = 17/20 of the window.
const CONVERGENCE: (u64, u64) = (17, 20);

/// `alpha` = `3 * (1 - beta) / (1 + beta)` = 9/17 for the Reno-friendly estimate.
const ALPHA: (u64, u64) = (9, 17);

/// `C` = 4/10 segments per second cubed; 10^10 / 4 scales it to milliseconds.
const INVERSE_C: u64 = 2_500_000_000;

/// The controller's state.
#[derive(Debug, Clone)]
pub struct Cubic {
    mtu: u64,
    hystart: HyStart,
    shape: Shape,
    /// Remainders of the divisions by the window, so that small ACKs add up.
    credit: u64,
    est_credit: u64,
    is_initial: bool,
    undo: Option<(Shape, HyStart)>,
}

/// The variables that a spurious congestion event restores: RFC 9438 4.9.
#[derive(Debug, Clone, Copy)]
struct Shape {
    window: u64,
    ssthresh: u64,
    /// `W_max`; `None` when slow start ended without a congestion event or after a time-out.
    w_max: Option<u64>,
    /// The window before the last reduction, where the estimate catches up with Reno.
    cwnd_prior: u64,
    epoch: Option<Epoch>,
}

/// A congestion avoidance stage.
#[derive(Debug, Clone, Copy)]
struct Epoch {
    start: Instant,
    /// When the application stopped using the window, if it did.
    idle_since: Option<Instant>,
    /// `K` in milliseconds.
    k: u64,
    /// The plateau of the curve: `W_max`, or the window at the start if that is larger.
    origin: u64,
    /// `W_est`.
    estimate: u64,
}

impl Cubic {
    /// The initial state for datagrams of at most `mtu` bytes.
    pub fn new(mtu: u64) -> Self {
        Self {
            mtu,
            hystart: HyStart::new(),
            shape: Shape {
                window: initial_window(mtu),
                ssthresh: u64::MAX,
                w_max: None,
                cwnd_prior: 0,
                epoch: None,
            },
            credit: 0,
            est_credit: 0,
            is_initial: true,
            undo: None,
        }
    }

    fn slow_start(&mut self, ack: &AckEvent) {
        let shape = &mut self.shape;
        let step = self.hystart.slow_start(ack, shape.window, shape.ssthresh);
        (shape.window, shape.ssthresh) = (step.window, step.ssthresh);
    }

    /// RFC 9438 4.2 to 4.5.
    fn avoid_congestion(&mut self, ack: &AckEvent) {
        let window = self.shape.window;
        let mut epoch = match self.shape.epoch {
            Some(epoch) => epoch,
            None => self.new_epoch(ack.now),
        };
        if let Some(idle) = epoch.idle_since.take() {
            // RFC 9438 5.8: the time that the application left unused does not count.
            let idle = ack.now.since(idle);
            epoch.start = epoch.start.saturating_add(idle);
        }
        self.grow_estimate(&mut epoch, ack.growth);
        let elapsed = ack.now.since(epoch.start);
        if self.curve(&epoch, elapsed) < epoch.estimate {
            // Reno-friendly region: RFC 9438 4.3.
            self.shape.window = window.max(epoch.estimate);
        } else {
            let ahead = elapsed.saturating_add(ack.smoothed_rtt);
            let limit = window.saturating_add(window / 2);
            let target = self.curve(&epoch, ahead).max(window).min(limit);
            self.grow_towards(target, ack.growth);
        }
        self.shape.epoch = Some(epoch);
    }

    fn new_epoch(&mut self, now: Instant) -> Epoch {
        let window = self.shape.window;
        let w_max = self.shape.w_max.unwrap_or(window);
        self.est_credit = 0;
        self.credit = 0;
        Epoch {
            start: now,
            idle_since: None,
            k: time_to_plateau(w_max.saturating_sub(window), self.mtu),
            origin: w_max.max(window),
            estimate: window,
        }
    }

    /// `W_cubic(t) = C * (t - K)^3 + W_max`, in bytes.
    fn curve(&self, epoch: &Epoch, t: Duration) -> u64 {
        let t = t.as_millis();
        let offset = t.abs_diff(epoch.k);
        let cube = offset.saturating_mul(offset).saturating_mul(offset);
        let delta = cube.saturating_mul(self.mtu) / INVERSE_C;
        if t < epoch.k {
            epoch.origin.saturating_sub(delta)
        } else {
            epoch.origin.saturating_add(delta)
        }
    }

    /// `cwnd += (target - cwnd) / cwnd` for each acknowledged segment.
    fn grow_towards(&mut self, target: u64, acked: u64) {
        let window = self.shape.window;
        let step = target.saturating_sub(window).saturating_mul(acked);
        let step = step.saturating_add(self.credit);
        let grown = step.checked_div(window).unwrap_or(0);
        self.credit = step.checked_rem(window).unwrap_or(0);
        self.shape.window = window.saturating_add(grown);
    }

    /// `W_est += alpha * segments_acked / cwnd`: figure 4. `alpha` becomes 1 where the estimate
    /// has reached the window before the reduction.
    fn grow_estimate(&mut self, epoch: &mut Epoch, acked: u64) {
        let (num, den) = if epoch.estimate >= self.shape.cwnd_prior {
            (1, 1)
        } else {
            ALPHA
        };
        let step = acked.saturating_mul(self.mtu).saturating_mul(num);
        let step = step.saturating_add(self.est_credit);
        let whole = self.shape.window.saturating_mul(den);
        let grown = step.checked_div(whole).unwrap_or(0);
        self.est_credit = step.checked_rem(whole).unwrap_or(0);
        epoch.estimate = epoch.estimate.saturating_add(grown).min(MAX_WINDOW);
    }
}

impl Controller for Cubic {
    fn on_ack(&mut self, ack: &AckEvent) {
        self.is_initial = false;
        if ack.growth == 0 {
            if let (true, Some(epoch)) = (ack.is_app_limited, &mut self.shape.epoch) {
                epoch.idle_since.get_or_insert(ack.now);
            }
            return;
        }
        if self.shape.window < self.shape.ssthresh {
            self.slow_start(ack);
        } else {
            self.avoid_congestion(ack);
        }
        self.shape.window = self.shape.window.min(MAX_WINDOW);
    }

    fn on_congestion_event(&mut self, _now: Instant, _signal: Signal) {
        self.undo = Some((self.shape, self.hystart));
        self.is_initial = false;
        self.hystart.on_congestion_event();
        let window = self.shape.window;
        // Fast convergence: RFC 9438 4.7.
        let is_shrinking = self.shape.w_max.is_some_and(|max| window < max);
        let w_max = if is_shrinking {
            fraction(window, CONVERGENCE)
        } else {
            window
        };
        self.shape.w_max = Some(w_max);
        self.shape.cwnd_prior = window;
        self.shape.ssthresh = fraction(window, BETA).max(minimum_window(self.mtu));
        self.shape.window = self.shape.ssthresh;
        self.shape.epoch = None;
    }

    fn on_spurious(&mut self) {
        // RFC 9438 4.9: only if the window is still below what it was.
        if let Some((prior, hystart)) = self.undo.take() {
            if self.shape.window < prior.window {
                self.shape = prior;
                self.hystart = hystart;
            }
        }
    }

    fn on_persistent_congestion(&mut self) {
        // RFC 9438 4.8: the next stage starts with K = 0 at the window it finds.
        self.shape.window = minimum_window(self.mtu);
        self.shape.w_max = None;
        self.shape.epoch = None;
        self.undo = None;
    }

    fn on_mtu(&mut self, mtu: u64) {
        // RFC 9002 7.2 #2, RFC 9002 7.2 #3
        if self.is_initial {
            self.shape.window = initial_window(mtu);
        }
        self.mtu = mtu;
        self.shape.window = self.shape.window.max(minimum_window(mtu));
        // K and the plateau are in segments of the old size.
        self.shape.epoch = None;
    }

    fn window(&self) -> u64 {
        self.shape.window
    }

    fn ssthresh(&self) -> u64 {
        self.shape.ssthresh
    }

    fn hystart(&self) -> &HyStart {
        &self.hystart
    }
}

/// `K`, the milliseconds until the curve regains `missing` bytes: the cube root of `missing / C`.
fn time_to_plateau(missing: u64, mtu: u64) -> u64 {
    let whole = missing.checked_div(mtu).unwrap_or(0);
    let part = missing.checked_rem(mtu).unwrap_or(0);
    let scaled = part.saturating_mul(INVERSE_C).checked_div(mtu).unwrap_or(0);
    cube_root(whole.saturating_mul(INVERSE_C).saturating_add(scaled))
}

/// `n * num / den` for a fraction below one; exact for every window, as they fit 32 bits.
fn fraction(n: u64, (num, den): (u64, u64)) -> u64 {
    n.saturating_mul(num).checked_div(den).unwrap_or(n)
}

/// The largest integer whose cube is at most `n`: one bit of the result in each of 22 steps.
pub(super) fn cube_root(n: u64) -> u64 {
    let mut rest = n;
    let mut root: u64 = 0;
    for shift in (0..=63).rev().step_by(3) {
        root = root.wrapping_shl(1);
        // (root + 1)^3 - root^3 where root is even: 3 * root * (root + 1) + 1.
        let next = root.saturating_add(1);
        let step = root
            .saturating_mul(3)
            .saturating_mul(next)
            .saturating_add(1);
        if rest.wrapping_shr(shift) >= step {
            rest = rest.wrapping_sub(step.wrapping_shl(shift));
            root = next;
        }
    }
    root
}
