// SPDX-License-Identifier: LGPL-2.1-or-later
//! Streams as readable and writable objects.
//!
//! Each half may live in a thread of its own. Writing goes straight to the socket; reading goes
//! through the connection's demultiplexer, since the socket has one queue for all streams.

use std::{
    io::{
        self,
        Read,
        Write, //
    },
    sync::Arc,
    time::Duration, //
};

use crate::{
    conn::{
        not_yet,
        until,
        Shared, //
    },
    demux::Patience,
    error::{
        Error,
        Result, //
    },
    uapi::MSG_QUIC_STREAM_FIN, //
};

/// Identity of a stream, RFC 9000 2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(crate) i64);

impl StreamId {
    /// The number on the wire.
    pub fn number(self) -> u64 {
        self.0.unsigned_abs()
    }

    /// Whether only its opener sends on it.
    pub fn is_uni(self) -> bool {
        self.0 & 2 != 0
    }

    /// Whether the server opened it.
    pub fn is_server_initiated(self) -> bool {
        self.0 & 1 != 0
    }
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The half of a stream that this side writes.
///
/// [`Write::write`] waits for flow control. Call [`SendStream::finish`] after the last byte:
/// dropping an unfinished stream resets it with code 0, so that a writer that gave up halfway
/// is not taken for one that was done.
#[derive(Debug)]
pub struct SendStream {
    shared: Arc<Shared>,
    id: StreamId,
    ended: bool,
    /// Bytes given to the kernel.
    written: u64,
}

impl SendStream {
    pub(crate) fn new(shared: Arc<Shared>, id: StreamId) -> SendStream {
        shared.demux.writer_comes(id);
        SendStream {
            shared,
            id,
            ended: false,
            written: 0,
        }
    }

    /// The stream's identity.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Says that nothing more will be written. Does not wait for the peer; see
    /// [`Self::wait_delivered`] and [`crate::Connection::close`].
    pub fn finish(&mut self) -> Result<()> {
        self.write_last(&[])
    }

    /// Writes `data` and finishes, which saves a packet over doing one after the other.
    pub fn write_last(&mut self, mut data: &[u8]) -> Result<()> {
        if self.ended {
            return match data {
                [] => Ok(()),
                _ => Err(Error::Config("the stream is finished already".into())),
            };
        }
        self.shared.demux.sending_ends(self.id);
        loop {
            let sent = self.send(data, MSG_QUIC_STREAM_FIN)?;
            data = data.get(sent..).unwrap_or_default();
            if data.is_empty() {
                break;
            }
        }
        self.ended = true;
        Ok(())
    }

    /// Writes as much as flow control and the socket's buffer permit now; `None` if that is
    /// nothing. For event loops: see [`crate::Connection`]'s descriptor. Where only this stream's
    /// flow control is in the way, the descriptor stays writable: try again after reading.
    pub fn try_write(&mut self, data: &[u8]) -> Result<Option<usize>> {
        if self.ended {
            return Err(Error::Config("the stream is finished already".into()));
        }
        if data.is_empty() {
            return Ok(Some(0));
        }
        not_yet(self.send(data, libc::MSG_DONTWAIT as u32))
    }

    /// Says that nothing more will be written, if the socket takes that now.
    #[cfg(feature = "tokio")]
    pub(crate) fn try_finish(&mut self) -> Result<Option<()>> {
        if self.ended {
            return Ok(Some(()));
        }
        self.shared.demux.sending_ends(self.id);
        let flags = MSG_QUIC_STREAM_FIN | libc::MSG_DONTWAIT as u32;
        let sent = not_yet(self.send(&[], flags))?;
        self.ended |= sent.is_some();
        Ok(sent.map(drop))
    }

    /// Gives the stream up: the peer's reader gets an error with this code. Without effect once
    /// the peer has everything.
    pub fn reset(&mut self, code: u32) -> Result<()> {
        self.ended = true;
        self.shared.demux.sending_was_reset(self.id);
        self.shared
            .socket
            .reset_stream(self.id.0, code)
            .or_else(|err| {
                match err.raw_os_error() {
                    // The peer had acknowledged everything already.
                    Some(libc::EINVAL | libc::ENOSTR) => Ok(()),
                    _ => Err(self.shared.explain("resetting a stream", err)),
                }
            })
    }

    /// Which streams go first (RFC 9218): those of `urgency` 0 before those of 1, and so on to 7; 3 if
    /// nothing was said. Among equals an `incremental` stream, which all are at first, takes turns
    /// with the others; another one goes on until it has nothing to send. The peer is told nothing.
    ///
    /// [`Error::Config`] for an urgency above 7. A stream that is over is left alone.
    pub fn set_priority(&mut self, urgency: u8, incremental: bool) -> Result<()> {
        if urgency > 7 {
            return Err(Error::Config(format!(
                "{urgency} is no urgency: it goes from 0 to 7"
            )));
        }
        let socket = &self.shared.socket;
        match socket.set_priority(self.id.0, urgency, incremental) {
            Err(err) if err.raw_os_error() != Some(libc::EINVAL) => {
                Err(self.shared.explain("setting the priority of a stream", err))
            }
            _ => Ok(()),
        }
    }

