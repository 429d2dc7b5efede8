// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the handles of one connection share: the socket as the runtime watches it, and who waits
//! for what.
//!
//! One task receives ([`Hub::run`]). It sorts what arrives into the connection's inbox and wakes
//! the task that waits for it. At the inbox's bound it leaves the queue to the socket until
//! somebody reads, like the leader of the blocking interface does (see the module `demux`).

use std::{
    io,
    ops::Deref,
    sync::{
        Arc,
        Mutex,
        OnceLock,
        PoisonError, //
    },
    task::{
        Context,
        Poll,
        Waker, //
    },
};

use ::tokio::{
    io::unix::AsyncFdReadyGuard,
    sync::Notify,
    task::AbortHandle, //
};

use super::wakers::Wakers;
use crate::{
    conn::Shared,
    demux::{
        Inbox,
        Patience,
        Source, //
    },
    error::{
        Error,
        Result, //
    },
    socket::Socket,
    stream::StreamId,
    sys::{
        sock::Received,
        watch::{
            watch,
            Watched, //
        },
    },
    uapi::{
        self,
        event,
        MSG_QUIC_DATAGRAM,
        MSG_QUIC_NOTIFICATION, //
    },
};

/// Largest item taken from the socket at once.
const SCRATCH_LEN: usize = 64 << 10;
/// Items taken before other tasks get a turn.
const BURST: usize = 64;
/// The kernel keeps 512 events; if that many may have waited, some may be missing.
const EVENTS_KEPT: usize = 500;

/// See above.
pub(super) struct Hub {
    pub(super) shared: Arc<Shared>,
    fd: Watched,
    /// Tasks that wait for data of a stream.
    pub(super) readers: Wakers,
    /// Tasks that wait to send on a stream.
    pub(super) writers: Arc<Wakers>,
    /// Stands for all of them in the runtime.
    writable: Waker,
    /// Something has happened that is not for one stream alone.
    pub(super) news: Notify,
    /// There may be room in the inbox again.
    pub(super) room: Notify,
    scratch: Mutex<Scratch>,
}

struct Scratch {
    buf: Vec<u8>,
    /// Events taken since the queue was last empty.
    events: usize,
}

/// How far [`Hub::pump`] got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pumped {
    /// Nothing is left.
    Empty,
    /// There is more.
    More,
    /// The head of the queue waits for its reader.
    Full,
    /// The connection has ended.
    Ended,
}

impl Hub {
    /// The socket will not block any more. Must be called within a runtime.
    pub(super) fn new(shared: Arc<Shared>) -> io::Result<Hub> {
        let writers = Arc::<Wakers>::default();
        Ok(Hub {
            fd: watch(Arc::clone(&shared.socket))?,
            shared,
            readers: Wakers::default(),
            writable: Waker::from(Arc::clone(&writers)),
            writers,
            news: Notify::new(),
            room: Notify::new(),
            scratch: Mutex::new(Scratch {
                buf: Vec::new(),
                events: 0,
            }),
        })
    }

    /// The socket, for waiting until the handshake gets further.
    pub(super) fn fd(&self) -> &Watched {
        &self.fd
    }

    /// Receives until the connection ends.
    async fn run(self: Arc<Hub>) {
        loop {
            let Ok(mut ready) = self.fd.readable().await else {
                // The runtime is shutting down.
                return;
            };
            match self.pump() {
                Pumped::Empty => ready.clear_ready(),
                Pumped::More => ::tokio::task::yield_now().await,
                Pumped::Full => self.room.notified().await,
                Pumped::Ended => return,
            }
        }
    }

