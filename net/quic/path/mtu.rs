// SPDX-License-Identifier: GPL-2.0

//! Datagram packetization-layer path MTU discovery (RFC 8899, RFC 9000 14.3).
//!
//! Sizes are UDP payloads in bytes. The search starts at QUIC's minimum, tries the largest size
//! at once, since most paths carry what the device does, and then halves the interval. A probe is
//! an ordinary packet that is padded and whose loss is no sign of congestion; recovery reports its
//! fate, so no timer of its own is needed for it.

#![forbid(unsafe_code)]

use super::MIN_DATAGRAM;
use crate::common::time::{
    Duration,
    Instant, //
};

/// QUIC's smallest allowed maximum datagram size, BASE_PLPMTU.
// RFC 9000 14.3 #1
pub const BASE: u16 = MIN_DATAGRAM as u16;

/// Probes of one size that must be lost before the size counts as too large (MAX_PROBES).
const MAX_PROBES: u8 = 3;

/// The search ends when the interval is no wider than this: the gain would be below two percent.
const RESOLUTION: u16 = 16;

/// Loss episodes of large packets, without one of them arriving in between, that prove a hole;
/// and probe time-outs in a row that suggest one.
const BLACK_HOLE: u8 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Discovery is off, or not yet on.
    Off,
    /// A size between the bounds is being looked for.
    Searching,
    /// The search is complete; a new one starts at the time given.
    Complete(Instant),
}

/// The state of the search.
#[derive(Debug)]
pub struct Mtu {
    phase: Phase,
    /// Largest size known to arrive.
    current: u16,
    /// Smallest size known, or thought, not to arrive, less one.
    ceiling: u16,
    /// Largest size that this side or the peer allows.
    max: u16,
    /// How long a complete search is believed (PMTU_RAISE_TIMER).
    raise: Duration,
    probe: Option<u16>,
    /// The next size to try is the ceiling: a message of the network has named it.
    is_hinted: bool,
    tries: u8,
    episodes: u8,
}

impl Mtu {
    /// A path of unknown size on which datagrams are never larger than `max`.
    // RFC 9000 14.2 #2
    pub fn new(max: u16) -> Self {
        let max = max.max(BASE);
        Self {
            phase: Phase::Off,
            current: BASE,
            ceiling: max,
            max,
            raise: Duration::from_secs(600),
            probe: None,
            is_hinted: false,
            tries: 0,
            episodes: 0,
        }
    }

    /// Size that ordinary datagrams may have.
    // RFC 9000 14.2 #3
    pub fn current(&self) -> u16 {
        self.current
    }

    /// Starts the search; `raise` is the time between searches.
    pub fn enable(&mut self, raise: Duration) {
        self.raise = raise;
        self.restart();
    }

    /// Whether the size is being looked for, or was.
    pub fn is_on(&self) -> bool {
        self.phase != Phase::Off
    }

    /// The peer takes no datagrams larger than `limit`.
    pub fn limit(&mut self, limit: u16) {
        self.max = self.max.min(limit.max(BASE));
        self.ceiling = self.ceiling.min(self.max);
        self.current = self.current.min(self.max);
    }

    /// The size of the probe to send now, if one is due.
    pub fn poll_probe(&mut self, now: Instant) -> Option<u16> {
        if let Phase::Complete(until) = self.phase {
            if now >= until {
                self.ceiling = self.max;
                self.restart();
            }
        }
        if self.phase != Phase::Searching || self.probe.is_some() {
            return None;
        }
        if self.ceiling.saturating_sub(self.current) < RESOLUTION {
            self.phase = Phase::Complete(now.saturating_add(self.raise));
            return None;
        }
        Some(self.candidate())
    }

