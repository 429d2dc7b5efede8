// SPDX-License-Identifier: GPL-2.0

//! Built packets on their way to the wire: the payload is sealed, then the header protected.

#![forbid(unsafe_code)]

use super::protect;
use crate::{
    aead::{
        HeaderKey,
        KeyError,
        PacketKey, //
    },
    common::{
        Level,
        NoSpace,
        StreamId,
        Tokens,
        Writer, //
    },
};

/// Bytes of a stream that are not in the packet yet: they are handed to [`Unsealed::seal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The stream.
    pub id: StreamId,
    /// Offset of the first byte.
    pub offset: u64,
    /// Number of bytes.
    pub len: usize,
}

/// What is known of a packet besides its bytes.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) level: Level,
    pub(super) pn: u64,
    pub(super) pn_offset: usize,
    pub(super) header_len: usize,
    /// Where the length of a long header goes, and in how many bytes.
    pub(super) length: Option<(usize, usize)>,
    pub(super) tail: Option<Tail>,
    pub(super) tokens: Tokens,
    pub(super) ack_eliciting: bool,
    pub(super) in_flight: bool,
}

/// A packet with all its frames, to be sealed.
#[derive(Debug)]
pub struct Unsealed<'a> {
    pub(super) buffer: &'a mut [u8],
    pub(super) inline_end: usize,
    pub(super) len: usize,
    pub(super) facts: Facts,
}

impl Unsealed<'_> {
    /// The bytes of a stream that go to the end of the packet, to be handed to
    /// [`Unsealed::seal`] in order.
    pub fn tail(&self) -> Option<Tail> {
        self.facts.tail
    }

    /// Seals the payload and protects the header.
    ///
    /// `tail` holds the bytes that [`Unsealed::tail`] asked for.  The key decides the context:
    /// those of this stack may be used in any.
    pub fn seal(
        self,
        packet: &mut PacketKey,
        header: &HeaderKey,
        tail: &[&[u8]],
    ) -> Result<Sealed, KeyError> {
        let facts = self.facts;
        let wanted = facts.tail.map_or(0, |tail| tail.len);
        let given = tail.iter().map(|segment| segment.len());
        if given.fold(0, usize::saturating_add) != wanted {
            return Err(KeyError::Invalid);
        }
        if let Some((at, size)) = facts.length {
            // CAST: a length fits into 64 bits.
            let length = self.len.saturating_sub(facts.pn_offset) as u64;
            let field = self.buffer.get_mut(at..).ok_or(KeyError::Invalid)?;
            Writer::new(field)
                .put_varint_sized(length, size)
                .map_err(|NoSpace| KeyError::Invalid)?;
        }
        let len = packet.seal(
            facts.pn,
            self.buffer,
            facts.header_len,
            self.inline_end,
            tail,
        )?;
        protect::mask(self.buffer, facts.pn_offset, header)?;
        Ok(Sealed {
            level: facts.level,
            pn: facts.pn,
            len,
            tokens: facts.tokens,
            ack_eliciting: facts.ack_eliciting,
            in_flight: facts.in_flight,
        })
    }
}

/// A packet that is ready to be sent, as far as its sender has to remember it.
#[derive(Debug)]
#[must_use]
pub struct Sealed {
    /// The level.
    pub level: Level,
    /// The packet number.
    pub pn: u64,
    /// Bytes with the tag.
    pub len: usize,
    /// What the frames were.
    pub tokens: Tokens,
    /// The packet asks for an acknowledgement.
    pub ack_eliciting: bool,
    /// The packet counts for congestion control.
    pub in_flight: bool,
}
