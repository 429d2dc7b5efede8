// SPDX-License-Identifier: GPL-2.0

//! Address validation tokens (RFC 9000 sections 8.1.1 to 8.1.4).
//!
//! ```text
//!  kind (4) | salt (16) | sealed: time (8)  len odcid  len rscid | tag (16)
//! ```
//!
//! Kind, the QUIC version and the client's address are authenticated with the rest, so that a token
//! serves only the client it was given to, in the version it was given in (RFC 9369 section 5), and
//! only as what it was given.  The key is derived from the salt, so
//! that tokens of any number are unique and tell an observer nothing.

#![forbid(unsafe_code)]

use crate::{
    aead::{
        hmac,
        Hash,
        KeyError,
        PacketKey,
        Suite,
        TAG_LEN, //
    },
    common::{
        ConnectionId,
        Duration,
        Instant,
        NoSpace,
        Reader,
        Rng,
        Truncated,
        Version,
        Writer, //
    },
    crypto::keys::wipe, //
};
use core::net::{
    IpAddr,
    SocketAddr, //
};

/// How a token was given to the client.
// RFC 9000 8.1.1 #1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// In a Retry packet, for the same connection attempt.
    Retry,
    /// In a NEW_TOKEN frame, for a later connection.
    NewToken,
}

impl TokenKind {
    /// How its tokens begin. Long enough that a token which somebody else gave for a later connection,
    /// another implementation behind the same name for instance, is never taken for one of ours that
    /// was spoilt: a client with a bad token of a Retry is refused, and would be each time.
    // RFC 9000 8.1.3 #14
    const fn mark(self) -> [u8; MARK_LEN] {
        match self {
            TokenKind::NewToken => *b"\0new",
            TokenKind::Retry => *b"\x01try",
        }
    }

    /// What `token` says that it is, unless it is none of ours.
    pub fn of(token: &[u8]) -> Option<Self> {
        let mark = token.first_chunk::<MARK_LEN>()?;
        [TokenKind::NewToken, TokenKind::Retry]
            .into_iter()
            .find(|kind| kind.mark() == *mark)
    }

    /// How long a token is accepted.  A Retry is answered at once, at worst after a few losses.
    // RFC 9000 8.1.4 #6, RFC 9000 8.1.4 #7, RFC 9000 8.1.3 #5
    pub const fn lifetime(self) -> Duration {
        match self {
            TokenKind::NewToken => Duration::from_secs(600),
            TokenKind::Retry => Duration::from_secs(10),
        }
    }
}

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// How it was given.
    pub kind: TokenKind,
    /// The version of the connection, or of the attempt, that it was given in.
    pub version: Version,
    /// When it was made.
    pub issued: Instant,
    /// The Destination Connection ID of the client's first packet; of a Retry token.
    pub original_dcid: ConnectionId,
    /// The Source Connection ID of the Retry packet; of a Retry token.
    pub retry_scid: ConnectionId,
}

/// A token that is authentic and in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validated {
    /// What it says.
    pub claims: Claims,
    /// Random bits that name this token, for [`super::replay::ReplayFilter`].
    pub nonce: u64,
}

/// Why a token does not validate an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Not one of ours, or not for this address: most likely of another server or key.
    Unknown,
    /// A token of a Retry packet that is not valid: the client is to be refused.
    InvalidRetry,
    /// Ours, but too old.
    Expired(TokenKind),
}

/// The longest token in bytes.
pub const MAX_TOKEN_LEN: usize = MARK_LEN + SALT_LEN + MAX_PLAIN_LEN + TAG_LEN;

const MARK_LEN: usize = 4;
const SALT_LEN: usize = 16;
const MAX_PLAIN_LEN: usize = 8 + 2 * (1 + ConnectionId::MAX_LEN);
/// Kind, salt, version, address, port.
const MAX_AAD_LEN: usize = MARK_LEN + SALT_LEN + 4 + 16 + 2;

