// SPDX-License-Identifier: GPL-2.0

//! Packets that arrived before their keys.
//!
//! Reordering and a slow handshake agent make packets arrive early: Handshake packets before the
//! Handshake secrets, 1-RTT packets before the handshake is complete, 0-RTT packets before the
//! server has decided. They are copied and kept, within bounds that a peer cannot pass, until the
//! keys come or the level is discarded (RFC 9000 5.2.2, 12.2; RFC 9001 5.7).

#![forbid(unsafe_code)]

use crate::{
    buf::Datagram,
    common::{
        deque::Deque,
        id::Level,
        time::Instant, //
    },
    path::{
        Ecn,
        PathAddr, //
    },
};

/// Packets kept per connection. A server's first flight is about ten, a window of 0-RTT a few
/// dozen.
const MAX_PACKETS: usize = 128;

/// Bytes kept per connection, so that full-size packets do not cost more than a receive buffer.
const MAX_BYTES: usize = 128 * 1024;

/// One packet, cut out of its datagram, still protected.
#[derive(Debug)]
pub struct Early {
    /// Keys it needs.
    pub level: Level,
    /// The path it arrived on.
    pub path: PathAddr,
    /// The mark it arrived with.
    pub ecn: Ecn,
    /// When it arrived. The wait for keys counts into the ACK delay (RFC 9000 13.2.5 #2).
    pub received: Instant,
    /// The packet.
    pub packet: Datagram,
}

/// Packets that wait for keys, oldest first.
#[derive(Debug, Default)]
pub struct Undecrypted {
    waiting: Deque<Early>,
    bytes: usize,
}

impl Undecrypted {
    /// Keeps a copy of a packet, or not: a packet that finds no room counts as lost on the way.
    // RFC 9000 12.2 #7
    pub fn push(
        &mut self,
        level: Level,
        path: PathAddr,
        ecn: Ecn,
        received: Instant,
        bytes: &[u8],
    ) -> bool {
        let total = self.bytes.saturating_add(bytes.len());
        if self.waiting.len() >= MAX_PACKETS || total > MAX_BYTES {
            return false;
        }
        let Ok(packet) = Datagram::try_from_slice(bytes) else {
            return false;
        };
        let early = Early {
            level,
            path,
            ecn,
            received,
            packet,
        };
        if self.waiting.push_back(early).is_err() {
            return false;
        }
        self.bytes = total;
        true
    }

    /// Takes the oldest packet, of whatever level. The caller puts back what still has to wait.
    pub fn pop(&mut self) -> Option<Early> {
        let early = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(early.packet.len());
        Some(early)
    }

    /// Puts a packet back behind the others; dropped if there is no memory.
    pub fn put_back(&mut self, early: Early) {
        let len = early.packet.len();
        if self.waiting.push_back(early).is_ok() {
            self.bytes = self.bytes.saturating_add(len);
        }
    }

    /// Number of packets that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }
}
