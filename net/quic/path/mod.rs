// SPDX-License-Identifier: GPL-2.0

//! Network paths: the four-tuple in use, the one being tried and the one to fall back to.
//!
//! A [`Path`] knows whether the peer's address is validated and how much may be sent until it is
//! (RFC 9000 8), which challenges and responses it owes (8.2, `challenge.rs`) and how large its
//! datagrams may be (14, `mtu.rs`). [`Paths`] holds at most three of them, whatever a peer that
//! moves, or somebody who spoofs its address, does. Called with the connection's lock held.

#![forbid(unsafe_code)]

pub mod challenge;
pub mod mtu;
pub mod spin;

use core::net::SocketAddr;

use challenge::{
    Challenge,
    Responses, //
};
use mtu::Mtu;
use spin::Spin;

pub use crate::recovery::ecn::Ecn;

/// Bytes that may be sent to an address not yet validated, for each byte received from it.
// RFC 9000 8 #1
const AMPLIFICATION: u64 = 3;

/// Smallest size that every path must carry, and that some datagrams are expanded to.
// RFC 9000 14 #1
pub const MIN_DATAGRAM: usize = 1200;

/// One UDP four-tuple as this side sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathAddr {
    /// Own address and port.
    pub local: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
}

/// One path and what is known about it.
#[derive(Debug)]
pub struct Path {
    /// Where it leads.
    pub addr: PathAddr,
    /// Tells packets sent on this path from those sent on earlier ones.
    pub epoch: u32,
    /// Sequence number of the peer's connection id used here.
    pub dcid: u64,
    /// Proof of reachability that this side asked for.
    pub challenge: Challenge,
    /// Answers that this side owes.
    pub responses: Responses,
    /// Size of datagrams.
    pub mtu: Mtu,
    /// The latency spin bit.
    pub spin: Spin,
    /// A non-probing packet of the peer's arrived here: it moves as soon as the path is validated.
    pub peer_uses: bool,
    /// Number of the own id that packet was sent to.
    pub carrier: Option<u64>,
    /// This side chose the path, rather than the peer.
    pub is_own: bool,
    validated: bool,
    received: u64,
    sent: u64,
}

impl Path {
    /// A path of which nothing is known yet.
    pub fn new(addr: PathAddr, epoch: u32, dcid: u64, max_datagram: u16) -> Self {
        Self {
            addr,
            epoch,
            dcid,
            challenge: Challenge::default(),
            responses: Responses::default(),
            mtu: Mtu::new(max_datagram),
            spin: Spin::default(),
            peer_uses: false,
            carrier: None,
            is_own: false,
            validated: false,
            received: 0,
            sent: 0,
        }
    }

    /// The peer has proved that it receives at this address.
    pub fn set_validated(&mut self) {
        self.validated = true;
    }

    /// Whether the peer's address is validated.
    pub fn is_validated(&self) -> bool {
        self.validated
    }

    /// A datagram arrived on the path, in whole, whatever became of its packets.
    // RFC 9000 8.1 #3
    pub fn on_received(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(widen(bytes));
    }

    /// A datagram was sent on the path.
    pub fn on_sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(widen(bytes));
    }

    /// Bytes that may be sent now without serving as somebody's amplifier.
    // RFC 9000 8 #1
    // RFC 9000 8.1 #2
    pub fn budget(&self) -> usize {
        if self.validated {
            return usize::MAX;
        }
        let left = self
            .received
            .saturating_mul(AMPLIFICATION)
            .saturating_sub(self.sent);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Whether not even a smallest useful packet may be sent.
    pub fn is_blocked(&self) -> bool {
        !self.validated && self.budget() < MIN_USEFUL
    }
}

/// Below this a datagram may be unable to carry any frame: a long header with the longest ids, a
/// packet number, a tag and a short ACK frame.
const MIN_USEFUL: usize = 100;

/// Which of the paths something concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The path in use.
    Active,
    /// A path tried by this side or by the peer.
    Probe,
    /// The path used before, until the new one is validated.
    Previous,
}

impl Slot {
    /// All slots, the active one first.
    pub const ALL: [Self; 3] = [Self::Active, Self::Probe, Self::Previous];
}

/// The paths of a connection.
#[derive(Debug)]
pub struct Paths {
    active: Path,
    probe: Option<Path>,
    previous: Option<Path>,
    next_epoch: u32,
    /// PATH_RESPONSE frames of which nothing is known yet, at most [`MAX_RESPONSES`].
    unknown_responses: u32,
    /// PATH_CHALLENGE frames of which nothing is known yet. The peer gets no new path with
    /// [`MAX_CHALLENGES`] of them.
    unknown_challenges: u32,
}

/// PATH_RESPONSE frames that may be in flight. They go out at once, whatever the congestion window
/// says, and what is in flight is remembered: without a bound, a peer that challenges and
/// acknowledges nothing fills the memory. An honest peer asks once in a probe time-out.
const MAX_RESPONSES: u32 = 64;

