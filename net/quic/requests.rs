// SPDX-License-Identifier: GPL-2.0

//! Requests for connections, from their first packet until they are accepted.
//!
//! No keys are made here but those that a ClientHello needs to be read; what waits are packets.
//! The queue is bounded by the backlog, each request in packets, and all of them in memory
//! (`conn/admission.rs`). A further packet finds its request through the table of client-chosen ids,
//! which knows the request's number: however many wait, it costs no search.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    attached::now,
    common::{
        deque::Deque,
        error::TransportError,
        id::ConnectionId,
        time::{
            Duration,
            Instant, //
        },
    },
    conn::{
        accept::{
            FirstPacket,
            Incoming,
            Validation, //
        },
        admission::{
            Admission,
            Load,
            Room, //
        }, //
    },
    connid::LOCAL_LEN,
    linux::net::{
        skb::{
            SkBuff,
            UdpMeta, //
        },
        sock::{
            Held,
            Sock,
            SockRef, //
        }, //
    },
    listen::Listener,
    lookup::{
        Initial,
        InitialKey, //
    },
    mem::Vec,
    packet::{
        token::{
            TokenKey,
            TokenKind, //
        },
        Packet, //
    },
    poll,
    socket::{
        Quic,
        Role, //
    },
    stateless, //
};

/// Packets kept for one request: a ClientHello with post-quantum key shares and 0-RTT data.
const MAX_PACKETS: usize = 16;
/// Memory kept for one request, bytes.
const MAX_BYTES: usize = 64 << 10;
/// Memory that a listener may keep although there is none, bytes: the first packets of a client or two.
const ALWAYS: usize = 16 << 10;
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

/// A packet with a long header has come to the listener. Hands it back with its owner if that is a
/// connection by now: the lock of a listener is no place to take another one.
pub(crate) fn handle(
    sk: &mut Held<'_, Quic>,
    skb: SkBuff,
    meta: &UdpMeta,
) -> Option<(SockRef<Quic>, SkBuff)> {
    let elsewhere = receive(sk, skb, meta);
    charge(sk);
    elsewhere
}

/// Charges the packets of all requests to the listener.
pub(crate) fn charge(sk: &mut Held<'_, Quic>) {
    if let Role::Listener(listener) = &sk.role {
        let bytes = listener.requests.bytes();
        sk.settle_rmem(bytes);
    }
}

fn receive(
    sk: &mut Held<'_, Quic>,
    skb: SkBuff,
    meta: &UdpMeta,
) -> Option<(SockRef<Quic>, SkBuff)> {
    let sock = sk.sk();
    let (shared, raw) = (sock.shared(), sock.raw());
    let first = match skb.gso_size() {
        Some(size) => skb.data().get(..size).unwrap_or_default(),
        None => skb.data(),
    };
    let greases = sk.options.local.grease_quic_bit != 0;
    let incoming = match FirstPacket::parse(first) {
        FirstPacket::Incoming(incoming) if incoming.is_acceptable(greases) => incoming,
        FirstPacket::UnsupportedVersion(unknown) => {
            stateless::negotiate(&shared.counters, raw, meta, &unknown);
            return None;
        }
        FirstPacket::OtherLong => {
            follow(sk, skb, meta);
            return None;
        }
        FirstPacket::Incoming(_) | FirstPacket::Short | FirstPacket::Drop => {
            shared.counters.count_drop();
            return None;
        }
    };
    let key = key_of(sk, meta, incoming.dcid);
    match shared.globals.tables.by_initial(&key) {
        None => admit(sk, skb, meta, incoming, key),
        // The connection may have been accepted while this packet waited.
        Some(owner) if !owner.sk.is(sock) => return Some((owner.sk, skb)),
        Some(known) => add(sk, skb, &known),
    }
    None
}

fn key_of(sk: &Held<'_, Quic>, meta: &UdpMeta, cid: ConnectionId) -> InitialKey {
    InitialKey {
        net: sk.sk().raw().net().id(),
        local: meta.local,
        remote: meta.remote,
        cid,
    }
}

/// What this listener may keep.
fn room(sk: &Held<'_, Quic>) -> Room {
    let backlog = usize::try_from(sk.backlog).unwrap_or(usize::MAX);
    Room::new(backlog, sk.sk().raw().rcvbuf())
}

/// Whether the limits of the protocol and of the control group let the listener keep `more` bytes.
fn has_memory(sk: &mut Held<'_, Quic>, more: usize) -> bool {
    let Role::Listener(listener) = &sk.role else {
        return false;
    };
    listener.requests.bytes().saturating_add(more) <= ALWAYS || sk.may_keep(more)
}

