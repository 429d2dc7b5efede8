// SPDX-License-Identifier: GPL-2.0

//! What the application asks of streams: open, write, end, reset, stop, prioritise.
//!
//! Errors are those of the tables in uapi 5.3 and 8.1 to 8.3. A call that fails changes nothing.

#![forbid(unsafe_code)]

use super::{
    credit_input::send_mut,
    input::recv_mut,
    limits::Absent,
    recv::Stop,
    schedule::URGENCIES,
    Streams, //
};
use crate::{
    buf::Chunk,
    common::{
        error::Error,
        id::{
            Dir,
            StreamId, //
        },
        varint::VarInt, //
    },
};

impl Streams {
    /// The next stream of this side that was not opened.
    pub fn next_id(&self, dir: Dir) -> StreamId {
        StreamId::new(self.side, dir, self.own.get(dir).next())
    }

    /// The stream a write without stream id goes to: the one opened last, if its end was not written
    /// yet, else the next one of the given type, which is not opened by that.
    pub fn send_target(&self, dir: Dir) -> StreamId {
        self.active.unwrap_or_else(|| self.next_id(dir))
    }

    /// Opens a stream, or the next one of this side. It becomes the active stream.
    ///
    /// Errors: [`Error::WouldBlock`] above the peer's limit once 1-RTT packets can be sent, before
    /// that [`Error::Invalid`]; [`Error::WouldBlock`] also while [`super::MAX_OPEN`] own ones of the type
    /// exist; [`Error::Released`] for a stream of this side that is over;
    /// [`Error::Invalid`] for one that has carried data or is not for sending, or that the peer
    /// has to open; [`Error::NoMemory`].
    pub fn open(&mut self, id: Option<StreamId>, dir: Dir) -> Result<StreamId, Error> {
        let id = id.unwrap_or_else(|| self.next_id(dir));
        self.prepare_send(id, true)?;
        Ok(id)
    }

    /// Finds the stream for sending, and opens it if `new` is set. Errors as for [`Self::open`].
    pub fn prepare_send(&mut self, id: StreamId, new: bool) -> Result<(), Error> {
        let own = self.is_own(id);
        if !own && id.dir() == Dir::Uni {
            return Err(Error::Invalid);
        }
        if let Some(send) = send_mut(&mut self.table, id) {
            if !send.is_writable() || (new && !send.is_unused()) {
                return Err(Error::Invalid);
            }
        } else {
            match self.absent(id) {
                Absent::Released => return Err(Error::Released),
                Absent::Unopened if !own || !new => return Err(Error::Invalid),
                // RFC 9000 4.6 #2, RFC 9000 19.11 #3
                Absent::Unopened if !self.is_allowed(id) => {
                    return Err(if self.has_app_keys {
                        Error::WouldBlock
                    } else {
                        Error::Invalid
                    });
                }
                Absent::Unopened | Absent::Implicit if self.is_at_bound(id) => {
                    return Err(Error::WouldBlock);
                }
                Absent::Unopened | Absent::Implicit => self.create(id)?,
            }
        }
        if new {
            self.active = Some(id);
        }
        Ok(())
    }

    /// Bytes that may be queued now: the smaller of the stream's and the connection's credit.
    ///
    /// [`Error::Invalid`] if the stream is gone, finished or reset.
    pub fn sendable(&self, id: StreamId) -> Result<u64, Error> {
        let send = self.table.get(id).and_then(|stream| stream.send.as_ref());
        match send {
            Some(send) if send.is_writable() => {
                Ok(send.credit().available().min(self.send_credit.available()))
            }
            _ => Err(Error::Invalid),
        }
    }

    /// A chunk whose bytes nobody needs any more, to be filled anew, if there is one.
    pub fn take_spare(&mut self) -> Option<Chunk> {
        self.spare.take()
    }

    /// Queues bytes of a stream found by [`Self::prepare_send`], and its end if `fin` is set. The
    /// credit of both levels is used up at once, so that sending never has to wait for any.
    ///
    /// Gives the chunk back with [`Error::NoCredit`] if it is longer than [`Self::sendable`],
    /// [`Error::MsgSize`] if it is empty without `fin`, [`Error::Invalid`], [`Error::NoMemory`].
    pub fn queue(&mut self, id: StreamId, chunk: Chunk, fin: bool) -> Result<(), (Error, Chunk)> {
        // CAST: a length fits into 64 bits.
        let len = chunk.len() as u64;
        let credit = self.send_credit.available();
        let Some(send) = send_mut(&mut self.table, id) else {
            return Err((Error::Invalid, chunk));
        };
        // RFC 9000 4.1 #1, RFC 9000 19.9 #1
        if len > credit && send.is_writable() {
            return Err((Error::NoCredit, chunk));
        }
        let before = send.buffer().truesize();
        send.queue(chunk, fin)?;
        let after = send.buffer().truesize();
        self.account_send(before, after);
        self.send_credit.take(len);
        self.schedule_data(id);
        if fin {
            self.on_end_written(id);
        }
        Ok(())
    }

    /// Ends the sending part of a stream behind what was queued.
    pub fn finish(&mut self, id: StreamId) -> Result<(), Error> {
        let send = send_mut(&mut self.table, id).ok_or(Error::Invalid)?;
        send.finish()?;
        self.schedule_data(id);
        self.on_end_written(id);
        Ok(())
    }

    /// The application has written a stream's end: it is not what a plain write() means any more,
    /// so that the next one with NEW opens the next stream without waiting for acknowledgements.
    fn on_end_written(&mut self, id: StreamId) {
        if self.active == Some(id) {
            self.active = None;
        }
        self.release_if_finished(id);
    }

