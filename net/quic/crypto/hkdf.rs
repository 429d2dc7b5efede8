// SPDX-License-Identifier: GPL-2.0

//! The key schedule: HKDF (RFC 5869) with the labels of TLS 1.3 (RFC 8446 section 7.1) and of the
//! QUIC versions (RFC 9001 section 5.1, RFC 9369 section 3.3).

#![forbid(unsafe_code)]

use crate::{
    aead::{
        hmac,
        Hash, //
    },
    common::Version, //
};

/// What a label is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The client's Initial secret.
    ClientInitial,
    /// The server's Initial secret.
    ServerInitial,
    /// The packet key.
    Key,
    /// The IV of the packet key.
    Iv,
    /// The header key.
    HeaderProtection,
    /// The secret after a key update.
    KeyUpdate,
}

impl Label {
    /// The label of a version, without the prefix of TLS.
    // RFC 9001 9.6 #1
    const fn bytes(self, version: Version) -> &'static [u8] {
        match (self, version) {
            (Label::ClientInitial, _) => b"client in",
            (Label::ServerInitial, _) => b"server in",
            (Label::Key, Version::V2) => b"quicv2 key",
            (Label::Iv, Version::V2) => b"quicv2 iv",
            (Label::HeaderProtection, Version::V2) => b"quicv2 hp",
            (Label::KeyUpdate, Version::V2) => b"quicv2 ku",
            (Label::Key, _) => b"quic key",
            (Label::Iv, _) => b"quic iv",
            (Label::HeaderProtection, _) => b"quic hp",
            (Label::KeyUpdate, _) => b"quic ku",
        }
    }
}

/// The salt of the Initial secrets.
// RFC 9001 9.6 #2
pub const fn initial_salt(version: Version) -> [u8; 20] {
    match version {
        Version::V2 => [
            0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26,
            0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9,
        ],
        _ => [
            0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
            0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a,
        ],
    }
}

/// HKDF-Extract.
pub fn extract(hash: Hash, salt: &[u8], input: &[u8], out: &mut [u8]) {
    hmac(hash, salt, &[input], out);
}

/// HKDF-Expand-Label with an empty context.  `out` is at most as long as the digest: nothing here
/// is longer, so that one round is enough.
// RFC 9001 5.2 #2
pub fn expand_label(hash: Hash, secret: &[u8], version: Version, label: Label, out: &mut [u8]) {
    let label = label.bytes(version);
    // CAST: both lengths are below 64.
    let out_len = [0, out.len() as u8];
    let label_len = [label.len().saturating_add(TLS_PREFIX.len()) as u8];
    let context_len = [0];
    let round = [1];
    let info: [&[u8]; 6] = [
        &out_len,
        &label_len,
        TLS_PREFIX,
        label,
        &context_len,
        &round,
    ];
    hmac(hash, secret, &info, out);
}

const TLS_PREFIX: &[u8] = b"tls13 ";
