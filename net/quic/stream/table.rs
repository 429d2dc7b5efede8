// SPDX-License-Identifier: GPL-2.0

//! The streams of a connection by id. Every lookup is O(log n).

#![forbid(unsafe_code)]

use super::{
    list::Link,
    recv::RecvHalf,
    send::SendHalf, //
};
use crate::{
    common::{
        id::StreamId,
        map::OrdMap, //
    },
    mem::{
        AllocError,
        Box, //
    },
};

/// Urgency of a stream nobody gave one (RFC 9218 4.1).
pub const DEFAULT_URGENCY: u8 = 3;

/// Control frames that a stream has to send; at most one of each kind, so the list of them cannot
/// grow with what the peer sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Control {
    /// RESET_STREAM or RESET_STREAM_AT.
    pub reset: bool,
    /// STOP_SENDING.
    pub stop: bool,
    /// MAX_STREAM_DATA.
    pub max_data: bool,
    /// STREAM_DATA_BLOCKED.
    pub blocked: bool,
}

impl Control {
    /// Whether there is anything to send.
    pub fn any(&self) -> bool {
        self.reset || self.stop || self.max_data || self.blocked
    }
}

/// A stream: one or two halves.
#[derive(Debug)]
pub struct Stream {
    /// The sending part; `None` for a unidirectional stream of the peer.
    pub send: Option<SendHalf>,
    /// The receiving part; `None` for an own unidirectional stream.
    pub recv: Option<RecvHalf>,
    /// Control frames to send.
    pub control: Control,
    /// 0 (first) to 7 (last).
    pub urgency: u8,
    /// Whether the stream shares the link with others of its urgency, or goes before those that
    /// were queued later.
    pub incremental: bool,
    /// The application has announced more data; what there is waits for it.
    pub corked: bool,
    /// The peer's limit counts the stream as over already.
    pub(super) lingers: bool,
    /// Place on the list of streams with data to send.
    pub(super) data_link: Link,
    /// Place on the list of streams with control frames to send.
    pub(super) control_link: Link,
}

impl Stream {
    /// A stream with the given halves and default priority.
    pub fn new(send: Option<SendHalf>, recv: Option<RecvHalf>) -> Self {
        Self {
            send,
            recv,
            control: Control::default(),
            urgency: DEFAULT_URGENCY,
            incremental: true,
            corked: false,
            lingers: false,
            data_link: Link::default(),
            control_link: Link::default(),
        }
    }

    /// Whether nothing more can happen in either direction.
    pub fn is_finished(&self) -> bool {
        let sent = self
            .send
            .as_ref()
            .is_none_or(|half| half.state().is_terminal());
        sent && self.is_read()
    }

    /// Whether the application has nothing more to do with the stream: it has read everything and
    /// written its own end.
    pub fn is_done_with(&self) -> bool {
        self.send.as_ref().is_none_or(SendHalf::is_ended) && self.is_read()
    }

    /// Whether nothing more can come, or be read.
    fn is_read(&self) -> bool {
        self.recv
            .as_ref()
            .is_none_or(|half| half.state().is_terminal())
    }
}

/// All streams that exist, by id.
#[derive(Debug, Default)]
pub struct Table {
    streams: OrdMap<StreamId, Box<Stream>>,
}

impl Table {
    /// The stream `id`.
    pub fn get(&self, id: StreamId) -> Option<&Stream> {
        self.streams.get(&id).map(|stream| &**stream)
    }

    /// The stream `id`, to be changed.
    pub fn get_mut(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.streams.get_mut(&id).map(|stream| &mut **stream)
    }

    /// Whether the stream exists.
    pub fn contains(&self, id: StreamId) -> bool {
        self.streams.contains_key(&id)
    }

    /// Adds a stream; `make` runs only when there is memory for it.
    pub fn insert(
        &mut self,
        id: StreamId,
        make: impl FnOnce() -> Stream,
    ) -> Result<(), AllocError> {
        let stream = Box::try_new_with(make)?;
        self.streams.insert(id, stream)?;
        Ok(())
    }

    /// Takes a stream out; it must be on no list.
    pub fn remove(&mut self, id: StreamId) -> Option<Box<Stream>> {
        self.streams.remove(&id)
    }

    /// Count of streams.
    pub fn len(&self) -> usize {
        self.streams.len()
    }

    /// Memory of all streams, in bytes to charge: each is an object of a slab whose sizes are powers
    /// of two, and has a place in the map.
    pub fn truesize(&self) -> usize {
        const EACH: usize = size_of::<Stream>().next_power_of_two() + 64;
        self.len().saturating_mul(EACH)
    }

    /// The id of the first stream at or above `id`.
    pub fn next_id(&self, id: StreamId) -> Option<StreamId> {
        self.streams.ceiling(&id).map(|(id, _)| id)
    }

    /// All streams in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (StreamId, &Stream)> {
        self.streams.iter().map(|(id, stream)| (id, &**stream))
    }

    /// All streams in order of their ids, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (StreamId, &mut Stream)> {
        self.streams
            .iter_mut()
            .map(|(id, stream)| (id, &mut **stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_finished_when_both_halves_are() {
        let stream = Stream::new(None, Some(RecvHalf::new(10, 10)));
        assert!(!stream.is_finished());
        assert!(Stream::new(None, None).is_finished());
    }
}
