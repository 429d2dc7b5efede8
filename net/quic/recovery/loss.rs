// SPDX-License-Identifier: GPL-2.0

//! Declaring packets lost, and finding out that they were not: RFC 9002 section 6.1 and A.10.
//!
//! Send times ascend with packet numbers within a space, so the first outstanding packet that is
//! not lost ends the search: its cost is one step for each packet declared lost. Numbers that were
//! skipped on purpose do not count towards the packet threshold.

#![forbid(unsafe_code)]

use super::{
    persistent::{
        self,
        LostPacket, //
    },
    rtt::{
        Rtt,
        GRANULARITY, //
    },
    sent::{
        Kind,
        SentPacket, //
    },
    space::State,
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
    cong::Signal,
};

/// `kPacketThreshold`. RFC 9002 6.1.1 #1, RFC 9002 6.1.1 #2
const PACKET_THRESHOLD: u64 = 3;

/// The packet threshold does not grow beyond this; reordering by more is left to time.
const MAX_PACKET_THRESHOLD: u64 = 1024;

/// `kTimeThreshold` is 9/8, the RTT plus the RTT shifted right by 3. RFC 9002 6.1.2 #4
const TIME_SHIFT: u32 = 3;

/// How much reordering the path is given: RFC 9002 6.1 allows adapting both thresholds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reordering {
    packets: u64,
    time_shift: u32,
    /// When the time threshold was raised last; once a round trip is enough.
    raised: Instant,
}

impl Default for Reordering {
    fn default() -> Self {
        Self {
            packets: PACKET_THRESHOLD,
            time_shift: TIME_SHIFT,
            raised: Instant::ZERO,
        }
    }
}

impl Reordering {
    /// A packet thought lost arrived when `distance` later ones had been acknowledged.
    pub(super) fn on_spurious(&mut self, now: Instant, distance: u64, rtt: &Rtt) {
        let wanted = distance.saturating_add(1).min(MAX_PACKET_THRESHOLD);
        self.packets = self.packets.max(wanted);
        if self.raised.saturating_add(rtt.smoothed()) <= now {
            self.raised = now;
            self.time_shift = self.time_shift.saturating_sub(1);
        }
    }

    /// `loss_delay` of RFC 9002 A.10.
    pub(super) fn delay(&self, rtt: &Rtt) -> Duration {
        let base = rtt.loss_base();
        let extra = base.as_nanos().checked_shr(self.time_shift).unwrap_or(0);
        // RFC 9002 6.1.2 #2, RFC 9002 6.1.2 #5
        base.saturating_add(Duration::from_nanos(extra))
            .max(GRANULARITY)
    }
}

/// The last congestion event, as far as its undo goes: how many of the packets whose loss made it
/// up have not been acknowledged after all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Episode {
    id: u32,
    missing: u32,
    /// An ECN mark or persistent congestion took part: losses alone do not explain it.
    is_final: bool,
}

impl Episode {
    pub(super) fn begin(&mut self) {
        self.id = self.id.wrapping_add(1).max(1);
        self.missing = 0;
        self.is_final = false;
    }

    pub(super) fn make_final(&mut self) {
        self.is_final = true;
    }

    fn on_lost(&mut self) -> u32 {
        self.missing = self.missing.saturating_add(1);
        self.id
    }

    /// A lost packet of episode `id` arrived; true when the whole event was a mistake.
    pub(super) fn on_spurious(&mut self, id: u32) -> bool {
        if id == 0 || id != self.id || self.missing == 0 {
            return false;
        }
        self.missing = self.missing.saturating_sub(1);
        self.missing == 0 && !self.is_final
    }
}

/// Sums over the packets that one search declared lost.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// Packets declared lost.
    pub(super) count: u32,
    /// Send time of the last one that counts as a sign of congestion.
    last_sent: Option<Instant>,
    /// The longest run of losses seen.
    run: Duration,
    /// A recovery period began, or persistent congestion was established.
    pub(super) is_event: bool,
}

impl Recovery {
    /// `DetectAndRemoveLostPackets` and `OnPacketsLost` of RFC 9002 for one space.
    pub(super) fn detect_lost(&mut self, space: Space, now: Instant, sink: Sink<'_>) -> Losses {
        let mut losses = Losses::default();
        let delay = self.reordering.delay(&self.rtt);
        let threshold = self.reordering.packets;
        let state = self.spaces.get_mut(space);
        state.loss_time = None;
        let Some(largest) = state.largest_acked else {
            return losses;
        };
        let mut from = match state.sent.first(Kind::Outstanding) {
            Some(first) => first,
            None => return losses,
        };
        loop {
            let state = self.spaces.get_mut(space);
            let next = state.sent.next(from, Kind::Outstanding);
            let Some(pn) = next.filter(|pn| *pn <= largest) else {
                break;
            };
            from = pn.saturating_add(1);
            match judge(state, pn, largest, threshold, delay, now) {
                Verdict::Lost => self.declare_lost(space, pn, sink, &mut losses),
                // RFC 9002 6.1.2 #3
                Verdict::LostAt(time) => {
                    state.loss_time = Some(time);
                    break;
                }
                Verdict::Ignored => {}
            }
        }
        if losses.count > 0 {
            self.react_to_losses(now, &mut losses);
        }
        losses
    }

