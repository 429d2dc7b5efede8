// SPDX-License-Identifier: GPL-2.0

//! What the listener reads of a TLS ClientHello: the application protocols and the server name.
//!
//! The kernel does no TLS. It looks into the first handshake message only to choose a listener
//! (RFC 9001 8.1), so everything else in the message is skipped, and a message that is malformed
//! where it is looked at is left to the TLS library of whichever listener gets it.

#![forbid(unsafe_code)]

use crate::common::cursor::{
    Reader,
    Truncated, //
};

/// Handshake message type of a ClientHello (RFC 8446 4).
const CLIENT_HELLO: u8 = 1;

/// Type, and length in 24 bits.
const MESSAGE_HEADER: usize = 4;

/// The longest ClientHello looked at. Post-quantum key shares make them 1.5 to 2 KiB.
pub const MAX_LEN: usize = 16384;

/// Where the length of legacy_session_id is: behind the header, legacy_version and random.
const SESSION_ID: usize = MESSAGE_HEADER + 2 + 32;

/// TLS extension numbers (RFC 6066 3, RFC 7301 3.1).
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;

/// The parts of a ClientHello that a listener may be chosen by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientHello<'a> {
    alpn: &'a [u8],
    server_name: Option<&'a [u8]>,
}

/// How far reading came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// The whole message was there.
    Complete(ClientHello<'a>),
    /// So many bytes are needed at least.
    Incomplete(usize),
    /// It is no ClientHello, or not a well-formed one, or too long.
    Malformed,
}

impl<'a> ClientHello<'a> {
    /// Reads the message at the start of the CRYPTO stream, of which `bytes` are there so far.
    pub fn parse(bytes: &'a [u8]) -> Parsed<'a> {
        let Some((header, rest)) = bytes.split_at_checked(MESSAGE_HEADER) else {
            return match bytes.first() {
                None | Some(&CLIENT_HELLO) => Parsed::Incomplete(MESSAGE_HEADER),
                Some(_) => Parsed::Malformed,
            };
        };
        let &[CLIENT_HELLO, high, middle, low] = header else {
            return Parsed::Malformed;
        };
        let len = u32::from_be_bytes([0, high, middle, low]);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let total = len.saturating_add(MESSAGE_HEADER);
        if total > MAX_LEN {
            return Parsed::Malformed;
        }
        match rest.get(..len) {
            None => Parsed::Incomplete(total),
            Some(body) => Self::body(body).map_or(Parsed::Malformed, Parsed::Complete),
        }
    }

    /// The protocols offered, in the client's order of preference.
    pub fn alpns(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut list = Reader::new(self.alpn);
        core::iter::from_fn(move || {
            let len = list.u8().ok()?;
            list.bytes(usize::from(len)).ok()
        })
    }

    /// The host name asked for.
    pub fn server_name(&self) -> Option<&'a [u8]> {
        self.server_name
    }

    /// Whether `bytes`, the start of the CRYPTO stream, are a ClientHello that asks for TLS's
    /// compatibility mode. One that is cut before it says so is left to the TLS library.
    pub fn is_compatibility_mode(bytes: &[u8]) -> bool {
        let is_hello = bytes.first() == Some(&CLIENT_HELLO);
        is_hello && bytes.get(SESSION_ID).is_some_and(|len| *len != 0)
    }

    /// RFC 8446 4.1.2 without the message header.
    fn body(bytes: &'a [u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(bytes);
        // legacy_version and random.
        reader.bytes(2)?;
        reader.bytes(32)?;
        let _session_id = short_vector(&mut reader)?;
        let _cipher_suites = long_vector(&mut reader)?;
        let _compression = short_vector(&mut reader)?;
        let mut hello = Self::default();
        let mut extensions = Reader::new(long_vector(&mut reader)?);
        while !extensions.is_empty() {
            let kind = extensions.u16()?;
            let value = long_vector(&mut extensions)?;
            match kind {
                SERVER_NAME => hello.server_name = host_name(value)?,
                ALPN => hello.alpn = long_vector(&mut Reader::new(value))?,
                _ => {}
            }
        }
        Ok(hello)
    }
}

