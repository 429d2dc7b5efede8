// SPDX-License-Identifier: GPL-2.0

//! Which listener gets a new client, where several share an address and port: by ALPN.
//!
//! The first Initial packets are opened (their keys are no secret) until the ClientHello is there,
//! which may take several packets. The listener of the first name in the client's list that any
//! listener has gets the request, and all further packets of it through the lookup table.
//! Softirq context.

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
    common::time::{
        Duration,
        Instant, //
    },
    conn::accept::{
        FirstPacket,
        Hello,
        HelloCollector,
        Incoming, //
    },
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
        Listening,
        Tables, //
    },
    mem::{
        Box,
        Vec, //
    },
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
    /// Nobody listens for what the client wants.
    Refuse(Incoming),
    /// It is dropped.
    Drop,
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
        let any = |tables: &Tables| tables.listener(tunnel, &meta.local, |_| true);
        let incoming = match FirstPacket::parse(first_datagram(&skb)) {
            FirstPacket::Incoming(incoming) if tables.needs_alpn(tunnel, &meta.local) => incoming,
            _ => {
                return match any(tables) {
                    Some(sk) => Verdict::Deliver(sk, Vec::new(), skb),
                    None => Verdict::Drop,
                }
            }
        };
        let key = InitialKey {
            net: tunnel.net(),
            local: meta.local,
            remote: meta.remote,
            cid: incoming.dcid,
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
        let sk = match pending.collector.hello() {
            Hello::Complete(hello) => {
                let mut names = hello.alpns().peekable();
                if names.peek().is_none() {
                    tables.listener(tunnel, &meta.local, |l| l.alpn.is_empty())
                } else {
                    names.find_map(|name| {
                        tables.listener(tunnel, &meta.local, |l| has_name(l, name))
                    })
                }
            }
            Hello::Malformed => any(tables),
            Hello::Incomplete => return self.keep(key, pending, skb),
        };
        match sk {
            Some(sk) => Verdict::Deliver(sk, pending.packets, skb),
            None => Verdict::Refuse(incoming),
        }
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
        let full = self.count.load(Relaxed) >= MAX_PENDING || pending.packets.len() >= MAX_PACKETS;
        if full || pending.packets.try_push(skb).is_err() {
            return Verdict::Drop;
        }
        if self.table.insert(key, pending, |_| true).is_err() {
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

fn has_name(listening: &Listening, name: &[u8]) -> bool {
    listening.alpn.split(|b| *b == b',').any(|n| n == name)
}
