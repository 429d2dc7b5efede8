// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whether a client has proved in this handshake that a certificate is its own.
//!
//! GnuTLS reads the certificates in a session ticket before it finds the ticket too old, and has
//! them for the peer's in the full handshake that follows. Tickets travel in clear and their age is
//! what the client says, so whoever has seen one could pass for its owner at a server that asks for
//! a certificate without demanding it.

/// Handshake message type CertificateVerify (RFC 8446 4).
const CERTIFICATE_VERIFY: u8 = 15;
/// Type and length in 24 bits.
const HEADER: usize = 4;

/// Looks for the CertificateVerify among the messages of the Handshake level.
#[derive(Debug, Default)]
pub(super) struct Proof {
    header: [u8; HEADER],
    /// Bytes of the header that are there.
    len: usize,
    /// Bytes of the message that are still to come.
    left: usize,
    is_shown: bool,
}

impl Proof {
    /// Takes the next bytes of the Handshake level.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while let Some((byte, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                self.left = self.left.saturating_sub(skipped);
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            if let Some(place) = self.header.get_mut(self.len) {
                *place = *byte;
            }
            self.len = self.len.saturating_add(1);
            bytes = rest;
            if self.len == HEADER {
                let [kind, high, middle, low] = self.header;
                self.is_shown |= kind == CERTIFICATE_VERIFY;
                self.left = u32::from_be_bytes([0, high, middle, low]) as usize;
                self.len = 0;
            }
        }
    }

    /// Whether there was one. TLS has verified it if the handshake is done.
    pub(super) fn is_shown(&self) -> bool {
        self.is_shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_found_by_its_type_in_pieces_of_any_size() {
        let message = |kind, len: usize| [&[kind, 0, 1, 4][..], &vec![15; len]].concat();
        let without = [message(11, 260), message(20, 260)].concat();
        let with = [message(11, 260), message(15, 260), message(20, 260)].concat();
        for (bytes, is_shown) in [(&without, false), (&with, true)] {
            for size in [1, 3, 7, 263, 264, 265, 1000] {
                let mut proof = Proof::default();
                bytes.chunks(size).for_each(|piece| proof.read(piece));
                assert_eq!(proof.is_shown(), is_shown, "{size}");
            }
        }
    }
}
