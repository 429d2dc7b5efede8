// SPDX-License-Identifier: GPL-2.0

//! ACK frames in, and what follows from the fate of packets.

#![forbid(unsafe_code)]

use super::{
    fates::Outcome,
    handshake::Early,
    spaces::Arrived,
    Connection, //
};
use crate::{
    common::{
        cx::Cx,
        error::TransportError,
        id::Level, //
    },
    frame::AckFrame,
};

impl Connection {
    /// An ACK frame arrived in `packet`.
    pub(super) fn handle_ack(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Arrived,
        ack: &AckFrame<'_>,
    ) -> Result<(), TransportError> {
        let space = packet.level.space();
        let at = (cx.now, packet.received);
        let (recovery, mut owners) = self.split();
        let summary = recovery.on_ack(at, space, ack, &mut |fate, space, pn, packet| {
            owners.on_fate(fate, space, pn, packet);
        })?;
        let outcome = owners.outcome;
        self.apply(cx, &outcome);
        if packet.level == Level::App {
            self.on_one_rtt_ack(cx, packet, ack, &outcome)?;
        }
        if let Some(frequency) = &self.spaces.frequency {
            let delay = frequency.max_ack_delay();
            self.recovery.set_max_ack_delay(delay);
        }
        if summary.acked > 0 {
            let rtt = self.recovery.rtt().smoothed();
            self.streams.set_rtt(rtt);
        }
        Ok(())
    }

    fn on_one_rtt_ack(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Arrived,
        ack: &AckFrame<'_>,
        outcome: &Outcome,
    ) -> Result<(), TransportError> {
        let one_rtt = &mut self.spaces.one_rtt;
        one_rtt.on_acked(ack.largest, packet.generation, cx.now)?;
        let early_end = self.handshake.early_end;
        let is_early = |pn: u64| pn < early_end;
        match self.handshake.early {
            // RFC 9001 4.6.2 #2
            Early::Rejected if ack.ranges().any(|range| *range.start() < early_end) => Err(
                TransportError::protocol_violation("acknowledgement of rejected 0-RTT"),
            ),
            early if early.is_in_play() && outcome.smallest_acked.is_some_and(is_early) => {
                self.handshake.early = Early::Accepted;
                self.early_until = None;
                match early {
                    Early::Offered => self.streams.on_0rtt_accepted(),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// What the fates of packets mean for the whole connection.
    pub(super) fn apply(&mut self, cx: &mut Cx<'_>, outcome: &Outcome) {
        let stats = &mut *cx.stats;
        stats.pkt_lost = stats.pkt_lost.wrapping_add(outcome.lost);
        stats.bytes_lost = stats.bytes_lost.wrapping_add(outcome.lost_bytes);
        stats.pkt_spurious_lost = stats.pkt_spurious_lost.wrapping_add(outcome.spurious);
        stats.frm_retrans = stats.frm_retrans.wrapping_add(outcome.repeated);
        let mtu = &mut self.paths.active_mut().mtu;
        if outcome.largest_acked > 0 {
            mtu.on_packet_acked(outcome.largest_acked);
        }
        let is_hole = outcome.largest_lost > 0
            && outcome.largest_acked < outcome.largest_lost
            && mtu.on_packets_lost(outcome.largest_lost);
        if is_hole || outcome.mtu_changed {
            let size = mtu.current();
            self.recovery.on_mtu_changed(size);
        }
    }

    /// Begins to look for a larger datagram size on the active path.
    pub(super) fn start_mtu_search(&mut self) {
        if !self.handshake.is_confirmed {
            return;
        }
        let limit = u16::try_from(self.peer.max_udp_payload_size).unwrap_or(u16::MAX);
        let mtu = &mut self.paths.active_mut().mtu;
        mtu.limit(limit);
        if let Some(raise) = self.config.pmtud {
            mtu.enable(raise);
        }
    }

    /// The peer's key update, or its answer to ours, which was counted when it began.
    pub(super) fn on_key_updated(&mut self, cx: &mut Cx<'_>, is_peers: bool) {
        let new = u64::from(is_peers);
        cx.stats.key_update = cx.stats.key_update.wrapping_add(new);
        let phase = u8::from(self.spaces.key_phase());
        self.events.push(super::event::Event::KeyUpdated { phase });
    }

    /// Largest DATAGRAM frame that fits a packet of this level on the active path now, in bytes;
    /// a level of application data.
    pub(super) fn largest_datagram_frame(&self, level: Level) -> usize {
        let path = self.paths.active();
        let dcid = self.remote_ids.get(path.dcid).map_or(0, |cid| cid.len());
        let long = match level {
            Level::App => 0,
            // Version, the length of both ids, the other id, a length of two bytes.
            _ => 4usize
                .saturating_add(1 + 1 + 2)
                .saturating_add(self.local_ids.first().len()),
        };
        // First byte, id, a packet number of four bytes, tag.
        usize::from(path.mtu.current())
            .saturating_sub(1 + 4 + 16)
            .saturating_sub(dcid)
            .saturating_sub(long)
    }
}
