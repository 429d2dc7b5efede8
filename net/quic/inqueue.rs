// SPDX-License-Identifier: GPL-2.0

//! The one queue of what an application reads: stream data and datagrams in order of arrival.
//!
//! The queue holds no stream data, only the order: an item says that `len` more bytes of a stream
//! came into order, or that the stream ended. Bytes of one stream that follow each other make one
//! item. The items of one stream are linked, so that a reset takes them out without a walk over
//! the others. Handshake messages and events come before this queue and are kept elsewhere.
//!
//! Items fed by the peer are bounded: each stands for a byte of flow-control credit, for the end
//! of a stream, or for a datagram; datagrams beyond [`MAX_DATAGRAM_MEMORY`] are dropped, as
//! RFC 9221 5.2 allows. Their memory is in [`InQueue::truesize`].

#![forbid(unsafe_code)]

use crate::{
    buf::RxSlice,
    common::{
        id::StreamId,
        map::OrdMap, //
    },
    mem::AllocError,
};

/// Memory for datagrams that nobody reads, in bytes of truesize.
pub const MAX_DATAGRAM_MEMORY: usize = 1 << 20;

/// What an item costs besides what it stands for.
const ITEM_TRUESIZE: usize = 64;

/// What comes next for the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readable {
    /// Data of a stream, or its end.
    Stream {
        /// The stream.
        id: StreamId,
    },
    /// A datagram (RFC 9221).
    Datagram,
}

/// A stretch of stream data in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The stream.
    pub id: StreamId,
    /// Bytes; 0 if only the end came.
    pub len: u64,
    /// Whether the stream ends behind the bytes.
    pub fin: bool,
}

/// The items of one stream: sequence numbers of the first and the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chain(Option<(u64, u64)>);

impl Chain {
    /// Whether the stream has nothing in the queue.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

#[derive(Debug)]
enum Item {
    Stream {
        stretch: Stretch,
        /// The stream's next item.
        next: Option<u64>,
    },
    Datagram(RxSlice),
}

/// What the application has to read, in order.
#[derive(Debug, Default)]
pub struct InQueue {
    /// Items by sequence number.
    items: OrdMap<u64, Item>,
    next_seq: u64,
    /// Memory of datagrams: to charge, and with their shares of batches.
    datagram_memory: usize,
    datagram_shares: usize,
}

impl InQueue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing can be read.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Memory held, in bytes to charge.
    pub fn truesize(&self) -> usize {
        self.items
            .len()
            .saturating_mul(ITEM_TRUESIZE)
            .saturating_add(self.datagram_memory)
    }

    /// What comes next.
    pub fn front(&self) -> Option<Readable> {
        self.items.first().map(|(_, item)| match item {
            Item::Stream { stretch, .. } => Readable::Stream { id: stretch.id },
            Item::Datagram(_) => Readable::Datagram,
        })
    }

    /// The stretch of stream data that comes next, if it is stream data.
    pub fn front_stretch(&self) -> Option<Stretch> {
        match self.items.first() {
            Some((_, Item::Stream { stretch, .. })) => Some(*stretch),
            _ => None,
        }
    }

    /// Adds bytes, or the end, of a stream whose items are `chain`.
    pub fn push_stream(&mut self, chain: &mut Chain, more: Stretch) -> Result<(), AllocError> {
        if self.extend_last(chain, more) {
            return Ok(());
        }
        let seq = self.next_seq;
        let item = Item::Stream {
            stretch: more,
            next: None,
        };
        self.items.insert(seq, item)?;
        self.next_seq = seq.saturating_add(1);
        let first = match chain.0 {
            Some((first, last)) => {
                if let Some(Item::Stream { next, .. }) = self.items.get_mut(&last) {
                    *next = Some(seq);
                }
                first
            }
            None => seq,
        };
        chain.0 = Some((first, seq));
        Ok(())
    }

