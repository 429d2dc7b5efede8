// SPDX-License-Identifier: GPL-2.0

//! Applications that send a known pattern and check every byte they receive.
//!
//! The pattern is a function of the stream, the sender and the offset, so a byte in the wrong
//! place, twice, or not at all is found where it happens.

use std::collections::{
    BTreeMap,
    VecDeque, //
};

use quic_core::buf::Chunk;
use quic_core::common::error::Error;
use quic_core::common::id::{
    Dir,
    Side,
    StreamId, //
};
use quic_core::common::time::Instant;
use quic_core::conn::{
    Connection,
    State, //
};
use quic_core::inqueue::Readable;

/// Bytes the application lets the connection hold for sending.
const SEND_BUFFER: usize = 8 << 20;

/// Largest piece of data handed over at once.
const PIECE: u64 = 16 * 1024;

/// What an application does.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Streams to open, with their type and length.
    pub streams: Vec<(Dir, u64)>,
    /// Bytes to answer on every bidirectional stream the peer opens, once it has ended; none for
    /// no answer.
    pub reply: Option<u64>,
    /// Datagrams to send, with their length.
    pub datagrams: VecDeque<usize>,
    /// Start before the handshake is complete (0-RTT).
    pub early: bool,
    /// Read nothing while set, so that flow control stops the peer.
    pub stalled: bool,
    /// Take any bytes: somebody else has the keys too.
    pub unchecked: bool,
}

#[derive(Debug)]
struct Sending {
    id: StreamId,
    next: u64,
    len: u64,
}

/// Bytes received of one stream.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How many, in order.
    pub bytes: u64,
    /// The end was seen.
    pub fin: bool,
}

/// A running application.
#[derive(Debug)]
pub struct App {
    side: Side,
    /// What is still to be done.
    pub plan: Plan,
    opened: usize,
    sending: Vec<Sending>,
    received: BTreeMap<StreamId, Received>,
    /// Payloads of the datagrams received: their numbers.
    pub datagrams: Vec<u32>,
    next_datagram: u32,
}

/// One byte of the pattern.
pub fn pattern(id: StreamId, sender: Side, offset: u64) -> u8 {
    let salt = id.raw() * 7 + u64::from(sender.is_client());
    let x = offset.wrapping_add(salt.wrapping_mul(0x9e37_79b9));
    (x ^ (x >> 8) ^ (x >> 16)) as u8
}

impl App {
    /// An application on one side.
    pub fn new(side: Side, plan: Plan) -> Self {
        Self {
            side,
            plan,
            opened: 0,
            sending: Vec::new(),
            received: BTreeMap::new(),
            datagrams: Vec::new(),
            next_datagram: 0,
        }
    }

    /// What was received of each stream.
    pub fn received(&self) -> &BTreeMap<StreamId, Received> {
        &self.received
    }

    /// Streams that were received to their end.
    pub fn complete(&self) -> usize {
        self.received.values().filter(|r| r.fin).count()
    }

    /// Stream bytes received in all.
    pub fn bytes(&self) -> u64 {
        self.received.values().map(|r| r.bytes).sum()
    }

    /// Whether everything planned was handed to the connection.
    pub fn is_sent(&self) -> bool {
        self.opened == self.plan.streams.len() && self.sending.is_empty()
    }

    /// Does what can be done now.
    pub fn act(&mut self, connection: &mut Connection, now: Instant) {
        if !self.plan.stalled {
            self.read(connection, now);
        }
        let may_write = match connection.state() {
            State::Established => true,
            State::Establishing => self.plan.early,
            _ => false,
        };
        if may_write {
            self.open(connection);
            self.write(connection);
            self.write_datagrams(connection);
        }
    }

    fn open(&mut self, connection: &mut Connection) {
        while let Some((dir, len)) = self.plan.streams.get(self.opened).copied() {
            match connection.streams_mut().open(None, dir) {
                Ok(id) => {
                    self.opened += 1;
                    self.sending.push(Sending { id, next: 0, len });
                }
                Err(Error::WouldBlock) => {
                    connection.streams_mut().note_streams_blocked(dir);
                    return;
                }
                // Before the handshake the limits may be unknown; out of memory comes and goes.
                Err(_) => return,
            }
        }
    }