/// The first name of type host_name in a server_name extension.
fn host_name(value: &[u8]) -> Result<Option<&[u8]>, Truncated> {
    let mut names = Reader::new(long_vector(&mut Reader::new(value))?);
    while !names.is_empty() {
        let kind = names.u8()?;
        let name = long_vector(&mut names)?;
        if kind == 0 {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// A vector whose length has one byte.
fn short_vector<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Truncated> {
    let len = reader.u8()?;
    reader.bytes(usize::from(len))
}

/// A vector whose length has two bytes.
fn long_vector<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Truncated> {
    let len = reader.u16()?;
    reader.bytes(usize::from(len))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn vector16(bytes: &[u8]) -> std::vec::Vec<u8> {
        let mut out = (bytes.len() as u16).to_be_bytes().to_vec();
        out.extend_from_slice(bytes);
        out
    }

    fn extension(kind: u16, value: &[u8]) -> std::vec::Vec<u8> {
        let mut out = kind.to_be_bytes().to_vec();
        out.extend(vector16(value));
        out
    }

    /// A ClientHello with the extensions given and a session id of `session` bytes.
    fn hello(session: usize, extensions: &[u8]) -> std::vec::Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(session as u8);
        body.extend(vec![9; session]);
        body.extend(vector16(&[0x13, 1]));
        body.extend([1, 0]);
        body.extend(vector16(extensions));
        let mut out = vec![CLIENT_HELLO, 0];
        out.extend(vector16(&body));
        out
    }

    fn sample() -> std::vec::Vec<u8> {
        let alpn = extension(ALPN, &vector16(b"\x02h3\x05h3-29"));
        let sni = extension(SERVER_NAME, &vector16(b"\x00\x00\x0bexample.org"));
        hello(0, &[extension(0x2a2a, b"grease"), alpn, sni].concat())
    }

    #[test]
    fn protocols_and_name_are_read_in_order() {
        let bytes = sample();
        let Parsed::Complete(hello) = ClientHello::parse(&bytes) else {
            panic!("not read");
        };
        let alpns: std::vec::Vec<_> = hello.alpns().collect();
        assert_eq!(alpns, [b"h3".as_slice(), b"h3-29"]);
        assert_eq!(hello.server_name(), Some(b"example.org".as_slice()));
        assert!(!ClientHello::is_compatibility_mode(&bytes));
    }

    // RFC 9001 8.4 #2 test
    #[test]
    fn a_session_id_is_seen_as_soon_as_its_length_is_there() {
        assert!(!ClientHello::is_compatibility_mode(&sample()));
        let bytes = hello(32, &[]);
        for len in 0..bytes.len() {
            let is_there = len > 4 + 2 + 32;
            assert_eq!(ClientHello::is_compatibility_mode(&bytes[..len]), is_there);
        }
        // Another message, or bytes that are no TLS, are no concern of this.
        let other = [&[2], &bytes[1..]].concat();
        assert!(!ClientHello::is_compatibility_mode(&other));
    }

    #[test]
    fn every_prefix_asks_for_more_and_no_prefix_panics() {
        let bytes = sample();
        for len in 0..bytes.len() {
            let Parsed::Incomplete(needed) = ClientHello::parse(&bytes[..len]) else {
                panic!("prefix of {len} bytes was decided");
            };
            assert!(needed > len && needed <= bytes.len());
        }
    }

    #[test]
    fn a_changed_byte_is_never_a_panic() {
        let bytes = sample();
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                if let Parsed::Complete(hello) = ClientHello::parse(&changed) {
                    assert!(hello.alpns().count() <= bytes.len());
                }
            }
        }
    }

    #[test]
    fn other_messages_and_long_ones_are_malformed() {
        for bytes in [&[2u8][..], &[2, 0, 0, 0], &[1, 1, 0, 0], &[1, 0, 0, 1, 3]] {
            assert_eq!(ClientHello::parse(bytes), Parsed::Malformed, "{bytes:?}");
        }
    }

    #[test]
    fn a_session_id_is_noticed() {
        let bytes = hello(32, &[]);
        let Parsed::Complete(hello) = ClientHello::parse(&bytes) else {
            panic!("not read");
        };
        assert!(ClientHello::is_compatibility_mode(&bytes));
        assert_eq!(hello.alpns().count(), 0);
        assert_eq!(hello.server_name(), None);
    }
}
