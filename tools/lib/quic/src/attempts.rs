// SPDX-License-Identifier: LGPL-2.1-or-later
//! A client's attempts: the server's addresses in order, and at one of them a second attempt if the
//! server asks for another version (RFC 9368 2.1). No waiting: callers that block and tasks of a
//! runtime go through the same steps.

use std::net::SocketAddr;

use crate::{
    client::Inner,
    config::Version,
    error::{
        Error,
        Result, //
    },
    resumption::SessionTicket,
    socket::Socket,
    tls::Prepared,
};

/// What is still to be tried.
pub(crate) struct Attempts<'a, A> {
    addrs: A,
    server_name: &'a str,
    config: &'a Inner,
    ticket: Option<&'a SessionTicket>,
    prepare: fn(&Socket) -> Result<()>,
    /// The second attempt that is due.
    again: Option<(SocketAddr, Version)>,
    /// Where the attempt under way goes, if it is a first one.
    first: Option<SocketAddr>,
    /// Why the last attempt failed.
    last: Option<Error>,
}

impl<'a, A: Iterator<Item = SocketAddr>> Attempts<'a, A> {
    /// `prepare` sets options of each socket before it connects.
    pub(crate) fn new(
        addrs: A,
        server_name: &'a str,
        config: &'a Inner,
        ticket: Option<&'a SessionTicket>,
        prepare: fn(&Socket) -> Result<()>,
    ) -> Attempts<'a, A> {
        Attempts {
            addrs,
            server_name,
            config,
            ticket,
            prepare,
            again: None,
            first: None,
            last: None,
        }
    }

    /// Connects for the next attempt and begins its handshake. When nothing is left to try, the
    /// error is that of the last attempt.
    pub(crate) fn begin<T>(&mut self, begin: impl Fn(Socket, Prepared) -> Result<T>) -> Result<T> {
        loop {
            let connected = self.connect()?;
            match connected.and_then(|(socket, session)| begin(socket, session)) {
                Ok(begun) => return Ok(begun),
                Err(err) => self.go_on_after(err)?,
            }
        }
    }

    /// What the end of the attempt on `socket` means: `None` if there is another attempt to make.
    pub(crate) fn conclude<T>(&mut self, socket: &Socket, result: Result<T>) -> Option<Result<T>> {
        if let Some(addr) = self.first.take() {
            if let Some(version) = self.config.version_asked_for(socket, self.ticket, &result) {
                self.again = Some((addr, version));
                return None;
            }
        }
        match result {
            Ok(connection) => Some(Ok(connection)),
            Err(err) => self.go_on_after(err).err().map(Err),
        }
    }

    /// The outer error ends the search.
    fn connect(&mut self) -> Result<Result<(Socket, Prepared)>> {
        if let Some((addr, version)) = self.again.take() {
            let again = self
                .config
                .connect_again(&addr, self.server_name, version, self.prepare);
            return Ok(again);
        }
        let Some(addr) = self.addrs.next() else {
            let nowhere = || Error::Config("the server's name has no address".into());
            return Err(self.last.take().unwrap_or_else(nowhere));
        };
        self.first = Some(addr);
        Ok(self
            .config
            .connect(&addr, self.server_name, self.ticket, false, self.prepare))
    }

    /// Only a failure of the network leads to the next address.
    fn go_on_after(&mut self, err: Error) -> Result<()> {
        match err {
            Error::Io(..) | Error::Timeout(_) => {
                self.last = Some(err);
                Ok(())
            }
            _ => Err(err),
        }
    }
}
