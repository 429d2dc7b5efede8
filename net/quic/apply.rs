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
    attached::Attached,
    common::id::Version,
    conn::State as ConnState,
    errno::errno,
    settings,
    socket::{
        Role,
        State, //
    },
    uapi::TransportParam, //
};

/// Bytes of a key for session tickets.
const TICKET_KEY: usize = 64;

impl State {
    /// The connection, if there is one.
    pub(crate) fn attached(&mut self) -> Option<&mut Attached> {
        match &mut self.role {
            Role::Connection(at) => Some(at),
            _ => None,
        }
    }

    /// Tells the connection which events are wanted now.
    pub(crate) fn apply_events(&mut self) {
        let mask = settings::events(self.options.events);
        if let Some(at) = self.attached() {
            at.core.events().set_mask(mask);
        }
    }

    /// The connection, while it is being established: the time in which the user may change what
    /// it was made with.
    fn establishing(&mut self) -> Option<&mut Attached> {
        self.attached()
            .filter(|at| at.core.state() == ConnState::Establishing)
    }

    /// Tells the connection its configuration.
    pub(crate) fn apply_config(&mut self) -> Result {
        let config = settings::chosen(&self.options);
        match self.establishing() {
            Some(at) => at.core.set_config(&config).map_err(errno),
            // Kept for the socket's next use, if there is one.
            None => Ok(()),
        }
    }

    /// Tells the connection its own parameters, and the settings that are made with them.
    pub(crate) fn apply_params(&mut self) -> Result {
        self.apply_config()?;
        let params = settings::params(&self.options);
        match self.establishing() {
            Some(at) => at.core.set_local_params(&params).map_err(errno),
            None => Ok(()),
        }
    }

    /// Tells the connection what the peer announced in an earlier one.
    pub(crate) fn apply_remembered(&mut self, params: &TransportParam) -> Result {
        let params = settings::from_user(params);
        let at = self.attached().ok_or(EINVAL)?;
        at.core.set_remembered_params(&params).map_err(errno)
    }

    /// The peer's parameters in terms of the user interface.
    pub(crate) fn peer_params(&mut self) -> TransportParam {
        let known = self
            .attached()
            .map(|at| settings::to_user(at.core.peer_params()));
        TransportParam {
            remote: 1,
            ..known.unwrap_or_default()
        }
    }

    /// Gives a client's connection the token to begin with.
    pub(crate) fn apply_token(&mut self) {
        let token = core::mem::take(&mut self.options.token);
        if let Some(at) = self.attached() {
            // Too late for this connection; it is kept for the next one.
            let _ = at.core.set_token(&token);
        }
        self.options.token = token;
    }

    /// Sends the client a fresh address validation token. What the user gives is not part of it.
    pub(crate) fn issue_token(&mut self, _bytes: &[u8]) -> Result {
        let at = self.attached().ok_or(EINVAL)?;
        at.call(|core, cx| core.issue_token(cx)).map_err(errno)
    }

    /// The key that protects session tickets: what the user has set, or one that is the same for all
    /// connections of a client's address to this listener. Each QUIC version has its own, so that no
    /// ticket serves in another one than it was given in; after compatible version negotiation that
    /// is the negotiated one (RFC 9369 5). Version 1 has the user's key itself.
    pub(crate) fn ticket_key(&mut self) -> Result<KVec<u8>> {
        let version = self.attached().map(|at| at.core.version()).ok_or(EPIPE)?;
        let set = &self.options.ticket;
        if set.is_empty() {
            let ip = self.remote.map(|r| r.ip()).ok_or(EPIPE)?;
            let key = KVec::from_elem(0, TICKET_KEY, GFP_KERNEL)?;
            return Ok(match ip {
                IpAddr::V4(ip) => derive(key, &self.options.token_key, version, &ip.octets()),
                IpAddr::V6(ip) => derive(key, &self.options.token_key, version, &ip.octets()),
            });
        }
        let mut key = KVec::with_capacity(set.len(), GFP_KERNEL)?;
        key.extend_from_slice(set, GFP_KERNEL)?;
        if version == Version::V1.0 {
            return Ok(key);
        }
        Ok(derive(key, set, version, &[]))
    }
}

/// Fills a ticket key.
fn derive(mut key: KVec<u8>, secret: &[u8], version: u32, ip: &[u8]) -> KVec<u8> {
    let version = version.to_be_bytes();
    for (i, block) in key.chunks_mut(Hash::Sha256.len()).enumerate() {
        // CAST: a key has at most 4096 bytes, and so 128 blocks.
        let label = [i as u8];
        hmac(
            Hash::Sha256,
            secret,
            &[b"ticket", &label, &version, ip],
            block,
        );
    }
    key
}
