// SPDX-License-Identifier: GPL-2.0

//! The builder of packets: the only way to put a frame on the wire.
//!
//! It writes the header and the frames straight into the datagram, and remembers what it wrote as
//! tokens and not as bytes.  The bytes of the STREAM frame that fills a packet are not copied at
//! all: they are sealed from where they are retained.
//!
//! ```text
//!  PacketBuilder --finish()--> Unsealed --seal(keys)--> Sealed
//! ```

#![forbid(unsafe_code)]

use core::ops::Range;

use super::{
    out_header::{
        write_header,
        OutHeader, //
    },
    sealing::{
        Facts,
        Tail,
        Unsealed, //
    },
};
use crate::{
    aead::TAG_LEN,
    common::{
        varint,
        Level,
        StreamId,
        Token,
        Writer, //
    },
    frame::{
        encode_ack,
        stream_type,
        EcnCounts,
        Frame,
        FrameType, //
    },
};

/// Where the bytes of a STREAM or CRYPTO frame come from.
pub trait StreamSource {
    /// Copies the bytes from `offset` of the stream on into `out`, which they fill.
    fn copy(&self, offset: u64, out: &mut [u8]);

    /// True when `len` bytes from `offset` on lie in so few pieces that they can be sealed from
    /// where they are.
    fn in_place(&self, offset: u64, len: usize) -> bool {
        let _ = (offset, len);
        false
    }
}

/// A packet to which frames can be added.
#[derive(Debug)]
pub struct PacketBuilder<'a> {
    writer: Writer<'a>,
    facts: Facts,
}

impl<'a> PacketBuilder<'a> {
    /// Starts a packet in `buffer`, all of which it may fill, with room for the tag set aside.
    ///
    /// Returns `None` when there is no room for a header and a frame, or when the packet number
    /// is too far from the last acknowledged one to be written.
    pub fn new(buffer: &'a mut [u8], header: &OutHeader<'_>) -> Option<Self> {
        let mut writer = Writer::with_reserve(buffer, TAG_LEN);
        let facts = write_header(&mut writer, header)?;
        (writer.remaining() >= MIN_PROTECTED).then_some(Self { writer, facts })
    }

    /// The level of the packet.
    pub fn level(&self) -> Level {
        self.facts.level
    }

    /// Payload bytes still free.
    pub fn remaining(&self) -> usize {
        let tail = self.facts.tail.map_or(0, |tail| tail.len);
        self.writer.remaining().saturating_sub(tail)
    }

    /// True when there is no frame yet.
    pub fn is_empty(&self) -> bool {
        self.facts.tail.is_none() && self.writer.position() == self.facts.header_len
    }

    /// True when a frame asks for an acknowledgement.
    pub fn ack_eliciting(&self) -> bool {
        self.facts.ack_eliciting
    }

    /// The length of the packet as it is now, with its tag.
    pub fn len(&self) -> usize {
        let tail = self.facts.tail.map_or(0, |tail| tail.len);
        self.writer
            .position()
            .saturating_add(tail)
            .saturating_add(TAG_LEN)
    }

    /// Writes a frame and remembers `token` for it.  Returns false and changes nothing when it
    /// does not fit or may not be in a packet of this level.
    #[must_use]
    pub fn write_frame(&mut self, frame: &Frame<'_>, token: Option<Token>) -> bool {
        // RFC 9000 12.5 #5
        let written = frame.allowed_in(self.facts.level)
            && self.remember(token, |writer| frame.encode(writer).ok());
        if written {
            self.facts.ack_eliciting |= frame.is_ack_eliciting();
            self.facts.in_flight |= frame.is_in_flight();
        }
        written
    }

    /// Writes an ACK frame with as many ranges as fit, and remembers it.  Returns false and
    /// changes nothing when not even the largest range fits.
    #[must_use]
    pub fn write_ack(&mut self, ranges: &[Range<u64>], delay: u64, ecn: Option<EcnCounts>) -> bool {
        let Some(largest) = ranges.last().and_then(|range| range.end.checked_sub(1)) else {
            return false;
        };
        // RFC 9000 13.2.6 #2, RFC 9000 17.2.3 #4
        if self.facts.level == Level::Early {
            return false;
        }
        self.remember(Some(Token::Ack { largest }), |writer| {
            encode_ack(ranges, delay, ecn, writer).ok()?;
            Some(())
        })
    }

