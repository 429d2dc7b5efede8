// SPDX-License-Identifier: LGPL-2.1-or-later
//! Runs a handshake on a socket, within a time limit, and makes a [`Connection`] of it.

use std::{
    io,
    sync::Arc,
    time::{
        Duration,
        Instant, //
    },
};

use crate::{
    demux::time_left,
    error::{
        CloseReason,
        Error,
        Result, //
    },
    handshake::{
        close_for,
        ended,
        Kernel,
        Machine,
        Setup,
        Step, //
    },
    socket::Socket,
    sys::{
        gnutls::{
            Session,
            SessionRef, //
        },
        sock::Received, //
    },
    tls::{
        Parts,
        Prepared, //
    },
    uapi::Level, //
};

/// Largest handshake message piece received at once, as libquic has it.
const MESSAGE_LEN: usize = 64 << 10;

/// A socket in its handshake. A trait so that tests can join two of them in memory.
pub(crate) trait Wire: Kernel {
    /// Sends handshake bytes; may take fewer.
    fn send(&self, level: Level, bytes: &[u8], more: bool) -> io::Result<usize>;
    /// Receives one item of any kind; `WouldBlock` if there is none.
    fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received>;
    /// Waits for an item. May return early.
    fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool>;
    /// Waits for room to send, where the socket itself does not. May return early.
    fn wait_writable(&self, timeout: Option<Duration>) -> io::Result<bool>;
    /// Ends the connection with a code and a phrase for the peer.
    fn close(&self, code: u32, phrase: &str);
}

/// What a handshake leaves behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) session: Session,
    /// Items that arrived among the handshake messages, in order.
    pub(crate) items: Vec<(Received, Vec<u8>)>,
    /// The pre-shared key by which the client has identified itself.
    pub(crate) psk_identity: Option<String>,
}

/// A handshake on its way.
pub(crate) struct Running<W> {
    wire: Arc<W>,
    session: Session,
    machine: Machine,
    deadline: Option<Instant>,
}

/// How far to go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Something has to be received.
    Receive,
    Done,
}

impl<W: Wire + 'static> Running<W> {
    /// Starts; a client's ClientHello is sent at once. If it fails, the peer is told.
    pub(crate) fn start(wire: Arc<W>, prepared: Prepared, timeout: Duration) -> Result<Self> {
        let deadline = Instant::now().checked_add(timeout);
        let Parts { mut session, setup } = prepared.split();
        let kernel = Arc::clone(&wire) as Arc<dyn Kernel>;
        let started = Machine::start(session.as_ref(), kernel, setup).and_then(|mut machine| {
            let no_items = &mut |_: &Received, _: &[u8]| Ok(());
            drive(
                &*wire,
                session.as_ref(),
                &mut machine,
                deadline,
                Until::Receive,
                no_items,
            )?;
            Ok(machine)
        });
        Ok(Running {
            machine: told(&*wire, started)?,
            wire,
            session,
            deadline,
        })
    }

    /// Goes on to the end. If it fails, the peer is told.
    pub(crate) fn finish(mut self) -> Result<Finished> {
        let mut items = Vec::new();
        let mut keep = |received: &Received, bytes: &[u8]| {
            items.push((*received, bytes.to_vec()));
            Ok(())
        };
        let (session, machine) = (self.session.as_ref(), &mut self.machine);
        let end = drive(
            &*self.wire,
            session,
            machine,
            self.deadline,
            Until::Done,
            &mut keep,
        );
        told(&*self.wire, end)?;
        Ok(Finished {
            psk_identity: self.machine.psk_identity(),
            session: self.session,
            items,
        })
    }
}

/// Runs the handshake of somebody's session. Items that are no handshake messages go to `other`.
/// If it fails, the peer is told. Returns the pre-shared key that a client has used.
pub(crate) fn run_session(
    wire: &Arc<impl Wire + 'static>,
    session: SessionRef<'_>,
    setup: Setup,
    timeout: Duration,
    other: &mut dyn FnMut(&Received, &[u8]) -> Result<()>,
) -> Result<Option<String>> {
    let kernel = Arc::clone(wire) as Arc<dyn Kernel>;
    let deadline = Instant::now().checked_add(timeout);
    let result = Machine::start(session, kernel, setup).and_then(|mut machine| {
        drive(&**wire, session, &mut machine, deadline, Until::Done, other)?;
        Ok(machine.psk_identity())
    });
    told(&**wire, result)
}