    /// Gives the stream up but for its first `reliable` bytes, which the peer still gets before the
    /// error (RESET_STREAM_AT, draft-ietf-quic-reliable-stream-reset). May be called again with the
    /// same code to deliver less.
    ///
    /// [`Error::Config`] if fewer bytes were written, [`Error::Io`] (`EOPNOTSUPP`) if the peer's
    /// implementation does not take such resets; both leave the stream as it is.
    pub fn reset_at(&mut self, code: u32, reliable: u64) -> Result<()> {
        if reliable > self.written {
            return Err(Error::Config(format!(
                "only {} bytes of the stream were written",
                self.written
            )));
        }
        match self
            .shared
            .socket
            .reset_stream_at(self.id.0, code, reliable)
        {
            Err(err) if !matches!(err.raw_os_error(), Some(libc::EINVAL | libc::ENOSTR)) => {
                return Err(self.shared.explain("resetting a stream", err));
            }
            // The peer had acknowledged everything already, or it was given up with less.
            _ => {}
        }
        self.ended = true;
        self.shared.demux.sending_was_reset(self.id);
        Ok(())
    }

    /// After [`Self::finish`]: waits until the peer has acknowledged every byte.
    pub fn wait_delivered(&self, timeout: Option<Duration>) -> Result<()> {
        self.shared.wait_delivered(Some(self.id), timeout)
    }

    fn send(&mut self, data: &[u8], flags: u32) -> Result<usize> {
        if let Some(code) = self.shared.demux.stopped(self.id) {
            return Err(Error::Stopped(code));
        }
        match self.shared.socket.send_stream(self.id.0, data, flags) {
            Ok(sent) => {
                self.written = self.written.saturating_add(sent as u64);
                Ok(sent)
            }
            Err(err) if matches!(err.raw_os_error(), Some(libc::EINVAL | libc::ENOSTR)) => {
                Err(self.shared.why_not_writable(self.id, err))
            }
            Err(err) => Err(self.shared.explain("writing to a stream", err)),
        }
    }
}

impl Write for SendStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if buf.is_empty() {
            return Ok(0);
        }
        Ok(self.send(buf, 0)?)
    }

    /// Has nothing to do: the kernel sends what it was given.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        if !self.ended {
            // The connection may be gone, in which case the stream is too.
            let _ = self.reset(0);
        }
        self.shared.demux.writer_goes(self.id);
    }
}

/// The half of a stream that the peer writes.
///
/// [`Read::read`] returns 0 once the peer has finished and everything was read. Dropping it
/// earlier asks the peer to stop sending, with code 0.
#[derive(Debug)]
pub struct RecvStream {
    shared: Arc<Shared>,
    id: StreamId,
    timeout: Option<Duration>,
}

impl RecvStream {
    pub(crate) fn new(shared: Arc<Shared>, id: StreamId) -> RecvStream {
        let timeout = shared.read_timeout;
        RecvStream {
            shared,
            id,
            timeout,
        }
    }

    /// The stream's identity.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// How long one read may wait; `None` waits for ever. Overrides the configuration's.
    pub fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Reads what has arrived; `None` if nothing has, 0 at the end of the stream. For event loops:
    /// see [`crate::Connection`]'s descriptor.
    pub fn try_read(&mut self, buf: &mut [u8]) -> Result<Option<usize>> {
        not_yet(self.shared.read(self.id, buf, Patience::None))
    }

    /// Asks the peer to stop sending, and throws away what has arrived.
    pub fn stop(&mut self, code: u32) -> Result<()> {
        if !self.shared.demux.forget(self.id) {
            return Ok(());
        }
        self.shared
            .socket
            .stop_sending(self.id.0, code)
            .or_else(|err| {
                match err.raw_os_error() {
                    // Everything has arrived already, or the peer has reset the stream.
                    Some(libc::EINVAL | libc::ENOSTR | libc::EAGAIN) => Ok(()),
                    _ => Err(self.shared.explain("stopping a stream", err)),
                }
            })
    }
}

impl Read for RecvStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.shared.read(self.id, buf, until(self.timeout))?)
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        // The connection may be gone, in which case the stream is too.
        let _ = self.stop(0);
    }
}

/// A bidirectional stream. Its halves are public, so they can be moved to different threads.
#[derive(Debug)]
pub struct BiStream {
    /// The half that this side writes.
    pub send: SendStream,
    /// The half that the peer writes.
    pub recv: RecvStream,
}

impl BiStream {
    pub(crate) fn new(shared: &Arc<Shared>, id: StreamId) -> BiStream {
        BiStream {
            send: SendStream::new(Arc::clone(shared), id),
            recv: RecvStream::new(Arc::clone(shared), id),
        }
    }

    /// The stream's identity.
    pub fn id(&self) -> StreamId {
        self.send.id()
    }

    /// The two halves.
    pub fn split(self) -> (SendStream, RecvStream) {
        (self.send, self.recv)
    }

    /// Says that nothing more will be written; reading goes on.
    pub fn finish(&mut self) -> Result<()> {
        self.send.finish()
    }
}

impl Read for BiStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv.read(buf)
    }
}

impl Write for BiStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send.flush()
    }
}

/// A stream that the peer opened.
#[derive(Debug)]
pub enum PeerStream {
    /// Both sides may write.
    Bi(BiStream),
    /// Only the peer writes.
    Uni(RecvStream),
}

impl PeerStream {
    pub(crate) fn new(shared: &Arc<Shared>, id: StreamId) -> PeerStream {
        if id.is_uni() {
            PeerStream::Uni(RecvStream::new(Arc::clone(shared), id))
        } else {
            PeerStream::Bi(BiStream::new(shared, id))
        }
    }

    /// The stream's identity.
    pub fn id(&self) -> StreamId {
        match self {
            PeerStream::Bi(stream) => stream.id(),
            PeerStream::Uni(stream) => stream.id(),
        }
    }
}

impl Read for PeerStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            PeerStream::Bi(stream) => stream.read(buf),
            PeerStream::Uni(stream) => stream.read(buf),
        }
    }
}
