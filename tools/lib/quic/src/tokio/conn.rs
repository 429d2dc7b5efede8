// SPDX-License-Identifier: LGPL-2.1-or-later
//! An established connection.

use std::time::Instant;

use super::{
    hub::Handle,
    stream::{
        BiStream,
        PeerStream,
        SendStream, //
    },
};
use crate::{
    config::TransportParams,
    conn::{
        self,
        ConnectionInfo,
        DELIVERY_POLL,
        DELIVERY_SETTLED, //
    },
    error::{
        CloseReason,
        Error,
        Result, //
    },
    resumption::SessionTicket,
    statistics::Statistics,
    stream::{
        self,
        StreamId, //
    },
};

/// An established connection. Clones are handles of the same connection.
///
/// When the last handle and the last stream are dropped, the kernel closes the connection and
/// loses what the peer has not acknowledged. [`Connection::close`] waits for that.
#[derive(Clone, Debug)]
pub struct Connection {
    inner: conn::Connection,
    handle: Handle,
}

impl Connection {
    pub(super) fn new(inner: conn::Connection, handle: Handle) -> Connection {
        handle.start();
        Connection { inner, handle }
    }

    /// What is known about the connection.
    pub fn info(&self) -> &ConnectionInfo {
        self.inner.info()
    }

    /// Opens a bidirectional stream. Waits while the peer permits no more streams. The peer
    /// learns of it with the first byte.
    pub async fn open_bi(&self) -> Result<BiStream> {
        open_bi(&self.handle).await
    }

    /// Opens a unidirectional stream, like [`Self::open_bi`].
    pub async fn open_uni(&self) -> Result<SendStream> {
        open_uni(&self.handle).await
    }

    /// Waits for the next stream that the peer opens and sends something on.
    pub async fn accept_stream(&self) -> Result<PeerStream> {
        let what = "waiting for the peer to open a stream";
        let id = self
            .handle
            .wait(what, |inbox| inbox.accept().map(Ok))
            .await?;
        let inner = stream::PeerStream::new(&self.handle.shared, id);
        Ok(PeerStream::new(inner, &self.handle))
    }

    /// Sends a datagram of RFC 9221: at most once, not in order, in one packet. Both sides have
    /// to announce [`TransportParams::max_datagram_frame_size`]. Waits while the socket's buffer
    /// is full.
    pub async fn send_datagram(&self, data: &[u8]) -> Result<()> {
        loop {
            match self.inner.send_datagram(data) {
                Err(Error::Timeout(_)) => {}
                other => return other,
            }
            let ready = self.handle.fd().writable().await;
            let mut ready = ready.map_err(|err| Error::Io("sending a datagram", err))?;
            match self.inner.send_datagram(data) {
                Err(Error::Timeout(_)) => ready.clear_ready(),
                other => return other,
            }
        }
    }

    /// Waits for the next datagram.
    pub async fn recv_datagram(&self) -> Result<Vec<u8>> {
        let what = "waiting for a datagram";
        self.handle
            .wait(what, |inbox| inbox.pop_datagram().map(Ok))
            .await
    }

    /// Changes the packet keys now (RFC 9001 6). The kernel does it by itself when it must.
    pub fn update_keys(&self) -> Result<()> {
        self.inner.update_keys()
    }

    /// The transport parameters that the peer announced.
    pub fn peer_transport_params(&self) -> Result<TransportParams> {
        self.inner.peer_transport_params()
    }

    /// The kernel's counters of this connection; `None` if the kernel's QUIC does not tell them.
    pub fn statistics(&self) -> Result<Option<Statistics>> {
        self.inner.statistics()
    }

    /// Client: waits for the server's session ticket, which comes soon after the handshake if at
    /// all. A server never gets one.
    pub async fn session_ticket(&self) -> Result<SessionTicket> {
        let what = "waiting for a session ticket";
        if self.handle.shared.is_server {
            return Err(Error::Config("a server gets no session ticket".into()));
        }
        loop {
            let at_once = std::time::Duration::ZERO;
            if let Some(ticket) = self.inner.session_ticket(at_once)? {
                return Ok(ticket);
            }
            self.handle
                .wait(what, |inbox| inbox.ticket.then_some(Ok(())))
                .await?;
        }
    }

