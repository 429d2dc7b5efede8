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
    static_lock_class,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

use crate::{
    attached::now,
    buf::Datagram,
    common::{
        deque::Deque,
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
    linux::{
        net::{
            hash::Table,
            skb::{
                SkBuff,
                UdpMeta, //
            },
            sock::SockRef,
            udp_tunnel::Tunnel, //
        },
        sync::SpinLockBh, //
    },
    lookup::{
        InitialKey,
        PortKey,
        Tables, //
    },
    mem::{
        Box,
        Vec, //
    },
    packet::Packet,
    socket::Quic, //
};

/// Memory of all incomplete ClientHellos together, bytes, for the whole host. Nobody can be charged
/// for them: whose they are is what they are kept for.
const MAX_TOTAL: usize = 4 << 20;
/// Entries of [`Hellos::order`], for the whole host.
const MAX_PENDING: usize = 4096;
/// Packets that one of them may have.
const MAX_PACKETS: usize = 8;
/// Memory that one of them may have, bytes: as much as a request.
const MAX_BYTES: usize = 64 << 10;
/// How long an incomplete one waits for its next packet.
const LIFETIME: Duration = Duration::from_secs(5);

/// A ClientHello of which packets are missing.
struct Pending {
    collector: Box<HelloCollector>,
    packets: Vec<SkBuff>,
    /// Memory of all this, bytes.
    bytes: usize,
    /// The entry of [`Hellos::order`] that stands for it.
    ticket: u64,
}

/// One that was kept. It may be gone by now, or have got another ticket with a further packet.
struct Kept {
    key: InitialKey,
    ticket: u64,
    at: Instant,
}

/// The incomplete ClientHellos.
#[pin_data]
pub(crate) struct Hellos {
    #[pin]
    table: Table<InitialKey, Pending>,
    /// In the order in which they were kept, oldest first. Never locked together with the table.
    #[pin]
    order: SpinLockBh<Deque<Kept>>,
    /// Memory of what is in the table.
    bytes: Atomic<usize>,
    tickets: Atomic<u64>,
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
            order <- SpinLockBh::new(Deque::new(), c"quic_hellos", static_lock_class!()),
            bytes: Atomic::new(0),
            tickets: Atomic::new(0),
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
        self.make_room(now());
        let key = key_of(tunnel, first_datagram(&skb), meta);
        let any = || match tables.listener(tunnel, &key, None) {
            Some(sk) => Chosen::Listener(sk),
            None => Chosen::Nobody,
        };
        let incoming = match FirstPacket::parse(first_datagram(&skb)) {
            FirstPacket::Incoming(incoming) if tables.needs_hello(tunnel, &meta.local) => incoming,
            _ => return any().deliver(Vec::new(), skb),
        };
        let mut pending = match self.take(&key, |_| true) {
            Some(pending) => pending,
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
        // What was read of the packet is there twice.
        let more = skb.truesize().saturating_add(skb.len());
        let bytes = pending.bytes.saturating_add(more);
        let full = pending.packets.len() >= MAX_PACKETS || bytes > MAX_BYTES;
        if full || pending.packets.try_push(skb).is_err() {
            return Verdict::Drop;
        }
        let ticket = self.tickets.fetch_add(1, Relaxed);
        pending.bytes = bytes;
        pending.ticket = ticket;
        self.bytes.fetch_add(bytes, Relaxed);
        if self.table.insert(key, pending, |_, _| true).is_err() {
            // Another packet of the same client was faster, or there is no memory.
            self.bytes.fetch_sub(bytes, Relaxed);
            return Verdict::Drop;
        }
        let at = now();
        if self
            .order
            .lock()
            .push_back(Kept { key, ticket, at })
            .is_err()
        {
            drop(self.take(&key, |p| p.ticket == ticket));
            return Verdict::Drop;
        }
        self.make_room(at);
        Verdict::Kept
    }

    /// Takes one out of the table, and its memory off the account.
    fn take(&self, key: &InitialKey, matches: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let pending = self.table.remove_if(key, matches)?;
        self.bytes.fetch_sub(pending.bytes, Relaxed);
        Some(pending)
    }

    /// Gives up those that waited too long, and the oldest while there are too many. A flood of
    /// halves must not keep everybody else out: whoever came last has the best chance.
    fn make_room(&self, now: Instant) {
        while let Some(oldest) = self.next_to_go(now) {
            drop(self.take(&oldest.key, |p| p.ticket == oldest.ticket));
        }
    }

    fn next_to_go(&self, now: Instant) -> Option<Kept> {
        let mut order = self.order.lock();
        let too_many = order.len() > MAX_PENDING || self.bytes.load(Relaxed) > MAX_TOTAL;
        let front = order.front()?;
        if !too_many && now.since(front.at) <= LIFETIME {
            return None;
        }
        order.pop_front()
    }

    /// Gives up what nobody can be asked about any more: the last listener of a port has ended.
    pub(crate) fn forget(&self, port: &PortKey) {
        let mut left = self.order.lock().len();
        while left > 0 {
            left = left.saturating_sub(1);
            let Some(kept) = self.order.lock().pop_front() else {
                return;
            };
            if kept.key.net == port.net && kept.key.local.port() == port.port {
                drop(self.take(&kept.key, |p| p.ticket == kept.ticket));
                continue;
            }
            let (key, ticket) = (kept.key, kept.ticket);
            if self.order.lock().push_back(kept).is_err() {
                drop(self.take(&key, |p| p.ticket == ticket));
            }
        }
    }
}

impl Pending {
    fn new(incoming: &Incoming) -> Option<Self> {
        let collector = HelloCollector::new(incoming)?;
        Some(Self {
            collector: Box::try_new(collector).ok()?,
            packets: Vec::new(),
            bytes: size_of::<HelloCollector>(),
            ticket: 0,
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
