// SPDX-License-Identifier: GPL-2.0

//! Versions: Version Negotiation and Retry at the client, and compatible version negotiation
//! between version 1 and 2 at both sides (RFC 9000 6, 8.1.2; RFC 9368; RFC 9369).
//!
//! None of these packets is protected by more than what an observer of the first packet can make,
//! so each is believed once and only before anything better arrived.

#![forbid(unsafe_code)]

use super::{
    config::Restart,
    event::{
        CloseInfo,
        CloseKind, //
    },
    Connection,
    State, //
};
use crate::{
    common::{
        cx::Cx,
        error::ErrorCode,
        id::{
            ConnectionId,
            Level,
            Side,
            Space,
            Version, //
        },
    },
    crypto::{
        keys::{
            initial_keys,
            RxKeys, //
        },
        retry, //
    },
    packet::{
        Protected,
        Retry,
        VersionNegotiation, //
    },
};

/// Length of the client's first Destination Connection ID; RFC 9000 7.2 asks for at least 8.
pub(super) const FIRST_DCID: usize = 8;

/// Longest token of a Retry. It stands in every Initial packet, which has 1200 bytes: with a longer
/// one nothing could be sent any more. Servers use some hundred bytes.
const MAX_RETRY_TOKEN: usize = 1000;

impl Connection {
    /// A Version Negotiation packet at a client that has heard nothing yet. Returns whether it was
    /// meant for us.
    // RFC 9000 6.2 #1
    // RFC 9000 6.2 #2
    // RFC 9000 17.2.1 #1
    pub(super) fn handle_version_negotiation(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &VersionNegotiation<'_>,
    ) -> bool {
        let is_ours = self.local_ids.contains(packet.dcid)
            && packet.scid == self.handshake.original_dcid.as_slice();
        // RFC 9000 6.2 #3
        let is_contradiction = packet.versions().any(|version| version == self.version);
        let is_second = self.handshake.refused_version.is_some();
        if !is_ours || is_contradiction || is_second || self.handshake.retry_scid.is_some() {
            return false;
        }
        cx.stats.version_negotiation_in = cx.stats.version_negotiation_in.wrapping_add(1);
        let common = Version::SUPPORTED
            .into_iter()
            .find(|ours| packet.versions().any(|version| version == *ours));
        match common {
            Some(version) if self.is_owner_to_restart(version) => {
                self.version = version;
                self.give_up(cx, b"to be started anew in another version");
            }
            Some(version) => self.start_again(cx, version),
            None => self.give_up(cx, b""),
        }
        true
    }

    /// Ends an attempt that Version Negotiation has made hopeless.
    fn give_up(&mut self, cx: &mut Cx<'_>, reason: &[u8]) {
        let code = ErrorCode::VERSION_NEGOTIATION_ERROR.0;
        let info = CloseInfo::new(CloseKind::VersionNegotiation, code, 0, reason);
        self.finish(cx, info, State::Closed);
    }

    /// Whether an attempt in `version` is the owner's to begin, since the ClientHello that there is
    /// announces another one: a server has to refuse it (RFC 9368 4).
    fn is_owner_to_restart(&self, version: Version) -> bool {
        let announced = &self.local.version_information;
        let is_wrong = announced
            .as_ref()
            .is_some_and(|info| info.chosen != version);
        is_wrong && self.config.restart == Restart::Owner
    }

    /// Who starts anew if this attempt finds no server. If it is itself the second one it knows
    /// what the first one was told: the other version was refused, which the server's parameters
    /// must bear out, and there is no third attempt (RFC 9368 4).
    pub(super) fn set_restart(&mut self, restart: Restart) {
        self.config.restart = restart;
        let other = match self.version {
            Version::V1 => Version::V2,
            _ => Version::V1,
        };
        self.handshake.refused_version = (restart == Restart::Second).then_some(other);
    }

    /// The same handshake bytes in another version, as a new connection attempt.
    fn start_again(&mut self, cx: &mut Cx<'_>, version: Version) {
        self.handshake.refused_version = Some(self.version);
        // Keys of 0-RTT with the other labels are of no use, nor may a ticket of one version be
        // used in the other (RFC 9369 5).
        if (self.version == Version::V2) != (version == Version::V2) {
            self.reject_early(cx);
        }
        // Nor a token.
        self.handshake.token.clear();
        self.handshake.first_version = version;
        self.version = version;
        let dcid = ConnectionId::random(cx.rng, FIRST_DCID);
        self.handshake.original_dcid = dcid;
        self.restart_initial(cx, dcid);
    }

