// SPDX-License-Identifier: LGPL-2.1-or-later
//! What has been received and not yet been read, sorted by stream. No I/O, no locks.

use std::collections::{
    HashMap,
    HashSet,
    VecDeque, //
};

use crate::{
    error::Error,
    stream::StreamId,
    sys::sock::Received,
    uapi::{
        self,
        event,
        stream_state,
        MSG_QUIC_DATAGRAM,
        MSG_QUIC_NOTIFICATION,
        MSG_QUIC_STREAM_FIN, //
    },
};

/// What a stream that waits for its reader costs besides its bytes. Without it, a peer could
/// queue streams without end by sending empty ones.
const STREAM_COST: usize = 512;
/// Datagrams kept for a reader; the oldest are dropped, as a network would.
const DATAGRAMS: usize = 1024;

/// Received items that wait for their readers.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Streams that may still get data or still have a reader.
    streams: HashMap<i64, Incoming>,
    /// Streams of the peer that have sent something and were not accepted yet.
    accept: VecDeque<i64>,
    /// Lowest id of the peer's that was not opened yet, bidirectional and unidirectional.
    next_peer: [i64; 2],
    is_server: bool,
    /// Streams whose last byte was sent and not yet acknowledged.
    finishing: HashSet<i64>,
    /// Streams that somebody may still write to, with the code by which the peer has stopped them.
    writers: HashMap<i64, Option<u64>>,
    /// Streams whose reset was told: bytes that it leaves to be read may be in the socket's queue yet,
    /// which has events in front.
    resetting: Vec<i64>,
    datagrams: VecDeque<Vec<u8>>,
    /// Cost of all that waits.
    buffered: usize,
    limit: usize,
    ended: Option<Error>,
    /// A session ticket has arrived and can be had from the socket.
    pub(crate) ticket: bool,
    /// Data of the peer have arrived.
    heard: bool,
}

#[derive(Debug, Default)]
struct Incoming {
    chunks: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that were read already.
    offset: usize,
    end: End,
    /// Nobody will read it: what still arrives is dropped.
    forgotten: bool,
    /// It has been put into the queue for accepting, or is of this side's own.
    known: bool,
    /// What it adds to [`Inbox::buffered`] besides its bytes.
    cost: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    /// More may come.
    #[default]
    Open,
    /// The peer has sent everything.
    Finished,
    /// The peer gave up with this code; what it has promised to deliver may still come.
    Resetting(u64),
    /// The peer gave up with this code.
    Reset(u64),
}

/// Result of [`Inbox::take`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// This many bytes were copied.
    Data(usize),
    /// The stream has ended and everything was read.
    End,
    /// The peer gave up with this code, and all that has arrived nevertheless was read.
    Reset(u64),
    /// Nothing has arrived.
    Empty,
}

impl Inbox {
    pub(crate) fn new(is_server: bool, limit: usize) -> Inbox {
        let peer = i64::from(!is_server);
        Inbox {
            streams: HashMap::new(),
            accept: VecDeque::new(),
            next_peer: [peer, peer | 2],
            is_server,
            finishing: HashSet::new(),
            writers: HashMap::new(),
            resetting: Vec::new(),
            datagrams: VecDeque::new(),
            buffered: 0,
            limit,
            ended: None,
            ticket: false,
            heard: false,
        }
    }

    /// Whether nothing more should be received for streams that nobody is reading.
    pub(crate) fn is_full(&self) -> bool {
        self.buffered >= self.limit
    }

    /// Why nothing more will come.
    pub(crate) fn ended(&self) -> Option<&Error> {
        self.ended.as_ref()
    }

    /// Whether the peer has sent anything, besides what its kernel sends by itself.
    pub(crate) fn has_heard(&self) -> bool {
        self.heard
    }

    /// Nothing more will come. The first reason counts.
    pub(crate) fn end(&mut self, reason: Error) {
        self.ended.get_or_insert(reason);
    }

    /// A stream opened by this side which will be read.
    pub(crate) fn open(&mut self, id: StreamId) {
        let stream = self.streams.entry(id.0).or_default();
        stream.known = true;
    }

