// SPDX-License-Identifier: GPL-2.0

//! What is in packets, and packets with what one wants in them.

use quic_core::aead::{
    PacketKey,
    Suite, //
};
use quic_core::common::{
    ConnectionId,
    Level,
    Reader,
    Side,
    Version, //
};
use quic_core::crypto::keys::RxKeys;
use quic_core::crypto::{
    initial_keys,
    Secret, //
};
use quic_core::frame::Frame;
use quic_core::packet::{
    protect,
    Packet, //
};

/// The frames of a 1-RTT packet of `sender` with an id of eight bytes.
pub fn open_short(sender: Side, bytes: &[u8]) -> Vec<u8> {
    let secret = secret_of(sender);
    let mut bytes = bytes.to_vec();
    let mut key = secret.packet_key(Version::V1).expect("key");
    let header_key = secret.header_key(Version::V1).expect("key");
    let unmasked = protect::unmask(&mut bytes, 9, &header_key).expect("long enough");
    let len = key
        .open(unmasked.number(0), &mut bytes, unmasked.header_len)
        .expect("authentic");
    bytes[unmasked.header_len..][..len].to_vec()
}

/// The types of the frames of a payload, without padding.
pub fn kinds(payload: &[u8]) -> Vec<u64> {
    let mut reader = Reader::new(payload);
    let mut kinds = vec![];
    while !reader.is_empty() {
        let frame = Frame::parse(&mut reader).expect("a frame");
        if !matches!(frame, Frame::Padding { .. }) {
            kinds.push(frame.frame_type());
        }
    }
    kinds
}

/// The 1-RTT secret of the scripted handshake.
pub(super) fn secret_of(sender: Side) -> Secret {
    let byte = 0x40 + u8::from(sender.is_client());
    Secret::new(Suite::Aes128Gcm, &[byte; 32]).expect("length")
}

pub(super) fn seal(packet: &mut Vec<u8>, header_len: usize, pn: u64, key: &mut PacketKey) {
    let end = packet.len();
    packet.resize(end + 16, 0);
    key.seal(pn, packet, header_len, end, &[]).expect("seals");
}

/// A 1-RTT packet of the client to `dcid`.
pub fn short_packet(dcid: &[u8], payload: &[u8]) -> Vec<u8> {
    let secret = secret_of(Side::Client);
    let mut key = secret.packet_key(Version::V1).expect("key");
    let header_key = secret.header_key(Version::V1).expect("key");
    let mut packet = [&[0x43], dcid, &[0, 0, 0, 9], payload].concat();
    seal(&mut packet, 13, 9, &mut key);
    protect::mask(&mut packet, 9, &header_key).expect("long enough");
    packet
}

/// The levels of the packets of a datagram, in order.
pub fn levels(bytes: &[u8]) -> Vec<Level> {
    let mut rest = bytes;
    let mut found = vec![];
    while let Ok(Packet::Protected(header)) = Packet::parse_first(rest, 8) {
        found.push(header.level);
        rest = &rest[header.len..];
    }
    found
}

/// The types of the frames of the 1-RTT packet in a datagram, if there is one.
pub fn app_kinds(sender: Side, datagram: &[u8]) -> Vec<u64> {
    let mut rest = datagram;
    while let Ok(Packet::Protected(header)) = Packet::parse_first(rest, 8) {
        if header.level == Level::App {
            return kinds(&open_short(sender, rest));
        }
        rest = &rest[header.len..];
    }
    vec![]
}

/// A packet of a handshake without protection.
#[derive(Debug)]
pub struct Opened {
    pub level: Level,
    pub pn: u64,
    /// Its frames.
    pub payload: Vec<u8>,
}

/// All packets of a datagram of `sender`, which Initial packets of a client to the id `original`
/// began. Their numbers are small.
pub fn packets(sender: Side, original: &[u8], datagram: &[u8]) -> Vec<Opened> {
    let mut rest = datagram.to_vec();
    let mut found = vec![];
    while let Ok(Packet::Protected(header)) = Packet::parse_first(&rest, 8) {
        let mut keys = rx_keys(sender, original, header.level);
        let mut packet: Vec<u8> = rest.drain(..header.len).collect();
        let opened = protect::open(&mut packet, &header, &mut keys, 0).expect("authentic");
        found.push(Opened {
            level: header.level,
            pn: opened.pn,
            payload: packet[opened.payload].to_vec(),
        });
    }
    found
}

/// What opens the packets of `sender` at a level of the scripted handshake.
fn rx_keys(sender: Side, original: &[u8], level: Level) -> RxKeys {
    if level == Level::Initial {
        let original = ConnectionId::new(original).expect("length");
        let keys = initial_keys(Version::V1, &original, sender.peer()).expect("keys");
        return keys.rx.expect("both directions");
    }
    let byte = 0x10 * (level.index() as u8 + 1) + u8::from(sender.is_client());
    let secret = Secret::new(Suite::Aes128Gcm, &[byte; 32]).expect("length");
    RxKeys::new(Version::V1, &secret).expect("keys")
}
