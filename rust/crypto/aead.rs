// SPDX-License-Identifier: GPL-2.0

//! A transform of the crypto API with its request, for sealing and opening whole packets.
//!
//! Making one may sleep and load modules; using it and giving it another key never sleep and never
//! allocate: asynchronous algorithms are masked out and the request is made in advance. The API
//! reaches memory through scatter lists, that is through pages of the linear map, so that bytes on
//! a stack or in vmalloc space are refused.
//!
//! C header: [`include/crypto/aead.h`](srctree/include/crypto/aead.h)

use core::ptr::NonNull;

use kernel::{
    error::from_err_ptr,
    prelude::*,
    str::CStr, //
};

use super::{
    key_error,
    scatter::List,
    Message,
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

/// A synchronous AEAD transform, its request and the memory of its nonce.
///
/// # Invariants
///
/// - `tfm` is a synchronous transform with tags of [`TAG_LEN`] and nonces of [`NONCE_LEN`] bytes,
///   owned by this object.
/// - `request` was allocated for `tfm`, is owned by this object, and no operation is under way on
///   it between two calls.
pub struct Aead {
    tfm: NonNull<bindings::crypto_aead>,
    request: NonNull<bindings::aead_request>,
    /// The API takes a pointer, and an algorithm may put it into a scatter list.
    nonce: KBox<[u8; NONCE_LEN]>,
}

// SAFETY: Nothing in the transform or the request is tied to a thread.
unsafe impl Send for Aead {}

impl Aead {
    /// Makes a transform. May sleep.
    pub fn new(name: &CStr) -> Result<Self, KeyError> {
        // SAFETY: `name` is a C string.
        let tfm = unsafe {
            bindings::crypto_alloc_aead(name.as_char_ptr(), 0, bindings::CRYPTO_ALG_ASYNC)
        };
        let tfm = from_err_ptr(tfm).map_err(|error| key_error(error.to_errno()))?;
        let tfm = Transform(NonNull::new(tfm).ok_or(KeyError::Unsupported)?);
        tfm.check()?;
        let nonce =
            KBox::new([0; NONCE_LEN], Gfp::KERNEL.flags()).map_err(|_| KeyError::NoMemory)?;
        // SAFETY: `tfm` is a valid transform.
        let request = unsafe { bindings::aead_request_alloc(tfm.0.as_ptr(), Gfp::KERNEL.as_raw()) };
        let request = NonNull::new(request).ok_or(KeyError::NoMemory)?;
        // SAFETY: `request` is valid. Without a flag to say so, nothing sleeps; without a callback,
        // nothing is called, which is right for a synchronous transform.
        unsafe { bindings::aead_request_set_callback(request.as_ptr(), 0) };
        // INVARIANT: Checked above; the transform's ownership moves from the guard to the object.
        Ok(Self {
            tfm: tfm.into_raw(),
            request,
            nonce,
        })
    }

    /// True when the driver has no code of its own: a template over other transforms, whose name has
    /// parentheses and which may sleep when it is given a key, or a wrapper of the library.
    pub fn is_generic(&self) -> bool {
        // SAFETY: By the type invariants `tfm` is valid, so its algorithm is.
        let alg = unsafe { (*self.tfm.as_ptr()).base.__crt_alg };
        // SAFETY: As above; the name is written once, when the algorithm is registered.
        let name = unsafe { &(*alg).cra_driver_name };
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        name.contains(&b'(') || name.ends_with(b"-lib")
    }

    /// Sets or replaces the key; any context.
    ///
    /// After an error there is no key, and sealing and opening fail until another one is set.
    pub fn set_key(&mut self, raw: &[u8]) -> Result<(), KeyError> {
        let len = u32::try_from(raw.len()).map_err(|_| KeyError::Invalid)?;
        // SAFETY: `tfm` is valid by the type invariants, `raw` for reads of its length, and no
        // operation is under way.
        match unsafe { bindings::crypto_aead_setkey(self.tfm.as_ptr(), raw.as_ptr(), len) } {
            0 => Ok(()),
            errno => Err(key_error(errno)),
        }
    }

    /// Seals `message` and returns its length; the tail is read where it lies.
    pub fn seal(
        &mut self,
        nonce: &[u8; NONCE_LEN],
        message: &mut Message<'_, '_>,
    ) -> Result<usize, KeyError> {
        let total = message.total();
        let text_len = message
            .text_end
            .checked_sub(message.header_len)
            .ok_or(KeyError::Invalid)?;
        let mut source = List::new();
        source.gather(message)?;
        source.end();
        let mut target = List::new();
        target.push(message.packet)?;
        target.end();
        self.prepare(
            nonce,
            &mut source,
            &mut target,
            message.header_len,
            text_len,
        )?;
        // SAFETY: The request has just been filled in, its lists cover what their lengths say, and
        // by the type invariants the operation is over when the call returns.
        match unsafe { bindings::crypto_aead_encrypt(self.request.as_ptr()) } {
            0 => Ok(total),
            errno => Err(key_error(errno)),
        }
    }

    /// Opens `packet` in place and returns the length of its text.
    pub fn open(
        &mut self,
        nonce: &[u8; NONCE_LEN],
        packet: &mut [u8],
        header_len: usize,
    ) -> Result<usize, KeyError> {
        let sealed_len = packet
            .len()
            .checked_sub(header_len)
            .ok_or(KeyError::Invalid)?;
        let text_len = sealed_len.checked_sub(TAG_LEN).ok_or(KeyError::Invalid)?;
        let mut list = List::new();
        list.push(packet)?;
        list.end();
        let sg = list.as_mut_ptr();
        self.prepare_raw(nonce, sg, sg, header_len, sealed_len)?;
        // SAFETY: As in `seal`.
        match unsafe { bindings::crypto_aead_decrypt(self.request.as_ptr()) } {
            0 => Ok(text_len),
            errno => Err(key_error(errno)),
        }
    }

    fn prepare(
        &mut self,
        nonce: &[u8; NONCE_LEN],
        source: &mut List,
        target: &mut List,
        header_len: usize,
        len: usize,
    ) -> Result<(), KeyError> {
        self.prepare_raw(
            nonce,
            source.as_mut_ptr(),
            target.as_mut_ptr(),
            header_len,
            len,
        )
    }

    fn prepare_raw(
        &mut self,
        nonce: &[u8; NONCE_LEN],
        source: *mut bindings::scatterlist,
        target: *mut bindings::scatterlist,
        header_len: usize,
        len: usize,
    ) -> Result<(), KeyError> {
        let header_len = u32::try_from(header_len).map_err(|_| KeyError::Invalid)?;
        let len = u32::try_from(len).map_err(|_| KeyError::Invalid)?;
        *self.nonce = *nonce;
        let request = self.request.as_ptr();
        // SAFETY: The request is valid by the type invariants.
        unsafe { bindings::aead_request_set_ad(request, header_len) };
        // SAFETY: As above. The pointers are stored only; they are used by the operation which the
        // caller starts while the lists are alive, and not after it.
        unsafe {
            bindings::aead_request_set_crypt(request, source, target, len, self.nonce.as_mut_ptr())
        };
        Ok(())
    }
}

impl Drop for Aead {
    fn drop(&mut self) {
        // SAFETY: The request is owned and idle by the type invariants; this overwrites it.
        unsafe { bindings::aead_request_free(self.request.as_ptr()) };
        // SAFETY: The transform is owned by the type invariants; this overwrites its key.
        unsafe { bindings::crypto_free_aead(self.tfm.as_ptr()) };
    }
}

/// A transform that is freed unless it is taken out.
struct Transform(NonNull<bindings::crypto_aead>);

impl Transform {
    /// Sets the length of the tag and checks that of the nonce.
    fn check(&self) -> Result<(), KeyError> {
        // CAST: The tag has 16 bytes.
        // SAFETY: The transform is valid until this object is dropped.
        let err = unsafe { bindings::crypto_aead_setauthsize(self.0.as_ptr(), TAG_LEN as u32) };
        if err != 0 {
            return Err(key_error(err));
        }
        // SAFETY: As above.
        let nonce_len = unsafe { bindings::crypto_aead_ivsize(self.0.as_ptr()) };
        // CAST: The nonce has 12 bytes.
        match nonce_len == NONCE_LEN as u32 {
            true => Ok(()),
            false => Err(KeyError::Unsupported),
        }
    }

    fn into_raw(self) -> NonNull<bindings::crypto_aead> {
        let tfm = self.0;
        core::mem::forget(self);
        tfm
    }
}

impl Drop for Transform {
    fn drop(&mut self) {
        // SAFETY: The transform is valid and owned by this object.
        unsafe { bindings::crypto_free_aead(self.0.as_ptr()) };
    }
}
