// SPDX-License-Identifier: GPL-2.0

//! The network: two directions with their own faults, a shared bottleneck, and a NAT.

use std::collections::{
    BTreeMap,
    HashMap, //
};
use std::net::SocketAddr;

use quic_core::common::time::{
    Duration,
    Instant, //
};

use crate::rng::SeedRng;

/// A UDP datagram in flight.
#[derive(Debug, Clone)]
pub struct Packet {
    /// Where it comes from, as the receiver sees it.
    pub src: SocketAddr,
    /// Where it goes.
    pub dst: SocketAddr,
    /// The two ECN bits.
    pub ecn: u8,
    /// UDP payload.
    pub bytes: Vec<u8>,
}

/// Loss in bursts. A burst lasts for a time and not for a number of packets: a sender that backs
/// off would never see the end of it otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Burst {
    /// Chance per packet that a burst begins with it, in millionths.
    pub enter: u32,
    /// The longest burst.
    pub span: Duration,
    /// Chance of loss in a burst, in millionths.
    pub loss: u32,
}

/// Whole batches that are held up while later ones pass them, as by a processor that has taken a
/// batch into its queue and is then busy with something else.
#[derive(Debug, Clone, Copy)]
pub struct Stall {
    /// Chance per batch, which are the packets that depart at one moment, in millionths.
    pub chance: u32,
    /// How long a batch is held up at most.
    pub span: Duration,
}

/// What one direction does to packets. Chances are in millionths.
#[derive(Debug, Clone)]
pub struct Link {
    /// Time every packet takes.
    pub delay: Duration,
    /// Up to this much more, at random; packets keep their order unless `reorder` hits.
    pub jitter: Duration,
    /// Independent loss.
    pub loss: u32,
    /// Loss in bursts.
    pub burst: Option<Burst>,
    /// Packets that arrive late by up to one delay, after ones sent later.
    pub reorder: u32,
    /// Batches that arrive late, after ones sent later.
    pub stall: Option<Stall>,
    /// Packets that arrive twice.
    pub duplicate: u32,
    /// Packets with one bit changed.
    pub corrupt: u32,
    /// ECN-capable packets marked Congestion Experienced.
    pub mark: u32,
    /// Clears the ECN bits, as some routers do.
    pub bleach: bool,
    /// Largest UDP payload; larger packets vanish.
    pub mtu: usize,
    /// Bytes per second of the bottleneck; none for an infinitely fast one.
    pub rate: Option<u64>,
    /// Bytes that may wait for the bottleneck; packets beyond are dropped.
    pub queue: u64,
    /// Marks ECN-capable packets instead of dropping when this many bytes wait.
    pub mark_above: Option<u64>,
    /// Drops everything.
    pub blackhole: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::from_millis(0),
            loss: 0,
            burst: None,
            reorder: 0,
            stall: None,
            duplicate: 0,
            corrupt: 0,
            mark: 0,
            bleach: false,
            mtu: 65527,
            rate: None,
            queue: 100_000,
            mark_above: None,
            blackhole: false,
        }
    }
}

impl Link {
    /// A link with this one-way delay and loss.
    pub fn lossy(delay_ms: u64, loss: u32) -> Self {
        Self {
            delay: Duration::from_millis(delay_ms),
            loss,
            ..Self::default()
        }
    }

    /// A bottleneck with a queue of one bandwidth-delay product of the round trip.
    pub fn bottleneck(delay_ms: u64, bytes_per_second: u64) -> Self {
        Self {
            delay: Duration::from_millis(delay_ms),
            rate: Some(bytes_per_second),
            queue: (bytes_per_second * 2 * delay_ms / 1000).max(30_000),
            ..Self::default()
        }
    }
}

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Towards servers.
    Up,
    /// Towards clients.
    Down,
}

/// Counts of what the network did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets handed to the network.
    pub sent: u64,
    /// Packets that vanished for any reason.
    pub lost: u64,
    /// Packets larger than the MTU among them.
    pub too_big: u64,
    /// Packets that found the bottleneck's queue full among them.
    pub overflowed: u64,
    /// Packets changed on the way.
    pub corrupted: u64,
    /// Packets delivered twice.
    pub duplicated: u64,
    /// Packets marked Congestion Experienced.
    pub marked: u64,
    /// Payload bytes that were handed in.
    pub bytes: u64,
}

