// SPDX-License-Identifier: GPL-2.0

//! Packet numbers of one packet number space: which comes next, and which were left out.
//!
//! Numbers are skipped at random so that a peer acknowledging packets it never received is found
//! out (RFC 9000 21.4). The gap between two skipped numbers grows with the congestion window: a
//! small connection is not slowed by needless gaps, and a large one is still tested about once
//! for every window or two, which is before an inflated window can be used for long.

#![forbid(unsafe_code)]

use crate::common::rng::Rng;

/// Largest packet number that may be sent: RFC 9000 12.3 ends the connection at 2^62-1.
const LAST: u64 = (1 << 62) - 2;

/// Skipped numbers remembered. The distance between two of them is at least a window, so that
/// older ones lie many windows back, where a forged acknowledgement gains nothing.
const REMEMBERED: usize = 8;

/// The first number is skipped within this many packets, soon enough to catch a client that
/// acknowledges a short response before it has arrived.
const FIRST_SKIP: u64 = 32;

/// Skips are never closer than this on average, however small the window is.
const MIN_PERIOD: u64 = 64;

/// Packet numbers of one space.
#[derive(Debug)]
pub struct Numbers {
    next: u64,
    /// The number to leave out next; `None` where nothing is skipped.
    skip_at: Option<u64>,
    /// The first `min(count, REMEMBERED)` of these.
    skipped: [u64; REMEMBERED],
    /// Numbers skipped so far.
    count: usize,
}

impl Numbers {
    /// A space that starts at zero.
    pub const fn new() -> Self {
        Self {
            next: 0,
            skip_at: None,
            skipped: [0; REMEMBERED],
            count: 0,
        }
    }

    /// The number that the next packet will carry unless it is skipped first; every smaller one
    /// was sent or skipped.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Chooses the number for the next packet; calling it again before [`Self::on_sent`] gives
    /// the same answer. `None` when the space is exhausted and the connection must end silently.
    pub fn choose(&mut self, rng: &mut dyn Rng, window_packets: u64) -> Option<u64> {
        match self.skip_at {
            None => {
                let first = 1u64.saturating_add(rng.below(FIRST_SKIP));
                self.skip_at = Some(self.next.saturating_add(first));
            }
            // RFC 9000 21.4 #1
            Some(at) if at <= self.next => {
                if let Some(slot) = self.skipped.get_mut(self.count % REMEMBERED) {
                    *slot = self.next;
                }
                self.count = self.count.saturating_add(1);
                self.next = self.next.saturating_add(1);
                let period = window_packets.max(MIN_PERIOD);
                let gap = period.saturating_add(rng.below(period));
                self.skip_at = Some(self.next.saturating_add(gap));
            }
            Some(_) => {}
        }
        self.peek()
    }

    /// The next number without any skipping: Initial and Handshake spaces are too short to test
    /// a peer, and an attacker on the path could otherwise recognise an endpoint by its gaps.
    ///
    /// RFC 9000 12.3 #3: `None` at the end of the space.
    pub fn peek(&self) -> Option<u64> {
        (self.next <= LAST).then_some(self.next)
    }

    /// Packet `pn` was sent.
    pub fn on_sent(&mut self, pn: u64) {
        // RFC 9000 12.3 #1, RFC 9000 12.3 #2
        self.next = self.next.max(pn.saturating_add(1));
    }

    /// Whether any number was skipped so far.
    pub fn has_skipped(&self) -> bool {
        self.count > 0
    }

    /// Whether a skipped number lies in `first..=last`.
    pub fn is_skipped_in(&self, first: u64, last: u64) -> bool {
        self.count_skipped(first, last) > 0
    }

    /// How many skipped numbers lie in `first..=last`.
    pub fn count_skipped(&self, first: u64, last: u64) -> u64 {
        let skipped = self.skipped.iter().take(self.count);
        skipped.fold(0, |n: u64, pn| {
            let is_inside = first <= *pn && *pn <= last;
            n.saturating_add(u64::from(is_inside))
        })
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Self::new()
    }
}
