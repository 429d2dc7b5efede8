// SPDX-License-Identifier: GPL-2.0

//! Which listener gets a new client, where several share an address and port.
//!
//! Where they differ by protocols or server names, the first Initial packets are opened (their
//! keys are no secret) until the ClientHello is there, which may take several packets. The
//! listener that fits best (`listening.rs`) gets the request, and all further packets of it
//! through the lookup table. Softirq context.

#![forbid(unsafe_code)]

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

use crate::{
    attached::now,
    buf::Datagram,
    common::{
        id::ConnectionId,
        time::{
            Duration,
            Instant, //
        },
    },
    conn::accept::{
        FirstPacket,
        Hello,
        HelloCollector,
        Incoming, //
    },
    connid::LOCAL_LEN,
    demux::Demux,
    linux::net::{
        hash::Table,
        skb::{
            SkBuff,
            UdpMeta, //
        },
        sock::SockRef,
        udp_tunnel::Tunnel, //
    },
    lookup::{
        InitialKey,
        Tables, //
    },
    mem::{
        Box,
        Vec, //
    },
    packet::Packet,
    socket::Quic, //
};

/// ClientHellos that may be incomplete at a time, for the whole host.
const MAX_PENDING: u32 = 4096;
/// Packets that one of them may have.
const MAX_PACKETS: usize = 8;
/// How long an incomplete one is kept once another wants its place.
const LIFETIME: Duration = Duration::from_secs(5);

/// A ClientHello of which packets are missing.
struct Pending {
    collector: Box<HelloCollector>,
    packets: Vec<SkBuff>,
    began: Instant,
}

/// The incomplete ClientHellos.
#[pin_data]
pub(crate) struct Hellos {
    #[pin]
    table: Table<InitialKey, Pending>,
    count: Atomic<u32>,
}

/// What is to become of a packet.
pub(crate) enum Verdict {
    /// These packets go to this listener.
    Deliver(SockRef<Quic>, Vec<SkBuff>, SkBuff),
    /// It was kept.
    Kept,
    /// Nobody listens for what the client wants; the TLS alert says what that is.
    Refuse(Incoming, u8),
    /// It is dropped.
    Drop,
}

/// TLS alerts (RFC 7301 3.2, RFC 6066 3).
const NO_APPLICATION_PROTOCOL: u8 = 120;
const UNRECOGNIZED_NAME: u8 = 112;

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
            Self::Refused(incoming, alert) => Verdict::Refuse(incoming, alert),
        }
    }
}

impl Hellos {
    /// None.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            table <- Table::new(),
            count: Atomic::new(0),
        })
    }

    /// Finds the listener for a packet that no connection or request claims.
    pub(crate) fn judge(
        &self,
        tables: &Tables,
        tunnel: &Tunnel<Demux>,
        skb: SkBuff,
        meta: &UdpMeta,
    ) -> Verdict {
        let key = key_of(tunnel, first_datagram(&skb), meta);
        let any = || match tables.listener(tunnel, &key, None) {
            Some(sk) => Chosen::Listener(sk),
            None => Chosen::Nobody,
        };
        let incoming = match FirstPacket::parse(first_datagram(&skb)) {
            FirstPacket::Incoming(incoming) if tables.needs_hello(tunnel, &meta.local) => incoming,
            _ => return any().deliver(Vec::new(), skb),
        };
        let mut pending = match self.table.remove_if(&key, |_| true) {
            Some(pending) => {
                self.count.fetch_sub(1, Relaxed);
                pending
            }
            None => match Pending::new(&incoming) {
                Some(pending) => pending,
                None => return Verdict::Drop,
            },
        };
        pending.read(&skb);
        let chosen = match pending.collector.hello() {
            Hello::Complete(hello) => match tables.listener(tunnel, &key, Some(&hello)) {
                Some(sk) => Chosen::Listener(sk),
                None if tables.has_protocol(tunnel, &meta.local, &hello) => {
                    Chosen::Refused(incoming, UNRECOGNIZED_NAME)
                }
                None => Chosen::Refused(incoming, NO_APPLICATION_PROTOCOL),
            },
            Hello::Malformed => any(),
            Hello::Incomplete => return self.keep(key, pending, skb),
        };
        chosen.deliver(pending.packets, skb)
    }

    fn keep(&self, key: InitialKey, mut pending: Pending, skb: SkBuff) -> Verdict {
        let now = now();
        // Whoever is in the way and old goes.
        while let Some(_old) = self
            .table
            .remove_old(&key, |p| now.since(p.began) > LIFETIME)
        {
            self.count.fetch_sub(1, Relaxed);
        }
        // A flood of halves must not keep everybody else out: one makes room for the next.
        if self.count.load(Relaxed) >= MAX_PENDING
            && self.table.remove_old(&key, |_| true).is_some()
        {
            self.count.fetch_sub(1, Relaxed);
        }
        let full = self.count.load(Relaxed) >= MAX_PENDING || pending.packets.len() >= MAX_PACKETS;
        if full || pending.packets.try_push(skb).is_err() {
            return Verdict::Drop;
        }
        if self.table.insert(key, pending, |_, _| true).is_err() {
            return Verdict::Drop;
        }
        self.count.add(1, Relaxed);
        Verdict::Kept
    }
}

impl Pending {
    fn new(incoming: &Incoming) -> Option<Self> {
        let collector = HelloCollector::new(incoming)?;
        Some(Self {
            collector: Box::try_new(collector).ok()?,
            packets: Vec::new(),
            began: now(),
        })
    }

    /// Reads a copy of the packet: opening it would spoil it for the connection.
    fn read(&mut self, skb: &SkBuff) {
        let size = skb.gso_size().unwrap_or(skb.len()).max(1);
        for bytes in skb.data().chunks(size) {
            if let Ok(mut copy) = Datagram::try_from_slice(bytes) {
                self.collector.push(&mut copy);
            }
        }
    }
}

/// The first datagram of a batch.
fn first_datagram(skb: &SkBuff) -> &[u8] {
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
