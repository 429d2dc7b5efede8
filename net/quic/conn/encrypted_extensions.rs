// SPDX-License-Identifier: GPL-2.0

//! What a client's connection reads of TLS's EncryptedExtensions: whether the server takes early
//! data (RFC 8446 4.2.10).
//!
//! TLS runs in user space and has no way to say so that programs know. The message begins the
//! handshake bytes of the Handshake level, and passes through the kernel in clear on its way to TLS
//! in pieces of any size. One that is malformed is left to the TLS library.

#![forbid(unsafe_code)]

/// Handshake message type of EncryptedExtensions (RFC 8446 4).
const ENCRYPTED_EXTENSIONS: u8 = 8;

/// Extension number of early_data (RFC 8446 4.2).
const EARLY_DATA: u16 = 42;

/// Type, length in 24 bits, and length of the list of extensions in 16.
const HEADER: usize = 6;

/// Type and length of an extension.
const EXTENSION: usize = 4;

/// Whether the server takes early data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum EarlyData {
    /// The message is not there yet, or cannot be read.
    #[default]
    Unknown,
    /// It does.
    Accepted,
    /// It does not.
    Rejected,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Next {
    #[default]
    Header,
    Extension,
    /// So many bytes of an extension's value.
    Value(u16),
    /// Nothing that matters.
    Nothing,
}

/// A reader of the message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EncryptedExtensions {
    next: Next,
    /// The part of a header that is there.
    header: [u8; HEADER],
    len: usize,
    /// Bytes of the list that are still to come.
    left: u16,
    early_data: EarlyData,
}

impl EncryptedExtensions {
    /// What the message says.
    pub(super) fn early_data(&self) -> EarlyData {
        self.early_data
    }

    /// Takes the next bytes of the Handshake level.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match self.next {
                Next::Header => self.on_header(*byte),
                Next::Extension => self.on_extension(*byte),
                Next::Value(len) => self.skip(len),
                Next::Nothing => return,
            }
        }
    }

    fn on_header(&mut self, byte: u8) {
        if !self.collect(byte, HEADER) {
            return;
        }
        let [kind, high, middle, low, list @ ..] = self.header;
        let len = u32::from_be_bytes([0, high, middle, low]);
        self.left = u16::from_be_bytes(list);
        if kind == ENCRYPTED_EXTENSIONS && len == u32::from(self.left).saturating_add(2) {
            self.go_on();
        } else {
            self.next = Next::Nothing;
        }
    }

    fn on_extension(&mut self, byte: u8) {
        if !self.collect(byte, EXTENSION) {
            return;
        }
        let [high, low, len_high, len_low, ..] = self.header;
        let len = u16::from_be_bytes([len_high, len_low]);
        let rest = self.left.checked_sub(EXTENSION as u16);
        let Some(rest) = rest.and_then(|rest| rest.checked_sub(len)) else {
            self.next = Next::Nothing;
            return;
        };
        self.left = rest;
        if u16::from_be_bytes([high, low]) == EARLY_DATA {
            self.early_data = EarlyData::Accepted;
            self.next = Next::Nothing;
        } else if len > 0 {
            self.next = Next::Value(len);
        } else {
            self.go_on();
        }
    }

    fn skip(&mut self, len: u16) {
        match len.checked_sub(1) {
            Some(left) if left > 0 => self.next = Next::Value(left),
            _ => self.go_on(),
        }
    }

    /// To the next extension, if there is one.
    fn go_on(&mut self) {
        self.next = if self.left > 0 {
            Next::Extension
        } else {
            self.early_data = EarlyData::Rejected;
            Next::Nothing
        };
    }

    /// Adds to a header of `len` bytes; says whether it is whole.
    fn collect(&mut self, byte: u8, len: usize) -> bool {
        if let Some(place) = self.header.get_mut(self.len) {
            *place = byte;
        }
        self.len = self.len.saturating_add(1);
        let is_whole = self.len >= len;
        if is_whole {
            self.len = 0;
        }
        is_whole
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn extension(kind: u16, value: &[u8]) -> std::vec::Vec<u8> {
        let len = value.len() as u16;
        [&kind.to_be_bytes(), &len.to_be_bytes(), value].concat()
    }

    fn message(kind: u8, extensions: &[std::vec::Vec<u8>]) -> std::vec::Vec<u8> {
        let list = extensions.concat();
        let len = list.len() as u16;
        let head = [&[kind, 0], &(len + 2).to_be_bytes()[..], &len.to_be_bytes()];
        // A Certificate behind it.
        [&head.concat(), &list[..], &[11, 0, 0, 1, 42]].concat()
    }

    /// What is read in pieces of `size` bytes.
    fn read(bytes: &[u8], size: usize) -> EarlyData {
        let mut reader = EncryptedExtensions::default();
        bytes.chunks(size).for_each(|piece| reader.read(piece));
        reader.early_data()
    }

    #[test]
    fn early_data_is_accepted_by_its_extension_wherever_that_stands() {
        let others = [extension(16, b"\0\x03\x02h3"), extension(0x39, &[0; 300])];
        let early = [extension(EARLY_DATA, b""), extension(0, b"")];
        let cases = [
            (
                EarlyData::Accepted,
                message(8, &[&early[..], &others].concat()),
            ),
            (
                EarlyData::Accepted,
                message(8, &[&others[..], &early].concat()),
            ),
            (EarlyData::Accepted, message(8, &early[..1])),
            (EarlyData::Rejected, message(8, &others)),
            (EarlyData::Rejected, message(8, &early[1..])),
            (EarlyData::Rejected, message(8, &[])),
            (EarlyData::Unknown, message(11, &early)),
        ];
        for (expected, bytes) in &cases {
            for size in [1, 2, 3, 5, 7, 64, 1_000] {
                assert_eq!(read(bytes, size), *expected, "{bytes:?}");
            }
        }
    }

    #[test]
    fn a_message_that_is_cut_or_broken_says_nothing() {
        let bytes = message(8, &[extension(16, b"\0\x03\x02h3"), extension(0, b"")]);
        let whole = bytes.len() - 5;
        for len in 0..whole {
            assert_eq!(read(&bytes[..len], 3), EarlyData::Unknown, "{len}");
        }
        assert_eq!(read(&bytes[..whole], 3), EarlyData::Rejected);
        // Lengths that contradict each other.
        for at in [3, 5, 9] {
            for change in [1, 0xff] {
                let mut broken = bytes.clone();
                broken[at] = broken[at].wrapping_add(change);
                let says = read(&broken, 3);
                assert!(at == 9 || says == EarlyData::Unknown, "{at} {change}");
                assert_ne!(says, EarlyData::Accepted, "{at} {change}");
            }
        }
    }
}
