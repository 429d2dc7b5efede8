// SPDX-License-Identifier: LGPL-2.1-or-later
//! Connecting, and the handshake of both sides.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{
        Duration,
        Instant, //
    },
};

use ::tokio::net::{
    lookup_host,
    ToSocketAddrs, //
};

use super::{
    conn::{
        self,
        Connection, //
    },
    hub::{
        Handle,
        Hub, //
    },
    stream::{
        BiStream,
        SendStream, //
    },
};
use crate::{
    attempts::Attempts,
    client::{
        ClientConfig,
        Inner, //
    },
    driver::steps::{
        Need,
        Steps, //
    },
    error::{
        Error,
        Result, //
    },
    establish::Opening,
    resumption::SessionTicket,
    settings::Settings,
    socket::Socket,
    tls::Prepared,
    uapi::event, //
};

/// Events that wake writers, besides those that all connections ask for.
const EVENTS: [u8; 2] = [event::STREAM_MAX_DATA, event::STREAM_MAX_STREAM];

/// Prepares a socket that neither listens nor is connected.
pub(super) fn prepare(socket: &Socket) -> Result<()> {
    EVENTS
        .iter()
        .try_for_each(|kind| socket.enable_event(*kind))
        .map_err(|err| Error::Io("asking for events", err))
}

/// A handshake that has not been completed.
pub(super) struct Pending {
    handle: Handle,
    opening: Opening,
    steps: Steps<Socket>,
    deadline: ::tokio::time::Instant,
}

impl Pending {
    /// For a socket that has been connected or accepted.
    pub(super) fn new(
        socket: Socket,
        prepared: Prepared,
        settings: &Settings,
        started: Instant,
    ) -> Result<Pending> {
        let io = |err| Error::Io("preparing the socket for the runtime", err);
        let socket = Arc::new(socket);
        let opening = Opening::new(&socket, &prepared, settings, started, Duration::ZERO)?;
        let hub = Hub::new(Arc::clone(&opening.shared)).map_err(io)?;
        let steps = Steps::new(socket, prepared)?;
        let now = ::tokio::time::Instant::now();
        let limit = settings.handshake_timeout;
        Ok(Pending {
            handle: Handle::new(hub),
            opening,
            steps,
            // A limit beyond the clock's range is none.
            deadline: now
                .checked_add(limit)
                .or_else(|| now.checked_add(Duration::from_secs(u64::from(u32::MAX))))
                .unwrap_or(now),
        })
    }

    /// Runs the handshake to its end.
    pub(super) async fn finish(mut self) -> Result<Connection> {
        let limit = ::tokio::time::timeout_at(self.deadline, self.advance(true));
        let result = match limit.await {
            Ok(result) => result,
            Err(_) => {
                let late = Error::Timeout("waiting for the peer's handshake");
                Err(self.steps.give_up(late))
            }
        };
        let concluded = match result {
            Ok(()) => self.opening.conclude(self.steps.finish()),
            Err(err) => Err(err),
        };
        match concluded {
            Ok(inner) => Ok(Connection::new(inner, self.handle)),
            Err(err) => {
                // Streams that were opened for early data learn it, too.
                self.handle.end(err.duplicate());
                Err(err)
            }
        }
    }

    /// Goes on to the end, or until something has to be received.
    async fn advance(&mut self, to_the_end: bool) -> Result<()> {
        let failed = |err| Error::Io("waiting for the socket", err);
        let mut need = self.steps.advance()?;
        loop {
            let fd = self.handle.fd();
            let mut ready = match need {
                Need::Nothing => return Ok(()),
                Need::Readable if !to_the_end => return Ok(()),
                Need::Readable => fd.readable().await.map_err(failed)?,
                Need::Writable => fd.writable().await.map_err(failed)?,
            };
            let next = self.steps.advance()?;
            // Only what was found not to be so after the wait is taken back.
            if next == need {
                ready.clear_ready();
            }
            need = next;
        }
    }
}

impl Connection {
    /// Connects, runs the handshake and verifies the server.
    ///
    /// `server_name` is what the server's certificate must be for, a host name or an IP address.
    /// If `addr` stands for several addresses they are tried in order; only a failure of the
    /// network leads to the next, a refusal by either side's TLS does not.
    pub async fn connect(
        addr: impl ToSocketAddrs,
        server_name: &str,
        config: &ClientConfig,
    ) -> Result<Connection> {
        connect_any(addr, server_name, config, None).await
    }

