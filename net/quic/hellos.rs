// SPDX-License-Identifier: GPL-2.0

//! ClientHellos of which packets are missing, kept until the rest comes.
//!
//! Nobody can be charged for them: whose they are is what they are kept for. They are bounded for
//! the whole host, in number and memory, and in time, whether anything else comes or not. When half
//! of either is taken, a client has to prove its address before anything of it is kept. Any context
//! but hard interrupt.

#![forbid(unsafe_code)]

use kernel::{
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

use crate::{
    attached::now,
    buf::Datagram,
    common::{
        map::OrdMap,
        time::{
            Duration,
            Instant, //
        },
    },
    conn::accept::{
        HelloCollector,
        Incoming, //
    },
    counters::Counters,
    linux::{
        net::{
            hash::{
                Size,
                Table, //
            },
            skb::SkBuff,
            work::Later, //
        },
        sync::SpinLockBh, //
    },
    lookup::InitialKey,
    mem::{
        Box,
        Vec, //
    }, //
};

/// Memory of all together, bytes, for the whole host.
const MAX_TOTAL: usize = 4 << 20;
/// How many there may be, for the whole host.
const MAX_PENDING: usize = 4096;
/// Packets that one of them may have.
const MAX_PACKETS: usize = 8;
/// Memory that one of them may have, bytes: as much as a request.
const MAX_BYTES: usize = 64 << 10;
/// How long one waits for its next packet.
const LIFETIME: Duration = Duration::from_secs(5);
/// A packet that comes so long after the first one is not of the same flight: the client has waited
/// for an answer, and asks. Less than any client's first probe time-out, which RFC 9002 6.2.2 has at
/// a second, more than the packets of a flight are apart.
const FLIGHT: Duration = Duration::from_millis(200);
/// Those whose time is over within this go together, milliseconds.
const SLACK: u32 = 250;
/// When to look after those that are kept, milliseconds.
// CAST: some seconds.
pub(crate) const PATIENCE: u32 = LIFETIME.as_millis() as u32 + SLACK;

/// A ClientHello of which packets are missing.
pub(crate) struct Pending {
    pub(crate) collector: Box<HelloCollector>,
    pub(crate) packets: Vec<SkBuff>,
    /// The client's address is proven.
    pub(crate) is_proven: bool,
    /// When its first packet came.
    began: Instant,
    /// Those of the network namespace.
    counters: Arc<Counters>,
    /// Memory of all this, bytes.
    bytes: usize,
    /// Its entry in [`Hellos::order`].
    ticket: u64,
}

impl Pending {
    /// One without packets; `None` without memory.
    pub(crate) fn new(incoming: &Incoming, counters: &Arc<Counters>) -> Option<Self> {
        let collector = HelloCollector::new(incoming)?;
        Some(Self {
            collector: Box::try_new(collector).ok()?,
            packets: Vec::new(),
            is_proven: false,
            began: now(),
            counters: counters.clone(),
            bytes: size_of::<HelloCollector>(),
            ticket: 0,
        })
    }

    /// Reads a copy of the packet: opening it would spoil it for the connection.
    pub(crate) fn read(&mut self, skb: &SkBuff) {
        let size = skb.gso_size().unwrap_or(skb.len()).max(1);
        for bytes in skb.data().chunks(size) {
            if let Ok(mut copy) = Datagram::try_from_slice(bytes) {
                self.collector.push(&mut copy);
            }
        }
    }

    /// Whether the client, whose packets can be read, asks why nothing of them is acknowledged: some
    /// were kept before the one that came now.
    pub(crate) fn is_overdue(&self) -> bool {
        !self.packets.is_empty() && self.collector.has_opened() && now().since(self.began) > FLIGHT
    }

    fn push(&mut self, skb: SkBuff) -> Result<(), ()> {
        let skb = skb.into_compact();
        // What was read of the packet is there twice.
        let more = skb.truesize().saturating_add(skb.len());
        let bytes = self.bytes.saturating_add(more);
        if self.packets.len() >= MAX_PACKETS || bytes > MAX_BYTES {
            return Err(());
        }
        self.packets.try_push(skb).map_err(|_| ())?;
        self.bytes = bytes;
        Ok(())
    }

    /// Takes the last packet off again, which stays read.
    fn pop(&mut self) -> Option<SkBuff> {
        let skb = self.packets.pop()?;
        let less = skb.truesize().saturating_add(skb.len());
        self.bytes = self.bytes.saturating_sub(less);
        Some(skb)
    }

    /// Adds the packets of another one of the same client, and reads them.
    fn absorb(&mut self, other: Self) -> Result<(), ()> {
        self.is_proven |= other.is_proven;
        for skb in other.packets {
            self.read(&skb);
            self.push(skb)?;
        }
        Ok(())
    }
}

/// One that was kept.
struct Kept {
    key: InitialKey,
    at: Instant,
}

/// The incomplete ClientHellos.
#[pin_data]
pub(crate) struct Hellos {
    table: Table<InitialKey, Pending>,
    /// By their tickets, oldest first. What is taken out of the table goes here too; an entry for
    /// nothing stays, until its time is over, only where one was taken in the moment it was kept.
    /// Never locked together with the table.
    #[pin]
    order: SpinLockBh<OrdMap<u64, Kept>>,
    /// Memory of what is in the table.
    bytes: Atomic<usize>,
    tickets: Atomic<u64>,
}

impl Hellos {
    /// None.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            table: Table::new(Size::Small)?,
            order <- SpinLockBh::new(OrdMap::new(), c"quic_hellos", static_lock_class!()),
            bytes: Atomic::new(0),
            tickets: Atomic::new(0),
        })
    }

    /// Whether no more than what clients with a proven address sent may be kept.
    pub(crate) fn is_loaded(&self) -> bool {
        self.bytes.load(Relaxed) > MAX_TOTAL / 2 || self.order.lock().len() > MAX_PENDING / 2
    }

    /// Keeps one with a further packet, until [`Self::take`] or its time is over. Without room for the
    /// packet nothing is left of it. The caller sees to [`Later::run`].
    ///
    /// Where another CPU has kept a packet of the same client since this one was taken, both are
    /// handed back as one, with the packet: they may be all of the ClientHello.
    pub(crate) fn keep(
        &self,
        key: InitialKey,
        mut pending: Pending,
        skb: SkBuff,
    ) -> Result<(), Option<(Pending, SkBuff)>> {
        if pending.push(skb).is_err() {
            pending.counters.count_hello_drop(pending.packets.len());
            return Err(None);
        }
        let (ticket, bytes) = (self.tickets.fetch_add(1, Relaxed), pending.bytes);
        let counters = pending.counters.clone();
        pending.ticket = ticket;
        self.bytes.fetch_add(bytes, Relaxed);
        counters.count_hello_bytes(bytes, 0);
        let offered = self.table.offer(key, pending, |_, _| true);
        if !matches!(offered, Ok(None)) {
            self.bytes.fetch_sub(bytes, Relaxed);
            counters.count_hello_bytes(0, bytes);
            return Err(offered
                .ok()
                .flatten()
                .and_then(|mine| self.join(&key, mine)));
        }
        let at = now();
        if self.order.lock().insert(ticket, Kept { key, at }).is_err() {
            self.give_up(&key, ticket);
            return Err(None);
        }
        self.make_room(at);
        Ok(())
    }

    /// What was kept of a client meanwhile together with `mine`, whose last packet is apart.
    fn join(&self, key: &InitialKey, mut mine: Pending) -> Option<(Pending, SkBuff)> {
        let skb = mine.pop()?;
        let Some(mut kept) = self.take(key) else {
            return Some((mine, skb));
        };
        let counters = kept.counters.clone();
        let packets = kept.packets.len().saturating_add(mine.packets.len());
        if kept.absorb(mine).is_err() {
            counters.count_hello_drop(packets);
            return None;
        }
        kept.read(&skb);
        Some((kept, skb))
    }

    /// Takes what was kept of a client out of the table, and its memory off the account.
    pub(crate) fn take(&self, key: &InitialKey) -> Option<Pending> {
        self.take_if(key, |_| true)
    }

    fn take_if(&self, key: &InitialKey, matches: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let pending = self.table.remove_if(key, matches)?;
        self.order.lock().remove(&pending.ticket);
        self.bytes.fetch_sub(pending.bytes, Relaxed);
        pending.counters.count_hello_bytes(0, pending.bytes);
        Some(pending)
    }

    fn give_up(&self, key: &InitialKey, ticket: u64) {
        if let Some(pending) = self.take_if(key, |p| p.ticket == ticket) {
            pending.counters.count_hello_drop(pending.packets.len());
        }
    }

    /// Gives up those that waited too long, and the oldest while there are too many. A flood of
    /// halves must not keep everybody else out: whoever came last has the best chance.
    fn make_room(&self, now: Instant) {
        while let Some((ticket, oldest)) = self.next_to_go(now) {
            self.give_up(&oldest.key, ticket);
        }
    }

    fn next_to_go(&self, now: Instant) -> Option<(u64, Kept)> {
        let mut order = self.order.lock();
        let too_many = order.len() > MAX_PENDING || self.bytes.load(Relaxed) > MAX_TOTAL;
        let (_, oldest) = order.first()?;
        if !too_many && now.since(oldest.at) <= LIFETIME {
            return None;
        }
        order.pop_first()
    }

    /// Gives up those that nobody can be asked about any more: the last listener of a port has
    /// ended, or a network namespace.
    pub(crate) fn forget(&self, is_gone: impl Fn(&InitialKey) -> bool) {
        let (mut from, end) = (0, self.tickets.load(Relaxed));
        loop {
            let next = self
                .order
                .lock()
                .ceiling(&from)
                .map(|(ticket, kept)| (ticket, kept.key));
            let Some((ticket, key)) = next.filter(|(ticket, _)| *ticket < end) else {
                return;
            };
            if is_gone(&key) {
                self.order.lock().remove(&ticket);
                self.give_up(&key, ticket);
            }
            from = ticket.saturating_add(1);
        }
    }
}

impl Later for Hellos {
    /// Gives up those whose time is over.
    fn run(&self) -> Option<u32> {
        self.make_room(now());
        let oldest = self.order.lock().first().map(|(_, kept)| kept.at)?;
        let left = LIFETIME.saturating_sub(now().since(oldest)).as_millis();
        Some(u32::try_from(left).unwrap_or(0).saturating_add(SLACK))
    }
}
