// SPDX-License-Identifier: GPL-2.0

//! How often a key may be used (RFC 9001 section 6.6 and appendix B).

#![forbid(unsafe_code)]

use crate::aead::Suite;

/// Packets that may be sealed with one key.
// RFC 9001 6.6 #10
pub const fn confidentiality(suite: Suite) -> u64 {
    match suite {
        Suite::Aes128Gcm | Suite::Aes256Gcm => 1 << 23,
        // 2^21.5
        Suite::Aes128Ccm => 2_965_820,
        // More than there are packet numbers.
        Suite::ChaCha20Poly1305 => u64::MAX,
    }
}

/// Packets that may fail to open, across all keys of a connection.
// RFC 9001 6.6 #11
pub const fn integrity(suite: Suite) -> u64 {
    match suite {
        Suite::Aes128Gcm | Suite::Aes256Gcm => 1 << 52,
        // 2^21.5
        Suite::Aes128Ccm => 2_965_820,
        Suite::ChaCha20Poly1305 => 1 << 36,
    }
}

/// Packets after which a key update is due: three quarters of the limit, so that an update that
/// waits for an acknowledgement of the last one still comes in time.
// RFC 9001 5.3 #3, RFC 9001 6.6 #3
pub const fn update_after(confidentiality: u64) -> u64 {
    confidentiality.saturating_sub(confidentiality / 4)
}
