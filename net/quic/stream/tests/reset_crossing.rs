// SPDX-License-Identifier: GPL-2.0

//! RESET_STREAM_AT and all it can cross with, at random: losses, ends, smaller resets and
//! STOP_SENDING.

use super::{
    reset_at::{
        started,
        CODE, //
    },
    *,
};
use crate::common::test_config;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Write {
        len: usize,
        fin: bool,
    },
    ResetAt {
        reliable: u64,
    },
    Stop,
    Send {
        room: usize,
    },
    /// A packet under way arrives, is lost, or arrives and its acknowledgement comes with it.
    Fate {
        nth: usize,
        how: u8,
    },
    Read,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1..300usize, 0..8u8).prop_map(|(len, n)| Op::Write { len, fin: n == 0 }),
        2 => (1..900u64).prop_map(|reliable| Op::ResetAt { reliable }),
        1 => Just(Op::Stop),
        6 => (60..500usize).prop_map(|room| Op::Send { room }),
        6 => (0..8usize, 0..3u8).prop_map(|(nth, how)| Op::Fate { nth, how }),
        3 => Just(Op::Read),
    ]
}

/// Both ends, the packets of the client under way, and what counts in the end.
struct Crossing {
    client: End,
    server: End,
    id: StreamId,
    way: Vec<Packet>,
    /// The smallest reliable size so far.
    reliable: Option<u64>,
    is_stopped: bool,
    read: u64,
}

impl Crossing {
    fn apply(&mut self, op: &Op) {
        let id = self.id;
        match *op {
            Op::Write { len, fin } => {
                let room = self.client.streams.sendable(id).unwrap_or(0) as usize;
                let _ = self
                    .client
                    .write(id, &std::vec![5; len.min(room)], fin && len <= room);
            }
            Op::ResetAt { reliable } => {
                if self.client.streams.reset_at(id, CODE, reliable).is_ok() {
                    self.reliable = Some(reliable);
                }
            }
            Op::Stop => {
                // Before the stream is known there is nothing to stop.
                self.is_stopped |= self.server.streams.stop_sending(id, 99).is_ok();
            }
            Op::Send { room } => self.way.extend(self.client.transmit_within(room)),
            Op::Fate { nth, how } => {
                if nth < self.way.len() {
                    let packet = self.way.remove(nth);
                    if how > 0 {
                        assert!(self.server.receive(&packet).unwrap());
                    }
                    match how {
                        // Lost, or only taken for it.
                        0 | 1 => self.client.on_lost(&packet),
                        _ => self.client.on_acked(&packet),
                    }
                }
            }
            Op::Read => self.read(),
        }
        // What the server says arrives at once.
        for packet in self.server.transmit_all() {
            self.client.receive(&packet).unwrap();
            self.server.on_acked(&packet);
        }
    }

    fn read(&mut self) {
        while let Ok((outcome, bytes)) = self.server.read(u64::MAX) {
            assert!(bytes.iter().all(|byte| *byte == 5));
            self.read += bytes.len() as u64;
            assert!(!outcome.is_end || self.reliable.is_none_or(|r| self.read >= r));
        }
    }

    fn finish(&mut self) {
        while !self.way.is_empty() {
            self.apply(&Op::Fate { nth: 0, how: 0 });
        }
        for _ in 0..10 {
            settle(&mut self.client, &mut self.server);
            self.read();
        }
    }
}

proptest! {
    #![proptest_config(test_config(500))]

    #[test]
    fn whatever_is_lost_or_crosses_the_promised_bytes_arrive_and_nothing_is_left(
        ops in prop::collection::vec(op(), 0..60),
    ) {
        let (client, server, id) = started(0, 0);
        let mut crossing = Crossing {
            client,
            server,
            id,
            way: Vec::new(),
            reliable: None,
            is_stopped: false,
            read: 0,
        };
        for op in &ops {
            crossing.apply(op);
        }
        crossing.finish();
        if let (Some(reliable), false) = (crossing.reliable, crossing.is_stopped) {
            prop_assert!(crossing.read >= reliable, "{} of {}", crossing.read, reliable);
        }
        if crossing.reliable.is_some() {
            prop_assert!(crossing.client.streams.is_empty(), "{:?}", crossing.client.streams);
            prop_assert!(crossing.server.streams.is_empty(), "{:?}", crossing.server.streams);
            let (sent, ..) = crossing.client.streams.totals();
            let (_, received, consumed) = crossing.server.streams.totals();
            prop_assert_eq!((sent, received), (received, consumed));
        }
    }
}
