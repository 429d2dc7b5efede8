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
    pub fixed_bit: bool,
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
            // RFC 9000 17.2 #4, RFC 9000 17.2 #7
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
    })
}

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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn long(first: u8, version: Version, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        bytes.extend(version.0.to_be_bytes());
        bytes.extend([2, 0xd1, 0xd2, 1, 0x51]);
        bytes.extend(rest);
        bytes
    }

    fn protected(bytes: &[u8]) -> Protected {
        match Packet::parse_first(bytes, 4) {
            Ok(Packet::Protected(packet)) => packet,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_type_bits_of_both_versions_name_the_level() {
        let table = [
            (
                Version::V1,
                [
                    Some(Level::Initial),
                    Some(Level::Early),
                    Some(Level::Handshake),
                    None,
                ],
            ),
            (
                Version::V2,
                [
                    None,
                    Some(Level::Initial),
                    Some(Level::Early),
                    Some(Level::Handshake),
                ],
            ),
        ];
        for (version, levels) in table {
            for (code, level) in levels.into_iter().enumerate() {
                // Enough for a token length of zero, a length of 20, or a token and a tag.
                let first = 0xc0 | (code as u8) << 4;
                let rest = [&[0, 20][..], &[7; 20]].concat();
                let bytes = long(
                    first,
                    version,
                    if level == Some(Level::Initial) {
                        &rest
                    } else {
                        &rest[1..]
                    },
                );
                match (Packet::parse_first(&bytes, 4).unwrap(), level) {
                    (Packet::Protected(packet), Some(level)) => {
                        assert_eq!((packet.level, packet.version), (level, Some(version)));
                        assert_eq!(long_type_bits(version, level), first & 0x30);
                        assert_eq!(packet.len, bytes.len());
                        assert_eq!(packet.pn_offset, bytes.len() - 20);
                    }
                    (Packet::Retry(retry), None) => {
                        assert_eq!(retry.version, version);
                        assert_eq!(retry_type_bits(version), first & 0x30);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn coalesced_packets_are_told_apart_by_their_length() {
        // RFC 9000 12.2 #1 test
        let mut bytes = long(0xc3, Version::V1, &[&[3, 9, 9, 9, 5][..], &[7; 5]].concat());
        let first = bytes.len();
        bytes.extend(long(0xe0, Version::V1, &[2, 8, 8]));
        let second = bytes.len();
        bytes.extend([0x40, 1, 2, 3, 4, 5, 6]);
        let packet = protected(&bytes);
        assert_eq!((packet.level, packet.len), (Level::Initial, first));
        assert_eq!(&bytes[packet.token.clone()], [9, 9, 9]);
        assert_eq!(packet.dcid.as_slice(), [0xd1, 0xd2]);
        assert_eq!(packet.scid.as_slice(), [0x51]);
        let packet = protected(&bytes[first..]);
        assert_eq!(
            (packet.level, packet.len),
            (Level::Handshake, second - first)
        );
        let packet = protected(&bytes[second..]);
        assert_eq!(
            (packet.level, packet.len, packet.pn_offset),
            (Level::App, 7, 5)
        );
        assert_eq!(packet.dcid.as_slice(), [1, 2, 3, 4]);
    }

    #[test]
    fn long_connection_ids_are_read_in_other_versions_only() {
        // RFC 9000 17.2 #3 test, RFC 9000 17.2 #4 test, RFC 9000 17.2 #6 test,
        // RFC 9000 17.2 #7 test
        let packet = |version: Version, dcid: usize, scid: usize| {
            let mut bytes = vec![0xc0];
            bytes.extend(version.0.to_be_bytes());
            bytes.push(dcid as u8);
            bytes.extend(vec![1; dcid]);
            bytes.push(scid as u8);
            bytes.extend(vec![2; scid]);
            bytes.extend([0, 2, 0, 0]);
            bytes
        };
        let too_long = Err(HeaderError::ConnectionIdTooLong);
        assert_eq!(
            Packet::parse_first(&packet(Version::V1, 21, 0), 0),
            too_long
        );
        assert_eq!(
            Packet::parse_first(&packet(Version::V1, 0, 21), 0),
            too_long
        );
        assert!(Packet::parse_first(&packet(Version::V1, 20, 20), 0).is_ok());
        let bytes = packet(Version(0xff00_0001), 255, 254);
        match Packet::parse_first(&bytes, 0).unwrap() {
            Packet::UnknownVersion(packet) => {
                assert_eq!((packet.dcid.len(), packet.scid.len()), (255, 254));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn version_negotiation_is_recognised_whatever_its_first_byte() {
        // RFC 9000 17.2.1 #1 test
        let mut rest = vec![];
        rest.extend(Version::V2.0.to_be_bytes());
        rest.extend(0x1a2a_3a4au32.to_be_bytes());
        rest.push(9);
        for first in [0x80, 0xc0, 0xff] {
            match Packet::parse_first(&long(first, Version::NEGOTIATION, &rest), 0).unwrap() {
                Packet::VersionNegotiation(packet) => {
                    assert!(packet.versions().eq([Version::V2, Version(0x1a2a_3a4a)]));
                    assert_eq!((packet.dcid, packet.scid), (&[0xd1, 0xd2][..], &[0x51][..]));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_retry_has_a_token_and_a_tag() {
        // RFC 9000 17.2.5.2 #4 test
        let parse = |bytes: &[u8]| Packet::parse_first(bytes, 0).map(|_| ());
        let full = long(0xf0, Version::V1, &[5; 17]);
        match Packet::parse_first(&full, 0).unwrap() {
            Packet::Retry(retry) => {
                assert_eq!((retry.token, retry.tag), (&[5][..], [5; 16]));
                assert_eq!(retry.covered, &full[..full.len() - 16]);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(parse(&full[..full.len() - 1]), Err(HeaderError::EmptyToken));
        assert_eq!(parse(&full[..full.len() - 2]), Err(HeaderError::Truncated));
    }

    #[test]
    fn a_length_that_leads_out_of_the_datagram_is_refused() {
        let bytes = long(0xc0, Version::V1, &[&[0, 20][..], &[7; 19]].concat());
        assert_eq!(Packet::parse_first(&bytes, 4), Err(HeaderError::Truncated));
        let bytes = long(0xc0, Version::V1, &[&[0x40, 20][..], &[7; 19]].concat());
        assert_eq!(Packet::parse_first(&bytes, 4), Err(HeaderError::Truncated));
    }

    proptest! {
        #![proptest_config(crate::common::test_config(4_000))]

        #[test]
        fn random_bytes_give_a_packet_within_them_or_an_error(
            first in any::<u8>(),
            version in prop_oneof![Just(0u32), Just(1), Just(Version::V2.0), any::<u32>()],
            rest in proptest::collection::vec(prop_oneof![0..24u8, any::<u8>()], 0..90),
            cid_len in 0..30usize,
        ) {
            let bytes = [&[first][..], &version.to_be_bytes(), &rest].concat();
            let destination = Packet::destination(&bytes, cid_len);
            match Packet::parse_first(&bytes, cid_len) {
                Ok(Packet::Protected(packet)) => {
                    prop_assert!(packet.pn_offset <= packet.len && packet.len <= bytes.len());
                    prop_assert!(packet.len > 0);
                    prop_assert!(packet.token.start <= packet.token.end);
                    prop_assert!(packet.token.end <= packet.pn_offset);
                    prop_assert_eq!(destination, Some(packet.dcid.as_slice()));
                }
                Ok(Packet::Retry(packet)) => {
                    prop_assert!(!packet.token.is_empty());
                    prop_assert_eq!(destination, Some(packet.dcid.as_slice()));
                }
                Ok(Packet::UnknownVersion(packet)) => {
                    prop_assert_eq!(destination, Some(packet.dcid));
                }
                Ok(Packet::VersionNegotiation(packet)) => {
                    prop_assert!(packet.versions().count() <= bytes.len() / 4);
                }
                Err(_) => {}
            }
        }
    }
}
