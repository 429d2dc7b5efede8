// SPDX-License-Identifier: GPL-2.0

//! Tests of recovery: a bed that sends packets and feeds ACK frames, and the scenarios on it.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests are free to panic"
)]

mod ack;
mod congestion;
mod ecn;
mod freq;
mod in_flight;
mod loss;
mod model;
mod numbers;
mod pacing;
mod path;
mod persistent;
mod pto;
mod rtt;
mod store;

use super::*;
use crate::{
    common::{
        cursor::{
            Reader,
            Writer, //
        },
        error::TransportError,
        ranges::RangeSet,
        rng::Rng,
        token::{
            Token,
            Tokens, //
        },
    },
    frame::{
        encode_ack,
        Frame, //
    },
};
use core::ops::RangeInclusive;

/// Bytes of every packet that the bed sends.
pub(super) const SIZE: u16 = 1200;

/// A generator with a fixed seed (the numbers of Knuth's MMIX).
pub(crate) struct Lcg(pub(crate) u64);

impl Rng for Lcg {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(6364136223846793005);
            self.0 = self.0.wrapping_add(1442695040888963407);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

/// Recovery under test with its clock and a record of fates.
pub(super) struct Bed {
    pub(super) recovery: Recovery,
    pub(super) now: Instant,
    pub(super) fates: std::vec::Vec<(Fate, Space, u64)>,
    pub(super) cx: TimerContext,
    pub(super) delay: u64,
    /// How long ACK frames have waited for keys.
    pub(super) held: Duration,
    pub(super) counts: Option<EcnCounts>,
    rng: Lcg,
}

pub(super) fn config(side: Side) -> Config {
    Config {
        side,
        initial_rtt: crate::recovery::rtt::INITIAL_RTT,
        mtu: SIZE,
        algorithm: Algorithm::NewReno,
        ecn: false,
    }
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Bed {
    pub(super) fn new(config: Config) -> Self {
        Self {
            recovery: Recovery::new(config),
            now: Instant::from_nanos(1_000_000_000),
            fates: std::vec::Vec::new(),
            cx: TimerContext {
                has_handshake_keys: false,
                is_amplification_limited: false,
            },
            delay: 0,
            held: Duration::ZERO,
            counts: None,
            rng: Lcg(7),
        }
    }

    /// A server with a confirmed handshake.
    pub(super) fn confirmed() -> Self {
        let mut bed = Self::new(config(Side::Server));
        bed.recovery.on_handshake_confirmed();
        bed
    }

    pub(super) fn advance(&mut self, span: Duration) {
        self.now = self.now.saturating_add(span);
    }

    pub(super) fn packet(&self) -> SentPacket {
        SentPacket {
            time: self.now,
            size: SIZE,
            ack_eliciting: true,
            in_flight: true,
            ecn: false,
            mtu_probe: false,
            path: 0,
            tokens: Tokens::new(),
            snapshot: Default::default(),
            episode: 0,
        }
    }

    pub(super) fn send_packet(&mut self, space: Space, mut packet: SentPacket) -> u64 {
        let pn = self
            .recovery
            .next_packet_number(space, &mut self.rng)
            .unwrap();
        packet.tokens.try_push(Token::Ping).unwrap();
        self.recovery.on_sent(space, pn, packet);
        pn
    }

    pub(super) fn send(&mut self, space: Space) -> u64 {
        self.send_packet(space, self.packet())
    }

    /// Sends `count` packets and returns their numbers.
    pub(super) fn send_many(&mut self, count: usize) -> std::vec::Vec<u64> {
        (0..count).map(|_| self.send(Space::Data)).collect()
    }

    /// Feeds an ACK frame of these ranges.
    pub(super) fn ack(
        &mut self,
        space: Space,
        ranges: &[RangeInclusive<u64>],
    ) -> Result<AckSummary, TransportError> {
        let mut set = RangeSet::new();
        for range in ranges {
            set.insert_range(*range.start()..*range.end() + 1).unwrap();
        }
        let mut buf = std::vec![0; 32 + 16 * set.len()];
        let mut writer = Writer::new(&mut buf);
        encode_ack(set.as_slice(), self.delay, self.counts, &mut writer).unwrap();
        let Frame::Ack(frame) = Frame::parse(&mut Reader::new(writer.written())).unwrap() else {
            panic!("not an ACK frame");
        };
        assert_eq!(frame.range_count(), set.len() as u64);
        let fates = &mut self.fates;
        let at = (self.now, self.now.saturating_sub(self.held));
        self.recovery
            .on_ack(at, space, &frame, &mut |fate, space, pn, packet| {
                assert!(packet.tokens.iter().eq([&Token::Ping]));
                fates.push((fate, space, pn));
            })
    }

    /// Acknowledges single packets of the application data space.
    pub(super) fn ack_each(&mut self, pns: &[u64]) -> AckSummary {
        let ranges: std::vec::Vec<_> = pns.iter().map(|pn| *pn..=*pn).collect();
        self.ack(Space::Data, &ranges).unwrap()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.recovery.deadline(&self.cx)
    }

    /// Lets the timer fire now.
    pub(super) fn timeout(&mut self) -> Timeout {
        let fates = &mut self.fates;
        let sink: Sink<'_> = &mut |fate, space, pn, _| fates.push((fate, space, pn));
        self.recovery.on_timeout(self.now, &self.cx, sink)
    }

    /// Waits until the deadline and lets the timer fire.
    pub(super) fn wait_timeout(&mut self) -> Timeout {
        self.now = self.deadline().expect("no deadline").max(self.now);
        self.timeout()
    }

    /// The packet numbers that met `fate`, in the order in which they did; forgets the record.
    pub(super) fn take(&mut self, fate: Fate) -> std::vec::Vec<u64> {
        let fates = core::mem::take(&mut self.fates).into_iter();
        fates.filter(|f| f.0 == fate).map(|f| f.2).collect()
    }

    /// One packet sent and acknowledged after `rtt`.
    pub(super) fn sample(&mut self, rtt: Duration) {
        let pn = self.send(Space::Data);
        self.advance(rtt);
        self.ack_each(&[pn]);
        self.fates.clear();
    }
}
