// SPDX-License-Identifier: LGPL-2.1-or-later
//! One receive queue for many streams: who reads it, and where the items go.
//!
//! The socket has a single queue; each `recvmsg` returns whatever item is first. Any thread that
//! needs an item which has not arrived becomes the *leader*, unless there is one: it receives
//! without holding the lock, sorts what it got into the [`Inbox`], wakes the others and looks
//! again. There is no thread of the library's own.
//!
//! What arrives for others is kept up to a bound. At the bound, the leader looks before it takes:
//! only events and data for itself are received, and everybody else waits until the stream at the
//! head of the queue is read or dropped. Flow control then stops the peer. A program that leaves a
//! stream unread for ever therefore has to drop it, or its other streams will starve.

use std::{
    io,
    sync::{
        Condvar,
        Mutex,
        MutexGuard,
        PoisonError, //
    },
    time::{
        Duration,
        Instant, //
    },
};

use crate::{
    error::{
        Error,
        Result, //
    },
    socket::Socket,
    stream::StreamId,
    sys::sock::Received,
    uapi::MSG_QUIC_NOTIFICATION, //
};

mod inbox;

pub(crate) use inbox::{
    Inbox,
    Take, //
};

/// Largest item taken from the socket at once.
const SCRATCH_LEN: usize = 64 << 10;
/// A reader's own buffer of at least this size receives directly. Smaller ones could cut an event
/// in two, and would cost one system call for each small read.
const DIRECT_LEN: usize = 16 << 10;
/// How long to wait for a reader of the head of the queue before looking for events again.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// Where items come from. A trait so that tests can play the socket.
pub(crate) trait Source {
    /// Takes the next item; `WouldBlock` if there is none.
    fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received>;
    /// Looks at the next item.
    fn try_peek(&self, buf: &mut [u8]) -> io::Result<Received>;
    /// Waits for an item. May return early.
    fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool>;
    /// Why receiving is over, after it has failed with `err`.
    fn ended(&self, err: io::Error) -> Error;
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until this time, or for ever. After it, [`Error::Timeout`].
    Until(Option<Instant>),
    /// Not at all: takes what the socket has, and is [`Error::Timeout`] if that is not enough.
    None,
}

impl Patience {
    fn left(self, what: &'static str) -> Result<Option<Duration>> {
        match self {
            Patience::Until(deadline) => time_left(deadline, what),
            Patience::None => Ok(Some(Duration::ZERO)),
        }
    }
}

/// The demultiplexer of one connection.
#[derive(Debug)]
pub(crate) struct Demux {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    inbox: Inbox,
    /// A thread is receiving and will notify.
    leading: bool,
    /// The leader's buffer, kept between turns.
    scratch: Vec<u8>,
}

/// Result of one turn of a leader.
enum Turn {
    /// An item in the leader's buffer.
    Item(Received),
    /// Nothing yet.
    Nothing,
    /// The head of the queue is for somebody else, and there is no room for it.
    Full,
    Failed(io::Error),
}

impl Turn {
    /// Whether looking again at once is of no use.
    fn is_idle(&self, settling: bool) -> bool {
        match self {
            Turn::Nothing => !settling,
            Turn::Full => true,
            Turn::Item(_) | Turn::Failed(_) => false,
        }
    }
}

impl Demux {
    /// A demultiplexer whose readers wait until [`Self::release`].
    pub(crate) fn new(is_server: bool, limit: usize) -> Demux {
        Demux {
            state: Mutex::new(State {
                inbox: Inbox::new(is_server, limit),
                // Until `release`: the handshake still receives.
                leading: true,
                scratch: Vec::new(),
            }),
            changed: Condvar::new(),
        }
    }

    /// Puts an item in that was received during the handshake.
    pub(crate) fn put(&self, received: &Received, bytes: &[u8]) {
        self.lock().inbox.on_item(received, bytes);
        self.changed.notify_all();
    }

    /// The socket's queue was found empty. Returns the streams that have ended by that.
    #[cfg(feature = "tokio")]
    pub(crate) fn settle(&self) -> Vec<i64> {
        self.lock().inbox.settle()
    }

