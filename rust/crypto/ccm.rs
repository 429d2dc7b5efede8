// SPDX-License-Identifier: GPL-2.0

//! AES-CCM by the library: any context, no transform, no scatter list.
//!
//! The crypto API has CCM only as a template over other transforms, which nothing makes faster: the
//! authentication is serial by construction.
//!
//! C header: [`include/crypto/aes-ccm.h`](srctree/include/crypto/aes-ccm.h)

use kernel::prelude::*;

use super::{
    wipe,
    Message,
    Sealed,
    NONCE_LEN, //
};
use crate::{
    aead::{
        KeyError,
        TAG_LEN, //
    },
    linux::bindings,
    mem::Gfp, //
};

/// An expanded key; never moves, and is overwritten when dropped.
///
/// # Invariants
///
/// The key has been prepared by `aes_ccm_preparekey()` for tags of [`TAG_LEN`] bytes.
pub struct Key(KBox<bindings::aes_ccm_key>);

impl Key {
    /// Expands a key of 16 bytes; any context.
    pub fn new(raw: &[u8]) -> Result<Self, KeyError> {
        let place = KBox::<bindings::aes_ccm_key>::zeroed(Gfp::atomic().flags())
            .map_err(|_| KeyError::NoMemory)?;
        let mut key = Self(place);
        // INVARIANT: Established by `rekey`; on its failure the key is not given out.
        key.rekey(raw)?;
        Ok(key)
    }

    /// Replaces the key; any context, and the old one stays when the new one is refused.
    pub fn rekey(&mut self, raw: &[u8]) -> Result<(), KeyError> {
        let key: *mut bindings::aes_ccm_key = &mut *self.0;
        // SAFETY: `key` is valid for writes, `raw` for reads of its length.
        let err = unsafe { bindings::aes_ccm_preparekey(key, raw.as_ptr(), raw.len(), TAG_LEN) };
        match err {
            0 => Ok(()),
            _ => Err(KeyError::Invalid),
        }
    }

    /// Seals `message` and returns its length.
    pub fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        message: &mut Message<'_, '_>,
    ) -> Result<usize, KeyError> {
        let total = message.total();
        let tail = message.tail;
        let parts = message.parts().ok_or(KeyError::Invalid)?;
        let text_len = total
            .saturating_sub(parts.header.len())
            .saturating_sub(TAG_LEN);
        let mut ctx = self.begin(nonce, parts.header, text_len)?;
        let text = parts.inline.as_mut_ptr();
        // SAFETY: `begin` initialised the context; source and destination are the same valid bytes.
        unsafe { bindings::aes_ccm_encrypt_update(&mut ctx, text, text, parts.inline.len()) };
        let mut room = parts.room;
        for part in tail {
            let (to, rest) = core::mem::take(&mut room)
                .split_at_mut_checked(part.len())
                .ok_or(KeyError::Invalid)?;
            // SAFETY: `to` is as long as `part`, and a mutable reference overlaps no other.
            unsafe {
                bindings::aes_ccm_encrypt_update(
                    &mut ctx,
                    to.as_mut_ptr(),
                    part.as_ptr(),
                    part.len(),
                )
            };
            room = rest;
        }
        // SAFETY: The tag has `TAG_LEN` bytes, which is what the key was prepared for.
        unsafe { bindings::aes_ccm_encrypt_final(&mut ctx, parts.tag.as_mut_ptr()) };
        Ok(total)
    }

    /// Opens `packet` in place and returns the length of its text.
    pub fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        packet: &mut [u8],
        header_len: usize,
    ) -> Result<usize, KeyError> {
        let Sealed { header, text, tag } = Sealed::new(packet, header_len, TAG_LEN)?;
        let len = text.len();
        let text = text.as_mut_ptr();
        // SAFETY: `text` is valid for reads and writes of `len` bytes, the other pointers for reads
        // of the given lengths (the tag's was given with the key), and the key is prepared by the
        // type invariants.
        let err = unsafe {
            bindings::aes_ccm_decrypt(
                text,
                text,
                len,
                tag.as_ptr(),
                header.as_ptr(),
                header.len(),
                nonce.as_ptr(),
                NONCE_LEN,
                &*self.0,
            )
        };
        match err {
            0 => Ok(len),
            _ => Err(KeyError::Authentication),
        }
    }

    /// Starts a message: nonce, lengths and associated data. `*_final()` overwrites the context.
    fn begin(
        &self,
        nonce: &[u8; NONCE_LEN],
        header: &[u8],
        text_len: usize,
    ) -> Result<bindings::aes_ccm_ctx, KeyError> {
        let mut ctx = bindings::aes_ccm_ctx::default();
        let text_len = u64::try_from(text_len).map_err(|_| KeyError::Invalid)?;
        let header_len = u64::try_from(header.len()).map_err(|_| KeyError::Invalid)?;
        // SAFETY: The context is valid for writes, `nonce` for reads of the given length, the key is
        // prepared by the type invariants and outlives the context.
        let err = unsafe {
            bindings::aes_ccm_init(
                &mut ctx,
                text_len,
                header_len,
                nonce.as_ptr(),
                NONCE_LEN,
                &*self.0,
            )
        };
        if err != 0 {
            return Err(KeyError::Invalid);
        }
        // SAFETY: The context has just been initialised, and `header` is valid for reads.
        unsafe { bindings::aes_ccm_auth_update(&mut ctx, header.as_ptr(), header.len()) };
        Ok(ctx)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: The key consists of integers, for which zero is a value.
        unsafe { wipe(&mut *self.0) };
    }
}
