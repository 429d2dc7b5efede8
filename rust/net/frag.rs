// SPDX-License-Identifier: GPL-2.0

//! Memory of outgoing packets, cut from pages.
//!
//! How long a packet becomes is known when it is written. So it is written first, into the free part
//! of a group of pages, and becomes a [`SkBuff`] of just that size then. What is left serves the next
//! one, and the whole group again once all its packets are gone: in request and response the same
//! pages serve for ever, without the allocator and without being zeroed anew.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use core::{
    ptr::NonNull,
    slice, //
};

use kernel::prelude::*;

use super::skb::SkBuff;
use crate::linux::bindings;

/// Pages to cut packets from.
///
/// # Invariants
///
/// - `frag` has no page, or one reference to a group of pages.
/// - Nobody else reaches what lies from `frag.offset` on.
pub struct PacketPages {
    frag: bindings::page_frag,
    /// The room given out last: bytes before the data, and of data.
    given: Option<(u32, u32)>,
}

// SAFETY: Pages are not tied to a thread.
unsafe impl Send for PacketPages {}

impl Default for PacketPages {
    /// No pages yet.
    fn default() -> Self {
        // INVARIANT: There is no page.
        Self {
            frag: bindings::page_frag::default(),
            given: None,
        }
    }
}

impl PacketPages {
    /// Room for at least `least` and at most `most` bytes of data behind `headroom` others, to be
    /// written before [`Self::take`]. `None` without memory. Any context.
    ///
    /// It may hold anything: nobody zeroes it, and only what was written may be taken.
    pub fn room(&mut self, headroom: usize, least: usize, most: usize) -> Option<&mut [u8]> {
        let headroom = u32::try_from(headroom).ok()?;
        let least = u32::try_from(least).ok()?;
        let mut len = 0;
        // SAFETY: A valid structure; the number is written.
        let data = unsafe { bindings::page_frag_room(&mut self.frag, headroom, least, &mut len) };
        let Some(data) = NonNull::new(data.cast::<u8>()) else {
            self.given = None;
            return None;
        };
        let len = len.min(u32::try_from(most).unwrap_or(u32::MAX));
        self.given = Some((headroom, len));
        // CAST: usize is 64 bits wide.
        // SAFETY: There are `len` bytes, which come from C and so are valid bytes whatever they
        // hold. By the type invariant nobody else reaches them, and `self` is borrowed mutably.
        Some(unsafe { slice::from_raw_parts_mut(data.as_ptr(), len as usize) })
    }

    /// The first `len` bytes of the room just written, as a buffer. Any context.
    pub fn take(&mut self, len: usize) -> Result<SkBuff> {
        let (headroom, room) = self.given.take().ok_or(EINVAL)?;
        let len = u32::try_from(len)?;
        if len > room {
            return Err(EINVAL);
        }
        // SAFETY: The structure has a page with room for all this, as `given` says.
        let skb = unsafe { bindings::page_frag_take(&mut self.frag, headroom, len) };
        let skb = NonNull::new(skb).ok_or(ENOMEM)?;
        // INVARIANT: What belongs to the buffer now lies before `frag.offset`.
        // SAFETY: A new buffer, whose reference passes on.
        Ok(unsafe { SkBuff::from_raw(skb) })
    }
}

impl Drop for PacketPages {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; nothing uses the structure afterwards.
        unsafe { bindings::page_frag_put(&mut self.frag) };
    }
}