    /// Whether what arrives for streams that nobody reads should wait in the socket.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_full(&self) -> bool {
        self.lock().inbox.is_full()
    }

    /// The handshake is over: readers may receive.
    pub(crate) fn release(&self) {
        self.lock().leading = false;
        self.changed.notify_all();
    }

    /// Nothing will ever be received.
    pub(crate) fn end(&self, reason: Error) {
        self.lock().inbox.end(reason);
    }

    /// Registers a stream that this side opened and will read.
    pub(crate) fn opened(&self, id: StreamId) {
        self.lock().inbox.open(id);
    }

    /// The reader is gone. Returns whether the peer has still to be told.
    pub(crate) fn forget(&self, id: StreamId) -> bool {
        let unfinished = self.lock().inbox.forget(id);
        // Room may have become free.
        self.changed.notify_all();
        unfinished
    }

    /// Somebody is going to write to a stream.
    pub(crate) fn writer_comes(&self, id: StreamId) {
        self.lock().inbox.writer_comes(id);
    }

    /// The writer is gone.
    pub(crate) fn writer_goes(&self, id: StreamId) {
        self.lock().inbox.writer_goes(id);
    }

    /// The writer is about to send its last bytes.
    pub(crate) fn sending_ends(&self, id: StreamId) {
        self.lock().inbox.sending_ends(id);
    }

    /// The writer gave up; nobody waits for an acknowledgement any more.
    pub(crate) fn sending_was_reset(&self, id: StreamId) {
        self.lock().inbox.sending_was_reset(id);
    }

    /// Whether the peer has sent data.
    pub(crate) fn has_heard(&self) -> bool {
        self.lock().inbox.has_heard()
    }

    /// Nobody waits for acknowledgements any more.
    pub(crate) fn all_delivered(&self) {
        self.lock().inbox.all_delivered();
        self.changed.notify_all();
    }

    /// The code with which the peer stopped the stream, if it has.
    pub(crate) fn stopped(&self, id: StreamId) -> Option<u64> {
        self.lock().inbox.stopped(id)
    }

    /// Waits until `ready` finds what it looks for.
    pub(crate) fn wait<T>(
        &self,
        source: &dyn Source,
        patience: Patience,
        what: &'static str,
        mut ready: impl FnMut(&mut Inbox) -> Option<Result<T>>,
    ) -> Result<T> {
        let mut state = self.lock();
        loop {
            if let Some(found) = ready(&mut state.inbox) {
                return found;
            }
            if let Some(err) = state.inbox.ended() {
                return Err(err.duplicate());
            }
            let time_left = patience.left(what)?;
            if state.leading {
                if patience == Patience::None {
                    return Err(Error::Timeout(what));
                }
                state = self.sleep(state, time_left);
                continue;
            }
            let settling = state.inbox.is_settling();
            let mut scratch = self.lead(&mut state);
            let full = state.inbox.is_full();
            drop(state);
            let turn = take_turn(
                source,
                &mut scratch,
                full,
                None,
                unless(settling, time_left),
            );
            state = self.lock();
            let pause = self.end_turn(&mut state, source, &turn, &scratch);
            state.scratch = scratch;
            if patience == Patience::None && turn.is_idle(settling) {
                return Err(Error::Timeout(what));
            }
            if pause {
                state = self.sleep(state, Some(FULL_PAUSE));
            }
        }
    }

    /// Reads from a stream. 0 means its end.
    pub(crate) fn read(
        &self,
        source: &dyn Source,
        id: StreamId,
        buf: &mut [u8],
        patience: Patience,
    ) -> Result<usize> {
        let what = "waiting for data of a stream";
        let mut state = self.lock();
        loop {
            match state.inbox.take(id, buf) {
                Take::Data(len) => {
                    // A leader may be waiting for room.
                    self.changed.notify_all();
                    return Ok(len);
                }
                Take::End => return Ok(0),
                Take::Reset(code) => return Err(Error::Reset(code)),
                Take::Empty => {}
            }
            if let Some(err) = state.inbox.ended() {
                return Err(err.duplicate());
            }
            let time_left = patience.left(what)?;
            if state.leading {
                if patience == Patience::None {
                    return Err(Error::Timeout(what));
                }
                state = self.sleep(state, time_left);
                continue;
            }
            let settling = state.inbox.is_settling();
            let mut scratch = self.lead(&mut state);
            let full = state.inbox.is_full();
            drop(state);
            let direct = buf.len() >= DIRECT_LEN;
            let target = if direct { &mut *buf } else { &mut scratch };
            let turn = take_turn(source, target, full, Some(id), unless(settling, time_left));
            state = self.lock();
            let taken = match &turn {
                Turn::Item(received) if direct => state.inbox.take_direct(id, received),
                _ => None,
            };
            if let Some(len) = taken {
                state.leading = false;
                state.scratch = scratch;
                self.changed.notify_all();
                // An empty item that ends the stream is found by the next look.
                if len > 0 {
                    return Ok(len);
                }
                continue;
            }
            let bytes: &[u8] = if direct { buf } else { &scratch };
            let pause = self.end_turn(&mut state, source, &turn, bytes);
            state.scratch = scratch;
            if patience == Patience::None && turn.is_idle(settling) {
                return Err(Error::Timeout(what));
            }
            if pause {
                state = self.sleep(state, Some(FULL_PAUSE));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked cannot have left the inbox half changed: its methods do not panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Becomes the leader and gets the buffer.
    fn lead(&self, state: &mut State) -> Vec<u8> {
        state.leading = true;
        let mut scratch = std::mem::take(&mut state.scratch);
        scratch.resize(SCRATCH_LEN, 0);
        scratch
    }

    /// Sorts the outcome of a turn in and steps down. Returns whether to pause before the next.
    fn end_turn(&self, state: &mut State, source: &dyn Source, turn: &Turn, bytes: &[u8]) -> bool {
        state.leading = false;
        match turn {
            Turn::Item(received) => state.inbox.on_item(received, bytes),
            Turn::Nothing => drop(state.inbox.settle()),
            Turn::Full => {}
            Turn::Failed(err) => {
                let copy = match err.raw_os_error() {
                    Some(errno) => io::Error::from_raw_os_error(errno),
                    None => err.kind().into(),
                };
                state.inbox.settle();
                state.inbox.end(source.ended(copy));
            }
        }
        self.changed.notify_all();
        matches!(turn, Turn::Full)
    }

    fn sleep<'a>(
        &self,
        state: MutexGuard<'a, State>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match timeout {
            None => self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                self.changed
                    .wait_timeout(state, timeout)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }
}

/// Does not wait if an empty queue alone is news.
fn unless(settling: bool, timeout: Option<Duration>) -> Option<Duration> {
    match settling {
        true => Some(Duration::ZERO),
        false => timeout,
    }
}

/// Receives one item, or waits for one.
fn take_turn(
    source: &dyn Source,
    buf: &mut [u8],
    full: bool,
    wanted: Option<StreamId>,
    timeout: Option<Duration>,
) -> Turn {
    let mut probe = [0; 1];
    let result = if full {
        match source.try_peek(&mut probe) {
            Ok(head) => {
                let own = match (head.stream, wanted) {
                    (Some((id, _)), Some(wanted)) => id == wanted.0,
                    _ => false,
                };
                if !own && head.flags & MSG_QUIC_NOTIFICATION == 0 {
                    return Turn::Full;
                }
                source.try_recv(buf)
            }
            Err(err) => Err(err),
        }
    } else {
        source.try_recv(buf)
    };
    match result {
        Ok(received) => Turn::Item(received),
        Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
            match source.wait_readable(timeout) {
                Ok(_) => Turn::Nothing,
                Err(err) => Turn::Failed(err),
            }
        }
        Err(err) => Turn::Failed(err),
    }
}

/// Time until the deadline, or the error that it has passed.
pub(crate) fn time_left(deadline: Option<Instant>, what: &'static str) -> Result<Option<Duration>> {
    let Some(deadline) = deadline else {
        return Ok(None);
    };
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => Ok(Some(left)),
        _ => Err(Error::Timeout(what)),
    }
}

impl Source for Socket {
    fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        Socket::try_recv(self, buf)
    }

    fn try_peek(&self, buf: &mut [u8]) -> io::Result<Received> {
        Socket::try_peek(self, buf)
    }

    fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        Socket::wait_readable(self, timeout)
    }

    fn ended(&self, err: io::Error) -> Error {
        match err.raw_os_error() {
            Some(libc::ENOTCONN | libc::EPIPE) => self.ended_error(),
            _ => Error::Io("receiving", err),
        }
    }
}

#[cfg(test)]
mod tests;
