// SPDX-License-Identifier: GPL-2.0

//! Packet numbers in one to four bytes (RFC 9000 section 17.1 and appendix A).

#![forbid(unsafe_code)]

/// Bytes needed for packet number `pn` when `largest_acked` is the largest the peer has
/// acknowledged in this space: enough for more than twice the distance.
///
/// Four bytes carry a distance of 2^31; `None` when even that is exceeded, so that the packet
/// cannot be sent.
// RFC 9000 17.1 #1, RFC 9000 17.1 #2, RFC 9000 17.1 #3
pub const fn encoded_len(pn: u64, largest_acked: Option<u64>) -> Option<usize> {
    let distance = match largest_acked {
        Some(acked) => pn.saturating_sub(acked),
        // Before the first acknowledgement nothing is left out.
        None => pn.saturating_add(1),
    };
    match distance {
        0..0x80 => Some(1),
        0x80..0x8000 => Some(2),
        0x8000..0x80_0000 => Some(3),
        0x80_0000..0x8000_0000 => Some(4),
        _ => None,
    }
}

/// Recovers a packet number from its low bytes: the candidate closest to `expected`, the number
/// after the largest received in this space.
///
/// ```text
///             expected - half window      expected       expected + half window
///  ---------------|--------------------------|--------------------------|--------
///                 <---------- exactly one candidate is in here --------->
/// ```
pub const fn decode(truncated: u32, len: usize, expected: u64) -> u64 {
    let window: u64 = match len {
        1 => 1 << 8,
        2 => 1 << 16,
        3 => 1 << 24,
        _ => 1 << 32,
    };
    let half = window / 2;
    // CAST: widening.
    let candidate = (expected & !(window.wrapping_sub(1))) | truncated as u64;
    if candidate.saturating_add(half) <= expected && candidate < (1u64 << 62).saturating_sub(window)
    {
        candidate.wrapping_add(window)
    } else if candidate > expected.saturating_add(half) && candidate >= window {
        candidate.wrapping_sub(window)
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_samples_of_rfc_9000_appendix_a_encode_and_decode() {
        // RFC 9000 17.1 #2 test
        assert_eq!(encoded_len(0xac5c02, Some(0xabe8b3)), Some(2));
        assert_eq!(encoded_len(0xace8fe, Some(0xabe8b3)), Some(3));
        assert_eq!(decode(0x9b32, 2, 0xa82f30eb), 0xa82f9b32);
    }

    #[test]
    fn before_an_acknowledgement_the_number_is_whole() {
        // RFC 9000 17.1 #1 test
        for (pn, len) in [(0, 1), (0x7e, 1), (0x7f, 2), (0x7ffe, 2), (0x7fff, 3)] {
            assert_eq!(encoded_len(pn, None), Some(len), "{pn:#x}");
            assert_eq!(decode(pn as u32, len, 0), pn);
        }
        assert_eq!(encoded_len(1 << 31, Some(0)), None);
    }

    #[test]
    fn the_ends_of_the_numbers_hold() {
        assert_eq!(decode(0xff, 1, 0), 0xff);
        assert_eq!(decode(0x00, 1, (1 << 62) - 1), (1 << 62) - 256);
        assert_eq!(decode(0xffff_ffff, 4, (1 << 62) - 1), (1 << 62) - 1);
    }

    proptest! {
        #![proptest_config(crate::common::test_config(4_000))]

        #[test]
        fn a_number_is_recovered_as_long_as_the_receiver_is_between_acked_and_sent(
            acked in 0..(1u64 << 62) - (1 << 31), ahead in 1..1u64 << 31, shift in 0..31u32,
            seen in 0..=100u64
        ) {
            let pn = acked + (ahead >> shift).max(1);
            let len = encoded_len(pn, Some(acked)).unwrap();
            let truncated = (pn & (u64::MAX >> (64 - 8 * len))) as u32;
            // The receiver has the acknowledged packet, and perhaps all up to the one before.
            let largest = acked + (pn - 1 - acked) * seen / 100;
            prop_assert_eq!(decode(truncated, len, largest + 1), pn);
            // RFC 9000 17.1 #3 test
            // Reordering: half of the window has been received beyond it.
            let beyond = pn + (1 << (8 * len - 2));
            prop_assert_eq!(decode(truncated, len, beyond), pn);
        }
    }
}
