// SPDX-License-Identifier: GPL-2.0

//! What the user chose, brought to the connection.

#![forbid(unsafe_code)]

use core::net::IpAddr;

use kernel::prelude::*;

use crate::{
    aead::{
        hmac,
        Hash, //
    },
    socket::State,
    uapi::TransportParam, //
};

/// Bytes of a key for session tickets.
const TICKET_KEY: usize = 64;

impl State {
    /// Tells the connection which events are wanted now.
    pub(crate) fn apply_events(&mut self) {}

    /// Tells the connection its configuration.
    pub(crate) fn apply_config(&mut self) {}

    /// Tells the connection its own parameters.
    pub(crate) fn apply_params(&mut self) {}

    /// Tells the connection what the peer announced in an earlier one.
    pub(crate) fn apply_remembered(&mut self, _params: &TransportParam) -> Result {
        Ok(())
    }

    /// The peer's parameters in terms of the user interface; zeroes before they are known.
    pub(crate) fn peer_params(&self) -> TransportParam {
        TransportParam {
            remote: 1,
            ..self.options.remembered.unwrap_or_default()
        }
    }

    /// Sends the client a fresh address validation token.
    pub(crate) fn issue_token(&mut self, _bytes: &[u8]) -> Result {
        Err(EINVAL)
    }

    /// The key of session tickets when the user set none: the same for all connections of a
    /// client's address to this listener.
    pub(crate) fn derived_ticket_key(&self) -> Result<KVec<u8>> {
        let mut key = KVec::from_elem(0, TICKET_KEY, GFP_KERNEL)?;
        let secret = &self.options.token_key;
        for (i, half) in key.chunks_mut(Hash::Sha256.len()).enumerate() {
            // CAST: 0 or 1.
            let label = [i as u8];
            match self.remote.map(|r| r.ip()) {
                Some(IpAddr::V4(ip)) => {
                    hmac(Hash::Sha256, secret, &[b"ticket", &label, &ip.octets()], half);
                }
                Some(IpAddr::V6(ip)) => {
                    hmac(Hash::Sha256, secret, &[b"ticket", &label, &ip.octets()], half);
                }
                None => return Err(EPIPE),
            }
        }
        Ok(key)
    }
}