/// PATH_CHALLENGE frames that may be in flight before an address of the peer's is taken up. As with
/// [`MAX_RESPONSES`], a peer that is somewhere else with each packet and acknowledges nothing would
/// fill the memory otherwise. The paths there are add a few tries each. An honest peer that moves
/// acknowledges the first packet that reaches it, and with that the fate of those before is known.
const MAX_CHALLENGES: u32 = 64;

impl Paths {
    /// Starts with one path.
    pub fn new(addr: PathAddr, max_datagram: u16) -> Self {
        Self {
            active: Path::new(addr, 0, 0, max_datagram),
            probe: None,
            previous: None,
            next_epoch: 1,
            unknown_responses: 0,
            unknown_challenges: 0,
        }
    }

    /// The PATH_RESPONSE to send next on the path of a slot, if one is owed and may be sent now.
    /// While too many are in flight the newest few of the path wait.
    // RFC 9000 8.2.2 #2
    // RFC 9000 21.9 #1
    pub fn next_response(&self, slot: Slot) -> Option<[u8; 8]> {
        let path = self.get(slot)?;
        let may_send = self.unknown_responses < MAX_RESPONSES;
        path.responses.front().filter(|_| may_send)
    }

    /// The answer that [`Self::next_response`] gave was sent.
    pub fn on_response_sent(&mut self, slot: Slot) {
        self.unknown_responses = self.unknown_responses.saturating_add(1);
        if let Some(path) = self.get_mut(slot) {
            path.responses.pop();
        }
    }

    /// A PATH_RESPONSE has arrived or was lost.
    pub fn on_response_known(&mut self) {
        self.unknown_responses = self.unknown_responses.saturating_sub(1);
    }

    /// A PATH_CHALLENGE was sent.
    pub fn on_challenge_sent(&mut self) {
        self.unknown_challenges = self.unknown_challenges.saturating_add(1);
    }

    /// A PATH_CHALLENGE has arrived or was lost.
    pub fn on_challenge_known(&mut self) {
        self.unknown_challenges = self.unknown_challenges.saturating_sub(1);
    }

    /// Whether another address of the peer's may be tried.
    // RFC 9000 21.9 #1
    pub fn may_follow(&self) -> bool {
        self.unknown_challenges < MAX_CHALLENGES
    }

    /// Whether something has to be sent, and may be sent, on the path of this slot for the path's
    /// own sake.
    pub fn has_pending(&self, slot: Slot) -> bool {
        let is_challenging = |path: &Path| path.challenge.is_pending();
        self.get(slot).is_some_and(is_challenging) || self.next_response(slot).is_some()
    }

    /// The path in use.
    pub fn active(&self) -> &Path {
        &self.active
    }

    /// The path in use.
    pub fn active_mut(&mut self) -> &mut Path {
        &mut self.active
    }

    /// A path by its slot.
    pub fn get(&self, slot: Slot) -> Option<&Path> {
        match slot {
            Slot::Active => Some(&self.active),
            Slot::Probe => self.probe.as_ref(),
            Slot::Previous => self.previous.as_ref(),
        }
    }

    /// A path by its slot.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut Path> {
        match slot {
            Slot::Active => Some(&mut self.active),
            Slot::Probe => self.probe.as_mut(),
            Slot::Previous => self.previous.as_mut(),
        }
    }

    /// The slot of the path with this four-tuple.
    pub fn find(&self, addr: PathAddr) -> Option<Slot> {
        Slot::ALL
            .into_iter()
            .find(|slot| self.get(*slot).is_some_and(|path| path.addr == addr))
    }

    /// Every path there is.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        Slot::ALL.into_iter().filter_map(|slot| self.get(slot))
    }

    /// Puts a new path into the probe slot and returns the one that was there.
    pub fn set_probe(&mut self, addr: PathAddr, dcid: u64, max_datagram: u16) -> Option<Path> {
        let path = Path::new(addr, self.next_epoch, dcid, max_datagram);
        self.next_epoch = self.next_epoch.wrapping_add(1);
        self.probe.replace(path)
    }

    /// Takes the path out of a slot other than the active one.
    pub fn take(&mut self, slot: Slot) -> Option<Path> {
        match slot {
            Slot::Active => None,
            Slot::Probe => self.probe.take(),
            Slot::Previous => self.previous.take(),
        }
    }

    /// Makes the path of a slot the active one. The path left becomes the one to fall back to if it
    /// was validated, or stays forgotten; the path dropped is returned.
    // RFC 9000 9.3.2 #1
    pub fn promote(&mut self, slot: Slot) -> Option<Path> {
        let next = self.take(slot)?;
        let left = core::mem::replace(&mut self.active, next);
        if left.is_validated() {
            self.previous.replace(left)
        } else {
            Some(left)
        }
    }

    /// Goes back to the previous path and returns the one left; `None` if there is no previous.
    // RFC 9000 9.3.2 #1
    pub fn revert(&mut self) -> Option<Path> {
        let previous = self.previous.take()?;
        Some(core::mem::replace(&mut self.active, previous))
    }
}

/// A length as a 64-bit count.
pub(crate) fn widen(bytes: usize) -> u64 {
    // `usize` has at most 64 bits on every target, so this never saturates.
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