    /// Writes as much as fits of `len` bytes of a stream, and its end when `fin` is set and all
    /// bytes fit.  Returns how many bytes were written, or `None` when not even one (or an empty
    /// frame with the end) fits.
    ///
    /// Bytes that fill the packet are left to be sealed from where they are.
    pub fn write_stream(
        &mut self,
        id: StreamId,
        offset: u64,
        len: usize,
        fin: bool,
        source: &dyn StreamSource,
    ) -> Option<usize> {
        // RFC 9000 12.5 #5
        if !matches!(self.facts.level, Level::Early | Level::App) {
            return None;
        }
        let room = self.remaining();
        let fixed = varint::size(stream_type(offset, fin, true))
            .saturating_add(varint::size(id.raw()))
            .saturating_add(if offset == 0 { 0 } else { varint::size(offset) });
        let without_len = room.checked_sub(fixed)?;
        // Bytes that reach the end of the packet need no length.
        let fills = len >= without_len && without_len > 0;
        let count = if fills {
            without_len
        } else {
            len.min(data_room(without_len)?)
        };
        if count == 0 && len > 0 {
            return None;
        }
        let fin = fin && count == len;
        if count == 0 && !fin {
            return None;
        }
        let tail = fills && source.in_place(offset, count);
        let token = Token::Stream {
            id,
            off: offset,
            len: u32::try_from(count).ok()?,
            fin,
        };
        let written = self.remember(Some(token), |writer| {
            writer.put_varint(stream_type(offset, fin, !fills)).ok()?;
            writer.put_varint(id.raw()).ok()?;
            if offset != 0 {
                writer.put_varint(offset).ok()?;
            }
            if !fills {
                // CAST: a length fits into 64 bits.
                writer.put_varint(count as u64).ok()?;
            }
            if !tail {
                source.copy(offset, writer.reserve(count).ok()?);
            }
            Some(())
        });
        if !written {
            return None;
        }
        if tail {
            self.facts.tail = Some(Tail {
                id,
                offset,
                len: count,
            });
        }
        self.facts.ack_eliciting = true;
        self.facts.in_flight = true;
        Some(count)
    }

    /// Writes as much as fits of `len` bytes of the handshake.  Returns how many, or `None` when
    /// not even one fits.
    pub fn write_crypto(
        &mut self,
        offset: u64,
        len: usize,
        source: &dyn StreamSource,
    ) -> Option<usize> {
        if self.facts.level == Level::Early {
            return None;
        }
        let fixed = varint::size(FrameType::CRYPTO).saturating_add(varint::size(offset));
        let count = len.min(data_room(self.remaining().checked_sub(fixed)?)?);
        if count == 0 {
            return None;
        }
        let token = Token::Crypto {
            off: offset,
            len: u32::try_from(count).ok()?,
        };
        let written = self.remember(Some(token), |writer| {
            writer.put_varint(FrameType::CRYPTO).ok()?;
            writer.put_varint(offset).ok()?;
            // CAST: a length fits into 64 bits.
            writer.put_varint(count as u64).ok()?;
            source.copy(offset, writer.reserve(count).ok()?);
            Some(())
        });
        if !written {
            return None;
        }
        self.facts.ack_eliciting = true;
        self.facts.in_flight = true;
        Some(count)
    }

    /// Adds PADDING until the packet with its tag has `len` bytes, or as many as fit.
    // RFC 9000 14.1 #1, RFC 9000 14.1 #2
    pub fn pad_to(&mut self, len: usize) {
        let missing = len.saturating_sub(self.len()).min(self.remaining());
        if missing > 0 && self.writer.put_fill(0, missing).is_ok() {
            self.facts.in_flight = true;
        }
    }

    /// Ends adding frames.
    ///
    /// Pads to what header protection samples, and to one byte more, so that no packet is shorter
    /// than a stateless reset for it could be.
    // RFC 9000 10.3 #4, RFC 9001 5.4.2 #1
    pub fn finish(mut self) -> Unsealed<'a> {
        let facts = &self.facts;
        let number_len = facts.header_len.saturating_sub(facts.pn_offset);
        let payload = self
            .len()
            .saturating_sub(TAG_LEN)
            .saturating_sub(facts.header_len);
        let missing = MIN_PROTECTED.saturating_sub(number_len.saturating_add(payload));
        self.pad_to(self.len().saturating_add(missing));
        Unsealed {
            len: self.len(),
            inline_end: self.writer.position(),
            buffer: self.writer.into_parts().0,
            facts: self.facts,
        }
    }

    /// Runs `put` and remembers `token`; undoes everything when either fails.
    fn remember(
        &mut self,
        token: Option<Token>,
        put: impl FnOnce(&mut Writer<'_>) -> Option<()>,
    ) -> bool {
        let start = self.writer.position();
        if self.facts.tail.is_some() {
            return false;
        }
        if token.is_some() && self.facts.tokens.try_reserve_one().is_err() {
            return false;
        }
        if put(&mut self.writer).is_none() {
            self.writer.rewind(start);
            return false;
        }
        token.is_none_or(|token| self.facts.tokens.try_push(token).is_ok())
    }
}

/// How many bytes fit into `room` behind their own length.
fn data_room(room: usize) -> Option<usize> {
    let least = |prefix: usize| room.checked_sub(prefix);
    match room {
        0 => None,
        1..=64 => least(1).map(|len| len.min(63)),
        65..=16_385 => least(2).map(|len| len.min(16_383)),
        _ => least(4),
    }
}

/// The least number of bytes of packet number and payload: the sample of header protection takes
/// 16 bytes from the fifth on and the tag is 16 bytes, so four would do; with five a packet is 22
/// bytes longer than its connection id, as is any stateless reset.
const MIN_PROTECTED: usize = 5;

#[cfg(test)]
mod tests;
