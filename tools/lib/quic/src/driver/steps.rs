// SPDX-License-Identifier: LGPL-2.1-or-later
//! A handshake that never waits, for event loops: it goes as far as it can and says what for it
//! has to wait.

use std::{
    io,
    sync::Arc, //
};

use super::{
    io_error,
    told,
    Finished,
    Wire,
    MESSAGE_LEN, //
};
use crate::{
    error::{
        Error,
        Result, //
    },
    handshake::{
        Kernel,
        Machine,
        Step, //
    },
    sys::{
        gnutls::Session,
        sock::Received, //
    },
    tls::{
        Parts,
        Prepared, //
    },
    uapi::Level, //
};

/// What the handshake waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Something to receive.
    Readable,
    /// Room to send.
    Writable,
    /// It is complete.
    Nothing,
}

/// A handshake between two waits.
pub(crate) struct Steps<W> {
    wire: Arc<W>,
    session: Session,
    machine: Machine,
    unsent: Option<Unsent>,
    items: Vec<(Received, Vec<u8>)>,
    buf: Vec<u8>,
}

/// A message for the peer, and how much of it the socket has taken.
struct Unsent {
    level: Level,
    bytes: Vec<u8>,
    more: bool,
    sent: usize,
}

impl<W: Wire + 'static> Steps<W> {
    /// Starts; nothing is sent before [`Self::advance`]. If it fails, the peer is told.
    pub(crate) fn new(wire: Arc<W>, prepared: Prepared) -> Result<Self> {
        let Parts { mut session, setup } = prepared.split();
        let kernel = Arc::clone(&wire) as Arc<dyn Kernel>;
        let machine = Machine::start(session.as_ref(), kernel, setup);
        Ok(Steps {
            machine: told(&*wire, machine)?,
            wire,
            session,
            unsent: None,
            items: Vec::new(),
            buf: vec![0; MESSAGE_LEN],
        })
    }

    /// Goes on as far as possible. If it fails, the peer is told.
    pub(crate) fn advance(&mut self) -> Result<Need> {
        let result = self.go();
        told(&*self.wire, result)
    }

    /// Ends the handshake for a reason from outside, which the peer is told.
    pub(crate) fn give_up(&self, reason: Error) -> Error {
        match told::<()>(&*self.wire, Err(reason)) {
            Err(reason) => reason,
            Ok(()) => Error::LocallyClosed,
        }
    }

    /// What a complete handshake leaves behind.
    pub(crate) fn finish(self) -> Finished {
        Finished {
            psk_identity: self.machine.psk_identity(),
            session: self.session,
            items: self.items,
        }
    }

    fn go(&mut self) -> Result<Need> {
        loop {
            if !self.send()? {
                return Ok(Need::Writable);
            }
            match self.machine.next() {
                Step::Done => return Ok(Need::Nothing),
                Step::Send { level, bytes, more } => {
                    self.unsent = Some(Unsent {
                        level,
                        bytes,
                        more,
                        sent: 0,
                    });
                }
                Step::Receive => {
                    if !self.receive()? {
                        return Ok(Need::Readable);
                    }
                }
            }
        }
    }

    /// Sends what is to be sent; `false` if the socket does not take it all now.
    fn send(&mut self) -> Result<bool> {
        while let Some(unsent) = &mut self.unsent {
            let rest = unsent.bytes.get(unsent.sent..).unwrap_or_default();
            if rest.is_empty() {
                self.unsent = None;
                break;
            }
            match self.wire.send(unsent.level, rest, unsent.more) {
                Ok(len) => unsent.sent = unsent.sent.saturating_add(len),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                // Only a ticket, of which a client that has closed already has no use.
                Err(_) if unsent.level == Level::App => self.unsent = None,
                Err(err) => return Err(io_error(&*self.wire, "sending a handshake message", err)),
            }
        }
        Ok(true)
    }

    /// Receives one item; `false` if there is none.
    fn receive(&mut self) -> Result<bool> {
        let received = match self.wire.try_recv(&mut self.buf) {
            Ok(received) => received,
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(err) => return Err(io_error(&*self.wire, "receiving a handshake message", err)),
        };
        let bytes = self.buf.get(..received.len).unwrap_or_default();
        match received.handshake.and_then(Level::from_u8) {
            Some(level) => self
                .machine
                .on_received(self.session.as_ref(), level, bytes)?,
            // An event, or data that a fast peer has sent already.
            None => self.items.push((received, bytes.to_vec())),
        }
        Ok(true)
    }
}
