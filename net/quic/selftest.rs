// SPDX-License-Identifier: GPL-2.0

//! A check of the kernel's cryptography behind the `aead` facade, and of socket buffers behind that
//! of `buf`, run when the module is loaded with `selftest=1`. Process context.
//!
//! The host tests cannot do this: there the facade has another implementation. The vectors are
//! those of RFC 9001 appendix A; where it has none for a suite, two implementations are compared.

#![forbid(unsafe_code)]

mod windows;

use kernel::prelude::*;

use crate::{
    aead::{
        ct_eq,
        hmac,
        Hash,
        HeaderKey,
        KeyError,
        PacketKey,
        Suite,
        TAG_LEN, //
    },
    mem::Vec, //
};

/// One check; what fails is an expectation or a call.
type Check = fn() -> Result;

/// Runs all checks; says in the log which one failed.
pub(crate) fn run() -> Result {
    let checks: [(&str, Check); 8] = [
        ("initial secret", initial_secret),
        ("client Initial", client_initial),
        ("ChaCha20-Poly1305 short header", chacha_short_header),
        ("round trips", round_trips),
        ("vmalloc memory", vmalloc_memory_is_refused),
        ("datagram windows", windows::retained_bytes_keep_their_value),
        ("batches", windows::a_batch_is_charged_while_a_part_is_kept),
        ("many batches", windows::beyond_the_limit_parts_are_copied),
    ];
    for (name, check) in checks {
        if let Err(error) = check() {
            pr_err!("selftest: {} failed: {:?}\n", name, error);
            return Err(error);
        }
    }
    pr_info!("selftest: {} checks passed\n", checks.len());
    Ok(())
}

fn expect(condition: bool) -> Result {
    match condition {
        true => Ok(()),
        false => Err(EINVAL),
    }
}

/// RFC 9001 A.1: HKDF-Extract is one HMAC.
fn initial_secret() -> Result {
    let mut secret = [0; 32];
    let [one, rest @ ..] = &DCID;
    hmac(Hash::Sha256, &SALT, &[&[*one], rest], &mut secret);
    expect(ct_eq(&secret, &INITIAL_SECRET))?;
    // RFC 4231, test case 2.
    let mut long = [0; 48];
    hmac(
        Hash::Sha384,
        b"Jefe",
        &[b"what do ya want for nothing?"],
        &mut long,
    );
    expect(long.starts_with(&HMAC_SHA384_CASE_2))
}

/// RFC 9001 A.2, sealed from two pieces by the library and by a transform.
fn client_initial() -> Result {
    let mut header_key = HeaderKey::new(Suite::Aes128Gcm, &INITIAL_HP)?;
    for make in [PacketKey::new_library, PacketKey::new] {
        let mut key = make(Suite::Aes128Gcm, &INITIAL_KEY, &INITIAL_IV)?;
        let mut packet = Vec::new();
        packet.try_extend_from_slice(&INITIAL_HEADER)?;
        packet.try_resize(INITIAL_LEN, 0)?;
        let mut padded = Vec::new();
        padded.try_extend_from_slice(&CLIENT_HELLO)?;
        padded.try_resize(const { INITIAL_LEN - INITIAL_HEADER.len() - TAG_LEN }, 0)?;
        let len = INITIAL_HEADER.len();
        let (first, second) = padded.split_at_checked(100).ok_or(EINVAL)?;
        let sealed = key.seal(2, &mut packet, len, len, &[first, second])?;
        expect(sealed == INITIAL_LEN)?;
        expect(packet.ends_with(&INITIAL_TAG))?;
        // The packet number has four bytes, so that the sample follows it at once.
        let sample = packet.get(len..).and_then(|rest| rest.first_chunk());
        expect(header_key.mask(sample.ok_or(EINVAL)?) == INITIAL_MASK)?;
        expect(key.open(2, &mut packet, len) == Ok(padded.len()))?;
        expect(
            packet
                .get(len..)
                .is_some_and(|text| text.starts_with(&padded)),
        )?;
        header_key = HeaderKey::new(Suite::Aes128Gcm, &INITIAL_HP)?;
    }
    Ok(())
}

