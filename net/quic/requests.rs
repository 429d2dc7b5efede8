// SPDX-License-Identifier: GPL-2.0

//! Requests for connections, from their first packet until they are accepted.
//!
//! No keys are made here but those that a ClientHello needs to be read; what waits are packets.
//! The queue is bounded by the backlog, and each request in packets.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    attached::now,
    common::{
        deque::Deque,
        error::TransportError,
        time::{
            Duration,
            Instant, //
        },
    },
    conn::accept::{
        FirstPacket,
        Incoming,
        Validation, //
    },
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
    lookup::InitialKey,
    mem::Vec,
    packet::token::TokenKey,
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
    /// Memory of all packets, to be charged to the listener.
    bytes: usize,
}

impl Requests {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            queue: Deque::new(),
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

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
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
        self.bytes = self.bytes.saturating_sub(request.bytes);
        Some(request)
    }

    fn has(&self, key: &InitialKey) -> bool {
        self.queue.iter().any(|r| r.key == *key)
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

    /// Adds a packet to the request of `key`; `None` if there is no such request, an error if there
    /// is no room. `limit` bounds the memory of all requests together.
    fn add(&mut self, key: &InitialKey, skb: SkBuff, limit: usize) -> Option<Result<(), ()>> {
        let room = limit.saturating_sub(self.bytes);
        let request = self.queue.iter_mut().find(|r| r.key == *key)?;
        let before = request.bytes;
        if skb.truesize() > room || request.push(skb).is_err() {
            return Some(Err(()));
        }
        let more = request.bytes.saturating_sub(before);
        self.bytes = self.bytes.saturating_add(more);
        Some(Ok(()))
    }
}

impl Request {
    /// Takes the request out of the lookup table of `sk`, the listener.
    pub(crate) fn forget(&self, sk: &Sock<Quic>) {
        let initials = &sk.shared().globals.tables.initials;
        drop(initials.remove_if(&self.key, |owner| owner.is(sk)));
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
    let incoming = match FirstPacket::parse(first) {
        FirstPacket::Incoming(incoming) => incoming,
        FirstPacket::UnsupportedVersion(unknown) => {
            stateless::negotiate(&shared.counters, raw, meta, &unknown);
            return None;
        }
        FirstPacket::OtherLong => {
            follow(sk, skb, meta);
            return None;
        }
        FirstPacket::Short | FirstPacket::Drop => {
            shared.counters.count_drop();
            return None;
        }
    };
    let key = key_of(sk, meta, &incoming);
    // The connection may have been accepted while this packet waited.
    let owner = shared.globals.tables.by_initial(&key);
    if let Some(conn) = owner.filter(|owner| !owner.is(sock)) {
        return Some((conn, skb));
    }
    let Role::Listener(listener) = &mut sk.role else {
        return None;
    };
    if !listener.requests.has(&key) {
        admit(sk, skb, meta, incoming, key);
    } else if listener.requests.add(&key, skb, raw.rcvbuf()) != Some(Ok(())) {
        shared.counters.count_drop();
    }
    None
}

fn key_of(sk: &Held<'_, Quic>, meta: &UdpMeta, incoming: &Incoming) -> InitialKey {
    InitialKey {
        net: sk.sk().raw().net().id(),
        local: meta.local,
        remote: meta.remote,
        cid: incoming.dcid,
    }
}

/// A 0-RTT packet belongs to a request, or is too early or too late.
fn follow(sk: &mut Held<'_, Quic>, skb: SkBuff, meta: &UdpMeta) {
    use crate::{
        common::id::ConnectionId,
        connid::LOCAL_LEN,
        packet::Packet, //
    };
    let sock = sk.sk();
    let counters = &sock.shared().counters;
    let net = sock.raw().net().id();
    let dcid = Packet::destination(skb.data(), LOCAL_LEN).and_then(ConnectionId::new);
    let (Some(cid), Role::Listener(listener)) = (dcid, &mut sk.role) else {
        return;
    };
    let key = InitialKey {
        net,
        local: meta.local,
        remote: meta.remote,
        cid,
    };
    let limit = sock.raw().rcvbuf();
    if listener.requests.add(&key, skb, limit) != Some(Ok(())) {
        counters.count_drop();
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
    let token_key = TokenKey::new(sk.options.token_key);
    let validation = incoming.validate(now(), &token_key, skb.data(), meta.remote);
    let limit = usize::try_from(sk.backlog).unwrap_or(usize::MAX);
    let wants_retry = sk.options.config.validate_peer_address != 0;
    let Role::Listener(listener) = &mut sk.role else {
        return;
    };
    match validation {
        Validation::Valid(_) => {}
        Validation::InvalidRetry => {
            let error = TransportError::invalid_token("token not valid");
            stateless::refuse(raw, meta, &incoming, &error);
            return;
        }
        Validation::NoToken | Validation::Unknown => {
            // Under load every client has to prove its address first.
            let loaded = listener.requests.len() > limit / 2;
            if wants_retry || loaded {
                stateless::retry(&shared.counters, raw, meta, &incoming, &token_key);
                return;
            }
        }
    }
    if listener.requests.len() >= limit {
        listener.requests.expire(sock, now());
    }
    if listener.requests.len() >= limit {
        let error = TransportError::connection_refused("too many requests");
        stateless::refuse(raw, meta, &incoming, &error);
        return;
    }
    let mut request = Request {
        incoming,
        key,
        meta: *meta,
        packets: Vec::new(),
        bytes: 0,
        began: now(),
    };
    if request.push(skb).is_err() || listener.requests.push(request).is_err() {
        shared.counters.count_drop();
        return;
    }
    // Whatever follows comes here too. Should this fail, the way of the first packet leads here.
    let _ = shared
        .globals
        .tables
        .initials
        .insert(key, sock.to_ref(), |_, _| true);
    poll::publish(sk);
    sk.sk().raw().wake_readers();
}
