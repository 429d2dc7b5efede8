// SPDX-License-Identifier: LGPL-2.1-or-later
//! Numbers and layouts of `<linux/quic.h>`, written and read without `unsafe`.
//!
//! The kernel copies the smaller of its own and the caller's length in both directions, so the
//! readers here accept a short buffer: missing bytes count as zero.

use crate::error::CloseReason;

/// Protocol number for `socket()`.
pub(crate) const IPPROTO_QUIC: i32 = 261;
/// Level of the socket options and of the control messages.
pub(crate) const SOL_QUIC: i32 = 288;

/// Control message with a stream id and stream flags.
pub(crate) const CMSG_STREAM_INFO: i32 = 0;
/// Control message with an encryption level.
pub(crate) const CMSG_HANDSHAKE_INFO: i32 = 1;

/// Opens the stream.
pub(crate) const MSG_QUIC_STREAM_NEW: u32 = 0x400;
/// Ends this direction of the stream.
pub(crate) const MSG_QUIC_STREAM_FIN: u32 = 0x200;
/// Chooses the next unidirectional id where the id is -1.
pub(crate) const MSG_QUIC_STREAM_UNI: u32 = 0x800;
/// Does not wait for the peer to permit one more stream.
pub(crate) const MSG_QUIC_STREAM_DONTWAIT: u32 = 0x10000;
/// Tells the peer when sending is blocked by flow control.
pub(crate) const MSG_QUIC_STREAM_SNDBLOCK: u32 = 0x2000;
/// The message is a datagram of RFC 9221.
pub(crate) const MSG_QUIC_DATAGRAM: u32 = 0x1000;
/// The message is an event.
pub(crate) const MSG_QUIC_NOTIFICATION: u32 = 0x8000;
/// All flags that belong into a stream control message.
pub(crate) const STREAM_FLAGS: u32 = MSG_QUIC_STREAM_NEW
    | MSG_QUIC_STREAM_FIN
    | MSG_QUIC_STREAM_UNI
    | MSG_QUIC_STREAM_DONTWAIT
    | MSG_QUIC_STREAM_SNDBLOCK;

/// The transport error code of a server that does not accept a connection (RFC 9000 20.1).
pub(crate) const CONNECTION_REFUSED: u32 = 0x02;

/// Options of level [`SOL_QUIC`].
pub(crate) mod opt {
    pub(crate) const EVENT: i32 = 0;
    pub(crate) const STREAM_OPEN: i32 = 1;
    pub(crate) const STREAM_RESET: i32 = 2;
    pub(crate) const STREAM_STOP_SENDING: i32 = 3;
    pub(crate) const CONNECTION_CLOSE: i32 = 5;
    pub(crate) const CONNECTION_MIGRATION: i32 = 6;
    pub(crate) const KEY_UPDATE: i32 = 7;
    pub(crate) const TRANSPORT_PARAM: i32 = 8;
    pub(crate) const CONFIG: i32 = 9;
    pub(crate) const TOKEN: i32 = 10;
    pub(crate) const ALPN: i32 = 11;
    pub(crate) const SESSION_TICKET: i32 = 12;
    pub(crate) const CRYPTO_SECRET: i32 = 13;
    pub(crate) const TRANSPORT_PARAM_EXT: i32 = 14;
    /// Not among those of other implementations, so it may be missing.
    pub(crate) const INFO: i32 = 64;
    pub(crate) const STREAM_RESET_AT: i32 = 66;
    pub(crate) const STREAM_PRIORITY: i32 = 67;
}

/// Types of events.
pub(crate) mod event {
    pub(crate) const STREAM_UPDATE: u8 = 1;
    #[cfg(feature = "tokio")]
    pub(crate) const STREAM_MAX_DATA: u8 = 2;
    #[cfg(feature = "tokio")]
    pub(crate) const STREAM_MAX_STREAM: u8 = 3;
    pub(crate) const NEW_SESSION_TICKET: u8 = 9;
}