    /// Sorts one item in.
    pub(crate) fn on_item(&mut self, received: &Received, bytes: &[u8]) {
        let bytes = bytes.get(..received.len).unwrap_or(bytes);
        self.heard |= received.flags & MSG_QUIC_NOTIFICATION == 0;
        if received.flags & MSG_QUIC_NOTIFICATION != 0 {
            self.on_event(bytes);
        } else if received.flags & MSG_QUIC_DATAGRAM != 0 {
            if self.datagrams.len() >= DATAGRAMS {
                self.pop_datagram();
            }
            self.buffered = self.buffered.saturating_add(bytes.len());
            self.datagrams.push_back(bytes.to_vec());
        } else if let Some((id, flags)) = received.stream {
            self.on_data(id, bytes, flags & MSG_QUIC_STREAM_FIN != 0);
        }
    }

    /// The item was received into the reader's own buffer: if it is for that reader, its length.
    pub(crate) fn take_direct(&mut self, id: StreamId, received: &Received) -> Option<usize> {
        let (got, flags) = received.stream?;
        let other = MSG_QUIC_NOTIFICATION | MSG_QUIC_DATAGRAM;
        if got != id.0 || received.flags & other != 0 {
            return None;
        }
        self.heard = true;
        let stream = self.streams.get_mut(&got)?;
        // Nothing can have been queued in between: the reader was the leader.
        if !stream.chunks.is_empty() || stream.end != End::Open {
            return None;
        }
        if flags & MSG_QUIC_STREAM_FIN != 0 {
            stream.end = End::Finished;
        }
        Some(received.len)
    }

    /// Takes data of a stream.
    pub(crate) fn take(&mut self, id: StreamId, buf: &mut [u8]) -> Take {
        let Some(stream) = self.streams.get_mut(&id.0) else {
            return Take::End;
        };
        let mut copied: usize = 0;
        while let Some(chunk) = stream.chunks.front() {
            let unread = chunk.get(stream.offset..).unwrap_or_default();
            let room = buf.get_mut(copied..).unwrap_or_default();
            let len = unread.len().min(room.len());
            if let (Some(to), Some(from)) = (room.get_mut(..len), unread.get(..len)) {
                to.copy_from_slice(from);
            }
            copied = copied.saturating_add(len);
            if len < unread.len() {
                stream.offset = stream.offset.saturating_add(len);
                break;
            }
            stream.chunks.pop_front();
            stream.offset = 0;
        }
        self.buffered = self.buffered.saturating_sub(copied);
        match (copied, stream.end, buf.is_empty()) {
            (0, End::Finished, _) if stream.chunks.is_empty() => Take::End,
            (0, End::Reset(code), _) if stream.chunks.is_empty() => Take::Reset(code),
            (0, _, false) => Take::Empty,
            (copied, ..) => Take::Data(copied),
        }
    }

    /// The next stream of the peer that has sent something.
    pub(crate) fn accept(&mut self) -> Option<StreamId> {
        let id = self.accept.pop_front()?;
        if let Some(stream) = self.streams.get_mut(&id) {
            self.buffered = self.buffered.saturating_sub(stream.cost);
            stream.cost = 0;
        }
        Some(StreamId(id))
    }

    /// The next datagram.
    pub(crate) fn pop_datagram(&mut self) -> Option<Vec<u8>> {
        let datagram = self.datagrams.pop_front()?;
        self.buffered = self.buffered.saturating_sub(datagram.len());
        Some(datagram)
    }

    /// Drops what waits for a reader that is gone. Returns whether more may come.
    pub(crate) fn forget(&mut self, id: StreamId) -> bool {
        let Some(stream) = self.streams.get_mut(&id.0) else {
            return false;
        };
        let waiting: usize = stream.chunks.iter().map(Vec::len).sum();
        let unread = waiting.saturating_sub(stream.offset);
        self.buffered = self.buffered.saturating_sub(unread);
        stream.chunks.clear();
        stream.offset = 0;
        if stream.end != End::Open {
            self.streams.remove(&id.0);
            return false;
        }
        !std::mem::replace(&mut stream.forgotten, true)
    }

    /// Somebody is going to write to a stream.
    pub(crate) fn writer_comes(&mut self, id: StreamId) {
        self.writers.insert(id.0, None);
    }

