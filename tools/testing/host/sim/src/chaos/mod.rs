// SPDX-License-Identifier: GPL-2.0

//! A whole connection at the mercy of a script.
//!
//! A client and a server of the core, and bytes that decide everything else: which datagram
//! arrives, when, how often and in what shape, what a peer with the keys says, which call the
//! applications make with which arguments, how time passes, and which allocation fails. Whatever
//! the script does, nothing panics or spins, the server keeps the anti-amplification limit, memory
//! stays bounded, and both ends come to rest; what the script has not broken must work.

mod calls;
mod checks;
mod forgery;
mod script;
mod setup;
mod single;

use std::collections::{
    BTreeMap,
    BTreeSet,
    VecDeque, //
};
use std::net::SocketAddr;

use quic_core::common::id::{
    Side,
    StreamId, //
};
use quic_core::common::time::{
    Duration,
    Instant, //
};
use quic_core::mem::fail;

use crate::net::Packet;
use crate::node::{
    Client,
    Server, //
};
use crate::pair::{
    client_addr,
    server_addr, //
};
use crate::peer::Peer;
use crate::world::Node;
pub use script::Script;
pub use single::{
    payload,
    ticket,
    unprotected, //
};

/// An entry point of the fuzzer.
pub type Target = fn(&[u8]);

/// Every entry point with its name, which is that of its folder in the corpus.
pub const TARGETS: [(&str, Target); 4] = [
    ("connection", run),
    ("payload", payload),
    ("ticket", ticket),
    ("unprotected", unprotected),
];

/// Datagrams in flight each way; the oldest are lost above.
const MAX_FLYING: usize = 256;

/// Deadlines that may pass at one moment.
const MAX_SPIN: u32 = 500;

/// What an application has written to a stream.
#[derive(Debug, Default, Clone, Copy)]
struct Sent {
    bytes: u64,
    fin: bool,
    is_given_up: bool,
}

/// What the script has done that excuses what follows.
#[derive(Debug, Default, Clone, Copy)]
struct Excuses {
    /// A packet with the keys was forged: anything may be said and read.
    is_forged: bool,
    /// A call broke the handshake.
    is_misused: bool,
    /// An allocation may have failed.
    is_starved: bool,
    /// A datagram was changed: Version Negotiation is not protected against it.
    is_damaged: bool,
}

/// The two ends and what is between them.
struct Chaos<'a> {
    script: Script<'a>,
    now: Instant,
    client: Client,
    server: Server,
    /// Datagrams under way to the client and to the server.
    flying: [VecDeque<Packet>; 2],
    forgery: forgery::Forgery,
    /// Addresses that the client has sent from.
    sources: BTreeSet<SocketAddr>,
    sent: BTreeMap<(bool, StreamId), Sent>,
    excuses: Excuses,
}

/// Runs a script to its end, and the connections to theirs. Panics if anything is wrong.
pub fn run(script: &[u8]) {
    fail::off();
    let mut chaos = Chaos::new(Script::new(script));
    while !chaos.script.is_over() {
        chaos.step();
        chaos.check();
    }
    fail::off();
    chaos.come_to_rest();
    chaos.end();
}

impl<'a> Chaos<'a> {
    fn new(mut script: Script<'a>) -> Self {
        let flags = script.byte();
        let client = setup::client_setup(&mut script, flags);
        let server = setup::server_setup(&mut script, flags);
        let now = Instant::from_nanos(1_000_000_000);
        let seed = u64::from(script.byte());
        let made = Client::new(now, seed, client_addr(), server_addr(), &client);
        let mut chaos = Self {
            script,
            now,
            client: made.expect("a client's connection"),
            server: Server::new(seed, server_addr(), server),
            flying: Default::default(),
            forgery: forgery::Forgery::default(),
            sources: BTreeSet::new(),
            sent: BTreeMap::new(),
            excuses: Excuses::default(),
        };
        if flags & 1 == 0 {
            chaos.pass(Duration::from_millis(50));
        }
        chaos
    }

    /// One decision.
    fn step(&mut self) {
        let op = self.script.byte();
        match op % 16 {
            0..=3 => self.deliver(),
            4 => self.damage(),
            5 => self.duplicate(),
            6 => {
                let way = self.script.below(2);
                self.flying[way].pop_front();
            }
            7 => self.redirect(),
            8 => self.jump(),
            9 => self.starve(),
            10 | 11 => self.forge(),
            12 => self.pass(Duration::from_millis(5)),
            _ => self.call(),
        }
    }

    /// Delivers one datagram, not always the first.
    fn deliver(&mut self) {
        let way = self.script.below(2);
        let choice = self.script.byte();
        let waiting = self.flying[way].len();
        let index = usize::from(choice.saturating_sub(128)) % waiting.max(1);
        if let Some(packet) = self.flying[way].remove(index) {
            self.arrive(way, packet);
        }
        self.drive();
    }