    /// Abandons the sending part of a stream (uapi 8.2).
    ///
    /// [`Error::Invalid`] for a stream that cannot send, was not opened, or is wholly acknowledged
    /// or reset already; [`Error::Released`] for one that is over.
    pub fn reset(&mut self, id: StreamId, code: u64) -> Result<(), Error> {
        self.reset_at(id, code, 0)
    }

    /// Abandons the sending part of a stream but for its first `reliable` bytes, which are
    /// delivered nevertheless (draft-ietf-quic-reliable-stream-reset). May be called again with
    /// the same code to deliver less; 0 is [`Self::reset`].
    ///
    /// [`Error::Unsupported`] if the peer has not announced that it takes such a reset;
    /// [`Error::Invalid`] if fewer bytes were written, or the stream was reset to no more, or with
    /// another code, or the code is none (RFC 9000 20.2); else as [`Self::reset`].
    pub fn reset_at(&mut self, id: StreamId, code: u64, reliable: u64) -> Result<(), Error> {
        if (!self.is_own(id) && id.dir() == Dir::Uni) || code > VarInt::MAX {
            return Err(Error::Invalid);
        }
        // Remembered parameters do not count: what early data was rejected with may not hold.
        let is_taken = self
            .peer_params
            .is_some_and(|params| params.reset_stream_at);
        if reliable > 0 && !is_taken {
            return Err(Error::Unsupported);
        }
        self.make_if_opened(id)?;
        if self.reset_sending(id, code, reliable) {
            Ok(())
        } else {
            Err(Error::Invalid)
        }
    }

    /// Asks the peer to stop sending on a stream and throws away what was not read (uapi 8.3).
    ///
    /// [`Error::Invalid`] for a stream that cannot receive, was not opened, or has received
    /// everything or a reset, and for a code that is none (RFC 9000 20.2); [`Error::Released`] for
    /// one that is over; [`Error::WouldBlock`] while an earlier request is in flight.
    pub fn stop_sending(&mut self, id: StreamId, code: u64) -> Result<(), Error> {
        if (self.is_own(id) && id.dir() == Dir::Uni) || code > VarInt::MAX {
            return Err(Error::Invalid);
        }
        self.make_if_opened(id)?;
        let recv = recv_mut(&mut self.table, id).ok_or(Error::Invalid)?;
        // RFC 9000 3.3 #3, RFC 9000 3.5 #7
        if !recv.state().is_receiving() {
            return Err(Error::Invalid);
        }
        if matches!(recv.stop(), Stop::Pending | Stop::Sent) {
            return Err(Error::WouldBlock);
        }
        let before = recv.data().truesize();
        let unread = recv.stop_sending(code);
        self.inqueue.remove_stream(&mut recv.chain);
        let after = recv.data().truesize();
        if let Some(stream) = self.table.get_mut(id) {
            // RFC 9000 3.5 #1
            stream.control.stop = true;
            stream.control.max_data = false;
        }
        self.account_recv(before, after);
        self.recv_credit.on_discarded(unread);
        self.note_connection_credit();
        self.schedule_control(id);
        Ok(())
    }

    /// Sets a stream's urgency, 0 (first) to 7, and whether it shares its turn with others
    /// (RFC 9218 4). [`Error::Invalid`] for another urgency and for a stream that cannot send or does
    /// not exist.
    pub fn set_priority(
        &mut self,
        id: StreamId,
        urgency: u8,
        incremental: bool,
    ) -> Result<(), Error> {
        // RFC 9000 2.3 #1
        self.priority(id)?;
        if urgency >= URGENCIES {
            return Err(Error::Invalid);
        }
        self.schedule
            .set_priority(&mut self.table, id, urgency, incremental);
        Ok(())
    }

    /// A stream's urgency, and whether it shares its turn. [`Error::Invalid`] for a stream that
    /// cannot send or does not exist.
    pub fn priority(&self, id: StreamId) -> Result<(u8, bool), Error> {
        let stream = self.table.get(id).filter(|stream| stream.send.is_some());
        let stream = stream.ok_or(Error::Invalid)?;
        Ok((stream.urgency, stream.incremental))
    }

    /// Holds back what is queued on a stream (MSG_MORE), or lets it go. A stream that does not
    /// exist changes nothing. Data that was lost is sent again nevertheless.
    pub fn set_corked(&mut self, id: StreamId, corked: bool) {
        let Some(stream) = self.table.get_mut(id) else {
            return;
        };
        stream.corked = corked;
        if !corked {
            self.schedule_data(id);
        }
    }

    /// Lets go whatever is held back on any stream: nothing more will be written.
    pub fn uncork(&mut self) {
        let mut at = StreamId::from_raw(0);
        while let Some(id) = at.and_then(|from| self.table.next_id(from)) {
            self.set_corked(id, false);
            at = id.raw().checked_add(1).and_then(StreamId::from_raw);
        }
    }

    /// Makes the object of a stream that was opened together with a higher one.
    fn make_if_opened(&mut self, id: StreamId) -> Result<(), Error> {
        if self.table.contains(id) {
            return Ok(());
        }
        match self.absent(id) {
            Absent::Released => Err(Error::Released),
            Absent::Unopened => Err(Error::Invalid),
            Absent::Implicit if self.is_at_bound(id) => Err(Error::WouldBlock),
            Absent::Implicit => Ok(self.create(id)?),
        }
    }
}
