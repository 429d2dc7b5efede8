// SPDX-License-Identifier: GPL-2.0

//! Buffers with payload: what the application sends, and what came from the network.
//!
//! A [`Chunk`] is filled once, in process context, and read until the peer has acknowledged it. A
//! [`Datagram`] is a window of a socket buffer which belongs to it alone, so that it can be
//! decrypted in place; parts of it can be kept as [`RxSlice`], by a reference on the socket buffer
//! or, when small, as a copy. All are used under the lock of the socket they are queued on. What a
//! reference keeps is charged: the buffer of a single datagram by the slice, and one that holds many
//! by its owner's account of them, [`Pinned`].
//!
//! The host's twin is `tools/testing/host/core/src/buf.rs`; both have the same interface.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use core::{
    fmt,
    ops::Range, //
};

use kernel::{
    iov::IovIterSource,
    prelude::*, //
};

use crate::{
    linux::window::{
        Payload,
        Shared,
        Window, //
    },
    mem::{
        AllocError,
        Gfp,
        Vec, //
    }, //
};

pub use crate::linux::pinned::Pinned;

/// Bytes of the application, kept until the peer has acknowledged them; immutable once filled.
pub struct Chunk(Vec<u8>);

impl Chunk {
    /// The largest chunk that is filled at once: four pages, which the allocator gives easily.
    pub const MAX: usize = 16 << 10;

    /// Takes up to `len` bytes, and at most [`Chunk::MAX`], from `iter`. Process context.
    ///
    /// Fewer come when `iter` ends. When the memory of the caller cannot be read, nothing has been
    /// taken and the error is `EFAULT`.
    pub fn try_from_iter(iter: &mut IovIterSource<'_>, len: usize) -> Result<Chunk> {
        Self::refill(None, iter, len)
    }

    /// As [`Chunk::try_from_iter`], in the memory of `spare` if that has about the right size. The
    /// allocator would zero other memory first.
    pub fn refill(spare: Option<Chunk>, iter: &mut IovIterSource<'_>, len: usize) -> Result<Chunk> {
        let len = len.min(iter.len()).min(Self::MAX);
        // A little too large is good enough, and charged.
        let fits = |c: &Chunk| (len..=len.saturating_add(len / 8)).contains(&c.0.capacity());
        let mut data = match spare.filter(fits) {
            Some(Chunk(mut data)) => {
                data.clear();
                data
            }
            None => Vec::try_with_capacity_in(len, Gfp::SOCKET)?,
        };
        let copied = data.fill_from_iov(iter, len);
        if copied < len {
            // SAFETY: Just so many bytes have been taken.
            unsafe { iter.revert(copied) };
            return Err(EFAULT);
        }
        Ok(Chunk(data))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is no byte.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of memory to charge to the socket for keeping a chunk of `len` bytes, at most.
    pub fn truesize_of(len: usize) -> usize {
        len.min(Self::MAX).saturating_add(OVERHEAD)
    }

    /// Bytes of memory to charge to the socket for keeping this chunk.
    pub fn truesize(&self) -> usize {
        self.0.capacity().saturating_add(OVERHEAD)
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({})", self.0.len())
    }
}

/// One received UDP payload, owned and writable in place.
pub struct Datagram(Window);

impl Datagram {
    /// Takes a window of a socket buffer.
    pub fn new(window: Window) -> Datagram {
        Datagram(window)
    }

    /// Copies `bytes`.
    pub fn try_from_slice(bytes: &[u8]) -> Result<Datagram, AllocError> {
        Ok(Datagram(Payload::try_from_slice(bytes)?.cut(bytes.len())))
    }

    /// The payload.
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// The payload, to be unprotected in place. Bytes retained before keep their value.
    ///
    /// For that the payload moves to other memory once a part has been retained by reference, which
    /// costs something only when a packet with data is followed by another one in its datagram. When
    /// there is no memory the payload is empty, as if the network had lost the rest.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        if self.0.is_shared() {
            match Self::try_from_slice(self.0.bytes()) {
                Ok(copy) => *self = copy,
                Err(AllocError) => return &mut [],
            }
        }
        self.0.bytes_mut().unwrap_or_default()
    }

    /// Length of the payload in bytes.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// True for an empty payload.
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// Keeps `len` bytes from `offset` on beyond the life of the datagram. A range beyond the end
    /// is cut.
    pub fn retain(&self, offset: usize, len: usize) -> Result<RxSlice, AllocError> {
        let end = offset.saturating_add(len).min(self.len());
        let range = offset.min(end)..end;
        // A small part must not pin a large buffer, nor any part of a batch too many of them.
        let is_large = range.len() >= self.0.memory_share() / COPY_FRACTION;
        let Some(shared) = is_large.then(|| self.0.share()).flatten() else {
            let bytes = self.bytes().get(range.clone()).unwrap_or_default();
            let mut copy = Vec::try_with_capacity(bytes.len())?;
            copy.try_extend_from_slice(bytes)?;
            let range = 0..copy.len();
            return Ok(RxSlice {
                memory: Memory::Copied(copy),
                range,
            });
        };
        Ok(RxSlice {
            memory: Memory::Shared(shared),
            range,
        })
    }
}

impl fmt::Debug for Datagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Datagram({})", self.len())
    }
}

/// A retained part of a datagram.
pub struct RxSlice {
    memory: Memory,
    range: Range<usize>,
}

enum Memory {
    Shared(Shared),
    Copied(Vec<u8>),
}

impl RxSlice {
    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// True when there is no byte.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Bytes of memory to charge to the socket. A part that shares its datagram is charged in
    /// whole: that is what a peer that sends small pieces in large datagrams makes us hold. If that
    /// came in a batch it is charged with the batch, by [`Pinned`].
    pub fn truesize(&self) -> usize {
        match &self.memory {
            Memory::Shared(shared) => shared.truesize(),
            Memory::Copied(copy) => copy.capacity().saturating_add(OVERHEAD),
        }
    }

    /// As [`Self::truesize`], with the share of a batch: to bound how much is kept.
    pub fn memory_share(&self) -> usize {
        match &self.memory {
            Memory::Shared(shared) => shared.memory_share(),
            Memory::Copied(_) => self.truesize(),
        }
    }

    /// Copies bytes from `offset` on into `out`, and returns how many.
    pub fn copy_to(&self, offset: usize, out: &mut [u8]) -> usize {
        self.with_bytes(|bytes| {
            let bytes = bytes.get(offset..).unwrap_or_default();
            let len = bytes.len().min(out.len());
            if let (Some(to), Some(from)) = (out.get_mut(..len), bytes.get(..len)) {
                to.copy_from_slice(from);
            }
            len
        })
    }

    /// Drops the first `count` bytes.
    pub fn advance(&mut self, count: usize) {
        self.range.start = self.range.start.saturating_add(count).min(self.range.end);
    }

    /// Keeps the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.range.end = self.range.start.saturating_add(len).min(self.range.end);
    }

    /// Lends the bytes to `with`.
    pub fn with_bytes<R>(&self, with: impl FnOnce(&[u8]) -> R) -> R {
        let bytes = match &self.memory {
            Memory::Shared(shared) => shared.bytes(),
            Memory::Copied(copy) => copy.as_slice(),
        };
        with(bytes.get(self.range.clone()).unwrap_or_default())
    }
}

impl fmt::Debug for RxSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RxSlice({})", self.len())
    }
}

/// What a buffer costs besides its bytes: the heads of the queue entries that point to it.
const OVERHEAD: usize = 64;

/// A part that is smaller than this fraction of its buffer's memory is copied.
const COPY_FRACTION: usize = 4;
