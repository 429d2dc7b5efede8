// SPDX-License-Identifier: GPL-2.0

//! Random programs on both sides over a network that loses, repeats and reorders, against a map
//! of what was written.

use super::*;
use crate::common::test_config;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One step of a program or of the network; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Open(bool, bool),
    Write(bool, usize, usize, bool),
    Finish(bool, usize),
    Reset(bool, usize),
    Stop(bool, usize),
    Priority(bool, usize, u8),
    Read(bool, u64),
    Transmit(bool, usize),
    Deliver(bool, usize),
    Repeat(bool, usize),
    Lose(bool, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let side = any::<bool>;
    prop_oneof![
        2 => (side(), any::<bool>()).prop_map(|(s, bidi)| Step::Open(s, bidi)),
        6 => (side(), 0usize..20, 1usize..2000, prop::bool::weighted(0.2))
            .prop_map(|(s, nr, len, fin)| Step::Write(s, nr, len, fin)),
        1 => (side(), 0usize..20).prop_map(|(s, nr)| Step::Finish(s, nr)),
        1 => (side(), 0usize..20).prop_map(|(s, nr)| Step::Reset(s, nr)),
        1 => (side(), 0usize..20).prop_map(|(s, nr)| Step::Stop(s, nr)),
        1 => (side(), 0usize..20, 0u8..8).prop_map(|(s, nr, u)| Step::Priority(s, nr, u)),
        5 => (side(), 0u64..3000).prop_map(|(s, max)| Step::Read(s, max)),
        8 => (side(), 100usize..1400).prop_map(|(s, room)| Step::Transmit(s, room)),
        6 => (side(), 0usize..30).prop_map(|(s, nr)| Step::Deliver(s, nr)),
        1 => (side(), 0usize..30).prop_map(|(s, nr)| Step::Repeat(s, nr)),
        2 => (side(), 0usize..30).prop_map(|(s, nr)| Step::Lose(s, nr)),
    ]
}

/// What one side has written to and read from a stream.
#[derive(Default)]
struct Record {
    written: Vec<u8>,
    finished: bool,
    read: Vec<u8>,
    read_end: bool,
    reset: bool,
    stopped: bool,
}

struct World {
    /// The client first.
    ends: [End; 2],
    records: [BTreeMap<StreamId, Record>; 2],
    /// Packets on their way from each side.
    flying: [Vec<Packet>; 2],
}

impl World {
    fn new(local: &TransportParams) -> Self {
        let (client, server) = End::pair(local);
        Self {
            ends: [client, server],
            records: Default::default(),
            flying: Default::default(),
        }
    }

    fn record(&mut self, side: usize, id: StreamId) -> &mut Record {
        self.records[side].entry(id).or_default()
    }

    /// One of the streams that either side has opened so far.
    fn pick(&self, nr: usize) -> Option<StreamId> {
        let mut ids: Vec<_> = self.records.iter().flat_map(BTreeMap::keys).collect();
        ids.sort();
        ids.dedup();
        (!ids.is_empty()).then(|| *ids[nr % ids.len()])
    }

    fn write(&mut self, side: usize, id: StreamId, len: usize, fin: bool) {
        let end = &mut self.ends[side];
        if end.streams.prepare_send(id, false).is_err() {
            return;
        }
        let credit = end.streams.sendable(id).unwrap();
        let len = len.min(credit as usize);
        if len == 0 {
            end.streams.note_data_blocked(id);
            return;
        }
        let start = self.record(side, id).written.len();
        let bytes: Vec<u8> = (start..start + len)
            .map(|at| (at as u8) ^ ((at >> 8) as u8) ^ (id.raw() as u8) ^ (side as u8 * 128))
            .collect();
        self.ends[side].write(id, &bytes, fin).unwrap();
        let record = self.record(side, id);
        record.written.extend(bytes);
        record.finished = fin;
    }

