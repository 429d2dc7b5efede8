// SPDX-License-Identifier: GPL-2.0

//! Header protection and the opening of packets (RFC 9001 section 5.4 and RFC 9000 section 17).
//!
//! ```text
//!  first byte ... | packet number (1..4) | payload ...           | tag (16) |
//!       ^                  ^             ^ pn_offset + 4: sample (16)
//!       `-- masked --------'
//! ```
//!
//! Removing the mask, recovering the number and opening the payload happen in one go, so that
//! neither the result nor the time tells whether a bit of the header was wrong: the reserved bits
//! are looked at only after the payload has proved authentic.

#![forbid(unsafe_code)]

use super::{
    header::{
        Protected,
        FORM_LONG,
        KEY_PHASE,
        RESERVED_LONG,
        RESERVED_SHORT, //
    },
    number, //
};
use crate::{
    aead::{
        HeaderKey,
        KeyError, //
    },
    common::TransportError,
    crypto::RxKeys, //
};
use core::ops::Range;

/// A packet that is authentic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The full packet number.
    pub pn: u64,
    /// Where the frames are.
    pub payload: Range<usize>,
}

/// Why a packet could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Not long enough for a sample; to be dropped.
    TooShort,
    /// Not authentic; to be dropped, and counted.
    Authentication,
    /// Authentic but illegal; the connection is to be closed.
    Close(TransportError),
}

impl From<TransportError> for OpenError {
    fn from(error: TransportError) -> Self {
        OpenError::Close(error)
    }
}

impl From<KeyError> for OpenError {
    fn from(_: KeyError) -> Self {
        OpenError::Authentication
    }
}

/// Opens a packet in place, with keys that have no phases: Initial, 0-RTT and Handshake.
///
/// `packet` is exactly the bytes of the one packet, `expected` the number after the largest
/// received in its space.
// RFC 9001 9.5 #1
pub fn open(
    packet: &mut [u8],
    header: &Protected,
    keys: &mut RxKeys,
    expected: u64,
) -> Result<Opened, OpenError> {
    let unmasked = unmask(packet, header.pn_offset, &keys.header)?;
    let pn = unmasked.number(expected);
    let len = keys.packet.open(pn, packet, unmasked.header_len)?;
    unmasked.finish(pn, len)
}

/// The protected fields of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmasked {
    first: u8,
    truncated: u32,
    pn_len: usize,
    /// Bytes before the payload.
    pub header_len: usize,
}

impl Unmasked {
    /// Recovers the packet number.
    pub const fn number(&self, expected: u64) -> u64 {
        number::decode(self.truncated, self.pn_len, expected)
    }

    /// The key phase of a short header.
    pub const fn key_phase(&self) -> bool {
        self.first & KEY_PHASE != 0
    }

    /// Checks what may be checked once the packet is authentic.
    // RFC 9000 17.2 #9, RFC 9000 17.3.1 #3, RFC 9000 12.4 #2
    pub fn finish(&self, pn: u64, payload_len: usize) -> Result<Opened, OpenError> {
        if self.first & reserved_bits(self.first) != 0 {
            return Err(TransportError::protocol_violation("reserved bits set").into());
        }
        if payload_len == 0 {
            return Err(TransportError::protocol_violation("packet without frames").into());
        }
        Ok(Opened {
            pn,
            payload: self.header_len..self.header_len.saturating_add(payload_len),
        })
    }
}

/// Removes header protection in place.
// RFC 9000 10.3 #7, RFC 9001 5.4.2 #1
pub fn unmask(packet: &mut [u8], pn_offset: usize, key: &HeaderKey) -> Result<Unmasked, OpenError> {
    let mask = key.mask(&sample(packet, pn_offset).ok_or(OpenError::TooShort)?);
    let [flags, number @ ..] = mask;
    let (head, tail) = packet
        .split_at_mut_checked(pn_offset)
        .ok_or(OpenError::TooShort)?;
    let first = head.first_mut().ok_or(OpenError::TooShort)?;
    *first ^= flags & protected_bits(*first);
    let pn_len = pn_len(*first);
    let mut truncated = 0u32;
    for (byte, mask) in tail.iter_mut().zip(number).take(pn_len) {
        *byte ^= mask;
        truncated = (truncated << 8) | u32::from(*byte);
    }
    Ok(Unmasked {
        first: *first,
        truncated,
        pn_len,
        header_len: pn_offset.saturating_add(pn_len),
    })
}

/// Applies header protection in place, to a packet whose payload is sealed.
pub fn mask(packet: &mut [u8], pn_offset: usize, key: &HeaderKey) -> Result<(), KeyError> {
    let mask = key.mask(&sample(packet, pn_offset).ok_or(KeyError::Invalid)?);
    let [flags, number @ ..] = mask;
    let (head, tail) = packet
        .split_at_mut_checked(pn_offset)
        .ok_or(KeyError::Invalid)?;
    let first = head.first_mut().ok_or(KeyError::Invalid)?;
    let pn_len = pn_len(*first);
    *first ^= flags & protected_bits(*first);
    for (byte, mask) in tail.iter_mut().zip(number).take(pn_len) {
        *byte ^= mask;
    }
    Ok(())
}

/// The sample is taken as if the packet number had four bytes.
fn sample(packet: &[u8], pn_offset: usize) -> Option<[u8; 16]> {
    let start = pn_offset.checked_add(4)?;
    packet.get(start..)?.first_chunk().copied()
}

const fn pn_len(first: u8) -> usize {
    // CAST and OVERFLOW: 1 to 4.
    (first & 3).wrapping_add(1) as usize
}

const fn reserved_bits(first: u8) -> u8 {
    match first & FORM_LONG {
        0 => RESERVED_SHORT,
        _ => RESERVED_LONG,
    }
}

/// The bits of the first byte under protection: four of a long header, five of a short one.
const fn protected_bits(first: u8) -> u8 {
    match first & FORM_LONG {
        0 => 0x1f,
        _ => 0x0f,
    }
}
