// SPDX-License-Identifier: GPL-2.0

//! Processing of ACK frames: `OnAckReceived` of RFC 9002 A.7 and what follows from it.
//!
//! The cost is one search for each range of the frame plus one step for each packet that it newly
//! acknowledges or that is declared lost. The number of ranges is bounded by the size of a packet.

#![forbid(unsafe_code)]

use super::{
    ecn::{
        EcnSample,
        EcnVerdict, //
    },
    tally::Tally,
    Fate,
    Recovery,
    Sink, //
};
use crate::{
    common::{
        error::TransportError,
        id::Space,
        time::{
            Duration,
            Instant, //
        },
    },
    cong::{
        AckEvent,
        Signal, //
    },
    frame::AckFrame,
};

/// What an ACK frame did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AckSummary {
    /// Packets newly acknowledged.
    pub acked: u32,
    /// Whether one of them was ack-eliciting.
    pub acked_eliciting: bool,
    /// The largest newly acknowledged packet number.
    pub largest: Option<u64>,
    /// Packets declared lost.
    pub lost: u32,
    /// Packets acknowledged that had been declared lost.
    pub spurious: u32,
    /// A recovery period began, or persistent congestion was established.
    pub is_congested: bool,
    /// ECN validation failed with this frame.
    pub ecn_failed: bool,
}

impl Recovery {
    /// An ACK frame of `space` is processed at `now`; it arrived at `received`, which is earlier if
    /// its packet had to wait for keys.
    ///
    /// # Errors
    ///
    /// PROTOCOL_VIOLATION if it acknowledges a packet that was never sent, be it a number beyond
    /// the last one or one left out to catch this. Nothing was changed then.
    pub fn on_ack(
        &mut self,
        (now, received): (Instant, Instant),
        space: Space,
        frame: &AckFrame<'_>,
        sink: Sink<'_>,
    ) -> Result<AckSummary, TransportError> {
        self.check_sent(space, frame)?;
        self.pacer.on_time(now);
        let state = self.spaces.get_mut(space);
        let prior_largest = state.largest_acked;
        let is_newest = prior_largest.is_none_or(|largest| frame.largest > largest);
        state.largest_acked = Some(prior_largest.map_or(frame.largest, |l| l.max(frame.largest)));

        let tally = self.take_acked(now, space, frame, sink);
        if tally.spurious > 0 {
            self.on_spurious(now, space, prior_largest, &tally);
        }
        if tally.acked == 0 {
            return Ok(tally.summary());
        }
        let sample = self.sample_rtt(now, received, space, frame, &tally);
        let mut summary = tally.summary();
        self.process_ecn(now, space, frame, is_newest, &tally, &mut summary);
        let losses = self.detect_lost(space, now, sink);
        summary.lost = losses.count;
        summary.is_congested |= losses.is_event;
        self.grow_window(now, &tally, sample, summary.is_congested);
        self.forget_old_losses(space, now);
        self.on_progress(now, space);
        Ok(summary)
    }

    fn check_sent(&self, space: Space, frame: &AckFrame<'_>) -> Result<(), TransportError> {
        let numbers = &self.spaces.get(space).numbers;
        // RFC 9000 13.1 #2
        if frame.largest >= numbers.next() {
            return Err(TransportError::protocol_violation(
                "ACK of an unsent packet",
            ));
        }
        if !numbers.has_skipped() {
            return Ok(());
        }
        // RFC 9000 21.4 #1
        for range in frame.ranges() {
            if numbers.is_skipped_in(*range.start(), *range.end()) {
                return Err(TransportError::protocol_violation(
                    "ACK of a skipped packet",
                ));
            }
        }
        Ok(())
    }

    /// `DetectAndRemoveAckedPackets`.
    fn take_acked(
        &mut self,
        now: Instant,
        space: Space,
        frame: &AckFrame<'_>,
        sink: Sink<'_>,
    ) -> Tally {
        let mut tally = Tally::default();
        let Self {
            spaces,
            run,
            rate,
            episode,
            congestion,
            in_flight,
            ..
        } = self;
        let sent = &mut spaces.get_mut(space).sent;
        let (path, limited_at) = (in_flight.path(), self.limited_at);
        for range in frame.ranges() {
            if *range.end() < sent.first_present() {
                break;
            }
            sent.drain(*range.start(), *range.end(), &mut |pn, packet, was_lost| {
                let is_active = packet.path == path;
                if is_active {
                    run.on_acked(space, packet.time);
                }
                if was_lost {
                    tally.undo |= episode.on_spurious(packet.episode);
                    tally.add_spurious(pn);
                    sink(Fate::Spurious, space, pn, &packet);
                    return;
                }
                in_flight.on_gone(&packet);
                if is_active && packet.in_flight {
                    let bytes = u64::from(packet.size);
                    rate.on_acked(now, packet.time, bytes, &packet.snapshot);
                    // RFC 9002 7.8 #1
                    let is_limited = limited_at.is_some_and(|at| packet.time <= at);
                    tally.add_bytes(bytes, is_limited, congestion.is_in_recovery(packet.time));
                }
                tally.add(pn, &packet, is_active);
                sink(Fate::Acked, space, pn, &packet);
            });
        }
        self.counters.acked = self.counters.acked.saturating_add(u64::from(tally.acked));
        tally
    }

