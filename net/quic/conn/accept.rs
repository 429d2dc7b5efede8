// SPDX-License-Identifier: GPL-2.0

//! The listener's side of a new connection: what a first packet is, whether its token proves the
//! client's address, and the ClientHello in it.
//!
//! Nothing here keeps state of a client but [`HelloCollector`], which the listener makes only for
//! a request it has room for. Answers without state are written by `packet/stateless.rs`.

#![forbid(unsafe_code)]

use core::{
    net::SocketAddr,
    ops::Range, //
};

use super::{
    client_hello::{
        ClientHello,
        Parsed,
        MAX_LEN, //
    },
    versions::FIRST_DCID,
};
use crate::{
    buf::Datagram,
    common::{
        cursor::Reader,
        id::{
            ConnectionId,
            Level,
            Side,
            Version, //
        },
        time::Instant, //
    },
    connid::LOCAL_LEN,
    crypto::keys::{
        initial_keys,
        RxKeys, //
    },
    frame::Frame,
    mem::Vec,
    packet::{
        self,
        replay::ReplayFilter,
        token::{
            Claims,
            TokenError,
            TokenKey,
            TokenKind, //
        },
        Packet,
        Protected,
        UnknownVersion, //
    },
    path::MIN_DATAGRAM,
    stream::crypto::CryptoStream,
};

/// A datagram that belongs to no connection.
#[derive(Debug)]
pub enum FirstPacket<'a> {
    /// It asks for a connection.
    Incoming(Incoming),
    /// It is of a version not spoken here, and large enough to be answered.
    UnsupportedVersion(UnknownVersion<'a>),
    /// A short header: of a connection that is gone, perhaps.
    Short,
    /// 0-RTT or Handshake without a connection.
    OtherLong,
    /// To be dropped.
    Drop,
}

/// A client's first Initial packet, as far as it can be read without keys.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The client's version.
    pub version: Version,
    /// Where the client sent it: random, or the source id of a Retry.
    pub dcid: ConnectionId,
    /// The client's own id.
    pub scid: ConnectionId,
    fixed_bit: bool,
    token: Range<usize>,
    claims: Option<Claims>,
}

/// What a token said of the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Validation {
    /// There was none.
    NoToken,
    /// The address is the client's; the number names the token for [`Incoming::take_token`], if it
    /// is of NEW_TOKEN.
    Valid(Option<u64>),
    /// A Retry token that is not valid: the client is to be refused with INVALID_TOKEN.
    InvalidRetry,
    /// Any other token that is not valid, or was used before: as good as none.
    Unknown,
}

impl<'a> FirstPacket<'a> {
    /// Looks at a datagram that no connection claims.
    // RFC 9000 5.2.2 #8
    pub fn parse(datagram: &'a [u8]) -> Self {
        let is_large = datagram.len() >= MIN_DATAGRAM;
        match Packet::parse_first(datagram, LOCAL_LEN) {
            Ok(Packet::Protected(header)) => Self::protected(&header, is_large),
            // RFC 9000 5.2.2 #1
            // RFC 9000 5.2.2 #3
            // RFC 9000 5.2.2 #4
            Ok(Packet::UnknownVersion(unknown)) if is_large => Self::UnsupportedVersion(unknown),
            // RFC 9000 6.1 #1
            _ => Self::Drop,
        }
    }

    fn protected(header: &Protected, is_large: bool) -> Self {
        match (header.level, header.version) {
            (Level::App, _) => Self::Short,
            // RFC 9000 14.1 #4
            // RFC 9000 7.2 #1
            (Level::Initial, Some(version)) if is_large && header.dcid.len() >= FIRST_DCID => {
                Self::Incoming(Incoming {
                    version,
                    dcid: header.dcid,
                    scid: header.scid,
                    fixed_bit: header.fixed_bit,
                    token: header.token.clone(),
                    claims: None,
                })
            }
            (Level::Initial, _) => Self::Drop,
            // RFC 9000 5.2.2 #7
            _ => Self::OtherLong,
        }
    }
}

impl Incoming {
    /// Whether a connection could come of it: one that `greases`, and has said so to the client in an
    /// earlier connection, takes packets without the fixed bit.
    // RFC 9000 17.2 #1, RFC 9287 3
    pub fn is_acceptable(&self, greases: bool) -> bool {
        self.fixed_bit || greases
    }

    /// What kind of token the client's `datagram` has, which this was parsed from: each kind may have
    /// a key of its own.
    pub fn token_kind(&self, datagram: &[u8]) -> Option<TokenKind> {
        TokenKind::of(datagram.get(self.token.clone())?)
    }

    /// Checks the token in the client's `datagram`, which this was parsed from.
    // RFC 9000 8.1.3 #14
    // RFC 9000 8.1.3 #15
    // RFC 9000 8.1.2 #2
    pub fn validate(
        &mut self,
        now: Instant,
        key: &TokenKey,
        datagram: &[u8],
        remote: SocketAddr,
    ) -> Validation {
        let token = datagram.get(self.token.clone()).unwrap_or_default();
        if token.is_empty() {
            return Validation::NoToken;
        }
        match key.open(token, self.version, remote, now) {
            Ok(valid) => self.take_claims(valid.claims, valid.nonce),
            Err(TokenError::InvalidRetry | TokenError::Expired(TokenKind::Retry)) => {
                Validation::InvalidRetry
            }
            Err(TokenError::Unknown | TokenError::Expired(TokenKind::NewToken)) => {
                Validation::Unknown
            }
        }
    }

