// SPDX-License-Identifier: GPL-2.0

//! Handshake messages as the kernel sees them: bytes between the CRYPTO frames of each level
//! (RFC 9000 19.6, RFC 9001 4.1.3) and TLS in user space.

#![forbid(unsafe_code)]

use super::{
    client_hello::ClientHello,
    spaces::Arrived,
    Connection, //
};
use crate::{
    buf::{
        Chunk,
        Datagram, //
    },
    common::{
        cx::Cx,
        error::{
            Error,
            TransportError, //
        },
        id::{
            Level,
            Side,
            Space, //
        },
    },
    frame::CryptoFrame,
};

/// What [`Connection::read_crypto`] has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CryptoRead {
    /// Level of the bytes.
    pub level: Level,
    /// How many.
    pub bytes: u64,
    /// The piece that was received is read to its end.
    pub eor: bool,
}

/// Handshake bytes that may wait for transmission at one level.
const MAX_UNSENT: usize = 256 * 1024;

impl Connection {
    /// Queues handshake bytes. With `more` they wait for a later call without.
    ///
    /// `Invalid` for a level without send keys or without handshake bytes, `WouldBlock` while too
    /// much waits, `Closed`, `NoMemory`; the chunk comes back.
    ///
    /// A client that writes Initial bytes when it has read the server's repeats its ClientHello: the
    /// server has sent a HelloRetryRequest, by which it refuses early data (RFC 8446 4.2.10).
    pub fn write_crypto(
        &mut self,
        cx: &mut Cx<'_>,
        level: Level,
        chunk: Chunk,
        more: bool,
    ) -> Result<(), (Error, Chunk)> {
        if !self.state.is_open() {
            return Err((Error::Closed, chunk));
        }
        if !self.can_write_crypto(level) {
            return Err((Error::Invalid, chunk));
        }
        let stream = self.spaces.crypto_mut(level.space());
        if stream.truesizes().0 >= MAX_UNSENT {
            return Err((Error::WouldBlock, chunk));
        }
        let is_second = level == Level::Initial && stream.is_begun();
        stream.write(chunk, more)?;
        if is_second {
            self.reject_early(cx);
        }
        self.note_announced(level);
        if !more {
            // What was held back at a lower level goes with it, in the same datagram if it fits.
            for space in Space::ALL {
                self.spaces.crypto_mut(space).flush();
            }
        }
        Ok(())
    }

    /// Whether `level` has send keys and carries handshake bytes.
    pub fn can_write_crypto(&self, level: Level) -> bool {
        level != Level::Early && self.spaces.has_send_keys(level)
    }

    /// Level of the handshake bytes that are read next, if there are any.
    pub fn next_crypto(&self) -> Option<Level> {
        [Level::Initial, Level::Handshake]
            .into_iter()
            .find(|level| self.spaces.crypto(level.space()).readable() > 0)
    }

    /// Hands at most `max` handshake bytes to `out`, which says how many it took. With `peek` they
    /// stay. `WouldBlock` if there are none.
    pub fn read_crypto(
        &mut self,
        max: u64,
        peek: bool,
        out: &mut dyn FnMut(&[u8]) -> Result<usize, Error>,
    ) -> Result<CryptoRead, Error> {
        let level = self.next_crypto().ok_or(Error::WouldBlock)?;
        let stream = self.spaces.crypto_mut(level.space());
        if peek {
            let (bytes, eor) = stream.peek(max, out)?;
            return Ok(CryptoRead { level, bytes, eor });
        }
        let is_watched = self.side == Side::Client && level == Level::Handshake;
        let extensions = &mut self.handshake.extensions;
        let (bytes, eor) = stream.read(max, &mut |bytes| {
            let taken = out(bytes)?;
            if is_watched {
                extensions.read(bytes.get(..taken).unwrap_or_default());
            }
            Ok(taken)
        })?;
        Ok(CryptoRead { level, bytes, eor })
    }

    /// CRYPTO arrived.
    pub(super) fn handle_crypto(
        &mut self,
        packet: &Arrived,
        datagram: &Datagram,
        frame: &CryptoFrame<'_>,
    ) -> Result<(), TransportError> {
        // RFC 9001 8.4 #2
        if packet.level == Level::Initial
            && self.side == Side::Server
            && frame.offset == 0
            && ClientHello::is_compatibility_mode(frame.data)
        {
            return Err(TransportError::protocol_violation("TLS compatibility mode"));
        }
        let is_over = self.is_level_over(packet.level);
        let is_readable = self.next_crypto().is_some();
        let stream = self.spaces.crypto_mut(packet.level.space());
        if self.streams.is_exhausted() && stream.may_wait(frame, is_readable) {
            self.refused = true;
            return Ok(());
        }
        if !stream.on_frame(frame, datagram, packet.payload.start)? {
            self.refused = true;
            return Ok(());
        }
        if packet.level == Level::App {
            return self.collect_ticket();
        }
        // RFC 9001 4.1.3 #1
        // RFC 9001 4.1.3 #2
        if is_over && (stream.readable() > 0 || stream.has_gap()) {
            return Err(TransportError::protocol_violation(
                "handshake bytes behind the end of a level",
            ));
        }
        if stream.readable() > 0 {
            self.events.wake_readable();
        }
        Ok(())
    }

    /// Whether TLS has gone on to the next level for receiving.
    fn is_level_over(&self, level: Level) -> bool {
        match level {
            Level::Initial => self.spaces.has_recv_keys(Level::Handshake),
            Level::Handshake => self.spaces.has_recv_keys(Level::App),
            Level::Early | Level::App => false,
        }
    }
}