    /// Packets thought lost have arrived: gives the path more room for reordering, and takes back
    /// a congestion event that was none (RFC 9438 4.9).
    fn on_spurious(&mut self, now: Instant, space: Space, largest: Option<u64>, tally: &Tally) {
        let spurious = u64::from(tally.spurious);
        self.counters.spurious = self.counters.spurious.saturating_add(spurious);
        if let (Some(pn), Some(largest)) = (tally.first_spurious, largest) {
            let skipped = self.spaces.get(space).numbers.count_skipped(pn, largest);
            let distance = largest.saturating_sub(pn).saturating_sub(skipped);
            self.reordering.on_spurious(now, distance, &self.rtt);
        }
        if tally.undo {
            self.congestion.on_spurious();
            self.update_pacer();
        }
    }

    /// Takes an RTT sample if the frame gives one: RFC 9002 5.1.
    fn sample_rtt(
        &mut self,
        now: Instant,
        received: Instant,
        space: Space,
        frame: &AckFrame<'_>,
        tally: &Tally,
    ) -> Option<Duration> {
        // RFC 9002 5.1 #1, RFC 9002 5.1 #2
        let newest = tally.newest.filter(|n| n.pn == frame.largest)?;
        // RFC 9000 9.4 #1
        if !tally.eliciting || !newest.is_active {
            return None;
        }
        // RFC 9002 5.3 #7
        let latest = received.since(newest.time);
        let delay = self.ack_delay(space, frame.delay);
        self.rtt.update(now, latest, delay);
        Some(latest)
    }

    /// The delay that the peer reports, decoded and limited: RFC 9002 5.3.
    fn ack_delay(&self, space: Space, raw: u64) -> Duration {
        // RFC 9002 5.3 #3
        if space == Space::Initial {
            return Duration::ZERO;
        }
        let exponent = u32::from(self.ack_delay_exponent.min(20));
        let delay = Duration::from_micros(raw.saturating_mul(1u64.wrapping_shl(exponent)));
        // RFC 9002 5.3 #1, RFC 9002 5.3 #4, RFC 9002 5.3 #5
        if self.is_confirmed {
            delay.min(self.max_ack_delay)
        } else {
            delay
        }
    }

    /// `ProcessECN` of RFC 9002 B.7, with the validation of RFC 9000 13.4.2.
    fn process_ecn(
        &mut self,
        now: Instant,
        space: Space,
        frame: &AckFrame<'_>,
        is_newest: bool,
        tally: &Tally,
        summary: &mut AckSummary,
    ) {
        let sample = EcnSample {
            counts: frame.ecn,
            newly_acked: tally.ect0,
            is_newest,
        };
        let ecn = &mut self.spaces.get_mut(space).ecn;
        match self.ecn.on_ack(ecn, &sample) {
            EcnVerdict::Quiet => {}
            EcnVerdict::Failed => summary.ecn_failed = true,
            EcnVerdict::Congestion => {
                // RFC 9002 7.3.1 #1
                let newest = tally.newest.filter(|n| n.is_active);
                let Some(newest) = newest else {
                    return;
                };
                if self
                    .congestion
                    .on_congestion_event(now, newest.time, Signal::Ecn)
                {
                    self.episode.begin();
                    self.has_allowance = true;
                    summary.is_congested = true;
                }
                self.episode.make_final();
            }
        }
    }

    /// `OnPacketsAcked` of RFC 9002 B.5 for all packets of a frame at once.
    fn grow_window(
        &mut self,
        now: Instant,
        tally: &Tally,
        rtt_sample: Option<Duration>,
        is_congested: bool,
    ) {
        let Some(newest) = tally.newest.filter(|_| tally.bytes > 0) else {
            return;
        };
        // Everything acknowledged was sent before a recovery period that has begun just now.
        let growth = if is_congested { 0 } else { tally.growth };
        let _ = self.rate.sample(self.rtt.min());
        self.congestion.on_ack(&AckEvent {
            now,
            growth,
            is_app_limited: !tally.is_limited,
            sent: newest.time,
            rtt_sample,
            smoothed_rtt: self.rtt.smoothed(),
        });
        self.update_pacer();
    }

    fn on_progress(&mut self, now: Instant, space: Space) {
        if space == Space::Handshake {
            self.is_peer_validated = true;
        }
        // A client whose address may not be validated yet keeps its backoff: RFC 9002 6.2.1.
        if self.is_peer_validated {
            self.pto_count = 0;
        }
        self.progress = Some(now);
    }
}
