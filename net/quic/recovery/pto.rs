// SPDX-License-Identifier: GPL-2.0

//! The loss detection timer: RFC 9002 section 6.2, A.8 and A.9.
//!
//! The timer is not armed and cancelled; it is computed from the state whenever it is asked for,
//! so no event can forget to update it. A deadline in the past means that it fires at once, which
//! is what RFC 9002 A.6 wants when an anti-amplification limit is lifted.

#![forbid(unsafe_code)]

use super::{
    Recovery,
    Sink, //
};
use crate::common::{
    id::Space,
    time::{
        Duration,
        Instant, //
    },
};

/// The backoff stops doubling here; an idle time-out ends the connection long before.
const MAX_BACKOFF: u32 = 20;

/// Probe packets for each timeout with something in flight. RFC 9002 6.2.4 #2
const PROBES: u8 = 2;

/// What the timer depends on beyond recovery's own state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerContext {
    /// Handshake packets can be sent.
    pub has_handshake_keys: bool,
    /// This server may not send until the client does: RFC 9000 8.1.
    pub is_amplification_limited: bool,
}

/// What the caller does after the timer fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// It was too early.
    None,
    /// Packets were declared lost; transmission goes on as usual.
    Loss,
    /// A probe timeout: RFC 9002 6.2.4 #1, RFC 9002 6.2.4 #3.
    Probe {
        /// Where ack-eliciting packets must be sent, in spite of window and pacing.
        space: Space,
        /// How many at most; at least one must be sent.
        count: u8,
    },
}

impl Recovery {
    /// When [`Self::on_timeout`] must be called: `SetLossDetectionTimer`.
    pub fn deadline(&self, cx: &TimerContext) -> Option<Instant> {
        // RFC 9002 6.2.1 #6
        if let Some((time, _)) = self.earliest_loss_time() {
            return Some(time);
        }
        self.pto(cx).map(|(time, _, _)| time)
    }

    /// The timer fired: `OnLossDetectionTimeout`. RFC 9002 6.2 #1: a probe timeout marks nothing
    /// as lost.
    pub fn on_timeout(&mut self, now: Instant, cx: &TimerContext, sink: Sink<'_>) -> Timeout {
        self.pacer.on_time(now);
        if let Some((time, space)) = self.earliest_loss_time() {
            if time > now {
                return Timeout::None;
            }
            self.detect_lost(space, now, sink);
            return Timeout::Loss;
        }
        match self.pto(cx) {
            Some((time, space, count)) if time <= now => {
                // RFC 9002 6.2.1 #5
                self.pto_count = self.pto_count.saturating_add(1);
                self.progress = Some(now);
                self.counters.timeouts = self.counters.timeouts.saturating_add(1);
                Timeout::Probe { space, count }
            }
            _ => Timeout::None,
        }
    }

    /// `GetLossTimeAndSpace`.
    fn earliest_loss_time(&self) -> Option<(Instant, Space)> {
        let time = |space| self.spaces.get(space).loss_time.map(|t| (t, space));
        let times = Space::ALL.into_iter().filter_map(time);
        times.min_by_key(|(t, _)| *t)
    }

    /// `GetPtoTimeAndSpace`, with the number of probes.
    fn pto(&self, cx: &TimerContext) -> Option<(Instant, Space, u8)> {
        // RFC 9002 6.2.2.1 #1
        if cx.is_amplification_limited {
            return None;
        }
        let times = Space::ALL.into_iter().filter_map(|s| self.space_pto(s));
        // RFC 9002 6.2.1 #2
        let earliest = times.min_by_key(|(t, _)| *t);
        if let Some((time, space)) = earliest {
            return Some((time, space, PROBES));
        }
        // RFC 9002 6.2.2.1 #2: nothing is in flight, but the server may be waiting for a packet
        // that lets it send more.
        if self.is_peer_validated {
            return None;
        }
        // RFC 9002 6.2.2.1 #3, RFC 9002 6.2.2.1 #4
        let space = if cx.has_handshake_keys {
            Space::Handshake
        } else {
            Space::Initial
        };
        let time = self.progress?.saturating_add(self.backed_off(space));
        Some((time, space, 1))
    }

    fn space_pto(&self, space: Space) -> Option<(Instant, Space)> {
        // RFC 9002 6.2.1 #3
        if space == Space::Data && !self.is_confirmed {
            return None;
        }
        let state = self.spaces.get(space);
        if state.sent.eliciting() == 0 {
            return None;
        }
        // RFC 9002 6.2.1 #4
        let sent = state.last_eliciting?;
        Some((sent.saturating_add(self.backed_off(space)), space))
    }

    fn backed_off(&self, space: Space) -> Duration {
        let exponent = self.pto_count.min(MAX_BACKOFF);
        self.pto_base(space).saturating_shl(exponent)
    }
}
