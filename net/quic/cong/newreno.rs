// SPDX-License-Identifier: GPL-2.0

//! NewReno as RFC 9002 section 7.3 and appendix B define it for QUIC, with HyStart++ in the initial
//! slow start.

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
use crate::common::time::Instant;

/// The controller's state.
#[derive(Debug, Clone)]
pub struct NewReno {
    mtu: u64,
    hystart: HyStart,
    window: u64,
    ssthresh: u64,
    /// Bytes acknowledged in congestion avoidance since the window last grew.
    credit: u64,
    /// Nothing was acknowledged yet: the initial window follows a change of the datagram size.
    is_initial: bool,
    undo: Option<Undo>,
}

/// Values before the last congestion event.
#[derive(Debug, Clone, Copy)]
struct Undo {
    window: u64,
    ssthresh: u64,
    hystart: HyStart,
}

impl NewReno {
    /// The initial state for datagrams of at most `mtu` bytes.
    pub fn new(mtu: u64) -> Self {
        Self {
            mtu,
            hystart: HyStart::new(),
            window: initial_window(mtu),
            ssthresh: u64::MAX,
            credit: 0,
            is_initial: true,
            undo: None,
        }
    }

    /// One datagram for each window acknowledged: RFC 9002 7.3.3 #1, counted in bytes as
    /// RFC 3465 2.1 does, so that no fraction is lost to integer division.
    fn avoid_congestion(&mut self, acked: u64) {
        self.credit = self.credit.saturating_add(acked);
        if self.credit >= self.window {
            self.credit = self.credit.saturating_sub(self.window);
            self.window = self.window.saturating_add(self.mtu);
        }
    }
}

impl Controller for NewReno {
    fn on_ack(&mut self, ack: &AckEvent) {
        self.is_initial = false;
        if ack.growth == 0 {
            return;
        }
        if self.window < self.ssthresh {
            let step = self.hystart.slow_start(ack, self.window, self.ssthresh);
            (self.window, self.ssthresh) = (step.window, step.ssthresh);
            self.credit = step.above;
        } else {
            self.avoid_congestion(ack.growth);
        }
        self.window = self.window.min(MAX_WINDOW);
    }

    fn on_congestion_event(&mut self, _now: Instant, _signal: Signal) {
        self.undo = Some(Undo {
            window: self.window,
            ssthresh: self.ssthresh,
            hystart: self.hystart,
        });
        self.hystart.on_congestion_event();
        // RFC 9002 7.3.2 #1, RFC 9002 7.3.2 #2
        self.ssthresh = (self.window / 2).max(minimum_window(self.mtu));
        self.window = self.ssthresh;
        self.credit = 0;
        self.is_initial = false;
    }

    fn on_spurious(&mut self) {
        if let Some(undo) = self.undo.take() {
            self.window = self.window.max(undo.window);
            self.ssthresh = self.ssthresh.max(undo.ssthresh);
            self.hystart = undo.hystart;
        }
    }

    fn on_persistent_congestion(&mut self) {
        self.window = minimum_window(self.mtu);
        self.credit = 0;
        self.undo = None;
    }

    fn on_mtu(&mut self, mtu: u64) {
        // RFC 9002 7.2 #2, RFC 9002 7.2 #3
        if self.is_initial {
            self.window = initial_window(mtu);
        }
        self.mtu = mtu;
        self.window = self.window.max(minimum_window(mtu));
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn ssthresh(&self) -> u64 {
        self.ssthresh
    }

    fn hystart(&self) -> &HyStart {
        &self.hystart
    }
}
