// SPDX-License-Identifier: GPL-2.0

//! Unreliable datagrams (RFC 9221).
//!
//! Datagrams to send wait here as the application's chunks; datagrams received wait as references
//! to their packets. Both queues are bounded, and a datagram received while the queue is full is
//! dropped although it is acknowledged, as RFC 9221 5.3 allows.

#![forbid(unsafe_code)]

use crate::{
    buf::{
        Chunk,
        Datagram,
        RxSlice, //
    },
    common::{
        deque::Deque,
        error::Error, //
    },
};

/// Datagrams that may wait for transmission. The glue's send buffer usually stops the sender
/// earlier.
const MAX_SEND: usize = 1024;

/// Datagrams that may wait for the application.
const MAX_RECEIVE: usize = 1024;

/// Memory held by datagrams that wait for the application, in bytes of truesize.
const MAX_RECEIVE_BYTES: usize = 1024 * 1024;

/// Both directions of a connection's datagrams.
#[derive(Debug, Default)]
pub struct Datagrams {
    send: Deque<Chunk>,
    send_bytes: usize,
    receive: Deque<RxSlice>,
    receive_bytes: usize,
    dropped: u64,
}

impl Datagrams {
    /// Queues a datagram for sending; the caller has checked its length.
    pub fn queue(&mut self, chunk: Chunk) -> Result<(), (Error, Chunk)> {
        if self.send.len() >= MAX_SEND {
            return Err((Error::WouldBlock, chunk));
        }
        let size = chunk.truesize();
        match self.send.push_back(chunk) {
            Ok(()) => {
                self.send_bytes = self.send_bytes.saturating_add(size);
                Ok(())
            }
            Err(error) => Err((Error::NoMemory, error.0)),
        }
    }

    /// The next datagram to send.
    pub fn front(&self) -> Option<&[u8]> {
        self.send.front().map(Chunk::as_slice)
    }

    /// The datagram [`Self::front`] gave was sent, or is dropped since it fits no packet.
    pub fn pop_sent(&mut self) {
        if let Some(chunk) = self.send.pop_front() {
            self.send_bytes = self.send_bytes.saturating_sub(chunk.truesize());
        }
    }

    /// Whether a datagram waits for transmission.
    pub fn has_pending(&self) -> bool {
        !self.send.is_empty()
    }

    /// Keeps a received datagram: `len` bytes at `offset` of `packet`. Returns whether there was
    /// room.
    pub fn on_received(&mut self, packet: &Datagram, offset: usize, len: usize) -> bool {
        let kept = self.receive.len() < MAX_RECEIVE && self.receive_bytes < MAX_RECEIVE_BYTES;
        if kept {
            if let Ok(slice) = packet.retain(offset, len) {
                let size = slice.truesize();
                if self.receive.push_back(slice).is_ok() {
                    self.receive_bytes = self.receive_bytes.saturating_add(size);
                    return true;
                }
            }
        }
        self.dropped = self.dropped.saturating_add(1);
        false
    }

    /// Whether a received datagram waits.
    pub fn is_readable(&self) -> bool {
        !self.receive.is_empty()
    }

    /// Hands the oldest datagram to `out`, which says how many bytes it took; what it did not take
    /// stays for the next call. Returns the bytes taken and whether the datagram is finished.
    pub fn read(
        &mut self,
        peek: bool,
        out: &mut dyn FnMut(&RxSlice) -> Result<usize, Error>,
    ) -> Result<(usize, bool), Error> {
        let Some(front) = self.receive.front_mut() else {
            return Err(Error::WouldBlock);
        };
        let taken = out(front)?.min(front.len());
        let is_complete = taken == front.len();
        if peek {
            return Ok((taken, is_complete));
        }
        let before = front.truesize();
        front.advance(taken);
        if is_complete {
            self.receive.pop_front();
            self.receive_bytes = self.receive_bytes.saturating_sub(before);
        }
        Ok((taken, is_complete))
    }

    /// Memory held for sending, in bytes of truesize.
    pub fn send_bytes(&self) -> usize {
        self.send_bytes
    }

    /// Memory held for the application, in bytes of truesize.
    pub fn receive_bytes(&self) -> usize {
        self.receive_bytes
    }

    /// Datagrams received that found no room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}
