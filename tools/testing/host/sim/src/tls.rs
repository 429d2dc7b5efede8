// SPDX-License-Identifier: GPL-2.0

//! A scripted handshake in place of TLS.
//!
//! The core sees handshake bytes and secrets only, so fixed messages and fixed secrets exercise it
//! as well as TLS does, and keep scenarios deterministic. The messages have TLS's framing, and the
//! EncryptedExtensions its form; the ClientHello carries the transport parameters as its body's end.

use quic_core::aead::Suite;
use quic_core::common::id::{
    Level,
    Side, //
};

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const NEW_SESSION_TICKET: u8 = 4;
const ENCRYPTED_EXTENSIONS: u8 = 8;
/// In TLS a ServerHello with a certain random value.
const HELLO_RETRY_REQUEST: u8 = 6;
const FINISHED: u8 = 20;

/// Extensions of the EncryptedExtensions.
const EARLY_DATA: u16 = 42;
const TRANSPORT_PARAMS: u16 = 0x39;

/// Where the length of legacy_session_id is in the body of a ClientHello.
const SESSION_ID: usize = 34;

/// What the script asks of its connection, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes at this level; `more` when others follow at once.
    Send {
        /// Encryption level.
        level: Level,
        /// Whole messages.
        bytes: Vec<u8>,
        /// Another message follows.
        more: bool,
    },
    /// Install a secret.
    Secret {
        /// For sending rather than receiving.
        send: bool,
        /// Its level.
        level: Level,
        /// Its cipher suite.
        suite: Suite,
        /// The secret.
        bytes: Vec<u8>,
    },
    /// Give the peer's transport parameters to the connection.
    PeerParams(Vec<u8>),
    /// Ask the connection for its transport parameters and call [`Agent::on_params`].
    OwnParams,
}

/// Whatever runs the handshake of one side.
pub trait Agent {
    /// What is done first.
    fn start(&mut self) -> Vec<Step>;
    /// The connection's own transport parameters are there.
    fn on_params(&mut self, params: &[u8]) -> Vec<Step>;
    /// Handshake bytes arrived.
    fn on_bytes(&mut self, level: Level, bytes: &[u8]) -> Vec<Step>;
}

/// Sizes and choices of one handshake.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Cipher of every level.
    pub suite: Suite,
    /// Bytes of padding in the ClientHello; more than about 1000 make it span packets.
    pub hello: usize,
    /// Bytes of the server's certificate.
    pub certificate: usize,
    /// The client sends 0-RTT.
    pub early: bool,
    /// The server takes it.
    pub accept_early: bool,
    /// The server has the secret of 0-RTT before the client's transport parameters.
    pub early_first: bool,
    /// The server asks for a second ClientHello.
    pub retry: bool,
    /// The server's EncryptedExtensions have a form that only the script knows.
    pub opaque: bool,
    /// Bytes of the session ticket; none for none.
    pub ticket: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            suite: Suite::Aes128Gcm,
            hello: 200,
            certificate: 2500,
            early: false,
            accept_early: false,
            early_first: false,
            retry: false,
            opaque: false,
            ticket: 100,
        }
    }
}

/// One side of the scripted handshake.
#[derive(Debug)]
pub struct Script {
    side: Side,
    shape: Shape,
    buffers: [Vec<u8>; 4],
}

impl Script {
    /// A handshake not yet begun.
    pub fn new(side: Side, shape: Shape) -> Self {
        Self {
            side,
            shape,
            buffers: Default::default(),
        }
    }