/// The server's key for its tokens, wiped when dropped.
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// Takes a random key, shared by all servers that are to accept each other's tokens.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Writes a token for a client at `remote`, and returns its length.
    // RFC 9000 8.1.4 #1, RFC 9000 8.1.4 #2, RFC 9000 8.1.3 #6, RFC 9000 8.1.3 #7
    pub fn seal(
        &self,
        claims: &Claims,
        remote: SocketAddr,
        rng: &mut dyn Rng,
        out: &mut [u8],
    ) -> Result<usize, KeyError> {
        let mut salt = [0; SALT_LEN];
        rng.fill(&mut salt);
        let mut scratch = [0; MAX_AAD_LEN + MAX_PLAIN_LEN + TAG_LEN];
        let mut writer = Writer::new(&mut scratch);
        let aad_len = put_aad(&mut writer, (claims.kind, claims.version), &salt, remote)?;
        put_claims(&mut writer, claims)?;
        let end = writer.position();
        let len = self
            .derive(&salt)?
            .seal(0, &mut scratch, aad_len, end, &[])?;
        let sealed = scratch.get(aad_len..len).ok_or(KeyError::Invalid)?;
        let mut writer = Writer::new(out);
        writer.put_bytes(&claims.kind.mark())?;
        writer.put_bytes(&salt)?;
        writer.put_bytes(sealed)?;
        Ok(writer.position())
    }

    /// Reads the token of an Initial packet of this version from `remote`.
    // RFC 9000 8.1.3 #14
    pub fn open(
        &self,
        token: &[u8],
        version: Version,
        remote: SocketAddr,
        now: Instant,
    ) -> Result<Validated, TokenError> {
        let kind = TokenKind::of(token).ok_or(TokenError::Unknown)?;
        let reader = Reader::new(token.get(MARK_LEN..).unwrap_or_default());
        let bad = match kind {
            TokenKind::NewToken => TokenError::Unknown,
            TokenKind::Retry => TokenError::InvalidRetry,
        };
        let (claims, salt) = self.decrypt(reader, (kind, version), remote).ok_or(bad)?;
        // A token from the future cannot be: the clock does not go back.
        match now.checked_since(claims.issued) {
            Some(age) if age <= kind.lifetime() => {}
            _ => return Err(TokenError::Expired(kind)),
        }
        let nonce = salt.first_chunk().copied().map_or(0, u64::from_le_bytes);
        Ok(Validated { claims, nonce })
    }

    fn decrypt(
        &self,
        mut reader: Reader<'_>,
        given: (TokenKind, Version),
        remote: SocketAddr,
    ) -> Option<(Claims, [u8; SALT_LEN])> {
        let salt = reader.array::<SALT_LEN>().ok()?;
        let mut scratch = [0; MAX_AAD_LEN + MAX_PLAIN_LEN + TAG_LEN];
        let mut writer = Writer::new(&mut scratch);
        let aad_len = put_aad(&mut writer, given, &salt, remote).ok()?;
        writer.put_bytes(reader.rest()).ok()?;
        let end = writer.position();
        let mut key = self.derive(&salt).ok()?;
        let len = key.open(0, scratch.get_mut(..end)?, aad_len).ok()?;
        let plain = scratch.get(aad_len..)?.get(..len)?;
        Some((get_claims(plain, given).ok()??, salt))
    }

    fn derive(&self, salt: &[u8; SALT_LEN]) -> Result<PacketKey, KeyError> {
        let mut bytes = [0; 32];
        hmac(Hash::Sha256, &self.0, &[b"quic token", salt], &mut bytes);
        let result = match bytes.split_first_chunk::<12>() {
            // 12 bytes of nonce and 16 of key are 28 of the 32.
            Some((iv, rest)) => {
                let key = rest.first_chunk::<16>().ok_or(KeyError::Invalid)?;
                PacketKey::new_library(Suite::Aes128Gcm, key, iv)
            }
            None => Err(KeyError::Invalid),
        };
        wipe(&mut bytes);
        result
    }
}

impl Drop for TokenKey {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl core::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TokenKey")
    }
}

impl From<NoSpace> for KeyError {
    fn from(_: NoSpace) -> Self {
        KeyError::Invalid
    }
}

/// Writes what the token is bound to.  A Retry is answered from the same port; a later connection
/// comes from another.
// RFC 9000 8.1.4 #3, RFC 9000 8.1.4 #4
fn put_aad(
    writer: &mut Writer<'_>,
    (kind, version): (TokenKind, Version),
    salt: &[u8; SALT_LEN],
    remote: SocketAddr,
) -> Result<usize, NoSpace> {
    writer.put_bytes(&kind.mark())?;
    writer.put_bytes(salt)?;
    writer.put_bytes(&version.0.to_be_bytes())?;
    match remote.ip().to_canonical() {
        IpAddr::V4(ip) => writer.put_bytes(&ip.octets())?,
        IpAddr::V6(ip) => writer.put_bytes(&ip.octets())?,
    }
    if kind == TokenKind::Retry {
        writer.put_u16(remote.port())?;
    }
    Ok(writer.position())
}

fn put_claims(writer: &mut Writer<'_>, claims: &Claims) -> Result<(), NoSpace> {
    writer.put_bytes(&claims.issued.as_nanos().to_be_bytes())?;
    if claims.kind == TokenKind::Retry {
        writer.put_varint_bytes(claims.original_dcid.as_slice())?;
        writer.put_varint_bytes(claims.retry_scid.as_slice())?;
    }
    Ok(())
}

fn get_claims(
    plain: &[u8],
    (kind, version): (TokenKind, Version),
) -> Result<Option<Claims>, Truncated> {
    let mut reader = Reader::new(plain);
    let issued = Instant::from_nanos(u64::from_be_bytes(reader.array()?));
    let mut ids = [ConnectionId::EMPTY; 2];
    if kind == TokenKind::Retry {
        for id in &mut ids {
            match ConnectionId::new(reader.varint_bytes()?) {
                Some(given) => *id = given,
                None => return Ok(None),
            }
        }
    }
    let [original_dcid, retry_scid] = ids;
    Ok(reader.is_empty().then_some(Claims {
        kind,
        version,
        issued,
        original_dcid,
        retry_scid,
    }))
}

#[cfg(test)]
mod tests;
