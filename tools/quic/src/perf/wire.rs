// SPDX-License-Identifier: GPL-2.0
//! What a client asks of the server. A kind and two big-endian numbers, 17 bytes in all.

use std::io::{
    self,
    Read, //
};

/// Largest message of [`Request::Echo`].
pub const MAX_MESSAGE: u32 = 1 << 20;

const UPLOAD: u8 = 1;
const DOWNLOAD: u8 = 2;
const ECHO: u8 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Read to the end of the stream, then answer how many bytes came (8).
    Upload,
    /// Write this many bytes, or until the client has had enough.
    Download { bytes: u64 },
    /// Again and again: read so many bytes, then write so many, until the client ends.
    Echo { request: u32, answer: u32 },
}

impl Request {
    pub fn encode(self) -> [u8; 17] {
        let (kind, first, second) = match self {
            Request::Upload => (UPLOAD, 0, 0),
            Request::Download { bytes } => (DOWNLOAD, bytes, 0),
            Request::Echo { request, answer } => (ECHO, request.into(), answer.into()),
        };
        let mut out = [kind; 17];
        let numbers = u64::to_be_bytes(first)
            .into_iter()
            .chain(u64::to_be_bytes(second));
        for (to, from) in out.iter_mut().skip(1).zip(numbers) {
            *to = from;
        }
        out
    }

    pub fn read(from: &mut impl Read) -> io::Result<Request> {
        let [kind] = read_array(from)?;
        let first = read_number(from)?;
        let second = read_number(from)?;
        match (kind, message(first), message(second)) {
            (UPLOAD, ..) => Ok(Request::Upload),
            (DOWNLOAD, ..) => Ok(Request::Download { bytes: first }),
            (ECHO, Some(request), Some(answer)) => Ok(Request::Echo { request, answer }),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a request of unknown kind {kind}, {first}, {second}"),
            )),
        }
    }
}

/// The size of a message, if it is one.
fn message(number: u64) -> Option<u32> {
    u32::try_from(number)
        .ok()
        .filter(|size| (1..=MAX_MESSAGE).contains(size))
}

pub fn read_number(from: &mut impl Read) -> io::Result<u64> {
    read_array(from).map(u64::from_be_bytes)
}

fn read_array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut out = [0; N];
    from.read_exact(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_download_has_the_documented_layout() {
        let bytes = Request::Download { bytes: 0x0102 }.encode();
        assert_eq!(bytes, *b"\x02\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn messages_of_no_or_too_many_bytes_are_refused() {
        for (request, answer, ok) in [
            (1, 1, true),
            (MAX_MESSAGE, MAX_MESSAGE, true),
            (0, 1, false),
            (1, 0, false),
            (MAX_MESSAGE + 1, 1, false),
            (1, u32::MAX, false),
        ] {
            let bytes = Request::Echo { request, answer }.encode();
            assert_eq!(
                Request::read(&mut &bytes[..]).is_ok(),
                ok,
                "{request} {answer}"
            );
        }
    }

    proptest! {
        #[test]
        fn requests_are_read_back(bytes: u64, request in 1..=MAX_MESSAGE, answer in 1..=MAX_MESSAGE) {
            for wanted in [
                Request::Upload,
                Request::Download { bytes },
                Request::Echo { request, answer },
            ] {
                prop_assert_eq!(Request::read(&mut &wanted.encode()[..]).unwrap(), wanted);
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = Request::read(&mut &bytes[..]);
        }
    }
}
