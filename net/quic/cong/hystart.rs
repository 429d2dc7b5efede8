// SPDX-License-Identifier: GPL-2.0

//! HyStart++ (draft-ietf-tcpm-hystartplusplus-04, RFC 9406): leaves slow start when the RTT rises,
//! before the bottleneck's queue overflows. The same for every algorithm: what they have of their
//! own begins where slow start ends.
//!
//! A round is measured by time instead of sequence numbers, since QUIC has three packet number
//! spaces: it ends when a packet sent after its start is acknowledged.

#![forbid(unsafe_code)]

use super::AckEvent;
use crate::common::time::{
    Duration,
    Instant, //
};

/// `MIN_RTT_THRESH`.
const MIN_RTT_THRESH: Duration = Duration::from_millis(4);

/// `MAX_RTT_THRESH`.
const MAX_RTT_THRESH: Duration = Duration::from_millis(16);

/// `N_RTT_SAMPLE`.
const RTT_SAMPLES: u32 = 8;

/// `CSS_GROWTH_DIVISOR`.
const CSS_GROWTH_DIVISOR: u64 = 4;

/// `CSS_ROUNDS`, a partial first round included.
const CSS_ROUNDS: u8 = 5;

/// Where the initial slow start stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Standard slow start, watching the RTT.
    SlowStart,
    /// Conservative slow start: grows more slowly to find out whether the rise was real.
    Conservative {
        /// RTT at which slow start was left; falling below it resumes slow start.
        baseline: Duration,
        /// Rounds begun in this phase.
        rounds: u8,
    },
    /// Slow start was left for good; later slow starts know a threshold and need no help.
    Done,
}

/// What an acknowledgement in slow start leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The new congestion window.
    pub window: u64,
    /// The new slow start threshold: the window itself when slow start is over.
    pub ssthresh: u64,
    /// Bytes acknowledged above the threshold, which count for congestion avoidance.
    pub above: u64,
}

/// The HyStart++ state machine.
#[derive(Debug, Clone, Copy)]
pub struct HyStart {
    phase: Phase,
    round_start: Option<Instant>,
    last_min: Option<Duration>,
    current_min: Option<Duration>,
    samples: u32,
}

impl HyStart {
    /// At the beginning of the connection or of a path.
    pub const fn new() -> Self {
        Self {
            phase: Phase::SlowStart,
            round_start: None,
            last_min: None,
            current_min: None,
            samples: 0,
        }
    }

    /// The current phase.
    #[cfg(test)]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the conservative phase is on.
    pub fn is_conservative(&self) -> bool {
        matches!(self.phase, Phase::Conservative { .. })
    }

    /// A step of slow start: the window grows by what `ack` acknowledges, less in the conservative
    /// phase, up to the threshold.
    pub fn slow_start(&mut self, ack: &AckEvent, window: u64, ssthresh: u64) -> Step {
        if self.on_ack(ack.now, ack.sent, ack.rtt_sample) {
            return Step {
                window,
                ssthresh: window,
                above: 0,
            };
        }
        let growth = self.growth(ack.growth);
        let room = ssthresh.saturating_sub(window);
        Step {
            window: window.saturating_add(growth.min(room)),
            ssthresh,
            above: growth.saturating_sub(room),
        }
    }

    /// The congestion window may grow by this much for `acked` bytes in slow start. There is no
    /// limit `L` on a burst of acknowledgements, because transmission is paced.
    pub fn growth(&self, acked: u64) -> u64 {
        match self.phase {
            Phase::Conservative { .. } => acked / CSS_GROWTH_DIVISOR,
            Phase::SlowStart | Phase::Done => acked,
        }
    }

    /// Packets were acknowledged in slow start, the newest sent at `sent`. Returns whether slow
    /// start is over now.
    pub fn on_ack(&mut self, now: Instant, sent: Instant, rtt: Option<Duration>) -> bool {
        if self.phase == Phase::Done {
            return false;
        }
        let is_over = self.advance_round(now, sent);
        if let Some(rtt) = rtt {
            self.current_min = Some(self.current_min.map_or(rtt, |min| min.min(rtt)));
            self.samples = self.samples.saturating_add(1);
        }
        if !is_over && self.samples >= RTT_SAMPLES {
            self.judge();
        }
        is_over
    }

    /// Loss or an ECN mark ended slow start.
    pub fn on_congestion_event(&mut self) {
        self.phase = Phase::Done;
    }

    /// Starts a new round if the current one has ended; true when the last round of the
    /// conservative phase is complete.
    fn advance_round(&mut self, now: Instant, sent: Instant) -> bool {
        match self.round_start {
            Some(start) if sent < start => return false,
            None => {
                self.round_start = Some(now);
                return false;
            }
            Some(_) => {}
        }
        self.round_start = Some(now);
        self.last_min = self.current_min.take();
        self.samples = 0;
        if let Phase::Conservative { rounds, .. } = &mut self.phase {
            *rounds = rounds.saturating_add(1);
            if *rounds > CSS_ROUNDS {
                self.phase = Phase::Done;
                return true;
            }
        }
        false
    }

    /// Enough samples of this round are in: compares its minimum.
    fn judge(&mut self) {
        let Some(current) = self.current_min else {
            return;
        };
        match self.phase {
            Phase::SlowStart => {
                let Some(last) = self.last_min else {
                    return;
                };
                let eighth = Duration::from_nanos(last.as_nanos() >> 3);
                let thresh = eighth.clamp(MIN_RTT_THRESH, MAX_RTT_THRESH);
                if current >= last.saturating_add(thresh) {
                    self.phase = Phase::Conservative {
                        baseline: current,
                        rounds: 1,
                    };
                }
            }
            Phase::Conservative { baseline, .. } if current < baseline => {
                self.phase = Phase::SlowStart;
            }
            Phase::Conservative { .. } | Phase::Done => {}
        }
    }
}

impl Default for HyStart {
    fn default() -> Self {
        Self::new()
    }
}
