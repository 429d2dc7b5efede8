// SPDX-License-Identifier: GPL-2.0

//! Frames that carry or end received data: STREAM, RESET_STREAM and RESET_STREAM_AT.

#![forbid(unsafe_code)]

use super::{
    lookup::{
        Found,
        Half, //
    },
    piece::Source,
    recv::RecvHalf,
    recv_state::RecvState,
    Streams, //
};
use crate::{
    buf::Datagram,
    common::{
        cx::Cx,
        error::TransportError,
        id::StreamId, //
    },
    conn::event::{
        Event,
        Events, //
    },
    frame::StreamFrame,
    inqueue::Stretch,
};

impl Streams {
    /// Takes the data of a STREAM frame.
    ///
    /// The bytes are kept by reference to `datagram`, where the packet's payload begins at `base`
    /// (the frame knows its place in the payload), or copied when they are few. When there is no
    /// memory or room for them the frame is refused: see [`Self::take_refused`].
    pub fn on_stream(
        &mut self,
        cx: &mut Cx<'_>,
        frame: &StreamFrame<'_>,
        datagram: &Datagram,
        base: usize,
        events: &mut Events,
    ) -> Result<(), TransportError> {
        let id = frame.id;
        if self.find_for_frame(id, Half::Recv)? == Found::Gone {
            return Ok(());
        }
        if !self.account(id, frame)? {
            return Ok(());
        }
        let source = Source {
            datagram,
            at: base.saturating_add(frame.at),
            len: frame.data.len(),
        };
        let is_refused = self.store(id, frame.offset, &source).is_none();
        self.refused_stream = is_refused.then_some(id);
        if is_refused {
            self.refused = true;
            cx.stats.frm_rcv_buf_drop = cx.stats.frm_rcv_buf_drop.wrapping_add(1);
            return Ok(());
        }
        self.tell(id, events);
        self.complete_reset(id, events);
        self.finish_discarding(id);
        Ok(())
    }

    /// Takes a RESET_STREAM frame.
    pub fn on_reset_stream(
        &mut self,
        id: StreamId,
        code: u64,
        final_size: u64,
        events: &mut Events,
    ) -> Result<(), TransportError> {
        self.on_reset_stream_at(id, code, final_size, 0, events)
    }

    /// Takes a RESET_STREAM_AT frame: data below `reliable_size` is delivered nevertheless.
    pub fn on_reset_stream_at(
        &mut self,
        id: StreamId,
        code: u64,
        final_size: u64,
        reliable_size: u64,
        events: &mut Events,
    ) -> Result<(), TransportError> {
        if self.find_for_frame(id, Half::Recv)? == Found::Gone {
            return Ok(());
        }
        let Some(recv) = recv_mut(&mut self.table, id) else {
            return Ok(());
        };
        let more = recv.check(final_size, 0, true)?;
        self.recv_credit.check(more)?;
        // All data is here: the reset says nothing new, and the application gets the data.
        if !recv.state().is_receiving() && recv.state() != RecvState::ResetRecvd {
            return Ok(());
        }
        recv.set_reset(code, reliable_size)?;
        recv.credit_mut().on_received(more)?;
        self.recv_credit.on_received(more)?;
        recv.set_final_size(final_size);
        recv.is_known = true;
        self.complete_reset(id, events);
        Ok(())
    }

    /// Checks a STREAM frame and accounts its bytes. Returns whether there is anything to do with
    /// the bytes themselves. The receiving part must exist.
    fn account(&mut self, id: StreamId, frame: &StreamFrame<'_>) -> Result<bool, TransportError> {
        let Some(recv) = recv_mut(&mut self.table, id) else {
            return Ok(false);
        };
        // CAST: a length fits into 64 bits.
        let len = frame.data.len() as u64;
        let more = recv.check(frame.offset, len, frame.fin)?;
        if !recv.state().is_receiving() {
            return Ok(false);
        }
        self.recv_credit.on_received(more)?;
        recv.credit_mut().on_received(more)?;
        if frame.fin {
            // RFC 9000 4.5 #1: the final size is what the credit is accounted by.
            recv.set_final_size(frame.offset.saturating_add(len));
        }
        if recv.is_discarding() {
            // RFC 9000 3.5: counted, though nobody will read it.
            recv.credit_mut().on_discarded(more);
            self.recv_credit.on_discarded(more);
            self.note_connection_credit();
        }
        Ok(true)
    }

