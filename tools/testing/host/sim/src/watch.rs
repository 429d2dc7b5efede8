// SPDX-License-Identifier: GPL-2.0

//! What an observer on the wire holds a server to, without asking the core.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use quic_core::common::id::Level;
use quic_core::packet::Packet as Parsed;

use crate::net::Packet;

/// Bytes exchanged with one address.
#[derive(Debug, Default)]
struct Account {
    received: u64,
    sent: u64,
    /// Something arrived that only the owner of the address can have sent.
    is_proved: bool,
}

/// The anti-amplification limit of RFC 9000 8, for every address that a server sends to.
///
/// An address counts as proved with a Handshake packet from it, with an Initial packet that carries
/// a token, or, once there is a connection, with anything that arrives from anywhere after something
/// was sent there (it may be the PATH_RESPONSE). Before that the limit of three times is exact.
#[derive(Debug, Default)]
pub struct Watch {
    accounts: BTreeMap<SocketAddr, Account>,
}

impl Watch {
    /// A packet arrived.
    pub fn on_received(&mut self, packet: &Packet, cid_len: usize, is_connected: bool) {
        if is_connected {
            for account in self.accounts.values_mut() {
                account.is_proved |= account.sent > 0;
            }
        }
        let account = self.accounts.entry(packet.src).or_default();
        account.received += packet.bytes.len() as u64;
        account.is_proved |= proves(&packet.bytes, cid_len);
    }

    /// A packet leaves; panics above the limit.
    pub fn on_sent(&mut self, packet: &Packet) {
        let account = self.accounts.entry(packet.dst).or_default();
        account.sent += packet.bytes.len() as u64;
        assert!(
            account.is_proved || account.sent <= 3 * account.received,
            "anti-amplification limit of {} exceeded: {account:?}",
            packet.dst
        );
    }
}

/// Whether a datagram holds what nobody can send who has not received anything.
fn proves(datagram: &[u8], cid_len: usize) -> bool {
    let mut rest = datagram;
    while let Ok(Parsed::Protected(header)) = Parsed::parse_first(rest, cid_len) {
        let has_token = header.level == Level::Initial && !header.token.is_empty();
        if header.level == Level::Handshake || has_token {
            return true;
        }
        rest = rest.get(header.len..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
    }
    false
}
