// SPDX-License-Identifier: GPL-2.0

//! Received socket buffers, cut into windows.
//!
//! One socket buffer may hold many datagrams (GRO); each gets a window of its bytes that no other
//! has, and may write there. Any context.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use core::{
    cell::Cell,
    ptr::NonNull,
    slice, //
};

use crate::{
    linux::{
        bindings,
        net::skb::SkBuff,
        pinned::{
            self,
            Pinned, //
        }, //
    },
    mem::{
        AllocError,
        Gfp, //
    }, //
};

/// A linear socket buffer whose data nobody else reaches, on its way to be cut up.
///
/// # Invariants
///
/// - The data of `skb` is linear, and is read and written through windows cut from it only.
/// - No window reaches beyond the first `cut` bytes.
/// - `in_batch` only if the buffer was attached to an account of batches.
pub struct Payload {
    skb: SkBuff,
    cut: usize,
    in_batch: bool,
}

impl Payload {
    /// Takes a received buffer, whose data is the UDP payload, and makes it linear and writable.
    ///
    /// It leaves behind what ties it to a socket or a route. Without memory the buffer is freed. One
    /// that holds many datagrams counts for `owner` as soon as something of it is kept.
    pub fn new(skb: SkBuff, owner: &Pinned) -> Result<Payload, AllocError> {
        // SAFETY: The buffer is valid and owned.
        let err = unsafe { bindings::skb_make_exclusive(skb.as_ptr()) };
        if err != 0 {
            return Err(AllocError);
        }
        let in_batch = skb.gso_size().is_some_and(|size| size < skb.len());
        if in_batch {
            // SAFETY: The helper refused a buffer with other references and called its destructor;
            // here it only gets more references, until it is freed.
            unsafe { pinned::attach(&skb, owner) };
        }
        // INVARIANT: The helper refused a buffer with other references, and made the data linear
        // and unshared.
        Ok(Payload {
            skb,
            cut: 0,
            in_batch,
        })
    }

    /// Copies `bytes` into a new buffer.
    pub fn try_from_slice(bytes: &[u8]) -> Result<Payload, AllocError> {
        let len = u32::try_from(bytes.len()).map_err(|_| AllocError)?;
        // SAFETY: The function has no preconditions.
        let skb = unsafe { bindings::alloc_skb(len, Gfp::atomic().as_raw()) };
        let skb = NonNull::new(skb).ok_or(AllocError)?;
        // SAFETY: The buffer is new, and its only reference is passed on.
        let skb = unsafe { SkBuff::from_raw(skb) };
        // SAFETY: There is room for `len` bytes, and `bytes` is so long.
        unsafe { bindings::skb_put_data(skb.as_ptr(), bytes.as_ptr().cast(), len) };
        // INVARIANT: A new buffer is linear and unshared.
        Ok(Payload {
            skb,
            cut: 0,
            in_batch: false,
        })
    }

    /// Number of bytes that no window has yet.
    pub fn remaining(&self) -> usize {
        self.skb.len().saturating_sub(self.cut)
    }

    /// Cuts the next `len` bytes off, or as many as there are.
    pub fn cut(&mut self, len: usize) -> Window {
        let len = len.min(self.remaining());
        let start = self.cut;
        self.cut = start.saturating_add(len);
        let all = self.skb.truesize();
        let share = all
            .saturating_mul(len)
            .checked_div(self.skb.len())
            .unwrap_or(all);
        // SAFETY: The buffer is valid while it is owned.
        let data = unsafe { (*self.skb.as_ptr()).data };
        // SAFETY: `start` is at most the length of the linear data.
        let data = unsafe { data.add(start) };
        // SAFETY: The buffer is valid; this takes one more reference for the window.
        let skb = unsafe { bindings::skb_get(self.skb.as_ptr()) };
        // SAFETY: `skb_get()` returns its argument.
        let skb = unsafe { NonNull::new_unchecked(skb) };
        // SAFETY: The data of a buffer is never at address zero.
        let data = unsafe { NonNull::new_unchecked(data) };
        // INVARIANT: The reference has just been taken, the bytes are part of the data, and `cut`
        // has moved on, which keeps them from any other window.
        Window {
            part: Part {
                // SAFETY: The reference that was just taken is passed on.
                skb: unsafe { SkBuff::from_raw(skb) },
                data,
                len,
                share,
                in_batch: self.in_batch,
            },
            shared: Cell::new(false),
        }
    }
}

/// Bytes of a socket buffer, with a reference on it.
///
/// # Invariants
///
/// - `data` is valid for reads of `len` bytes while the reference is held.
/// - `in_batch` only if the buffer was attached to an account of batches.
struct Part {
    skb: SkBuff,
    data: NonNull<u8>,
    len: usize,
    share: usize,
    in_batch: bool,
}

impl Part {
    fn bytes(&self) -> &[u8] {
        // SAFETY: By the type invariants.
        unsafe { slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

/// The bytes of one datagram, writable as long as they have not been shared.
///
/// # Invariants
///
/// Nothing but this window and what [`Window::share`] gave out reaches these bytes.
pub struct Window {
    part: Part,
    shared: Cell<bool>,
}

// SAFETY: Nothing in a socket buffer is tied to a thread.
unsafe impl Send for Window {}

impl Window {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.part.bytes()
    }

    /// The bytes, to be changed in place; `None` once they have been shared.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        if self.shared.get() {
            return None;
        }
        // SAFETY: Valid for `len` bytes by the invariants of the part; nothing else reaches them by
        // those of the window, since nothing was given out.
        Some(unsafe { slice::from_raw_parts_mut(self.part.data.as_ptr(), self.part.len) })
    }

    /// True once the bytes have been shared.
    pub fn is_shared(&self) -> bool {
        self.shared.get()
    }

    /// This window's share in the memory of the socket buffer, bytes.
    pub fn memory_share(&self) -> usize {
        self.part.share
    }

    /// Gives read access that outlives the window. From now on the bytes do not change.
    ///
    /// `None` if that would keep a batch beyond the limit of its owner.
    pub fn share(&self) -> Option<Shared> {
        // SAFETY: By the invariants of the part.
        if self.part.in_batch && !unsafe { pinned::charge(&self.part.skb) } {
            return None;
        }
        self.shared.set(true);
        // SAFETY: The buffer is valid; this takes one more reference.
        let skb = unsafe { bindings::skb_get(self.part.skb.as_ptr()) };
        // SAFETY: `skb_get()` returns its argument.
        let skb = unsafe { NonNull::new_unchecked(skb) };
        // INVARIANT: The same bytes, with a reference of their own.
        Some(Shared(Part {
            // SAFETY: The reference that was just taken is passed on.
            skb: unsafe { SkBuff::from_raw(skb) },
            data: self.part.data,
            len: self.part.len,
            share: self.part.share,
            in_batch: self.part.in_batch,
        }))
    }
}

/// Bytes of a socket buffer that nothing changes any more.
pub struct Shared(Part);

// SAFETY: Nothing in a socket buffer is tied to a thread.
unsafe impl Send for Shared {}
// SAFETY: The bytes are only read.
unsafe impl Sync for Shared {}

impl Shared {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// The window's share in the memory of the socket buffer, bytes.
    pub fn memory_share(&self) -> usize {
        self.0.share
    }

    /// Bytes of memory to charge for keeping it: none for a part of a batch, which is charged in
    /// whole to its owner.
    pub fn truesize(&self) -> usize {
        if self.0.in_batch {
            0
        } else {
            self.0.share
        }
    }
}
