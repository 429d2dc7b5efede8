// SPDX-License-Identifier: LGPL-2.1-or-later
//! Handshakes on sockets that the kernel itself uses.
//!
//! A file system or block driver in the kernel can open QUIC connections but cannot do TLS. It asks
//! for a handshake through the kernel's net/handshake, and an agent in user space (tlshd, or
//! `quic-handshaked` of this project) gets the socket, runs the handshake and gives it back. This
//! module is the part of an agent that does not depend on how it gets the socket: it does what
//! upstream's tlshd does, by the same socket calls with the same buffers in the same order.
//!
//! What the consumer wants of TLS it has set on the socket: application protocols (`ALPN`), the
//! data of an earlier session (`SESSION_TICKET`), and in `CONFIG` the cipher, whether a certificate
//! is asked for, and how long to wait for a session ticket.
//!
//! ```no_run
//! use std::{os::fd::OwnedFd, time::Duration};
//! use quic::agent::{Agent, Credentials, Identity, Request, Role};
//!
//! # fn main() -> quic::Result<()> {
//! # fn accept_from_kernel() -> OwnedFd { unimplemented!() }
//! let agent = Agent::new(Credentials::default(), Credentials::default())?;
//! agent.load(Role::Client)?; // reads the trust store, once for all handshakes
//! let socket = accept_from_kernel(); // HANDSHAKE_CMD_ACCEPT
//! let outcome = agent.handshake(
//!     &socket,
//!     &Request {
//!         role: Role::Client,
//!         identity: Identity::Anonymous,
//!         peer_name: Some("server.example".into()),
//!         timeout: Duration::from_secs(60),
//!     },
//! );
//! // HANDSHAKE_CMD_DONE
//! # outcome.map(drop)
//! # }
//! ```

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    os::fd::{
        AsFd,
        BorrowedFd,
        OwnedFd, //
    },
    path::PathBuf,
    sync::{
        Arc,
        Mutex,
        PoisonError, //
    },
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use crate::{
    config::{
        Cipher,
        ClientAuth,
        Trust, //
    },
    driver,
    error::{
        Error,
        Result, //
    },
    handshake::Tickets,
    session_data::SessionData,
    settings::Settings,
    sys::{
        gnutls::{
            AntiReplay,
            CertificateCredentials,
            SessionRef, //
        },
        sock::{
            self,
            Received, //
        },
    },
    tls::{
        self,
        ClientTls,
        Parts,
        Prepared,
        Psk,
        PskKeys,
        ServerTls, //
    },
    uapi::{
        Level,
        CONNECTION_REFUSED,
        IPPROTO_QUIC, //
    },
};

mod socket;

use socket::{
    ConsumersSocket,
    Wishes, //
};

/// Certificates from requests that are kept ready for the next ones.
const MOST_KEPT: usize = 16;
/// How often to look for a session ticket.
const TICKET_POLL: Duration = Duration::from_millis(100);

/// Which end of the connection the socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It has been connected.
    Client,
    /// It has been accepted.
    Server,
}

/// How this side proves who it is.
#[derive(Clone)]
pub enum Identity {
    /// By nothing. (A client still verifies the server.)
    Anonymous,
    /// By a certificate. `None`: by the one that the agent was configured with, if any.
    Certificate(Option<Certificate>),
    /// By one of these pre-shared keys. A client uses the first.
    Psk(Vec<PresharedKey>),
}

/// A certificate, with its chain if that is PEM, and its private key. Both PEM, or both DER.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// The certificate.
    pub chain: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

/// A pre-shared key and the name it has in the handshake.
#[derive(Clone)]
pub struct PresharedKey {
    /// The identity.
    pub identity: Vec<u8>,
    /// The key itself.
    pub key: Vec<u8>,
}

/// What the consumer has asked for.
#[derive(Clone)]
pub struct Request {
    /// Which end this is.
    pub role: Role,
    /// How this side proves who it is.
    pub identity: Identity,
    /// Client: the host name or address that the server's certificate must be for.
    pub peer_name: Option<String>,
    /// Time for the whole handshake.
    pub timeout: Duration,
}

/// What came of a handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The certificates that the peer has shown, its own first, in DER.
    pub peer_certificates: Vec<Vec<u8>>,
    /// Server: the identity of the pre-shared key that the client has used.
    pub psk_identity: Option<String>,
    /// The session continues an earlier one.
    pub resumed: bool,
    /// A session ticket has been stored on the socket for the consumer.
    pub ticket_stored: bool,
}

/// What an agent knows for one role.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Whose signature on a peer's certificate is believed.
    pub trust: Trust,
    /// PEM files with a certificate chain and its key, for requests that bring none.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Runs handshakes; may be shared between threads. Trust and key files are read once.
