// SPDX-License-Identifier: GPL-2.0

//! The streams of a connection (RFC 9000 2 to 4).
//!
//! [`Streams`] is the whole: it takes frames from the network and calls from the application,
//! grants and keeps to flow-control credit at both levels, holds what was received in the one
//! order in which it is read, and writes STREAM frames and the control frames of streams when the
//! connection assembles a packet. What was sent is remembered by the caller as
//! [`Token`](crate::common::token::Token)s, which come back by [`Streams::on_acked`] or
//! [`Streams::on_lost`].
//!
//! ```text
//!            network                              application
//!   on_stream, on_reset_stream ...        open, queue, finish, reset ...
//!               |                                      |
//!               v                                      v
//!   RecvHalf: Assembler, RecvCredit       SendHalf: SendBuffer, SendCredit
//!               |                                      |
//!               v                                      v
//!    InQueue, read by the application     Schedule, List of control frames
//!                                                      |
//!                                         write_control, write_data
//! ```
//!
//! Every call is O(log n) in the number of streams, or costs what earlier calls have left to it.
//! Everything the peer can make grow has its bound next to it. All of it is called with the
//! connection's lock held, in any context; nothing sleeps.

#![forbid(unsafe_code)]

mod app;
mod assembler;
mod blocked;
mod control;
mod credit_input;
pub mod crypto;
mod early;
mod flow;
mod input;
mod limits;
mod list;
mod lookup;
mod outcome;
mod per_dir;
mod piece;
mod read;
mod recv;
mod recv_state;
mod schedule;
mod send;
mod send_buffer;
mod send_state;
mod table;
#[cfg(test)]
mod tests;
mod transmit;
mod windows;

pub use limits::MAX_OPEN;
pub use read::ReadOutcome;
pub use recv_state::RecvState;
pub use schedule::URGENCIES;
pub use send_state::SendState;
pub use transmit::MAX_SEGMENTS;

use crate::{
    buf::{
        Chunk,
        Pinned, //
    },
    common::{
        id::{
            Side,
            StreamId, //
        },
        memory::Memory,
        time::Duration, //
    },
    inqueue::InQueue,
    params::TransportParams, //
};
use control::Pending;
use flow::{
    RecvCredit,
    SendCredit, //
};
use limits::{
    Granted,
    Opened, //
};
use list::{
    List,
    Which, //
};
use per_dir::PerDir;
use schedule::Schedule;
use table::Table;
use windows::Windows;

/// A window may grow to this many times its first size:
/// 16 MiB for a connection with default parameters, enough for 1 Gbit/s at 100 ms.
const MAX_WINDOW_GROWTH: u64 = 8;

/// Memory for received data, as a multiple of the connection's window (the user interface sets
/// SO_RCVBUF to the same multiple of max_data).
const MEMORY_PER_WINDOW: u64 = 4;

/// All streams of a connection.
#[derive(Debug)]
pub struct Streams {
    side: Side,
    table: Table,
    /// Streams opened by this side, and by the peer.
    own: PerDir<Opened>,
    peers: PerDir<Opened>,
    /// How many streams the peer allows to open, and how many it is allowed.
    allowed: PerDir<SendCredit>,
    granted: PerDir<Granted>,
    /// Credit of the connection in both directions.
    send_credit: SendCredit,
    recv_credit: RecvCredit,
    /// Stream bytes sent at least once.
    fresh_sent: u64,
    /// Credit of new streams: granted by this side, and by the peer.
    own_windows: Windows,
    peer_windows: Windows,
    /// The peer's own parameters, once known; before, remembered ones may be in use.
    peer_params: Option<early::PeerLimits>,
    schedule: Schedule,
    control: List,
    pending: Pending,
    inqueue: InQueue,
    /// The last chunk that was acknowledged, whose memory no account has: data of about its size
    /// takes it. Given up with the next time-out.
    spare: Option<Chunk>,
    active: Option<StreamId>,
    has_app_keys: bool,
    rtt: Option<Duration>,
    max_stream_window: u64,
    /// Memory held for data to send and for received data, and the bound of the latter.
    send_memory: usize,
    recv_memory: usize,
    recv_limit: usize,
    /// Batches of datagrams of which something is kept; their memory is received data too.
    pinned: Pinned,
    /// Whether streams wait for a limit that fell when early data was rejected.
    parked: bool,
    /// Whether a limit rose since they were last looked at.
    has_risen: bool,
    /// Whether a limit of the peer's has stopped the application since nothing was found blocked.
    may_be_blocked: bool,
    /// Callers that wait to open a stream above the peer's limit.
    wanting: PerDir<u32>,
    /// Whether an own stream went that was one too many for another.
    has_room: bool,
    /// Whether a frame was refused since the last [`Self::take_refused`].
    refused: bool,
    /// Memory that there is for more.
    memory: Memory,
    /// The stream of the last frame with data, if that was refused: the peer will send it again.
    refused_stream: Option<StreamId>,
}

