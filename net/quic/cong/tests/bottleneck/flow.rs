// SPDX-License-Identifier: GPL-2.0

//! A flow across the bottleneck: a sender with something to send, and its receiver.

use crate::{
    common::{
        cursor::Writer,
        error::TransportError,
        id::{
            Side,
            Space, //
        },
        ranges::RangeSet,
        time::{
            Duration,
            Instant, //
        },
        token::Tokens,
    },
    cong::Algorithm,
    frame::encode_ack,
    recovery::{
        ack::AckTracker,
        tests::Lcg,
        Config,
        Ecn,
        Recovery,
        SentPacket,
        TimerContext, //
    },
};

/// Bytes of every packet.
pub(super) const MTU: u16 = 1_200;

/// A sender with its receiver.
pub(super) struct Flow {
    pub(super) recovery: Recovery,
    pub(super) tracker: AckTracker,
    pub(super) start: Instant,
    /// Bytes that arrived.
    pub(super) delivered: u64,
    /// Bytes per second that the application has to send; `None` for more than the path carries.
    pub(super) app_rate: Option<u64>,
    app_sent: u64,
    /// The receiver acknowledges packets that it has not received yet.
    pub(super) is_optimistic: bool,
    pub(super) violation: Option<TransportError>,
    pub(super) probes: u8,
    pub(super) wake: Option<Instant>,
    pub(super) ack_wake: Option<Instant>,
    rng: Lcg,
}

pub(super) const TIMER: TimerContext = TimerContext {
    has_handshake_keys: true,
    is_amplification_limited: false,
};

impl Flow {
    pub(super) fn new(algorithm: Algorithm, ecn: bool) -> Self {
        let mut recovery = Recovery::new(Config {
            side: Side::Server,
            initial_rtt: Duration::from_millis(333),
            mtu: MTU,
            algorithm,
            ecn,
        });
        recovery.on_handshake_confirmed();
        Self {
            recovery,
            tracker: AckTracker::new(Space::Data, Duration::from_millis(25)),
            start: Instant::ZERO,
            delivered: 0,
            app_rate: None,
            app_sent: 0,
            is_optimistic: false,
            violation: None,
            probes: 0,
            wake: None,
            ack_wake: None,
            rng: Lcg(5),
        }
    }

    /// Whether the application has another packet at `now`, and when it will.
    fn next_data(&self, now: Instant) -> Instant {
        match self.app_rate {
            None => now,
            Some(rate) => {
                let due = self.app_sent.saturating_mul(1_000_000_000) / rate;
                self.start
                    .saturating_add(Duration::from_nanos(due))
                    .max(now)
            }
        }
    }

    /// The packet to send now, or when to look again.
    pub(super) fn poll(&mut self, now: Instant) -> Result<(u64, Ecn), Option<Instant>> {
        if self.violation.is_some() {
            return Err(None);
        }
        let size = u64::from(MTU);
        if self.probes > 0 {
            self.probes -= 1;
        } else {
            let data = self.next_data(now);
            if !self.recovery.can_send(size) {
                return Err(None);
            }
            let paced = self.recovery.pacing_earliest(now, size);
            if paced > now {
                return Err(Some(paced));
            }
            if data > now {
                self.recovery.on_app_limited();
                return Err(Some(data));
            }
        }
        let ecn = self.recovery.ecn_mark();
        let pn = self
            .recovery
            .next_packet_number(Space::Data, &mut self.rng)
            .unwrap();
        self.recovery.on_sent(
            Space::Data,
            pn,
            SentPacket {
                time: now,
                size: MTU,
                ack_eliciting: true,
                in_flight: true,
                ecn: ecn == Ecn::Ect0,
                mtu_probe: false,
                path: 0,
                tokens: Tokens::new(),
                snapshot: Default::default(),
                episode: 0,
            },
        );
        self.app_sent += size;
        Ok((pn, ecn))
    }

    pub(super) fn write_ack(&mut self, now: Instant) -> Option<Vec<u8>> {
        if !self.tracker.is_due(now) {
            return None;
        }
        let mut buf = vec![0; 1_100];
        let mut writer = Writer::new(&mut buf);
        let delay = self.tracker.ack_delay(now).as_micros() / 8;
        let counts = self.tracker.ecn_counts();
        if self.is_optimistic {
            // Everything up to a little beyond the newest packet that arrived.
            let mut all = RangeSet::new();
            all.insert_range(0..self.tracker.largest()? + 4).unwrap();
            encode_ack(all.as_slice(), delay, counts, &mut writer).unwrap();
        } else {
            encode_ack(self.tracker.unknown(), delay, counts, &mut writer).unwrap();
        }
        self.tracker.on_ack_sent();
        let written = writer.position();
        buf.truncate(written);
        Some(buf)
    }
}
