// SPDX-License-Identifier: GPL-2.0

//! Calls of the user that concern the connection as a whole: datagrams, key update, knobs.

#![forbid(unsafe_code)]

use super::{
    Connection,
    State, //
};
use crate::{
    buf::Chunk,
    common::{
        cx::Cx,
        error::Error,
        id::{
            Level,
            Side,
            Space, //
        },
        memory::Memory,
        time::Duration, //
    },
};

/// Memory of a connection with all its parts, bytes: about 20 KiB when it is new.
const OBJECTS: usize = 20 << 10;

impl Connection {
    /// Largest datagram that can be sent now, in bytes; `None` if the peer takes none. What is
    /// taken before there are 1-RTT keys fits a 0-RTT packet, whose header is longer.
    pub fn max_datagram_len(&self) -> Option<usize> {
        let peer = usize::try_from(self.peer.max_datagram_frame_size).unwrap_or(usize::MAX);
        if peer == 0 {
            return None;
        }
        let level = match self.spaces.has_send_keys(Level::App) {
            true => Level::App,
            false => Level::Early,
        };
        let frame = self.largest_datagram_frame(level).min(peer);
        // Type and a length of two bytes.
        Some(frame.saturating_sub(3))
    }

    /// Whether [`Self::send_datagram`] would not take a datagram now since too many wait.
    pub fn datagrams_are_full(&self) -> bool {
        self.datagrams.is_full()
    }

    /// Queues a datagram (RFC 9221).
    ///
    /// `Invalid` if the peer takes none, `MsgSize` if it is empty or too large, `WouldBlock` while
    /// too many wait, `Closed`, `NoMemory`; the chunk comes back.
    pub fn send_datagram(&mut self, chunk: Chunk) -> Result<(), (Error, Chunk)> {
        if !self.state.is_open() {
            return Err((Error::Closed, chunk));
        }
        match self.max_datagram_len() {
            None => Err((Error::Invalid, chunk)),
            Some(max) if chunk.is_empty() || chunk.len() > max => Err((Error::MsgSize, chunk)),
            Some(_) => self.datagrams.queue(chunk),
        }
    }

    /// Starts a key update. `NotConnected` unless established, `Invalid` before the handshake is
    /// confirmed, while the last update is not acknowledged, or too soon after it.
    // RFC 9001 6.1 #1
    pub fn key_update(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        if self.state != State::Established {
            return Err(Error::NotConnected);
        }
        self.start_key_update(cx)?;
        // A packet in the new phase must go out for the peer to follow.
        self.spaces.data.probes = self.spaces.data.probes.max(1);
        Ok(())
    }

    /// Updates the keys if that is allowed now. A side that has only acknowledged with the present
    /// keys gets no acknowledgement of them by itself: it asks for one, so that a later attempt
    /// succeeds.
    fn start_key_update(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        let pto = self.recovery.pto_base(Space::Data);
        let is_confirmed = self.handshake.is_confirmed;
        let started = self.spaces.one_rtt.initiate(is_confirmed, cx.now, pto);
        if started.is_ok() {
            cx.stats.key_update = cx.stats.key_update.wrapping_add(1);
        } else if is_confirmed
            && self.spaces.one_rtt.lacks_ack()
            && !self.recovery.has_eliciting(Space::Data)
        {
            self.spaces.data.probes = self.spaces.data.probes.max(1);
        }
        started
    }

    /// Updates keys before they are used too often, or ends the connection in time.
    // RFC 9001 6.6 #3
    // RFC 9001 6.6 #5
    pub(super) fn check_key_use(&mut self, cx: &mut Cx<'_>) {
        if self.spaces.one_rtt.wants_update() {
            // If not now, then before one of the next packets.
            let _ = self.start_key_update(cx);
        }
        if let Err(error) = self.spaces.one_rtt.check_limit() {
            self.fail(cx, error);
        }
    }

    /// Sends small pieces of stream data at once (`true`), or lets them wait for acknowledgements.
    pub fn set_nodelay(&mut self, nodelay: bool) {
        self.config.nodelay = nodelay;
    }

    /// Changes the keep-alive interval; `None` switches it off.
    pub fn set_keep_alive(&mut self, interval: Option<Duration>) {
        self.config.keep_alive = interval;
        self.idle.set_keep_alive(interval);
    }

    /// Bounds the pacing rate, in bytes per second.
    pub fn set_max_pacing_rate(&mut self, rate: Option<u64>) {
        self.config.max_pacing_rate = rate;
        self.recovery.set_max_pacing_rate(rate);
    }

    /// Tells how much memory there is for more received data, until told otherwise.
    pub fn set_memory(&mut self, memory: Memory) {
        self.streams.set_memory(memory);
    }

    /// Memory held for data to send: streams, datagrams and handshake bytes, in bytes to charge.
    pub fn send_truesize(&self) -> usize {
        Space::ALL
            .into_iter()
            .map(|space| self.spaces.crypto(space).truesizes().0)
            .fold(self.streams.send_truesize(), usize::saturating_add)
            .saturating_add(self.datagrams.send_bytes())
    }

    /// Memory held for received data: streams, datagrams, handshake bytes and packets that wait
    /// for keys, in bytes to charge.
    pub fn recv_truesize(&self) -> usize {
        Space::ALL
            .into_iter()
            .map(|space| self.spaces.crypto(space).truesizes().1)
            .fold(self.streams.recv_truesize(), usize::saturating_add)
            .saturating_add(self.early.bytes())
    }

    /// Memory held for the connection itself and for its streams, in bytes to charge.
    pub fn object_truesize(&self) -> usize {
        OBJECTS.saturating_add(self.streams.object_truesize())
    }

    /// Whether this is the client.
    pub fn is_client(&self) -> bool {
        self.side == Side::Client
    }
}