    /// Takes what has arrived, and wakes those who wait for it.
    fn pump(&self) -> Pumped {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let Scratch { buf, events } = &mut *scratch;
        buf.resize(SCRATCH_LEN, 0);
        for _ in 0..BURST {
            if self.shared.demux.is_full() && !self.is_wanted() {
                return Pumped::Full;
            }
            match self.shared.socket.try_recv(buf) {
                Ok(received) => {
                    let bytes = buf.get(..received.len).unwrap_or_default();
                    self.shared.demux.put(&received, bytes);
                    *events = events.saturating_add(self.tell(&received, bytes));
                }
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                    for id in self.shared.demux.settle() {
                        self.readers.wake_one(id);
                    }
                    if std::mem::take(events) >= EVENTS_KEPT {
                        self.wake_all();
                    }
                    return Pumped::Empty;
                }
                Err(err) => {
                    self.end(self.shared.socket.ended(err));
                    return Pumped::Ended;
                }
            }
        }
        Pumped::More
    }

    /// Whether somebody waits for the head of the queue, so that it will not stay in the inbox.
    fn is_wanted(&self) -> bool {
        match self.shared.socket.try_peek(&mut [0]) {
            Ok(head) if head.flags & MSG_QUIC_NOTIFICATION != 0 => true,
            Ok(head) => head.stream.is_some_and(|(id, _)| self.readers.has(id)),
            // Receiving finds out what it is.
            Err(_) => true,
        }
    }

    /// Wakes those who wait for this item. Returns how many events it is.
    fn tell(&self, received: &Received, bytes: &[u8]) -> usize {
        if received.flags & MSG_QUIC_NOTIFICATION == 0 {
            match received.stream {
                Some((id, _)) if received.flags & MSG_QUIC_DATAGRAM == 0 => {
                    self.readers.wake_one(id)
                }
                _ => {}
            }
            // A new stream, or a datagram.
            self.news.notify_waiters();
            return 0;
        }
        let (kind, payload) = bytes.split_first().unwrap_or((&0, &[]));
        match *kind {
            event::STREAM_MAX_DATA => {
                let (id, _) = uapi::read_id_and_word(payload);
                self.writers.wake_one(id);
            }
            event::STREAM_UPDATE => {
                let update = uapi::read_stream_update(payload);
                self.readers.wake_one(update.id);
                self.writers.wake_one(update.id);
                self.news.notify_waiters();
            }
            _ => self.news.notify_waiters(),
        }
        1
    }

    /// Nothing more will come.
    pub(super) fn end(&self, reason: Error) {
        self.shared.demux.end(reason);
        self.wake_all();
    }

    fn wake_all(&self) {
        self.readers.wake_all();
        self.writers.wake_all();
        self.news.notify_waiters();
        self.room.notify_one();
    }

    /// Waits until `ready` finds what it looks for in the inbox.
    pub(super) async fn wait<T>(
        &self,
        what: &'static str,
        mut ready: impl FnMut(&mut Inbox) -> Option<Result<T>>,
    ) -> Result<T> {
        loop {
            let mut news = std::pin::pin!(self.news.notified());
            news.as_mut().enable();
            match self.shared.wait(Patience::None, what, &mut ready) {
                Err(Error::Timeout(_)) => {}
                other => {
                    self.room.notify_one();
                    return other;
                }
            }
            // Somebody who waits for the head of a full queue may be this one.
            self.room.notify_one();
            news.await;
        }
    }

    /// Waits until `attempt`, which sends on stream `id`, does not return `None`.
    pub(super) fn poll_send<T>(
        &self,
        cx: &mut Context<'_>,
        id: StreamId,
        mut attempt: impl FnMut() -> Result<Option<T>>,
    ) -> Poll<io::Result<T>> {
        // First, so that what happens after the attempt is not missed.
        self.writers.register(id.0, cx.waker());
        loop {
            match attempt() {
                Ok(None) => {}
                Ok(Some(done)) => {
                    self.writers.forget(id.0);
                    return Poll::Ready(Ok(done));
                }
                Err(err) => {
                    self.writers.forget(id.0);
                    return Poll::Ready(Err(self.why_not(id, err).into()));
                }
            }
            // Where only this stream's credit is missing, the socket stays writable: the event
            // will wake this task.
            match self.poll_writable(cx)? {
                Poll::Ready(mut ready) => ready.clear_ready(),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_writable(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'_, Arc<Socket>>>> {
        // Takes part in the runtime's fairness through the other polls of the task.
        let _ = cx;
        self.fd
            .poll_write_ready(&mut Context::from_waker(&self.writable))
    }

    /// Why sending failed: most likely the peer does not want to read any more, of which the event
    /// may still be in the queue.
    fn why_not(&self, id: StreamId, err: Error) -> Error {
        let refused = matches!(&err, Error::Io(_, err)
            if matches!(err.raw_os_error(), Some(libc::EINVAL | libc::ENOSTR)));
        if refused {
            self.pump();
        }
        match self.shared.demux.stopped(id) {
            Some(code) if refused => Error::Stopped(code),
            _ => err,
        }
    }
}

/// A handle of a connection. When the last is dropped, so is the task, and with it the socket.
#[derive(Clone)]
pub(super) struct Handle(Arc<Inner>);

struct Inner {
    hub: Arc<Hub>,
    task: OnceLock<AbortHandle>,
}

impl Handle {
    pub(super) fn new(hub: Hub) -> Handle {
        Handle(Arc::new(Inner {
            hub: Arc::new(hub),
            task: OnceLock::new(),
        }))
    }

    /// Starts the task that receives, once the handshake does not any more.
    pub(super) fn start(&self) {
        let hub = Arc::clone(&self.0.hub);
        self.0
            .task
            .get_or_init(|| ::tokio::spawn(hub.run()).abort_handle());
        // Those who opened streams for early data: what came with the handshake is there.
        self.wake_all();
    }
}

impl Deref for Handle {
    type Target = Hub;

    fn deref(&self) -> &Hub {
        &self.0.hub
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.shared.fmt(f)
    }
}
