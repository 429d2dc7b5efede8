// SPDX-License-Identifier: GPL-2.0

//! Packet protection primitives (RFC 9001 5) over the kernel's cryptography.
//!
//! Keys for established connections are transforms of the crypto API, which has the fast AES-GCM;
//! keys that are needed where nothing may sleep come from the library. Either way the nonce is the
//! IV with the packet number mixed in, so a key never sees one chosen by a caller. All methods may
//! be called in any context, unless they say otherwise. A key is used under the lock of its owner.
//!
//! The host's twin is `tools/testing/host/core/src/aead.rs`; both have the same interface.
//!
//! C headers: [`include/crypto`](srctree/include/crypto)

use core::fmt;

use kernel::prelude::*;

use crate::linux::crypto::{
    self,
    aead::Aead,
    ccm,
    gcm,
    mask,
    Message,
    NONCE_LEN, //
};

#[path = "aead/suite.rs"]
mod suite;

pub use suite::{
    Hash,
    KeyError,
    Suite,
    TAG_LEN, //
};

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Unsupported => ENOENT,
            KeyError::NoMemory => ENOMEM,
            KeyError::Authentication => EBADMSG,
            KeyError::Invalid => EINVAL,
        }
    }
}

/// Computes an HMAC over the concatenation of `data`. A shorter `out` takes the first bytes, a
/// longer one keeps its tail.
pub fn hmac(hash: Hash, key: &[u8], data: &[&[u8]], out: &mut [u8]) {
    fn give(mut digest: impl AsMut<[u8]>, out: &mut [u8]) {
        let digest = digest.as_mut();
        for (to, from) in out.iter_mut().zip(digest.iter()) {
            *to = *from;
        }
        crypto::hmac::forget(digest);
    }
    match hash {
        Hash::Sha256 => give(crypto::hmac::sha256(key, data), out),
        Hash::Sha384 => give(crypto::hmac::sha384(key, data), out),
    }
}

/// Compares in time that depends on the lengths only.
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    crypto::hmac::ct_eq(a, b)
}

/// The key that protects packets in one direction.
pub struct PacketKey {
    suite: Suite,
    cipher: Cipher,
    iv: [u8; NONCE_LEN],
}

enum Cipher {
    Transform(Aead),
    Gcm(gcm::Key),
    Ccm(ccm::Key),
}

impl PacketKey {
    /// Makes a key with the fastest implementation there is. Process context: may sleep, and may
    /// load the module of the algorithm.
    pub fn new(suite: Suite, key: &[u8], iv: &[u8; 12]) -> Result<Self, KeyError> {
        let name = match suite {
            Suite::Aes128Gcm | Suite::Aes256Gcm => c"gcm(aes)",
            Suite::ChaCha20Poly1305 => c"rfc7539(chacha20,poly1305)",
            Suite::Aes128Ccm => return Self::new_library(suite, key, iv),
        };
        check_len(suite, key)?;
        let mut aead = Aead::new(name)?;
        // The library has no ChaCha20-Poly1305 with nonces of this length.
        if aead.is_generic() && suite != Suite::ChaCha20Poly1305 {
            return Self::new_library(suite, key, iv);
        }
        aead.set_key(key)?;
        Ok(Self {
            suite,
            cipher: Cipher::Transform(aead),
            iv: *iv,
        })
    }

    /// Makes a key of the AES library, for Initial packets, Retry and tokens; never sleeps.
    pub fn new_library(suite: Suite, key: &[u8], iv: &[u8; 12]) -> Result<Self, KeyError> {
        check_len(suite, key)?;
        let cipher = match suite {
            Suite::Aes128Gcm | Suite::Aes256Gcm => Cipher::Gcm(gcm::Key::new(key)?),
            Suite::Aes128Ccm => Cipher::Ccm(ccm::Key::new(key)?),
            Suite::ChaCha20Poly1305 => return Err(KeyError::Unsupported),
        };
        Ok(Self {
            suite,
            cipher,
            iv: *iv,
        })
    }

