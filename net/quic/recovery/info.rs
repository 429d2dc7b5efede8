// SPDX-License-Identifier: GPL-2.0

//! What the rest of the connection and the user may look at.

#![forbid(unsafe_code)]

use super::{
    sent::Kind,
    Counters,
    EcnState,
    Recovery,
    Rtt,
    SentPacket, //
};
use crate::{
    common::{
        id::Space,
        time::Duration, //
    },
    cong::Congestion,
};

impl Recovery {
    /// The RTT estimate of the active path.
    pub fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// The probe timeout of `space` without backoff: RFC 9002 6.2.1. Three times this for the
    /// application data space is the closing period and the lifetime of old keys.
    pub fn pto_base(&self, space: Space) -> Duration {
        match space {
            Space::Data => self.rtt.pto_base().saturating_add(self.max_ack_delay),
            Space::Initial | Space::Handshake => self.rtt.pto_base(),
        }
    }

    /// Consecutive probe timeouts.
    pub fn pto_count(&self) -> u32 {
        self.pto_count
    }

    /// Bytes in flight on the active path.
    pub fn bytes_in_flight(&self) -> u64 {
        self.in_flight.bytes()
    }

    /// The congestion controller.
    pub fn congestion(&self) -> &Congestion {
        &self.congestion
    }

    /// The pacing rate in bytes per second.
    pub fn pacing_rate(&self) -> u64 {
        self.pacer.rate()
    }

    /// The delivery rate in bytes per second, 0 before the first sample.
    pub fn delivery_rate(&self) -> u64 {
        self.rate.rate()
    }

    /// What is known of the path's treatment of ECN.
    pub fn ecn_state(&self) -> EcnState {
        self.ecn.state()
    }

    /// Counters of packets.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The largest packet number that the peer acknowledged in `space`: the base for the length
    /// of packet numbers on the wire (RFC 9000 17.1).
    pub fn largest_acked(&self, space: Space) -> Option<u64> {
        self.spaces.get(space).largest_acked
    }

    /// Whether ack-eliciting packets of `space` are outstanding.
    pub fn has_eliciting(&self, space: Space) -> bool {
        self.spaces.get(space).sent.eliciting() > 0
    }

    /// Shows the oldest outstanding packets of `space`, at most `limit` of those in flight: what
    /// they carried is worth repeating in a probe. They stay outstanding: RFC 9002 6.2 #1.
    pub fn for_each_oldest(&self, space: Space, limit: usize, f: &mut dyn FnMut(u64, &SentPacket)) {
        let sent = &self.spaces.get(space).sent;
        let mut from = sent.first_present();
        let mut shown: usize = 0;
        while let (true, Some(pn)) = (shown < limit, sent.next(from, Kind::Outstanding)) {
            if let Some(packet) = sent.get(pn).filter(|p| p.ack_eliciting) {
                f(pn, packet);
                shown = shown.saturating_add(1);
            }
            from = pn.saturating_add(1);
        }
    }
}