    /// Waits until the peer has acknowledged everything on the streams that were finished.
    pub async fn wait_delivered(&self) -> Result<()> {
        wait_delivered(&self.handle, None).await
    }

    /// Closes the connection with an application error code and a phrase (at most 63 bytes), but
    /// first waits until the finished streams were delivered, at most for the configured time.
    ///
    /// Streams that were not finished are cut off. `Ok` if everything finished was delivered.
    pub async fn close(&self, code: u32, reason: &str) -> Result<()> {
        let limit = self.handle.shared.close_timeout;
        let delivered = ::tokio::time::timeout(limit, self.wait_delivered()).await;
        self.inner.abort(code, reason)?;
        match delivered {
            // The peer was done first, and content.
            Ok(Err(Error::Closed(CloseReason { code: 0, .. }) | Error::LocallyClosed)) => Ok(()),
            Ok(other) => other,
            Err(_) => Err(Error::Timeout(
                "waiting for the peer to acknowledge the data",
            )),
        }
    }

    /// Closes the connection at once. Data not yet acknowledged is lost.
    pub fn abort(&self, code: u32, reason: &str) -> Result<()> {
        self.inner.abort(code, reason)
    }

    /// Waits until the connection has ended and says how; fails with [`Error::IdleTimeout`] if nobody
    /// has closed it. Data that arrives meanwhile is kept.
    pub async fn wait_closed(&self) -> Result<CloseReason> {
        let what = "waiting for the peer to close";
        match self.handle.wait(what, |_| None::<Result<()>>).await {
            Err(Error::Closed(reason)) => Ok(reason),
            Err(err) => Err(err),
            Ok(()) => Ok(CloseReason::default()),
        }
    }
}

/// Opens a bidirectional stream.
pub(super) async fn open_bi(handle: &Handle) -> Result<BiStream> {
    let id = open(handle, false).await?;
    handle.shared.demux.opened(id);
    let inner = stream::BiStream::new(&handle.shared, id);
    Ok(BiStream::new(inner, handle))
}

/// Opens a unidirectional stream.
pub(super) async fn open_uni(handle: &Handle) -> Result<SendStream> {
    let id = open(handle, true).await?;
    let inner = stream::SendStream::new(std::sync::Arc::clone(&handle.shared), id);
    Ok(SendStream::new(inner, handle.clone()))
}

/// The halves of a peer's stream are made elsewhere; this opens one of this side's.
async fn open(handle: &Handle, uni: bool) -> Result<StreamId> {
    let shared = &handle.shared;
    loop {
        let mut news = std::pin::pin!(handle.news.notified());
        news.as_mut().enable();
        match shared.socket.open_stream(uni, false) {
            Ok(id) => return Ok(StreamId(id)),
            Err(err) if err.raw_os_error() == Some(libc::EAGAIN) => news.await,
            Err(err) => return Err(shared.explain("opening a stream", err)),
        }
    }
}

/// Waits for the acknowledgement of one finished stream or of all.
pub(super) async fn wait_delivered(handle: &Handle, id: Option<StreamId>) -> Result<()> {
    let what = "waiting for the peer to acknowledge the data";
    let mut free_since: Option<Instant> = None;
    loop {
        let delivered = handle.wait(what, |inbox| inbox.is_delivered(id).then_some(Ok(())));
        if let Ok(delivered) = ::tokio::time::timeout(DELIVERY_POLL, delivered).await {
            return delivered;
        }
        // The event may have been dropped for want of room; the accounting tells, too.
        free_since = match handle.shared.socket.unacknowledged() {
            Ok(0) => free_since.or_else(|| Some(Instant::now())),
            _ => None,
        };
        if free_since.is_some_and(|since| since.elapsed() >= DELIVERY_SETTLED) {
            handle.shared.demux.all_delivered();
        }
    }
}
