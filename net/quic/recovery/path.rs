// SPDX-License-Identifier: GPL-2.0

//! Changes of the path, its MTU, and of the packet number spaces.

#![forbid(unsafe_code)]

use super::{
    ecn::EcnPath,
    loss::Reordering,
    pacing::Pacer,
    persistent::LossRun,
    rate::RateSampler,
    rtt::Rtt,
    sent::SentPackets,
    Fate,
    Recovery,
    Sink, //
};
use crate::{
    common::{
        id::Space,
        time::{
            Duration,
            Instant, //
        },
    },
    cong::{
        Algorithm,
        Congestion, //
    },
};

impl Recovery {
    /// The connection moved to another path: congestion control, RTT, ECN and pacing start anew.
    /// Packets carry the path they were sent on, so that those of the old one neither count as in
    /// flight nor give RTT samples any more: RFC 9000 9.4 #1, RFC 9000 9.4 #2. `initial_rtt` may
    /// come from the path's validation (RFC 9002 6.2.2 #3). Not for a change of the port alone,
    /// where the caller keeps the path's number and everything known about it (RFC 9000 9.4 #3).
    pub fn reset_for_path(&mut self, path: u32, mtu: u16, initial_rtt: Option<Duration>) {
        self.in_flight.switch(path);
        self.mtu = u64::from(mtu);
        self.rtt = Rtt::new(initial_rtt.unwrap_or(self.config.initial_rtt));
        self.congestion = Congestion::new(self.config.algorithm, self.mtu);
        self.pacer = Pacer::new(1, self.mtu);
        self.pacer.set_limit(self.max_pacing_rate);
        self.rate = RateSampler::default();
        self.ecn = EcnPath::new(self.config.ecn);
        self.run = LossRun::default();
        // Its number is a new one: packets of the path left that arrive after all take back nothing
        // that happened here.
        self.episode.begin();
        self.reordering = Reordering::default();
        self.pto_count = 0;
        self.limited_at = None;
        self.has_allowance = false;
        self.update_pacer();
    }

    /// The connection may still move to the paths that `is_known` names, and to no other one. To
    /// be called when that changes; at most two besides the active one may be known at a time.
    pub fn retain_paths(&mut self, is_known: &dyn Fn(u32) -> bool) {
        self.in_flight.retain(is_known);
    }

    /// Assumes another RTT as long as there is no sample: one remembered from an earlier
    /// connection (RFC 9002 6.2.2 #1), or seen in a Retry or Version Negotiation exchange
    /// (RFC 9002 6.3 #1, RFC 9002 6.3 #2).
    pub fn set_initial_rtt(&mut self, initial_rtt: Duration) {
        if self.rtt.first_sample().is_none() {
            self.rtt = Rtt::new(initial_rtt);
            self.update_pacer();
        }
    }

    /// The user chooses another algorithm or initial RTT while the handshake goes on. A new
    /// algorithm starts anew; an RTT that was measured stays.
    pub fn reconfigure(&mut self, algorithm: Algorithm, initial_rtt: Duration) {
        if algorithm != self.config.algorithm {
            self.config.algorithm = algorithm;
            self.congestion = Congestion::new(algorithm, self.mtu);
        }
        if initial_rtt != self.config.initial_rtt {
            self.config.initial_rtt = initial_rtt;
            self.set_initial_rtt(initial_rtt);
        }
        self.update_pacer();
    }

    /// The user limits the pacing rate to `rate` bytes per second, on this path and every other
    /// one; `None` lifts the limit.
    pub fn set_max_pacing_rate(&mut self, rate: Option<u64>) {
        self.max_pacing_rate = rate.unwrap_or(u64::MAX);
        self.pacer.set_limit(self.max_pacing_rate);
        self.update_pacer();
    }

    /// The maximum datagram size of the active path changed.
    pub fn on_mtu_changed(&mut self, mtu: u16) {
        self.mtu = u64::from(mtu);
        self.congestion.on_mtu(self.mtu);
        self.update_pacer();
    }

    /// The keys of a space were discarded: RFC 9002 6.4 and A.11. Its packets are forgotten
    /// without a fate.
    pub fn discard(&mut self, space: Space, now: Instant) {
        self.remove_all(space, &mut |_, _, _, _| {});
        self.reset_timer(now);
    }

    /// Everything outstanding in `space` has to be sent again, without its being a sign of
    /// congestion: a Retry arrived (RFC 9002 6.3).
    pub fn abandon(&mut self, space: Space, now: Instant, sink: Sink<'_>) {
        self.remove_all(space, sink);
        self.reset_timer(now);
    }

    /// As [`Self::abandon`], for the packets with numbers below `end`: 0-RTT was rejected. Those
    /// behind stay what they are.
    // RFC 9002 6.4 #1, RFC 9002 6.4 #2
    pub fn abandon_below(&mut self, space: Space, end: u64, now: Instant, sink: Sink<'_>) {
        if let Some(last) = end.checked_sub(1) {
            self.remove(space, last, sink);
            self.reset_timer(now);
        }
    }

    /// RFC 9002 6.2.2 #4
    fn reset_timer(&mut self, now: Instant) {
        self.pto_count = 0;
        self.progress = Some(now);
    }

    /// RFC 9002 6.4 #1, RFC 9002 6.4 #2
    fn remove_all(&mut self, space: Space, sink: Sink<'_>) {
        self.remove(space, u64::MAX, sink);
        let state = self.spaces.get_mut(space);
        state.sent = SentPackets::new();
        state.last_eliciting = None;
        state.loss_time = None;
    }

    /// Removes the packets with numbers up to `last`.
    fn remove(&mut self, space: Space, last: u64, sink: Sink<'_>) {
        let in_flight = &mut self.in_flight;
        let state = self.spaces.get_mut(space);
        state.sent.drain(0, last, &mut |pn, packet, was_lost| {
            if was_lost {
                return;
            }
            in_flight.on_gone(&packet);
            sink(Fate::Lost, space, pn, &packet);
        });
    }
}