    /// Takes `count` bytes of the stretch that comes next, which belongs to `chain`; the stretch
    /// goes when nothing of it is left. Returns whether that was the end of the stream.
    pub fn consume(&mut self, chain: &mut Chain, count: u64) -> bool {
        let Some((seq, Item::Stream { stretch, next })) = self.items.first_mut() else {
            return false;
        };
        let next = *next;
        stretch.len = stretch.len.saturating_sub(count);
        if stretch.len > 0 {
            return false;
        }
        let fin = stretch.fin;
        self.items.remove(&seq);
        chain.0 = match (next, chain.0) {
            (Some(next), Some((_, last))) => Some((next, last)),
            _ => None,
        };
        fin
    }

    /// Takes all items of a stream out of the queue.
    pub fn remove_stream(&mut self, chain: &mut Chain) {
        let mut at = chain.0.take().map(|(first, _)| first);
        while let Some(seq) = at {
            at = match self.items.remove(&seq) {
                Some(Item::Stream { next, .. }) => next,
                _ => None,
            };
        }
    }

    /// Adds a datagram. Returns whether there was room for it.
    pub fn push_datagram(&mut self, slice: RxSlice) -> Result<bool, AllocError> {
        let memory = self.datagram_memory.saturating_add(slice.truesize());
        let shares = self.datagram_shares.saturating_add(slice.memory_share());
        if shares > MAX_DATAGRAM_MEMORY {
            return Ok(false);
        }
        let seq = self.next_seq;
        self.items.insert(seq, Item::Datagram(slice))?;
        self.next_seq = seq.saturating_add(1);
        self.datagram_memory = memory;
        self.datagram_shares = shares;
        Ok(true)
    }

    /// The datagram that comes next, if it is one.
    pub fn front_datagram(&mut self) -> Option<&mut RxSlice> {
        match self.items.first_mut() {
            Some((_, Item::Datagram(slice))) => Some(slice),
            _ => None,
        }
    }

    /// Drops the datagram that comes next.
    pub fn pop_datagram(&mut self) {
        if self.front() != Some(Readable::Datagram) {
            return;
        }
        if let Some((_, Item::Datagram(slice))) = self.items.pop_first() {
            let (memory, share) = (slice.truesize(), slice.memory_share());
            self.datagram_memory = self.datagram_memory.saturating_sub(memory);
            self.datagram_shares = self.datagram_shares.saturating_sub(share);
        }
    }