    /// Whether [`Self::poll_probe`] may have something to send.
    pub fn wants_probe(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Off => false,
            Phase::Searching => self.probe.is_none(),
            Phase::Complete(until) => now >= until && self.max > self.current,
        }
    }

    /// A probe of this size went out.
    pub fn on_probe_sent(&mut self, size: u16) {
        self.probe = Some(size);
    }

    /// A probe arrived. Returns whether the size of ordinary datagrams changed.
    pub fn on_probe_acked(&mut self, size: u16) -> bool {
        if self.probe == Some(size) {
            self.probe = None;
            self.tries = 0;
        }
        if size <= self.current || size > self.max {
            return false;
        }
        self.current = size;
        self.ceiling = self.ceiling.max(size);
        self.episodes = 0;
        true
    }

    /// A probe was lost.
    // RFC 9000 14.4 #1
    pub fn on_probe_lost(&mut self, size: u16) {
        if self.probe != Some(size) {
            return;
        }
        self.probe = None;
        self.tries = self.tries.saturating_add(1);
        if self.tries >= MAX_PROBES {
            self.tries = 0;
            self.is_hinted = false;
            self.ceiling = size.saturating_sub(1).max(self.current);
        }
    }

    /// A packet of this size arrived: the path carries it.
    pub fn on_packet_acked(&mut self, size: u16) {
        if size > BASE {
            self.episodes = 0;
        }
    }

    /// Packets were declared lost together, the largest of this size. Returns whether the path no
    /// longer carries large datagrams, in which case the size went back to the minimum.
    pub fn on_packets_lost(&mut self, largest: u16) -> bool {
        // Packets larger than what is sent now say nothing of it.
        let is_sign = largest > BASE && largest <= self.current;
        if self.phase == Phase::Off || !is_sign {
            return false;
        }
        self.episodes = self.episodes.saturating_add(1);
        if self.episodes < BLACK_HOLE {
            return false;
        }
        self.fall_back();
        true
    }

    /// Nothing was acknowledged for `timeouts` probe time-outs in a row: if large datagrams are
    /// the reason, small ones may get through. Returns whether the size went back to the minimum.
    pub fn on_timeouts(&mut self, timeouts: u32) -> bool {
        let is_hole = timeouts >= u32::from(BLACK_HOLE);
        if self.phase == Phase::Off || self.current <= BASE || !is_hole {
            return false;
        }
        self.fall_back();
        true
    }

    fn fall_back(&mut self) {
        self.ceiling = self.current.saturating_sub(1).max(BASE);
        self.current = BASE;
        self.episodes = 0;
        self.restart();
    }

    /// A validated ICMP message says that datagrams above `size` do not fit. It is never believed
    /// to the letter: if ordinary datagrams are larger, they go back to the minimum, and `size` is
    /// what is tried next. Returns whether the size of ordinary datagrams changed.
    // RFC 9000 14.2.1 #1
    // RFC 9000 14.2.1 #6
    // RFC 8899 3 #12
    // RFC 8899 4.6.2 #1
    pub fn on_too_big(&mut self, size: u16) -> bool {
        let largest_sent = self.probe.unwrap_or(self.current).max(self.current);
        // RFC 8899 3 #13
        if self.phase == Phase::Off || size < BASE || size >= largest_sent {
            return false;
        }
        let is_hole = size < self.current;
        // RFC 8899 4.6.2 #4
        if is_hole {
            self.current = BASE;
        }
        self.ceiling = size;
        self.restart();
        self.is_hinted = true;
        is_hole
    }

    /// When a new search starts.
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Complete(until) if self.max > self.current => Some(until),
            _ => None,
        }
    }

    fn restart(&mut self) {
        self.phase = Phase::Searching;
        self.probe = None;
        self.is_hinted = false;
        self.tries = 0;
    }

    /// The ceiling first, if that is not known to be too much, then the middle of what is left.
    fn candidate(&self) -> u16 {
        if self.ceiling == self.max || self.is_hinted {
            return self.ceiling;
        }
        let gap = self.ceiling.saturating_sub(self.current);
        self.current.saturating_add(gap.div_ceil(2))
    }
}
