// SPDX-License-Identifier: GPL-2.0

//! ICMP messages about packets that did not fit: "Packet Too Big" (RFC 4443 3.2) and
//! "fragmentation needed" (RFC 792, RFC 1191).
//!
//! Anyone can send one, so that a message counts only if it quotes what an off-path attacker does
//! not know: a connection id that this side sends to. What counts starts a search (`path/mtu.rs`);
//! it never sets the size of datagrams by itself.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use super::Connection;
use crate::{
    common::id::ConnectionId,
    path::{
        PathAddr,
        Slot, //
    },
};

/// A message about a packet of this host, its checksum and lengths found good by the caller.
#[derive(Debug, Clone, Copy)]
pub struct PacketTooBig<'a> {
    /// Where the packet was to go: its addresses and ports as the message quotes them.
    pub path: PathAddr,
    /// Bytes of UDP payload that the MTU named by the message has room for: the MTU less the
    /// quoted IP header, its options and extensions, and the UDP header.
    pub max_payload: u16,
    /// Bytes of UDP payload that the packet had, from the quoted UDP header.
    pub payload: u16,
    /// As much of that payload as the message quotes; possibly nothing.
    pub quoted: &'a [u8],
}

impl Connection {
    /// What a message about a packet of the active path quotes: the own port, the peer's address and
    /// the id that packets go to. By it the glue finds the connection that a message is for. `None` while no
    /// message has any effect: before the size of datagrams is looked for, after the end, and on
    /// packets without an id.
    pub fn quotable(&self) -> Option<(u16, SocketAddr, ConnectionId)> {
        let path = self.paths.active();
        if !self.state.is_open() || !path.mtu.is_on() {
            return None;
        }
        let id = self.remote_ids.get(path.dcid)?;
        let PathAddr { local, remote } = path.addr;
        (!id.as_slice().is_empty()).then_some((local.port(), remote, id))
    }

    /// Takes an ICMP message. Returns whether it is about a packet that this connection may have
    /// sent on its active path; only then it has any effect.
    ///
    /// An ICMPv4 message with nothing but the UDP header in it cannot be checked and is ignored, as
    /// is every message to a side that sends to an empty connection id: the loss of packets says
    /// the same, later.
    // RFC 9000 14.2.1 #2
    // RFC 9000 14.2.1 #5
    // RFC 8899 3 #11
    // RFC 8899 4.6.1 #2
    // RFC 8899 4.6.1 #5
    pub fn handle_packet_too_big(&mut self, message: &PacketTooBig<'_>) -> bool {
        if !self.is_quoted(message) {
            return false;
        }
        let mtu = &mut self.paths.active_mut().mtu;
        if mtu.on_too_big(message.max_payload) {
            let size = mtu.current();
            self.recovery.on_mtu_changed(size);
        }
        true
    }

    /// Whether the message quotes a packet of the active path.
    // RFC 9000 14.2.1 #3
    // RFC 9000 14.2.1 #4
    // RFC 8899 4.6.1 #3
    // RFC 8899 4.6.1 #4
    // RFC 8899 8 #2
    // RFC 8899 8 #3
    fn is_quoted(&self, message: &PacketTooBig<'_>) -> bool {
        // A packet that fits what the message says is room enough was no reason for it.
        if !self.state.is_open() || message.payload <= message.max_payload {
            return false;
        }
        // Which of its own addresses a client sends from is the routing's choice, its port is not.
        let port = self.paths.active().addr.local.port();
        if self.slot_of(message.path) != Some(Slot::Active) || message.path.local.port() != port {
            return false;
        }
        let Some(id) = self.remote_ids.get(self.paths.active().dcid) else {
            return false;
        };
        !id.as_slice().is_empty() && destination(message.quoted, id.len()) == Some(id.as_slice())
    }
}

/// The destination id of a packet of which only the beginning is there, with `len` bytes if its
/// header is a short one.
pub fn destination(packet: &[u8], len: usize) -> Option<&[u8]> {
    let (first, rest) = packet.split_first()?;
    if first & 0x80 == 0 {
        return rest.get(..len);
    }
    // Behind the version of a long header stands the length of the id.
    let len = usize::from(*rest.get(4)?);
    rest.get(5..)?.get(..len)
}
