// SPDX-License-Identifier: GPL-2.0

//! Randomness, handed in by the caller.

#![forbid(unsafe_code)]

/// A source of random numbers fit for keys and identifiers.
///
/// The kernel's is `get_random_bytes`, the simulator's a generator with a printed seed.
pub trait Rng {
    /// Fills `out` with random bytes.
    fn fill(&mut self, out: &mut [u8]);

    /// Returns 64 random bits.
    fn u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// Returns a number below `bound`, or zero when that is zero.  The bias of the remainder is
    /// below `bound / 2^64`, which no use of it here can notice.
    fn below(&mut self, bound: u64) -> u64 {
        self.u64().checked_rem(bound).unwrap_or(0)
    }
}
