// SPDX-License-Identifier: GPL-2.0

//! Headers of packets to be sent.

#![forbid(unsafe_code)]

use super::{
    header::{
        long_type_bits,
        FIXED_BIT,
        FORM_LONG,
        KEY_PHASE,
        SPIN_BIT, //
    },
    number,
    sealing::Facts, //
};
use crate::common::{
    ConnectionId,
    Level,
    Tokens,
    Version,
    Writer, //
};

/// What goes into the header of a packet to be sent.
#[derive(Clone, Copy, Debug)]
pub struct OutHeader<'a> {
    /// The level; 1-RTT has the short header.
    pub level: Level,
    /// The version of a long header.
    pub version: Version,
    /// Destination Connection ID.
    pub dcid: &'a ConnectionId,
    /// Source Connection ID of a long header.
    pub scid: &'a ConnectionId,
    /// The token of an Initial packet; a server has none (RFC 9000 17.2.2 #1).
    pub token: &'a [u8],
    /// The packet number.
    pub pn: u64,
    /// The largest packet number of the space that the peer has acknowledged.
    pub largest_acked: Option<u64>,
    /// The key phase of a short header.
    pub key_phase: bool,
    /// The spin bit of a short header.
    pub spin: bool,
    /// The fixed bit; cleared only towards a peer that accepts it (RFC 9287).
    pub fixed_bit: bool,
}

/// Bytes of the number in a short header, at least. One byte would do for a small flight, but then
/// a packet could not be opened any more once 128 later ones have overtaken it.
const MIN_NUMBER: usize = 2;

// RFC 9000 17.2 #8, RFC 9000 17.3.1 #2: the reserved bits are left zero.
pub(super) fn write_header(writer: &mut Writer<'_>, header: &OutHeader<'_>) -> Option<Facts> {
    let needed = number::encoded_len(header.pn, header.largest_acked)?;
    let number_len = match header.level {
        Level::App => needed.max(MIN_NUMBER),
        _ => needed,
    };
    // CAST: 0 to 3.
    let mut first = number_len.checked_sub(1)? as u8;
    if header.fixed_bit {
        first |= FIXED_BIT;
    }
    let length = match header.level {
        Level::App => {
            first |= if header.spin { SPIN_BIT } else { 0 };
            first |= if header.key_phase { KEY_PHASE } else { 0 };
            writer.put_u8(first).ok()?;
            writer.put_bytes(header.dcid.as_slice()).ok()?;
            None
        }
        level => {
            first |= FORM_LONG | long_type_bits(header.version, level);
            Some(write_long(writer, first, header)?)
        }
    };
    let pn_offset = writer.position();
    let number = header.pn.to_be_bytes();
    let number = number.get(number.len().checked_sub(number_len)?..)?;
    writer.put_bytes(number).ok()?;
    Some(Facts {
        level: header.level,
        pn: header.pn,
        pn_offset,
        header_len: writer.position(),
        length,
        tail: None,
        tokens: Tokens::new(),
        ack_eliciting: false,
        in_flight: false,
    })
}

/// Writes a long header up to the packet number; returns where the length goes and its size.
fn write_long(
    writer: &mut Writer<'_>,
    first: u8,
    header: &OutHeader<'_>,
) -> Option<(usize, usize)> {
    writer.put_u8(first).ok()?;
    writer.put_u32(header.version.0).ok()?;
    for id in [header.dcid, header.scid] {
        // CAST: at most 20.  RFC 9000 17.2 #2, RFC 9000 17.2 #5
        writer.put_u8(id.len() as u8).ok()?;
        writer.put_bytes(id.as_slice()).ok()?;
    }
    if header.level == Level::Initial {
        writer.put_varint_bytes(header.token).ok()?;
    }
    // The length is not known yet, but whether two bytes are enough for it is.
    let size = if writer.remaining() < 1 << 13 { 2 } else { 4 };
    let at = writer.position();
    writer.put_fill(0, size).ok()?;
    Some((at, size))
}
