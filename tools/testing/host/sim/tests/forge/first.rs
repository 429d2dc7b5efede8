// SPDX-License-Identifier: GPL-2.0

//! The packets with which connections begin: Initial, Retry and Version Negotiation.

use quic_core::common::{
    ConnectionId,
    Side,
    Version, //
};
use quic_core::conn::accept::FirstPacket;
use quic_core::crypto::initial_keys;
use quic_core::packet::protect;

use super::opened::seal;

/// Destination and source of a long header.
pub fn long_ids(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let len = usize::from(bytes[5]);
    let (dcid, rest) = bytes[6..].split_at(len);
    let len = usize::from(rest[0]);
    (dcid.to_vec(), rest[1..1 + len].to_vec())
}

pub(super) fn negotiation(dcid: &[u8], scid: &[u8], versions: &[u32]) -> Vec<u8> {
    let mut packet = vec![0xc0, 0, 0, 0, 0, dcid.len() as u8];
    packet.extend(dcid);
    packet.push(scid.len() as u8);
    packet.extend(scid);
    packet.extend(versions.iter().flat_map(|version| version.to_be_bytes()));
    packet
}

/// A Version Negotiation packet in answer to a client's Initial.
pub fn negotiation_for(initial: &[u8], versions: &[u32]) -> Vec<u8> {
    let (dcid, scid) = long_ids(initial);
    negotiation(&scid, &dcid, versions)
}

pub(super) fn retry(
    version: Version,
    client: &ConnectionId,
    original: &ConnectionId,
    new: &ConnectionId,
    token: &[u8],
) -> Vec<u8> {
    let mut packet = vec![0xf0];
    packet.extend(version.0.to_be_bytes());
    for id in [client, new] {
        packet.push(id.len() as u8);
        packet.extend(id.as_slice());
    }
    packet.extend(token);
    let tag = quic_core::crypto::retry_tag(version, original, &packet).expect("tag");
    packet.extend(tag);
    packet
}

/// A Retry packet in answer to a client's Initial.
pub fn retry_for(initial: &[u8], new: &[u8], token: &[u8]) -> Vec<u8> {
    let (dcid, scid) = long_ids(initial);
    let id = |bytes: &[u8]| ConnectionId::new(bytes).expect("length");
    retry(Version::V1, &id(&scid), &id(&dcid), &id(new), token)
}

/// The packet number of a client's Initial packet.
pub fn initial_number(initial: &[u8]) -> u64 {
    let (dcid, scid) = long_ids(initial);
    let mut bytes = initial.to_vec();
    let dcid = ConnectionId::new(&dcid).expect("length");
    let keys = initial_keys(Version::V1, &dcid, Side::Server).expect("keys");
    let at = 7 + dcid.len() + scid.len();
    // A token of less than 64 bytes, and a length of two.
    let pn_offset = at + 1 + usize::from(bytes[at]) + 2;
    let rx = keys.rx.expect("both directions");
    let unmasked = protect::unmask(&mut bytes, pn_offset, &rx.header).expect("long enough");
    unmasked.number(0)
}

/// An Initial packet of the server, number zero, in answer to a client's.
pub fn server_initial(initial: &[u8], token: &[u8], payload: &[u8]) -> Vec<u8> {
    numbered_initial(initial, 0, 0x66, token, payload)
}

/// An Initial packet of the server with this number and all bytes of its connection id the same.
pub fn numbered_initial(initial: &[u8], pn: u8, id: u8, token: &[u8], payload: &[u8]) -> Vec<u8> {
    initial_from(initial, pn, &[id; 8], token, payload)
}

/// As above, with the whole connection id.
pub fn initial_from(initial: &[u8], pn: u8, id: &[u8], token: &[u8], payload: &[u8]) -> Vec<u8> {
    let (original, client) = long_ids(initial);
    seal_initial(Side::Server, &original, (&client, id), pn, token, payload)
}

/// An Initial packet of the client, number zero, in place of `initial`.
pub fn client_initial(initial: &[u8], payload: &[u8]) -> Vec<u8> {
    let (original, client) = long_ids(initial);
    seal_initial(
        Side::Client,
        &original,
        (&original, &client),
        0,
        b"",
        payload,
    )
}

fn seal_initial(
    sender: Side,
    original: &[u8],
    (dcid, scid): (&[u8], &[u8]),
    pn: u8,
    token: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let original = ConnectionId::new(original).expect("length");
    let keys = initial_keys(Version::V1, &original, sender.peer()).expect("keys");
    let rx = keys.rx.expect("both directions");
    let mut packet = vec![0xc3, 0, 0, 0, 1, dcid.len() as u8];
    packet.extend(dcid);
    packet.push(scid.len() as u8);
    packet.extend(scid);
    packet.push(token.len() as u8);
    packet.extend(token);
    let payload = [payload, &vec![0; 1_150]].concat();
    let len = (4 + payload.len() + 16) as u16;
    packet.extend((len | 0x4000).to_be_bytes());
    let pn_offset = packet.len();
    packet.extend([0, 0, 0, pn]);
    packet.extend(payload);
    // What one side opens with, the other seals with.
    let mut key = rx.packet;
    seal(&mut packet, pn_offset + 4, u64::from(pn), &mut key);
    protect::mask(&mut packet, pn_offset, &rx.header).expect("long enough");
    packet
}

/// Whether a listener takes a datagram for a new connection.
pub fn is_incoming(datagram: &[u8]) -> bool {
    matches!(FirstPacket::parse(datagram), FirstPacket::Incoming(_))
}

/// Whether a listener answers a datagram with Version Negotiation.
pub fn is_unsupported(datagram: &[u8]) -> bool {
    matches!(
        FirstPacket::parse(datagram),
        FirstPacket::UnsupportedVersion(_)
    )
}

/// Whether a listener takes a datagram for one of a connection that it does not know.
pub fn is_stray(datagram: &[u8]) -> bool {
    matches!(FirstPacket::parse(datagram), FirstPacket::OtherLong)
}

/// Whether a listener takes no notice of a datagram.
pub fn is_dropped(datagram: &[u8]) -> bool {
    matches!(FirstPacket::parse(datagram), FirstPacket::Drop)
}
