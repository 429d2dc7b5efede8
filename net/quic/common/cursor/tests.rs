// SPDX-License-Identifier: GPL-2.0

//! Reading and writing at every bound.

#![forbid(unsafe_code)]

use super::*;
use proptest::prelude::*;

#[test]
fn the_samples_of_rfc_9000_a_1_decode() {
    // RFC 9000 appendix A.1; the last is the two-byte form of the fourth.
    let table: [(&[u8], u64); 5] = [
        (
            &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c],
            151_288_809_941_952_652,
        ),
        (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
        (&[0x7b, 0xbd], 15_293),
        (&[0x25], 37),
        (&[0x40, 0x25], 37),
    ];
    for (bytes, value) in table {
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.varint(), Ok(value));
        assert!(reader.is_empty());
        for cut in 0..bytes.len() {
            let mut reader = Reader::new(&bytes[..cut]);
            assert_eq!(reader.varint(), Err(Truncated));
            assert_eq!(reader.position(), 0);
        }
    }
}

#[test]
fn a_failed_write_leaves_the_position() {
    let mut buffer = [0; 3];
    let mut writer = Writer::new(&mut buffer);
    writer.put_u8(1).unwrap();
    assert_eq!(writer.put_u32(7), Err(NoSpace));
    assert_eq!(writer.put_varint(1 << 62), Err(NoSpace));
    assert_eq!(writer.put_varint_bytes(&[1, 2]), Err(NoSpace));
    assert_eq!(writer.put_varint_sized(64, 1), Err(NoSpace));
    assert_eq!(writer.put_varint_sized(1, 3), Err(NoSpace));
    assert_eq!(writer.position(), 1);
    writer.put_u16(0x0203).unwrap();
    assert_eq!(writer.written(), [1, 2, 3]);
    writer.rewind(2);
    assert_eq!(writer.remaining(), 1);
    writer.rewind(3);
    assert_eq!(writer.position(), 2);
}

#[test]
fn length_prefixed_bytes_are_read_whole_or_not_at_all() {
    let mut reader = Reader::new(&[2, 5, 6, 3, 1, 1]);
    assert_eq!(reader.varint_bytes(), Ok(&[5, 6][..]));
    assert_eq!(reader.varint_bytes(), Err(Truncated));
    assert_eq!(reader.position(), 3);
    assert_eq!(reader.take_rest(), [3, 1, 1]);
    let mut reader = Reader::new(&[0, 0, 9]);
    assert_eq!(reader.skip_zeros(), 2);
    assert_eq!(reader.peek(), Some(9));
}

proptest! {
    #![proptest_config(crate::common::test_config(512))]

    #[test]
    fn a_varint_reads_as_it_was_written(value in 0..=VarInt::MAX, shift in 0..62u32) {
        let value = value >> shift;
        for size in [1, 2, 4, 8] {
            let mut buffer = [0xaa; 8];
            let mut writer = Writer::new(&mut buffer);
            if writer.put_varint_sized(value, size).is_ok() {
                prop_assert_eq!(writer.position(), size);
                let mut reader = Reader::new(writer.written());
                prop_assert_eq!(reader.varint(), Ok(value));
            } else {
                prop_assert!(varint::size(value) > size);
            }
        }
    }

    #[test]
    fn random_bytes_never_read_beyond_the_end(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
        let mut reader = Reader::new(&bytes);
        while let Ok(value) = reader.varint() {
            prop_assert!(value <= VarInt::MAX);
        }
        prop_assert!(reader.remaining() < 8);
    }
}
