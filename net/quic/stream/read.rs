// SPDX-License-Identifier: GPL-2.0

//! Reading: stream data and datagrams in the one order of the queue (uapi 6).

#![forbid(unsafe_code)]

use super::{
    input::recv_mut,
    Streams, //
};
use crate::{
    buf::{
        Datagram,
        RxSlice, //
    },
    common::{
        error::Error,
        id::StreamId,
        memory::Memory,
        time::Instant, //
    },
    conn::event::Events,
    inqueue::{
        Chain,
        InQueue,
        Readable,
        Stretch, //
    },
};

/// Where read bytes go: the callee takes some of the bytes and says how many.
pub type Sink<'a> = dyn FnMut(&[u8]) -> Result<usize, Error> + 'a;

/// What a read has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadOutcome {
    /// What was read.
    pub what: Readable,
    /// Count of bytes.
    pub bytes: u64,
    /// The last byte ends the stream, or the datagram.
    pub is_end: bool,
}

impl Streams {
    /// What the next [`Self::read`] will bring, if there is anything.
    pub fn next_readable(&self) -> Option<Readable> {
        self.inqueue.front()
    }

    /// Reads at most `max` bytes of what comes next: consecutive bytes of one stream up to its
    /// end, or of one datagram. A datagram that does not fit is read on by the next call.
    ///
    /// Reading gives credit back to the peer, and lets its window grow by the time `now`.
    /// [`Error::WouldBlock`] if there is nothing; an error of `sink` if nothing was read before.
    pub fn read(
        &mut self,
        now: Instant,
        max: u64,
        sink: &mut Sink<'_>,
    ) -> Result<ReadOutcome, Error> {
        match self.inqueue.front() {
            Some(Readable::Stream { id }) => self.read_stream(id, now, max, sink),
            Some(Readable::Datagram) => read_datagram(&mut self.inqueue, max, sink),
            None => Err(Error::WouldBlock),
        }
    }

    /// As [`Self::read`], and leaves everything as it is (MSG_PEEK).
    pub fn peek(&mut self, max: u64, sink: &mut Sink<'_>) -> Result<ReadOutcome, Error> {
        let Some(stretch) = self.inqueue.front_stretch() else {
            let slice = self.inqueue.front_datagram().ok_or(Error::WouldBlock)?;
            let bytes = offer(slice, max, sink)?;
            return Ok(ReadOutcome {
                what: Readable::Datagram,
                bytes: bytes as u64,
                is_end: bytes == slice.len(),
            });
        };
        let recv = recv_mut(&mut self.table, stretch.id).ok_or(Error::WouldBlock)?;
        let bytes = recv.data().peek(max.min(stretch.len), sink)?;
        Ok(ReadOutcome {
            what: Readable::Stream { id: stretch.id },
            bytes,
            is_end: stretch.fin && bytes == stretch.len,
        })
    }

    /// Queues the datagram of `len` bytes at `at` behind what was received before. Without memory
    /// or room it is dropped, as datagrams may be (RFC 9221 5.2). Returns whether it was kept.
    pub fn on_datagram(
        &mut self,
        datagram: &Datagram,
        at: usize,
        len: usize,
        events: &mut Events,
    ) -> bool {
        if self.is_exhausted() && !self.inqueue.is_empty() {
            return false;
        }
        let kept = datagram
            .retain(at, len)
            .and_then(|slice| self.inqueue.push_datagram(slice));
        if kept == Ok(true) {
            events.wake_readable();
        }
        kept == Ok(true)
    }

    fn read_stream(
        &mut self,
        id: StreamId,
        now: Instant,
        max: u64,
        sink: &mut Sink<'_>,
    ) -> Result<ReadOutcome, Error> {
        let (rtt, is_scarce) = (self.rtt, self.memory != Memory::Plenty);
        let Some(recv) = recv_mut(&mut self.table, id) else {
            // Items go with their stream; should one ever stay, it must not block the others.
            self.inqueue.consume(&mut Chain::default(), u64::MAX);
            return Err(Error::WouldBlock);
        };
        let before = recv.data().truesize();
        let mut outcome = ReadOutcome {
            what: Readable::Stream { id },
            bytes: 0,
            is_end: false,
        };
        while let Some(stretch) = next_of(&self.inqueue, id) {
            let want = stretch.len.min(max.saturating_sub(outcome.bytes));
            let took = match recv.data_mut().read(want, sink) {
                Ok(took) => took,
                Err(error) if outcome.bytes == 0 => return Err(error),
                Err(_) => break,
            };
            outcome.bytes = outcome.bytes.saturating_add(took);
            if took == stretch.len || took > 0 {
                outcome.is_end = self.inqueue.consume(&mut recv.chain, took);
            }
            if outcome.is_end || took < stretch.len {
                break;
            }
        }
        let bytes = outcome.bytes;
        if is_scarce {
            recv.credit_mut().on_read_scarce(bytes);
            self.recv_credit.on_read_scarce(bytes);
        } else {
            recv.credit_mut().on_read(bytes, now, rtt);
            self.recv_credit.on_read(bytes, now, rtt);
        }
        let grants = recv.may_grant() && recv.credit().wants_update();
        recv.finish_reading();
        let after = recv.data().truesize();
        self.account_recv(before, after);
        self.note_connection_credit();
        if grants {
            if let Some(stream) = self.table.get_mut(id) {
                stream.control.max_data = true;
            }
            self.schedule_control(id);
        }
        self.release_if_finished(id);
        Ok(outcome)
    }
}

/// The stretch in front if it is one of stream `id`.
fn next_of(queue: &InQueue, id: StreamId) -> Option<Stretch> {
    queue.front_stretch().filter(|stretch| stretch.id == id)
}

fn read_datagram(queue: &mut InQueue, max: u64, sink: &mut Sink<'_>) -> Result<ReadOutcome, Error> {
    let slice = queue.front_datagram().ok_or(Error::WouldBlock)?;
    let bytes = offer(slice, max, sink)?;
    slice.advance(bytes);
    let is_end = slice.is_empty();
    if is_end {
        queue.pop_datagram();
    }
    Ok(ReadOutcome {
        what: Readable::Datagram,
        bytes: bytes as u64,
        is_end,
    })
}

/// Offers at most `max` bytes of a datagram; returns how many were taken.
fn offer(slice: &RxSlice, max: u64, sink: &mut Sink<'_>) -> Result<usize, Error> {
    slice.with_bytes(|bytes| {
        let want = bytes.len().min(usize::try_from(max).unwrap_or(usize::MAX));
        let took = sink(bytes.get(..want).unwrap_or_default())?;
        Ok(took.min(want))
    })
}
