// SPDX-License-Identifier: GPL-2.0

//! A connection as it hangs on a socket.

#![forbid(unsafe_code)]

use crate::{
    common::{
        cx::{
            Cx,
            Stats, //
        },
        id::ConnectionId,
        rng::Rng,
        time::Instant, //
    },
    conn::{
        Connection,
        State, //
    },
    linux::{
        net::{
            frag::PacketPages,
            route::Route, //
        },
        rand,
        time::monotonic_nanos, //
    },
    lookup::{
        InitialKey,
        QuoteKey,
        ResetKey, //
    },
    mem::{
        Box,
        Vec, //
    }, //
};

/// The kernel's random numbers.
pub(crate) struct KernelRng;

impl Rng for KernelRng {
    fn fill(&mut self, out: &mut [u8]) {
        rand::fill(out);
    }

    /// From the generator's batch for this CPU, which costs a small part of a call for few bytes.
    fn u64(&mut self) -> u64 {
        rand::u64()
    }
}

/// The clock, as the core wants it.
pub(crate) fn now() -> Instant {
    Instant::from_nanos(monotonic_nanos())
}

/// Runs `f` with what the core needs and no connection has.
pub(crate) fn with_cx<R>(stats: &mut Stats, f: impl FnOnce(&mut Cx<'_>) -> R) -> R {
    f(&mut Cx {
        now: now(),
        rng: &mut KernelRng,
        stats,
    })
}

/// The connection and what the socket keeps beside it.
pub(crate) struct Attached {
    pub(crate) core: Box<Connection>,
    /// Counted since the last time they were added to the namespace's.
    pub(crate) stats: Stats,
    /// Counted since the connection began.
    pub(crate) total: Stats,
    /// The cipher of 1-RTT packets by its number in the interface, 0 before it is known.
    pub(crate) cipher: u32,
    /// Nothing is to be sent any more.
    pub(crate) silent: bool,
    /// The way of the last datagram sent.
    pub(crate) route: Option<Route>,
    /// What packets are written into.
    pub(crate) pages: PacketPages,
    /// Ids in the lookup table.
    pub(crate) cids: Vec<ConnectionId>,
    /// Stateless reset tokens of the peer in the lookup table, one for each of its ids in use.
    pub(crate) resets: Vec<ResetKey>,
    /// What messages about its packets quote, as the lookup table has it.
    pub(crate) quoted: Option<QuoteKey>,
    /// The client's first id in the lookup table, on a server.
    pub(crate) original: Option<InitialKey>,
    /// The rest of an event of which a part was read.
    pub(crate) event: Option<Pending>,
    /// Packets were handed to the core since the last drive.
    pub(crate) dirty: bool,
    /// Size of a datagram that found no room, 0 once it would: until then there is no POLLOUT.
    pub(crate) refused: usize,
    /// Bytes in the send buffer when there was no memory for more, 0 for never: until they are fewer
    /// there is no POLLOUT.
    pub(crate) starved: usize,
    /// `SO_SNDBUF` when the poll mask was last published.
    pub(crate) published_sndbuf: usize,
    /// `SO_MAX_PACING_RATE` as the connection knows it.
    pacing_limit: Option<u64>,
}

/// An event on its way to the user.
pub(crate) struct Pending {
    /// Type and payload.
    pub(crate) bytes: Vec<u8>,
    /// Bytes already read.
    pub(crate) read: usize,
}

impl Attached {
    /// Hangs a new connection up.
    pub(crate) fn new(core: Box<Connection>, stats: Stats) -> Self {
        Self {
            core,
            stats,
            total: Stats::default(),
            cipher: 0,
            silent: false,
            route: None,
            pages: PacketPages::default(),
            cids: Vec::new(),
            resets: Vec::new(),
            quoted: None,
            original: None,
            event: None,
            dirty: false,
            refused: 0,
            starved: 0,
            published_sndbuf: 0,
            pacing_limit: None,
        }
    }

    /// Calls the core with what it needs.
    pub(crate) fn call<R>(&mut self, f: impl FnOnce(&mut Connection, &mut Cx<'_>) -> R) -> R {
        let Self { core, stats, .. } = self;
        with_cx(stats, |cx| f(core, cx))
    }

    /// Tells the connection the user's limit of the pacing rate, if it has changed: the socket
    /// option is set behind our back.
    pub(crate) fn limit_pacing(&mut self, limit: Option<u64>) {
        if self.pacing_limit != limit {
            self.pacing_limit = limit;
            self.core.set_max_pacing_rate(limit);
        }
    }

    /// Whether the connection is neither closing nor closed.
    pub(crate) fn is_open(&self) -> bool {
        self.core.state().is_open()
    }

    /// Whether something waits for `recvmsg`. Early data does not before the handshake is done:
    /// whoever runs it expects its messages only.
    pub(crate) fn is_readable(&mut self) -> bool {
        self.event.is_some()
            || self.core.next_crypto().is_some()
            || !self.core.events().is_empty()
            || (self.core.state() != State::Establishing
                && self.core.streams().next_readable().is_some())
    }
}
