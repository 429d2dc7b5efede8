// SPDX-License-Identifier: GPL-2.0

//! Which stream a frame or a call means, and how streams come and go.

#![forbid(unsafe_code)]

use super::{
    limits::Absent,
    recv::RecvHalf,
    send::SendHalf,
    table::Stream,
    Streams, //
};
use crate::{
    buf::Pinned,
    common::{
        error::TransportError,
        id::{
            Dir,
            StreamId, //
        }, //
    },
    mem::AllocError,
};

/// Streams that a connection may have without memory for them.
const ALWAYS: usize = 16;

/// The half of a stream that a frame is about, seen from this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Send,
    Recv,
}

/// What became of the stream a frame names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It exists.
    Here,
    /// It is over; the frame is late and means nothing any more.
    Gone,
}

impl Streams {
    /// Finds the stream of a frame that is about `half`, and makes it if the peer opens it thus.
    ///
    /// Without memory for it the frame is refused, which looks like a stream that is over.
    pub(super) fn find_for_frame(
        &mut self,
        id: StreamId,
        half: Half,
    ) -> Result<Found, TransportError> {
        let own = self.is_own(id);
        match (own, id.dir(), half) {
            // RFC 9000 19.8 #1, RFC 9000 19.4 #1, RFC 9000 19.13 #2
            (true, Dir::Uni, Half::Recv) => {
                return Err(TransportError::stream_state("frame for a send-only stream"));
            }
            // RFC 9000 19.10 #2, RFC 9000 19.5 #2
            (false, Dir::Uni, Half::Send) => {
                return Err(TransportError::stream_state(
                    "frame for a receive-only stream",
                ));
            }
            _ => {}
        }
        if self.table.contains(id) {
            return Ok(Found::Here);
        }
        match self.opened(id).absent(id.index()) {
            Absent::Released => return Ok(Found::Gone),
            // RFC 9000 19.8 #1, RFC 9000 19.10 #1, RFC 9000 19.5 #1
            Absent::Unopened if own => {
                return Err(TransportError::stream_state(
                    "frame for a stream not opened",
                ));
            }
            // RFC 9000 4.6 #3, RFC 9000 19.11 #4
            Absent::Unopened if id.index() >= self.granted.get(id.dir()).limit() => {
                return Err(TransportError::stream_limit("stream above the limit"));
            }
            Absent::Implicit | Absent::Unopened => {}
        }
        // The peer may name own streams too that were opened with a higher one.
        if self.is_at_bound(id) || self.lacks_memory_for_stream() || self.create(id).is_err() {
            self.refused = true;
            return Ok(Found::Gone);
        }
        Ok(Found::Here)
    }

    /// The account of batches.
    pub fn pinned(&self) -> &Pinned {
        &self.pinned
    }

    /// Memory held for the streams themselves, in bytes to charge.
    pub fn object_truesize(&self) -> usize {
        self.table.truesize()
    }

    /// Whether an own stream can be opened since the last call for which there was no room before:
    /// those who wait for that are to be woken.
    #[must_use]
    #[inline]
    pub fn take_room(&mut self) -> bool {
        core::mem::take(&mut self.has_room)
    }

    /// What [`Self::take_room`] would say.
    pub fn has_room(&self) -> bool {
        self.has_room
    }

    /// Where a stream that does not exist stands.
    pub(super) fn absent(&self, id: StreamId) -> Absent {
        self.opened(id).absent(id.index())
    }

    /// Whether a stream must wait for another own one of its type to end.
    pub(super) fn is_at_bound(&self, id: StreamId) -> bool {
        self.is_own(id) && self.opened(id).is_full()
    }

    /// Whether what memory there is is for streams that exist; some there may always be.
    fn lacks_memory_for_stream(&self) -> bool {
        self.is_exhausted() && self.table.len() >= ALWAYS
    }

    /// Makes a stream, which opens all lower ones of its type. On failure nothing has changed.
    pub(super) fn create(&mut self, id: StreamId) -> Result<(), AllocError> {
        let own = self.is_own(id);
        let index = id.index();
        let is_newest = index >= self.opened(id).next();
        let can_send = own || id.dir() == Dir::Bidi;
        let can_recv = !own || id.dir() == Dir::Bidi;
        let limit = self.peer_windows.for_stream(id.dir(), !own);
        let window = self.own_windows.for_stream(id.dir(), own);
        let max_window = self.max_stream_window;
        self.table.insert(id, || {
            Stream::new(
                can_send.then(|| SendHalf::new(limit)),
                can_recv.then(|| RecvHalf::new(window, max_window)),
            )
        })?;
        if let Err(error) = self.opened_mut(id).create(index) {
            self.table.remove(id);
            return Err(error);
        }
        if own && is_newest {
            let opened = self.own.get(id.dir()).next();
            self.allowed.get_mut(id.dir()).set_used(opened);
        }
        // The active stream: what a plain write() means (uapi 5).
        if is_newest && !own && id.dir() == Dir::Bidi {
            self.active = Some(id);
        }
        Ok(())
    }