/// RFC 9001 A.5.
fn chacha_short_header() -> Result {
    let suite = Suite::ChaCha20Poly1305;
    let mut key = PacketKey::new(suite, &[0; 32], &[0; 12])?;
    key.rekey(&CHACHA_KEY, &CHACHA_IV)?;
    let mut packet = Vec::new();
    packet.try_extend_from_slice(&[0x42, 0x00, 0xbf, 0xf4, 0x01])?;
    packet.try_resize(21, 0)?;
    expect(key.seal(654_360_564, &mut packet, 4, 5, &[]) == Ok(21))?;
    let sealed = packet.get(4..).ok_or(EINVAL)?;
    expect(sealed == CHACHA_SEALED)?;
    let sample = sealed.last_chunk().ok_or(EINVAL)?;
    let mask = HeaderKey::new(suite, &CHACHA_HP)?.mask(sample);
    expect(mask == [0xae, 0xfe, 0xfe, 0x7d, 0x03])
}

/// What is sealed in pieces is what is sealed at once, opens, and does not open when changed.
fn round_trips() -> Result {
    for suite in SUITES {
        let raw = repeat(suite.key_len(), 0x5a)?;
        let mut key = PacketKey::new(suite, &repeat(suite.key_len(), 9)?, &[1; 12])?;
        key.rekey(&raw, &[3; 12])?;
        let mut library = match suite {
            Suite::ChaCha20Poly1305 => PacketKey::new(suite, &raw, &[3; 12])?,
            _ => PacketKey::new_library(suite, &raw, &[3; 12])?,
        };
        for inline in [0, 1, 15, 16, 63, 64, 65, 200] {
            for tail in [0, 1, 48, 64, 129, 1000] {
                round_trip(&mut key, &mut library, inline, tail)?;
            }
        }
    }
    Ok(())
}

fn round_trip(
    key: &mut PacketKey,
    reference: &mut PacketKey,
    inline: usize,
    tail: usize,
) -> Result {
    let lead = HEADER.saturating_add(inline);
    let mut text = repeat(lead.saturating_add(tail.saturating_mul(3)), 0)?;
    let mut byte = 0_u8;
    for place in text.iter_mut() {
        byte = byte.wrapping_add(37);
        *place = byte;
    }
    let total = text.len().saturating_add(TAG_LEN);
    let (packet, rest) = text.split_at_checked(lead).ok_or(EINVAL)?;
    let (one, rest) = rest.split_at_checked(tail).ok_or(EINVAL)?;
    let (two, three) = rest.split_at_checked(tail).ok_or(EINVAL)?;

    let mut whole = Vec::new();
    whole.try_extend_from_slice(&text)?;
    whole.try_resize(total, 0)?;
    expect(reference.seal(7, &mut whole, HEADER, text.len(), &[]) == Ok(total))?;

    let mut pieces = Vec::new();
    pieces.try_extend_from_slice(packet)?;
    pieces.try_resize(total, 0xff)?;
    let tail = [one, &[], two, three];
    expect(key.seal(7, &mut pieces, HEADER, packet.len(), &tail) == Ok(total))?;
    expect(pieces.as_slice() == whole.as_slice())?;

    expect(key.open(7, &mut pieces, HEADER) == Ok(text.len().saturating_sub(HEADER)))?;
    expect(pieces.starts_with(&text))?;
    for at in [0, HEADER, total.saturating_sub(1)] {
        let mut bad = Vec::new();
        bad.try_extend_from_slice(&whole)?;
        if let Some(byte) = bad.get_mut(at) {
            *byte ^= 1;
        }
        expect(key.open(7, &mut bad, HEADER) == Err(KeyError::Authentication))?;
    }
    expect(key.open(8, &mut whole, HEADER) == Err(KeyError::Authentication))
}

/// A scatter list cannot name vmalloc memory, where stacks are too; the library takes any.
fn vmalloc_memory_is_refused() -> Result {
    let mut packet = VVec::from_elem(0_u8, 64, GFP_KERNEL)?;
    let mut key = PacketKey::new(Suite::ChaCha20Poly1305, &[1; 32], &[0; 12])?;
    expect(key.seal(0, &mut packet, 4, 8, &[]) == Err(KeyError::Invalid))?;
    let mut key = PacketKey::new_library(Suite::Aes128Gcm, &[1; 16], &[0; 12])?;
    expect(key.seal(0, &mut packet, 4, 8, &[]) == Ok(24))?;
    expect(key.seal(0, &mut packet, 9, 8, &[]) == Err(KeyError::Invalid))?;
    expect(key.seal(0, &mut packet, 4, 49, &[]) == Err(KeyError::Invalid))?;
    let (short, _) = packet.split_at_mut_checked(19).ok_or(EINVAL)?;
    expect(key.open(0, short, 4) == Err(KeyError::Invalid))
}

