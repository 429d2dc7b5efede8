// SPDX-License-Identifier: LGPL-2.1-or-later
//! The handshake as a machine without I/O: it says what to send and when to receive, and answers
//! the TLS session's questions with the help of a [`Kernel`].
//!
//! The driver of the Rust interface and the steps of the C interface both run this machine.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        Mutex,
        MutexGuard,
        PoisonError, //
    },
};

use crate::{
    error::{
        Alert,
        CloseReason,
        Error,
        Result, //
    },
    sys::gnutls::{
        Hooks,
        SessionRef, //
    },
    tls::{
        KeyLog,
        PskKeys, //
    },
    uapi::{
        self,
        Level, //
    },
};

mod failure;
mod proof;
mod tickets;

pub(crate) use failure::{
    close_for,
    ended,
    Failure, //
};
use proof::Proof;
pub(crate) use tickets::Tickets;

/// Messages of one level are joined up to this size, to save system calls.
const JOINED_LEN: usize = 16 << 10;

/// Handshake bytes taken from one peer. GnuTLS refuses messages above 128 KiB, but only when they
/// are complete.
const MOST_RECEIVED: usize = 1 << 20;

/// The options of the socket that a handshake needs.
pub(crate) trait Kernel: Send + Sync {
    /// Installs a packet secret.
    fn set_secret(&self, secret: &[u8; 56]) -> io::Result<()>;
    /// This side's transport parameters, encoded.
    fn local_params(&self) -> io::Result<Vec<u8>>;
    /// Takes the peer's transport parameters.
    fn set_peer_params(&self, params: &[u8]) -> io::Result<()>;
    /// Server: the key that protects tickets in the QUIC version of the connection.
    fn ticket_key(&self) -> Option<Vec<u8>>;
    /// How the connection ended, if it has.
    fn close_reason(&self) -> Option<CloseReason>;
    /// The application protocol that was chosen.
    fn on_alpn(&self, _name: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// What the machine has to know besides its session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) is_server: bool,
    /// The name in messages about certificates.
    pub(crate) peer_name: Option<String>,
    pub(crate) psks: Option<Arc<PskKeys>>,
    pub(crate) key_log: Option<Arc<KeyLog>>,
    /// A connection without a common application protocol fails.
    pub(crate) needs_alpn: bool,
    /// Who makes a server's tickets possible.
    pub(crate) tickets: Tickets,
    /// Each handshake message is sent by a call of its own.
    pub(crate) sends_singly: bool,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send these bytes; `more` follows at once.
    Send {
        level: Level,
        bytes: Vec<u8>,
        more: bool,
    },
    /// Receive a handshake message and give it to [`Machine::on_received`].
    Receive,
    /// The handshake is complete.
    Done,
}

/// One handshake.
pub(crate) struct Machine {
    answers: Arc<Answers>,
    tls_done: bool,
    /// Bytes received from the peer.
    received: usize,
    proof: Proof,
}

/// Answers the session. Lives on it, so it outlives no more than the machine needs.
struct Answers {
    kernel: Arc<dyn Kernel>,
    setup: Setup,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// Messages for the peer.
    queue: VecDeque<(Level, Vec<u8>)>,
    /// What is wrong with the client's certificate.
    refused: Option<u32>,
    /// The pre-shared key that the client asked for last, and whether it is known.
    psk: Option<(String, bool)>,
    /// The alert that the session wants sent.
    alert: Option<Alert>,
    /// Why a hook has ended the handshake.
    failure: Option<Failure>,
    /// The transport parameters of the peer.
    peer_params: Option<Vec<u8>>,
    /// A ticket can be sent.
    has_tickets: bool,
    /// Both 1-RTT secrets are installed.
    has_keys: bool,
}

impl Machine {
    /// Attaches to a session; a client produces its ClientHello at once.
    pub(crate) fn start(
        session: SessionRef<'_>,
        kernel: Arc<dyn Kernel>,
        setup: Setup,
    ) -> Result<Machine> {
        let is_server = setup.is_server;
        let logs_keys = setup.key_log.is_some();
        let mut machine = Machine {
            answers: Arc::new(Answers {
                kernel,
                setup,
                progress: Mutex::default(),
            }),
            tls_done: false,
            received: 0,
            proof: Proof::default(),
        };
        let hooks = Arc::clone(&machine.answers) as Arc<dyn Hooks>;
        session.attach(hooks).map_err(|code| Error::Tls {
            alert: None,
            reason: code.text(),
        })?;
        if logs_keys {
            session.log_keys();
        }
        if !is_server {
            machine.advance(session)?;
        }
        Ok(machine)
    }