pub struct Agent {
    client: Credentials,
    server: Credentials,
    replay: Arc<AntiReplay>,
    kept: Mutex<HashMap<Own, Arc<CertificateCredentials>>>,
}

/// Whose credentials: a role's with the configured certificate, or with one of a request.
type Own = (Role, Option<Certificate>);

// Secrets stay out of logs.
impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("client", &self.client)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Agent {
    /// An agent with these credentials. Files are read at their first use; [`Self::load`] does it
    /// now.
    pub fn new(client: Credentials, server: Credentials) -> Result<Agent> {
        Ok(Agent {
            client,
            server,
            replay: Arc::new(AntiReplay::new().map_err(tls::tls_error)?),
            kept: Mutex::default(),
        })
    }

    /// Reads the files of a role, so that what is wrong with them is known early.
    pub fn load(&self, role: Role) -> Result<()> {
        self.credentials(role, None).map(drop)
    }

    /// Runs the handshake on a socket that a kernel consumer waits for.
    ///
    /// The descriptor stays the caller's. A failure ends the connection: the peer is told the TLS
    /// alert, or that the connection is refused if the handshake could not begin. (A time-out does
    /// not; that is left to the consumer.)
    pub fn handshake(&self, socket: &OwnedFd, request: &Request) -> Result<Outcome> {
        let started = Instant::now();
        let failed = |what| move |err| Error::Io(what, err);
        let protocol = sock::protocol(socket.as_fd());
        if protocol.map_err(failed("reading the socket's protocol"))? != IPPROTO_QUIC {
            let err = io::Error::from_raw_os_error(libc::EPROTONOSUPPORT);
            return Err(Error::Io("this agent serves QUIC sockets only", err));
        }
        let socket = socket.try_clone().map_err(failed("taking the socket"))?;
        let socket = Arc::new(ConsumersSocket(socket));
        let (wishes, prepared) = self
            .prepare(request, &socket)
            .inspect_err(|_| refuse(socket.0.as_fd()))?;
        let Parts {
            mut session,
            mut setup,
        } = prepared.split();
        setup.sends_singly = true;
        let timeout = request.timeout.saturating_sub(started.elapsed());
        let tls = session.as_ref();
        let psks = setup.psks.clone();
        let identity = driver::run_session(&socket, tls, setup, timeout, &mut no_item)?;
        let mut outcome = Outcome {
            peer_certificates: tls.peer_certificates(),
            psk_identity: identity.filter(|_| psks.is_some()),
            resumed: tls.is_resumed(),
            ticket_stored: false,
        };
        if request.role == Role::Client && !wishes.ticket_wait.is_zero() {
            outcome.ticket_stored = store_ticket(&socket, tls, wishes.ticket_wait);
        }
        tls.detach();
        Ok(outcome)
    }

    /// Everything that can fail before the handshake begins.
    fn prepare(&self, request: &Request, socket: &ConsumersSocket) -> Result<(Wishes, Prepared)> {
        let wishes = socket
            .wishes()
            .map_err(|err| Error::Io("reading the consumer's settings", err))?;
        let settings = Settings {
            alpn: wishes.alpn.clone(),
            ciphers: wishes.ciphers(),
            ..Settings::default()
        };
        let prepared = match request.role {
            Role::Client => self.prepare_client(request, &wishes, &settings),
            Role::Server => self.prepare_server(request, &wishes, &settings),
        };
        Ok((wishes, prepared?))
    }

    fn prepare_client(
        &self,
        request: &Request,
        wishes: &Wishes,
        settings: &Settings,
    ) -> Result<Prepared> {
        let tls = match &request.identity {
            Identity::Psk(keys) => {
                let key = keys
                    .first()
                    .ok_or_else(|| Error::Config("the request has no pre-shared key".into()))?;
                let psk = Psk::new(key.identity.clone(), key.key.clone())?;
                ClientTls::with_psk(&psk, &settings.ciphers)?
            }
            identity => {
                let verify = self.client.trust != Trust::InsecureNoVerification;
                let cred = self.credentials(Role::Client, identity.certificate())?;
                ClientTls::with_credentials(
                    cred,
                    verify && !wishes.trusts_any_server,
                    &settings.ciphers,
                )
            }
        };
        let resumes = !wishes.ticket.is_empty();
        let mut prepared = tls.session(request.peer_name.as_deref(), settings, resumes)?;
        if resumes {
            let session = prepared.session.as_ref();
            let resumed = SessionData::from_bytes(&wishes.ticket).apply(session, wishes.version);
            resumed.map_err(|code| {
                Error::Config(format!(
                    "cannot continue the consumer's session: {}",
                    code.text()
                ))
            })?;
        }
        Ok(prepared)
    }

    fn prepare_server(
        &self,
        request: &Request,
        wishes: &Wishes,
        settings: &Settings,
    ) -> Result<Prepared> {
        let (cred, keys) = match &request.identity {
            Identity::Psk(list) => {
                let mut keys = PskKeys::default();
                for key in list {
                    keys.insert(key.identity.clone(), key.key.clone())?;
                }
                if keys.is_empty() {
                    return Err(Error::Config("the request has no pre-shared key".into()));
                }
                (None, keys)
            }
            identity => {
                let own = identity.certificate();
                if own.is_none() && self.server.certificate.is_none() {
                    return Err(Error::Config(
                        "there is no certificate for servers, in the request or configured".into(),
                    ));
                }
                let cred = self.credentials(Role::Server, own)?;
                (Some(cred), PskKeys::default())
            }
        };
        let auth = match (&cred, wishes.certificate_request) {
            (Some(_), 1) => ClientAuth::Request(self.server.trust.clone()),
            (Some(_), 2) => ClientAuth::Require(self.server.trust.clone()),
            _ => ClientAuth::None,
        };
        let replay = Arc::clone(&self.replay);
        let tls = ServerTls::with_credentials(cred, keys, auth, replay, &settings.ciphers)?;
        let has_key = !wishes.ticket.is_empty();
        let tickets = if has_key {
            Tickets::Ours
        } else {
            Tickets::None
        };
        tls.session(settings, tickets, has_key)
    }

    /// Credentials with this certificate or the configured one.
    fn credentials(
        &self,
        role: Role,
        own: Option<&Certificate>,
    ) -> Result<Arc<CertificateCredentials>> {
        let configured = match role {
            Role::Client => &self.client,
            Role::Server => &self.server,
        };
        let key = (role, own.cloned());
        // Held while reading, so that requests that come together do not all read.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cred) = kept.get(&key) {
            return Ok(Arc::clone(cred));
        }
        let mut cred = CertificateCredentials::new().map_err(tls::tls_error)?;
        tls::load_trust(&mut cred, &configured.trust)?;
        match (own, &configured.certificate) {
            (Some(own), _) => cred.add_key_bytes(&own.chain, &own.key).map_err(|code| {
                Error::Config(format!(
                    "cannot use the certificate of the request: {}",
                    code.text()
                ))
            })?,
            (None, Some((chain, key))) => tls::load_key(&mut cred, chain, key)?,
            (None, None) => {}
        }
        let cred = Arc::new(cred);
        if kept.len() >= MOST_KEPT {
            kept.retain(|(_, own), _| own.is_none());
        }
        kept.insert(key, Arc::clone(&cred));
        Ok(cred)
    }
}

