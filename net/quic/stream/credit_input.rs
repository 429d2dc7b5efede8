// SPDX-License-Identifier: GPL-2.0

//! Frames about credit and about stopping: MAX_DATA, MAX_STREAM_DATA, MAX_STREAMS, the *_BLOCKED
//! frames and STOP_SENDING.
//!
//! What such a frame is answered with is a flag, not a queue entry: however many of them arrive,
//! at most one frame of a kind waits to be sent.

#![forbid(unsafe_code)]

use super::{
    input::recv_mut,
    lookup::{
        Found,
        Half, //
    },
    send::SendHalf,
    send_state::SendState,
    Streams, //
};
use crate::{
    common::{
        error::TransportError,
        id::{
            Dir,
            StreamId, //
        }, //
    },
    conn::event::{
        Event,
        Events, //
    },
};

impl Streams {
    /// Takes a MAX_DATA frame.
    pub fn on_max_data(&mut self, max: u64, events: &mut Events) {
        if self.send_credit.raise(max) {
            self.has_risen = true;
            events.wake_writable();
        }
    }

    /// Takes a MAX_STREAM_DATA frame.
    pub fn on_max_stream_data(
        &mut self,
        id: StreamId,
        max: u64,
        events: &mut Events,
    ) -> Result<(), TransportError> {
        if self.find_for_frame(id, Half::Send)? == Found::Gone {
            return Ok(());
        }
        let Some(send) = send_mut(&mut self.table, id) else {
            return Ok(());
        };
        // A stream that has sent its end needs credit only if that was in rejected early data, but
        // taking it never harms.
        if !send.state().may_send_data() {
            return Ok(());
        }
        let is_open = matches!(send.state(), SendState::Ready | SendState::Send);
        if send.credit_mut().raise(max) {
            self.schedule_data(id);
            if is_open {
                events.push(Event::MaxStreamData { id, max });
            }
            events.wake_writable();
        }
        Ok(())
    }

    /// Takes a MAX_STREAMS frame.
    pub fn on_max_streams(
        &mut self,
        dir: Dir,
        max: u64,
        events: &mut Events,
    ) -> Result<(), TransportError> {
        check_count(max)?;
        // RFC 9000 4.6 #4, RFC 9000 19.11 #2
        if self.allowed.get_mut(dir).raise(max) {
            self.has_risen = true;
            let highest = StreamId::new(self.side, dir, max.saturating_sub(1));
            events.push(Event::MaxStreams {
                id_limit: highest.raw(),
            });
            events.wake_streams();
        }
        Ok(())
    }

    /// Takes a STOP_SENDING frame: the stream is reset with the peer's code.
    pub fn on_stop_sending(
        &mut self,
        id: StreamId,
        code: u64,
        events: &mut Events,
    ) -> Result<(), TransportError> {
        if self.find_for_frame(id, Half::Send)? == Found::Gone {
            return Ok(());
        }
        // A code that is on its way must not change; what was to be delivered is no longer wanted.
        let send = send_mut(&mut self.table, id);
        let code = send
            .and_then(|send| send.reset_asked())
            .map_or(code, |reset| reset.code);
        // RFC 9000 3.5 #2, RFC 9000 3.5 #5
        if self.reset_sending(id, code, 0) {
            if let Some(send) = send_mut(&mut self.table, id) {
                events.push(send_update(id, send));
            }
            events.wake_writable();
        }
        Ok(())
    }

    /// Takes a DATA_BLOCKED frame.
    pub fn on_data_blocked(&mut self, _limit: u64) {
        // The peer waits: a small increase is worth a frame now.
        self.pending.max_data |= self.recv_credit.can_update();
    }

    /// Takes a STREAM_DATA_BLOCKED frame.
    pub fn on_stream_data_blocked(
        &mut self,
        id: StreamId,
        _limit: u64,
        _events: &mut Events,
    ) -> Result<(), TransportError> {
        if self.find_for_frame(id, Half::Recv)? == Found::Gone {
            return Ok(());
        }
        let grants = recv_mut(&mut self.table, id)
            .is_some_and(|recv| recv.may_grant() && recv.credit().can_update());
        if grants {
            if let Some(stream) = self.table.get_mut(id) {
                stream.control.max_data = true;
            }
            self.schedule_control(id);
        }
        Ok(())
    }

    /// Takes a STREAMS_BLOCKED frame.
    pub fn on_streams_blocked(&mut self, dir: Dir, limit: u64) -> Result<(), TransportError> {
        // RFC 9000 19.14 #2
        check_count(limit)?;
        let granted = self.granted.get(dir);
        if granted.next_limit() > granted.limit() {
            *self.pending.max_streams.get_mut(dir) = true;
        }
        Ok(())
    }

    /// Resets the sending part of a stream but for its first `reliable` bytes. Returns whether its
    /// state allowed that.
    pub(super) fn reset_sending(&mut self, id: StreamId, code: u64, reliable: u64) -> bool {
        let Some(send) = send_mut(&mut self.table, id) else {
            return false;
        };
        let before = send.buffer().truesize();
        let Some(unused) = send.reset(code, reliable) else {
            return false;
        };
        let after = send.buffer().truesize();
        let is_due = send.reset_to_send().is_some();
        if let Some(stream) = self.table.get_mut(id) {
            stream.control.reset = is_due;
            stream.control.blocked = false;
            stream.corked = false;
        }
        self.account_send(before, after);
        self.send_credit.give_back(unused);
        self.schedule.remove(&mut self.table, id);
        self.schedule_data(id);
        self.schedule_control(id);
        true
    }

    /// Asks for a MAX_DATA frame if it is worth one.
    pub(super) fn note_connection_credit(&mut self) {
        self.pending.max_data |= self.recv_credit.wants_update();
    }
}

/// The sending part of a stream.
pub(super) fn send_mut(table: &mut super::Table, id: StreamId) -> Option<&mut SendHalf> {
    table.get_mut(id)?.send.as_mut()
}

/// The event that tells of a sending part's state.
pub(super) fn send_update(id: StreamId, send: &SendHalf) -> Event {
    Event::StreamUpdate {
        id,
        state: send.state().number(),
        errcode: send.reset_code(),
        finalsz: send.final_size(),
    }
}

/// Refuses a count of streams that no stream id can reach.
fn check_count(count: u64) -> Result<(), TransportError> {
    // RFC 9000 4.6 #1, RFC 9000 19.11 #1
    if count > StreamId::MAX_STREAMS {
        return Err(TransportError::frame_encoding("more than 2^60 streams"));
    }
    Ok(())
}
