// SPDX-License-Identifier: GPL-2.0

//! Which listener gets a new client, where several share an address and port.
//!
//! Where they differ by protocols or server names, the first Initial packets are opened (their
//! keys are no secret) until the ClientHello is there, which may take several packets. The
//! listener that fits best (`listening.rs`) gets the request, and all further packets of it
//! through the lookup table. Where no ClientHello could change the choice, a client that waits for
//! an answer to a part of one gets its listener without the rest, and the TLS library at that
//! listener judges what it asks for. Softirq context.

#![forbid(unsafe_code)]

use crate::{
    attached::now,
    common::{
        error::TransportError,
        id::ConnectionId, //
    },
    conn::accept::{
        FirstPacket,
        Hello,
        Incoming,
        Validation, //
    },
    connid::LOCAL_LEN,
    demux::Demux,
    hellos::{
        Pending,
        PATIENCE, //
    },
    linux::net::{
        skb::{
            SkBuff,
            UdpMeta, //
        },
        sock::SockRef,
        udp_tunnel::Tunnel, //
    },
    lookup::InitialKey,
    mem::Vec,
    packet::Packet,
    socket::Quic, //
};

/// What is to become of a packet.
pub(crate) enum Verdict {
    /// These packets go to this listener.
    Deliver(SockRef<Quic>, Vec<SkBuff>, SkBuff),
    /// It was kept.
    Kept,
    /// The client has to prove its address.
    Retry(Incoming),
    /// Nobody listens for what the client wants, or its token is wrong.
    Refuse(Incoming, TransportError),
    /// It is dropped.
    Drop,
}

/// TLS alerts (RFC 7301 3.2, RFC 6066 3).
const NO_APPLICATION_PROTOCOL: u8 = 120;
const UNRECOGNIZED_NAME: u8 = 112;
/// As the listener would say it.
const INVALID_TOKEN: TransportError = TransportError::invalid_token("token not valid");

/// Whose a client is.
enum Chosen {
    Listener(SockRef<Quic>),
    Nobody,
    Refused(Incoming, u8),
}

impl Chosen {
    /// The verdict on a packet and those that were kept before it.
    fn deliver(self, earlier: Vec<SkBuff>, skb: SkBuff) -> Verdict {
        match self {
            Self::Listener(sk) => Verdict::Deliver(sk, earlier, skb),
            Self::Nobody => Verdict::Drop,
            Self::Refused(incoming, alert) => {
                let error = TransportError::crypto(alert, "nobody listens for this");
                Verdict::Refuse(incoming, error)
            }
        }
    }
}

/// Finds the listener for a packet that no connection or request claims.
pub(crate) fn judge(
    demux: &Demux,
    tunnel: &Tunnel<Demux>,
    mut skb: SkBuff,
    meta: &UdpMeta,
) -> Verdict {
    let tables = &demux.globals.tables;
    let key = key_of(tunnel, first_datagram(&skb), meta);
    let any = || match tables.listener(tunnel, meta, &key, None) {
        Some(sk) => Chosen::Listener(sk),
        None => Chosen::Nobody,
    };
    let mut incoming = match FirstPacket::parse(first_datagram(&skb)) {
        FirstPacket::Incoming(incoming) if tables.needs_hello(tunnel, meta) => incoming,
        _ => return any().deliver(Vec::new(), skb),
    };
    let known = tables.hellos.take(&key);
    let Some(mut pending) = known.or_else(|| Pending::new(&incoming, &demux.counters)) else {
        return Verdict::Drop;
    };
    pending.read(&skb);
    loop {
        let chosen = match pending.collector.hello() {
            Hello::Complete(hello) => match tables.listener(tunnel, meta, &key, Some(&hello)) {
                Some(sk) => Chosen::Listener(sk),
                None if tables.has_protocol(tunnel, meta, &hello) => {
                    Chosen::Refused(incoming, UNRECOGNIZED_NAME)
                }
                None => Chosen::Refused(incoming, NO_APPLICATION_PROTOCOL),
            },
            Hello::Malformed => any(),
            // There are clients (OpenSSL) that do not send again what was lost until something else
            // is acknowledged, which only a connection does.
            Hello::Incomplete if pending.is_overdue() && tables.want_the_same(tunnel, meta) => {
                any()
            }
            Hello::Incomplete => match keep(demux, key, incoming, pending, skb) {
                Ok(verdict) => return verdict,
                Err(joined) => {
                    (incoming, pending, skb) = joined;
                    continue;
                }
            },
        };
        return chosen.deliver(pending.packets, skb);
    }
}

/// Keeps an incomplete ClientHello. Under load the client has to prove its address first, and starts
/// again when it does. Hands it back with more packets if another CPU had some.
fn keep(
    demux: &Demux,
    key: InitialKey,
    mut incoming: Incoming,
    mut pending: Pending,
    skb: SkBuff,
) -> Result<Verdict, (Incoming, Pending, SkBuff)> {
    let hellos = &demux.globals.tables.hellos;
    if !pending.is_proven && hellos.is_loaded() {
        let token_key = demux.globals.retry_key(key.net);
        // A token of another kind is a listener's, and which one is not known yet.
        match incoming.validate(now(), &token_key, skb.data(), key.remote) {
            Validation::Valid(_) => pending.is_proven = true,
            Validation::InvalidRetry => return Ok(Verdict::Refuse(incoming, INVALID_TOKEN)),
            Validation::NoToken | Validation::Unknown => return Ok(Verdict::Retry(incoming)),
        }
    }
    match hellos.keep(key, pending, skb) {
        Ok(()) => {
            // After it was kept, so that it is not overlooked.
            hellos.run_within(PATIENCE);
            Ok(Verdict::Kept)
        }
        Err(Some((pending, skb))) => Err((incoming, pending, skb)),
        Err(None) => Ok(Verdict::Drop),
    }
}

/// The first datagram of a batch.
pub(crate) fn first_datagram(skb: &SkBuff) -> &[u8] {
    match skb.gso_size() {
        Some(size) => skb.data().get(..size).unwrap_or_default(),
        None => skb.data(),
    }
}

/// The client that sent a long-header packet, by the id that it chose. Packets of other versions
/// may have longer ids; it does not matter which listener answers them.
fn key_of(tunnel: &Tunnel<Demux>, bytes: &[u8], meta: &UdpMeta) -> InitialKey {
    let cid = Packet::destination(bytes, LOCAL_LEN).and_then(ConnectionId::new);
    InitialKey {
        net: tunnel.net(),
        local: meta.local,
        remote: meta.remote,
        cid: cid.unwrap_or(ConnectionId::EMPTY),
    }
}
