// SPDX-License-Identifier: GPL-2.0

//! Packets in the name of a peer, by somebody who has its keys.

use quic_core::common::id::{
    ConnectionId,
    Level,
    Side,
    Version, //
};
use quic_core::crypto::initial_keys;
use quic_core::mem::fail;
use quic_core::packet::{
    protect,
    stateless,
    Packet as Parsed, //
};

use super::Chaos;
use crate::forge::Forger;
use crate::net::Packet;
use crate::pair::{
    client_addr,
    server_addr, //
};

/// Length of the connection ids of the core.
const CID: usize = 8;

/// What an observer has learnt of the handshake.
#[derive(Debug, Default)]
pub(super) struct Forgery {
    /// Destination and source of the client's first packet.
    first: Option<(ConnectionId, ConnectionId)>,
    forged: u64,
}

impl Forgery {
    /// Sees a datagram under way.
    pub fn learn(&mut self, datagram: &[u8]) {
        if self.first.is_some() {
            return;
        }
        if let Ok(Parsed::Protected(header)) = Parsed::parse_first(datagram, CID) {
            self.first = Some((header.dcid, header.scid));
        }
    }

    /// An Initial packet with the keys that everybody can derive, padded to a full datagram.
    fn initial(&mut self, sender: Side, dcid: ConnectionId, pn: u32, frames: &[u8]) -> Vec<u8> {
        let Some((original, client)) = self.first else {
            return vec![];
        };
        let scid = match sender {
            Side::Client => client,
            Side::Server => ConnectionId::new(&[0x66; CID]).expect("a length"),
        };
        let Ok(keys) = initial_keys(Version::V1, &original, sender.peer()) else {
            return vec![];
        };
        let rx = keys.rx.expect("both directions");
        let mut packet = vec![0xc3, 0, 0, 0, 1];
        for id in [dcid, scid] {
            packet.push(id.len() as u8);
            packet.extend(id.as_slice());
        }
        packet.push(0);
        let padding = 1_160usize.saturating_sub(frames.len());
        let len = (4 + frames.len() + padding + 16) as u16;
        packet.extend((len | 0x4000).to_be_bytes());
        let pn_offset = packet.len();
        packet.extend(pn.to_be_bytes());
        let header_len = packet.len();
        packet.extend(frames);
        let end = packet.len() + padding;
        packet.resize(end + 16, 0);
        // What the receiver opens with seals as well.
        let mut key = rx.packet;
        let sealed = key.seal(u64::from(pn), &mut packet, header_len, end, &[]);
        sealed.expect("room for the tag");
        protect::mask(&mut packet, pn_offset, &rx.header).expect("a sample");
        packet
    }
}

impl Chaos<'_> {
    /// Sends a forged datagram; it arrives at once.
    pub(super) fn forge(&mut self) {
        let victim = self.script.side();
        let how = self.script.below(8);
        let bytes = match how {
            0 => self.script.bytes(1_500),
            1 => fail::spared(|| self.forge_unprotected(victim)),
            _ => fail::spared(|| self.forge_packet(victim)),
        };
        let (src, dst) = match victim {
            Side::Client => (server_addr(), client_addr()),
            Side::Server => (client_addr(), server_addr()),
        };
        let packet = Packet {
            src,
            dst,
            ecn: 0,
            bytes,
        };
        self.arrive(usize::from(victim.is_server()), packet);
        self.drive();
    }

    /// Version Negotiation, Retry, or a stateless reset with or without the right token.
    fn forge_unprotected(&mut self, victim: Side) -> Vec<u8> {
        self.excuse_forgery();
        let Some((original, client)) = self.forgery.first else {
            return vec![];
        };
        let kind = self.script.byte();
        let garbage = self.script.bytes(64);
        match kind % 3 {
            0 => {
                let mut packet = vec![0x80 | kind, 0, 0, 0, 0];
                for id in [client, original] {
                    packet.push(id.len() as u8);
                    packet.extend(id.as_slice());
                }
                packet.extend(garbage);
                packet
            }
            1 => {
                let mut packet = vec![0xf0 | (kind >> 4), 0, 0, 0, 1];
                for id in [client, ConnectionId::new(&[kind; CID]).expect("a length")] {
                    packet.push(id.len() as u8);
                    packet.extend(id.as_slice());
                }
                packet.extend(garbage);
                let tag = quic_core::crypto::retry_tag(Version::V1, &original, &packet);
                packet.extend(tag.unwrap_or_default());
                packet
            }
            _ => {
                let ids = self.peer(victim.peer()).map(|peer| peer.ids.clone());
                let ids = ids.unwrap_or_default();
                let Some((_, id)) = ids.get(usize::from(kind) % ids.len().max(1)) else {
                    return vec![];
                };
                let mut packet = vec![0x40; 24 + garbage.len()];
                packet.extend(stateless::reset_token(&[1; 32], id));
                packet
            }
        }
    }

    /// A protected packet of any level with frames of the script.
    fn forge_packet(&mut self, victim: Side) -> Vec<u8> {
        self.excuse_forgery();
        let level = self.script.level();
        let count = self.script.below(4);
        let frames: Vec<u8> = (0..count).flat_map(|_| self.script.frame()).collect();
        let choice = self.script.byte();
        let ids = |peer: Option<&mut crate::peer::Peer>| {
            peer.map_or_else(Vec::new, |peer| peer.ids.clone())
        };
        let (own, theirs) = (ids(self.peer(victim)), ids(self.peer(victim.peer())));
        let id = |ids: &[(u64, ConnectionId)]| {
            let index = usize::from(choice) % ids.len().max(1);
            ids.get(index).map_or(ConnectionId::EMPTY, |(_, id)| *id)
        };
        let dcid = match (victim, self.forgery.first) {
            (Side::Server, Some((original, _))) if own.is_empty() => original,
            _ => id(&own),
        };
        self.forgery.forged += 1 + u64::from(choice >> 4);
        if level == Level::Initial {
            let pn = self.forgery.forged as u32;
            return self.forgery.initial(victim.peer(), dcid, pn, &frames);
        }
        let mut forger = Forger::new(victim.peer(), dcid, id(&theirs));
        forger.next = 1_000 * self.forgery.forged;
        forger.flip = match choice {
            0x30..=0x37 => choice & 0x1c,
            _ => 0,
        };
        forger.packet(level, &frames)
    }

    fn excuse_forgery(&mut self) {
        self.excuses.is_forged = true;
        self.client.peer.app.plan.unchecked = true;
        self.server.trust_nothing();
    }
}