    fn read(&mut self, side: usize, max: u64) -> Result<bool, TestCaseError> {
        let Ok((outcome, bytes)) = self.ends[side].read(max) else {
            return Ok(false);
        };
        let Readable::Stream { id } = outcome.what else {
            return Err(TestCaseError::fail("a datagram"));
        };
        let record = self.record(side, id);
        prop_assert!(!record.read_end && !record.stopped);
        record.read.extend(bytes);
        record.read_end = outcome.is_end;
        // What was read is what was written, byte for byte.
        let read = record.read.clone();
        let written = &self.records[1 - side][&id].written;
        prop_assert!(written.starts_with(&read));
        prop_assert!(!outcome.is_end || read.len() == written.len());
        Ok(outcome.bytes > 0 || outcome.is_end)
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Open(side, bidi) => {
                let side = side as usize;
                let dir = if bidi { Dir::Bidi } else { Dir::Uni };
                match self.ends[side].streams.open(None, dir) {
                    Ok(id) => drop(self.record(side, id).written.len()),
                    Err(error) => {
                        prop_assert_eq!(error, Error::WouldBlock);
                        self.ends[side].streams.note_streams_blocked(dir);
                    }
                }
            }
            Step::Write(side, nr, len, fin) => {
                if let Some(id) = self.pick(nr) {
                    self.write(side as usize, id, len, fin);
                }
            }
            Step::Finish(side, nr) => {
                if let Some(id) = self.pick(nr) {
                    if self.ends[side as usize].streams.finish(id).is_ok() {
                        self.record(side as usize, id).finished = true;
                    }
                }
            }
            Step::Reset(side, nr) => {
                if let Some(id) = self.pick(nr) {
                    if self.ends[side as usize].streams.reset(id, 1).is_ok() {
                        self.record(side as usize, id).reset = true;
                    }
                }
            }
            Step::Stop(side, nr) => {
                if let Some(id) = self.pick(nr) {
                    if self.ends[side as usize].streams.stop_sending(id, 2).is_ok() {
                        self.record(side as usize, id).stopped = true;
                    }
                }
            }
            Step::Priority(side, nr, urgency) => {
                if let Some(id) = self.pick(nr) {
                    let streams = &mut self.ends[side as usize].streams;
                    let _ = streams.set_priority(id, urgency, urgency & 1 == 0);
                }
            }
            Step::Read(side, max) => drop(self.read(side as usize, max)?),
            Step::Transmit(side, room) => {
                let side = side as usize;
                if let Some(packet) = self.ends[side].transmit_within(room) {
                    self.flying[side].push(packet);
                }
            }
            Step::Deliver(side, nr) => self.arrive(side as usize, nr, false),
            Step::Repeat(side, nr) => self.arrive(side as usize, nr, true),
            Step::Lose(side, nr) => {
                let side = side as usize;
                if nr < self.flying[side].len() {
                    let packet = self.flying[side].remove(nr);
                    self.ends[side].on_lost(&packet);
                }
            }
        }
        Ok(())
    }

    fn arrive(&mut self, side: usize, nr: usize, stays: bool) {
        if nr >= self.flying[side].len() {
            return;
        }
        let packet = self.flying[side][nr].clone();
        assert!(self.ends[1 - side].receive(&packet).unwrap());
        if !stays {
            self.flying[side].remove(nr);
            self.ends[side].on_acked(&packet);
        }
    }

    /// Delivers and reads everything, and ends all streams.
    fn wind_up(&mut self) -> Result<(), TestCaseError> {
        loop {
            let mut is_busy = false;
            for side in 0..2 {
                while !self.flying[side].is_empty() {
                    self.arrive(side, 0, false);
                    is_busy = true;
                }
                for packet in self.ends[side].transmit_all() {
                    self.flying[side].push(packet);
                    is_busy = true;
                }
                while self.read(side, 1000)? {
                    is_busy = true;
                }
                let ids: Vec<_> = self
                    .records
                    .iter()
                    .flat_map(BTreeMap::keys)
                    .copied()
                    .collect();
                for id in ids {
                    let streams = &mut self.ends[side].streams;
                    if streams.prepare_send(id, false).is_ok() && streams.finish(id).is_ok() {
                        self.record(side, id).finished = true;
                        is_busy = true;
                    }
                }
            }
            if !is_busy {
                return Ok(());
            }
        }
    }

    fn check_end(&self) -> Result<(), TestCaseError> {
        for side in 0..2 {
            for (id, record) in &self.records[side] {
                // The other side may have heard nothing of the stream.
                let Some(other) = self.records[1 - side].get(id) else {
                    prop_assert!(record.reset || record.read.is_empty());
                    continue;
                };
                let is_whole = record.finished && !record.reset && !other.stopped;
                prop_assert!(!is_whole || other.read == record.written);
                prop_assert!(!is_whole || other.read_end || record.written.is_empty());
            }
        }
        for end in &self.ends {
            let streams = &end.streams;
            prop_assert!(streams.is_empty(), "{streams:?}");
            prop_assert_eq!(streams.send_truesize(), 0);
            prop_assert_eq!(streams.recv_truesize(), 0);
            prop_assert_eq!(streams.unsent_bytes(), 0);
            prop_assert!(!streams.has_pending());
        }
        // Both sides agree on the credit that was used (RFC 9000 4.4 and 4.5).
        for side in 0..2 {
            let (sent, _, _) = self.ends[side].streams.totals();
            let (_, received, read) = self.ends[1 - side].streams.totals();
            prop_assert_eq!((sent, sent), (received, read));
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(test_config(150))]

    // RFC 9000 2.2 #1 test
    // RFC 9000 4.4 #1 test
    // RFC 9000 4.5 #1 test
    #[test]
    fn what_is_read_is_what_was_written_and_in_the_end_nothing_is_left(
        window in prop::sample::select(std::vec![300u64, 3000, 100_000]),
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let mut world = World::new(&params(window, 6));
        for step in steps {
            world.step(step)?;
        }
        world.wind_up()?;
        world.check_end()?;
    }
}