/// Tells the peer of a failure.
fn told<T>(wire: &dyn Wire, result: Result<T>) -> Result<T> {
    if let Err(err) = &result {
        if let Some((code, phrase)) = close_for(err) {
            wire.close(code, &phrase);
        }
    }
    result
}

fn drive(
    wire: &dyn Wire,
    session: SessionRef<'_>,
    machine: &mut Machine,
    deadline: Option<Instant>,
    until: Until,
    other: &mut dyn FnMut(&Received, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut buf = Vec::new();
    loop {
        match machine.next() {
            Step::Done => return Ok(()),
            Step::Receive if until == Until::Receive => return Ok(()),
            Step::Send { level, bytes, more } => {
                let sent = send_all(wire, level, &bytes, more, deadline);
                // Only a ticket, of which a client that has closed already has no use.
                if level != Level::App {
                    sent?;
                }
            }
            Step::Receive => {
                buf.resize(MESSAGE_LEN, 0);
                let received = receive(wire, &mut buf, deadline)?;
                let bytes = buf.get(..received.len).unwrap_or_default();
                match received.handshake.and_then(Level::from_u8) {
                    Some(level) => machine.on_received(session, level, bytes)?,
                    // An event, or data that a fast peer has sent already.
                    None => other(&received, bytes)?,
                }
            }
        }
    }
}

fn send_all(
    wire: &dyn Wire,
    level: Level,
    mut bytes: &[u8],
    more: bool,
    deadline: Option<Instant>,
) -> Result<()> {
    let what = "sending a handshake message";
    while !bytes.is_empty() {
        match wire.send(level, bytes, more) {
            Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {
                let left = time_left(deadline, what)?;
                wire.wait_writable(left)
                    .map_err(|err| io_error(wire, what, err))?;
            }
            Err(err) => return Err(io_error(wire, what, err)),
        }
    }
    Ok(())
}

fn receive(wire: &dyn Wire, buf: &mut [u8], deadline: Option<Instant>) -> Result<Received> {
    let what = "receiving a handshake message";
    loop {
        match wire.try_recv(buf) {
            Ok(received) => return Ok(received),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
            Err(err) => return Err(io_error(wire, what, err)),
        }
        let left = time_left(deadline, "waiting for the peer's handshake")?;
        wire.wait_readable(left)
            .map_err(|err| io_error(wire, what, err))?;
    }
}

fn io_error(wire: &dyn Wire, what: &'static str, err: io::Error) -> Error {
    match err.raw_os_error() {
        Some(libc::ENOTCONN | libc::EPIPE | libc::ECONNRESET) => {
            ended(wire.close_reason().unwrap_or_default())
        }
        _ => Error::Io(what, err),
    }
}

/// The error of opening a socket.
pub(crate) fn open_error(err: io::Error) -> Error {
    match err.raw_os_error() {
        Some(libc::EPROTONOSUPPORT | libc::ESOCKTNOSUPPORT | libc::EAFNOSUPPORT | libc::EINVAL) => {
            Error::Unavailable(err)
        }
        _ => Error::Io("opening a QUIC socket", err),
    }
}

impl Kernel for Socket {
    fn set_secret(&self, secret: &[u8; 56]) -> io::Result<()> {
        Socket::set_secret(self, secret)
    }

    fn local_params(&self) -> io::Result<Vec<u8>> {
        self.encoded_params()
    }

    fn set_peer_params(&self, params: &[u8]) -> io::Result<()> {
        self.set_encoded_params(params)
    }

    fn close_reason(&self) -> Option<CloseReason> {
        if self.has_ended() {
            Socket::close_reason(self).ok()
        } else {
            None
        }
    }

    fn ticket_key(&self) -> Option<Vec<u8>> {
        self.session_ticket().ok()
    }

    fn on_alpn(&self, name: &[u8]) -> io::Result<()> {
        // A name that the option has no room for is known to the session alone.
        let _ = self.store_alpn(name);
        Ok(())
    }
}

impl Wire for Socket {
    fn send(&self, level: Level, bytes: &[u8], more: bool) -> io::Result<usize> {
        self.send_handshake(level, bytes, more)
    }

    fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        Socket::try_recv(self, buf)
    }

    fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        Socket::wait_readable(self, timeout)
    }

    fn wait_writable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        Socket::wait_writable(self, timeout)
    }

    fn close(&self, code: u32, phrase: &str) {
        // If the socket is closed already, the peer knows or will time out.
        let _ = self.set_close(code, phrase);
        let _ = self.shutdown();
    }
}

#[cfg(any(test, feature = "tokio"))]
pub(crate) mod steps;
#[cfg(test)]
mod tests;