/// Adds a packet to a request of this listener.
fn add(sk: &mut Held<'_, Quic>, skb: SkBuff, known: &Initial) {
    let room = room(sk);
    let skb = skb.into_compact();
    if !has_memory(sk, skb.truesize()) {
        sk.sk().shared().counters.count_drop();
        return;
    }
    let Role::Listener(listener) = &mut sk.role else {
        return;
    };
    if listener.requests.add(known.request, skb, &room).is_err() {
        sk.sk().shared().counters.count_drop();
    }
}

/// A 0-RTT packet belongs to a request, or is too early or too late.
fn follow(sk: &mut Held<'_, Quic>, skb: SkBuff, meta: &UdpMeta) {
    let sock = sk.sk();
    let shared = sock.shared();
    let dcid = Packet::destination(skb.data(), LOCAL_LEN).and_then(ConnectionId::new);
    let owner = dcid.and_then(|cid| {
        let key = key_of(sk, meta, cid);
        shared.globals.tables.by_initial(&key)
    });
    match owner.filter(|owner| owner.sk.is(sock)) {
        Some(known) => add(sk, skb, &known),
        None => shared.counters.count_drop(),
    }
}

/// Decides on a new request.
fn admit(
    sk: &mut Held<'_, Quic>,
    skb: SkBuff,
    meta: &UdpMeta,
    mut incoming: Incoming,
    key: InitialKey,
) {
    let sock = sk.sk();
    let (shared, raw) = (sock.shared(), sock.raw());
    // Derived only where it is needed: most clients bring no token and need no Retry.
    let retry_key = || shared.globals.retry_key(key.net);
    let token_key = match incoming.token_kind(skb.data()) {
        Some(TokenKind::Retry) => retry_key(),
        _ => TokenKey::new(sk.options.token_key),
    };
    let found = incoming.validate(now(), &token_key, skb.data(), meta.remote);
    let wants_retry = sk.options.config.validate_peer_address != 0;
    let Role::Listener(listener) = &sk.role else {
        return;
    };
    let validation = incoming.take_token(found, &mut listener.used.lock(), now());
    if validation == Validation::InvalidRetry {
        let error = TransportError::invalid_token("token not valid");
        stateless::refuse(raw, meta, &incoming, &error);
        return;
    }
    let is_proven = matches!(validation, Validation::Valid(_));
    if wants_retry && !is_proven {
        stateless::retry(&shared.counters, raw, meta, &incoming, &retry_key());
        return;
    }
    let skb = skb.into_compact();
    let (room, has_memory) = (room(sk), has_memory(sk, skb.truesize()));
    let Role::Listener(listener) = &mut sk.role else {
        return;
    };
    if !has_memory {
        // A want that passes: the client is not refused but left to try again.
        listener.requests.expire(sock, now());
        shared.counters.count_drop();
        return;
    }
    let mut verdict = room.admit(listener.requests.load(), skb.truesize(), is_proven);
    if verdict == Admission::Refuse {
        listener.requests.expire(sock, now());
        verdict = room.admit(listener.requests.load(), skb.truesize(), is_proven);
    }
    match verdict {
        Admission::Welcome => {}
        Admission::Retry => {
            stateless::retry(&shared.counters, raw, meta, &incoming, &retry_key());
            return;
        }
        Admission::Refuse => {
            let error = TransportError::connection_refused("too many requests");
            stateless::refuse(raw, meta, &incoming, &error);
            return;
        }
    }
    let request = Request {
        incoming,
        key,
        meta: *meta,
        packets: Vec::new(),
        bytes: 0,
        began: now(),
    };
    if queue(sock, listener, request, skb).is_err() {
        shared.counters.count_drop();
        return;
    }
    poll::publish(sk);
    sk.sk().raw().wake_readers();
}

/// Puts a request with its first packet into the queue and the lookup table, through which all that
/// follows finds it.
fn queue(
    sock: &Sock<Quic>,
    listener: &mut Listener,
    mut request: Request,
    skb: SkBuff,
) -> Result<(), ()> {
    let initials = &sock.shared().globals.tables.initials;
    let key = request.key;
    let initial = Initial {
        sk: sock.to_ref(),
        request: listener.requests.next(),
    };
    request.push(skb)?;
    initials.insert(key, initial, |_, _| true).map_err(|_| ())?;
    listener.requests.push(request).inspect_err(|()| {
        drop(initials.remove_if(&key, |owner| owner.sk.is(sock)));
    })
}