#[derive(Debug)]
struct Direction {
    link: Link,
    /// End of the burst of loss.
    bad: Instant,
    /// When the bottleneck will have sent what waits.
    busy: Instant,
    /// Arrival of the latest packet in order.
    latest: Instant,
    counts: Counts,
    /// The batch that departs now: when, and how long it is held up.
    batch: (Instant, Duration),
    /// The last packet that was larger than the MTU.
    misfit: Option<Packet>,
}

/// The network.
#[derive(Debug)]
pub struct Net {
    up: Direction,
    down: Direction,
    servers: Vec<SocketAddr>,
    /// Inner client address to outer, for clients behind the NAT.
    nat: HashMap<SocketAddr, SocketAddr>,
    rng: SeedRng,
    order: u64,
    flying: BTreeMap<(Instant, u64), Packet>,
    /// What was sent, both ways, for an observer who wants it.
    pub tap: Option<Vec<Packet>>,
}

impl Net {
    /// A network with the same link both ways.
    pub fn new(seed: u64, up: Link, down: Link) -> Self {
        let direction = |link| Direction {
            link,
            bad: Instant::default(),
            busy: Instant::default(),
            latest: Instant::default(),
            counts: Counts::default(),
            batch: Default::default(),
            misfit: None,
        };
        Self {
            up: direction(up),
            down: direction(down),
            servers: Vec::new(),
            nat: HashMap::new(),
            rng: SeedRng::new(seed, 1),
            order: 0,
            flying: BTreeMap::new(),
            tap: None,
        }
    }

    /// Packets to this address go up, all others down.
    pub fn add_server(&mut self, addr: SocketAddr) {
        self.servers.push(addr);
    }

    /// Gives the client at `inner` another outer address from now on.
    pub fn rebind(&mut self, inner: SocketAddr, outer: SocketAddr) {
        self.nat.insert(inner, outer);
    }

    /// The link of one way, to be changed.
    pub fn link(&mut self, way: Way) -> &mut Link {
        match way {
            Way::Up => &mut self.up.link,
            Way::Down => &mut self.down.link,
        }
    }

    /// What happened on one way so far.
    pub fn counts(&self, way: Way) -> Counts {
        match way {
            Way::Up => self.up.counts,
            Way::Down => self.down.counts,
        }
    }

    /// The last packet that was larger than the MTU of one way: what a router would quote.
    pub fn take_misfit(&mut self, way: Way) -> Option<Packet> {
        match way {
            Way::Up => self.up.misfit.take(),
            Way::Down => self.down.misfit.take(),
        }
    }

    /// Takes a packet that leaves its node at `departure`.
    pub fn send(&mut self, departure: Instant, mut packet: Packet) {
        if let Some(tap) = &mut self.tap {
            tap.push(packet.clone());
        }
        let way = if self.servers.contains(&packet.dst) {
            if let Some(outer) = self.nat.get(&packet.src) {
                packet.src = *outer;
            }
            Way::Up
        } else {
            let inner = self.nat.iter().find(|(_, outer)| **outer == packet.dst);
            match inner {
                Some((inner, _)) => packet.dst = *inner,
                // An address that the NAT has given up.
                None if self.nat.contains_key(&packet.dst) => return,
                None => {}
            }
            Way::Down
        };
        let direction = match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        };
        let arrivals = direction.pass(departure, &mut packet, &mut self.rng);
        for at in arrivals.into_iter().flatten() {
            self.order += 1;
            self.flying.insert((at, self.order), packet.clone());
        }
    }

    /// When the next packet arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.flying.keys().next().map(|(at, _)| *at)
    }

    /// Takes a packet that has arrived by `now`.
    pub fn arrive(&mut self, now: Instant) -> Option<Packet> {
        let key = *self.flying.keys().next()?;
        if key.0 > now {
            return None;
        }
        self.flying.remove(&key)
    }
}

