// SPDX-License-Identifier: GPL-2.0

//! Persistent congestion: RFC 9002 section 7.6.
//!
//! Keeps the current *run*: a stretch of send times in which every packet, in every packet number
//! space, was lost. It is extended in constant time by each loss, because losses of a space are
//! declared in the order of their numbers: if no number lies between the last loss and this one,
//! or only skipped ones do, nothing in between can have been acknowledged.

#![forbid(unsafe_code)]

use crate::common::{
    id::Space,
    time::{
        Duration,
        Instant, //
    },
};

/// `kPersistentCongestionThreshold` of RFC 9002 7.6.1, in probe timeouts.
pub const THRESHOLD: u64 = 3;

/// A lost packet, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub struct LostPacket {
    /// Its packet number space.
    pub space: Space,
    /// Its number.
    pub pn: u64,
    /// When it was sent.
    pub time: Instant,
    /// Whether the peer had to acknowledge it.
    pub ack_eliciting: bool,
    /// Numbers left out on purpose since the previous loss of the same space.
    pub skipped_before: u64,
}

/// The run of losses that is growing now.
#[derive(Debug, Default)]
pub struct LossRun {
    /// Send times of the first and the last ack-eliciting packet of the run.
    span: Option<(Instant, Instant)>,
    /// Last packet number of the run in each space.
    last: [Option<u64>; 3],
    /// Latest send time of a packet that was acknowledged, in each space.
    acked: [Option<Instant>; 3],
}

impl LossRun {
    /// A packet sent at `time` was acknowledged, perhaps after it had been declared lost.
    pub fn on_acked(&mut self, space: Space, time: Instant) {
        if let Some(slot) = self.acked.get_mut(space as usize) {
            *slot = Some(slot.map_or(time, |t| t.max(time)));
        }
        if let Some((first, last)) = self.span {
            if first <= time && time <= last {
                self.clear();
            }
        }
    }

    /// A packet was declared lost. Returns the time between the ends of the run: the caller
    /// compares it with the duration of persistent congestion.
    pub fn on_lost(&mut self, lost: &LostPacket) -> Duration {
        let is_adjacent = self.is_adjacent(lost) && !self.is_broken_elsewhere(lost.space);
        if !is_adjacent {
            self.clear();
        }
        if let Some(slot) = self.last.get_mut(lost.space as usize) {
            *slot = Some(lost.pn);
        }
        // RFC 9002 7.6.2 #1
        if lost.ack_eliciting {
            self.span = match self.span {
                None => Some((lost.time, lost.time)),
                Some((first, last)) => Some((first.min(lost.time), last.max(lost.time))),
            };
        }
        match self.span {
            None => Duration::ZERO,
            Some((first, last)) => last.since(first),
        }
    }

    /// Forgets the run: it was acted upon, or a packet in its middle arrived.
    pub fn clear(&mut self) {
        self.span = None;
        self.last = [None; 3];
    }

    /// No packet of the same space between the last loss and this one was acknowledged. A space
    /// that joins the run must not have had a packet acknowledged that was sent within it.
    fn is_adjacent(&self, lost: &LostPacket) -> bool {
        let Some((first, _)) = self.span else {
            return true;
        };
        match self.last.get(lost.space as usize).copied().flatten() {
            Some(last) => {
                let between = lost.pn.saturating_sub(last).saturating_sub(1);
                between <= lost.skipped_before
            }
            None => {
                let acked = self.acked.get(lost.space as usize).copied().flatten();
                acked.is_none_or(|t| t < first)
            }
        }
    }

    /// RFC 9002 7.6.2 #3: another space had a packet acknowledged that was sent during the run.
    fn is_broken_elsewhere(&self, space: Space) -> bool {
        let Some((first, _)) = self.span else {
            return false;
        };
        let mut acked = self.acked.iter().enumerate();
        acked.any(|(i, t)| i != space as usize && t.is_some_and(|t| t >= first))
    }
}