    /// Adds to the newest item if it is the stream's own; its end cannot come twice.
    fn extend_last(&mut self, chain: &Chain, more: Stretch) -> bool {
        let Some((_, last)) = chain.0 else {
            return false;
        };
        match self.items.last_mut() {
            Some((seq, Item::Stream { stretch, .. })) if seq == last && !stretch.fin => {
                stretch.len = stretch.len.saturating_add(more.len);
                stretch.fin = more.fin;
                true
            }
            _ => false,
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
    use crate::{
        buf::Datagram,
        common::id::{
            Dir,
            Side, //
        },
        mem::fail,
    };

    fn id(index: u64) -> StreamId {
        StreamId::new(Side::Client, Dir::Bidi, index)
    }

    fn stretch(index: u64, len: u64, fin: bool) -> Stretch {
        Stretch {
            id: id(index),
            len,
            fin,
        }
    }

    fn datagram(len: usize) -> RxSlice {
        let datagram = Datagram::try_from_slice(&std::vec![1; len]).unwrap();
        datagram.retain(0, len).unwrap()
    }

    #[test]
    fn bytes_of_one_stream_that_follow_each_other_are_one_item() {
        let (mut queue, mut a, mut b) = (InQueue::new(), Chain::default(), Chain::default());
        queue.push_stream(&mut a, stretch(0, 3, false)).unwrap();
        queue.push_stream(&mut a, stretch(0, 4, false)).unwrap();
        queue.push_stream(&mut b, stretch(1, 5, false)).unwrap();
        queue.push_stream(&mut a, stretch(0, 2, true)).unwrap();
        assert_eq!(queue.front_stretch(), Some(stretch(0, 7, false)));
        assert!(!queue.consume(&mut a, 7));
        assert_eq!(queue.front_stretch(), Some(stretch(1, 5, false)));
        assert!(!queue.consume(&mut b, 4));
        assert_eq!(queue.front_stretch(), Some(stretch(1, 1, false)));
        assert!(!queue.consume(&mut b, 1));
        assert!(b.is_empty());
        assert_eq!(queue.front_stretch(), Some(stretch(0, 2, true)));
        assert!(queue.consume(&mut a, 2));
        assert!(a.is_empty() && queue.is_empty());
    }

    #[test]
    fn an_end_without_bytes_is_an_item_of_its_own_unless_its_bytes_wait() {
        let (mut queue, mut a, mut b) = (InQueue::new(), Chain::default(), Chain::default());
        queue.push_stream(&mut a, stretch(0, 3, false)).unwrap();
        queue.push_stream(&mut a, stretch(0, 0, true)).unwrap();
        assert_eq!(queue.front_stretch(), Some(stretch(0, 3, true)));
        queue.push_stream(&mut b, stretch(1, 0, true)).unwrap();
        assert!(queue.consume(&mut a, 3));
        assert_eq!(queue.front_stretch(), Some(stretch(1, 0, true)));
        assert!(queue.consume(&mut b, 0));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_reset_takes_out_the_streams_items_and_no_others() {
        let (mut queue, mut a, mut b) = (InQueue::new(), Chain::default(), Chain::default());
        for _ in 0..3 {
            queue.push_stream(&mut a, stretch(0, 1, false)).unwrap();
            queue.push_stream(&mut b, stretch(1, 1, false)).unwrap();
        }
        queue.consume(&mut a, 1);
        queue.remove_stream(&mut a);
        assert!(a.is_empty());
        for _ in 0..3 {
            assert_eq!(queue.front_stretch(), Some(stretch(1, 1, false)));
            queue.consume(&mut b, 1);
        }
        assert!(queue.is_empty());
        assert_eq!(queue.truesize(), 0);
    }

    #[test]
    fn datagrams_keep_their_place_and_are_bounded() {
        let (mut queue, mut a) = (InQueue::new(), Chain::default());
        queue.push_stream(&mut a, stretch(0, 3, false)).unwrap();
        assert!(queue.push_datagram(datagram(10)).unwrap());
        queue.push_stream(&mut a, stretch(0, 3, false)).unwrap();
        assert!(queue.front_datagram().is_none());
        queue.pop_datagram();
        assert_eq!(queue.front(), Some(Readable::Stream { id: id(0) }));
        queue.consume(&mut a, 3);
        assert_eq!(queue.front_datagram().map(|slice| slice.len()), Some(10));
        queue.pop_datagram();
        assert_eq!(queue.front_stretch(), Some(stretch(0, 3, false)));
        queue.remove_stream(&mut a);
        let mut kept = 0;
        while queue.push_datagram(datagram(1000)).unwrap() {
            kept += 1;
        }
        assert!(kept > 900 && queue.truesize() <= MAX_DATAGRAM_MEMORY + kept * ITEM_TRUESIZE);
    }

    #[test]
    fn without_memory_the_queue_and_the_chain_stay_as_they_were() {
        let (mut queue, mut a) = (InQueue::new(), Chain::default());
        fail::after(0);
        assert!(queue.push_stream(&mut a, stretch(0, 3, false)).is_err());
        fail::off();
        assert!(queue.is_empty() && a.is_empty());
        queue.push_stream(&mut a, stretch(0, 3, true)).unwrap();
        assert_eq!(queue.front_stretch(), Some(stretch(0, 3, true)));
    }
}