    /// What to do next.
    pub(crate) fn next(&mut self) -> Step {
        let mut progress = self.answers.lock();
        match progress.queue.pop_front() {
            Some((level, bytes)) => Step::Send {
                level,
                bytes,
                more: !progress.queue.is_empty(),
            },
            None if self.tls_done && progress.has_keys => Step::Done,
            None => Step::Receive,
        }
    }

    /// The identity of the pre-shared key that the client has used, if it is done.
    pub(crate) fn psk_identity(&self) -> Option<String> {
        let known = self.answers.lock().psk.clone();
        known.filter(|(_, known)| *known).map(|(name, _)| name)
    }

    /// Takes handshake bytes from the peer. After an error, [`close_for`] says what to tell the
    /// peer.
    pub(crate) fn on_received(
        &mut self,
        session: SessionRef<'_>,
        level: Level,
        bytes: &[u8],
    ) -> Result<()> {
        self.received = self.received.saturating_add(bytes.len());
        if self.received > MOST_RECEIVED {
            return Err(Error::Tls {
                alert: Some(Alert::DECODE_ERROR),
                reason: "the peer's handshake messages are too long".into(),
            });
        }
        if level == Level::Handshake {
            self.proof.read(bytes);
        }
        if let Err(code) = session.feed(level, bytes) {
            if code.is_fatal() {
                return Err(self.answers.error(session, code));
            }
        }
        if !self.tls_done {
            self.advance(session)?;
        }
        Ok(())
    }

    fn advance(&mut self, session: SessionRef<'_>) -> Result<()> {
        loop {
            match session.handshake() {
                Ok(()) => break,
                Err(code) if code.is_again() => return Ok(()),
                // Warnings: TLS 1.3 has hardly any, and none ends a handshake.
                Err(code) if !code.is_fatal() => {}
                Err(code) => return Err(self.answers.error(session, code)),
            }
        }
        let has_proof = session.is_resumed() || self.proof.is_shown();
        if self.answers.setup.is_server && session.has_peer_certificate() && !has_proof {
            return Err(Error::Tls {
                alert: Some(Alert::CERTIFICATE_REQUIRED),
                reason: "the client has shown the certificate of an old ticket only".into(),
            });
        }
        self.tls_done = true;
        self.answers.send_ticket(session);
        Ok(())
    }
}

impl Answers {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers why a hook fails.
    fn fail(&self, failure: Failure) {
        self.lock().failure.get_or_insert(failure);
    }

    /// Whether the peer has told all that it must before its first secrets are used.
    fn check_extensions(&self, session: SessionRef<'_>) -> std::result::Result<(), Failure> {
        // RFC 9001 8.2 #2
        if self.lock().peer_params.is_none() {
            return Err(Failure::NoTransportParams);
        }
        // RFC 9001 8.1 #2
        // RFC 9001 8.1 #3
        if self.setup.needs_alpn && session.alpn().is_none() {
            return Err(Failure::NoAlpn);
        }
        Ok(())
    }

