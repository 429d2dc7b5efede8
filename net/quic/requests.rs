// SPDX-License-Identifier: GPL-2.0

//! Requests for connections, from their first packet until they are accepted.
//!
//! No keys are made here but those that a ClientHello needs to be read; what waits are packets.
//! The queue is bounded by the backlog, each request in packets, and all of them in memory
//! (`conn/admission.rs`). A further packet finds its request through the table of client-chosen ids,
//! which knows the request's number: however many wait, it costs no search.

#![forbid(unsafe_code)]

mod input;

pub(crate) use input::handle;

use kernel::prelude::*;

use crate::{
    common::{
        deque::Deque,
        time::{
            Duration,
            Instant, //
        },
    },
    conn::{
        accept::Incoming,
        admission::{
            Load,
            Room, //
        },
    },
    linux::net::{
        skb::{
            SkBuff,
            UdpMeta, //
        },
        sock::{
            Held,
            Sock, //
        },
    },
    lookup::InitialKey,
    mem::Vec,
    socket::{
        Quic,
        Role, //
    },
};

/// Packets kept for one request: a ClientHello with post-quantum key shares and 0-RTT data.
const MAX_PACKETS: usize = 16;
/// Memory kept for one request, bytes.
const MAX_BYTES: usize = 64 << 10;
/// How long a request waits when others want its place. A client that was not answered for so long
/// does not wait any more.
const LIFETIME: Duration = Duration::from_secs(30);

/// A client that asks for a connection.
pub(crate) struct Request {
    pub(crate) incoming: Incoming,
    pub(crate) key: InitialKey,
    pub(crate) meta: UdpMeta,
    pub(crate) packets: Vec<SkBuff>,
    bytes: usize,
    began: Instant,
}

/// The requests of a listener, oldest first.
pub(crate) struct Requests {
    queue: Deque<Request>,
    /// The number of the oldest one: they are numbered in the order in which they came.
    first: u64,
    /// Memory of all packets, to be charged to the listener.
    bytes: usize,
}

impl Requests {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            queue: Deque::new(),
            first: 0,
            bytes: 0,
        }
    }

    /// Memory of all packets, bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether one waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn load(&self) -> Load {
        Load {
            clients: self.queue.len(),
            bytes: self.bytes,
        }
    }

    /// The number of the next one that is pushed.
    fn next(&self) -> u64 {
        // CAST: usize is 64 bits wide.
        self.first.wrapping_add(self.queue.len() as u64)
    }

    fn push(&mut self, request: Request) -> Result<(), ()> {
        let bytes = request.bytes;
        self.queue.push_back(request).map_err(|_| ())?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Takes the oldest one.
    pub(crate) fn pop(&mut self) -> Option<Request> {
        let request = self.queue.pop_front()?;
        self.first = self.first.wrapping_add(1);
        self.bytes = self.bytes.saturating_sub(request.bytes);
        Some(request)
    }

    /// Drops those whose clients have given up by now.
    fn expire(&mut self, sk: &Sock<Quic>, now: Instant) {
        let is_old = |r: &Request| now.since(r.began) > LIFETIME;
        while self.queue.front().is_some_and(is_old) {
            if let Some(request) = self.pop() {
                request.forget(sk);
                sk.shared().counters.count_drop();
            }
        }
    }

    /// Adds a packet to request `number`, if that has room and `room` allows it.
    fn add(&mut self, number: u64, skb: SkBuff, room: &Room) -> Result<(), ()> {
        let load = self.load();
        let at = usize::try_from(number.wrapping_sub(self.first)).map_err(|_| ())?;
        let request = self.queue.get_mut(at).ok_or(())?;
        if !room.takes(load, skb.truesize(), request.incoming.is_validated()) {
            return Err(());
        }
        let before = request.bytes;
        request.push(skb)?;
        let more = request.bytes.saturating_sub(before);
        self.bytes = self.bytes.saturating_add(more);
        Ok(())
    }
}

impl Request {
    /// A client that came with `incoming` just `now`, without a packet yet.
    fn new(incoming: Incoming, key: InitialKey, meta: UdpMeta, now: Instant) -> Self {
        Self {
            incoming,
            key,
            meta,
            packets: Vec::new(),
            bytes: 0,
            began: now,
        }
    }

    /// Takes the request out of the lookup table of `sk`, the listener.
    pub(crate) fn forget(&self, sk: &Sock<Quic>) {
        let initials = &sk.shared().globals.tables.initials;
        drop(initials.remove_if(&self.key, |owner| owner.sk.is(sk)));
    }

    fn push(&mut self, skb: SkBuff) -> Result<(), ()> {
        let bytes = self.bytes.saturating_add(skb.truesize());
        if self.packets.len() >= MAX_PACKETS || bytes > MAX_BYTES {
            return Err(());
        }
        self.packets.try_push(skb).map_err(|_| ())?;
        self.bytes = bytes;
        Ok(())
    }
}

/// Charges the packets of all requests to the listener.
pub(crate) fn charge(sk: &mut Held<'_, Quic>) {
    if let Role::Listener(listener) = &sk.role {
        let bytes = listener.requests.bytes();
        sk.settle_rmem(bytes);
    }
}
