// SPDX-License-Identifier: GPL-2.0

//! Which stream sends next (RFC 9000 2.3).
//!
//! Eight lists, one an urgency (RFC 9218 4.1). The first list that is not empty goes first. In it
//! incremental streams take turns of [`TURN`] bytes; another one keeps its place until it has
//! nothing left. A stream with lost data goes to the front of its list: what was lost is sent
//! before anything new of the same urgency (RFC 9000 13.3 #4). Every step is O(log n).

#![forbid(unsafe_code)]

use super::{
    list::{
        List,
        Which, //
    },
    table::Table, //
};
use crate::common::id::StreamId;

/// Count of urgencies.
pub const URGENCIES: u8 = 8;

/// Bytes a stream may send before the next one: a few packets, so that a packet is seldom shared
/// and many streams still go on together.
const TURN: u64 = 8192;

/// Streams with data to send.
#[derive(Debug)]
pub struct Schedule {
    lists: [List; URGENCIES as usize],
    /// What is left of the turn of the stream in front.
    turn: u64,
}

impl Schedule {
    /// Nothing to send.
    pub const fn new() -> Self {
        Self {
            lists: [const { List::new(Which::Data) }; URGENCIES as usize],
            turn: TURN,
        }
    }

    /// Whether no stream has data to send.
    pub fn is_empty(&self) -> bool {
        self.front().is_none()
    }

    /// The stream that sends next.
    pub fn front(&self) -> Option<StreamId> {
        self.lists.iter().find_map(List::front)
    }

    /// Notes that a stream has data to send.
    pub fn add(&mut self, table: &mut Table, id: StreamId) {
        if let Some(list) = self.list(table, id) {
            list.push_back(table, id);
        }
    }

    /// Notes that a stream has data to send again.
    pub fn add_first(&mut self, table: &mut Table, id: StreamId) {
        if let Some(list) = self.list(table, id) {
            if list.front() == Some(id) {
                return;
            }
            list.remove(table, id);
            list.push_front(table, id);
            self.turn = TURN;
        }
    }

    /// Notes that a stream has nothing to send.
    pub fn remove(&mut self, table: &mut Table, id: StreamId) {
        if self.front() == Some(id) {
            self.turn = TURN;
        }
        if let Some(list) = self.list(table, id) {
            list.remove(table, id);
        }
    }

    /// Notes that the stream in front has sent `bytes` and has more.
    pub fn on_sent(&mut self, table: &mut Table, id: StreamId, bytes: u64) {
        self.turn = self.turn.saturating_sub(bytes);
        if self.turn > 0 {
            return;
        }
        self.turn = TURN;
        let takes_turns = table.get(id).is_some_and(|stream| stream.incremental);
        match self.list(table, id) {
            Some(list) if takes_turns && list.front() == Some(id) => list.rotate(table),
            _ => {}
        }
    }

    /// Gives a stream another priority.
    pub fn set_priority(
        &mut self,
        table: &mut Table,
        id: StreamId,
        urgency: u8,
        incremental: bool,
    ) {
        let waits = table.get(id).is_some_and(|stream| stream.data_link.is_on());
        self.remove(table, id);
        if let Some(stream) = table.get_mut(id) {
            stream.urgency = urgency;
            stream.incremental = incremental;
        }
        if waits {
            self.add(table, id);
        }
    }

    fn list(&mut self, table: &Table, id: StreamId) -> Option<&mut List> {
        let urgency = table.get(id)?.urgency;
        self.lists.get_mut(usize::from(urgency))
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )]

    use super::*;
    use crate::{
        common::id::{
            Dir,
            Side, //
        },
        stream::table::Stream,
    };

    fn id(index: u64) -> StreamId {
        StreamId::new(Side::Client, Dir::Bidi, index)
    }

    fn streams(count: u64) -> (Table, Schedule) {
        let (mut table, mut schedule) = (Table::default(), Schedule::new());
        for index in 0..count {
            table.insert(id(index), || Stream::new(None, None)).unwrap();
            schedule.add(&mut table, id(index));
        }
        (table, schedule)
    }

    /// Lets the stream in front send `packets` packets of 1000 bytes; returns who sent.
    fn send(table: &mut Table, schedule: &mut Schedule, packets: usize) -> Vec<u64> {
        (0..packets)
            .map(|_| {
                let front = schedule.front().unwrap();
                schedule.on_sent(table, front, 1000);
                front.index()
            })
            .collect()
    }

    #[test]
    fn streams_of_one_urgency_share_alike() {
        let (mut table, mut schedule) = streams(3);
        let sent = send(&mut table, &mut schedule, 27 * 4);
        for index in 0..3 {
            assert_eq!(sent.iter().filter(|from| **from == index).count(), 36);
        }
        assert_eq!(sent[..10], [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    // RFC 9000 2.3 #1 test
    #[test]
    fn the_most_urgent_stream_goes_first() {
        let (mut table, mut schedule) = streams(3);
        schedule.set_priority(&mut table, id(2), 0, true);
        schedule.set_priority(&mut table, id(0), 7, true);
        assert!(send(&mut table, &mut schedule, 30)
            .iter()
            .all(|from| *from == 2));
        schedule.remove(&mut table, id(2));
        assert!(send(&mut table, &mut schedule, 30)
            .iter()
            .all(|from| *from == 1));
        schedule.remove(&mut table, id(1));
        assert_eq!(schedule.front(), Some(id(0)));
        schedule.remove(&mut table, id(0));
        assert!(schedule.is_empty());
    }

    #[test]
    fn a_stream_that_is_not_incremental_is_finished_before_the_next() {
        let (mut table, mut schedule) = streams(2);
        schedule.set_priority(&mut table, id(0), 3, false);
        schedule.set_priority(&mut table, id(1), 3, false);
        assert!(send(&mut table, &mut schedule, 50)
            .iter()
            .all(|from| *from == 0));
        schedule.remove(&mut table, id(0));
        assert_eq!(schedule.front(), Some(id(1)));
    }

    // RFC 9000 13.3 #4 test
    #[test]
    fn lost_data_goes_first() {
        let (mut table, mut schedule) = streams(3);
        schedule.add_first(&mut table, id(2));
        assert_eq!(schedule.front(), Some(id(2)));
        schedule.add_first(&mut table, id(2));
        schedule.remove(&mut table, id(2));
        schedule.add_first(&mut table, id(2));
        assert_eq!(send(&mut table, &mut schedule, 10)[9], 0);
    }

    #[test]
    fn a_priority_for_a_stream_without_data_queues_nothing() {
        let (mut table, mut schedule) = streams(1);
        schedule.remove(&mut table, id(0));
        schedule.set_priority(&mut table, id(0), 1, true);
        assert!(schedule.is_empty());
        schedule.set_priority(&mut table, id(9), 1, true);
        schedule.add(&mut table, id(0));
        assert_eq!(table.get(id(0)).unwrap().urgency, 1);
        assert_eq!(schedule.front(), Some(id(0)));
    }
}
