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
use std::sync::Arc;

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
pub struct Datagram(Arc<std::vec::Vec<u8>>);

impl Datagram {
    /// Copies `bytes`.
    pub fn try_from_slice(bytes: &[u8]) -> Result<Datagram, AllocError> {
        fail::check()?;
        Ok(Datagram(Arc::new(bytes.to_vec())))
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
        Ok(RxSlice {
            buffer: self.0.clone(),
            range: offset.min(end)..end,
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
    /// whole: that is what a peer that sends tiny pieces in large datagrams makes us hold.
    pub fn truesize(&self) -> usize {
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