/// A vector of the same byte.
fn repeat(len: usize, byte: u8) -> Result<Vec<u8>> {
    let mut vec = Vec::new();
    vec.try_resize(len, byte)?;
    Ok(vec)
}

const SUITES: [Suite; 4] = [
    Suite::Aes128Gcm,
    Suite::Aes256Gcm,
    Suite::Aes128Ccm,
    Suite::ChaCha20Poly1305,
];

/// Length of the associated data in the round trips; odd, so that nothing is aligned.
const HEADER: usize = 13;

/// RFC 9001 5.2.
const SALT: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];

/// RFC 9001 A.
const DCID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

/// RFC 9001 A.1.
const INITIAL_SECRET: [u8; 32] = [
    0x7d, 0xb5, 0xdf, 0x06, 0xe7, 0xa6, 0x9e, 0x43, 0x24, 0x96, 0xad, 0xed, 0xb0, 0x08, 0x51, 0x92,
    0x35, 0x95, 0x22, 0x15, 0x96, 0xae, 0x2a, 0xe9, 0xfb, 0x81, 0x15, 0xc1, 0xe9, 0xed, 0x0a, 0x44,
];

/// RFC 9001 A.1, client.
const INITIAL_KEY: [u8; 16] = [
    0x1f, 0x36, 0x96, 0x13, 0xdd, 0x76, 0xd5, 0x46, 0x77, 0x30, 0xef, 0xcb, 0xe3, 0xb1, 0xa2, 0x2d,
];

/// RFC 9001 A.1, client.
const INITIAL_IV: [u8; 12] = [
    0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3, 0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c,
];

/// RFC 9001 A.1, client.
const INITIAL_HP: [u8; 16] = [
    0x9f, 0x50, 0x44, 0x9e, 0x04, 0xa0, 0xe8, 0x10, 0x28, 0x3a, 0x1e, 0x99, 0x33, 0xad, 0xed, 0xd2,
];

/// RFC 9001 A.2, unprotected.
const INITIAL_HEADER: [u8; 22] = [
    0xc3, 0x00, 0x00, 0x00, 0x01, 0x08, 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08, 0x00, 0x00,
    0x44, 0x9e, 0x00, 0x00, 0x00, 0x02,
];

/// RFC 9001 A.2: length of the protected packet.
const INITIAL_LEN: usize = 1200;

/// RFC 9001 A.2.
const INITIAL_MASK: [u8; 5] = [0x43, 0x7b, 0x9a, 0xec, 0x36];

/// RFC 9001 A.2: the end of the protected packet.
const INITIAL_TAG: [u8; 16] = [
    0xe2, 0x21, 0xaf, 0x44, 0x86, 0x00, 0x18, 0xab, 0x08, 0x56, 0x97, 0x2e, 0x19, 0x4c, 0xd9, 0x34,
];