impl Direction {
    /// When the packet arrives, and when a copy does.
    fn pass(
        &mut self,
        departure: Instant,
        packet: &mut Packet,
        rng: &mut SeedRng,
    ) -> [Option<Instant>; 2] {
        self.counts.sent += 1;
        self.counts.bytes += packet.bytes.len() as u64;
        if packet.bytes.len() > self.link.mtu {
            self.counts.too_big += 1;
            self.counts.lost += 1;
            self.misfit = Some(packet.clone());
            return [None; 2];
        }
        if self.link.blackhole || self.is_lost(departure, rng) {
            self.counts.lost += 1;
            return [None; 2];
        }
        let Some(left) = self.queue(departure, packet) else {
            self.counts.overflowed += 1;
            self.counts.lost += 1;
            return [None; 2];
        };
        if self.link.bleach {
            packet.ecn = 0;
        }
        if packet.ecn != 0 && rng.chance(self.link.mark) {
            packet.ecn = 3;
            self.counts.marked += 1;
        }
        if rng.chance(self.link.corrupt) && !packet.bytes.is_empty() {
            let at = rng.below(packet.bytes.len() as u64) as usize;
            packet.bytes[at] ^= 1 << rng.below(8);
            self.counts.corrupted += 1;
        }
        let held = self.stalled(departure, rng);
        if !held.is_zero() {
            let arrival = left.saturating_add(self.link.delay).saturating_add(held);
            return [Some(arrival), None];
        }
        let arrival = self.arrival(left, rng);
        let copy = rng.chance(self.link.duplicate).then(|| {
            self.counts.duplicated += 1;
            self.arrival(left, rng)
        });
        [Some(arrival), copy]
    }

    fn is_lost(&mut self, now: Instant, rng: &mut SeedRng) -> bool {
        if let Some(burst) = self.link.burst {
            if now >= self.bad && rng.chance(burst.enter) {
                let span = Duration::from_nanos(rng.below(burst.span.as_nanos()));
                self.bad = now.saturating_add(span);
            }
            if now < self.bad && rng.chance(burst.loss) {
                return true;
            }
        }
        rng.chance(self.link.loss)
    }

    /// When the bottleneck has sent the packet, or `None` if its queue is full.
    fn queue(&mut self, departure: Instant, packet: &mut Packet) -> Option<Instant> {
        let Some(rate) = self.link.rate else {
            return Some(departure);
        };
        let start = self.busy.max(departure);
        let waiting = start.since(departure);
        let waiting_bytes = waiting.as_nanos() / 1000 * rate / 1_000_000;
        if waiting_bytes > self.link.queue {
            return None;
        }
        if self
            .link
            .mark_above
            .is_some_and(|above| waiting_bytes > above)
            && packet.ecn != 0
        {
            packet.ecn = 3;
            self.counts.marked += 1;
        }
        // 28 bytes of IP and UDP headers occupy the wire as well.
        let bits = packet.bytes.len() as u64 + 28;
        self.busy = start.saturating_add(Duration::from_nanos(bits * 1_000_000_000 / rate));
        Some(self.busy)
    }

    /// How long the batch that departs at this moment is held up.
    fn stalled(&mut self, departure: Instant, rng: &mut SeedRng) -> Duration {
        let Some(stall) = self.link.stall else {
            return Duration::ZERO;
        };
        if self.batch.0 != departure {
            let held = if rng.chance(stall.chance) {
                Duration::from_nanos(rng.below(stall.span.as_nanos()))
            } else {
                Duration::ZERO
            };
            self.batch = (departure, held);
        }
        self.batch.1
    }

    fn arrival(&mut self, left: Instant, rng: &mut SeedRng) -> Instant {
        let jitter = Duration::from_nanos(rng.below(self.link.jitter.as_nanos() + 1));
        let arrival = left.saturating_add(self.link.delay).saturating_add(jitter);
        if rng.chance(self.link.reorder) {
            let late = rng.below(self.link.delay.as_nanos() + 1);
            return arrival.saturating_add(Duration::from_nanos(late));
        }
        self.latest = self.latest.max(arrival);
        self.latest
    }
}
