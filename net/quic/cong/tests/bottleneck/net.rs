// SPDX-License-Identifier: GPL-2.0

//! The simulated bottleneck: a queue, a link, and a virtual clock.

use super::flow::{
    Flow,
    MTU,
    TIMER, //
};
use crate::{
    common::{
        cursor::Reader,
        id::Space,
        rng::Rng,
        time::{
            Duration,
            Instant, //
        },
    },
    frame::Frame,
    recovery::{
        tests::Lcg,
        Ecn,
        Timeout, //
    },
};
use std::{
    cmp::Reverse,
    collections::BinaryHeap, //
};

/// The bottleneck.
#[derive(Clone, Copy)]
pub(super) struct Path {
    /// Bytes per second.
    pub(super) rate: u64,
    /// Propagation delay of one direction.
    pub(super) delay: Duration,
    /// Bytes that wait before packets are dropped.
    pub(super) queue: u64,
    /// Marks packets that find more bytes waiting.
    pub(super) mark_above: Option<u64>,
    /// Packets dropped at random.
    pub(super) loss_per_10_000: u64,
    /// Random extra delay of each packet behind the queue, which reorders.
    pub(super) jitter: Duration,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Packet {
        flow: usize,
        pn: u64,
        size: u16,
        ecn: u8,
    },
    Ack {
        flow: usize,
        bytes: Vec<u8>,
    },
    Wake {
        flow: usize,
    },
    AckTimer {
        flow: usize,
    },
}

/// The simulation.
pub(super) struct Net {
    pub(super) path: Path,
    pub(super) flows: Vec<Flow>,
    /// Nothing passes between these points in time.
    pub(super) blackout: Option<(Instant, Instant)>,
    /// Packets marked CE.
    pub(super) marked: u64,
    now: Instant,
    /// When the queue is empty.
    idle_at: Instant,
    events: BinaryHeap<Reverse<(Instant, u64, Event)>>,
    sequence: u64,
    rng: Lcg,
}

impl Net {
    pub(super) fn new(path: Path, flows: Vec<Flow>) -> Self {
        let mut net = Self {
            path,
            flows,
            blackout: None,
            marked: 0,
            now: Instant::ZERO,
            idle_at: Instant::ZERO,
            events: BinaryHeap::new(),
            sequence: 0,
            rng: Lcg(11),
        };
        for flow in 0..net.flows.len() {
            let start = net.flows[flow]
                .start
                .saturating_add(Duration::from_nanos(1));
            net.push(start, Event::Wake { flow });
        }
        net
    }

    pub(super) fn run_until(&mut self, end: Instant) {
        while let Some(Reverse((time, _, _))) = self.events.peek() {
            if *time > end {
                break;
            }
            let Reverse((time, _, event)) = self.events.pop().unwrap();
            self.now = time;
            self.handle(event);
        }
        self.now = end;
    }

    fn push(&mut self, at: Instant, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, event)));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Packet {
                flow,
                pn,
                size,
                ecn,
            } => {
                let receiver = &mut self.flows[flow];
                receiver.delivered += u64::from(size);
                let ecn = Ecn::from_bits(ecn);
                receiver.tracker.on_received(pn, ecn, true, self.now);
                self.acknowledge(flow);
            }
            Event::AckTimer { flow } => {
                self.flows[flow].ack_wake = None;
                self.acknowledge(flow);
            }
            Event::Ack { flow, bytes } => {
                let Frame::Ack(frame) = Frame::parse(&mut Reader::new(&bytes)).unwrap() else {
                    panic!("not an ACK frame");
                };
                let sender = &mut self.flows[flow];
                let result = sender.recovery.on_ack(
                    (self.now, self.now),
                    Space::Data,
                    &frame,
                    &mut |_, _, _, _| {},
                );
                if let Err(error) = result {
                    sender.violation = Some(error);
                }
                self.transmit(flow);
            }
            Event::Wake { flow } => {
                let sender = &mut self.flows[flow];
                if sender.wake.is_some_and(|at| at <= self.now) {
                    sender.wake = None;
                }
                let timeout = sender
                    .recovery
                    .on_timeout(self.now, &TIMER, &mut |_, _, _, _| {});
                if let Timeout::Probe { count, .. } = timeout {
                    sender.probes = count;
                }
                self.transmit(flow);
            }
        }
    }

    fn acknowledge(&mut self, flow: usize) {
        if let Some(bytes) = self.flows[flow].write_ack(self.now) {
            if !self.is_black(self.now) {
                let at = self.now.saturating_add(self.path.delay);
                self.push(at, Event::Ack { flow, bytes });
            }
            return;
        }
        let receiver = &mut self.flows[flow];
        let deadline = receiver.tracker.deadline();
        if let (Some(at), None) = (deadline, receiver.ack_wake) {
            receiver.ack_wake = Some(at);
            self.push(at, Event::AckTimer { flow });
        }
    }

    fn transmit(&mut self, flow: usize) {
        let again = loop {
            match self.flows[flow].poll(self.now) {
                Ok((pn, ecn)) => self.enqueue(flow, pn, ecn),
                Err(again) => break again,
            }
        };
        let sender = &mut self.flows[flow];
        let deadline = sender.recovery.deadline(&TIMER);
        let next = [again, deadline].into_iter().flatten().min();
        let Some(next) = next.filter(|_| sender.violation.is_none()) else {
            return;
        };
        if sender.wake.is_none_or(|at| next < at) {
            sender.wake = Some(next);
            self.push(next.max(self.now), Event::Wake { flow });
        }
    }

    /// A packet reaches the bottleneck's queue.
    fn enqueue(&mut self, flow: usize, pn: u64, ecn: Ecn) {
        let waiting = self.idle_at.since(self.now).as_nanos();
        let waiting = waiting / 1_000 * self.path.rate / 1_000_000;
        let is_dropped = self.rng.below(10_000) < self.path.loss_per_10_000;
        if is_dropped || waiting + u64::from(MTU) > self.path.queue || self.is_black(self.now) {
            return;
        }
        let is_marked = ecn == Ecn::Ect0 && self.path.mark_above.is_some_and(|m| waiting > m);
        self.marked += u64::from(is_marked);
        let ecn = if is_marked { Ecn::Ce } else { ecn };
        let service = u64::from(MTU) * 1_000_000_000 / self.path.rate;
        let from = self.idle_at.max(self.now);
        self.idle_at = from.saturating_add(Duration::from_nanos(service));
        let jitter = self.rng.below(self.path.jitter.as_nanos().max(1));
        let at = self.idle_at.saturating_add(self.path.delay);
        let event = Event::Packet {
            flow,
            pn,
            size: MTU,
            ecn: ecn as u8,
        };
        self.push(at.saturating_add(Duration::from_nanos(jitter)), event);
    }

    fn is_black(&self, now: Instant) -> bool {
        self.blackout
            .is_some_and(|(from, to)| from <= now && now < to)
    }
}