/// RFC 9001 A.2: the CRYPTO frame.
const CLIENT_HELLO: [u8; 245] = [
    0x06, 0x00, 0x40, 0xf1, 0x01, 0x00, 0x00, 0xed, 0x03, 0x03, 0xeb, 0xf8, 0xfa, 0x56, 0xf1, 0x29,
    0x39, 0xb9, 0x58, 0x4a, 0x38, 0x96, 0x47, 0x2e, 0xc4, 0x0b, 0xb8, 0x63, 0xcf, 0xd3, 0xe8, 0x68,
    0x04, 0xfe, 0x3a, 0x47, 0xf0, 0x6a, 0x2b, 0x69, 0x48, 0x4c, 0x00, 0x00, 0x04, 0x13, 0x01, 0x13,
    0x02, 0x01, 0x00, 0x00, 0xc0, 0x00, 0x00, 0x00, 0x10, 0x00, 0x0e, 0x00, 0x00, 0x0b, 0x65, 0x78,
    0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x63, 0x6f, 0x6d, 0xff, 0x01, 0x00, 0x01, 0x00, 0x00, 0x0a,
    0x00, 0x08, 0x00, 0x06, 0x00, 0x1d, 0x00, 0x17, 0x00, 0x18, 0x00, 0x10, 0x00, 0x07, 0x00, 0x05,
    0x04, 0x61, 0x6c, 0x70, 0x6e, 0x00, 0x05, 0x00, 0x05, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x33,
    0x00, 0x26, 0x00, 0x24, 0x00, 0x1d, 0x00, 0x20, 0x93, 0x70, 0xb2, 0xc9, 0xca, 0xa4, 0x7f, 0xba,
    0xba, 0xf4, 0x55, 0x9f, 0xed, 0xba, 0x75, 0x3d, 0xe1, 0x71, 0xfa, 0x71, 0xf5, 0x0f, 0x1c, 0xe1,
    0x5d, 0x43, 0xe9, 0x94, 0xec, 0x74, 0xd7, 0x48, 0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04, 0x00,
    0x0d, 0x00, 0x10, 0x00, 0x0e, 0x04, 0x03, 0x05, 0x03, 0x06, 0x03, 0x02, 0x03, 0x08, 0x04, 0x08,
    0x05, 0x08, 0x06, 0x00, 0x2d, 0x00, 0x02, 0x01, 0x01, 0x00, 0x1c, 0x00, 0x02, 0x40, 0x01, 0x00,
    0x39, 0x00, 0x32, 0x04, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x05, 0x04, 0x80,
    0x00, 0xff, 0xff, 0x07, 0x04, 0x80, 0x00, 0xff, 0xff, 0x08, 0x01, 0x10, 0x01, 0x04, 0x80, 0x00,
    0x75, 0x30, 0x09, 0x01, 0x10, 0x0f, 0x08, 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08, 0x06,
    0x04, 0x80, 0x00, 0xff, 0xff,
];

/// RFC 9001 A.5.
const CHACHA_KEY: [u8; 32] = [
    0xc6, 0xd9, 0x8f, 0xf3, 0x44, 0x1c, 0x3f, 0xe1, 0xb2, 0x18, 0x20, 0x94, 0xf6, 0x9c, 0xaa, 0x2e,
    0xd4, 0xb7, 0x16, 0xb6, 0x54, 0x88, 0x96, 0x0a, 0x7a, 0x98, 0x49, 0x79, 0xfb, 0x23, 0xe1, 0xc8,
];

/// RFC 9001 A.5.
const CHACHA_IV: [u8; 12] = [
    0xe0, 0x45, 0x9b, 0x34, 0x74, 0xbd, 0xd0, 0xe4, 0x4a, 0x41, 0xc1, 0x44,
];

/// RFC 9001 A.5.
const CHACHA_HP: [u8; 32] = [
    0x25, 0xa2, 0x82, 0xb9, 0xe8, 0x2f, 0x06, 0xf2, 0x1f, 0x48, 0x89, 0x17, 0xa4, 0xfc, 0x8f, 0x1b,
    0x73, 0x57, 0x36, 0x85, 0x60, 0x85, 0x97, 0xd0, 0xef, 0xcb, 0x07, 0x6b, 0x0a, 0xb7, 0xa7, 0xa4,
];

/// RFC 9001 A.5: the ciphertext with its tag.
const CHACHA_SEALED: [u8; 17] = [
    0x65, 0x5e, 0x5c, 0xd5, 0x5c, 0x41, 0xf6, 0x90, 0x80, 0x57, 0x5d, 0x79, 0x99, 0xc2, 0x5a, 0x5b,
    0xfb,
];

/// RFC 4231 4.3.
const HMAC_SHA384_CASE_2: [u8; 48] = [
    0xaf, 0x45, 0xd2, 0xe3, 0x76, 0x48, 0x40, 0x31, 0x61, 0x7f, 0x78, 0xd2, 0xb5, 0x8a, 0x6b, 0x1b,
    0x9c, 0x7e, 0xf4, 0x64, 0xf5, 0xa0, 0x1b, 0x47, 0xe4, 0x2e, 0xc3, 0x73, 0x63, 0x22, 0x44, 0x5e,
    0x8e, 0x22, 0x40, 0xca, 0x5e, 0x69, 0xe2, 0xc7, 0x8b, 0x32, 0x39, 0xec, 0xfa, 0xb2, 0x16, 0x49,
];
