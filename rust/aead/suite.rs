// SPDX-License-Identifier: GPL-2.0

//! Cipher suites (RFC 8446 B.4): lengths and hashes, and why a key can fail. Shared by the kernel
//! and by the host's twin.

#![forbid(unsafe_code)]

use crate::mem::AllocError;

/// Length of the authentication tag of every suite in bytes.
pub const TAG_LEN: usize = 16;

/// The AEAD of a TLS 1.3 cipher suite, with its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// TLS_AES_128_GCM_SHA256; also protects Initial packets.
    Aes128Gcm,
    /// TLS_AES_256_GCM_SHA384.
    Aes256Gcm,
    /// TLS_AES_128_CCM_SHA256.
    Aes128Ccm,
    /// TLS_CHACHA20_POLY1305_SHA256.
    ChaCha20Poly1305,
}

impl Suite {
    /// Length of the packet key and of the header key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Suite::Aes128Gcm | Suite::Aes128Ccm => 16,
            Suite::Aes256Gcm | Suite::ChaCha20Poly1305 => 32,
        }
    }

    /// The hash of the key schedule.
    pub const fn hash(self) -> Hash {
        match self {
            Suite::Aes256Gcm => Hash::Sha384,
            _ => Hash::Sha256,
        }
    }
}

/// The hash of a cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

impl Hash {
    /// Length of the digest, and of a secret, in bytes.
    pub const fn len(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
        }
    }

    /// Never true; here because there is a length.
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// Why a key could not be made or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The algorithm is not there.
    Unsupported,
    /// No memory was available.
    NoMemory,
    /// The packet was not sealed with this key.
    Authentication,
    /// A length was wrong, or the memory is of a kind that cannot be sealed in place.
    Invalid,
}

impl From<AllocError> for KeyError {
    fn from(_: AllocError) -> Self {
        KeyError::NoMemory
    }
}
