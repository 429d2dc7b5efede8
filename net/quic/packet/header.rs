// SPDX-License-Identifier: GPL-2.0

//! Packet headers as far as they can be read without keys.
//!
//! ```text
//!  long:  1FTTxxxx  version(32)  dcid len(8) dcid  scid len(8) scid  type-specific
//!  short: 0FSxxKPP  dcid  packet number ...
//! ```
//!
//! F: fixed bit, T: type, S: spin bit, K: key phase, P: packet number length; x and P are
//! protected.  The types of version 2 are those of version 1 counted from one further on
//! (RFC 9369 section 3.2).

#![forbid(unsafe_code)]

use crate::common::{
    ConnectionId,
    Level,
    Reader,
    Truncated,
    Version, //
};
use core::ops::Range;

/// The bit that makes a header long.
pub const FORM_LONG: u8 = 0x80;
/// The bit that is set unless greased (RFC 9287).
pub const FIXED_BIT: u8 = 0x40;
/// The spin bit of a short header (RFC 9000 section 17.4).
pub const SPIN_BIT: u8 = 0x20;
/// The key phase of a short header.
pub const KEY_PHASE: u8 = 0x04;
/// The reserved bits of a long header.
pub const RESERVED_LONG: u8 = 0x0c;
/// The reserved bits of a short header.
pub const RESERVED_SHORT: u8 = 0x18;

/// The first packet of what is left of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A packet with protected frames.
    Protected(Protected),
    /// Version Negotiation; always the whole datagram.
    VersionNegotiation(VersionNegotiation<'a>),
    /// Retry; always the rest of the datagram.
    Retry(Retry<'a>),
    /// A long header of a version not spoken here.
    UnknownVersion(UnknownVersion<'a>),
}

/// A packet whose frames and number are still protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// Which keys open it.
    pub level: Level,
    /// The version of a long header; the one of the connection for a short header.
    pub version: Option<Version>,
    /// Destination Connection ID.
    pub dcid: ConnectionId,
    /// Source Connection ID; empty for a short header.
    pub scid: ConnectionId,
    /// Where the token of an Initial packet is.
    pub token: Range<usize>,
    /// Where the packet number starts.
    pub pn_offset: usize,
    /// Bytes of the whole packet; the next coalesced one starts behind them.
    pub len: usize,
    /// The fixed bit.  A packet without it is to be dropped by an endpoint that did not offer to
    /// accept greased ones (RFC 9287 section 3).
    // RFC 9000 17.2 #1, RFC 9000 17.3.1 #1
    pub fixed_bit: bool,
    /// The latency spin bit of a short header.
    pub spin: bool,
}

/// A Version Negotiation packet (RFC 9000 section 17.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionNegotiation<'a> {
    /// Destination Connection ID, of any length.
    pub dcid: &'a [u8],
    /// Source Connection ID, of any length.
    pub scid: &'a [u8],
    versions: &'a [u8],
}

impl VersionNegotiation<'_> {
    /// The versions listed; bytes that are no whole version are ignored.
    pub fn versions(&self) -> impl Iterator<Item = Version> + '_ {
        let mut reader = Reader::new(self.versions);
        core::iter::from_fn(move || reader.u32().ok().map(Version))
    }
}

/// A Retry packet (RFC 9000 section 17.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry<'a> {
    /// The version.
    pub version: Version,
    /// Destination Connection ID.
    pub dcid: ConnectionId,
    /// Source Connection ID, to be used by the client from now on.
    pub scid: ConnectionId,
    /// The token, not empty.
    pub token: &'a [u8],
    /// The integrity tag.
    pub tag: [u8; 16],
    /// The packet without the tag, which the tag covers.
    pub covered: &'a [u8],
}

/// A packet of another version, as far as RFC 8999 lets it be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVersion<'a> {
    /// The version, neither zero nor one of ours.
    pub version: Version,
    /// Destination Connection ID, of any length.
    pub dcid: &'a [u8],
    /// Source Connection ID, of any length.
    pub scid: &'a [u8],
}

/// Why a packet is dropped with the rest of its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The bytes end within the header, or before the length says.
    Truncated,
    /// A connection id longer than 20 bytes in a version that forbids it.
    ConnectionIdTooLong,
    /// A Retry without a token.
    EmptyToken,
}

impl From<Truncated> for HeaderError {
    fn from(_: Truncated) -> Self {
        HeaderError::Truncated
    }
}