    fn declare_lost(&mut self, space: Space, pn: u64, sink: Sink<'_>, losses: &mut Losses) {
        let state = self.spaces.get_mut(space);
        let Some(packet) = state.sent.get(pn) else {
            return;
        };
        let is_active = packet.path == self.in_flight.path();
        let is_counted = packet.in_flight && is_active;
        // RFC 9000 14.4 #1, RFC 9002 7.4 #2
        let is_signal = is_counted && !packet.mtu_probe;
        if is_signal && losses.last_sent.is_none() && !self.congestion.is_in_recovery(packet.time) {
            self.episode.begin();
        }
        if is_active {
            losses.run = losses
                .run
                .max(extend_run(&mut self.run, state, space, pn, &self.rtt));
        }
        if is_signal {
            losses.last_sent = Some(packet.time);
        }
        let episode = if is_signal { self.episode.on_lost() } else { 0 };
        if let Some(packet) = state.sent.mark_lost(pn, episode) {
            self.in_flight.on_gone(packet);
            if is_counted && packet.ecn {
                self.ecn.on_lost();
            }
            sink(Fate::Lost, space, pn, packet);
        }
        state.largest_lost = Some(pn);
        losses.count = losses.count.saturating_add(1);
        self.counters.lost = self.counters.lost.saturating_add(1);
    }

    /// `OnPacketsLost` of RFC 9002 B.8.
    fn react_to_losses(&mut self, now: Instant, losses: &mut Losses) {
        if let Some(sent) = losses.last_sent {
            // RFC 9000 13.3 #7
            if self.congestion.on_congestion_event(now, sent, Signal::Loss) {
                self.has_allowance = true;
                losses.is_event = true;
            }
        }
        let base = self.rtt.pto_base().saturating_add(self.max_ack_delay);
        // RFC 9002 7.6.1 #1
        if losses.run > base.saturating_mul(persistent::THRESHOLD) {
            // RFC 9002 7.6.2 #5
            self.congestion.on_persistent_congestion();
            self.rtt.on_persistent_congestion();
            self.run.clear();
            self.episode.make_final();
            losses.is_event = true;
            self.counters.persistent = self.counters.persistent.saturating_add(1);
        }
        self.update_pacer();
    }

    /// Forgets lost packets so old that a late acknowledgement would no longer help: three probe
    /// timeouts after they were sent, RFC 9002 A.1.
    pub(super) fn forget_old_losses(&mut self, space: Space, now: Instant) {
        let base = self.rtt.pto_base().saturating_add(self.max_ack_delay);
        let horizon = now.saturating_sub(base.saturating_mul(3));
        self.spaces.get_mut(space).sent.expire_lost(horizon);
    }
}

enum Verdict {
    Lost,
    /// Lost at that time unless it is acknowledged before.
    LostAt(Instant),
    /// Not lost yet, and not worth a timer.
    Ignored,
}

fn judge(
    state: &State,
    pn: u64,
    largest: u64,
    threshold: u64,
    delay: Duration,
    now: Instant,
) -> Verdict {
    let Some(packet) = state.sent.get(pn) else {
        return Verdict::Ignored;
    };
    let skipped = state.numbers.count_skipped(pn, largest);
    let distance = largest.saturating_sub(pn).saturating_sub(skipped);
    let lost_at = packet.time.saturating_add(delay);
    // RFC 9002 6.1.1 #1, RFC 9002 6.1.2 #1
    if distance >= threshold || lost_at <= now {
        Verdict::Lost
    } else if packet.in_flight {
        Verdict::LostAt(lost_at)
    } else {
        Verdict::Ignored
    }
}

/// Adds the loss to the run of losses, if it was sent after the first RTT sample.
fn extend_run(
    run: &mut persistent::LossRun,
    state: &State,
    space: Space,
    pn: u64,
    rtt: &Rtt,
) -> Duration {
    let Some(packet) = state.sent.get(pn) else {
        return Duration::ZERO;
    };
    // RFC 9002 7.6.2 #2
    if !is_after_first_sample(packet, rtt) {
        return Duration::ZERO;
    }
    let since = state.largest_lost.map_or(0, |last| last.saturating_add(1));
    run.on_lost(&LostPacket {
        space,
        pn,
        time: packet.time,
        ack_eliciting: packet.ack_eliciting && !packet.mtu_probe,
        skipped_before: state.numbers.count_skipped(since, pn),
    })
}

fn is_after_first_sample(packet: &SentPacket, rtt: &Rtt) -> bool {
    rtt.first_sample().is_some_and(|first| packet.time > first)
}
