// SPDX-License-Identifier: GPL-2.0

//! Secrets, and the keys made from them for the levels without key phases.

#![forbid(unsafe_code)]

use super::{
    hkdf::{
        self,
        Label, //
    },
    limits, //
};
use crate::{
    aead::{
        HeaderKey,
        KeyError,
        PacketKey,
        Suite, //
    },
    common::{
        ConnectionId,
        Side,
        Version, //
    },
    packet::{
        Sealed,
        Unsealed, //
    },
};
use core::fmt;

/// The longest digest, and so the longest secret, in bytes.
const MAX_SECRET: usize = 48;

/// A traffic secret, wiped when dropped.
pub struct Secret {
    bytes: [u8; MAX_SECRET],
    suite: Suite,
}

impl Secret {
    /// Takes a secret of TLS, as long as the digest of the suite.
    pub fn new(suite: Suite, bytes: &[u8]) -> Result<Self, KeyError> {
        let mut secret = Self::zeroed(suite);
        if bytes.len() != suite.hash().len() {
            return Err(KeyError::Invalid);
        }
        let to = secret.bytes.get_mut(..bytes.len());
        to.ok_or(KeyError::Invalid)?.copy_from_slice(bytes);
        Ok(secret)
    }

    /// The suite the secret is for.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The secret.
    pub fn as_slice(&self) -> &[u8] {
        let len = self.suite.hash().len();
        self.bytes.get(..len).unwrap_or_default()
    }

    /// The secret after a key update (RFC 9001 section 6.1).
    pub fn next(&self, version: Version) -> Secret {
        let mut next = Self::zeroed(self.suite);
        let len = self.suite.hash().len();
        if let Some(out) = next.bytes.get_mut(..len) {
            self.expand(version, Label::KeyUpdate, out);
        }
        next
    }

    /// Makes the packet key.  May sleep in the kernel.
    pub fn packet_key(&self, version: Version) -> Result<PacketKey, KeyError> {
        self.with_material(version, |key, iv| PacketKey::new(self.suite, key, iv))
    }

    /// Makes the packet key of a level that is set up in any context.
    pub fn library_key(&self, version: Version) -> Result<PacketKey, KeyError> {
        self.with_material(version, |key, iv| {
            PacketKey::new_library(self.suite, key, iv)
        })
    }

    /// Puts the packet key into one that is there already.
    pub fn rekey(&self, version: Version, key: &mut PacketKey) -> Result<(), KeyError> {
        self.with_material(version, |bytes, iv| key.rekey(bytes, iv))
    }

    /// Makes the header key.
    pub fn header_key(&self, version: Version) -> Result<HeaderKey, KeyError> {
        let mut bytes = Wiped([0; 32]);
        let key = bytes.0.get_mut(..self.suite.key_len());
        let key = key.ok_or(KeyError::Invalid)?;
        self.expand(version, Label::HeaderProtection, key);
        HeaderKey::new(self.suite, key)
    }

    fn zeroed(suite: Suite) -> Self {
        Self {
            bytes: [0; MAX_SECRET],
            suite,
        }
    }

    fn expand(&self, version: Version, label: Label, out: &mut [u8]) {
        hkdf::expand_label(self.suite.hash(), self.as_slice(), version, label, out);
    }

    fn with_material<R>(
        &self,
        version: Version,
        with: impl FnOnce(&[u8], &[u8; 12]) -> Result<R, KeyError>,
    ) -> Result<R, KeyError> {
        let mut bytes = Wiped([0; 32]);
        let mut iv = [0; 12];
        let key = bytes.0.get_mut(..self.suite.key_len());
        let key = key.ok_or(KeyError::Invalid)?;
        self.expand(version, Label::Key, key);
        self.expand(version, Label::Iv, &mut iv);
        with(key, &iv)
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({:?})", self.suite)
    }
}

/// Key bytes on the stack, wiped when dropped.
struct Wiped([u8; 32]);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites bytes with zeros, in a way the compiler does not take for useless.
pub(crate) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    core::hint::black_box(bytes);
}