impl Streams {
    /// No streams, and the limits that `local` announces to the peer. The peer's own limits are 0
    /// until [`Self::set_peer_params`]. Batches count by `pinned`.
    pub fn new(side: Side, local: &TransportParams, pinned: Pinned) -> Self {
        let mut streams = Self {
            side,
            table: Table::default(),
            own: PerDir::default(),
            peers: PerDir::default(),
            allowed: PerDir::default(),
            granted: PerDir {
                bidi: Granted::new(0),
                uni: Granted::new(0),
            },
            send_credit: SendCredit::new(0),
            recv_credit: RecvCredit::new(0, 0),
            fresh_sent: 0,
            own_windows: Windows::default(),
            peer_windows: Windows::default(),
            peer_params: None,
            schedule: Schedule::new(),
            control: List::new(Which::Control),
            pending: Pending::default(),
            inqueue: InQueue::new(),
            spare: None,
            active: None,
            has_app_keys: false,
            rtt: None,
            max_stream_window: 0,
            send_memory: 0,
            recv_memory: 0,
            recv_limit: 0,
            pinned,
            parked: false,
            has_risen: false,
            may_be_blocked: false,
            has_room: false,
            refused: false,
            memory: Memory::Plenty,
            refused_stream: None,
            wanting: PerDir::default(),
        };
        streams.set_local_params(local);
        streams
    }

    /// Takes over the limits announced to the peer. Only before they are announced: what the peer
    /// was told cannot be taken back.
    pub fn set_local_params(&mut self, local: &TransportParams) {
        let window = local.initial_max_data;
        let max_window = window.saturating_mul(MAX_WINDOW_GROWTH);
        self.recv_credit = RecvCredit::new(window, max_window);
        self.own_windows = Windows::of(local);
        self.max_stream_window = max_window;
        self.granted = PerDir {
            bidi: Granted::new(local.initial_max_streams_bidi),
            uni: Granted::new(local.initial_max_streams_uni),
        };
        let memory = window.saturating_mul(MEMORY_PER_WINDOW);
        self.set_recv_limit(usize::try_from(memory).unwrap_or(usize::MAX));
    }

    /// Bounds the memory for received data that is ahead of a gap, and that of batches, in bytes of
    /// truesize.
    fn set_recv_limit(&mut self, bytes: usize) {
        self.recv_limit = bytes;
        self.pinned.set_limit(bytes);
    }

    /// Tells how much memory there is for more data, until told otherwise.
    pub fn set_memory(&mut self, memory: Memory) {
        self.memory = memory;
    }

    /// Whether there is no memory for data that is not needed at once.
    pub fn is_exhausted(&self) -> bool {
        self.memory == Memory::Exhausted
    }

    /// Whether the peer has data for us that found no memory.
    pub fn is_refusing(&self) -> bool {
        // Of a stream that it has reset meanwhile it will send nothing more.
        let recv = |id| self.table.get(id)?.recv.as_ref();
        let refused = self.refused_stream.and_then(recv);
        refused.is_some_and(|recv| recv.state().is_receiving())
    }

    /// Tells the smoothed round-trip time, by which the receive windows grow.
    pub fn set_rtt(&mut self, smoothed: Duration) {
        self.rtt = Some(smoothed);
    }

    /// Tells that 1-RTT packets can be sent: opening a stream above the peer's limit now waits
    /// instead of failing (uapi 5.3).
    pub fn on_app_send_keys(&mut self) {
        self.has_app_keys = true;
    }

    /// Whether a frame was refused for lack of memory or room since the last call. The packet it
    /// came in must then not be acknowledged: the peer will send the frame again. Nothing that the
    /// packet's other frames did is wrong when it is done twice.
    #[must_use]
    pub fn take_refused(&mut self) -> bool {
        core::mem::take(&mut self.refused)
    }

    /// Memory held for data to send, in bytes to charge to the socket.
    pub fn send_truesize(&self) -> usize {
        self.send_memory
    }

    /// Memory held for received data and datagrams, in bytes to charge to the socket.
    pub fn recv_truesize(&self) -> usize {
        self.recv_memory
            .saturating_add(self.inqueue.truesize())
            .saturating_add(self.pinned.bytes())
    }

    /// Bytes queued by the application that were never sent (SIOCOUTQNSD).
    pub fn unsent_bytes(&self) -> u64 {
        self.send_credit.used().saturating_sub(self.fresh_sent)
    }

    /// Flow-control credit of the connection that is left for queueing, in bytes (poll).
    pub fn connection_credit(&self) -> u64 {
        self.send_credit.available()
    }

    /// Count of streams that exist.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no stream exists.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    fn is_own(&self, id: StreamId) -> bool {
        id.initiator() == self.side
    }

    /// New bytes that the connection still lets go. Bytes are queued only within the limit, so
    /// this is enough for all of them, unless the limit fell with rejected early data.
    fn fresh_credit(&self) -> u64 {
        self.send_credit.limit().saturating_sub(self.fresh_sent)
    }

    /// Accounts a change of the memory that a stream's received data takes.
    fn account_recv(&mut self, before: usize, after: usize) {
        let rest = self.recv_memory.saturating_sub(before);
        self.recv_memory = rest.saturating_add(after);
    }

    /// Accounts a change of the memory that a stream's data to send takes.
    fn account_send(&mut self, before: usize, after: usize) {
        let rest = self.send_memory.saturating_sub(before);
        self.send_memory = rest.saturating_add(after);
    }
}