    /// Releases a stream when nothing more can happen on it.
    pub(super) fn release_if_finished(&mut self, id: StreamId) {
        let Some(stream) = self.table.get(id) else {
            return;
        };
        if !stream.is_finished() {
            if stream.is_done_with() && !stream.lingers {
                self.count_lingering(id);
            }
            return;
        }
        self.schedule.remove(&mut self.table, id);
        self.control.remove(&mut self.table, id);
        let Some(mut stream) = self.table.remove(id) else {
            return;
        };
        if let Some(recv) = &mut stream.recv {
            self.inqueue.remove_stream(&mut recv.chain);
            self.account_recv(recv.data().truesize(), 0);
        }
        if let Some(send) = &stream.send {
            self.account_send(send.buffer().truesize(), 0);
        }
        if self.active == Some(id) {
            self.active = None;
        }
        let has_room = self.opened_mut(id).on_released();
        if self.is_own(id) {
            self.has_room |= has_room;
            return;
        }
        let opened = self.peers.get(id.dir()).next();
        let granted = self.granted.get_mut(id.dir());
        if stream.lingers {
            granted.on_settled();
        } else if granted.on_released(opened) {
            // RFC 9000 4.6 #6: not waiting for STREAMS_BLOCKED.
            *self.pending.max_streams.get_mut(id.dir()) = true;
        }
    }

    /// Counts a stream of the peer as over although its end is not acknowledged, if that is allowed.
    fn count_lingering(&mut self, id: StreamId) {
        let is_own = self.is_own(id);
        let opened = self.peers.get(id.dir()).next();
        let granted = self.granted.get_mut(id.dir());
        if is_own || !granted.may_linger() {
            return;
        }
        if let Some(stream) = self.table.get_mut(id) {
            stream.lingers = true;
            // RFC 9000 4.6 #6
            *self.pending.max_streams.get_mut(id.dir()) |= granted.on_lingering(opened);
        }
    }

    /// Whether the peer's limit allows frames about a stream. Streams above it exist only when the
    /// limit fell with rejected early data.
    pub fn is_allowed(&self, id: StreamId) -> bool {
        !self.is_own(id) || id.index() < self.allowed.get(id.dir()).limit()
    }

    /// Puts a stream on the list of those with data to send, if it has any that may go.
    pub(super) fn schedule_data(&mut self, id: StreamId) {
        let allowed = self.is_allowed(id);
        let fresh = self.fresh_credit();
        let Some(stream) = self.table.get(id) else {
            return;
        };
        if stream.corked || stream.data_link.is_on() {
            return;
        }
        let Some(send) = &stream.send else {
            return;
        };
        if allowed && send.can_send(fresh) {
            self.schedule.add(&mut self.table, id);
        } else if send.can_send(u64::MAX) {
            if allowed {
                self.parked = true;
            } else {
                self.note_above_limit(id);
            }
        }
    }

    /// Puts a stream on the list of those with control frames to send, if it has any.
    pub(super) fn schedule_control(&mut self, id: StreamId) {
        let any = self
            .table
            .get(id)
            .is_some_and(|stream| stream.control.any());
        if any && self.is_allowed(id) {
            self.control.push_back(&mut self.table, id);
        } else if any {
            self.note_above_limit(id);
        }
    }

    /// Looks again at the streams that wait for a limit that fell, if a limit rose since. To be
    /// called once for all frames of a datagram, however many of them raise limits.
    pub fn on_datagram_end(&mut self) {
        if core::mem::take(&mut self.has_risen) {
            self.unpark();
        }
    }

    /// Looks again at all streams that wait for a limit that fell. The walk is over all streams;
    /// it happens only after rejected early data.
    pub(super) fn unpark(&mut self) {
        if !core::mem::take(&mut self.parked) {
            return;
        }
        let mut at = StreamId::from_raw(0);
        while let Some(id) = at.and_then(|from| self.table.next_id(from)) {
            self.schedule_data(id);
            self.schedule_control(id);
            at = id.raw().checked_add(1).and_then(StreamId::from_raw);
        }
    }

    fn opened(&self, id: StreamId) -> &super::Opened {
        if self.is_own(id) {
            self.own.get(id.dir())
        } else {
            self.peers.get(id.dir())
        }
    }

    fn opened_mut(&mut self, id: StreamId) -> &mut super::Opened {
        if self.is_own(id) {
            self.own.get_mut(id.dir())
        } else {
            self.peers.get_mut(id.dir())
        }
    }
}
