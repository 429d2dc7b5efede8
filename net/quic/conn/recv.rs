// SPDX-License-Identifier: GPL-2.0

//! Input: from a datagram to opened packets.
//!
//! ```text
//!  handle_datagram -> packet -> keys -> frames (frames.rs) -> acknowledgement, path
//! ```
//!
//! What does not open changes nothing but counters. A packet whose keys are not there yet is kept
//! (undecrypted.rs) and comes back through [`Connection::replay_early`].

#![forbid(unsafe_code)]

use super::{
    spaces::Arrived,
    Connection,
    State, //
};
use crate::{
    buf::Datagram,
    common::{
        cx::Cx,
        error::TransportError,
        id::{
            Level,
            Side,
            Space, //
        },
        time::Instant, //
    },
    connid::LOCAL_LEN,
    packet::{
        Packet,
        Protected, //
    },
    path::{
        widen,
        Ecn,
        PathAddr,
        Slot, //
    },
};

/// Shortest datagram that may be a stateless reset (RFC 9000 10.3).
const MIN_RESET: usize = 21;

/// How a packet reached us.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub path: PathAddr,
    pub slot: Option<Slot>,
    pub ecn: Ecn,
    pub received: Instant,
    /// Bytes of the whole datagram.
    pub bytes: usize,
    /// It comes out of the buffer of early packets.
    pub is_replayed: bool,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Opened, whatever its frames did.
    Opened,
    /// Kept for later.
    Kept,
    /// Not ours, not authentic, or of no use.
    Dropped,
}

impl Connection {
    /// Processes a UDP datagram that arrived on `path` with the mark `ecn`. The datagram is
    /// unprotected in place; parts of it may be kept beyond the call.
    pub fn handle_datagram(
        &mut self,
        cx: &mut Cx<'_>,
        path: PathAddr,
        ecn: Ecn,
        datagram: &mut Datagram,
    ) {
        cx.stats.dgram_in = cx.stats.dgram_in.wrapping_add(1);
        let bytes = datagram.len();
        let slot = self.slot_of(path);
        if let Some(known) = slot.and_then(|slot| self.paths.get_mut(slot)) {
            known.on_received(bytes);
        }
        match self.state {
            State::Closed | State::Draining => return,
            State::Closing => {
                self.closing.on_packet();
                return;
            }
            State::Establishing | State::Established => {}
        }
        if slot.is_none() && !self.may_come_from_anywhere() {
            cx.stats.pkt_rcv_drop = cx.stats.pkt_rcv_drop.wrapping_add(1);
            return;
        }
        let arrival = Arrival {
            path,
            slot,
            ecn,
            received: cx.now,
            bytes,
            is_replayed: false,
        };
        // Opening overwrites what may be a stateless reset token.
        let tail = datagram.bytes().last_chunk::<16>().copied();
        let is_opened = self.handle_packets(cx, &arrival, datagram);
        if is_opened {
            self.bytes.0 = self.bytes.0.saturating_add(widen(bytes));
        }
        // RFC 9000 10.3.1 #2
        // RFC 9000 10.3 #9
        if let (false, true, Some(tail)) = (is_opened, bytes >= MIN_RESET, tail) {
            self.check_reset(cx, &tail);
        }
        self.check_sealing(cx);
    }

