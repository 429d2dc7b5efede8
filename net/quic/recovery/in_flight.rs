// SPDX-License-Identifier: GPL-2.0

//! Bytes in flight: on the active path, where they count against the congestion window, and on
//! those beside it, for the time when the connection moves there (RFC 9002 B.2, RFC 9000 9.4).
//!
//! A peer may change its address with every packet, so a change costs the same however many
//! packets are in flight: the bytes of each path are kept as a sum.

#![forbid(unsafe_code)]

use super::sent::SentPacket;

/// Paths beside the active one that a connection knows: one that is tried and one to fall back to.
const OTHERS: usize = 2;

/// A path beside the active one with bytes in flight.
#[derive(Debug, Clone, Copy)]
struct Other {
    path: u32,
    bytes: u64,
}

/// Bytes in flight by path.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    path: u32,
    bytes: u64,
    /// INVARIANT: distinct paths, none the active one, none without bytes.
    others: [Option<Other>; OTHERS],
}

impl InFlight {
    /// The active path.
    pub(super) fn path(&self) -> u32 {
        self.path
    }

    /// Bytes in flight on the active path.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counts a packet that is sent.
    pub(super) fn on_sent(&mut self, packet: &SentPacket) {
        self.change(packet, u64::saturating_add);
    }

    /// Counts a packet no more: it was acknowledged, lost or forgotten.
    pub(super) fn on_gone(&mut self, packet: &SentPacket) {
        self.change(packet, u64::saturating_sub);
    }

    /// Adds a packet to the bytes of its path, or takes it off.
    fn change(&mut self, packet: &SentPacket, change: impl Fn(u64, u64) -> u64) {
        if !packet.in_flight {
            return;
        }
        let size = u64::from(packet.size);
        if packet.path == self.path {
            self.bytes = change(self.bytes, size);
        } else {
            let bytes = change(self.take(packet.path), size);
            self.put(packet.path, bytes);
        }
    }

    /// Makes `path` the active one: what was sent on it counts from now on, and what was sent on
    /// the one before waits for the connection to come back.
    pub(super) fn switch(&mut self, path: u32) {
        if path == self.path {
            return;
        }
        let bytes = self.take(path);
        let (left, left_bytes) = (self.path, self.bytes);
        (self.path, self.bytes) = (path, bytes);
        self.put(left, left_bytes);
    }

    /// Forgets the paths that the connection will never come back to.
    pub(super) fn retain(&mut self, is_known: &dyn Fn(u32) -> bool) {
        for slot in &mut self.others {
            *slot = slot.filter(|other| is_known(other.path));
        }
    }

    /// Takes out the bytes of a path beside the active one.
    fn take(&mut self, path: u32) -> u64 {
        let mut slots = self.others.iter_mut();
        let slot = slots.find(|slot| slot.is_some_and(|other| other.path == path));
        slot.and_then(Option::take).map_or(0, |other| other.bytes)
    }

    /// Keeps the bytes of a path beside the active one that has no place yet. One too many, which
    /// an owner that tells of the end of paths never has, stays uncounted.
    fn put(&mut self, path: u32, bytes: u64) {
        let free = self.others.iter_mut().find(|slot| slot.is_none());
        if let (Some(slot), true) = (free, bytes > 0) {
            *slot = Some(Other { path, bytes });
        }
    }
}
