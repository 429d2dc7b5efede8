// SPDX-License-Identifier: GPL-2.0

//! Settings that change after the connection was made, until it is established.
//!
//! A program may connect first and choose afterwards: whatever a setting would have done from the
//! start, it does from now on.

#![forbid(unsafe_code)]

use super::{
    Config,
    Connection,
    State, //
};
use crate::{
    common::{
        error::Error,
        id::{
            Side,
            Version, //
        }, //
    },
    crypto::keys::initial_keys,
};

impl Connection {
    /// Takes over the user's settings from `config`: version and what is done when the server does
    /// not speak it, round-trip time to begin with, congestion control, MTU discovery, keep-alive,
    /// small pieces, versions and reset token announced. What belongs to the socket (sizes, keys,
    /// events) stays.
    ///
    /// What is announced with the transport parameters, the version of the first packet among it,
    /// takes effect until TLS has fetched them ([`Self::encode_params`]), a round-trip time until the
    /// first sample. `Invalid` once established, `NoMemory`; nothing is changed then.
    pub fn set_config(&mut self, config: &Config) -> Result<(), Error> {
        if self.state != State::Establishing {
            return Err(Error::Invalid);
        }
        if !self.handshake.is_fetched && !self.handshake.is_announced {
            self.set_announced(config)?;
        }
        self.config.pmtud = config.pmtud;
        self.recovery
            .reconfigure(config.congestion, config.initial_rtt);
        self.config.initial_rtt = config.initial_rtt;
        self.config.congestion = config.congestion;
        self.set_nodelay(config.nodelay);
        self.set_keep_alive(config.keep_alive);
        Ok(())
    }

    /// What the transport parameters tell the peer of.
    fn set_announced(&mut self, config: &Config) -> Result<(), Error> {
        if self.side == Side::Client {
            self.set_first_version(Version::wanted(config.version))?;
            self.set_restart(config.restart);
        }
        self.config.version = config.version;
        self.config.compatible_versions = config.compatible_versions;
        self.config.stateless_reset = config.stateless_reset;
        self.announce_ids();
        Ok(())
    }

    /// Another version for a client that has sent nothing: other Initial keys for the same id.
    fn set_first_version(&mut self, version: Version) -> Result<(), Error> {
        if version == self.version {
            return Ok(());
        }
        let dcid = self.handshake.key_dcid;
        self.spaces.initial.keys =
            initial_keys(version, &dcid, self.side).map_err(|_| Error::NoMemory)?;
        self.version = version;
        self.handshake.first_version = version;
        Ok(())
    }
}