/// The keys that open packets of one level.
#[derive(Debug)]
pub struct RxKeys {
    /// Opens the payload.
    pub packet: PacketKey,
    /// Uncovers the header.
    pub header: HeaderKey,
    /// What both are for.
    pub suite: Suite,
}

impl RxKeys {
    /// Makes the keys of a secret of TLS.  May sleep in the kernel.
    pub fn new(version: Version, secret: &Secret) -> Result<Self, KeyError> {
        Ok(Self {
            packet: secret.packet_key(version)?,
            header: secret.header_key(version)?,
            suite: secret.suite(),
        })
    }
}

/// The keys that seal packets of one level.
#[derive(Debug)]
pub struct TxKeys {
    packet: PacketKey,
    header: HeaderKey,
    sealed: u64,
    limit: u64,
}

impl TxKeys {
    /// Makes the keys of a secret of TLS.  May sleep in the kernel.
    pub fn new(version: Version, secret: &Secret) -> Result<Self, KeyError> {
        Self::from_parts(secret, secret.packet_key(version)?, version)
    }

    fn from_parts(secret: &Secret, packet: PacketKey, version: Version) -> Result<Self, KeyError> {
        Ok(Self {
            packet,
            header: secret.header_key(version)?,
            sealed: 0,
            limit: limits::confidentiality(secret.suite()),
        })
    }

    /// Seals a packet and counts it.  Fails when the key was used as often as it may be, or when
    /// `tail` is not what the packet asks for.
    // RFC 9001 6.6 #1, RFC 9001 6.6 #2
    pub fn seal(&mut self, packet: Unsealed<'_>, tail: &[&[u8]]) -> Result<Sealed, KeyError> {
        if self.sealed >= self.limit {
            return Err(KeyError::Invalid);
        }
        let sealed = packet.seal(&mut self.packet, &self.header, tail)?;
        self.sealed = self.sealed.saturating_add(1);
        Ok(sealed)
    }

    /// Packets sealed so far.
    pub const fn sealed(&self) -> u64 {
        self.sealed
    }

    /// Packets that may be sealed in all.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// Changes to the packet key of another secret; the header key stays.
    // RFC 9001 6.1: header protection is not updated.
    pub(super) fn rekey(&mut self, version: Version, secret: &Secret) -> Result<(), KeyError> {
        secret.rekey(version, &mut self.packet)?;
        self.sealed = 0;
        Ok(())
    }

    /// Lets a test meet the limit.
    #[cfg(test)]
    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }
}

/// The keys of a level without key phases; either direction may come before the other.
#[derive(Debug, Default)]
pub struct SpaceKeys {
    /// For sending.
    pub tx: Option<TxKeys>,
    /// For receiving.
    pub rx: Option<RxKeys>,
}

/// The Initial keys of a connection (RFC 9001 section 5.2), in any context.
///
/// `dcid` is the Destination Connection ID of the client's first Initial packet, or of the first
/// one after a Retry.
pub fn initial_keys(
    version: Version,
    dcid: &ConnectionId,
    side: Side,
) -> Result<SpaceKeys, KeyError> {
    let client = initial_secret(version, dcid, Label::ClientInitial);
    let server = initial_secret(version, dcid, Label::ServerInitial);
    let (tx, rx) = match side {
        Side::Client => (client, server),
        Side::Server => (server, client),
    };
    Ok(SpaceKeys {
        tx: Some(TxKeys::from_parts(&tx, tx.library_key(version)?, version)?),
        rx: Some(RxKeys {
            packet: rx.library_key(version)?,
            header: rx.header_key(version)?,
            suite: rx.suite(),
        }),
    })
}

/// The Initial secret of one side.
pub(super) fn initial_secret(version: Version, dcid: &ConnectionId, label: Label) -> Secret {
    let hash = Suite::Aes128Gcm.hash();
    let mut common = Wiped([0; 32]);
    let salt = hkdf::initial_salt(version);
    hkdf::extract(hash, &salt, dcid.as_slice(), &mut common.0);
    let mut secret = Secret::zeroed(Suite::Aes128Gcm);
    if let Some(out) = secret.bytes.get_mut(..hash.len()) {
        hkdf::expand_label(hash, &common.0, version, label, out);
    }
    secret
}
