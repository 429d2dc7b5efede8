// SPDX-License-Identifier: GPL-2.0

//! The block functions of header protection (RFC 9001 5.4); any context.
//!
//! One block a packet: the AES library, and the generic ChaCha block, which is always built in and
//! needs no module of its own.
//!
//! C headers: [`include/crypto/aes.h`](srctree/include/crypto/aes.h),
//! [`include/crypto/chacha.h`](srctree/include/crypto/chacha.h)

use kernel::prelude::*;

use super::wipe;
use crate::{
    aead::KeyError,
    linux::bindings,
    mem::Gfp, //
};

/// An expanded AES key; never moves, and is overwritten when dropped.
///
/// # Invariants
///
/// The key has been prepared by `aes_prepareenckey()`.
pub struct AesKey(KBox<bindings::aes_enckey>);

impl AesKey {
    /// Expands a key of 16 or 32 bytes; any context.
    pub fn new(raw: &[u8]) -> Result<Self, KeyError> {
        let place = KBox::<bindings::aes_enckey>::zeroed(Gfp::atomic().flags())
            .map_err(|_| KeyError::NoMemory)?;
        let mut key = Self(place);
        // SAFETY: The key is valid for writes, `raw` for reads of its length.
        let err = unsafe { bindings::aes_prepareenckey(&mut *key.0, raw.as_ptr(), raw.len()) };
        // INVARIANT: Prepared if there was no error, and not given out otherwise.
        match err {
            0 => Ok(key),
            _ => Err(KeyError::Invalid),
        }
    }

    /// Encrypts one block.
    pub fn encrypt(&self, block: &[u8; 16]) -> [u8; 16] {
        let mut out = [0; 16];
        // SAFETY: The key is prepared by the type invariants; `out` and `block` are one block long.
        unsafe { bindings::aes_encrypt_block(&*self.0, out.as_mut_ptr(), block.as_ptr()) };
        out
    }
}

impl Drop for AesKey {
    fn drop(&mut self) {
        // SAFETY: The key consists of integers, for which zero is a value.
        unsafe { wipe(&mut *self.0) };
    }
}

/// A ChaCha20 key; never moves, and is overwritten when dropped.
pub struct ChaChaKey(KBox<[u32; 8]>);

impl ChaChaKey {
    /// Takes a key of 32 bytes; any context.
    pub fn new(raw: &[u8]) -> Result<Self, KeyError> {
        if raw.len() != 32 {
            return Err(KeyError::Invalid);
        }
        let place =
            KBox::<[u32; 8]>::zeroed(Gfp::atomic().flags()).map_err(|_| KeyError::NoMemory)?;
        let mut key = Self(place);
        let words = raw.chunks_exact(4).filter_map(|word| word.try_into().ok());
        for (to, word) in key.0.iter_mut().zip(words) {
            *to = u32::from_le_bytes(word);
        }
        Ok(key)
    }

    /// The first bytes of the key stream whose counter and nonce are `sample`.
    pub fn block(&self, sample: &[u8; 16]) -> [u8; 16] {
        let mut state = bindings::chacha_state::default();
        let mut stream = [0; 64];
        // SAFETY: The state is valid for writes, the key has 8 words and `sample` is an IV long.
        unsafe { bindings::chacha_init(&mut state, self.0.as_ptr(), sample.as_ptr()) };
        // SAFETY: The state has been initialised, and `stream` is one ChaCha block long.
        unsafe { bindings::chacha_block_generic(&mut state, stream.as_mut_ptr(), ROUNDS) };
        // SAFETY: The state consists of integers, for which zero is a value.
        unsafe { wipe(&mut state) };
        let mut out = [0; 16];
        out.iter_mut().zip(stream).for_each(|(to, from)| *to = from);
        out
    }
}

impl Drop for ChaChaKey {
    fn drop(&mut self) {
        // SAFETY: The key consists of integers, for which zero is a value.
        unsafe { wipe(&mut *self.0) };
    }
}

/// ChaCha20, as against ChaCha12 and ChaCha8.
const ROUNDS: i32 = 20;