    /// Replaces the key, without sleeping and without allocation.
    pub fn rekey(&mut self, key: &[u8], iv: &[u8; 12]) -> Result<(), KeyError> {
        check_len(self.suite, key)?;
        match &mut self.cipher {
            Cipher::Transform(aead) => aead.set_key(key)?,
            Cipher::Gcm(library) => library.rekey(key)?,
            Cipher::Ccm(library) => library.rekey(key)?,
        }
        self.iv = *iv;
        Ok(())
    }

    /// Seals `packet[header_len..inline_end]` followed by the segments of `tail`, with
    /// `packet[..header_len]` as associated data, and returns the length of the packet with tag.
    ///
    /// Packet and segments must be heap memory or pages, unless the key is one of the library.
    pub fn seal(
        &mut self,
        pn: u64,
        packet: &mut [u8],
        header_len: usize,
        inline_end: usize,
        tail: &[&[u8]],
    ) -> Result<usize, KeyError> {
        let nonce = self.nonce(pn);
        let mut message = Message::new(packet, header_len, inline_end, tail, TAG_LEN)?;
        match &mut self.cipher {
            Cipher::Transform(aead) => aead.seal(&nonce, &mut message),
            Cipher::Gcm(library) => library.seal(&nonce, &mut message),
            Cipher::Ccm(library) => library.seal(&nonce, &mut message),
        }
    }

    /// Opens `packet[header_len..]` in place and returns the length of the plain text there.
    pub fn open(
        &mut self,
        pn: u64,
        packet: &mut [u8],
        header_len: usize,
    ) -> Result<usize, KeyError> {
        let nonce = self.nonce(pn);
        match &mut self.cipher {
            Cipher::Transform(aead) => aead.open(&nonce, packet, header_len),
            Cipher::Gcm(library) => library.open(&nonce, packet, header_len),
            Cipher::Ccm(library) => library.open(&nonce, packet, header_len),
        }
    }

    /// The packet number, as long as the IV and in network order, mixed into it (RFC 9001 5.3).
    fn nonce(&self, pn: u64) -> [u8; NONCE_LEN] {
        let mut nonce = self.iv;
        let tail = nonce.iter_mut().rev().zip(pn.to_le_bytes());
        tail.for_each(|(to, from)| *to ^= from);
        nonce
    }
}

impl Drop for PacketKey {
    fn drop(&mut self) {
        crypto::hmac::forget(&mut self.iv);
    }
}

impl fmt::Debug for PacketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PacketKey({:?})", self.suite)
    }
}

/// The key that protects packet numbers and flags in one direction (RFC 9001 5.4).
pub struct HeaderKey(HeaderCipher);

enum HeaderCipher {
    Aes(mask::AesKey),
    ChaCha20(mask::ChaChaKey),
}

impl HeaderKey {
    /// Makes a key; never sleeps.
    pub fn new(suite: Suite, key: &[u8]) -> Result<Self, KeyError> {
        check_len(suite, key)?;
        Ok(Self(match suite {
            Suite::ChaCha20Poly1305 => HeaderCipher::ChaCha20(mask::ChaChaKey::new(key)?),
            _ => HeaderCipher::Aes(mask::AesKey::new(key)?),
        }))
    }

    /// Computes the mask for the first byte and the packet number from a sample of the payload.
    pub fn mask(&self, sample: &[u8; 16]) -> [u8; 5] {
        let [a, b, c, d, e, ..] = match &self.0 {
            HeaderCipher::Aes(key) => key.encrypt(sample),
            HeaderCipher::ChaCha20(key) => key.block(sample),
        };
        [a, b, c, d, e]
    }
}

impl fmt::Debug for HeaderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeaderKey")
    }
}

fn check_len(suite: Suite, key: &[u8]) -> Result<(), KeyError> {
    match key.len() == suite.key_len() {
        true => Ok(()),
        false => Err(KeyError::Invalid),
    }
}