    /// All packets of a datagram; returns whether the first one was opened or kept.
    // RFC 9000 12.2 #1
    // RFC 9000 12.2 #6
    pub(super) fn handle_packets(
        &mut self,
        cx: &mut Cx<'_>,
        arrival: &Arrival,
        datagram: &mut Datagram,
    ) -> bool {
        let mut at: usize = 0;
        let mut is_first_good = false;
        let mut dcid = None;
        while self.state.is_open() {
            let rest = datagram.bytes().get(at..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let header = match Packet::parse_first(rest, LOCAL_LEN) {
                Ok(Packet::Protected(header)) => header,
                Ok(other) if at == 0 => return self.handle_special(cx, arrival, &other),
                _ => {
                    cx.stats.pkt_inv_hdr_drop = cx.stats.pkt_inv_hdr_drop.wrapping_add(1);
                    break;
                }
            };
            // RFC 9000 12.2 #5
            if *dcid.get_or_insert(header.dcid) != header.dcid {
                break;
            }
            let outcome = self.handle_packet(cx, arrival, datagram, at, &header);
            if at == 0 {
                is_first_good = outcome != Outcome::Dropped;
            }
            at = at.saturating_add(header.len);
        }
        self.streams.on_datagram_end();
        is_first_good
    }

    /// Packets that are not protected. Returns whether it was one that is meant for us.
    fn handle_special(&mut self, cx: &mut Cx<'_>, arrival: &Arrival, packet: &Packet<'_>) -> bool {
        // RFC 9000 6.2 #2
        let is_fresh = self.side == Side::Client && !self.handshake.has_heard;
        match packet {
            Packet::VersionNegotiation(vn) if is_fresh => self.handle_version_negotiation(cx, vn),
            Packet::Retry(retry) if is_fresh => self.handle_retry(cx, retry),
            _ => {
                let _ = arrival;
                cx.stats.pkt_inv_hdr_drop = cx.stats.pkt_inv_hdr_drop.wrapping_add(1);
                false
            }
        }
    }

    /// One protected packet at offset `at` of the datagram.
    fn handle_packet(
        &mut self,
        cx: &mut Cx<'_>,
        arrival: &Arrival,
        datagram: &mut Datagram,
        at: usize,
        header: &Protected,
    ) -> Outcome {
        let Some(carrier) = self.local_ids.seq_of(header.dcid.as_slice()) else {
            cx.stats.pkt_inv_hdr_drop = cx.stats.pkt_inv_hdr_drop.wrapping_add(1);
            return Outcome::Dropped;
        };
        if !self.is_acceptable(arrival, header) {
            cx.stats.pkt_inv_hdr_drop = cx.stats.pkt_inv_hdr_drop.wrapping_add(1);
            return Outcome::Dropped;
        }
        let end = at.saturating_add(header.len);
        if !self.can_open(header.level) {
            let packet = datagram.bytes().get(at..end).unwrap_or_default();
            return self.keep_early(cx, arrival, header.level, packet);
        }
        let packet = datagram.bytes_mut().get_mut(at..end).unwrap_or_default();
        let mut arrived = match self.open(cx, header, packet) {
            Ok(arrived) => arrived,
            Err(error) => return self.on_open_error(cx, error),
        };
        arrived.payload =
            arrived.payload.start.saturating_add(at)..arrived.payload.end.saturating_add(at);
        arrived.carrier = carrier;
        arrived.ecn = arrival.ecn;
        arrived.received = arrival.received;
        cx.stats.pkt_in = cx.stats.pkt_in.wrapping_add(1);
        let bytes = crate::path::widen(end.saturating_sub(at));
        cx.stats.bytes_in = cx.stats.bytes_in.wrapping_add(bytes);
        if let Err(error) = self.process(cx, arrival, header, &mut arrived, datagram) {
            cx.stats.pkt_inv_frm_drop = cx.stats.pkt_inv_frm_drop.wrapping_add(1);
            self.fail(cx, error);
        }
        Outcome::Opened
    }

    /// The path of an authentic packet: one there is, or that is made of it.
    fn locate(&mut self, arrival: &Arrival, arrived: &mut Arrived) -> Result<(), TransportError> {
        arrived.slot = arrival.slot;
        if arrived.slot.is_none() && arrived.level == Level::App {
            arrived.slot = match self.paths.find(arrival.path) {
                None => self.adopt_path(arrival.path, arrived.carrier, arrival.bytes)?,
                known => known,
            };
        }
        let path = arrived.slot.and_then(|slot| self.paths.get(slot));
        arrived.path = path.map(|path| path.addr);
        Ok(())
    }

    /// An authentic packet: its frames, then what its arrival means.
    fn process(
        &mut self,
        cx: &mut Cx<'_>,
        arrival: &Arrival,
        header: &Protected,
        arrived: &mut Arrived,
        datagram: &Datagram,
    ) -> Result<(), TransportError> {
        let space = arrived.level.space();
        // RFC 9000 12.3 #4
        // RFC 9000 12.3 #5
        if self.spaces.acks(space).is_duplicate(arrived.pn) {
            cx.stats.pkt_inv_num_drop = cx.stats.pkt_inv_num_drop.wrapping_add(1);
            return Ok(());
        }
        let is_newest = self
            .spaces
            .acks(space)
            .largest()
            .is_none_or(|largest| arrived.pn > largest);
        if self.is_left_behind(arrival.path, is_newest) {
            cx.stats.pkt_rcv_drop = cx.stats.pkt_rcv_drop.wrapping_add(1);
            return Ok(());
        }
        self.on_authentic(cx, header)?;
        self.locate(arrival, arrived)?;
        if let (Level::App, Some(slot)) = (arrived.level, arrived.slot) {
            if let Some(path) = self.paths.get_mut(slot) {
                path.spin.on_received(self.side, arrived.pn, header.spin);
            }
        }
        let digest = self.handle_frames(cx, arrived, datagram)?;
        if !self.state.is_open() {
            return Ok(());
        }
        self.idle.on_received(cx.now);
        // A packet with a frame that found no memory is as good as lost, but for its peer knowing
        // that somebody is there.
        let is_refused = core::mem::take(&mut self.refused) | self.streams.take_refused();
        if is_refused {
            self.spaces.acks_mut(space).on_refused();
            return Ok(());
        }
        // RFC 9000 13.1 #1
        self.spaces.acks_mut(space).on_received(
            arrived.pn,
            arrived.ecn,
            digest.ack_eliciting,
            arrived.received,
        );
        // RFC 9000 9.3: only the newest packet moves the peer.
        if arrived.level == Level::App && is_newest && digest.is_non_probing {
            self.follow_peer(cx, arrived)?;
        }
        Ok(())
    }

    /// The first authentic packets settle ids, addresses and keys.
    fn on_authentic(&mut self, cx: &mut Cx<'_>, header: &Protected) -> Result<(), TransportError> {
        self.handshake.has_heard = true;
        if header.level == Level::App {
            return Ok(());
        }
        if let (Level::Initial, Some(version)) = (header.level, header.version) {
            self.follow_version(version);
        }
        // RFC 9000 7.2 #4
        // RFC 9000 7.2 #5
        if self.handshake.peer_scid.is_none() {
            self.handshake.peer_scid = Some(header.scid);
            self.remote_ids.replace_first(header.scid);
            let remote = self.paths.active().addr.remote;
            self.remote_ids.on_used(0, remote)?;
        }
        if header.level == Level::Handshake && self.side == Side::Server {
            // RFC 9000 8.1: the client has received what only its address receives.
            self.paths.active_mut().set_validated();
            // RFC 9001 4.9.1 #2
            self.discard_space(cx, Space::Initial);
        }
        Ok(())
    }

    // RFC 9000 10.3.1 #5
    fn check_reset(&mut self, cx: &mut Cx<'_>, tail: &[u8; 16]) {
        if self.state.is_open() && self.remote_ids.is_reset(tail) {
            cx.stats.stateless_reset_in = cx.stats.stateless_reset_in.wrapping_add(1);
            self.on_stateless_reset(cx);
        }
    }
}
