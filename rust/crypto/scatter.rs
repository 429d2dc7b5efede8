// SPDX-License-Identifier: GPL-2.0

//! Scatter lists, by which the crypto API reaches the parts of a packet where they lie.
//!
//! C header: [`include/linux/scatterlist.h`](srctree/include/linux/scatterlist.h)

use core::mem::MaybeUninit;

use super::Message;
use crate::{
    aead::KeyError,
    linux::bindings, //
};

/// Room for three parts sealed from where they lie; what is more is copied.
const MAX_ENTRIES: usize = 8;

/// The largest block of the ciphers here, which is ChaCha20's.
const SEAM: usize = 64;

/// A scatter list on the stack; the bytes it names are not.
///
/// # Invariants
///
/// The first `used` entries are initialised. The others never are: for a short packet that would
/// cost more than its encryption.
pub(super) struct List {
    entries: [MaybeUninit<bindings::scatterlist>; MAX_ENTRIES],
    used: usize,
}

impl List {
    /// No entries yet.
    #[inline(always)]
    pub(super) fn new() -> Self {
        let entries = MaybeUninit::<[MaybeUninit<bindings::scatterlist>; MAX_ENTRIES]>::uninit();
        // INVARIANT: None is in use.
        Self {
            // SAFETY: What may be uninitialised needs no initialisation.
            entries: unsafe { entries.assume_init() },
            used: 0,
        }
    }

    /// For a request of the crypto API, after [`List::end`].
    pub(super) fn as_mut_ptr(&mut self) -> *mut bindings::scatterlist {
        self.entries.as_mut_ptr().cast()
    }

    fn is_full(&self, more: usize) -> bool {
        self.used.saturating_add(more) > MAX_ENTRIES
    }

    /// Adds an entry for `bytes`.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), KeyError> {
        if bytes.is_empty() {
            return Ok(());
        }
        // SAFETY: The function only looks at the address.
        if !unsafe { bindings::in_linear_map(bytes.as_ptr().cast()) } {
            return Err(KeyError::Invalid);
        }
        let entry = self.entries.get_mut(self.used).ok_or(KeyError::Invalid)?;
        let len = u32::try_from(bytes.len()).map_err(|_| KeyError::Invalid)?;
        let entry = entry.write(bindings::scatterlist::default());
        // SAFETY: The entry is initialised, and the bytes lie in the linear map.
        unsafe { bindings::sg_set_buf(entry, bytes.as_ptr().cast(), len) };
        // INVARIANT: This entry was the first that was not.
        self.used = self.used.saturating_add(1);
        Ok(())
    }

    /// Marks the last entry as the last.
    pub(super) fn end(&mut self) {
        if let Some(entry) = self
            .used
            .checked_sub(1)
            .and_then(|last| self.entries.get_mut(last))
        {
            // SAFETY: One of those in use, which are initialised.
            unsafe { bindings::sg_mark_end(entry.as_mut_ptr()) };
        }
    }

    /// Lists header, text in place and tail, so that sealing into the packet is the only copy.
    ///
    /// A cipher that meets the end of an entry inside of a block has to allocate a bounce buffer.
    /// So the few bytes around a seam are copied to their place in the packet, and every seam falls
    /// between two blocks. Short parts are copied as a whole.
    pub(super) fn gather(&mut self, message: &mut Message<'_, '_>) -> Result<(), KeyError> {
        let mut run = 0;
        let mut at = message.inline_end;
        let mut parts = message.tail.iter().peekable();
        while let Some(part) = parts.next() {
            let filled = at
                .checked_sub(message.header_len)
                .ok_or(KeyError::Invalid)?
                % SEAM;
            let lead = (SEAM - filled) % SEAM;
            let rest = part.len().saturating_sub(lead);
            let direct = match parts.peek() {
                Some(_) => rest - rest % SEAM,
                None => rest,
            };
            // Two entries for this part, one for what follows.
            if direct < SEAM || self.is_full(3) {
                at = copy_in(message.packet, at, part)?;
                continue;
            }
            let (before, part) = part.split_at_checked(lead).ok_or(KeyError::Invalid)?;
            let (direct, after) = part.split_at_checked(direct).ok_or(KeyError::Invalid)?;
            at = copy_in(message.packet, at, before)?;
            self.push(message.packet.get(run..at).ok_or(KeyError::Invalid)?)?;
            self.push(direct)?;
            run = at.checked_add(direct.len()).ok_or(KeyError::Invalid)?;
            at = copy_in(message.packet, run, after)?;
        }
        self.push(message.packet.get(run..at).ok_or(KeyError::Invalid)?)
    }
}

/// Copies `bytes` to `at` and returns the place after them.
fn copy_in(packet: &mut [u8], at: usize, bytes: &[u8]) -> Result<usize, KeyError> {
    let end = at.checked_add(bytes.len()).ok_or(KeyError::Invalid)?;
    let to = packet.get_mut(at..end).ok_or(KeyError::Invalid)?;
    to.copy_from_slice(bytes);
    Ok(end)
}