impl<'a> Packet<'a> {
    /// Parses the header of the first packet in `bytes`.
    ///
    /// `local_cid_len` is the length of the connection ids issued here: a short header does not
    /// say.  What follows at [`Protected::len`] is the next packet, to be parsed likewise.
    // RFC 9000 12.2 #1
    pub fn parse_first(bytes: &'a [u8], local_cid_len: usize) -> Result<Packet<'a>, HeaderError> {
        let mut reader = Reader::new(bytes);
        let first = reader.u8()?;
        if first & FORM_LONG == 0 {
            return parse_short(reader, first, local_cid_len).map(Packet::Protected);
        }
        let version = Version(reader.u32()?);
        let dcid_len = usize::from(reader.u8()?);
        let dcid = reader.bytes(dcid_len)?;
        let scid_len = usize::from(reader.u8()?);
        let scid = reader.bytes(scid_len)?;
        if version == Version::NEGOTIATION {
            // RFC 9000 17.2.1 #1: the other bits of the first byte mean nothing.
            return Ok(Packet::VersionNegotiation(VersionNegotiation {
                dcid,
                scid,
                versions: reader.take_rest(),
            }));
        }
        if !version.is_supported() {
            // RFC 9000 17.2 #4, RFC 9000 17.2 #7, RFC 9000 17.2.1 #6
            return Ok(Packet::UnknownVersion(UnknownVersion {
                version,
                dcid,
                scid,
            }));
        }
        // RFC 9000 17.2 #3, RFC 9000 17.2 #6
        let (Some(dcid), Some(scid)) = (ConnectionId::new(dcid), ConnectionId::new(scid)) else {
            return Err(HeaderError::ConnectionIdTooLong);
        };
        match long_type(version, first) {
            LongType::Retry => parse_retry(bytes, reader, version, dcid, scid),
            LongType::Protected(level) => {
                parse_long(reader, first, level, version, dcid, scid).map(Packet::Protected)
            }
        }
    }

    /// The Destination Connection ID of any packet, for the look-up of its connection, without
    /// parsing more.
    pub fn destination(bytes: &[u8], local_cid_len: usize) -> Option<&[u8]> {
        let mut reader = Reader::new(bytes);
        let len = if reader.u8().ok()? & FORM_LONG == 0 {
            local_cid_len
        } else {
            reader.u32().ok()?;
            usize::from(reader.u8().ok()?)
        };
        reader.bytes(len).ok()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LongType {
    Protected(Level),
    Retry,
}

fn long_type(version: Version, first: u8) -> LongType {
    let code = (first >> 4) & 3;
    // RFC 9369 section 3.2 moves every type one further on.
    let code = if version == Version::V2 {
        code.wrapping_sub(1) & 3
    } else {
        code
    };
    match code {
        0 => LongType::Protected(Level::Initial),
        1 => LongType::Protected(Level::Early),
        2 => LongType::Protected(Level::Handshake),
        _ => LongType::Retry,
    }
}

/// The type bits of a protected long header, in place.
pub(super) const fn long_type_bits(version: Version, level: Level) -> u8 {
    let code: u8 = match level {
        Level::Initial => 0,
        Level::Early => 1,
        // A 1-RTT packet has no long header.
        Level::Handshake | Level::App => 2,
    };
    type_bits(version, code)
}

/// The type bits of a Retry packet, in place.
pub(super) const fn retry_type_bits(version: Version) -> u8 {
    type_bits(version, 3)
}

const fn type_bits(version: Version, code: u8) -> u8 {
    let shift = matches!(version, Version::V2) as u8;
    (code.wrapping_add(shift) & 3) << 4
}

fn parse_short(
    mut reader: Reader<'_>,
    first: u8,
    local_cid_len: usize,
) -> Result<Protected, HeaderError> {
    let dcid = ConnectionId::new(reader.bytes(local_cid_len)?);
    Ok(Protected {
        level: Level::App,
        version: None,
        dcid: dcid.ok_or(HeaderError::ConnectionIdTooLong)?,
        scid: ConnectionId::EMPTY,
        token: 0..0,
        pn_offset: reader.position(),
        len: reader.position().saturating_add(reader.remaining()),
        fixed_bit: first & FIXED_BIT != 0,
        spin: first & SPIN_BIT != 0,
    })
}

fn parse_long(
    mut reader: Reader<'_>,
    first: u8,
    level: Level,
    version: Version,
    dcid: ConnectionId,
    scid: ConnectionId,
) -> Result<Protected, HeaderError> {
    let mut token = 0..0;
    if level == Level::Initial {
        let len = reader.varint_bytes()?.len();
        token = reader.position().saturating_sub(len)..reader.position();
    }
    // The length counts from the packet number on and must not lead out of the datagram.
    let payload = reader.varint_bytes()?.len();
    let len = reader.position();
    Ok(Protected {
        level,
        version: Some(version),
        dcid,
        scid,
        token,
        pn_offset: len.saturating_sub(payload),
        len,
        fixed_bit: first & FIXED_BIT != 0,
        spin: false,
    })
}

// The low bits of the first byte are not looked at: RFC 9000 17.2.5 #1.
fn parse_retry<'a>(
    bytes: &'a [u8],
    reader: Reader<'a>,
    version: Version,
    dcid: ConnectionId,
    scid: ConnectionId,
) -> Result<Packet<'a>, HeaderError> {
    let (token, tag) = reader.rest().split_last_chunk::<16>().ok_or(Truncated)?;
    // RFC 9000 17.2.5.2 #4
    if token.is_empty() {
        return Err(HeaderError::EmptyToken);
    }
    let covered = bytes.split_last_chunk::<16>().ok_or(Truncated)?.0;
    Ok(Packet::Retry(Retry {
        version,
        dcid,
        scid,
        token,
        tag: *tag,
        covered,
    }))
}

#[cfg(test)]
mod tests;
