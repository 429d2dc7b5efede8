// SPDX-License-Identifier: LGPL-2.1-or-later
//! Listening and accepting.

use std::{
    net::SocketAddr,
    sync::Arc, //
};

use ::tokio::net::{
    lookup_host,
    ToSocketAddrs, //
};

use super::{
    conn::Connection,
    connect::{
        self,
        Pending, //
    },
};
use crate::{
    error::{
        Error,
        Result, //
    },
    server::{
        self,
        ServerConfig, //
    },
    sys::watch::{
        watch,
        Watched, //
    },
};

/// A socket that waits for clients. Several tasks may accept from it.
#[derive(Debug)]
pub struct Listener {
    fd: Watched,
    config: ServerConfig,
}

impl Listener {
    /// Listens at an address. An IPv6 wildcard also takes IPv4 clients unless the system is set
    /// otherwise. If `addr` stands for several addresses, the first that works is used.
    pub async fn bind(addr: impl ToSocketAddrs, config: &ServerConfig) -> Result<Listener> {
        let addrs = lookup_host(addr)
            .await
            .map_err(|err| Error::Io("looking up the address to listen at", err))?;
        let mut last = None;
        for addr in addrs {
            match bind_one(&addr, config) {
                Ok(fd) => {
                    let config = config.clone();
                    return Ok(Listener { fd, config });
                }
                Err(err) => last = Some(err),
            }
        }
        Err(last.unwrap_or_else(|| Error::Config("the name has no address".into())))
    }

    /// The address listened at, with the port that the kernel chose if it was given as 0.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        let result = self.fd.get_ref().local_addr();
        result.map_err(|err| Error::Io("reading the listener's address", err))
    }

    /// Waits for the next client. Its handshake has not been run: do so in a task of its own
    /// ([`Incoming::handshake`]), so that a slow client does not keep others waiting.
    pub async fn accept(&self) -> Result<Incoming> {
        let failed = |err| Error::Io("waiting for a client", err);
        loop {
            let mut ready = self.fd.readable().await.map_err(failed)?;
            match ready.try_io(|fd| fd.get_ref().accept()) {
                Ok(socket) => {
                    let socket = socket.map_err(failed)?;
                    return Ok(Incoming(server::Incoming::new(socket, &self.config)?));
                }
                // Somebody else was faster.
                Err(_) => continue,
            }
        }
    }
}

/// A client whose handshake has not been run. Dropping it refuses the client.
#[derive(Debug)]
pub struct Incoming(server::Incoming);

impl Incoming {
    /// The client's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.0.peer_addr()
    }

    /// Runs the handshake and verifies the client as configured.
    pub async fn handshake(self) -> Result<Connection> {
        let prepared = self.0.prepare()?;
        let server::Incoming {
            socket,
            config,
            started,
            ..
        } = self.0;
        Pending::new(socket, prepared, config.settings(), started)?
            .finish()
            .await
    }
}

fn bind_one(addr: &SocketAddr, config: &ServerConfig) -> Result<Watched> {
    let socket = config.listen(addr, connect::prepare)?;
    watch(Arc::new(socket)).map_err(|err| Error::Io("preparing the socket for the runtime", err))
}
