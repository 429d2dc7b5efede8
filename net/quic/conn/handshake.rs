// SPDX-License-Identifier: GPL-2.0

//! What is remembered of the handshake beyond its keys.

#![forbid(unsafe_code)]

use super::{
    encrypted_extensions::EncryptedExtensions,
    once::Once, //
};
use crate::{
    common::id::{
        ConnectionId,
        Version, //
    },
    mem::Vec,
};

/// What is known of 0-RTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Early {
    /// Not in play.
    #[default]
    None,
    /// The client has 0-RTT keys; the server has not decided.
    Offered,
    /// The server processes 0-RTT packets: its TLS says so, or it has acknowledged one.
    Accepted,
    /// The server does not take them.
    Rejected,
    /// The client has given up waiting for a sign, and has sent everything again.
    Abandoned,
}

impl Early {
    /// Whether packets of a client's 0-RTT may be processed by the server.
    pub(super) fn is_in_play(self) -> bool {
        matches!(self, Self::Offered | Self::Accepted)
    }
}

/// The handshake's memory.
#[derive(Debug)]
pub(super) struct Handshake {
    /// Destination Connection ID of the client's first Initial packet.
    pub original_dcid: ConnectionId,
    /// Destination Connection ID that Initial keys come from: the above, or the one of a Retry.
    pub key_dcid: ConnectionId,
    /// Source Connection ID of a Retry.
    pub retry_scid: Option<ConnectionId>,
    /// The Source Connection ID the peer chose, once a packet has proved it.
    pub peer_scid: Option<ConnectionId>,
    /// Token of every Initial packet.
    pub token: Vec<u8>,
    /// Version of the first Initial packet.
    pub first_version: Version,
    /// A Version Negotiation packet was acted on: the version it was about.
    pub refused_version: Option<Version>,
    /// A packet of the server's was processed: no Retry or Version Negotiation any more.
    pub has_heard: bool,
    /// TLS has fetched this side's transport parameters: the version of the first packet holds.
    pub is_fetched: bool,
    /// TLS has written this side's transport parameters into a message: they hold.
    pub is_announced: bool,
    /// The peer's transport parameters are in force.
    pub has_peer_params: bool,
    /// RFC 9001 4.1.2.
    pub is_confirmed: bool,
    /// The client acts on the server's preferred address.
    pub used_preferred: bool,
    /// The server has followed its client to the preferred address.
    pub followed_preferred: bool,
    /// HANDSHAKE_DONE.
    pub done: Once,
    /// NEW_TOKEN.
    pub new_token: Once,
    /// What the client reads of the server's answer to 0-RTT.
    pub extensions: EncryptedExtensions,
    /// 0-RTT.
    pub early: Early,
    /// Numbers below were sent as 0-RTT.
    pub early_end: u64,
}

impl Handshake {
    /// Nothing has happened yet.
    pub(super) fn new(original_dcid: ConnectionId, version: Version) -> Self {
        Self {
            original_dcid,
            key_dcid: original_dcid,
            retry_scid: None,
            peer_scid: None,
            token: Vec::new(),
            first_version: version,
            refused_version: None,
            has_heard: false,
            is_fetched: false,
            is_announced: false,
            has_peer_params: false,
            is_confirmed: false,
            used_preferred: false,
            followed_preferred: false,
            done: Once::default(),
            new_token: Once::default(),
            extensions: EncryptedExtensions::default(),
            early: Early::default(),
            early_end: 0,
        }
    }
}