    fn take_claims(&mut self, claims: Claims, nonce: u64) -> Validation {
        let name = match claims.kind {
            TokenKind::NewToken => Some(nonce),
            // The token belongs to the id it was given with.
            TokenKind::Retry if claims.retry_scid != self.dcid => return Validation::InvalidRetry,
            TokenKind::Retry => None,
        };
        self.claims = Some(claims);
        Validation::Valid(name)
    }

    /// Whether the client's address is validated.
    pub fn is_validated(&self) -> bool {
        self.claims.is_some()
    }

    /// Notes that the token that [`Self::validate`] has `found` good is used. One of NEW_TOKEN that
    /// was used before proves nothing: whoever was at the address once could come with it as often
    /// as he likes. One of Retry is for one attempt, whose packets may come more than once.
    // RFC 9000 8.1.4 #6
    // RFC 9000 8.1.4 #8
    pub fn take_token(
        &mut self,
        found: Validation,
        used: &mut ReplayFilter,
        now: Instant,
    ) -> Validation {
        match found {
            Validation::Valid(Some(nonce)) if !used.insert(nonce, now) => {
                self.claims = None;
                Validation::Unknown
            }
            other => other,
        }
    }

    /// Destination Connection ID of the client's very first packet.
    pub(super) fn original_dcid(&self) -> ConnectionId {
        match &self.claims {
            Some(claims) if claims.kind == TokenKind::Retry => claims.original_dcid,
            _ => self.dcid,
        }
    }

    /// Source Connection ID of the Retry that the client followed.
    pub(super) fn retry_scid(&self) -> Option<ConnectionId> {
        match &self.claims {
            Some(claims) if claims.kind == TokenKind::Retry => Some(claims.retry_scid),
            _ => None,
        }
    }
}

/// How far a ClientHello has been collected.
#[derive(Debug)]
pub enum Hello<'a> {
    /// It is all there.
    Complete(ClientHello<'a>),
    /// Other packets carry more of it.
    Incomplete,
    /// It is none, or too long.
    Malformed,
}

/// Puts the ClientHello together from the Initial packets of a request.
#[derive(Debug)]
pub struct HelloCollector {
    version: Version,
    keys: RxKeys,
    stream: CryptoStream,
    bytes: Vec<u8>,
    has_opened: bool,
}

impl HelloCollector {
    /// For the request that began with `incoming`; `None` without memory.
    pub fn new(incoming: &Incoming) -> Option<Self> {
        let keys = initial_keys(incoming.version, &incoming.dcid, Side::Server).ok()?;
        Some(Self {
            version: incoming.version,
            keys: keys.rx?,
            stream: CryptoStream::new(),
            bytes: Vec::new(),
            has_opened: false,
        })
    }

    /// Adds what a datagram of the request brings. It is opened in place, so the caller gives a
    /// copy: the connection needs the original.
    pub fn push(&mut self, copy: &mut Datagram) {
        let mut at: usize = 0;
        while let Some(rest) = copy.bytes().get(at..).filter(|rest| !rest.is_empty()) {
            let Ok(Packet::Protected(header)) = Packet::parse_first(rest, LOCAL_LEN) else {
                return;
            };
            let end = at.saturating_add(header.len);
            if header.level == Level::Initial && header.version == Some(self.version) {
                self.open(copy, at..end, &header);
            }
            at = end;
        }
        self.read();
    }

    fn open(&mut self, copy: &mut Datagram, packet: Range<usize>, header: &Protected) {
        let at = packet.start;
        let bytes = copy.bytes_mut().get_mut(packet).unwrap_or_default();
        let Ok(opened) = packet::open(bytes, header, &mut self.keys, 0) else {
            return;
        };
        self.has_opened = true;
        let base = opened.payload.start.saturating_add(at);
        let end = opened.payload.end.saturating_add(at);
        let mut reader = Reader::new(copy.bytes().get(base..end).unwrap_or_default());
        while !reader.is_empty() {
            match Frame::parse(&mut reader) {
                Ok(Frame::Crypto(frame)) => {
                    let _ = self.stream.on_frame(&frame, copy, base);
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    fn read(&mut self) {
        let bytes = &mut self.bytes;
        while self.stream.readable() > 0 && bytes.len() <= MAX_LEN {
            let taken = self.stream.read(u64::MAX, &mut |part| {
                bytes.try_extend_from_slice(part)?;
                Ok(part.len())
            });
            if taken.is_err() {
                return;
            }
        }
    }

    /// Whether a packet was the client's: it could be opened.
    pub fn has_opened(&self) -> bool {
        self.has_opened
    }

    /// What is known so far.
    pub fn hello(&self) -> Hello<'_> {
        match ClientHello::parse(self.bytes.as_slice()) {
            Parsed::Complete(hello) => Hello::Complete(hello),
            Parsed::Incomplete(_) => Hello::Incomplete,
            Parsed::Malformed => Hello::Malformed,
        }
    }
}
