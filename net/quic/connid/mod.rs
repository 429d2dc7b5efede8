// SPDX-License-Identifier: GPL-2.0

//! Connection ids of one connection: those this side issued and those the peer issued.
//!
//! [`local::LocalIds`] decides which ids packets for this connection may carry; the glue mirrors it
//! in its lookup table by [`CidOp`]. [`remote::RemoteIds`] decides which ids packets to the peer
//! carry, and which stateless reset tokens are believed. Both are bounded: the peer chooses how
//! fast ids come and go. RFC 9000 5.1, 10.3, 19.15, 19.16. Called with the connection's lock held.

#![forbid(unsafe_code)]

pub mod local;
pub mod remote;

use core::net::SocketAddr;

use crate::common::id::ConnectionId;

/// Length of the ids this side issues. One length for every connection of the host lets a packet
/// with a short header be looked up, and reset, without state (RFC 9000 10.3.2 #2).
pub const LOCAL_LEN: usize = 8;

/// Ids kept on either side whatever larger limit is announced. Eight serve two paths and several
/// migrations; a larger limit of the peer's is treated as eight, never refused.
pub const MAX_ACTIVE: usize = 8;

/// A change the glue has to make in its lookup tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CidOp {
    /// Packets with this destination id belong to the connection from now on.
    Add {
        /// The id.
        cid: ConnectionId,
        /// Its sequence number; the client's original destination id counts as 0.
        seq: u64,
    },
    /// The id is no longer the connection's.
    Remove {
        /// The id.
        cid: ConnectionId,
    },
    /// Datagrams from `remote` that end in `token` belong to the connection.
    AddReset {
        /// The peer's stateless reset token.
        token: [u8; 16],
        /// Where the token may come from.
        remote: SocketAddr,
    },
    /// The token is no longer believed.
    RemoveReset {
        /// The peer's stateless reset token.
        token: [u8; 16],
        /// Where the token came from.
        remote: SocketAddr,
    },
}
