// SPDX-License-Identifier: GPL-2.0

//! Identifiers: sides, streams, connection ids, packet number spaces and versions.

#![forbid(unsafe_code)]

use super::rng::Rng;
use core::fmt;

/// The two roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The endpoint that initiates the connection.
    Client,
    /// The endpoint that accepts it.
    Server,
}

impl Side {
    /// The other role.
    pub const fn peer(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }

    /// True for the client.
    pub const fn is_client(self) -> bool {
        matches!(self, Side::Client)
    }

    /// True for the server.
    pub const fn is_server(self) -> bool {
        matches!(self, Side::Server)
    }
}

/// The two kinds of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dir {
    /// Data flows both ways.
    Bidi,
    /// Data flows from the initiator only.
    Uni,
}

/// A stream (RFC 9000 section 2.1): the two low bits say who opened it and of which kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u64);

impl StreamId {
    /// The most streams of one kind that can exist, 2^60.
    pub const MAX_STREAMS: u64 = 1 << 60;

    /// Returns the stream of the given kind with the given index, counted from zero.  An index of
    /// 2^60 or more is cut to the largest there is.
    pub const fn new(side: Side, dir: Dir, index: u64) -> StreamId {
        let index = if index < Self::MAX_STREAMS {
            index
        } else {
            Self::MAX_STREAMS - 1
        };
        let side = matches!(side, Side::Server) as u64;
        let dir = matches!(dir, Dir::Uni) as u64;
        StreamId((index << 2) | (dir << 1) | side)
    }

    /// Takes a stream id of the wire, or `None` when it is larger than 2^62 - 1.
    pub const fn from_raw(raw: u64) -> Option<StreamId> {
        if raw >> 62 == 0 {
            Some(StreamId(raw))
        } else {
            None
        }
    }

    /// The stream id as on the wire.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Who opened the stream.
    pub const fn initiator(self) -> Side {
        if self.0 & 1 == 0 {
            Side::Client
        } else {
            Side::Server
        }
    }

    /// The kind of stream.
    pub const fn dir(self) -> Dir {
        if self.0 & 2 == 0 {
            Dir::Bidi
        } else {
            Dir::Uni
        }
    }

    /// The position among the streams of its kind, counted from zero.
    pub const fn index(self) -> u64 {
        self.0 >> 2
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A connection id of versions 1 and 2: up to 20 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    // The bytes beyond the length are zero, so that derived comparison is right.
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

impl ConnectionId {
    /// The longest connection id in bytes.
    pub const MAX_LEN: usize = 20;

    /// The connection id without bytes.
    pub const EMPTY: ConnectionId = ConnectionId {
        bytes: [0; Self::MAX_LEN],
        len: 0,
    };

    /// Takes the bytes of a connection id, or `None` when there are more than 20.
    pub fn new(bytes: &[u8]) -> Option<ConnectionId> {
        let mut id = Self::EMPTY;
        id.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        id.len = u8::try_from(bytes.len()).ok()?;
        Some(id)
    }

    /// Returns a random connection id of `len` bytes, at most 20.
    ///
    /// Nothing but randomness is in it, so that it tells an observer nothing.
    // RFC 9000 5.1 #1
    pub fn random(rng: &mut dyn Rng, len: usize) -> ConnectionId {
        let mut id = Self::EMPTY;
        let len = len.min(Self::MAX_LEN);
        if let Some(bytes) = id.bytes.get_mut(..len) {
            rng.fill(bytes);
        }
        // CAST: at most 20.
        id.len = len as u8;
        id
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    /// Number of bytes.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// True when there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A packet number space (RFC 9000 section 12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Initial packets.
    Initial = 0,
    /// Handshake packets.
    Handshake = 1,
    /// 0-RTT and 1-RTT packets.
    Data = 2,
}

impl Space {
    /// All spaces, in the order of the handshake.
    pub const ALL: [Space; 3] = [Space::Initial, Space::Handshake, Space::Data];
}

/// An encryption level (RFC 9001 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Initial keys.
    Initial = 0,
    /// 0-RTT keys.
    Early = 1,
    /// Handshake keys.
    Handshake = 2,
    /// 1-RTT keys.
    App = 3,
}

impl Level {
    /// The packet number space of the level.
    pub const fn space(self) -> Space {
        match self {
            Level::Initial => Space::Initial,
            Level::Handshake => Space::Handshake,
            Level::Early | Level::App => Space::Data,
        }
    }

    /// The position in the order above.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The version field of a long header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32);

impl Version {
    /// Not a version: marks a Version Negotiation packet.
    pub const NEGOTIATION: Version = Version(0);
    /// Version 1 (RFC 9000).
    pub const V1: Version = Version(1);
    /// Version 2 (RFC 9369).
    pub const V2: Version = Version(0x6b33_43cf);

    /// The versions spoken here, the preferred one of a handshake first.
    pub const SUPPORTED: [Version; 2] = [Version::V1, Version::V2];

    /// The version of a client's first packet that the user asks for; 0 leaves the choice here.
    pub const fn wanted(number: u32) -> Self {
        match number {
            0 => Self::SUPPORTED[0],
            number => Self(number),
        }
    }

    /// True for a version spoken here.
    pub const fn is_supported(self) -> bool {
        matches!(self, Version::V1 | Version::V2)
    }

    /// True for a version of the form 0x?a?a?a?a, which exists only to be refused
    /// (RFC 9000 section 15).
    #[cfg(test)]
    pub const fn is_reserved(self) -> bool {
        self.0 & 0x0f0f_0f0f == 0x0a0a_0a0a
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_low_bits_of_a_stream_id_tell_its_kind() {
        // RFC 9000 table 1.
        for (raw, side, dir) in [
            (0x0, Side::Client, Dir::Bidi),
            (0x1, Side::Server, Dir::Bidi),
            (0x2, Side::Client, Dir::Uni),
            (0x3, Side::Server, Dir::Uni),
        ] {
            let id = StreamId::from_raw(raw | (7 << 2)).unwrap();
            assert_eq!((id.initiator(), id.dir(), id.index()), (side, dir, 7));
            assert_eq!(StreamId::new(side, dir, 7), id);
        }
        assert_eq!(StreamId::from_raw(1 << 62), None);
        let last = StreamId::new(Side::Server, Dir::Uni, u64::MAX);
        assert_eq!(last.raw(), (1 << 62) - 1);
    }

    #[test]
    fn a_connection_id_has_at_most_20_bytes() {
        assert_eq!(ConnectionId::new(&[1; 21]), None);
        assert_eq!(ConnectionId::new(&[1; 20]).unwrap().as_slice(), [1; 20]);
        assert_eq!(ConnectionId::new(&[]), Some(ConnectionId::EMPTY));
        assert_ne!(ConnectionId::new(&[0]), Some(ConnectionId::EMPTY));
        assert_eq!(
            format!("{:?}", ConnectionId::new(&[0xa, 0xbc]).unwrap()),
            "0abc"
        );
    }

    #[test]
    fn reserved_versions_are_recognised() {
        assert!(Version(0x1a2a_3a4a).is_reserved());
        assert!(!Version::V1.is_reserved() && !Version::V2.is_reserved());
        assert!(!Version(0x1a2a_3a4b).is_supported());
    }
}
