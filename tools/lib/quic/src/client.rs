// SPDX-License-Identifier: LGPL-2.1-or-later
//! Connecting.

use std::{
    net::{
        SocketAddr,
        ToSocketAddrs, //
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
    attempts::Attempts,
    config::{
        Attempt,
        Cipher,
        SocketConfig,
        TransportParams,
        Trust,
        Version, //
    },
    conn::Connection,
    driver,
    early::EarlyConnection,
    error::{
        Error,
        Result, //
    },
    establish::{
        self,
        Pending, //
    },
    resumption::SessionTicket,
    settings::{
        builder_methods,
        Settings, //
    },
    socket::Socket,
    tls::{
        ClientTls,
        KeyLog,
        Prepared,
        Psk, //
    },
};

/// Everything a client needs to know, made once and used for many connections: trust and key
/// files are read by [`ClientConfigBuilder::build`], not for each connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ClientConfig(pub(crate) Arc<Inner>);

/// What all connections of a configuration share.
#[derive(Debug)]
pub(crate) struct Inner {
    tls: ClientTls,
    pub(crate) settings: Settings,
    bind: Option<SocketAddr>,
}

/// Collects the settings of a client.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ClientConfigBuilder {
    settings: Settings,
    trust: Trust,
    psk: Option<PskSource>,
    certificate: Option<(PathBuf, PathBuf)>,
    bind: Option<SocketAddr>,
}

#[derive(Clone, Debug)]
enum PskSource {
    File(PathBuf),
    Key(String, Vec<u8>),
}

impl ClientConfig {
    /// Starts with the defaults: the system's trust, no application protocol, 10 seconds for a
    /// handshake.
    pub fn builder() -> ClientConfigBuilder {
        ClientConfigBuilder::default()
    }
}

builder_methods!(ClientConfigBuilder);

impl ClientConfigBuilder {
    /// Whose signature on the server's certificate is believed.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Uses the first pre-shared key of a file (lines of `identity:key in hexadecimal`) instead
    /// of certificates.
    pub fn psk_file(mut self, file: impl AsRef<Path>) -> Self {
        self.psk = Some(PskSource::File(file.as_ref().into()));
        self
    }

    /// Uses this pre-shared key instead of certificates.
    pub fn psk(mut self, identity: impl Into<String>, key: impl Into<Vec<u8>>) -> Self {
        self.psk = Some(PskSource::Key(identity.into(), key.into()));
        self
    }

    /// Shows this certificate to servers that ask for one. Both files are PEM, the first with
    /// the whole chain.
    pub fn certificate(mut self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.certificate = Some((chain.as_ref().into(), key.as_ref().into()));
        self
    }

    /// Connects from this address instead of one that the kernel chooses.
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = Some(addr);
        self
    }

    /// Reads the files and checks the values.
    pub fn build(self) -> Result<ClientConfig> {
        self.settings.check()?;
        let ciphers = &self.settings.ciphers;
        let tls = match self.psk {
            Some(PskSource::File(file)) => {
                ClientTls::with_psk(&Psk::first_of_file(&file)?, ciphers)?
            }
            Some(PskSource::Key(identity, key)) => {
                ClientTls::with_psk(&Psk::new(identity.into_bytes(), key)?, ciphers)?
            }
            None => {
                let certificate = self.certificate.as_ref();
                let files = certificate.map(|(chain, key)| (chain.as_path(), key.as_path()));
                ClientTls::with_trust(&self.trust, files, ciphers)?
            }
        };
        Ok(ClientConfig(Arc::new(Inner {
            tls,
            settings: self.settings,
            bind: self.bind,
        })))
    }
}

impl Connection {
    /// Connects, runs the handshake and verifies the server.
    ///
    /// `server_name` is what the server's certificate must be for, a host name or an IP address.
    /// If `addr` stands for several addresses they are tried in order; only a failure of the
    /// network leads to the next, a refusal by either side's TLS does not.
    pub fn connect(
        addr: impl ToSocketAddrs,
        server_name: &str,
        config: &ClientConfig,
    ) -> Result<Connection> {
        connect_any(addr, server_name, config, None)
    }

    /// Like [`Self::connect`], but continues an earlier connection with the same server, which
    /// spares both sides the certificates. If the server does not want to, the handshake is an
    /// ordinary one; [`ConnectionInfo::resumed`] tells. A ticket is good in one version of QUIC: the
    /// connection begins in that, or, if the configuration asks for another, with an ordinary
    /// handshake.
    ///
    /// [`ConnectionInfo::resumed`]: crate::ConnectionInfo::resumed
    pub fn connect_resuming(
        addr: impl ToSocketAddrs,
        server_name: &str,
        config: &ClientConfig,
        ticket: &SessionTicket,
    ) -> Result<Connection> {
        connect_any(addr, server_name, config, Some(ticket))
    }