impl Identity {
    fn certificate(&self) -> Option<&Certificate> {
        match self {
            Identity::Certificate(certificate) => certificate.as_ref(),
            Identity::Anonymous | Identity::Psk(_) => None,
        }
    }
}

/// The address of the other end of a socket.
pub fn peer_addr(socket: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    sock::name(socket, true)
}

/// Ends the connection of a request for which there can be no handshake, for instance because its
/// keys cannot be read, so that the peer need not wait for one.
pub fn refuse(socket: BorrowedFd<'_>) {
    socket::end(socket, CONNECTION_REFUSED, "");
}

/// What was taken from the consumer's queue cannot be put back.
fn no_item(_: &Received, _: &[u8]) -> Result<()> {
    let err = io::Error::from_raw_os_error(libc::EBADMSG);
    Err(Error::Io("receiving an event during the handshake", err))
}

/// Waits for the session ticket and stores what it takes to continue the session on the socket,
/// where the consumer finds it.
fn store_ticket(socket: &ConsumersSocket, session: SessionRef<'_>, wait: Duration) -> bool {
    let end = Instant::now().checked_add(wait);
    loop {
        match socket.ticket() {
            Ok(ticket) if !ticket.is_empty() => {
                let fed = session.feed(Level::App, &ticket);
                if fed.is_err_and(|code| code.is_fatal()) {
                    return false;
                }
                let Ok(version) = socket.version() else {
                    return false;
                };
                let data = SessionData::export(session, version);
                return data.is_ok_and(|data| socket.set_ticket(&data.to_bytes()).is_ok());
            }
            Ok(_) => {}
            Err(_) => return false,
        }
        if end.is_none_or(|end| end <= Instant::now()) {
            return false;
        }
        thread::sleep(TICKET_POLL);
    }
}

/// The ciphers of a `TLS_CIPHER_*` number; all for one that is not known.
fn ciphers(number: u32) -> Vec<Cipher> {
    let one = Cipher::ALL
        .into_iter()
        .find(|cipher| cipher.number() == number);
    one.map_or_else(|| Cipher::ALL.to_vec(), |cipher| vec![cipher])
}