    /// Like [`Self::connect`], but continues an earlier connection with the same server, which
    /// spares both sides the certificates. If the server does not want to, the handshake is an
    /// ordinary one; [`ConnectionInfo::resumed`] tells. A ticket is good in one version of QUIC: the
    /// connection begins in that, or, if the configuration asks for another, with an ordinary
    /// handshake.
    ///
    /// [`ConnectionInfo::resumed`]: crate::ConnectionInfo::resumed
    pub async fn connect_resuming(
        addr: impl ToSocketAddrs,
        server_name: &str,
        config: &ClientConfig,
        ticket: &SessionTicket,
    ) -> Result<Connection> {
        connect_any(addr, server_name, config, Some(ticket)).await
    }

    /// Like [`Self::connect_resuming`], but returns before the handshake, so that data can be
    /// sent at once (0-RTT). Only the first address is tried. The configuration must not ask for
    /// another version of QUIC than the ticket's.
    ///
    /// Somebody who has copied early data may send it again: send only what does no harm twice.
    /// A server that does not take it gets it after the handshake.
    pub async fn connect_early(
        addr: impl ToSocketAddrs,
        server_name: &str,
        config: &ClientConfig,
        ticket: &SessionTicket,
    ) -> Result<EarlyConnection> {
        let addr = lookup(addr)
            .await?
            .next()
            .ok_or_else(|| Error::Config("the server's name has no address".into()))?;
        let mut pending = connect_one(&addr, server_name, &config.0, Some(ticket), true)?;
        pending.advance(false).await?;
        Ok(EarlyConnection(pending))
    }
}

/// A connection whose handshake is not finished: what is written now leaves at once.
/// Made by [`Connection::connect_early`].
///
/// Only as much can be written as the server permitted in the earlier connection; more waits for
/// the handshake, and so does reading.
#[must_use = "the handshake has still to be finished"]
pub struct EarlyConnection(Pending);

impl EarlyConnection {
    /// Opens a bidirectional stream for early data.
    pub async fn open_bi(&self) -> Result<BiStream> {
        conn::open_bi(&self.0.handle).await
    }

    /// Opens a unidirectional stream for early data.
    pub async fn open_uni(&self) -> Result<SendStream> {
        conn::open_uni(&self.0.handle).await
    }

    /// Finishes the handshake and verifies the server. Streams opened before go on.
    /// [`ConnectionInfo::early_data`] tells whether the server took what was sent early.
    ///
    /// [`ConnectionInfo::early_data`]: crate::ConnectionInfo::early_data
    pub async fn handshake(self) -> Result<Connection> {
        self.0.finish().await
    }
}

async fn lookup(addr: impl ToSocketAddrs) -> Result<impl Iterator<Item = SocketAddr>> {
    let found: Vec<SocketAddr> = lookup_host(addr)
        .await
        .map_err(|err| Error::Io("looking up the server's address", err))?
        .collect();
    Ok(found.into_iter())
}

async fn connect_any(
    addr: impl ToSocketAddrs,
    server_name: &str,
    config: &ClientConfig,
    ticket: Option<&SessionTicket>,
) -> Result<Connection> {
    let inner = &*config.0;
    let addrs = lookup(addr).await?;
    let mut attempts = Attempts::new(addrs, server_name, inner, ticket, prepare);
    loop {
        let pending = attempts.begin(|socket, prepared| {
            Pending::new(socket, prepared, &inner.settings, Instant::now())
        })?;
        let socket = Arc::clone(&pending.opening.shared.socket);
        if let Some(end) = attempts.conclude(&socket, pending.finish().await) {
            return end;
        }
    }
}

fn connect_one(
    addr: &SocketAddr,
    server_name: &str,
    config: &Inner,
    ticket: Option<&SessionTicket>,
    early: bool,
) -> Result<Pending> {
    let (socket, prepared) = config.connect(addr, server_name, ticket, early, prepare)?;
    Pending::new(socket, prepared, &config.settings, Instant::now())
}
