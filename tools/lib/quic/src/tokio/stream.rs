// SPDX-License-Identifier: LGPL-2.1-or-later
//! Streams as asynchronous readers and writers.

use std::{
    io,
    pin::Pin,
    task::{
        ready,
        Context,
        Poll, //
    },
};

use ::tokio::io::{
    AsyncRead,
    AsyncWrite,
    ReadBuf, //
};

use super::hub::Handle;
use crate::{
    error::{
        Error,
        Result, //
    },
    stream::{
        self,
        StreamId, //
    },
};

/// The half of a stream that this side writes.
///
/// Writing waits for flow control. `shutdown` of `AsyncWriteExt`, or [`SendStream::finish`], says
/// that nothing more will be written; dropping an unfinished stream resets it with code 0.
#[derive(Debug)]
pub struct SendStream {
    inner: stream::SendStream,
    handle: Handle,
}

impl SendStream {
    pub(super) fn new(inner: stream::SendStream, handle: Handle) -> SendStream {
        SendStream { inner, handle }
    }

    /// The stream's identity.
    pub fn id(&self) -> StreamId {
        self.inner.id()
    }

    /// Says that nothing more will be written. Does not wait for the peer; see
    /// [`Self::wait_delivered`] and [`super::Connection::close`].
    pub async fn finish(&mut self) -> Result<()> {
        let finished = std::future::poll_fn(|cx| Pin::new(&mut *self).poll_shutdown(cx)).await;
        finished.map_err(|err| unwrap_io("finishing a stream", err))
    }

    /// Gives the stream up: the peer's reader gets an error with this code. Without effect once
    /// the peer has everything.
    pub fn reset(&mut self, code: u32) -> Result<()> {
        self.inner.reset(code)
    }

    /// Which streams go first; see [`crate::SendStream::set_priority`].
    pub fn set_priority(&mut self, urgency: u8, incremental: bool) -> Result<()> {
        self.inner.set_priority(urgency, incremental)
    }

    /// Gives the stream up but for its first `reliable` bytes, which the peer still gets before the
    /// error; see [`crate::SendStream::reset_at`].
    pub fn reset_at(&mut self, code: u32, reliable: u64) -> Result<()> {
        self.inner.reset_at(code, reliable)
    }

    /// After the end was written: waits until the peer has acknowledged every byte.
    pub async fn wait_delivered(&self) -> Result<()> {
        super::conn::wait_delivered(&self.handle, Some(self.id())).await
    }
}

impl AsyncWrite for SendStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let SendStream { inner, handle } = &mut *self;
        handle.poll_send(cx, inner.id(), || inner.try_write(buf))
    }

    /// Has nothing to do: the kernel sends what it was given.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let SendStream { inner, handle } = &mut *self;
        handle.poll_send(cx, inner.id(), || inner.try_finish())
    }
}

impl Drop for SendStream {
    fn drop(&mut self) {
        self.handle.writers.forget(self.inner.id().0);
    }
}

/// The half of a stream that the peer writes.
///
/// Dropping it before its end asks the peer to stop sending, with code 0.
#[derive(Debug)]
pub struct RecvStream {
    inner: stream::RecvStream,
    handle: Handle,
}

impl RecvStream {
    pub(super) fn new(inner: stream::RecvStream, handle: Handle) -> RecvStream {
        RecvStream { inner, handle }
    }

    /// The stream's identity.
    pub fn id(&self) -> StreamId {
        self.inner.id()
    }

    /// Asks the peer to stop sending, and throws away what has arrived.
    pub fn stop(&mut self, code: u32) -> Result<()> {
        let stopped = self.inner.stop(code);
        self.handle.room.notify_one();
        stopped
    }

    /// Reads to the end of the stream; fails with [`Error::Config`] beyond `limit` bytes.
    pub async fn read_to_limit(&mut self, limit: usize) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut chunk = vec![0; 64 << 10];
        loop {
            let mut buf = ReadBuf::new(&mut chunk);
            let read = std::future::poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, &mut buf));
            read.await
                .map_err(|err| unwrap_io("reading a stream", err))?;
            let bytes = buf.filled();
            if bytes.is_empty() {
                return Ok(out);
            }
            if out.len().saturating_add(bytes.len()) > limit {
                return Err(Error::Config(format!(
                    "the stream is longer than {limit} bytes"
                )));
            }
            out.extend_from_slice(bytes);
        }
    }
}

impl AsyncRead for RecvStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let RecvStream { inner, handle } = &mut *self;
        // First, so that what arrives after the look is not missed.
        handle.readers.register(inner.id().0, cx.waker());
        let read = inner.try_read(buf.initialize_unfilled());
        if let Ok(Some(len)) = read {
            buf.advance(len);
        }
        // Either there is room now, or somebody waits for what the inbox had no room for.
        handle.room.notify_one();
        match read {
            Ok(None) => Poll::Pending,
            other => {
                handle.readers.forget(inner.id().0);
                Poll::Ready(other.map(drop).map_err(io::Error::from))
            }
        }
    }
}

impl Drop for RecvStream {
    fn drop(&mut self) {
        self.handle.readers.forget(self.inner.id().0);
        // The connection may be gone, in which case the stream is too.
        let _ = self.stop(0);
    }
}

/// A bidirectional stream. Its halves are public, so they can be moved to different tasks.
#[derive(Debug)]
pub struct BiStream {
    /// The half that this side writes.
    pub send: SendStream,
    /// The half that the peer writes.
    pub recv: RecvStream,
}

impl BiStream {
    pub(super) fn new(inner: stream::BiStream, handle: &Handle) -> BiStream {
        let (send, recv) = inner.split();
        BiStream {
            send: SendStream::new(send, handle.clone()),
            recv: RecvStream::new(recv, handle.clone()),
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
}

impl AsyncRead for BiStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.recv).poll_read(cx, buf)
    }
}

impl AsyncWrite for BiStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.send).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.send).poll_shutdown(cx)
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
    pub(super) fn new(inner: stream::PeerStream, handle: &Handle) -> PeerStream {
        match inner {
            stream::PeerStream::Bi(stream) => PeerStream::Bi(BiStream::new(stream, handle)),
            stream::PeerStream::Uni(stream) => {
                PeerStream::Uni(RecvStream::new(stream, handle.clone()))
            }
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

impl AsyncRead for PeerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let recv = match &mut *self {
            PeerStream::Bi(stream) => &mut stream.recv,
            PeerStream::Uni(stream) => stream,
        };
        ready!(Pin::new(recv).poll_read(cx, buf))?;
        Poll::Ready(Ok(()))
    }
}

/// The error within one that went through the traits of I/O.
fn unwrap_io(what: &'static str, err: io::Error) -> Error {
    match err.downcast() {
        Ok(err) => err,
        Err(err) => Error::Io(what, err),
    }
}
