// SPDX-License-Identifier: GPL-2.0

//! Packets with long headers that come to a listener: which request they belong to, or whether they
//! may begin one.
//!
//! Runs under the listener's lock, mostly in softirq context.

#![forbid(unsafe_code)]

use super::{
    charge,
    Request, //
};
use crate::{
    attached::now,
    common::{
        error::TransportError,
        id::ConnectionId, //
    },
    conn::{
        accept::{
            FirstPacket,
            Incoming,
            Validation, //
        },
        admission::{
            Admission,
            Room, //
        },
    },
    connid::LOCAL_LEN,
    dispatch::first_datagram,
    linux::net::{
        skb::{
            SkBuff,
            UdpMeta, //
        },
        sock::{
            Held,
            Sock,
            SockRef, //
        },
    },
    listen::Listener,
    lookup::{
        Initial,
        InitialKey, //
    },
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

/// Memory that a listener may keep although there is none, bytes: the first packets of a client or two.
const ALWAYS: usize = 16 << 10;

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

fn receive(
    sk: &mut Held<'_, Quic>,
    skb: SkBuff,
    meta: &UdpMeta,
) -> Option<(SockRef<Quic>, SkBuff)> {
    let sock = sk.sk();
    let (shared, raw) = (sock.shared(), sock.raw());
    let greases = sk.options.local.grease_quic_bit != 0;
    let incoming = match FirstPacket::parse(first_datagram(&skb)) {
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
    let Some(validation) = take_token(sk, &skb, meta, &mut incoming) else {
        return;
    };
    if validation == Validation::InvalidRetry {
        let error = TransportError::invalid_token("token not valid");
        stateless::refuse(raw, meta, &incoming, &error);
        return;
    }
    let is_proven = matches!(validation, Validation::Valid(_));
    // Derived only where it is needed: most clients bring no token and need no Retry.
    let retry_key = || shared.globals.retry_key(key.net);
    if sk.options.config.validate_peer_address != 0 && !is_proven {
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
    let request = Request::new(incoming, key, *meta, now());
    if queue(sock, listener, request, skb).is_err() {
        shared.counters.count_drop();
        return;
    }
    poll::publish(sk);
    sk.sk().raw().wake_readers();
}

/// Checks the token that the client brings, if it brings one, and uses it up.
fn take_token(
    sk: &Held<'_, Quic>,
    skb: &SkBuff,
    meta: &UdpMeta,
    incoming: &mut Incoming,
) -> Option<Validation> {
    let sock = sk.sk();
    let key = match incoming.token_kind(skb.data()) {
        Some(TokenKind::Retry) => sock.shared().globals.retry_key(sock.raw().net().id()),
        _ => TokenKey::new(sk.options.token_key),
    };
    let found = incoming.validate(now(), &key, skb.data(), meta.remote);
    let Role::Listener(listener) = &sk.role else {
        return None;
    };
    Some(incoming.take_token(found, &mut listener.used.lock(), now()))
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
