// SPDX-License-Identifier: GPL-2.0

//! The CRYPTO stream of one encryption level (RFC 9000 19.6 and 7.5).
//!
//! Like a stream without id, end and flow control. What the peer may make us hold is bounded by
//! [`MAX_BUFFERED`] bytes beyond what was read, and by the assembler's bound on gaps.

#![forbid(unsafe_code)]

use super::{
    assembler::{
        Assembler,
        Refused, //
    },
    piece::Source,
    send_buffer::SendBuffer, //
};
use crate::{
    buf::{
        Chunk,
        Datagram, //
    },
    common::{
        error::{
            Error,
            TransportError, //
        },
        token::Token,
        varint::VarInt, //
    },
    frame::CryptoFrame,
    packet::builder::PacketBuilder,
};
use core::ops::Range;

/// Bytes the peer may send beyond what was read. At least 4096 (RFC 9000 7.5); 64 KiB hold a
/// certificate chain of any reasonable length.
// RFC 9000 7.5 #1, RFC 9000 7.5 #2
pub const MAX_BUFFERED: u64 = 64 * 1024;

/// Memory for bytes ahead of a gap, in bytes of truesize: the bytes themselves, each perhaps
/// holding a datagram several times its size.
const MAX_MEMORY: usize = 512 * 1024;

/// One level's handshake bytes in both directions.
#[derive(Debug, Default)]
pub struct CryptoStream {
    send: SendBuffer,
    recv: Assembler,
    /// Bytes that may leave; those behind wait for more (MSG_MORE).
    flushed: u64,
    /// Largest offset received.
    received: u64,
}

impl CryptoStream {
    /// A stream without bytes; takes no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues handshake bytes. With `more` they wait for a later call without it. The chunk comes
    /// back if there is no memory.
    pub fn write(&mut self, chunk: Chunk, more: bool) -> Result<(), (Error, Chunk)> {
        self.send
            .push(chunk)
            .map_err(|chunk| (Error::NoMemory, chunk))?;
        if !more {
            self.flush();
        }
        Ok(())
    }

    /// Lets all queued bytes go.
    pub fn flush(&mut self) {
        self.flushed = self.send.end();
    }

    /// Whether there are bytes to send.
    pub fn has_pending(&self) -> bool {
        self.send.has_lost() || self.send.next_offset() < self.flushed
    }

    /// Memory held for bytes to send and for received ones, in bytes to charge.
    pub fn truesizes(&self) -> (usize, usize) {
        (self.send.truesize(), self.recv.truesize())
    }

    /// Writes CRYPTO frames, as many as fit.
    pub fn write_frames(&mut self, builder: &mut PacketBuilder<'_>) {
        while let Some(range) = self.send.next_range(self.flushed) {
            let len = range.end.saturating_sub(range.start);
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            let Some(count) = builder.write_crypto(range.start, len, &self.send) else {
                return;
            };
            // CAST: a length fits into 64 bits.
            let end = range.start.saturating_add(count as u64);
            self.send.on_sent(&(range.start..end));
        }
    }

    /// Notes an acknowledged frame ([`Token::Crypto`] of this level).
    pub fn on_acked(&mut self, token: &Token) {
        if let Token::Crypto { off, len } = *token {
            drop(self.send.on_acked(&range_of(off, len)));
        }
    }

    /// Notes a lost frame ([`Token::Crypto`] of this level).
    pub fn on_lost(&mut self, token: &Token) {
        if let Token::Crypto { off, len } = *token {
            self.send.on_lost(&range_of(off, len));
        }
    }

    /// Takes the bytes of a CRYPTO frame out of `datagram`, where the payload begins at `base`.
    ///
    /// Returns whether they were taken. Without memory they are not, and the packet must not be
    /// acknowledged.
    pub fn on_frame(
        &mut self,
        frame: &CryptoFrame<'_>,
        datagram: &Datagram,
        base: usize,
    ) -> Result<bool, TransportError> {
        // CAST: a length fits into 64 bits.
        let len = frame.data.len() as u64;
        // RFC 9000 19.6 #1
        let end = match frame.offset.checked_add(len) {
            Some(end) if end <= VarInt::MAX => end,
            _ => return Err(TransportError::frame_encoding("offset beyond 2^62-1")),
        };
        // RFC 9000 7.5 #3
        if end.saturating_sub(self.recv.read_offset()) > MAX_BUFFERED {
            return Err(exceeded());
        }
        let source = Source {
            datagram,
            at: base.saturating_add(frame.at),
            len: frame.data.len(),
        };
        match self.recv.insert(frame.offset, &source, MAX_MEMORY) {
            Ok(()) => {
                self.received = self.received.max(end);
                Ok(true)
            }
            Err(Refused::NoMemory) => Ok(false),
            Err(Refused::TooManyRanges) => Err(exceeded()),
        }
    }

    /// Whether a frame may come later when there is no memory for it: it has new bytes, and they
    /// could not be read at once or others can be.
    pub fn may_wait(&self, frame: &CryptoFrame<'_>, is_readable: bool) -> bool {
        let here = self.recv.contiguous();
        let end = frame.offset.saturating_add(frame.data.len() as u64);
        end > here && (frame.offset > here || is_readable)
    }

    /// Bytes in order that were not read.
    pub fn readable(&self) -> u64 {
        let end = self.recv.contiguous();
        end.saturating_sub(self.recv.read_offset())
    }

    /// Whether the owner has read any of the peer's bytes.
    pub fn is_begun(&self) -> bool {
        self.recv.read_offset() > 0
    }

    /// Whether bytes were received that cannot be read yet because others are missing.
    pub fn has_gap(&self) -> bool {
        self.received > self.recv.contiguous()
    }

    /// Reads at most `max` bytes of the piece that comes next. Returns how many, and whether the
    /// piece is read to its end.
    pub fn read(
        &mut self,
        max: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<usize, Error>,
    ) -> Result<(u64, bool), Error> {
        let first = self.recv.first_len() as u64;
        if first == 0 {
            return Err(Error::WouldBlock);
        }
        let bytes = self.recv.read(max.min(first), sink)?;
        Ok((bytes, bytes == first))
    }

    /// As [`Self::read`], and leaves the bytes.
    pub fn peek(
        &self,
        max: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<usize, Error>,
    ) -> Result<(u64, bool), Error> {
        let first = self.recv.first_len() as u64;
        if first == 0 {
            return Err(Error::WouldBlock);
        }
        let bytes = self.recv.peek(max.min(first), sink)?;
        Ok((bytes, bytes == first))
    }
}

fn range_of(off: u64, len: u32) -> Range<u64> {
    off..off.saturating_add(u64::from(len))
}

fn exceeded() -> TransportError {
    TransportError::crypto_buffer_exceeded("too many handshake bytes ahead")
}

#[cfg(test)]
mod tests;
