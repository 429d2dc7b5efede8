// SPDX-License-Identifier: GPL-2.0
//! The format on the stream. Integers are big endian.
//!
//! ```text
//! header:  name length (2) | name, UTF-8 | size of the file (8) | mode (4)
//! file:    the bytes | SHA-256 (32)
//! reply:   0 (1) | SHA-256 of what was stored (32)
//!          1 (1) | length (2) | reason, UTF-8
//! ```

use std::io::{
    self,
    Read, //
};

/// Longest name of a file on common file systems, in bytes.
pub const MAX_NAME: usize = 255;
/// Longest reason of a refusal.
const MAX_REASON: usize = 1000;

pub const DIGEST_LEN: usize = 32;
pub type Digest = [u8; DIGEST_LEN];

const STORED: u8 = 0;
const REFUSED: u8 = 1;

/// What precedes the bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// As the sender calls it; see [`super::name::sanitise`].
    pub name: String,
    pub size: u64,
    /// Permission bits as `stat` tells them.
    pub mode: u32,
}

/// What the receiver answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Stored(Digest),
    Refused(String),
}

impl Header {
    /// Fails if the name is empty or too long.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let len = match u16::try_from(self.name.len()) {
            Ok(len @ 1..) if self.name.len() <= MAX_NAME => len,
            _ => return Err(invalid("the name must have 1 to 255 bytes")),
        };
        let mut out = Vec::with_capacity(self.name.len().saturating_add(14));
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&self.size.to_be_bytes());
        out.extend_from_slice(&self.mode.to_be_bytes());
        Ok(out)
    }

    pub fn read(from: &mut impl Read) -> io::Result<Header> {
        let name = read_text(from, MAX_NAME, "the name")?;
        Ok(Header {
            name,
            size: u64::from_be_bytes(read_array(from)?),
            mode: u32::from_be_bytes(read_array(from)?),
        })
    }
}

impl Reply {
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Reply::Stored(digest) => {
                let mut out = vec![STORED];
                out.extend_from_slice(digest);
                out
            }
            Reply::Refused(reason) => {
                let mut reason = reason.clone();
                let mut end = reason.len().min(MAX_REASON);
                while !reason.is_char_boundary(end) {
                    end -= 1;
                }
                reason.truncate(end);
                let len = u16::try_from(reason.len()).unwrap_or(0);
                let mut out = vec![REFUSED];
                out.extend_from_slice(&len.to_be_bytes());
                out.extend_from_slice(reason.as_bytes());
                out
            }
        }
    }

    pub fn read(from: &mut impl Read) -> io::Result<Reply> {
        match read_array(from)? {
            [STORED] => Ok(Reply::Stored(read_array(from)?)),
            [REFUSED] => Ok(Reply::Refused(read_text(from, MAX_REASON, "the reason")?)),
            [other] => Err(invalid(format!("an answer of unknown kind {other}"))),
        }
    }
}

pub fn read_array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut out = [0; N];
    from.read_exact(&mut out)?;
    Ok(out)
}

fn read_text(from: &mut impl Read, most: usize, what: &str) -> io::Result<String> {
    let len = usize::from(u16::from_be_bytes(read_array(from)?));
    if len > most {
        return Err(invalid(format!(
            "{what} has {len} bytes, at most {most} are allowed"
        )));
    }
    let mut bytes = vec![0; len];
    from.read_exact(&mut bytes)?;
    String::from_utf8(bytes).map_err(|_| invalid(format!("{what} is not UTF-8")))
}

fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_has_the_documented_layout() {
        let header = Header {
            name: "a.txt".into(),
            size: 0x0102_0304,
            mode: 0o644,
        };
        let want = b"\x00\x05a.txt\x00\x00\x00\x00\x01\x02\x03\x04\x00\x00\x01\xa4";
        assert_eq!(header.encode().unwrap(), want);
    }

    #[test]
    fn names_without_or_with_too_many_bytes_are_not_sent() {
        for (len, ok) in [
            (0, false),
            (1, true),
            (255, true),
            (256, false),
            (70_000, false),
        ] {
            let header = Header {
                name: "x".repeat(len),
                size: 0,
                mode: 0,
            };
            assert_eq!(header.encode().is_ok(), ok, "{len} bytes");
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        let header = Header {
            name: "name".into(),
            size: 7,
            mode: 0o600,
        };
        let bytes = header.encode().unwrap();
        for len in 0..bytes.len() {
            assert!(Header::read(&mut &bytes[..len]).is_err(), "{len} bytes");
        }
        for reply in [Reply::Stored([7; 32]), Reply::Refused("no room".into())] {
            let bytes = reply.encode();
            for len in 0..bytes.len() {
                assert!(
                    Reply::read(&mut &bytes[..len]).is_err(),
                    "{reply:?}, {len} bytes"
                );
            }
        }
    }

    #[test]
    fn a_length_beyond_the_limit_allocates_nothing() {
        assert!(Header::read(&mut &b"\xff\xff"[..]).is_err());
        assert!(Reply::read(&mut &b"\x01\xff\xff"[..]).is_err());
        assert!(Reply::read(&mut &b"\x02"[..]).is_err());
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let reply = Reply::Refused("é".repeat(600));
        let Ok(Reply::Refused(reason)) = Reply::read(&mut &reply.encode()[..]) else {
            panic!("it is not readable");
        };
        assert_eq!(reason.chars().count(), 500);
    }

    proptest! {
        #[test]
        fn headers_are_read_back(name in ".{1,60}", size: u64, mode: u32) {
            let header = Header { name, size, mode };
            let bytes = header.encode().unwrap();
            prop_assert_eq!(Header::read(&mut &bytes[..]).unwrap(), header);
        }

        #[test]
        fn replies_are_read_back(digest: Digest, reason in ".{0,200}") {
            for reply in [Reply::Stored(digest), Reply::Refused(reason)] {
                prop_assert_eq!(Reply::read(&mut &reply.encode()[..]).unwrap(), reply);
            }
        }

        #[test]
        fn no_bytes_make_the_readers_panic(bytes: Vec<u8>) {
            let _ = Header::read(&mut &bytes[..]);
            let _ = Reply::read(&mut &bytes[..]);
        }
    }
}
