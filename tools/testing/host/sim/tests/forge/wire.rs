// SPDX-License-Identifier: GPL-2.0

//! A client and a server whose datagrams go through the test's hands.

use quic_core::common::Instant;
use quic_sim::net::Packet;
use quic_sim::node::{
    Client,
    Server,
    Setup, //
};
use quic_sim::pair::{
    client_addr,
    server_addr, //
};
use quic_sim::peer::Peer;
use quic_sim::world::Node;

/// A client and a server whose datagrams go through the test's hands.
pub struct Wire {
    pub client: Client,
    pub server: Server,
    pub now: Instant,
}

impl Wire {
    pub fn new(client: &Setup, server: Setup) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let client = Client::new(now, 1, client_addr(), server_addr(), client);
        Self {
            client: client.expect("a client"),
            server: fresh_server(server),
            now,
        }
    }

    /// What the client has to send.
    pub fn up(&mut self) -> Vec<Packet> {
        let packets = self.client.drive(self.now);
        packets.into_iter().map(|(_, packet)| packet).collect()
    }

    /// What the server has to send.
    pub fn down(&mut self) -> Vec<Packet> {
        let packets = self.server.drive(self.now);
        packets.into_iter().map(|(_, packet)| packet).collect()
    }

    pub fn give_server(&mut self, packets: Vec<Packet>) {
        for packet in packets {
            self.server.receive(self.now, packet);
        }
    }

    pub fn give_client(&mut self, packets: Vec<Packet>) {
        for packet in packets {
            self.client.receive(self.now, packet);
        }
    }

    /// Lets time pass until the next deadline of either, which is handled.
    pub fn tick(&mut self) {
        let next = [self.client.next_timeout(), self.server.next_timeout()];
        let Some(next) = next.into_iter().flatten().min() else {
            return;
        };
        self.now = self.now.max(next);
        self.client.timeout(self.now);
        self.server.timeout(self.now);
    }

    /// Carries everything both ways, `rounds` times.
    pub fn exchange(&mut self, rounds: usize) {
        for _ in 0..rounds {
            let packets = self.up();
            self.give_server(packets);
            let packets = self.down();
            self.give_client(packets);
        }
    }
}

/// A listener with nothing to do.
pub fn fresh_server(setup: Setup) -> Server {
    Server::new(1, server_addr(), setup)
}

/// A client that has sent nothing.
pub fn fresh_client(seed: u64) -> (Peer, Instant) {
    client_of(seed, &Setup::default())
}

fn client_of(seed: u64, setup: &Setup) -> (Peer, Instant) {
    let now = Instant::from_nanos(1_000_000_000);
    let client = Client::new(now, seed, client_addr(), server_addr(), setup);
    (client.expect("a connection").peer, now)
}

/// The first datagrams of a client.
pub fn first_flight(seed: u64) -> Vec<Packet> {
    first_flight_of(seed, &Setup::default())
}

/// The first datagrams of a client with this setup.
pub fn first_flight_of(seed: u64, setup: &Setup) -> Vec<Packet> {
    let (mut client, now) = client_of(seed, setup);
    let packets = client.drive(now, &mut |_| {});
    packets.into_iter().map(|(_, packet)| packet).collect()
}
