// SPDX-License-Identifier: GPL-2.0

//! Cryptography: transforms of the crypto API, and the library functions that need none.
//!
//! Key material lives in heap memory from the moment it is expanded, is never moved, and is
//! overwritten before the memory is given back.
//!
//! C headers: [`include/crypto`](srctree/include/crypto)

pub mod aead;
pub mod ccm;
pub mod gcm;
pub mod hmac;
pub mod mask;
mod scatter;

use crate::{
    aead::KeyError,
    linux::bindings, //
};

/// Length of the nonce of every AEAD here.
pub const NONCE_LEN: usize = 12;

/// A packet with its parts told apart, ready to be sealed.
///
/// # Invariants
///
/// - `header_len <= inline_end <= text_end`, and `text_end` plus the tag is the packet's length.
/// - `text_end - inline_end` is the sum of the lengths of `tail`.
pub struct Message<'a, 'b> {
    packet: &'a mut [u8],
    header_len: usize,
    inline_end: usize,
    text_end: usize,
    tail: &'b [&'b [u8]],
}

impl<'a, 'b> Message<'a, 'b> {
    /// Checks the lengths; `packet` may be longer than what will be used of it.
    pub fn new(
        packet: &'a mut [u8],
        header_len: usize,
        inline_end: usize,
        tail: &'b [&'b [u8]],
        tag_len: usize,
    ) -> Result<Self, KeyError> {
        let text_end = tail
            .iter()
            .try_fold(inline_end, |end, part| end.checked_add(part.len()))
            .filter(|_| header_len <= inline_end)
            .ok_or(KeyError::Invalid)?;
        let total = text_end.checked_add(tag_len).ok_or(KeyError::Invalid)?;
        let packet = packet.get_mut(..total).ok_or(KeyError::Invalid)?;
        // INVARIANT: Just checked and computed.
        Ok(Self {
            packet,
            header_len,
            inline_end,
            text_end,
            tail,
        })
    }

    /// Length of the packet once sealed.
    pub fn total(&self) -> usize {
        self.packet.len()
    }

    /// Splits the packet into header, text that is in place, room for the tail, and the tag.
    fn parts(&mut self) -> Option<Parts<'_>> {
        let inline_len = self.inline_end.checked_sub(self.header_len)?;
        let room_len = self.text_end.checked_sub(self.inline_end)?;
        let (header, rest) = self.packet.split_at_mut_checked(self.header_len)?;
        let (inline, rest) = rest.split_at_mut_checked(inline_len)?;
        let (room, tag) = rest.split_at_mut_checked(room_len)?;
        Some(Parts {
            header,
            inline,
            room,
            tag,
        })
    }
}

struct Parts<'a> {
    header: &'a [u8],
    inline: &'a mut [u8],
    room: &'a mut [u8],
    tag: &'a mut [u8],
}

/// A received packet with its parts told apart.
struct Sealed<'a> {
    header: &'a [u8],
    text: &'a mut [u8],
    tag: &'a [u8],
}

impl<'a> Sealed<'a> {
    fn new(packet: &'a mut [u8], header_len: usize, tag_len: usize) -> Result<Self, KeyError> {
        let (header, rest) = packet
            .split_at_mut_checked(header_len)
            .ok_or(KeyError::Invalid)?;
        let text_len = rest.len().checked_sub(tag_len).ok_or(KeyError::Invalid)?;
        let (text, tag) = rest
            .split_at_mut_checked(text_len)
            .ok_or(KeyError::Invalid)?;
        Ok(Self { header, text, tag })
    }
}

/// What an errno of the crypto API means here.
fn key_error(errno: i32) -> KeyError {
    match errno.unsigned_abs() {
        bindings::EBADMSG => KeyError::Authentication,
        bindings::ENOMEM => KeyError::NoMemory,
        bindings::ENOENT => KeyError::Unsupported,
        _ => KeyError::Invalid,
    }
}

/// Overwrites `value` so that the compiler cannot leave it out.
///
/// # Safety
///
/// - All bytes zero is a valid value of `T`, or `value` is never used again but for dropping fields
///   that need no drop.
unsafe fn wipe<T>(value: &mut T) {
    // SAFETY: `value` is valid for writes of its size; the caller promises that zeroes may stand
    // there.
    unsafe {
        bindings::memzero_explicit(core::ptr::from_mut(value).cast(), core::mem::size_of::<T>())
    }
}