    /// Nobody will write to a stream any more. Whether it is delivered may still be of interest.
    pub(crate) fn writer_goes(&mut self, id: StreamId) {
        self.writers.remove(&id.0);
    }

    /// The last bytes of a stream are about to be sent.
    pub(crate) fn sending_ends(&mut self, id: StreamId) {
        self.finishing.insert(id.0);
    }

    /// A stream was given up.
    pub(crate) fn sending_was_reset(&mut self, id: StreamId) {
        self.finishing.remove(&id.0);
    }

    /// Whether the peer has acknowledged the whole of this stream, or of all finished streams.
    pub(crate) fn is_delivered(&self, id: Option<StreamId>) -> bool {
        match id {
            Some(id) => !self.finishing.contains(&id.0),
            None => self.finishing.is_empty(),
        }
    }

    /// Everything sent has been acknowledged, as the socket's accounting says.
    pub(crate) fn all_delivered(&mut self) {
        self.finishing.clear();
    }

    /// The code with which the peer stopped the stream.
    pub(crate) fn stopped(&self, id: StreamId) -> Option<u64> {
        self.writers.get(&id.0).copied().flatten()
    }

    fn on_data(&mut self, id: i64, bytes: &[u8], fin: bool) {
        self.see(id);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if fin {
            stream.end = End::Finished;
        }
        if stream.forgotten {
            if fin {
                self.streams.remove(&id);
            }
            return;
        }
        if !bytes.is_empty() {
            stream.chunks.push_back(bytes.to_vec());
            self.buffered = self.buffered.saturating_add(bytes.len());
        }
        self.announce(id);
    }

    fn on_event(&mut self, bytes: &[u8]) {
        let Some((kind, payload)) = bytes.split_first() else {
            return;
        };
        match *kind {
            event::STREAM_UPDATE => self.on_stream_update(uapi::read_stream_update(payload)),
            event::NEW_SESSION_TICKET => self.ticket = true,
            _ => {}
        }
    }

    fn on_stream_update(&mut self, update: uapi::StreamUpdate) {
        let code = u64::from(update.errcode);
        match update.state {
            stream_state::SEND_RECVD | stream_state::SEND_RESET_RECVD => {
                self.finishing.remove(&update.id);
            }
            stream_state::SEND_RESET_SENT => {
                self.finishing.remove(&update.id);
                if let Some(stopped) = self.writers.get_mut(&update.id) {
                    *stopped = Some(code);
                }
            }
            stream_state::RECV_RESET_RECVD => self.on_reset(update.id, code),
            _ => {}
        }
    }

    fn on_reset(&mut self, id: i64, code: u64) {
        self.see(id);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.end = End::Resetting(code);
        if stream.forgotten {
            self.streams.remove(&id);
        } else {
            self.resetting.push(id);
            self.announce(id);
        }
    }

    /// Whether there are streams that [`Self::settle`] is waited for with.
    pub(crate) fn is_settling(&self) -> bool {
        !self.resetting.is_empty()
    }

    /// The socket's queue was empty: of streams that were reset nothing more comes. Returns them.
    pub(crate) fn settle(&mut self) -> Vec<i64> {
        let settled = std::mem::take(&mut self.resetting);
        for id in &settled {
            if let Some(stream) = self.streams.get_mut(id) {
                if let End::Resetting(code) = stream.end {
                    stream.end = End::Reset(code);
                }
            }
        }
        settled
    }

    /// Learns of a stream of the peer. Opening one opens all lower ones of its type; a lower one
    /// that is not in the table therefore has ended already.
    // RFC 9000 section 2.1.
    fn see(&mut self, id: i64) {
        let by_server = id & 1 != 0;
        if by_server == self.is_server || id < 0 {
            return;
        }
        let kind = usize::from(id & 2 != 0);
        let Some(next) = self.next_peer.get_mut(kind) else {
            return;
        };
        while *next <= id {
            self.streams.entry(*next).or_default();
            *next = next.saturating_add(4);
        }
    }

    /// Queues a stream for accepting at its first sign of life.
    fn announce(&mut self, id: i64) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if !stream.known {
            stream.known = true;
            stream.cost = STREAM_COST;
            self.buffered = self.buffered.saturating_add(STREAM_COST);
            self.accept.push_back(id);
        }
    }
}