    /// Stores bytes and queues what has come into order; `None` if there is no memory or room.
    fn store(&mut self, id: StreamId, offset: u64, source: &Source<'_>) -> Option<()> {
        let used = self.recv_truesize();
        let is_wanting = self.is_exhausted();
        let recv = recv_mut(&mut self.table, id)?;
        if recv.is_discarding() {
            return Some(());
        }
        // Once something can be read, the rest waits until it was.
        let here = recv.data().contiguous();
        let end = offset.saturating_add(source.len as u64);
        if is_wanting && end > here && (offset > here || !self.inqueue.is_empty()) {
            return None;
        }
        let before = recv.data().truesize();
        let room = self.recv_limit.saturating_sub(used).saturating_add(before);
        let stored = recv.data_mut().insert(offset, source, room);
        let after = recv.data().truesize();
        // What has come into order is queued even if the frame was refused in part.
        let (len, fin) = recv.unqueued();
        let mut queued = Ok(());
        if len > 0 || fin {
            let more = Stretch { id, len, fin };
            queued = self.inqueue.push_stream(&mut recv.chain, more);
            if queued.is_ok() {
                recv.on_queued();
            }
        }
        self.account_recv(before, after);
        stored.ok()?;
        queued.ok()
    }

    /// Tells the application what a STREAM frame has changed (uapi 9).
    fn tell(&mut self, id: StreamId, events: &mut Events) {
        let Some(recv) = recv_mut(&mut self.table, id) else {
            return;
        };
        let first = !core::mem::replace(&mut recv.is_known, true);
        if first && !recv.is_discarding() {
            events.push(update(id, RecvState::Recv, recv));
        }
        let state = recv.state();
        if state != RecvState::Recv && recv.told != Some(state) && !recv.is_discarding() {
            recv.told = Some(state);
            if recv.reset().is_none() {
                events.push(update(id, state, recv));
            }
        }
        if !recv.chain.is_empty() {
            events.wake_readable();
        }
    }

    /// Ends a stream that was reset once all is here that the reset leaves to be delivered.
    fn complete_reset(&mut self, id: StreamId, events: &mut Events) {
        let Some(recv) = recv_mut(&mut self.table, id) else {
            return;
        };
        if !recv.is_reset_complete() {
            return;
        }
        let drop_all = recv.is_discarding() || recv.reset().is_some_and(|r| r.reliable == 0);
        let before = recv.data().truesize();
        let unread = recv.finish_reset(drop_all);
        let after = recv.data().truesize();
        if drop_all {
            self.inqueue.remove_stream(&mut recv.chain);
        }
        events.push(update(id, RecvState::ResetRecvd, recv));
        recv.finish_reading();
        if let Some(stream) = self.table.get_mut(id) {
            stream.control.stop = false;
            stream.control.max_data = false;
        }
        self.account_recv(before, after);
        self.recv_credit.on_discarded(unread);
        self.note_connection_credit();
        self.release_if_finished(id);
    }

    /// Ends the receiving part of a stream whose data is thrown away, when it can end.
    pub(super) fn finish_discarding(&mut self, id: StreamId) {
        if let Some(recv) = recv_mut(&mut self.table, id) {
            if recv.is_discarding() {
                recv.finish_discarding();
                self.release_if_finished(id);
            }
        }
    }
}

/// The receiving part of a stream.
pub(super) fn recv_mut(table: &mut super::Table, id: StreamId) -> Option<&mut RecvHalf> {
    table.get_mut(id)?.recv.as_mut()
}

/// The event that tells of a receiving part's state.
fn update(id: StreamId, state: RecvState, recv: &RecvHalf) -> Event {
    Event::StreamUpdate {
        id,
        state: state.number(),
        errcode: recv.reset().map_or(0, |reset| reset.code),
        finalsz: recv.final_size().unwrap_or(0),
    }
}
