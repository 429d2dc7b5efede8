// SPDX-License-Identifier: LGPL-2.1-or-later
//! An established connection.

use std::{
    io,
    net::SocketAddr,
    os::fd::{
        AsFd,
        BorrowedFd, //
    },
    sync::{
        atomic::{
            AtomicBool,
            Ordering, //
        },
        Arc,
        Mutex, //
    },
    time::{
        Duration,
        Instant, //
    },
};

use crate::{
    config::{
        Cipher,
        TransportParams,
        Version, //
    },
    demux::{
        Demux,
        Patience, //
    },
    error::{
        Alert,
        CloseReason,
        Error,
        Result, //
    },
    socket::Socket,
    stream::{
        BiStream,
        PeerStream,
        RecvStream,
        SendStream,
        StreamId, //
    },
    sys::gnutls::Session,
};

/// How often to ask the socket whether everything was acknowledged, between events.
pub(crate) const DELIVERY_POLL: Duration = Duration::from_millis(20);
/// How long the socket's send memory must have been free before that counts as delivery. The
/// memory tells nothing of the end of a stream, which may still be on its way.
pub(crate) const DELIVERY_SETTLED: Duration = Duration::from_secs(2);

/// How long to look for the event that explains a failed write.
pub(crate) const STOP_WAIT: Duration = Duration::from_millis(100);

/// What is known about an established connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Address of this side when the handshake ended.
    pub local: SocketAddr,
    /// Address of the peer when the handshake ended.
    pub peer: SocketAddr,
    /// Time from the first packet to the end of the handshake. A server's starts with accept.
    pub handshake_time: Duration,
    /// Application protocol agreed on, if any was offered.
    pub alpn: Option<String>,
    /// Cipher of the packets.
    pub cipher: Cipher,
    /// Version of QUIC.
    pub version: Version,
    /// The session continues an earlier one.
    pub resumed: bool,
    /// The server has taken early data (0-RTT), which somebody may have copied and sent again.
    pub early_data: bool,
    /// The server's name: as given to [`Connection::connect`], or as the client asked for it
    /// (SNI).
    pub server_name: Option<String>,
    /// The peer proved its identity by a certificate or a pre-shared key.
    pub peer_verified: bool,
    /// On a server: the pre-shared key by which the client has identified itself.
    pub psk_identity: Option<String>,
}

/// An established connection. Clones are handles of the same connection.
///
/// When the last handle and the last stream are dropped, the kernel closes the connection and
/// loses what the peer has not acknowledged. [`Connection::close`] waits for that.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) info: Arc<ConnectionInfo>,
}

/// What the handles of one connection share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) socket: Arc<Socket>,
    pub(crate) demux: Demux,
    pub(crate) is_server: bool,
    pub(crate) read_timeout: Option<Duration>,
    pub(crate) close_timeout: Duration,
    /// How long to look for the event that explains a failed write.
    pub(crate) stop_wait: Duration,
    pub(crate) closed: AtomicBool,
    /// A client's TLS session, which can take tickets.
    pub(crate) session: Mutex<Option<Session>>,
}

impl Connection {
    /// What is known about the connection.
    pub fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// Opens a bidirectional stream. Waits, up to the write time-out, while the peer permits no
    /// more streams. The peer learns of it with the first byte.
    pub fn open_bi(&self) -> Result<BiStream> {
        Shared::open_bi(&self.shared)
    }

    /// Opens a unidirectional stream, like [`Self::open_bi`].
    pub fn open_uni(&self) -> Result<SendStream> {
        Shared::open_uni(&self.shared)
    }

    /// Waits for the next stream that the peer opens and sends something on.
    pub fn accept_stream(&self) -> Result<PeerStream> {
        self.accept_stream_timeout(self.shared.read_timeout)
    }

    /// Like [`Self::accept_stream`] with a time limit of its own; `None` waits for ever.
    pub fn accept_stream_timeout(&self, timeout: Option<Duration>) -> Result<PeerStream> {
        let what = "waiting for the peer to open a stream";
        let id = self
            .shared
            .wait(until(timeout), what, |inbox| inbox.accept().map(Ok))?;
        Ok(PeerStream::new(&self.shared, id))
    }

    /// The next stream that the peer has opened and sent something on, if there is one now. For
    /// event loops: see [`AsFd`] of this type.
    pub fn try_accept_stream(&self) -> Result<Option<PeerStream>> {
        let what = "waiting for the peer to open a stream";
        let accepted = self
            .shared
            .wait(Patience::None, what, |inbox| inbox.accept().map(Ok));
        Ok(not_yet(accepted)?.map(|id| PeerStream::new(&self.shared, id)))
    }

    /// Sends a datagram of RFC 9221: at most once, not in order, in one packet. Both sides have
    /// to announce [`TransportParams::max_datagram_frame_size`].
    pub fn send_datagram(&self, data: &[u8]) -> Result<()> {
        match self.shared.socket.send_datagram(data) {
            Ok(_) => Ok(()),
            Err(err) => Err(self.shared.explain("sending a datagram", err)),
        }
    }