    /// A Retry at a client that has heard nothing yet. Returns whether it was valid.
    // RFC 9000 17.2.5.2 #1
    // RFC 9000 17.2.5.2 #2
    pub(super) fn handle_retry(&mut self, cx: &mut Cx<'_>, packet: &Retry<'_>) -> bool {
        let is_ours = self.local_ids.contains(packet.dcid.as_slice());
        let is_second = self.handshake.retry_scid.is_some();
        let original = self.handshake.original_dcid;
        let is_misplaced = packet.version != self.version || packet.scid == original;
        let is_too_long = packet.token.len() > MAX_RETRY_TOKEN;
        if !is_ours || is_second || is_misplaced || is_too_long {
            return false;
        }
        // RFC 9000 17.2.5.2 #3
        if !matches!(retry::is_authentic(packet, &original), Ok(true)) {
            return false;
        }
        let mut token = crate::mem::Vec::new();
        if token.try_extend_from_slice(packet.token).is_err() {
            return false;
        }
        cx.stats.retry_in = cx.stats.retry_in.wrapping_add(1);
        // RFC 9000 8.1.2 #1
        self.handshake.token = token;
        self.handshake.retry_scid = Some(packet.scid);
        self.restart_initial(cx, packet.scid);
        true
    }

    /// New Initial keys for a new destination, and everything sent so far once more.
    ///
    /// Packet numbers go on, as RFC 9000 17.2.5.3 demands.
    // RFC 9000 17.2.5.3 #1
    fn restart_initial(&mut self, cx: &mut Cx<'_>, dcid: ConnectionId) {
        self.handshake.key_dcid = dcid;
        self.remote_ids.replace_first(dcid);
        match initial_keys(self.version, &dcid, self.side) {
            Ok(keys) => self.spaces.initial.keys = keys,
            Err(_) => self.seal_failed = true,
        }
        for space in [Space::Initial, Space::Data] {
            self.send_again(cx, space);
        }
    }

    /// The version whose labels protect packets of a level, and which their long headers have.
    /// 0-RTT is of the client's first flight and stays in its version (RFC 9369 4.1).
    pub(super) fn version_of(&self, level: Level) -> Version {
        match level {
            Level::Early => self.handshake.first_version,
            Level::Initial | Level::Handshake | Level::App => self.version,
        }
    }

    /// Whether long headers of this version are taken from the peer now.
    // RFC 9000 5.2.1 #3
    pub(super) fn takes_version(&self, version: Version, level: Level) -> bool {
        if version == self.version_of(level) {
            return true;
        }
        let is_initial = level == Level::Initial && !self.spaces.initial.is_discarded;
        match self.side {
            // The client's packets of before it knew of the choice.
            Side::Server => version == self.handshake.first_version && is_initial,
            // The server may choose another compatible version, once.
            Side::Client => {
                is_initial
                    && version.is_supported()
                    && self.offers_other_versions()
                    && self.version == self.handshake.first_version
                    && !self.handshake.has_peer_params
            }
        }
    }

    /// Whether this client's transport parameters offer the other version.
    fn offers_other_versions(&self) -> bool {
        self.local.version_information.is_some()
    }

    /// The receive keys of a long-header packet.
    pub(super) fn keys_for(&mut self, header: &Protected) -> Option<&mut RxKeys> {
        let version = header.version?;
        let is_other = header.level == Level::Initial && version != self.version;
        if !is_other {
            return self.spaces.get_mut(header.level.space()).keys.rx.as_mut();
        }
        let is_there = matches!(&self.spaces.other_initial, Some((known, _)) if *known == version);
        if !is_there {
            let dcid = self.handshake.key_dcid;
            let keys = initial_keys(version, &dcid, self.side).ok()?;
            self.spaces.other_initial = Some((version, keys.rx?));
        }
        self.spaces.other_initial.as_mut().map(|(_, keys)| keys)
    }

    /// The client has received an authentic Initial packet of another version: the server chose.
    pub(super) fn follow_version(&mut self, version: Version) {
        if self.side == Side::Client && version != self.version {
            self.change_version(version);
        }
    }

    /// Uses another compatible version from now on. Initial packets of the first one are still
    /// understood by a server.
    pub(super) fn change_version(&mut self, version: Version) {
        let dcid = self.handshake.key_dcid;
        let Ok(keys) = initial_keys(version, &dcid, self.side) else {
            self.seal_failed = true;
            return;
        };
        let old = core::mem::replace(&mut self.spaces.initial.keys, keys);
        if self.side == Side::Server {
            self.spaces.other_initial = old.rx.map(|rx| (self.version, rx));
        } else {
            self.spaces.other_initial = None;
        }
        self.version = version;
    }
}
