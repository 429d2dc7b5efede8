// SPDX-License-Identifier: GPL-2.0

//! Variable-length integers (RFC 9000 section 16).
//!
//! ```text
//!  first byte   bytes   range of values
//!  00xxxxxx       1     0 to 2^6 - 1
//!  01xxxxxx       2     0 to 2^14 - 1
//!  10xxxxxx       4     0 to 2^30 - 1
//!  11xxxxxx       8     0 to 2^62 - 1
//! ```

#![forbid(unsafe_code)]

/// A number that a variable-length integer can carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VarInt(u64);

impl VarInt {
    /// The largest value, 2^62 - 1.
    pub const MAX: u64 = (1 << 62) - 1;

    /// Takes a number, or `None` when it is larger than [`VarInt::MAX`].
    pub const fn new(value: u64) -> Option<VarInt> {
        if value <= Self::MAX {
            Some(VarInt(value))
        } else {
            None
        }
    }

    /// Takes a number that always fits.
    pub const fn from_u32(value: u32) -> VarInt {
        // CAST: widening, which `From` cannot do in a constant.
        VarInt(value as u64)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Bytes of the shortest encoding.
    pub const fn size(self) -> usize {
        size(self.0)
    }
}

impl TryFrom<u64> for VarInt {
    type Error = OutOfRange;

    fn try_from(value: u64) -> Result<Self, OutOfRange> {
        VarInt::new(value).ok_or(OutOfRange)
    }
}

impl From<VarInt> for u64 {
    fn from(value: VarInt) -> u64 {
        value.0
    }
}

impl From<u32> for VarInt {
    fn from(value: u32) -> VarInt {
        VarInt::from_u32(value)
    }
}

/// The number is 2^62 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange;

/// Bytes of the shortest encoding of `value`; 8 also for a value that has none.
#[inline]
pub const fn size(value: u64) -> usize {
    if value < 1 << 6 {
        1
    } else if value < 1 << 14 {
        2
    } else if value < 1 << 30 {
        4
    } else {
        8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_change_at_the_powers_of_the_table() {
        for (value, bytes) in [
            (0, 1),
            (63, 1),
            (64, 2),
            (16_383, 2),
            (16_384, 4),
            ((1 << 30) - 1, 4),
            (1 << 30, 8),
            (VarInt::MAX, 8),
        ] {
            assert_eq!(VarInt::new(value).unwrap().size(), bytes, "{value}");
        }
    }

    #[test]
    fn two_to_the_62_is_refused() {
        assert_eq!(VarInt::try_from(1u64 << 62), Err(OutOfRange));
        assert_eq!(
            u64::from(VarInt::try_from(VarInt::MAX).unwrap()),
            VarInt::MAX
        );
    }
}