    /// Waits for the next datagram.
    pub fn recv_datagram(&self) -> Result<Vec<u8>> {
        let what = "waiting for a datagram";
        let patience = until(self.shared.read_timeout);
        self.shared
            .wait(patience, what, |inbox| inbox.pop_datagram().map(Ok))
    }

    /// Changes the packet keys now (RFC 9001 6). The kernel does it by itself when it must.
    pub fn update_keys(&self) -> Result<()> {
        let result = self.shared.socket.update_keys();
        result.map_err(|err| self.shared.explain("updating keys", err))
    }

    /// Moves this side to another local address (RFC 9000 9.2): tries the new path, and uses it once
    /// the peer has answered there. Until then, and if it never does, everything stays as it is;
    /// [`Self::local_addr`] tells.
    ///
    /// Fails with the kernel's EINVAL before the handshake is confirmed, for an address of another
    /// family, the present one, and if the peer forbids it; with EAGAIN while another path is tried
    /// or the peer has given no unused connection id.
    pub fn migrate(&self, local: SocketAddr) -> Result<()> {
        let result = self.shared.socket.migrate(&local);
        result.map_err(|err| match err.raw_os_error() {
            Some(libc::EAGAIN) => Error::Io("moving to another address", err),
            _ => self.shared.explain("moving to another address", err),
        })
    }

    /// The address of this side now.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        let result = self.shared.socket.local_addr();
        result.map_err(|err| self.shared.explain("reading the local address", err))
    }

    /// The peer's address now.
    pub fn peer_addr(&self) -> Result<SocketAddr> {
        let result = self.shared.socket.peer_addr();
        result.map_err(|err| self.shared.explain("reading the peer's address", err))
    }

    /// The transport parameters that the peer announced.
    pub fn peer_transport_params(&self) -> Result<TransportParams> {
        let result = self.shared.socket.transport_params(true);
        result.map_err(|err| self.shared.explain("reading transport parameters", err))
    }

    /// Waits until the peer has acknowledged everything on the streams that were finished.
    pub fn wait_delivered(&self, timeout: Option<Duration>) -> Result<()> {
        self.shared.wait_delivered(None, timeout)
    }

    /// Closes the connection with an application error code and a phrase (at most 63 bytes), but
    /// first waits until the finished streams were delivered, at most for the configured time.
    ///
    /// Streams that were not finished are cut off. `Ok` if everything finished was delivered.
    pub fn close(&self, code: u32, reason: &str) -> Result<()> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Ok(());
        }
        let delivered = self.wait_delivered(Some(self.shared.close_timeout));
        self.abort(code, reason)?;
        match delivered {
            // The peer was done first, and content.
            Err(Error::Closed(CloseReason { code: 0, .. }) | Error::LocallyClosed) => Ok(()),
            other => other,
        }
    }

    /// Closes the connection at once. Data not yet acknowledged is lost.
    pub fn abort(&self, code: u32, reason: &str) -> Result<()> {
        if self.shared.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let socket = &self.shared.socket;
        let result = socket
            .set_close(code, reason)
            .and_then(|()| socket.shutdown());
        match result {
            Err(err) if err.raw_os_error() != Some(libc::ENOTCONN) => {
                Err(Error::Io("closing the connection", err))
            }
            _ => Ok(()),
        }
    }

    /// Waits until the connection has ended and says how; fails with [`Error::IdleTimeout`] if nobody
    /// has closed it. Data that arrives meanwhile is kept.
    pub fn wait_closed(&self, timeout: Option<Duration>) -> Result<CloseReason> {
        let what = "waiting for the peer to close";
        let never = |_: &mut crate::demux::Inbox| None::<Result<()>>;
        match self.shared.wait(until(timeout), what, never) {
            Err(Error::Closed(reason)) => Ok(reason),
            Err(err) => Err(err),
            Ok(()) => Ok(CloseReason::default()),
        }
    }
}

impl AsFd for Connection {
    /// The socket, for `poll` and event loops: when it is readable, one of
    /// [`Connection::try_accept_stream`] and [`crate::RecvStream::try_read`] may get further;
    /// when it is writable, [`crate::SendStream::try_write`]. Each of them takes all that has
    /// arrived, also for others, so after one of them try all that wait, and let one thread do it
    /// for a connection. Reading from the socket directly takes items away from the streams.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.socket.as_fd()
    }
}

impl Shared {
    /// Turns a failed call into an error that says what happened to the connection.
    pub(crate) fn explain(&self, what: &'static str, err: io::Error) -> Error {
        if self.closed.load(Ordering::Acquire) {
            return Error::LocallyClosed;
        }
        match err.raw_os_error() {
            Some(libc::EPIPE | libc::ENOTCONN) => self.refine(self.socket.ended_error()),
            Some(libc::EAGAIN | libc::ENOSPC) => Error::Timeout(what),
            _ => Error::Io(what, err),
        }
    }

