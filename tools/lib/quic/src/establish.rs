// SPDX-License-Identifier: LGPL-2.1-or-later
//! From a connected or accepted socket to a [`Connection`].

use std::{
    io,
    net::SocketAddr,
    sync::{
        atomic::AtomicBool,
        Arc,
        Mutex,
        PoisonError, //
    },
    time::{
        Duration,
        Instant, //
    },
};

use crate::{
    conn::{
        Connection,
        ConnectionInfo,
        Shared,
        STOP_WAIT, //
    },
    demux::Demux,
    driver::{
        Finished,
        Running, //
    },
    error::{
        Error,
        Result, //
    },
    settings::Settings,
    socket::Socket,
    tls::Prepared, //
};

/// A connection whose handshake has been started.
pub(crate) struct Pending {
    pub(crate) opening: Opening,
    running: Running<Socket>,
    handshake_timeout: Duration,
    write_timeout: Option<Duration>,
}

/// A connection before the end of its handshake, whoever drives that.
pub(crate) struct Opening {
    pub(crate) shared: Arc<Shared>,
    started: Instant,
    local: SocketAddr,
    peer: SocketAddr,
    asked_name: Option<String>,
    verifies_peer: bool,
}

/// Starts a handshake; a client's ClientHello is sent at once.
pub(crate) fn begin(
    socket: Socket,
    prepared: Prepared,
    settings: &Settings,
    started: Instant,
) -> Result<Pending> {
    let socket = Arc::new(socket);
    let opening = Opening::new(&socket, &prepared, settings, started, STOP_WAIT)?;
    socket
        .set_write_timeout(Some(settings.handshake_timeout))
        .map_err(failed("setting a time-out"))?;
    let running = Running::start(socket, prepared, settings.handshake_timeout)?;
    Ok(Pending {
        opening,
        running,
        handshake_timeout: settings.handshake_timeout,
        write_timeout: settings.write_timeout,
    })
}

impl Pending {
    /// The socket, to be asked how the attempt has ended.
    pub(crate) fn socket(&self) -> Arc<Socket> {
        Arc::clone(&self.opening.shared.socket)
    }

    /// Lets the user write before the end of the handshake.
    pub(crate) fn open_for_early_data(&self) -> Result<()> {
        let socket = &self.opening.shared.socket;
        socket
            .set_write_timeout(self.write_timeout)
            .map_err(failed("setting a time-out"))
    }

    /// Finishes the handshake.
    pub(crate) fn finish(self) -> Result<Connection> {
        let shared = Arc::clone(&self.opening.shared);
        let result = self.complete();
        if let Err(err) = &result {
            // Streams that were opened for early data learn it, too.
            shared.demux.end(err.duplicate());
        }
        shared.demux.release();
        result
    }

    fn complete(self) -> Result<Connection> {
        let socket = Arc::clone(&self.opening.shared.socket);
        socket
            .set_write_timeout(Some(self.handshake_timeout))
            .map_err(failed("setting a time-out"))?;
        let finished = self.running.finish()?;
        socket
            .set_write_timeout(self.write_timeout)
            .map_err(failed("setting a time-out"))?;
        self.opening.conclude(finished)
    }
}

impl Opening {
    /// For a socket that has been connected or accepted. `stop_wait` is how long a failed write may
    /// look for its reason.
    pub(crate) fn new(
        socket: &Arc<Socket>,
        prepared: &Prepared,
        settings: &Settings,
        started: Instant,
        stop_wait: Duration,
    ) -> Result<Opening> {
        let local = socket
            .local_addr()
            .map_err(failed("reading the local address"))?;
        let peer = socket
            .peer_addr()
            .map_err(failed("reading the peer's address"))?;
        let shared = Arc::new(Shared {
            socket: Arc::clone(socket),
            demux: Demux::new(prepared.is_server, settings.receive_buffer),
            is_server: prepared.is_server,
            read_timeout: settings.read_timeout,
            close_timeout: settings.close_timeout,
            stop_wait,
            closed: AtomicBool::new(false),
            session: Mutex::new(None),
        });
        Ok(Opening {
            shared,
            started,
            local,
            peer,
            asked_name: prepared.peer_name.clone(),
            verifies_peer: prepared.verifies_peer,
        })
    }

    /// Makes the connection of a finished handshake.
    pub(crate) fn conclude(self, finished: Finished) -> Result<Connection> {
        let Finished {
            mut session,
            items,
            psk_identity,
        } = finished;
        let handshake_time = self.started.elapsed();
        let shared = self.shared;
        let tls = session.as_ref();
        let alpn = tls.alpn();
        let has_proof = tls.has_peer_certificate() || !shared.is_server;
        let info = ConnectionInfo {
            local: self.local,
            peer: self.peer,
            handshake_time,
            alpn: alpn.map(|name| String::from_utf8_lossy(&name).into_owned()),
            cipher: tls.cipher(false).ok_or_else(|| Error::Tls {
                alert: None,
                reason: "the session has no cipher".into(),
            })?,
            version: shared
                .socket
                .version()
                .map_err(failed("reading the version"))?,
            resumed: tls.is_resumed(),
            early_data: tls.has_early_data(),
            server_name: self.asked_name.or_else(|| tls.server_name()),
            peer_verified: psk_identity.is_some() || (self.verifies_peer && has_proof),
            psk_identity,
        };
        // The hooks would keep the socket open.
        tls.detach();
        for (received, bytes) in &items {
            shared.demux.put(received, bytes);
        }
        if !shared.is_server {
            let mut slot = shared
                .session
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *slot = Some(session);
        }
        Ok(Connection {
            shared,
            info: Arc::new(info),
        })
    }
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |err| Error::Io(what, err)
}