/// States in `struct quic_stream_update`.
pub(crate) mod stream_state {
    pub(crate) const SEND_RECVD: u8 = 3;
    pub(crate) const SEND_RESET_SENT: u8 = 4;
    pub(crate) const SEND_RESET_RECVD: u8 = 5;
    pub(crate) const RECV_RESET_RECVD: u8 = 10;
}

/// Encryption level of a handshake message or a secret; the discriminant is the wire value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Level {
    App = 0,
    Initial = 1,
    Handshake = 2,
    Early = 3,
}

impl Level {
    pub(crate) fn from_u8(value: u8) -> Option<Level> {
        match value {
            0 => Some(Level::App),
            1 => Some(Level::Initial),
            2 => Some(Level::Handshake),
            3 => Some(Level::Early),
            _ => None,
        }
    }
}

/// Longest secret that fits `struct quic_crypto_secret`.
const SECRET_LEN: usize = 48;

/// `struct quic_crypto_secret`, 56 bytes. `None` if the secret is too long.
pub(crate) fn crypto_secret(
    send: bool,
    level: Level,
    cipher: u32,
    secret: &[u8],
) -> Option<[u8; 56]> {
    if secret.len() > SECRET_LEN {
        return None;
    }
    let mut out = Writer::<56>::default();
    out.put(0, &[u8::from(send), level as u8]);
    out.put(4, &cipher.to_ne_bytes());
    out.put(8, secret);
    Some(out.0)
}

/// `struct quic_stream_info` or `struct quic_errinfo`: an id and 32 bits, 16 bytes.
pub(crate) fn id_and_word(id: i64, word: u32) -> [u8; 16] {
    let mut out = Writer::<16>::default();
    out.put(0, &id.to_ne_bytes());
    out.put(8, &word.to_ne_bytes());
    out.0
}

/// `struct quic_stream_reset_at`, 24 bytes.
pub(crate) fn reset_at(id: i64, reliable: u64, code: u32) -> [u8; 24] {
    let mut out = Writer::<24>::default();
    out.put(0, &id.to_ne_bytes());
    out.put(8, &reliable.to_ne_bytes());
    out.put(16, &code.to_ne_bytes());
    out.0
}

/// `struct quic_stream_priority`, 16 bytes.
pub(crate) fn priority(id: i64, urgency: u8, incremental: bool) -> [u8; 16] {
    let mut out = Writer::<16>::default();
    out.put(0, &id.to_ne_bytes());
    out.put(8, &[urgency, u8::from(incremental)]);
    out.0
}

/// Reads what [`id_and_word`] writes.
pub(crate) fn read_id_and_word(bytes: &[u8]) -> (i64, u32) {
    let bytes = Reader(bytes);
    (bytes.i64(0), bytes.u32(8))
}

/// `struct quic_connection_close`, 72 bytes. The phrase is cut to 63 bytes of whole characters.
pub(crate) fn connection_close(code: u32, phrase: &str) -> [u8; 72] {
    let mut out = Writer::<72>::default();
    out.put(0, &code.to_ne_bytes());
    let mut end = phrase.len().min(63);
    while !phrase.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    out.put(8, phrase.get(..end).unwrap_or_default().as_bytes());
    out.0
}

/// Reads `struct quic_connection_close`: code, frame type, phrase up to its NUL.
fn read_connection_close(bytes: &[u8]) -> (u32, u8, String) {
    let reader = Reader(bytes);
    let phrase: Vec<u8> = bytes
        .iter()
        .skip(8)
        .take(64)
        .copied()
        .take_while(|byte| *byte != 0)
        .collect();
    (
        reader.u32(0),
        reader.u8(4),
        String::from_utf8_lossy(&phrase).into_owned(),
    )
}

/// Length of `struct quic_info` up to its flags, and these included.
pub(crate) const INFO_FLAGS_END: usize = 136;
/// The idle time-out has ended the connection.
const INFO_TIMED_OUT: u32 = 0x20;
/// It has ended with an error code of the application.
const INFO_APP_CLOSED: u32 = 0x40;