    fn arrive(&mut self, way: usize, mut packet: Packet) {
        match way {
            0 => {
                // A NAT: whatever address the server knows, the client has its own.
                if !self.sources.contains(&packet.dst) {
                    packet.dst = client_addr();
                }
                self.client.receive(self.now, packet);
            }
            _ => self.server.receive(self.now, packet),
        }
    }

    /// A datagram under way, by choice of the script.
    fn pick(&mut self) -> Option<(usize, usize)> {
        let way = self.script.below(2);
        let waiting = self.flying[way].len();
        (waiting > 0).then(|| (way, self.script.below(waiting)))
    }

    /// Flips a bit, cuts, or lengthens.
    fn damage(&mut self) {
        let Some((way, index)) = self.pick() else {
            return;
        };
        self.excuses.is_damaged = true;
        let how = self.script.below(4);
        let at = (usize::from(self.script.byte()) << 8) | usize::from(self.script.byte());
        let bytes = &mut self.flying[way][index].bytes;
        let len = bytes.len().max(1);
        match how {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at % len) {
                    *byte ^= 1 << (at >> 13);
                }
            }
            2 => bytes.truncate(at % len),
            _ => bytes.extend(std::iter::repeat_n(at as u8, at % 300)),
        }
    }

    fn duplicate(&mut self) {
        let Some((way, index)) = self.pick() else {
            return;
        };
        let copy = self.flying[way][index].clone();
        self.flying[way].push_back(copy);
    }

    /// Changes where a datagram seems to come from, or its mark.
    fn redirect(&mut self) {
        let Some((way, index)) = self.pick() else {
            return;
        };
        let choice = self.script.byte();
        let packet = &mut self.flying[way][index];
        match choice % 4 {
            0 => packet.ecn = choice >> 6,
            1 => packet.src = SocketAddr::from(([203, 0, 113, choice], 7)),
            2 => packet.src.set_port(u16::from(choice)),
            _ => packet.dst.set_port(u16::from(choice)),
        }
    }

    /// Lets time pass without anything arriving.
    fn jump(&mut self) {
        let span = self.script.span();
        self.until(self.now.saturating_add(span));
    }

    /// Makes an allocation fail, or all of them for a while.
    fn starve(&mut self) {
        let choice = self.script.byte();
        let after = u64::from(self.script.byte());
        match choice % 4 {
            0 => fail::off(),
            1 => fail::all_after(after),
            _ => fail::after(after),
        }
        self.excuses.is_starved |= choice % 4 != 0;
    }

    /// Handles all deadlines up to `end`.
    fn until(&mut self, end: Instant) {
        let mut spin = 0;
        while let Some(next) = self.next_timeout().filter(|next| *next <= end) {
            spin = if next > self.now { 0 } else { spin + 1 };
            assert!(spin < MAX_SPIN, "deadlines pass and nothing changes");
            self.now = self.now.max(next);
            if self.client.next_timeout().is_some_and(|at| at <= self.now) {
                self.client.timeout(self.now);
            }
            self.server.timeout(self.now);
            self.drive();
        }
        self.now = self.now.max(end);
        self.drive();
    }

    fn next_timeout(&self) -> Option<Instant> {
        let (client, server) = (self.client.next_timeout(), self.server.next_timeout());
        client.into_iter().chain(server).min()
    }

    fn drive(&mut self) {
        let packets = [self.client.drive(self.now), self.server.drive(self.now)];
        for (way, packets) in packets.into_iter().enumerate() {
            // What the client sends is under way to the server.
            let flying = &mut self.flying[1 - way];
            for (_, packet) in packets {
                self.forgery.learn(&packet.bytes);
                if way == 0 {
                    self.sources.insert(packet.src);
                }
                flying.push_back(packet);
            }
            while flying.len() > MAX_FLYING {
                flying.pop_front();
            }
        }
    }

    /// Everything arrives, a millisecond each way, for some time.
    fn pass(&mut self, span: Duration) {
        let end = self.now.saturating_add(span);
        self.drive();
        while self.now < end {
            for way in 0..2 {
                for packet in std::mem::take(&mut self.flying[way]) {
                    self.arrive(way, packet);
                }
            }
            self.drive();
            let is_quiet = self.flying.iter().all(VecDeque::is_empty);
            let step = self.now.saturating_add(Duration::from_millis(1));
            let next = match self.next_timeout() {
                Some(next) if is_quiet => next.max(step),
                None if is_quiet => end,
                _ => step,
            };
            self.until(next.min(end));
        }
    }

    fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.server.peers.iter().chain([&self.client.peer])
    }

    fn peer(&mut self, side: Side) -> Option<&mut Peer> {
        match side {
            Side::Client => Some(&mut self.client.peer),
            Side::Server => self.server.peers.first_mut(),
        }
    }
}
