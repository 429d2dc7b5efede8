// SPDX-License-Identifier: GPL-2.0

//! HMAC by the library; any context, no allocation. HKDF is built on it in the core.
//!
//! C header: [`include/crypto/sha2.h`](srctree/include/crypto/sha2.h)

use core::mem::MaybeUninit;

use crate::linux::bindings;

/// Computes HMAC-SHA256 over the concatenation of `data`.
pub fn sha256(key: &[u8], data: &[&[u8]]) -> [u8; 32] {
    let mut ctx = MaybeUninit::<bindings::hmac_sha256_ctx>::uninit();
    // SAFETY: The context is valid for writes, `key` for reads of its length.
    unsafe { bindings::hmac_sha256_init_usingrawkey(ctx.as_mut_ptr(), key.as_ptr(), key.len()) };
    for part in data {
        // SAFETY: The context has been initialised, `part` is valid for reads of its length.
        unsafe { bindings::hmac_sha256_update(ctx.as_mut_ptr(), part.as_ptr(), part.len()) };
    }
    let mut out = [0; 32];
    // SAFETY: The context has been initialised, `out` is as long as the digest. This overwrites the
    // context.
    unsafe { bindings::hmac_sha256_final(ctx.as_mut_ptr(), out.as_mut_ptr()) };
    out
}

/// Computes HMAC-SHA384 over the concatenation of `data`.
pub fn sha384(key: &[u8], data: &[&[u8]]) -> [u8; 48] {
    let mut ctx = MaybeUninit::<bindings::hmac_sha384_ctx>::uninit();
    // SAFETY: The context is valid for writes, `key` for reads of its length.
    unsafe { bindings::hmac_sha384_init_usingrawkey(ctx.as_mut_ptr(), key.as_ptr(), key.len()) };
    for part in data {
        // SAFETY: The context has been initialised, `part` is valid for reads of its length.
        unsafe { bindings::hmac_sha384_update(ctx.as_mut_ptr(), part.as_ptr(), part.len()) };
    }
    let mut out = [0; 48];
    // SAFETY: The context has been initialised, `out` is as long as the digest. This overwrites the
    // context.
    unsafe { bindings::hmac_sha384_final(ctx.as_mut_ptr(), out.as_mut_ptr()) };
    out
}

/// Overwrites a digest that was key material.
pub fn forget(digest: &mut [u8]) {
    // SAFETY: `digest` is valid for writes of its length.
    unsafe { bindings::memzero_explicit(digest.as_mut_ptr().cast(), digest.len()) };
}

/// Compares in time that depends on the lengths only.
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    // SAFETY: Both are valid for reads of the same length.
    let differ =
        unsafe { bindings::__crypto_memneq(a.as_ptr().cast(), b.as_ptr().cast(), a.len()) };
    differ == 0
}