    fn write(&mut self, connection: &mut Connection) {
        let side = self.side;
        self.sending.retain_mut(|sending| loop {
            if connection.send_truesize() > SEND_BUFFER {
                return true;
            }
            let streams = connection.streams_mut();
            let Ok(credit) = streams.sendable(sending.id) else {
                return false;
            };
            let left = sending.len - sending.next;
            let len = left.min(credit).min(PIECE);
            if len == 0 && left > 0 {
                streams.note_data_blocked(sending.id);
                return true;
            }
            let id = sending.id;
            let range = sending.next..sending.next + len;
            let bytes: Vec<u8> = range.map(|at| pattern(id, side, at)).collect();
            let Ok(chunk) = Chunk::try_from_slice(&bytes) else {
                return true;
            };
            let fin = len == left;
            if streams.queue(id, chunk, fin).is_err() {
                return true;
            }
            sending.next += len;
            if fin {
                return false;
            }
        });
    }

    fn write_datagrams(&mut self, connection: &mut Connection) {
        while let Some(len) = self.plan.datagrams.front().copied() {
            let mut bytes = vec![0x5a; len.max(4)];
            bytes[..4].copy_from_slice(&self.next_datagram.to_be_bytes());
            let Ok(chunk) = Chunk::try_from_slice(&bytes) else {
                return;
            };
            if connection.send_datagram(chunk).is_err() {
                return;
            }
            self.next_datagram += 1;
            self.plan.datagrams.pop_front();
        }
    }

    fn read(&mut self, connection: &mut Connection, now: Instant) {
        while let Some(readable) = connection.streams().next_readable() {
            let read = match readable {
                Readable::Stream { id } => self.read_stream(connection, now, id, 65536),
                Readable::Datagram => self.read_datagram(connection, now),
            };
            if !read {
                return;
            }
        }
    }

    /// Reads at most `max` bytes of what comes next; says whether there was anything.
    pub fn read_part(&mut self, connection: &mut Connection, now: Instant, max: u64) -> bool {
        match connection.streams().next_readable() {
            Some(Readable::Stream { id }) => self.read_stream(connection, now, id, max),
            Some(Readable::Datagram) => self.read_datagram(connection, now),
            None => false,
        }
    }

    fn read_stream(
        &mut self,
        connection: &mut Connection,
        now: Instant,
        id: StreamId,
        max: u64,
    ) -> bool {
        let (sender, unchecked) = (self.side.peer(), self.plan.unchecked);
        let received = self.received.entry(id).or_default();
        let mut at = received.bytes;
        let outcome = connection.streams_mut().read(now, max, &mut |bytes| {
            for byte in bytes {
                let expected = pattern(id, sender, at);
                assert!(unchecked || *byte == expected, "stream {id} at {at}");
                at += 1;
            }
            Ok(bytes.len())
        });
        let Ok(outcome) = outcome else {
            return false;
        };
        assert!(
            unchecked || !received.fin,
            "stream {id} goes on behind its end"
        );
        received.bytes += outcome.bytes;
        assert_eq!(received.bytes, at);
        received.fin = outcome.is_end;
        let is_request = id.initiator() != self.side && id.dir() == Dir::Bidi;
        if let (true, true, Some(len)) = (received.fin, is_request, self.plan.reply) {
            self.sending.push(Sending { id, next: 0, len });
        }
        true
    }

    fn read_datagram(&mut self, connection: &mut Connection, now: Instant) -> bool {
        let mut payload = Vec::new();
        let outcome = connection.streams_mut().read(now, 65536, &mut |bytes| {
            payload.extend_from_slice(bytes);
            Ok(bytes.len())
        });
        if outcome.is_err() {
            return false;
        }
        if self.plan.unchecked {
            return true;
        }
        let number = u32::from_be_bytes(payload[..4].try_into().expect("four bytes"));
        assert!(payload[4..].iter().all(|byte| *byte == 0x5a));
        self.datagrams.push(number);
        true
    }
}
