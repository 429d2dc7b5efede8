// SPDX-License-Identifier: GPL-2.0

//! The integrity tag of Retry packets (RFC 9001 section 5.8, RFC 9369 section 3.3.3).

#![forbid(unsafe_code)]

use crate::{
    aead::{
        ct_eq,
        KeyError,
        PacketKey,
        Suite,
        TAG_LEN, //
    },
    common::{
        ConnectionId,
        Version, //
    },
    mem::Vec,
    packet::Retry, //
};

/// Computes the tag for `covered`, a Retry packet without its tag, in answer to a packet with the
/// Destination Connection ID `original`.
pub fn retry_tag(
    version: Version,
    original: &ConnectionId,
    covered: &[u8],
) -> Result<[u8; TAG_LEN], KeyError> {
    let (key, nonce) = key_and_nonce(version);
    // The pseudo-packet of RFC 9001 figure 8, with room for the tag.
    let len = 1usize
        .saturating_add(original.len())
        .saturating_add(covered.len());
    let mut pseudo = Vec::try_with_capacity(len.saturating_add(TAG_LEN))?;
    // CAST: at most 20.
    pseudo.try_extend_from_slice(&[original.len() as u8])?;
    pseudo.try_extend_from_slice(original.as_slice())?;
    pseudo.try_extend_from_slice(covered)?;
    pseudo.try_resize(len.saturating_add(TAG_LEN), 0)?;
    // Everything is associated data; packet number zero leaves the nonce as it is.
    PacketKey::new_library(Suite::Aes128Gcm, &key, &nonce)?.seal(0, &mut pseudo, len, len, &[])?;
    pseudo.last_chunk().copied().ok_or(KeyError::Invalid)
}

/// True when a Retry packet answers a packet with the Destination Connection ID `original`.
// RFC 9000 17.2.5.2 #3
pub fn is_authentic(retry: &Retry<'_>, original: &ConnectionId) -> Result<bool, KeyError> {
    let tag = retry_tag(retry.version, original, retry.covered)?;
    Ok(ct_eq(&tag, &retry.tag))
}

const fn key_and_nonce(version: Version) -> ([u8; 16], [u8; 12]) {
    match version {
        Version::V2 => (
            [
                0x8f, 0xb4, 0xb0, 0x1b, 0x56, 0xac, 0x48, 0xe2, 0x60, 0xfb, 0xcb, 0xce, 0xad, 0x7c,
                0xcc, 0x92,
            ],
            [
                0xd8, 0x69, 0x69, 0xbc, 0x2d, 0x7c, 0x6d, 0x99, 0x90, 0xef, 0xb0, 0x4a,
            ],
        ),
        _ => (
            [
                0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66, 0x57, 0x5a, 0x1d, 0x76, 0x6b, 0x54, 0xe3, 0x68,
                0xc8, 0x4e,
            ],
            [
                0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63, 0x2b, 0xf2, 0x23, 0x98, 0x25, 0xbb,
            ],
        ),
    }
}
