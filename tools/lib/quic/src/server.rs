// SPDX-License-Identifier: LGPL-2.1-or-later
//! Listening and accepting.

use std::{
    io,
    net::{
        SocketAddr,
        ToSocketAddrs, //
    },
    os::fd::{
        AsFd,
        BorrowedFd, //
    },
    path::{
        Path,
        PathBuf, //
    },
    sync::Arc,
    time::{
        Duration,
        Instant, //
    },
};

use crate::{
    config::{
        Cipher,
        ClientAuth,
        SocketConfig,
        TransportParams, //
    },
    conn::Connection,
    driver,
    error::{
        Error,
        Result, //
    },
    establish,
    handshake::Tickets,
    settings::{
        builder_methods,
        Settings, //
    },
    socket::Socket,
    tls::{
        KeyLog,
        Prepared,
        PskKeys,
        ServerTls, //
    },
};

/// Connection attempts that may wait for [`Listener::accept`].
const BACKLOG: i32 = 128;

/// Everything a server needs to know, made once: certificates and keys are read by
/// [`ServerConfigBuilder::build`], not for each connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerConfig(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tls: ServerTls,
    settings: Settings,
    backlog: i32,
    early_data: bool,
    preferred: Vec<SocketAddr>,
}

/// Collects the settings of a server.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ServerConfigBuilder {
    settings: Settings,
    certificates: Vec<(PathBuf, PathBuf)>,
    psk_file: Option<PathBuf>,
    psks: Vec<(String, Vec<u8>)>,
    client_auth: ClientAuth,
    backlog: Option<i32>,
    early_data: bool,
    preferred: Vec<SocketAddr>,
}

impl ServerConfig {
    /// Starts with the defaults: no application protocol, 10 seconds for a handshake. A
    /// certificate or a pre-shared key has to be added.
    pub fn builder() -> ServerConfigBuilder {
        ServerConfigBuilder::default()
    }
}

builder_methods!(ServerConfigBuilder);

impl ServerConfigBuilder {
    /// Adds a certificate: PEM files with the whole chain and with the private key. With several,
    /// the one that fits the name asked for is shown.
    pub fn certificate(mut self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.certificates
            .push((chain.as_ref().into(), key.as_ref().into()));
        self
    }

    /// Accepts the pre-shared keys of a file (lines of `identity:key in hexadecimal`).
    pub fn psk_file(mut self, file: impl AsRef<Path>) -> Self {
        self.psk_file = Some(file.as_ref().into());
        self
    }

    /// Accepts one more pre-shared key.
    pub fn psk(mut self, identity: impl Into<String>, key: impl Into<Vec<u8>>) -> Self {
        self.psks.push((identity.into(), key.into()));
        self
    }

    /// What clients have to show.
    pub fn client_auth(mut self, auth: ClientAuth) -> Self {
        self.client_auth = auth;
        self
    }

    /// Takes data that clients send before the handshake (0-RTT). Each ClientHello with such data
    /// is accepted once by this configuration, but another server with the same ticket key would
    /// accept it again: what arrives early must do no harm twice.
    pub fn early_data(mut self, early_data: bool) -> Self {
        self.early_data = early_data;
        self
    }

    /// Asks clients to go on at this address once the handshake is over (RFC 9000 9.6); one of each
    /// family may be given. It must be an address of this machine, with a port.
    pub fn preferred_address(mut self, addr: SocketAddr) -> Self {
        self.preferred.push(addr);
        self
    }

    /// How many connection attempts may wait for [`Listener::accept`]; 128 if not set.
    pub fn backlog(mut self, backlog: u16) -> Self {
        self.backlog = Some(i32::from(backlog.max(1)));
        self
    }

    /// Reads the files and checks the values.
    pub fn build(self) -> Result<ServerConfig> {
        self.settings.check()?;
        let mut keys = match &self.psk_file {
            Some(file) => PskKeys::from_file(file)?,
            None => PskKeys::default(),
        };
        for (identity, key) in self.psks {
            keys.insert(identity.into_bytes(), key)?;
        }
        let ciphers = &self.settings.ciphers;
        let tls = ServerTls::new(&self.certificates, keys, &self.client_auth, ciphers)?;
        Ok(ServerConfig(Arc::new(Inner {
            tls,
            settings: self.settings,
            backlog: self.backlog.unwrap_or(BACKLOG),
            early_data: self.early_data,
            preferred: self.preferred,
        })))
    }
}

