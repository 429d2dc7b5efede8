// SPDX-License-Identifier: GPL-2.0

//! ACK frames (RFC 9000 section 19.3).
//!
//! ```text
//!  largest     first range: this many more below it
//!     |<----------|   gap + 2   |<------- range length -------|   ...
//! ```
//!
//! The ranges stay encoded as they came, so that their number has no limit but the packet.  They
//! are checked once when the frame is parsed; walking them cannot fail afterwards.

#![forbid(unsafe_code)]

use crate::common::{
    varint,
    NoSpace,
    Reader,
    TransportError,
    Truncated,
    VarInt,
    Writer, //
};
use core::ops::{
    Range,
    RangeInclusive, //
};

use super::FrameType;

/// A parsed ACK frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckFrame<'a> {
    /// Largest Acknowledged.
    pub largest: u64,
    /// ACK Delay as on the wire, to be scaled by the peer's ack_delay_exponent.
    pub delay: u64,
    /// The counts of a frame of type 0x03.
    pub ecn: Option<EcnCounts>,
    // INVARIANT: `first_range <= largest`, and `encoded` is `range_count` pairs of a gap and a
    // length none of which leads below zero.
    first_range: u64,
    range_count: u64,
    encoded: &'a [u8],
}

/// ECN counts of the packet number space (RFC 9000 section 19.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EcnCounts {
    /// Packets received with ECT(0).
    pub ect0: u64,
    /// Packets received with ECT(1).
    pub ect1: u64,
    /// Packets received with ECN-CE.
    pub ce: u64,
}

impl<'a> AckFrame<'a> {
    /// Parses what follows the type.
    // RFC 9000 19.3 #1
    pub(super) fn parse(reader: &mut Reader<'a>, with_ecn: bool) -> Result<Self, AckError> {
        let largest = reader.varint()?;
        let delay = reader.varint()?;
        let range_count = reader.varint()?;
        let first_range = reader.varint()?;
        let start = reader.rest();
        let mut smallest = largest.checked_sub(first_range).ok_or(AckError::Negative)?;
        // A count beyond what the packet can hold ends with the packet, not with the count.
        for _ in 0..range_count {
            let high = below_gap(smallest, reader.varint()?).ok_or(AckError::Negative)?;
            smallest = high
                .checked_sub(reader.varint()?)
                .ok_or(AckError::Negative)?;
        }
        let used = start.len().saturating_sub(reader.remaining());
        let encoded = start.get(..used).unwrap_or_default();
        let ecn = match with_ecn {
            true => Some(EcnCounts {
                ect0: reader.varint()?,
                ect1: reader.varint()?,
                ce: reader.varint()?,
            }),
            false => None,
        };
        Ok(Self {
            largest,
            delay,
            ecn,
            first_range,
            range_count,
            encoded,
        })
    }

    /// The acknowledged packet numbers, from the largest down.
    pub fn ranges(&self) -> AckRanges<'a> {
        AckRanges {
            next: self
                .largest
                .checked_sub(self.first_range)
                .map(|smallest| smallest..=self.largest),
            reader: Reader::new(self.encoded),
        }
    }

    /// Number of ranges.
    pub const fn range_count(&self) -> u64 {
        self.range_count.saturating_add(1)
    }

    pub(super) const fn frame_type(&self) -> u64 {
        match self.ecn {
            Some(_) => FrameType::ACK_ECN,
            None => FrameType::ACK,
        }
    }

    pub(super) fn encoded_len(&self) -> usize {
        let fields = [self.largest, self.delay, self.range_count, self.first_range];
        let head = fields.iter().map(|field| varint::size(*field));
        head.sum::<usize>()
            .saturating_add(self.encoded.len())
            .saturating_add(ecn_len(self.ecn))
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        writer.put_varint(self.largest)?;
        writer.put_varint(self.delay)?;
        writer.put_varint(self.range_count)?;
        writer.put_varint(self.first_range)?;
        writer.put_bytes(self.encoded)?;
        put_ecn(self.ecn, writer)
    }
}

/// Why an ACK frame is badly formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AckError {
    Truncated,
    Negative,
}

impl From<Truncated> for AckError {
    fn from(_: Truncated) -> Self {
        AckError::Truncated
    }
}

impl From<AckError> for TransportError {
    fn from(error: AckError) -> Self {
        match error {
            AckError::Truncated => TransportError::frame_encoding("truncated frame"),
            // RFC 9000 19.3.1 #1
            AckError::Negative => TransportError::frame_encoding("negative packet number"),
        }
    }
}

