// SPDX-License-Identifier: GPL-2.0

//! What the owner of a connection chooses before it is made.

#![forbid(unsafe_code)]

use super::event::EventMask;
use crate::{
    common::time::Duration,
    cong::Algorithm,
    recovery::rtt::INITIAL_RTT, //
};

/// What a client does with a Version Negotiation packet that makes its ClientHello wrong: one that
/// announces another version than the one which is to be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Restart {
    /// Sends the same ClientHello in the other version, for whoever cannot make another one. Only
    /// servers that do not know RFC 9368 take it.
    #[default]
    Never,
    /// Ends the attempt. The owner starts anew in [`super::Connection::version`].
    Owner,
    /// This is that new attempt: it follows a Version Negotiation packet.
    Second,
}

/// Settings of one connection. Times are durations, sizes are bytes of UDP payload.
#[derive(Debug, Clone)]
pub struct Config {
    /// Client: version of the first Initial. Server: version preferred in compatible negotiation.
    /// 0 stands for version 1; an unknown one makes a client go through version negotiation.
    pub version: u32,
    /// Round-trip time assumed before the first sample.
    pub initial_rtt: Duration,
    /// Congestion control algorithm.
    pub congestion: Algorithm,
    /// PING when nothing was sent or received for this long.
    pub keep_alive: Option<Duration>,
    /// Discover the path's datagram size, and look again for a larger one after this time.
    pub pmtud: Option<Duration>,
    /// Send small pieces of stream data at once instead of waiting for acknowledgements.
    pub nodelay: bool,
    /// No datagram is ever larger: what the device carries, less IP and UDP headers.
    pub max_udp_payload: u16,
    /// Mark packets ECT(0) and use what the peer reports.
    pub ecn: bool,
    /// Show observers the round-trip time by the spin bit, on most paths (RFC 9000 17.4).
    // RFC 9000 17.4 #3
    pub spin: bool,
    /// Spread packets over the round trip instead of sending the whole window at once.
    pub pacing: bool,
    /// Upper bound of the pacing rate in bytes per second.
    pub max_pacing_rate: Option<u64>,
    /// Offer and accept a change between version 1 and 2 during the handshake (RFC 9368).
    pub compatible_versions: bool,
    /// Client: who starts anew after a Version Negotiation packet.
    pub restart: Restart,
    /// Let the peer ask for fewer acknowledgements, and ask it (draft-ietf-quic-ack-frequency).
    pub ack_frequency: bool,
    /// Server: announce a stateless reset token for the first connection id.
    pub stateless_reset: bool,
    /// Notifications to keep.
    pub events: EventMask,
    /// Derives the stateless reset tokens of this host's connection ids.
    pub reset_key: [u8; 32],
    /// Seals address validation tokens.
    pub token_key: [u8; 32],
}

impl Default for Config {
    fn default() -> Self {
        Self {
            version: 0,
            initial_rtt: INITIAL_RTT,
            congestion: Algorithm::default(),
            keep_alive: None,
            // PMTU_RAISE_TIMER of RFC 8899 5.1.1.
            pmtud: Some(Duration::from_secs(600)),
            nodelay: false,
            // 1500 bytes of Ethernet less an IPv6 and a UDP header.
            max_udp_payload: 1452,
            ecn: true,
            spin: true,
            pacing: true,
            max_pacing_rate: None,
            compatible_versions: true,
            restart: Restart::default(),
            ack_frequency: true,
            stateless_reset: false,
            events: EventMask::default(),
            reset_key: [0; 32],
            token_key: [0; 32],
        }
    }
}
