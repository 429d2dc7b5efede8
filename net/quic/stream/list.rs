// SPDX-License-Identifier: GPL-2.0

//! Lists of streams that need no memory of their own.
//!
//! A list links streams by id through a [`Link`] in each stream, so that putting a stream on a
//! list cannot fail: a stream that has something to send is never forgotten for want of memory.
//! Every step is a lookup, O(log n).

#![forbid(unsafe_code)]

use super::table::{
    Stream,
    Table, //
};
use crate::common::id::StreamId;

/// A stream's place on one list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Link {
    on: bool,
    before: Option<StreamId>,
    after: Option<StreamId>,
}

impl Link {
    /// Whether the stream is on the list.
    pub fn is_on(&self) -> bool {
        self.on
    }
}

/// Which of a stream's links a list uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Streams with data to send.
    Data,
    /// Streams with control frames to send.
    Control,
}

impl Which {
    fn link(self, stream: &mut Stream) -> &mut Link {
        match self {
            Self::Data => &mut stream.data_link,
            Self::Control => &mut stream.control_link,
        }
    }
}

/// A list of streams, linked through the streams themselves.
#[derive(Debug)]
pub struct List {
    which: Which,
    ends: Option<(StreamId, StreamId)>,
}

impl List {
    /// An empty list over the given links.
    pub const fn new(which: Which) -> Self {
        Self { which, ends: None }
    }

    /// Whether no stream is on the list.
    pub fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    /// The first stream.
    pub fn front(&self) -> Option<StreamId> {
        self.ends.map(|(front, _)| front)
    }

    /// Puts a stream at the end. Nothing happens if it is on such a list already.
    pub fn push_back(&mut self, table: &mut Table, id: StreamId) {
        let last = self.ends.map(|(_, last)| last);
        if !self.set(table, id, last, None) {
            return;
        }
        self.join(table, last, Some(id));
        self.ends = Some((self.front().unwrap_or(id), id));
    }

    /// Puts a stream at the front. Nothing happens if it is on such a list already.
    pub fn push_front(&mut self, table: &mut Table, id: StreamId) {
        let first = self.front();
        if !self.set(table, id, None, first) {
            return;
        }
        self.join(table, Some(id), first);
        self.ends = Some((id, self.ends.map_or(id, |(_, last)| last)));
    }

    /// Takes a stream off the list, if it is on it.
    pub fn remove(&mut self, table: &mut Table, id: StreamId) {
        let Some(stream) = table.get_mut(id) else {
            return;
        };
        let link = core::mem::take(self.which.link(stream));
        if !link.on {
            return;
        }
        self.join(table, link.before, link.after);
        let Some((front, last)) = self.ends else {
            return;
        };
        let front = if front == id { link.after } else { Some(front) };
        let last = if last == id { link.before } else { Some(last) };
        self.ends = front.zip(last);
    }

    /// Moves the first stream to the end.
    pub fn rotate(&mut self, table: &mut Table) {
        if let Some(id) = self.front() {
            self.remove(table, id);
            self.push_back(table, id);
        }
    }

    /// Puts the stream between two others; false if it is on a list already or unknown.
    fn set(
        &self,
        table: &mut Table,
        id: StreamId,
        before: Option<StreamId>,
        after: Option<StreamId>,
    ) -> bool {
        match table.get_mut(id).map(|stream| self.which.link(stream)) {
            Some(link) if !link.on => {
                *link = Link {
                    on: true,
                    before,
                    after,
                };
                true
            }
            _ => false,
        }
    }

    /// Makes two neighbours know each other.
    fn join(&self, table: &mut Table, before: Option<StreamId>, after: Option<StreamId>) {
        if let Some(stream) = before.and_then(|id| table.get_mut(id)) {
            self.which.link(stream).after = after;
        }
        if let Some(stream) = after.and_then(|id| table.get_mut(id)) {
            self.which.link(stream).before = before;
        }
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
    use crate::common::{
        id::{
            Dir,
            Side, //
        },
        test_config,
    };
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn id(index: u64) -> StreamId {
        StreamId::new(Side::Client, Dir::Bidi, index)
    }

    fn table(count: u64) -> Table {
        let mut table = Table::default();
        for index in 0..count {
            table.insert(id(index), || Stream::new(None, None)).unwrap();
        }
        table
    }

    fn drain(list: &mut List, table: &mut Table) -> Vec<u64> {
        core::iter::from_fn(|| {
            let front = list.front()?;
            list.remove(table, front);
            Some(front.index())
        })
        .collect()
    }

    proptest! {
        #![proptest_config(test_config(200))]

        #[test]
        fn a_list_of_streams_is_a_deque(ops in prop::collection::vec((0u8..4, 0u64..12), 0..200)) {
            let mut table = table(12);
            let (mut list, mut model) = (List::new(Which::Data), VecDeque::new());
            for (op, index) in ops {
                let known = model.contains(&index);
                match op {
                    0 => {
                        list.push_back(&mut table, id(index));
                        if !known {
                            model.push_back(index);
                        }
                    }
                    1 => {
                        list.push_front(&mut table, id(index));
                        if !known {
                            model.push_front(index);
                        }
                    }
                    2 => {
                        list.remove(&mut table, id(index));
                        model.retain(|other| *other != index);
                    }
                    _ => {
                        list.rotate(&mut table);
                        if !model.is_empty() {
                            model.rotate_left(1);
                        }
                    }
                }
                prop_assert_eq!(list.front(), model.front().map(|index| id(*index)));
                prop_assert_eq!(list.is_empty(), model.is_empty());
            }
            let rest = drain(&mut list, &mut table);
            prop_assert_eq!(rest, Vec::from(model));
        }
    }

    #[test]
    fn the_two_links_of_a_stream_are_independent() {
        let mut table = table(2);
        let mut data = List::new(Which::Data);
        let mut control = List::new(Which::Control);
        data.push_back(&mut table, id(0));
        control.push_back(&mut table, id(1));
        control.push_back(&mut table, id(0));
        data.remove(&mut table, id(0));
        assert!(data.is_empty());
        assert_eq!(drain(&mut control, &mut table), [1, 0]);
    }
}
