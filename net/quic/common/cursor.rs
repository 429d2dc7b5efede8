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
mod tests;
