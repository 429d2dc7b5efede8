// SPDX-License-Identifier: GPL-2.0

//! Packets of a peer that has the keys and breaks the rules.
//!
//! The secrets of the scripted handshake are known, so a packet with any payload can be made in
//! the name of either side.

use quic_core::aead::Suite;
use quic_core::common::id::{
    ConnectionId,
    Level,
    Side,
    Version, //
};
use quic_core::crypto::keys::Secret;
use quic_core::packet::protect::mask;

/// Makes packets in the name of one side.
#[derive(Debug)]
pub struct Forger {
    sender: Side,
    dcid: ConnectionId,
    scid: ConnectionId,
    /// Number of the next packet.
    pub next: u64,
    /// Bits to flip in the first byte before protection.
    pub flip: u8,
}

impl Forger {
    /// A forger who sends as `sender`, to the victim's id `dcid`. Its packet numbers are far above
    /// those of the honest peer.
    pub fn new(sender: Side, dcid: ConnectionId, scid: ConnectionId) -> Self {
        Self {
            sender,
            dcid,
            scid,
            next: 100_000,
            flip: 0,
        }
    }

    /// A packet of version 1 with this payload.
    pub fn packet(&mut self, level: Level, payload: &[u8]) -> Vec<u8> {
        let pn = self.next;
        self.next += 1;
        let mut packet = self.header(level, payload.len());
        packet[0] ^= self.flip;
        let pn_offset = packet.len();
        packet.extend((pn as u32).to_be_bytes());
        let header_len = packet.len();
        packet.extend_from_slice(payload);
        let end = packet.len();
        packet.extend([0; 16]);
        let byte = 0x10 * (level.index() as u8 + 1) + u8::from(self.sender.is_client());
        let secret = Secret::new(Suite::Aes128Gcm, &[byte; 32]).expect("a secret");
        let mut key = secret.packet_key(Version::V1).expect("a key");
        key.seal(pn, &mut packet, header_len, end, &[])
            .expect("room for the tag");
        let key = secret.header_key(Version::V1).expect("a key");
        mask(&mut packet, pn_offset, &key).expect("a sample");
        packet
    }

    /// Everything before a packet number of four bytes.
    fn header(&self, level: Level, payload: usize) -> Vec<u8> {
        let mut header = Vec::new();
        let kind = match level {
            Level::App => {
                header.push(0x43);
                header.extend_from_slice(self.dcid.as_slice());
                return header;
            }
            Level::Initial => 0xc3,
            Level::Early => 0xd3,
            Level::Handshake => 0xe3,
        };
        header.push(kind);
        header.extend(Version::V1.0.to_be_bytes());
        for id in [self.dcid, self.scid] {
            header.push(id.len() as u8);
            header.extend_from_slice(id.as_slice());
        }
        let len = payload + 4 + 16;
        header.extend((0x4000 | len as u16).to_be_bytes());
        header
    }
}

/// A variable-length integer in as few bytes as it needs.
pub fn varint(value: u64) -> Vec<u8> {
    match value {
        0..=0x3f => vec![value as u8],
        0x40..=0x3fff => (0x4000 | value as u16).to_be_bytes().to_vec(),
        0x4000..=0x3fff_ffff => (0x8000_0000 | value as u32).to_be_bytes().to_vec(),
        _ => (0xc000_0000_0000_0000 | value).to_be_bytes().to_vec(),
    }
}

/// A frame of integers: the type, then the fields.
pub fn frame(fields: &[u64]) -> Vec<u8> {
    fields.iter().flat_map(|field| varint(*field)).collect()
}
