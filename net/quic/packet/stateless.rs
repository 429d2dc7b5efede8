// SPDX-License-Identifier: GPL-2.0

//! What is answered without a connection: Version Negotiation, Retry, stateless resets, and the
//! close of a connection that never was.
//!
//! Each answers one datagram with at most one, and none is larger than three times what it
//! answers.  Every function writes into `buffer` and returns the length.

#![forbid(unsafe_code)]

use super::{
    builder::PacketBuilder,
    header::{
        retry_type_bits,
        FIXED_BIT,
        FORM_LONG, //
    },
    out_header::OutHeader, //
};
use crate::{
    aead::{
        hmac,
        Hash,
        KeyError, //
    },
    common::{
        ConnectionId,
        Level,
        NoSpace,
        Rng,
        Side,
        TransportError,
        Version,
        Writer, //
    },
    crypto::{
        initial_keys,
        retry_tag, //
    },
    frame::{
        CloseFrame,
        Frame, //
    },
};

/// Bytes of a stateless reset token.
pub const RESET_TOKEN_LEN: usize = 16;

/// The smallest stateless reset: five bytes that look like a short header, and the token.
pub const MIN_RESET_LEN: usize = 21;

/// The smallest packet that is answered with a stateless reset: the answer is smaller.
pub const MIN_RESET_TRIGGER: usize = MIN_RESET_LEN + 1;

/// Bytes up to which a reset is just one byte shorter than what it answers.
const SHORT_TRIGGER: usize = 43;

/// Writes a Version Negotiation packet (RFC 9000 section 17.2.1) in answer to a packet from `scid`
/// to `dcid`.  The connection ids may have any length up to 255.
///
/// The caller answers only a datagram of at least 1200 bytes, and never a Version Negotiation
/// packet (RFC 9000 section 6.1).
// RFC 9000 17.2.1 #2, RFC 9000 17.2.1 #3, RFC 9000 17.2.1 #4, RFC 9000 17.2.1 #5
pub fn write_version_negotiation(
    buffer: &mut [u8],
    dcid: &[u8],
    scid: &[u8],
    versions: &[Version],
    rng: &mut dyn Rng,
) -> Result<usize, NoSpace> {
    let random = rng.u64();
    // CAST: some of the random bits.
    let (first, grease) = (random as u8, (random >> 32) as u32);
    let mut writer = Writer::new(buffer);
    writer.put_u8(FORM_LONG | FIXED_BIT | first)?;
    writer.put_u32(Version::NEGOTIATION.0)?;
    for id in [scid, dcid] {
        writer.put_u8(u8::try_from(id.len()).map_err(|_| NoSpace)?)?;
        writer.put_bytes(id)?;
    }
    for version in versions {
        writer.put_u32(version.0)?;
    }
    // A version that exists only to be ignored keeps clients used to unknown ones (RFC 9000
    // section 6.3).
    writer.put_u32(grease & 0xf0f0_f0f0 | 0x0a0a_0a0a)?;
    Ok(writer.position())
}

/// Writes a Retry packet (RFC 9000 section 17.2.5) in answer to an Initial packet from `client`
/// to `original`.  `scid` is the connection id that the client is to use from now on.
// RFC 9000 17.2.5.1 #1
pub fn write_retry(
    buffer: &mut [u8],
    version: Version,
    client: &ConnectionId,
    original: &ConnectionId,
    scid: &ConnectionId,
    token: &[u8],
    rng: &mut dyn Rng,
) -> Result<usize, KeyError> {
    if scid == original || token.is_empty() {
        return Err(KeyError::Invalid);
    }
    let mut writer = Writer::new(buffer);
    let mut put = |writer: &mut Writer<'_>| {
        // CAST: the low four bits are unused and random.
        let unused = rng.u64() as u8 & 0x0f;
        writer.put_u8(FORM_LONG | FIXED_BIT | retry_type_bits(version) | unused)?;
        writer.put_u32(version.0)?;
        for id in [client, scid] {
            // CAST: at most 20.
            writer.put_u8(id.len() as u8)?;
            writer.put_bytes(id.as_slice())?;
        }
        writer.put_bytes(token)
    };
    put(&mut writer).map_err(|NoSpace| KeyError::Invalid)?;
    let tag = retry_tag(version, original, writer.written())?;
    writer
        .put_bytes(&tag)
        .map_err(|NoSpace| KeyError::Invalid)?;
    Ok(writer.position())
}

/// Writes a stateless reset (RFC 9000 section 10.3) in answer to a packet of `trigger_len` bytes,
/// or returns `None` when it would not be smaller than that.
// RFC 9000 10.3 #3, RFC 9000 10.3 #5, RFC 9000 10.3 #6, RFC 9000 10.3 #8, RFC 9000 10.3.3 #1
pub fn write_stateless_reset(
    buffer: &mut [u8],
    trigger_len: usize,
    token: &[u8; RESET_TOKEN_LEN],
    rng: &mut dyn Rng,
) -> Option<usize> {
    if trigger_len < MIN_RESET_TRIGGER {
        return None;
    }
    let len = if trigger_len <= SHORT_TRIGGER {
        trigger_len.checked_sub(1)?
    } else {
        // The length of a small packet of some other size.  CAST: below 22.
        let more = rng.below(22) as usize;
        SHORT_TRIGGER
            .saturating_add(more)
            .min(trigger_len.checked_sub(1)?)
    };
    let buffer = buffer.get_mut(..len)?;
    rng.fill(buffer);
    let first = buffer.first_mut()?;
    *first = *first & !FORM_LONG | FIXED_BIT;
    *buffer.last_chunk_mut()? = *token;
    Some(len)
}

/// The stateless reset token of a connection id issued here (RFC 9000 section 10.3.2): keyed, so
/// that it can be computed again when nothing else is known of the connection.
// RFC 9000 10.3.2 #1, RFC 9000 10.3.2 #2, RFC 9000 10.3.2 #5
pub fn reset_token(key: &[u8; 32], id: &ConnectionId) -> [u8; RESET_TOKEN_LEN] {
    let mut token = [0; RESET_TOKEN_LEN];
    // CAST: at most 20.
    let len = [id.len() as u8];
    let input: [&[u8]; 3] = [b"quic reset", &len, id.as_slice()];
    hmac(Hash::Sha256, key, &input, &mut token);
    token
}

/// Writes an Initial packet that closes a connection which the server does not make: an invalid
/// token or no capacity.  `client` and `original` are the connection ids of the client's packet.
pub fn write_initial_close(
    buffer: &mut [u8],
    version: Version,
    client: &ConnectionId,
    original: &ConnectionId,
    error: &TransportError,
) -> Result<usize, KeyError> {
    let mut keys = initial_keys(version, original, Side::Server)?;
    let tx = keys.tx.as_mut().ok_or(KeyError::Unsupported)?;
    let header = OutHeader {
        level: Level::Initial,
        version,
        dcid: client,
        scid: original,
        token: &[],
        pn: 0,
        largest_acked: None,
        key_phase: false,
        spin: false,
        fixed_bit: true,
    };
    let frame = Frame::ConnectionClose(CloseFrame {
        code: error.code,
        app: false,
        frame: error.frame,
        reason: error.reason.as_bytes(),
    });
    let mut builder = PacketBuilder::new(buffer, &header).ok_or(KeyError::Invalid)?;
    if !builder.write_frame(&frame, None) {
        return Err(KeyError::Invalid);
    }
    Ok(tx.seal(builder.finish(), &[])?.len)
}

#[cfg(test)]
mod tests;