/// A socket that waits for clients. Several threads may accept from it.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    config: ServerConfig,
}

impl Listener {
    /// Listens at an address. An IPv6 wildcard also takes IPv4 clients unless the system is set
    /// otherwise. If `addr` stands for several addresses, the first that works is used.
    pub fn bind(addr: impl ToSocketAddrs, config: &ServerConfig) -> Result<Listener> {
        let addrs = addr
            .to_socket_addrs()
            .map_err(|err| Error::Io("looking up the address to listen at", err))?;
        let mut last = None;
        for addr in addrs {
            match config.listen(&addr, |_| Ok(())) {
                Ok(socket) => {
                    let config = config.clone();
                    return Ok(Listener { socket, config });
                }
                Err(err) => last = Some(err),
            }
        }
        Err(last.unwrap_or_else(|| Error::Config("the name has no address".into())))
    }

    /// The address listened at, with the port that the kernel chose if it was given as 0.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        let result = self.socket.local_addr();
        result.map_err(|err| Error::Io("reading the listener's address", err))
    }

    /// Waits for the next client. Its handshake has not been run: do so in a thread of its own
    /// ([`Incoming::handshake`]), so that a slow client does not keep others waiting.
    pub fn accept(&self) -> Result<Incoming> {
        self.accept_timeout(None)
    }

    /// Like [`Self::accept`], but waits at most for `timeout`.
    pub fn accept_timeout(&self, timeout: Option<Duration>) -> Result<Incoming> {
        let what = "waiting for a client";
        let wait_error = |err| Error::Io(what, err);
        if timeout.is_some() {
            let deadline = crate::conn::deadline(timeout);
            // A signal ends the wait early, so look at the clock, too.
            while !self
                .socket
                .wait_readable(time_left(deadline))
                .map_err(wait_error)?
            {
                if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                    return Err(Error::Timeout(what));
                }
            }
        }
        let socket = self.socket.accept().map_err(wait_error)?;
        Incoming::new(socket, &self.config)
    }
}

impl AsFd for Listener {
    /// The socket, for instance for `poll`.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A client whose handshake has not been run. Dropping it refuses the client.
#[derive(Debug)]
pub struct Incoming {
    pub(crate) socket: Socket,
    peer: SocketAddr,
    pub(crate) config: ServerConfig,
    pub(crate) started: Instant,
}

impl Incoming {
    /// For a socket that has just been accepted.
    pub(crate) fn new(socket: Socket, config: &ServerConfig) -> Result<Incoming> {
        let peer = socket
            .peer_addr()
            .map_err(|err| Error::Io("reading the client's address", err))?;
        Ok(Incoming {
            socket,
            peer,
            config: config.clone(),
            started: Instant::now(),
        })
    }

    /// The client's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Runs the handshake and verifies the client as configured.
    pub fn handshake(self) -> Result<Connection> {
        let session = self.prepare()?;
        establish::begin(self.socket, session, &self.config.0.settings, self.started)?.finish()
    }

    /// A session for the handshake.
    pub(crate) fn prepare(&self) -> Result<Prepared> {
        let inner = &self.config.0;
        for addr in &inner.preferred {
            let what = "announcing the preferred address";
            self.socket
                .migrate(addr)
                .map_err(|err| Error::Io(what, err))?;
        }
        inner
            .tls
            .session(&inner.settings, Tickets::Ours, inner.early_data)
    }
}

impl ServerConfig {
    /// A socket that listens at the address. `prepare` may set more options.
    pub(crate) fn listen(
        &self,
        addr: &SocketAddr,
        prepare: impl FnOnce(&Socket) -> Result<()>,
    ) -> Result<Socket> {
        let socket = Socket::open(addr).map_err(driver::open_error)?;
        socket.bind(addr).map_err(|err| bind_error(addr, err))?;
        self.0.settings.apply(&socket)?;
        prepare(&socket)?;
        socket
            .listen(self.0.backlog)
            .map_err(|err| bind_error(addr, err))?;
        Ok(socket)
    }

    /// The settings that do not depend on the role.
    #[cfg(feature = "tokio")]
    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }
}

fn bind_error(addr: &SocketAddr, err: io::Error) -> Error {
    match err.raw_os_error() {
        Some(libc::EADDRINUSE) => Error::Config(format!(
            "{addr} is in use: another server listens there with one of the same protocols"
        )),
        _ => Error::Io("binding the address", err),
    }
}

fn time_left(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
}