    fn server_flight(&self, params: &[u8]) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.takes_early() && !self.shape.early_first {
            steps.push(self.secret(false, Level::Early));
        }
        steps.push(self.secret(true, Level::Handshake));
        steps.push(self.secret(false, Level::Handshake));
        steps.push(self.secret(true, Level::App));
        steps.push(Step::Send {
            level: Level::Initial,
            bytes: message(SERVER_HELLO, &[2; 86]),
            more: true,
        });
        let mut flight = self.encrypted_extensions(params);
        flight.extend(message(11, &vec![0xce; self.shape.certificate]));
        flight.extend(message(FINISHED, &[0xf1; 32]));
        steps.push(Step::Send {
            level: Level::Handshake,
            bytes: flight,
            more: false,
        });
        steps
    }

    fn encrypted_extensions(&self, params: &[u8]) -> Vec<u8> {
        if self.shape.opaque {
            return with_params(ENCRYPTED_EXTENSIONS, 0, params);
        }
        let mut list = extension(TRANSPORT_PARAMS, params);
        if self.takes_early() {
            list.extend(extension(EARLY_DATA, &[]));
        }
        let len = (list.len() as u16).to_be_bytes();
        message(ENCRYPTED_EXTENSIONS, &[&len[..], &list].concat())
    }

    /// Whether this server takes the client's 0-RTT.
    fn takes_early(&self) -> bool {
        self.shape.early && self.shape.accept_early
    }

    fn take_message(&mut self, level: Level) -> Option<(u8, Vec<u8>)> {
        let buffer = &mut self.buffers[level.index()];
        let header = buffer.get(..4)?;
        let kind = header[0];
        let len = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        if buffer.len() < 4 + len {
            return None;
        }
        let body = buffer[4..4 + len].to_vec();
        buffer.drain(..4 + len);
        Some((kind, body))
    }

    fn on_message(&mut self, level: Level, kind: u8, body: &[u8]) -> Vec<Step> {
        match (self.side, level, kind) {
            (Side::Server, Level::Initial, CLIENT_HELLO) if self.shape.retry => {
                self.shape.retry = false;
                vec![Step::Send {
                    level: Level::Initial,
                    bytes: message(HELLO_RETRY_REQUEST, &[6; 86]),
                    more: false,
                }]
            }
            // With the secret of 0-RTT again, if there is one.
            (Side::Client, Level::Initial, HELLO_RETRY_REQUEST) => vec![Step::OwnParams],
            (Side::Server, Level::Initial, CLIENT_HELLO) => {
                let secret = self.secret(false, Level::Early);
                let is_first = self.takes_early() && self.shape.early_first;
                let early = is_first.then_some(secret).into_iter();
                early
                    .chain([Step::PeerParams(params_of(body)), Step::OwnParams])
                    .collect()
            }
            (Side::Client, Level::Initial, SERVER_HELLO) => vec![
                self.secret(true, Level::Handshake),
                self.secret(false, Level::Handshake),
            ],
            (Side::Client, Level::Handshake, ENCRYPTED_EXTENSIONS) => {
                vec![Step::PeerParams(params_of_extensions(body))]
            }
            (Side::Client, Level::Handshake, FINISHED) => {
                // As libquic does: all secrets first, then the last message.
                vec![
                    self.secret(true, Level::App),
                    self.secret(false, Level::App),
                    Step::Send {
                        level: Level::Handshake,
                        bytes: message(FINISHED, &[0xf2; 32]),
                        more: false,
                    },
                ]
            }
            (Side::Server, Level::Handshake, FINISHED) => {
                let mut steps = vec![self.secret(false, Level::App)];
                if self.shape.ticket > 0 {
                    steps.push(Step::Send {
                        level: Level::App,
                        bytes: message(NEW_SESSION_TICKET, &vec![0x71; self.shape.ticket]),
                        more: false,
                    });
                }
                steps
            }
            _ => vec![],
        }
    }

    /// The secret of one level and direction: the same on both sides, by who sends.
    fn secret(&self, send: bool, level: Level) -> Step {
        let sender = if send { self.side } else { self.side.peer() };
        let len = self.shape.suite.hash().len();
        Step::Secret {
            send,
            level,
            suite: self.shape.suite,
            bytes: vec![0x10 * (level.index() as u8 + 1) + u8::from(sender.is_client()); len],
        }
    }
}

impl Agent for Script {
    fn start(&mut self) -> Vec<Step> {
        match self.side {
            Side::Client => vec![Step::OwnParams],
            Side::Server => vec![],
        }
    }

    fn on_params(&mut self, params: &[u8]) -> Vec<Step> {
        match self.side {
            Side::Client => {
                let mut steps = Vec::new();
                if self.shape.early {
                    steps.push(self.secret(true, Level::Early));
                }
                steps.push(Step::Send {
                    level: Level::Initial,
                    bytes: with_params(CLIENT_HELLO, self.shape.hello, params),
                    more: false,
                });
                steps
            }
            Side::Server => self.server_flight(params),
        }
    }

    fn on_bytes(&mut self, level: Level, bytes: &[u8]) -> Vec<Step> {
        let mut steps = Vec::new();
        self.buffers[level.index()].extend_from_slice(bytes);
        while let Some((kind, body)) = self.take_message(level) {
            steps.extend(self.on_message(level, kind, &body));
        }
        steps
    }
}

/// A handshake message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(body);
    out
}

/// A message whose body is padding, then the transport parameters, then their length.
fn with_params(kind: u8, padding: usize, params: &[u8]) -> Vec<u8> {
    let mut body = vec![0xaa; padding];
    if kind == CLIENT_HELLO {
        // Version, random, and a legacy_session_id of no length: no compatibility mode.
        body.resize(padding.max(SESSION_ID + 1), 0xaa);
        body[SESSION_ID] = 0;
    }
    body.extend_from_slice(params);
    body.extend_from_slice(&(params.len() as u16).to_be_bytes());
    message(kind, &body)
}

/// An extension of TLS.
fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = value.len() as u16;
    [&kind.to_be_bytes(), &len.to_be_bytes(), value].concat()
}

/// The transport parameters in EncryptedExtensions of either form.
fn params_of_extensions(body: &[u8]) -> Vec<u8> {
    let number = |at: usize| usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
    if number(0) + 2 != body.len() {
        return params_of(body);
    }
    assert_eq!(number(2), usize::from(TRANSPORT_PARAMS));
    body[6..6 + number(4)].to_vec()
}

fn params_of(body: &[u8]) -> Vec<u8> {
    let (rest, len) = body.split_at(body.len() - 2);
    let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
    rest[rest.len() - len..].to_vec()
}