    fn take_params(
        &self,
        session: SessionRef<'_>,
        params: &[u8],
    ) -> std::result::Result<(), Failure> {
        let known = self.lock().peer_params.replace(params.to_vec());
        match known {
            // The socket takes them once, and a client that was told to retry says them again.
            // RFC 8446 4.1.2
            Some(known) if known == params => return Ok(()),
            Some(_) => return Err(Failure::OtherParams),
            None => {}
        }
        let offered = self.offered_key();
        self.kernel
            .set_peer_params(params)
            .map_err(|err| Failure::PeerParams(self.kernel.close_reason(), err))?;
        self.make_tickets_possible(session, offered);
        Ok(())
    }

    fn install(
        &self,
        session: SessionRef<'_>,
        level: Level,
        read: Option<&[u8]>,
        write: Option<&[u8]>,
    ) -> std::result::Result<(), Failure> {
        // A client knows the server's extensions when it gets the last secrets, a server the
        // client's from the start.
        if level == Level::App || (self.setup.is_server && level == Level::Handshake) {
            self.check_extensions(session)?;
        }
        let known = match self.setup.is_server {
            true => Level::Handshake,
            false => Level::App,
        };
        if level == known {
            if let Some(name) = session.alpn() {
                self.kernel
                    .on_alpn(&name)
                    .map_err(|err| Failure::Kernel("storing the application protocol", err))?;
            }
        }
        let cipher = session
            .cipher(level == Level::Early)
            .ok_or(Failure::UnknownCipher)?;
        for (send, secret) in [(true, write), (false, read)] {
            let Some(secret) = secret else {
                continue;
            };
            let value = uapi::crypto_secret(send, level, cipher.number(), secret)
                .ok_or(Failure::UnknownCipher)?;
            self.kernel
                .set_secret(&value)
                .map_err(|err| match self.kernel.close_reason() {
                    // The peer has given up meanwhile.
                    Some(reason) => Failure::Ended(reason),
                    None => Failure::Kernel("installing a packet key", err),
                })?;
        }
        if level == Level::App && read.is_some() {
            self.lock().has_keys = true;
        }
        Ok(())
    }
}

impl Hooks for Answers {
    fn on_secrets(
        &self,
        session: SessionRef<'_>,
        level: Level,
        read: Option<&[u8]>,
        write: Option<&[u8]>,
    ) -> std::result::Result<(), ()> {
        self.install(session, level, read, write)
            .map_err(|failure| self.fail(failure))
    }

    fn on_message(&self, level: Level, message: &[u8]) {
        let mut progress = self.lock();
        let single = self.setup.sends_singly;
        if let Some((last, bytes)) = progress.queue.back_mut().filter(|_| !single) {
            if *last == level && bytes.len().saturating_add(message.len()) <= JOINED_LEN {
                bytes.extend_from_slice(message);
                return;
            }
        }
        progress.queue.push_back((level, message.to_vec()));
    }

    fn on_end_of_early_data(&self) {
        self.fail(Failure::EndOfEarlyData);
    }

    fn on_refused(&self, status: u32) {
        self.lock().refused = Some(status);
    }

    // Warnings end the handshake like any alert.
    // RFC 9001 4.8 #1
    fn on_alert(&self, alert: u8) {
        self.lock().alert.get_or_insert(Alert(alert));
    }

    fn local_params(&self) -> Option<Vec<u8>> {
        match self.kernel.local_params() {
            Ok(params) => Some(params),
            Err(err) => {
                self.fail(Failure::Kernel("reading the transport parameters", err));
                None
            }
        }
    }

    fn on_peer_params(
        &self,
        session: SessionRef<'_>,
        params: &[u8],
    ) -> std::result::Result<(), ()> {
        self.take_params(session, params)
            .map_err(|failure| self.fail(failure))
    }

    fn psk(&self, identity: &[u8]) -> Option<Vec<u8>> {
        let key = self.setup.psks.as_ref()?.get(identity).map(<[u8]>::to_vec);
        let name = String::from_utf8_lossy(identity).into_owned();
        self.lock().psk = Some((name, key.is_some()));
        key
    }

    fn on_key_log(&self, label: &str, random: &[u8], secret: &[u8]) {
        if let Some(log) = &self.setup.key_log {
            log.log(label, random, secret);
        }
    }
}
