// SPDX-License-Identifier: GPL-2.0

//! Reading and writing of packet bytes, with every bound checked.
//!
//! A failed call leaves the cursor where it was.

#![forbid(unsafe_code)]

use super::varint::{
    self,
    VarInt, //
};

/// The bytes ended before the value did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated;

/// The value does not fit into the space that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSpace;

/// A read position in borrowed bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            total: bytes.len(),
        }
    }

    /// Bytes not yet read.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// True at the end.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes read so far.
    #[inline]
    pub const fn position(&self) -> usize {
        self.total.saturating_sub(self.rest.len())
    }

    /// What is left, without reading it.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next byte, without reading it.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Reads one byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        let (first, rest) = self.rest.split_first().ok_or(Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    /// Reads two bytes in network order.
    pub fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_be_bytes)
    }

    /// Reads four bytes in network order.
    pub fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_be_bytes)
    }

    /// Reads an array.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (first, rest) = self.rest.split_first_chunk::<N>().ok_or(Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    /// Reads a variable-length integer.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Truncated> {
        let first = self.peek().ok_or(Truncated)?;
        match first >> 6 {
            0 => {
                self.u8()?;
                Ok(u64::from(first))
            }
            1 => Ok(u64::from(u16::from_be_bytes(self.array()?) & 0x3fff)),
            2 => Ok(u64::from(u32::from_be_bytes(self.array()?) & 0x3fff_ffff)),
            _ => Ok(u64::from_be_bytes(self.array()?) & VarInt::MAX),
        }
    }

    /// Reads `count` bytes.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        let (first, rest) = self.rest.split_at_checked(count).ok_or(Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    /// Reads a variable-length integer and as many bytes as it says.
    pub fn varint_bytes(&mut self) -> Result<&'a [u8], Truncated> {
        let mut ahead = self.clone();
        let count = usize::try_from(ahead.varint()?).map_err(|_| Truncated)?;
        let bytes = ahead.bytes(count)?;
        *self = ahead;
        Ok(bytes)
    }

    /// Reads all that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// Reads bytes as long as they are zero, and returns how many there were.
    pub fn skip_zeros(&mut self) -> usize {
        let zeros = self.rest.iter().take_while(|byte| **byte == 0).count();
        self.rest = self.rest.get(zeros..).unwrap_or_default();
        zeros
    }
}

/// A write position in borrowed bytes.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    position: usize,
    // Nothing is written from here on.
    end: usize,
}

impl<'a> Writer<'a> {
    /// Starts at the first byte of `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self::with_reserve(buffer, 0)
    }

    /// Starts at the first byte of `buffer` and keeps the last `reserve` bytes free.
    pub fn with_reserve(buffer: &'a mut [u8], reserve: usize) -> Self {
        let end = buffer.len().saturating_sub(reserve);
        Self {
            buffer,
            position: 0,
            end,
        }
    }

    /// Bytes written so far.
    #[inline]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Bytes still free.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.end.saturating_sub(self.position)
    }

    /// What was written so far.
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.position).unwrap_or_default()
    }

    /// Takes the last bytes back; a position ahead of the present one is ignored.
    pub fn rewind(&mut self, position: usize) {
        self.position = self.position.min(position);
    }

    /// Ends writing and returns all of the buffer, reserved bytes included, with the position.
    pub fn into_parts(self) -> (&'a mut [u8], usize) {
        (self.buffer, self.position)
    }

    /// Hands out the next `count` bytes to be filled by the caller.
    #[inline]
    pub fn reserve(&mut self, count: usize) -> Result<&mut [u8], NoSpace> {
        let end = self.position.checked_add(count).ok_or(NoSpace)?;
        if end > self.end {
            return Err(NoSpace);
        }
        let bytes = self.buffer.get_mut(self.position..end).ok_or(NoSpace)?;
        self.position = end;
        Ok(bytes)
    }

    /// Writes bytes.
    #[inline]
    pub fn put_bytes(&mut self, bytes: &[u8]) -> Result<(), NoSpace> {
        self.reserve(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes `count` times the same byte.
    pub fn put_fill(&mut self, byte: u8, count: usize) -> Result<(), NoSpace> {
        self.reserve(count)?.fill(byte);
        Ok(())
    }

    /// Writes one byte.
    #[inline]
    pub fn put_u8(&mut self, value: u8) -> Result<(), NoSpace> {
        self.put_bytes(&[value])
    }

    /// Writes two bytes in network order.
    pub fn put_u16(&mut self, value: u16) -> Result<(), NoSpace> {
        self.put_bytes(&value.to_be_bytes())
    }

    /// Writes four bytes in network order.
    pub fn put_u32(&mut self, value: u32) -> Result<(), NoSpace> {
        self.put_bytes(&value.to_be_bytes())
    }

    /// Writes a variable-length integer in its shortest form.  A value of 2^62 or more fits
    /// nowhere.
    #[inline]
    pub fn put_varint(&mut self, value: u64) -> Result<(), NoSpace> {
        self.put_varint_sized(value, varint::size(value))
    }

    /// Writes a variable-length integer in `size` bytes (1, 2, 4 or 8), for a field whose value
    /// is known later than its place.
    #[inline]
    pub fn put_varint_sized(&mut self, value: u64, size: usize) -> Result<(), NoSpace> {
        if value > VarInt::MAX || varint::size(value) > size {
            return Err(NoSpace);
        }
        // BOUNDS and CAST: the value was just compared with the range of its size, so that the
        // bits cut off are zero.
        match size {
            1 => self.put_bytes(&[value as u8]),
            2 => self.put_bytes(&(value as u16 | 0x4000).to_be_bytes()),
            4 => self.put_bytes(&(value as u32 | 0x8000_0000).to_be_bytes()),
            8 => self.put_bytes(&(value | 0xc000_0000_0000_0000).to_be_bytes()),
            _ => Err(NoSpace),
        }
    }

    /// Writes the length of `bytes` as a variable-length integer, and the bytes.
    pub fn put_varint_bytes(&mut self, bytes: &[u8]) -> Result<(), NoSpace> {
        let start = self.position;
        // CAST: a length fits into 64 bits.
        self.put_varint(bytes.len() as u64)?;
        self.put_bytes(bytes).inspect_err(|_| self.position = start)
    }
}

#[cfg(test)]
mod tests {
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
}