    /// Like [`Self::connect_resuming`], but returns before the handshake, so that data can be
    /// sent at once (0-RTT). Only the first address is tried. The configuration must not ask for
    /// another version of QUIC than the ticket's.
    ///
    /// Somebody who has copied early data may send it again: send only what does no harm twice.
    /// A server that does not take it gets it after the handshake.
    pub fn connect_early(
        addr: impl ToSocketAddrs,
        server_name: &str,
        config: &ClientConfig,
        ticket: &SessionTicket,
    ) -> Result<EarlyConnection> {
        let mut addrs = addr
            .to_socket_addrs()
            .map_err(|err| Error::Io("looking up the server's address", err))?;
        let addr = addrs
            .next()
            .ok_or_else(|| Error::Config("the server's name has no address".into()))?;
        EarlyConnection::new(connect_one(
            &addr,
            server_name,
            &config.0,
            Some(ticket),
            true,
        )?)
    }
}

fn connect_any(
    addr: impl ToSocketAddrs,
    server_name: &str,
    config: &ClientConfig,
    ticket: Option<&SessionTicket>,
) -> Result<Connection> {
    let addrs = addr
        .to_socket_addrs()
        .map_err(|err| Error::Io("looking up the server's address", err))?;
    let inner = &*config.0;
    let mut attempts = Attempts::new(addrs, server_name, inner, ticket, |_| Ok(()));
    loop {
        let begun = attempts.begin(|socket, session| {
            establish::begin(socket, session, &inner.settings, Instant::now())
        })?;
        let socket = begun.socket();
        if let Some(end) = attempts.conclude(&socket, begun.finish()) {
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
    let (socket, session) = config.connect(addr, server_name, ticket, early, |_| Ok(()))?;
    establish::begin(socket, session, &config.settings, Instant::now())
}

impl Inner {
    /// A connected socket and a session for its handshake. `prepare` may set more options.
    pub(crate) fn connect(
        &self,
        addr: &SocketAddr,
        server_name: &str,
        ticket: Option<&SessionTicket>,
        early: bool,
        prepare: impl FnOnce(&Socket) -> Result<()>,
    ) -> Result<(Socket, Prepared)> {
        let version = self.first_version(ticket);
        let socket = self.connected(addr, Attempt::First(version), prepare)?;
        let mut session = self.tls.session(Some(server_name), &self.settings, early)?;
        if let Some(ticket) = ticket {
            ticket.apply(&mut session, version)?;
            if early {
                if ticket.version() != version {
                    return Err(Error::Config(format!(
                        "early data needs a session ticket of {version}, and this one is of {}",
                        ticket.version()
                    )));
                }
                ticket.apply_limits(&socket)?;
            }
        }
        Ok((socket, session))
    }

    /// The same for a second attempt, in a version that the server has asked for. It continues no
    /// session: tickets are good for one version (RFC 9369 5).
    pub(crate) fn connect_again(
        &self,
        addr: &SocketAddr,
        server_name: &str,
        version: Version,
        prepare: impl FnOnce(&Socket) -> Result<()>,
    ) -> Result<(Socket, Prepared)> {
        let socket = self.connected(addr, Attempt::Again(version), prepare)?;
        let session = self.tls.session(Some(server_name), &self.settings, false)?;
        Ok((socket, session))
    }

    /// The version that a connection begins in: the one that is configured, or else the one in which
    /// the ticket is good.
    fn first_version(&self, ticket: Option<&SessionTicket>) -> Version {
        let configured = self.settings.socket.version;
        configured
            .or_else(|| ticket.map(SessionTicket::version))
            .unwrap_or(Version::V1)
    }

    /// The version to begin anew in, if that is why an attempt on `socket` has ended: the server
    /// speaks another one than the ClientHello has announced (RFC 9368 2.1).
    pub(crate) fn version_asked_for<T>(
        &self,
        socket: &Socket,
        ticket: Option<&SessionTicket>,
        result: &Result<T>,
    ) -> Option<Version> {
        let began = self.first_version(ticket);
        let asked = socket.version().ok()?;
        match result {
            Err(Error::Closed(reason)) if reason.is_version_negotiation() => {
                (asked != began).then_some(asked)
            }
            _ => None,
        }
    }

    fn connected(
        &self,
        addr: &SocketAddr,
        attempt: Attempt,
        prepare: impl FnOnce(&Socket) -> Result<()>,
    ) -> Result<Socket> {
        let socket = Socket::open(addr).map_err(driver::open_error)?;
        self.settings.apply(&socket)?;
        socket
            .set_attempt(attempt)
            .map_err(|err| Error::Io("setting the version", err))?;
        prepare(&socket)?;
        if let Some(local) = &self.bind {
            socket
                .bind(local)
                .map_err(|err| Error::Io("binding the local address", err))?;
        }
        socket
            .connect(addr)
            .map_err(|err| Error::Io("connecting", err))?;
        Ok(socket)
    }
}