    /// Opens the next stream of this side.
    pub(crate) fn open(&self, uni: bool) -> Result<StreamId> {
        match self.socket.open_stream(uni, true) {
            Ok(id) => Ok(StreamId(id)),
            Err(err) => Err(self.explain("opening a stream", err)),
        }
    }

    pub(crate) fn wait<T>(
        &self,
        patience: Patience,
        what: &'static str,
        ready: impl FnMut(&mut crate::demux::Inbox) -> Option<Result<T>>,
    ) -> Result<T> {
        let result = self.demux.wait(&*self.socket, patience, what, ready);
        result.map_err(|err| self.refine(err))
    }

    pub(crate) fn read(&self, id: StreamId, buf: &mut [u8], patience: Patience) -> Result<usize> {
        let result = self.demux.read(&*self.socket, id, buf, patience);
        result.map_err(|err| self.refine(err))
    }

    /// Why the socket refuses to send on a stream: most likely the peer does not want to read any
    /// more, of which the event may still be in the queue.
    pub(crate) fn why_not_writable(&self, id: StreamId, err: io::Error) -> Error {
        let what = "writing to a stream";
        let stopped = self.wait(until(Some(self.stop_wait)), what, |inbox| {
            inbox.stopped(id).map(Ok)
        });
        match stopped {
            Ok(code) => Error::Stopped(code),
            Err(Error::Timeout(_)) => self.explain(what, err),
            Err(err) => err,
        }
    }

    /// Waits for the acknowledgement of one finished stream or of all.
    pub(crate) fn wait_delivered(
        &self,
        id: Option<StreamId>,
        timeout: Option<Duration>,
    ) -> Result<()> {
        let what = "waiting for the peer to acknowledge the data";
        let end = deadline(timeout);
        let mut free_since = None;
        loop {
            let slice = Instant::now().checked_add(DELIVERY_POLL);
            let next = [slice, end].into_iter().flatten().min();
            let delivered = self.wait(Patience::Until(next), what, |inbox| {
                inbox.is_delivered(id).then_some(Ok(()))
            });
            match delivered {
                Err(Error::Timeout(_)) => {}
                other => return other,
            }
            if end.is_some_and(|end| end <= Instant::now()) {
                return Err(Error::Timeout(what));
            }
            // The event may have been dropped for want of room; the accounting tells, too.
            free_since = match self.socket.unacknowledged() {
                Ok(0) => free_since.or_else(|| Some(Instant::now())),
                _ => None,
            };
            if free_since.is_some_and(|since| since.elapsed() >= DELIVERY_SETTLED) {
                self.demux.all_delivered();
            }
        }
    }

    /// What the socket's report of the end means here.
    fn refine(&self, err: Error) -> Error {
        if !matches!(err, Error::Closed(_) | Error::IdleTimeout) {
            return err;
        }
        // After a local close, the socket's own report of it is no news.
        if self.closed.load(Ordering::Acquire) {
            return Error::LocallyClosed;
        }
        let Error::Closed(reason) = err else {
            return err;
        };
        let is_application = reason.is_certain && reason.application;
        let is_early = !(self.is_server || self.demux.has_heard());
        // A client has finished its handshake before the server has seen the client's
        // certificate, so the server's alert may come later, but not after data.
        match Alert::from_transport_code(reason.code).filter(|alert| alert.name().is_some()) {
            Some(alert) if is_early && !is_application => {
                let application = false;
                Error::PeerAlert(
                    alert,
                    CloseReason {
                        application,
                        ..reason
                    },
                )
            }
            _ => Error::Closed(reason),
        }
    }
}

impl Socket {
    /// How an established connection ended.
    pub(crate) fn ended_error(&self) -> Error {
        let mut reason = self.close_reason().unwrap_or_default();
        if !reason.is_certain {
            reason.application = reason.frame == 0;
        }
        reason.into_error()
    }
}

/// `None` for what would have to wait.
pub(crate) fn not_yet<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Timeout(_)) => Ok(None),
        Err(err) => Err(err),
    }
}

/// The end of a time limit. A limit beyond the clock's range is none.
pub(crate) fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

/// Patience for a time limit.
pub(crate) fn until(timeout: Option<Duration>) -> Patience {
    Patience::Until(deadline(timeout))
}

/// Reads the rest of a stream, up to a limit.
impl RecvStream {
    /// Reads to the end of the stream; fails with [`Error::Config`] beyond `limit` bytes.
    pub fn read_to_limit(&mut self, limit: usize) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut chunk = vec![0; 64 << 10];
        loop {
            let len = io::Read::read(self, &mut chunk).map_err(|err| match err.downcast() {
                Ok(err) => err,
                Err(err) => Error::Io("reading a stream", err),
            })?;
            if len == 0 {
                return Ok(out);
            }
            if out.len().saturating_add(len) > limit {
                return Err(Error::Config(format!(
                    "the stream is longer than {limit} bytes"
                )));
            }
            out.extend_from_slice(chunk.get(..len).unwrap_or_default());
        }
    }
}
