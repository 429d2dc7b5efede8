// SPDX-License-Identifier: GPL-2.0

//! The authentication of connection ids (RFC 9000 section 7.3): what was read from packets that
//! anyone could have forged is compared with what TLS has authenticated.

#![forbid(unsafe_code)]

use super::{
    parse::bad,
    TransportParams, //
};
use crate::common::{
    ConnectionId,
    Side,
    TransportError, //
};

/// The connection ids of the handshake as they were seen in packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeIds {
    /// Source Connection ID of the first Initial packet of the sender of the parameters.
    pub initial_source: ConnectionId,
    /// Destination Connection ID of the client's very first packet.
    pub original_destination: ConnectionId,
    /// Source Connection ID of the Retry packet, if there was one.
    pub retry_source: Option<ConnectionId>,
}

impl TransportParams {
    /// Compares the connection ids in the parameters of an endpoint on side `sender` with those
    /// of the packets.
    // RFC 9000 7.3 #1, RFC 9000 7.3 #2, RFC 9000 7.3 #3, RFC 9000 7.3 #4
    pub fn authenticate(&self, sender: Side, ids: &HandshakeIds) -> Result<(), TransportError> {
        if self.initial_source_connection_id != Some(ids.initial_source) {
            return Err(bad("initial_source_connection_id"));
        }
        if sender.is_client() {
            return Ok(());
        }
        if self.original_destination_connection_id != Some(ids.original_destination) {
            return Err(bad("original_destination_connection_id"));
        }
        if self.retry_source_connection_id != ids.retry_source {
            return Err(bad("retry_source_connection_id"));
        }
        Ok(())
    }
}