/// How a connection has ended, from `struct quic_connection_close` and, if the kernel has it,
/// `struct quic_info`.
pub(crate) fn read_close_reason(close: &[u8], info: Option<&[u8]>) -> CloseReason {
    let (code, frame, phrase) = read_connection_close(close);
    let flags = info.map(|info| Reader(info).u32(132));
    let has = |flag| flags.is_some_and(|flags| flags & flag != 0);
    CloseReason {
        code,
        frame,
        phrase,
        application: has(INFO_APP_CLOSED),
        is_certain: flags.is_some(),
        timed_out: code == 0 && has(INFO_TIMED_OUT),
    }
}

/// The part of `struct quic_stream_update` that this crate uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamUpdate {
    pub(crate) id: i64,
    pub(crate) state: u8,
    pub(crate) errcode: u32,
}

/// Reads `struct quic_stream_update`.
pub(crate) fn read_stream_update(bytes: &[u8]) -> StreamUpdate {
    let bytes = Reader(bytes);
    StreamUpdate {
        id: bytes.i64(0),
        state: bytes.u8(8),
        errcode: bytes.u32(12),
    }
}

/// A structure of `N` bytes under construction.
pub(crate) struct Writer<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> Default for Writer<N> {
    fn default() -> Self {
        Writer([0; N])
    }
}

impl<const N: usize> Writer<N> {
    /// Puts `bytes` at `offset`; what does not fit is left out.
    pub(crate) fn put(&mut self, offset: usize, bytes: &[u8]) {
        for (to, from) in self.0.iter_mut().skip(offset).zip(bytes) {
            *to = *from;
        }
    }
}

/// A structure given by the kernel, possibly shorter than expected.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut out = Writer::<N>::default();
        out.put(0, self.0.get(offset..).unwrap_or_default());
        out.0
    }

    pub(crate) fn u8(&self, offset: usize) -> u8 {
        u8::from_ne_bytes(self.array(offset))
    }

    pub(crate) fn u16(&self, offset: usize) -> u16 {
        u16::from_ne_bytes(self.array(offset))
    }

    pub(crate) fn u32(&self, offset: usize) -> u32 {
        u32::from_ne_bytes(self.array(offset))
    }

    pub(crate) fn u64(&self, offset: usize) -> u64 {
        u64::from_ne_bytes(self.array(offset))
    }

    pub(crate) fn i64(&self, offset: usize) -> i64 {
        i64::from_ne_bytes(self.array(offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_cut_between_characters() {
        for (phrase, kept) in [
            ("bye".to_owned(), 3),
            ("x".repeat(64), 63),
            ("x".repeat(62) + "\u{e9}", 62),
            ("\u{20ac}".repeat(30), 63),
        ] {
            let bytes = connection_close(7, &phrase);
            let (code, frame, read) = read_connection_close(&bytes);
            assert_eq!((code, frame, read.as_str()), (7, 0, &phrase[..kept]));
        }
    }

    #[test]
    fn short_structures_read_as_if_zero_followed() {
        assert_eq!(read_connection_close(&[1, 1]), (0x101, 0, String::new()));
        let update = read_stream_update(&[4, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!((update.id, update.state, update.errcode), (4, 3, 0));
        assert_eq!(read_id_and_word(&[]), (0, 0));
    }

    #[test]
    fn a_secret_lies_at_the_offsets_of_the_uapi() {
        let bytes = crypto_secret(true, Level::Handshake, 52, &[9; 48]).unwrap();
        assert_eq!(bytes[..4], [1, 2, 0, 0]);
        assert_eq!(Reader(&bytes).u32(4), 52);
        assert_eq!(bytes[8..], [9; 48]);
        assert_eq!(crypto_secret(true, Level::App, 51, &[0; 49]), None);
    }
}
