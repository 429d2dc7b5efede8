// SPDX-License-Identifier: GPL-2.0

//! Buffers with payload: the host's twin of `rust/buf.rs`.
//!
//! In the kernel a [`Chunk`] is memory filled from the caller's iov and a [`Datagram`] is a socket
//! buffer.  Here both are byte arrays; what is retained of a datagram shares its memory.

#![forbid(unsafe_code)]

use crate::mem::{
    fail,
    AllocError, //
};
use core::ops::Range;
use std::sync::{
    atomic::{
        AtomicBool,
        AtomicUsize,
        Ordering::Relaxed, //
    },
    Arc, //
};

/// Bytes of memory in batches of which one owner keeps something.
#[derive(Clone)]
pub struct Pinned(Arc<Account>);

struct Account {
    bytes: AtomicUsize,
    limit: AtomicUsize,
}

impl Pinned {
    /// Nothing yet, and no limit.
    pub fn try_new() -> Result<Pinned, AllocError> {
        fail::check()?;
        Ok(Pinned(Arc::new(Account {
            bytes: AtomicUsize::new(0),
            limit: AtomicUsize::new(usize::MAX),
        })))
    }

    /// Bytes of memory, to be charged to the owner.
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Relaxed)
    }

    /// No further batch is kept from `bytes` of memory on: what is kept of it is copied then.
    pub fn set_limit(&self, bytes: usize) {
        self.0.limit.store(bytes, Relaxed);
    }
}

impl core::fmt::Debug for Pinned {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Pinned({})", self.bytes())
    }
}

/// The buffer of many datagrams.
struct Batch {
    owner: Pinned,
    truesize: usize,
    is_charged: AtomicBool,
}

impl Batch {
    fn charge(&self) -> bool {
        let account = &self.owner.0;
        if self.is_charged.load(Relaxed) {
            return true;
        }
        if account.bytes.load(Relaxed) >= account.limit.load(Relaxed) {
            return false;
        }
        self.is_charged.store(true, Relaxed);
        account.bytes.fetch_add(self.truesize, Relaxed);
        true
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if self.is_charged.load(Relaxed) {
            self.owner.0.bytes.fetch_sub(self.truesize, Relaxed);
        }
    }
}

/// Bytes of the application, kept until the peer has acknowledged them; immutable once filled.
pub struct Chunk(std::vec::Vec<u8>);

impl Chunk {
    /// Copies `bytes`.
    pub fn try_from_slice(bytes: &[u8]) -> Result<Chunk, AllocError> {
        fail::check()?;
        Ok(Chunk(bytes.to_vec()))
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

    /// Bytes of memory to charge to the socket for keeping this chunk.
    pub fn truesize(&self) -> usize {
        self.0.len().saturating_add(OVERHEAD)
    }
}

impl core::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Chunk({})", self.0.len())
    }
}

/// One received UDP payload, owned and writable in place.
pub struct Datagram(Arc<std::vec::Vec<u8>>, Option<Arc<Batch>>);

impl Datagram {
    /// Copies `bytes`.
    pub fn try_from_slice(bytes: &[u8]) -> Result<Datagram, AllocError> {
        fail::check()?;
        Ok(Datagram(Arc::new(bytes.to_vec()), None))
    }

    /// Copies `payloads` as if they had come in one buffer, which counts for `owner`.
    pub fn batch(payloads: &[&[u8]], owner: &Pinned) -> std::vec::Vec<Datagram> {
        let len: usize = payloads.iter().map(|bytes| bytes.len()).sum();
        let batch = Arc::new(Batch {
            owner: owner.clone(),
            truesize: len.saturating_add(OVERHEAD),
            is_charged: AtomicBool::new(false),
        });
        let one = |bytes: &&[u8]| Datagram(Arc::new(bytes.to_vec()), Some(batch.clone()));
        payloads.iter().map(one).collect()
    }

    /// The payload.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The payload, to be unprotected in place.  Bytes retained before keep their value.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let buffer: &mut std::vec::Vec<u8> = Arc::make_mut(&mut self.0);
        buffer
    }

    /// Length of the payload in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True for an empty payload.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps `len` bytes from `offset` on beyond the life of the datagram.  A range beyond the end
    /// is cut.
    pub fn retain(&self, offset: usize, len: usize) -> Result<RxSlice, AllocError> {
        fail::check()?;
        let end = offset.saturating_add(len).min(self.0.len());
        let range = offset.min(end)..end;
        if self.1.as_ref().is_some_and(|batch| !batch.charge()) {
            let copy = self.0.get(range).unwrap_or_default().to_vec();
            return Ok(RxSlice {
                range: 0..copy.len(),
                buffer: Arc::new(copy),
                batch: None,
            });
        }
        Ok(RxSlice {
            buffer: self.0.clone(),
            batch: self.1.clone(),
            range,
        })
    }
}

impl core::fmt::Debug for Datagram {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Datagram({})", self.0.len())
    }
}

/// A retained part of a datagram.
pub struct RxSlice {
    buffer: Arc<std::vec::Vec<u8>>,
    batch: Option<Arc<Batch>>,
    range: Range<usize>,
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

    /// Bytes of memory to charge to the socket.  A part shares its datagram, so it is charged in
    /// whole: that is what a peer that sends tiny pieces in large datagrams makes us hold.  If that
    /// came in a batch it is charged with the batch, by [`Pinned`].
    pub fn truesize(&self) -> usize {
        match &self.batch {
            Some(_) => 0,
            None => self.memory_share(),
        }
    }

    /// As [`Self::truesize`], with the share of a batch: to bound how much is kept.
    pub fn memory_share(&self) -> usize {
        self.buffer.len().saturating_add(OVERHEAD)
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
        with(self.buffer.get(self.range.clone()).unwrap_or_default())
    }
}

impl core::fmt::Debug for RxSlice {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "RxSlice({})", self.len())
    }
}

/// What a buffer costs besides its bytes.
const OVERHEAD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retained_bytes_survive_later_writes_to_the_datagram() {
        let mut datagram = Datagram::try_from_slice(b"hello world").unwrap();
        let mut slice = datagram.retain(6, 99).unwrap();
        datagram.bytes_mut().fill(0);
        slice.advance(1);
        slice.truncate(3);
        let mut out = [0; 8];
        assert_eq!(slice.copy_to(1, &mut out), 2);
        assert_eq!(&out[..2], b"rl");
        assert_eq!(slice.len(), 3);
        assert_eq!(datagram.retain(40, 2).unwrap().len(), 0);
    }
}
