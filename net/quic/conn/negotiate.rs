// SPDX-License-Identifier: GPL-2.0

//! Transport parameters: this side's to be announced, the peer's to be checked and put in force
//! (RFC 9000 7.3, 7.4; RFC 9368 4).

#![forbid(unsafe_code)]

use core::net::{
    Ipv4Addr,
    Ipv6Addr,
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6, //
};

use super::{
    Connection,
    State, //
};
use crate::{
    common::{
        cursor::Writer,
        cx::Cx,
        error::{
            Error,
            TransportError, //
        },
        id::{
            Level,
            Side,
            Version, //
        },
        time::Duration, //
    },
    params::{
        HandshakeIds,
        PreferredAddress,
        TransportParams,
        VersionInformation, //
    },
    recovery::freq::AckFrequency,
};

/// The shortest delay of acknowledgements that a peer may ask for: the granularity of timers.
const MIN_ACK_DELAY: Duration = Duration::from_millis(1);

impl Connection {
    /// What this side announces.
    pub fn local_params(&self) -> &TransportParams {
        &self.local
    }

    /// What the peer has announced; defaults, or remembered values, before it has.
    pub fn peer_params(&self) -> &TransportParams {
        &self.peer
    }

    /// Replaces what this side announces. Connection ids, versions, the preferred address and the
    /// reserved parameter are the connection's own and stay. Changes nothing once a message of TLS
    /// has told the peer, who must find what it was told. `Invalid` once established.
    pub fn set_local_params(&mut self, params: &TransportParams) -> Result<(), Error> {
        if self.state != State::Establishing {
            return Err(Error::Invalid);
        }
        if self.handshake.is_announced {
            return Ok(());
        }
        let (preferred, grease) = (self.local.preferred_address, self.local.grease);
        *self.local = params.clone();
        self.local.preferred_address = preferred;
        self.local.grease = grease;
        self.announce_ids();
        self.streams.set_local_params(params);
        self.spaces.set_max_ack_delay(params.max_ack_delay);
        self.remote_ids.set_limit(params.active_connection_id_limit);
        self.idle
            .negotiate(params.max_idle_timeout, self.peer.max_idle_timeout);
        Ok(())
    }

    /// Writes this side's parameters as TLS carries them; returns the length. Where not all of them
    /// fit, extensions that the C module does not have are given up: some programs written for it
    /// have room for its own parameters and no more. `Invalid` if `out` is too small for those too,
    /// or for what the peer has been told already.
    pub fn encode_params(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let mut writer = Writer::new(out);
        if self.local.encode(self.side, &mut writer).is_err() {
            if self.handshake.is_announced {
                return Err(Error::Invalid);
            }
            let local = &mut *self.local;
            let delay = local.min_ack_delay.take();
            let grease = local.grease.take();
            let reset_at = core::mem::take(&mut local.reset_stream_at);
            if local.encode(self.side, &mut writer).is_err() {
                local.min_ack_delay = delay;
                local.grease = grease;
                local.reset_stream_at = reset_at;
                return Err(Error::Invalid);
            }
        }
        self.handshake.is_fetched = true;
        Ok(writer.position())
    }

