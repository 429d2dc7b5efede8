// SPDX-License-Identifier: GPL-2.0

//! From a protected packet to an opened one, or to one that is kept until its keys are there.

#![forbid(unsafe_code)]

use super::{
    handshake::Early,
    recv::{
        Arrival,
        Outcome, //
    },
    spaces::Arrived,
    Connection,
    State, //
};
use crate::{
    common::{
        cx::Cx,
        id::{
            Level,
            Side,
            Space, //
        },
    },
    packet::{
        self,
        OpenError,
        Protected, //
    },
    path::{
        Ecn,
        MIN_DATAGRAM, //
    },
};

impl Connection {
    /// Checks of the header that need no key.
    pub(super) fn is_acceptable(&self, arrival: &Arrival, header: &Protected) -> bool {
        // RFC 9000 17.2 #1, RFC 9287 3
        if !header.fixed_bit && !self.local.grease_quic_bit {
            return false;
        }
        if header.level == Level::App {
            return true;
        }
        // RFC 9000 5.2.1 #3
        if !header
            .version
            .is_some_and(|v| self.takes_version(v, header.level))
        {
            return false;
        }
        // RFC 9000 7.2 #3
        // RFC 9000 7.2 #6
        let is_known = self.handshake.peer_scid;
        if is_known.is_some_and(|scid| scid != header.scid) {
            return false;
        }
        match (header.level, self.side) {
            // RFC 9000 14.1 #4
            (Level::Initial, Side::Server) => arrival.bytes >= MIN_DATAGRAM || arrival.is_replayed,
            // RFC 9000 17.2.2 #1
            (Level::Initial, Side::Client) => header.token.is_empty(),
            // RFC 9001 5.6 #6
            (Level::Early, Side::Client) => false,
            _ => true,
        }
    }

    /// Whether packets of the level may be opened now.
    pub(super) fn can_open(&self, level: Level) -> bool {
        match level {
            // RFC 9001 5.7 #1
            // RFC 9001 5.7 #2
            Level::App => self.state == State::Established && self.spaces.has_recv_keys(level),
            level => self.spaces.has_recv_keys(level),
        }
    }

    /// Keeps a packet whose keys may still come.
    pub(super) fn keep_early(
        &mut self,
        cx: &mut Cx<'_>,
        arrival: &Arrival,
        level: Level,
        packet: &[u8],
    ) -> Outcome {
        let may_come = match level {
            Level::Initial => false,
            // RFC 9001 4.6.2 #1
            Level::Early => {
                self.side == Side::Server
                    && self.state == State::Establishing
                    && self.handshake.early != Early::Rejected
            }
            Level::Handshake => !self.spaces.handshake.is_discarded,
            Level::App => self.state == State::Establishing,
        };
        if may_come && !arrival.is_replayed && !self.streams.is_exhausted() {
            let (path, ecn, at) = (arrival.path, arrival.ecn, arrival.received);
            if self.early.push(level, path, ecn, at, packet) {
                return Outcome::Kept;
            }
        }
        cx.stats.pkt_rcv_drop = cx.stats.pkt_rcv_drop.wrapping_add(1);
        Outcome::Dropped
    }

    pub(super) fn open(
        &mut self,
        cx: &mut Cx<'_>,
        header: &Protected,
        packet: &mut [u8],
    ) -> Result<Arrived, OpenError> {
        let space = header.level.space();
        let largest = self.spaces.acks(space).largest();
        let expected = largest.map_or(0, |pn| pn.saturating_add(1));
        let mut generation = 0;
        let opened = if header.level == Level::App {
            let pto = self.recovery.pto_base(Space::Data);
            let one_rtt = &mut self.spaces.one_rtt;
            let opened = one_rtt.open(packet, header, expected, cx.now, pto)?;
            generation = opened.generation;
            if opened.updated {
                self.on_key_updated(cx, opened.followed);
            }
            opened.opened
        } else {
            let keys = self.keys_for(header).ok_or(OpenError::Authentication)?;
            let suite = keys.suite;
            let opened = packet::open(packet, header, keys, expected);
            if opened == Err(OpenError::Authentication) {
                self.spaces.one_rtt.on_open_failed(suite)?;
            }
            opened?
        };
        Ok(Arrived {
            level: header.level,
            pn: opened.pn,
            slot: None,
            path: None,
            carrier: None,
            payload: opened.payload,
            generation,
            ecn: Ecn::NotEct,
            received: cx.now,
        })
    }

    pub(super) fn on_open_error(&mut self, cx: &mut Cx<'_>, error: OpenError) -> Outcome {
        match error {
            OpenError::TooShort => {
                cx.stats.pkt_inv_hdr_drop = cx.stats.pkt_inv_hdr_drop.wrapping_add(1);
                Outcome::Dropped
            }
            OpenError::Authentication => {
                cx.stats.pkt_dec_drop = cx.stats.pkt_dec_drop.wrapping_add(1);
                Outcome::Dropped
            }
            OpenError::Close(error) => {
                self.fail(cx, error);
                Outcome::Opened
            }
        }
    }

    /// Tries packets again that arrived before their keys.
    pub(super) fn replay_early(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..self.early.len() {
            let Some(mut early) = self.early.pop() else {
                return;
            };
            if !self.state.is_open() {
                continue;
            }
            if !self.can_open(early.level) {
                if self.state == State::Establishing {
                    self.early.put_back(early);
                }
                continue;
            }
            let arrival = Arrival {
                path: early.path,
                slot: self.slot_of(early.path),
                ecn: early.ecn,
                received: early.received,
                bytes: early.packet.len(),
                is_replayed: true,
            };
            self.handle_packets(cx, &arrival, &mut early.packet);
        }
    }
}
