// SPDX-License-Identifier: GPL-2.0

//! Time, and everything that happens in it: arrivals, time-outs, and the scenario's own acts.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc, //
};

use quic_core::common::time::{
    Duration,
    Instant, //
};

use crate::net::{
    Net,
    Packet, //
};

/// Something with an address on the network.
pub trait Node {
    /// Whether packets to this address are for the node.
    fn owns(&self, addr: SocketAddr) -> bool;
    /// A packet arrived.
    fn receive(&mut self, now: Instant, packet: Packet);
    /// A deadline has passed.
    fn timeout(&mut self, now: Instant);
    /// Lets applications act and takes out what there is to send, each with its departure.
    fn drive(&mut self, now: Instant) -> Vec<(Instant, Packet)>;
    /// The next deadline.
    fn next_timeout(&self) -> Option<Instant>;
}

type Act = Box<dyn FnMut(&mut World)>;

/// A network with nodes at a moment in time.
pub struct World {
    /// The virtual clock.
    pub now: Instant,
    /// The network.
    pub net: Net,
    nodes: Vec<Rc<RefCell<dyn Node>>>,
    acts: Vec<(Instant, Option<Act>)>,
    /// Steps taken without time passing, to stop scenarios that run in circles.
    steps: u64,
}

/// No moment needs more steps than this; a connection that spins is found out.
const MAX_STEPS: u64 = 1_000;

impl World {
    /// A world without nodes. The clock starts at one second, so that zero is never a time.
    pub fn new(net: Net) -> Self {
        Self {
            now: Instant::from_nanos(1_000_000_000),
            net,
            nodes: Vec::new(),
            acts: Vec::new(),
            steps: 0,
        }
    }

    /// Adds a node.
    pub fn add(&mut self, node: Rc<RefCell<dyn Node>>) {
        self.nodes.push(node);
    }

    /// Does something when this much time has passed from now on.
    pub fn after(&mut self, span: Duration, act: impl FnMut(&mut World) + 'static) {
        let at = self.now.saturating_add(span);
        self.acts.push((at, Some(Box::new(act))));
    }

    /// Runs until `done` or until `limit` has passed; says whether it was `done`.
    pub fn run(&mut self, limit: Duration, mut done: impl FnMut() -> bool) -> bool {
        let end = self.now.saturating_add(limit);
        loop {
            self.settle();
            if done() {
                return true;
            }
            let Some(next) = self.next_moment() else {
                return false;
            };
            if next > end {
                self.now = end;
                return false;
            }
            self.steps = if next > self.now { 0 } else { self.steps + 1 };
            assert!(self.steps < MAX_STEPS, "the scenario runs in circles");
            self.now = self.now.max(next);
            self.advance();
        }
    }

    /// Lets every node send until nobody has anything to send.
    fn settle(&mut self) {
        for node in self.nodes.clone() {
            let packets = node.borrow_mut().drive(self.now);
            for (departure, packet) in packets {
                self.net.send(departure.max(self.now), packet);
            }
        }
    }

    fn next_moment(&self) -> Option<Instant> {
        let timeouts = self.nodes.iter().filter_map(|n| n.borrow().next_timeout());
        let acts = self.acts.iter().filter(|(_, act)| act.is_some());
        timeouts
            .chain(self.net.next_arrival())
            .chain(acts.map(|(at, _)| *at))
            .min()
    }

    /// Everything that is due now.
    fn advance(&mut self) {
        let now = self.now;
        for index in 0..self.acts.len() {
            if self.acts[index].0 <= now {
                if let Some(mut act) = self.acts[index].1.take() {
                    act(self);
                }
            }
        }
        while let Some(packet) = self.net.arrive(now) {
            let node = self.nodes.iter().find(|n| n.borrow().owns(packet.dst));
            if let Some(node) = node {
                node.borrow_mut().receive(now, packet);
            }
        }
        for node in &self.nodes {
            let is_due = node.borrow().next_timeout().is_some_and(|at| at <= now);
            if is_due {
                node.borrow_mut().timeout(now);
            }
        }
    }
}
