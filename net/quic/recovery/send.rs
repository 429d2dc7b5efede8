// SPDX-License-Identifier: GPL-2.0

//! Packets sent: their numbers, what they use up of the congestion window and of pacing, and what
//! both leave for the next ones.

#![forbid(unsafe_code)]

use super::{
    ecn::Ecn,
    sent::SentPacket,
    Recovery, //
};
use crate::{
    common::{
        id::Space,
        rng::Rng,
        time::Instant, //
    },
    mem::AllocError,
};

/// Why there is no packet number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberError {
    /// RFC 9000 12.3 #3: the space is used up; the connection ends without a further packet.
    Exhausted,
    /// No memory to remember the packet; nothing was changed, and it may be tried later.
    NoMemory,
}

impl From<AllocError> for NumberError {
    fn from(_: AllocError) -> Self {
        Self::NoMemory
    }
}

impl Recovery {
    /// The number for the next packet of `space`, with room to remember the packet. The answer
    /// stays the same until [`Self::on_sent`]. In the application data space numbers are skipped
    /// at random, more rarely as the congestion window grows: RFC 9000 21.4 #1.
    pub fn next_packet_number(
        &mut self,
        space: Space,
        rng: &mut dyn Rng,
    ) -> Result<u64, NumberError> {
        let window = self.congestion.window().checked_div(self.mtu);
        let state = self.spaces.get_mut(space);
        let pn = match space {
            Space::Data => state.numbers.choose(rng, window.unwrap_or(0)),
            Space::Initial | Space::Handshake => state.numbers.peek(),
        };
        let pn = pn.ok_or(NumberError::Exhausted)?;
        state.sent.reserve(pn)?;
        Ok(pn)
    }

    /// Packet `pn` of `space` was sent: RFC 9002 A.5. `pn` is the last answer of
    /// [`Self::next_packet_number`] for the space.
    pub fn on_sent(&mut self, space: Space, pn: u64, mut packet: SentPacket) {
        let now = packet.time;
        let is_active = packet.path == self.in_flight.path();
        let is_counted = packet.in_flight && is_active;
        if is_counted {
            packet.snapshot = self.rate.on_sent(now, self.in_flight.bytes() == 0);
        }
        // RFC 9002 7.5 #2: every packet in flight counts, probes included.
        self.in_flight.on_sent(&packet);
        if is_counted {
            self.use_window(now, u64::from(packet.size));
        }
        let state = self.spaces.get_mut(space);
        if packet.ecn {
            state.ecn.sent = state.ecn.sent.saturating_add(1);
            if is_active {
                self.ecn.on_sent();
            }
        }
        if packet.ack_eliciting {
            state.last_eliciting = Some(now);
            self.progress = Some(now);
        }
        state.numbers.on_sent(pn);
        state.sent.insert(pn, packet);
        self.counters.sent = self.counters.sent.saturating_add(1);
    }

    /// A packet of `size` bytes takes its part of the window and of what pacing lets go.
    fn use_window(&mut self, now: Instant, size: u64) {
        self.pacer.on_sent(now, size);
        self.has_allowance = false;
        if self.is_window_used(now) {
            self.limited_at = Some(now);
        }
    }

    /// Whether the window has no room for another packet. A sender that has to wait for its pacing
    /// uses the window too, if it is not far from full: RFC 9002 7.8 #2.
    fn is_window_used(&self, now: Instant) -> bool {
        let window = self.congestion.window();
        if self.in_flight.bytes().saturating_add(self.mtu) > window {
            return true;
        }
        let is_half_used = self.in_flight.bytes().saturating_mul(2) >= window;
        is_half_used && self.pacer.budget(now) < self.mtu
    }

    /// Bytes that the congestion window still admits: RFC 9002 7 #3. Probe packets after a
    /// time-out are sent without asking: RFC 9002 7.5 #1.
    pub fn window(&self) -> u64 {
        let window = self.congestion.window();
        let free = window.saturating_sub(self.in_flight.bytes());
        // RFC 9002 7.3.2: sending one packet speeds up recovery from the loss.
        if self.has_allowance {
            free.max(self.mtu)
        } else {
            free
        }
    }

    /// Whether a packet of `size` bytes in flight fits the congestion window.
    pub fn can_send(&self, size: u64) -> bool {
        size <= self.window()
    }

    /// When pacing lets `bytes` go, whatever the window says (RFC 9002 7.7 #1); not after `now` means
    /// at once. Packets with nothing but ACK frames are not paced: RFC 9002 7.7 #5.
    pub fn pacing_earliest(&self, now: Instant, bytes: u64) -> Instant {
        self.pacer.earliest(now, bytes)
    }

    /// There was nothing more to send although window and pacing had room. Concerns the delivery
    /// rate alone: whether the window was in use is seen from what is sent (RFC 9002 7.8 #1).
    pub fn on_app_limited(&mut self) {
        self.rate.on_app_limited(self.in_flight.bytes());
    }

    /// The mark for the next packet of the active path.
    pub fn ecn_mark(&self) -> Ecn {
        self.ecn.mark()
    }
}