/// The ranges of an ACK frame, descending.
#[derive(Clone, Debug)]
pub struct AckRanges<'a> {
    next: Option<RangeInclusive<u64>>,
    reader: Reader<'a>,
}

impl Iterator for AckRanges<'_> {
    type Item = RangeInclusive<u64>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let range = self.next.take()?;
        self.next = (|| {
            let high = below_gap(*range.start(), self.reader.varint().ok()?)?;
            let low = high.checked_sub(self.reader.varint().ok()?)?;
            Some(low..=high)
        })();
        Some(range)
    }
}

/// The largest number of the range below a gap (RFC 9000 section 19.3.1).
fn below_gap(smallest: u64, gap: u64) -> Option<u64> {
    smallest.checked_sub(gap)?.checked_sub(2)
}

/// Writes an ACK frame for the packet numbers in `ranges`, which ascend and are never adjacent, as
/// many of them as fit from the largest down, and returns Largest Acknowledged.  `delay` is scaled
/// by the own ack_delay_exponent.
///
/// Fails and writes nothing when not even the largest range fits or there is none.
pub fn encode_ack(
    ranges: &[Range<u64>],
    delay: u64,
    ecn: Option<EcnCounts>,
    writer: &mut Writer<'_>,
) -> Result<u64, NoSpace> {
    let start = writer.position();
    put_ack(ranges, delay, ecn, writer).inspect_err(|_| writer.rewind(start))
}

fn put_ack(
    ranges: &[Range<u64>],
    delay: u64,
    ecn: Option<EcnCounts>,
    writer: &mut Writer<'_>,
) -> Result<u64, NoSpace> {
    let highest = ranges.last().ok_or(NoSpace)?;
    let largest = highest.end.checked_sub(1).ok_or(NoSpace)?;
    writer.put_varint(match ecn {
        Some(_) => FrameType::ACK_ECN,
        None => FrameType::ACK,
    })?;
    writer.put_varint(largest)?;
    writer.put_varint(delay.min(VarInt::MAX))?;
    let first = largest.saturating_sub(highest.start);
    let fixed = varint::size(first).saturating_add(ecn_len(ecn));
    let room = writer.remaining().checked_sub(fixed).ok_or(NoSpace)?;
    let count = count_fitting(ranges, highest.start, room)?;
    writer.put_varint(count)?;
    writer.put_varint(first)?;
    let mut smallest = highest.start;
    // CAST: bounded by the number of ranges, which is a usize.
    for range in ranges.iter().rev().skip(1).take(count as usize) {
        let (gap, len) = gap_and_len(smallest, range);
        writer.put_varint(gap)?;
        writer.put_varint(len)?;
        smallest = range.start;
    }
    put_ecn(ecn, writer)?;
    Ok(largest)
}

/// How many further ranges fit into `room` bytes together with their count.
fn count_fitting(ranges: &[Range<u64>], mut smallest: u64, room: usize) -> Result<u64, NoSpace> {
    let (mut count, mut used) = (0u64, 0usize);
    varint_fits(count, used, room)?;
    for range in ranges.iter().rev().skip(1) {
        let (gap, len) = gap_and_len(smallest, range);
        let more = varint::size(gap).saturating_add(varint::size(len));
        let (next, bytes) = (count.saturating_add(1), used.saturating_add(more));
        if varint_fits(next, bytes, room).is_err() {
            break;
        }
        (count, used, smallest) = (next, bytes, range.start);
    }
    Ok(count)
}

fn varint_fits(count: u64, used: usize, room: usize) -> Result<(), NoSpace> {
    match varint::size(count).saturating_add(used) <= room {
        true => Ok(()),
        false => Err(NoSpace),
    }
}

/// The fields of a range below `smallest`.  Ranges are never adjacent, so a gap is not negative.
fn gap_and_len(smallest: u64, range: &Range<u64>) -> (u64, u64) {
    (
        smallest.saturating_sub(range.end).saturating_sub(1),
        range.end.saturating_sub(range.start).saturating_sub(1),
    )
}

fn ecn_len(ecn: Option<EcnCounts>) -> usize {
    ecn.map_or(0, |ecn| {
        [ecn.ect0, ecn.ect1, ecn.ce].map(varint::size).iter().sum()
    })
}

fn put_ecn(ecn: Option<EcnCounts>, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
    if let Some(ecn) = ecn {
        writer.put_varint(ecn.ect0)?;
        writer.put_varint(ecn.ect1)?;
        writer.put_varint(ecn.ce)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
