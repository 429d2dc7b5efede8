// SPDX-License-Identifier: GPL-2.0

//! Unreliable datagrams to be sent (RFC 9221).
//!
//! They wait here as the application's chunks, in a bounded queue. Datagrams received wait in the
//! one queue of what the application reads (inqueue.rs).

#![forbid(unsafe_code)]

use crate::{
    buf::Chunk,
    common::{
        deque::Deque,
        error::Error, //
    },
};

/// Datagrams that may wait for transmission. The glue's send buffer usually stops the sender
/// earlier.
const MAX_SEND: usize = 1024;

/// Datagrams to be sent.
#[derive(Debug, Default)]
pub struct Datagrams {
    send: Deque<Chunk>,
    send_bytes: usize,
}

impl Datagrams {
    /// Queues a datagram for sending; the caller has checked its length.
    pub fn queue(&mut self, chunk: Chunk) -> Result<(), (Error, Chunk)> {
        if self.is_full() {
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

    /// Whether no further datagram may wait.
    pub fn is_full(&self) -> bool {
        self.send.len() >= MAX_SEND
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

    /// Memory held for sending, in bytes of truesize.
    pub fn send_bytes(&self) -> usize {
        self.send_bytes
    }
}