    /// The server's preferred address (RFC 9000 9.6); one for each family. `Invalid` unless this
    /// is a server that is establishing and the client may migrate.
    pub fn set_preferred_address(
        &mut self,
        cx: &mut Cx<'_>,
        addr: SocketAddr,
    ) -> Result<(), Error> {
        let may = self.side == Side::Server && self.state == State::Establishing;
        if !may || self.local.disable_active_migration || addr.port() == 0 {
            return Err(Error::Invalid);
        }
        if self.local.preferred_address.is_none() {
            let (cid, token) = self.local_ids.preferred(cx.rng).ok_or(Error::Invalid)?;
            self.local.preferred_address = Some(PreferredAddress {
                v4: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
                v6: SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0),
                connection_id: cid,
                stateless_reset_token: token,
            });
        }
        if let Some(preferred) = &mut self.local.preferred_address {
            match addr {
                SocketAddr::V4(addr) => preferred.v4 = addr,
                SocketAddr::V6(addr) => preferred.v6 = addr,
            }
        }
        Ok(())
    }

    /// TLS hands out a message of `level`: the ClientHello and the EncryptedExtensions have this
    /// side's parameters in them (RFC 9001 8.2).
    pub(super) fn note_announced(&mut self, level: Level) {
        let carries = match self.side {
            Side::Client => Level::Initial,
            Side::Server => Level::Handshake,
        };
        self.handshake.is_announced |= level == carries;
    }

    /// Fills in what only the connection knows of its own parameters, unless they are announced.
    // RFC 9000 7.3 #1
    pub(super) fn announce_ids(&mut self) {
        if self.handshake.is_announced {
            return;
        }
        let is_server = self.side == Side::Server;
        self.local.initial_source_connection_id = Some(self.local_ids.first());
        self.local.original_destination_connection_id =
            is_server.then_some(self.handshake.original_dcid);
        self.local.retry_source_connection_id = self.handshake.retry_scid.filter(|_| is_server);
        let has_token = is_server && self.config.stateless_reset;
        self.local.stateless_reset_token = has_token.then(|| self.local_ids.first_token());
        let may_wait = self.config.ack_frequency && self.local.max_ack_delay >= MIN_ACK_DELAY;
        self.local.min_ack_delay = may_wait.then_some(MIN_ACK_DELAY);
        self.local.version_information =
            self.config.compatible_versions.then(|| self.own_versions());
    }

    /// RFC 9368 3: of a client, the versions in the order it likes them.
    fn own_versions(&self) -> VersionInformation {
        let chosen = if self.version.is_supported() {
            self.version
        } else {
            Version::V1
        };
        match (self.side, chosen) {
            (Side::Client, Version::V2) => {
                VersionInformation::new(chosen, &[Version::V2, Version::V1])
            }
            _ => VersionInformation::new(chosen, &Version::SUPPORTED),
        }
    }

    /// The client's memory of an earlier connection, for 0-RTT. `Invalid` unless this is a client
    /// that is establishing and has no parameters of the server yet.
    // RFC 9000 7.4.1 #2
    // RFC 9000 7.4.1 #4
    pub fn set_remembered_params(&mut self, params: &TransportParams) -> Result<(), Error> {
        let may = self.side == Side::Client && self.state == State::Establishing;
        if !may || self.handshake.has_peer_params {
            return Err(Error::Invalid);
        }
        *self.peer = params.remembered();
        self.streams.set_remembered_params(&self.peer);
        self.events.wake_writable();
        Ok(())
    }

    /// Takes the peer's parameters as TLS brought them.
    ///
    /// `Invalid` unless establishing, if they were there already, or if they are wrong; in the last
    /// case the connection is closing with the error that the RFCs name.
    pub fn set_peer_params(&mut self, cx: &mut Cx<'_>, bytes: &[u8]) -> Result<(), Error> {
        if self.state != State::Establishing || self.handshake.has_peer_params {
            return Err(Error::Invalid);
        }
        let result = TransportParams::parse(bytes, self.side.peer())
            .and_then(|params| self.apply_peer_params(cx, params));
        result.map_err(|error| {
            self.fail(cx, error);
            Error::Invalid
        })
    }

    fn apply_peer_params(
        &mut self,
        cx: &mut Cx<'_>,
        params: TransportParams,
    ) -> Result<(), TransportError> {
        // RFC 9000 7.3 #2
        let ids = HandshakeIds {
            initial_source: self.handshake.peer_scid.unwrap_or(self.peer_id()),
            original_destination: self.handshake.original_dcid,
            retry_source: self.handshake.retry_scid,
        };
        params.authenticate(self.side.peer(), &ids)?;
        match self.side {
            Side::Client => self.check_server_versions(&params)?,
            Side::Server => self.choose_version(&params)?,
        }
        self.decide_early(cx, params.check_not_reduced(&self.peer))?;
        // RFC 9000 7.4.1 #3
        self.recovery
            .set_peer_ack_params(params.ack_delay_exponent, params.max_ack_delay);
        self.idle
            .negotiate(self.local.max_idle_timeout, params.max_idle_timeout);
        self.streams.set_peer_params(&params);
        if let Some(token) = params.stateless_reset_token {
            self.remote_ids.set_first_token(token);
        }
        if let Some(preferred) = &params.preferred_address {
            let id = preferred.connection_id;
            self.remote_ids
                .on_new(1, 0, id, preferred.stateless_reset_token)?;
        }
        self.spaces.frequency = params
            .min_ack_delay
            .filter(|_| self.config.ack_frequency)
            .map(|least| AckFrequency::new(least, params.max_ack_delay));
        *self.peer = params;
        self.handshake.has_peer_params = true;
        self.start_mtu_search();
        self.events.wake_writable();
        Ok(())
    }

    /// The peer's id of sequence number 0.
    fn peer_id(&self) -> crate::common::id::ConnectionId {
        let active = self.paths.active().dcid;
        self.remote_ids
            .get(active)
            .unwrap_or(self.handshake.key_dcid)
    }

    /// RFC 9368 4 at the client: nobody has talked us into another version.
    fn check_server_versions(&self, params: &TransportParams) -> Result<(), TransportError> {
        let only_v1 = VersionInformation::new(Version::V1, &[Version::V1]);
        let error = TransportError::version_negotiation("version downgrade");
        let Some(refused) = self.handshake.refused_version else {
            return match &params.version_information {
                Some(info) if info.chosen != self.version => Err(error),
                None if self.version != self.handshake.first_version => Err(error),
                _ => Ok(()),
            };
        };
        // RFC 9368 8: version 1 without the parameter is taken as if it were there.
        let info = match params.version_information {
            Some(info) => info,
            None if self.version == Version::V1 => only_v1,
            None => return Err(error),
        };
        let would_choose = Version::SUPPORTED
            .into_iter()
            .find(|ours| info.available().contains(ours));
        let is_forged = info.available().contains(&refused)
            || would_choose != Some(self.handshake.first_version);
        if info.chosen != self.version || is_forged {
            return Err(error);
        }
        Ok(())
    }

    /// RFC 9368 4 at the server, and the choice of another compatible version (RFC 9369 4).
    fn choose_version(&mut self, params: &TransportParams) -> Result<(), TransportError> {
        let Some(info) = &params.version_information else {
            return Ok(());
        };
        if info.chosen != self.handshake.first_version {
            return Err(TransportError::version_negotiation(
                "chosen version is not the one in use",
            ));
        }
        let wanted = Version(self.config.version);
        let is_offered = info.available().contains(&wanted);
        let may_change = self.config.compatible_versions
            && wanted.is_supported()
            && !self.spaces.has_send_keys(Level::Handshake);
        if wanted != self.version && is_offered && may_change {
            self.change_version(wanted);
            self.announce_ids();
        }
        Ok(())
    }
}
