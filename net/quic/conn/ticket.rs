// SPDX-License-Identifier: GPL-2.0

//! Handshake messages after the handshake: session tickets, and what must not come (RFC 9001 4.4,
//! 4.5, 4.6.1, 6).

#![forbid(unsafe_code)]

use super::{
    event::Event,
    Connection, //
};
use crate::{
    common::{
        cursor::{
            Reader,
            Truncated, //
        },
        error::TransportError,
        id::{
            Side,
            Space, //
        },
    },
    mem::Vec,
};

/// TLS message types (RFC 8446 4).
const NEW_SESSION_TICKET: u8 = 4;
const CERTIFICATE_REQUEST: u8 = 13;
const KEY_UPDATE: u8 = 24;

/// The early_data extension (RFC 8446 4.2.10), and the only size QUIC allows in it.
const EARLY_DATA: u16 = 42;
const EARLY_DATA_SIZE: u32 = 0xffff_ffff;

/// TLS alert unexpected_message.
const UNEXPECTED_MESSAGE: u8 = 10;

/// The longest message looked at, with its header: what the user interface hands out.
const MAX_MESSAGE: usize = 4096;

/// Messages received after the handshake.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    /// The message that is arriving.
    partial: Vec<u8>,
    /// Bytes of a message too long to keep that are still to be thrown away; its header is in
    /// `partial`.
    skip: usize,
    /// The newest complete NewSessionTicket, or what the user put in its place.
    pub current: Vec<u8>,
}

impl Connection {
    /// The newest NewSessionTicket message, or what the user has stored; empty if there is none.
    pub fn session_ticket(&self) -> &[u8] {
        self.tickets.current.as_slice()
    }

    /// Stores what [`Self::session_ticket`] returns.
    pub fn set_session_ticket(&mut self, bytes: Vec<u8>) {
        self.tickets.current = bytes;
    }

    /// The ticket and the token that this handshake began with have served: from here on a client's
    /// are those that the connection brings (uapi 8.13).
    pub(super) fn forget_resumption(&mut self) {
        if self.side == Side::Client {
            self.tickets.current = Vec::new();
            self.forget_token();
        }
    }

    /// Takes what has arrived in order out of the CRYPTO stream of 1-RTT packets.
    pub(super) fn collect_ticket(&mut self) -> Result<(), TransportError> {
        let stream = self.spaces.crypto_mut(Space::Data);
        let mut scratch: Vec<u8> = Vec::new();
        while stream.readable() > 0 {
            let taken = stream.read(u64::MAX, &mut |bytes| {
                scratch.try_extend_from_slice(bytes)?;
                Ok(bytes.len())
            });
            taken.map_err(|_| TransportError::internal("out of memory"))?;
        }
        let mut rest = scratch.as_slice();
        while !rest.is_empty() {
            rest = self.take_message_bytes(rest)?;
        }
        Ok(())
    }

    /// Moves bytes of one message into its buffer; returns those of the next one.
    fn take_message_bytes<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], TransportError> {
        if self.tickets.skip > 0 {
            let skipped = self.tickets.skip.min(bytes.len());
            self.tickets.skip = self.tickets.skip.saturating_sub(skipped);
            if self.tickets.skip == 0 {
                self.check_type()?;
                self.tickets.partial.clear();
            }
            return Ok(bytes.get(skipped..).unwrap_or_default());
        }
        let partial = &mut self.tickets.partial;
        let wanted = match message_len(partial.as_slice()) {
            Some(total) => total.saturating_sub(partial.len()),
            None => 4usize.saturating_sub(partial.len()),
        };
        let (now, rest) = bytes
            .split_at_checked(wanted)
            .unwrap_or((bytes, Default::default()));
        partial.try_extend_from_slice(now)?;
        if let Some(total) = message_len(partial.as_slice()) {
            self.check_forbidden()?;
            if total > MAX_MESSAGE {
                self.tickets.skip = total.saturating_sub(4);
            } else if self.tickets.partial.len() == total {
                self.check_type()?;
                self.on_ticket()?;
            }
        }
        Ok(rest)
    }

    /// Messages that end the connection as soon as they begin.
    // RFC 9001 6 #3
    // RFC 9001 4.4 #6
    fn check_forbidden(&self) -> Result<(), TransportError> {
        match (self.tickets.partial.first().copied(), self.side) {
            (Some(CERTIFICATE_REQUEST), Side::Client) => Err(TransportError::protocol_violation(
                "certificate requested after the handshake",
            )),
            (Some(KEY_UPDATE), _) => self.check_type(),
            _ => Ok(()),
        }
    }

    /// Any other message that is none: not before it is complete. TLS of programs written for the C
    /// module has left bytes behind a ticket that are no message at all.
    fn check_type(&self) -> Result<(), TransportError> {
        match (self.tickets.partial.first().copied(), self.side) {
            (Some(NEW_SESSION_TICKET), Side::Client) => Ok(()),
            _ => Err(TransportError::crypto(
                UNEXPECTED_MESSAGE,
                "unexpected message after the handshake",
            )),
        }
    }

    fn on_ticket(&mut self) -> Result<(), TransportError> {
        let message = core::mem::take(&mut self.tickets.partial);
        // RFC 9001 4.6.1 #2
        if early_data_size(message.as_slice()).is_some_and(|size| size != EARLY_DATA_SIZE) {
            return Err(TransportError::protocol_violation(
                "ticket limits the size of 0-RTT",
            ));
        }
        let mut copy = Vec::new();
        if self.events.wants(9) {
            copy.try_extend_from_slice(message.as_slice())?;
            self.events.push(Event::NewSessionTicket(copy));
        }
        self.tickets.current = message;
        self.events.wake_state();
        Ok(())
    }
}

/// Length of the message whose beginning is in `bytes`, with its header.
fn message_len(bytes: &[u8]) -> Option<usize> {
    let [_, high, middle, low] = *bytes.first_chunk::<4>()?;
    let len = u32::from_be_bytes([0, high, middle, low]);
    usize::try_from(len).ok()?.checked_add(4)
}

/// The size in a ticket's early_data extension, if it has one.
fn early_data_size(message: &[u8]) -> Option<u32> {
    fn extensions<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Truncated> {
        // Header, lifetime and age.
        reader.bytes(12)?;
        let nonce = reader.u8()?;
        reader.bytes(usize::from(nonce))?;
        let ticket = reader.u16()?;
        reader.bytes(usize::from(ticket))?;
        let len = reader.u16()?;
        reader.bytes(usize::from(len))
    }
    let mut reader = Reader::new(extensions(&mut Reader::new(message)).ok()?);
    while !reader.is_empty() {
        let kind = reader.u16().ok()?;
        let len = reader.u16().ok()?;
        let mut value = Reader::new(reader.bytes(usize::from(len)).ok()?);
        if kind == EARLY_DATA {
            return value.u32().ok();
        }
    }
    None
}
