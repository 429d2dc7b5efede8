// SPDX-License-Identifier: GPL-2.0

//! Tokens that were used already (RFC 9000 section 8.1.4).
//!
//! A fixed amount of memory cannot remember every token, but it can say "perhaps seen" of all that
//! were.  A token wrongly called seen costs its client one round trip and nothing else.

#![forbid(unsafe_code)]

use super::token::TokenKind;
use crate::{
    common::Instant,
    mem::{
        AllocError,
        Vec, //
    },
};

/// Bits of one generation, 8 KiB; at eight thousand tokens in one lifetime one in twenty is wrongly
/// refused. A part of a nonce has so many values.
const BITS: usize = 1 << 16;
const WORDS: usize = BITS / 64;

/// Remembers used tokens for at least as long as they would be accepted.
///
/// Two generations take turns: the older is forgotten after a whole lifetime in which it was only
/// read.
#[derive(Debug)]
pub struct ReplayFilter {
    current: Vec<u64>,
    older: Vec<u64>,
    since: Instant,
}

impl ReplayFilter {
    /// Starts with no token seen, and with all the memory that it will ever have.
    pub fn new(now: Instant) -> Result<Self, AllocError> {
        let mut filter = Self {
            current: Vec::new(),
            older: Vec::new(),
            since: now,
        };
        filter.current.try_resize(WORDS, 0)?;
        filter.older.try_resize(WORDS, 0)?;
        Ok(filter)
    }

    /// Notes a token by its nonce; says whether it is surely new.
    // RFC 9000 8.1.4 #6, RFC 9000 8.1.4 #8
    pub fn insert(&mut self, nonce: u64, now: Instant) -> bool {
        let lifetime = TokenKind::NewToken.lifetime();
        let age = now.since(self.since);
        if age >= lifetime {
            core::mem::swap(&mut self.current, &mut self.older);
            self.current.as_mut_slice().fill(0);
            if age >= lifetime.saturating_mul(2) {
                self.older.as_mut_slice().fill(0);
            }
            self.since = now;
        }
        // The nonce is random: four parts of it are four independent positions.
        let parts = [0u32, 16, 32, 48].map(|shift| nonce.wrapping_shr(shift) as usize % BITS);
        let is_set = |words: &[u64], at: usize| {
            let word = words.get(at / 64).copied().unwrap_or(0);
            // CAST: below 64.
            word.wrapping_shr((at % 64) as u32) & 1 == 1
        };
        let seen = parts.iter().all(|at| is_set(&self.current, *at))
            || parts.iter().all(|at| is_set(&self.older, *at));
        for at in parts {
            if let Some(word) = self.current.as_mut_slice().get_mut(at / 64) {
                // CAST: below 64.
                *word |= 1u64.wrapping_shl((at % 64) as u32);
            }
        }
        !seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Duration;

    fn nonce(nr: u64) -> u64 {
        // SplitMix64: distinct and well mixed.
        let mut z = nr.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z ^ (z >> 27)
    }

    #[test]
    fn a_token_is_new_once_as_long_as_it_would_be_accepted() {
        // RFC 9000 8.1.4 #6 test, RFC 9000 8.1.4 #8 test, RFC 9000 21.3 #1 test
        let start = Instant::from_nanos(7);
        let at = |secs| start.saturating_add(Duration::from_secs(secs));
        let mut filter = ReplayFilter::new(start).expect("memory");
        let wrong = (0..8_000)
            .filter(|nr| !filter.insert(nonce(*nr), at(*nr / 16)))
            .count();
        assert!(wrong < 160, "{wrong} of 8000 wrongly called seen");
        for nr in 0..8_000 {
            assert!(!filter.insert(nonce(nr), at(500)));
        }
        // Noted again at 500, so still known 600 seconds later, in the older generation.
        for nr in 0..8_000 {
            assert!(!filter.insert(nonce(nr), at(1_100)), "{nr}");
        }
        assert!(filter.insert(nonce(5), at(10_000)));
    }
}
