// SPDX-License-Identifier: GPL-2.0

//! The user's view of connection ids (uapi 8.4), and address validation tokens (uapi 8.10).

#![forbid(unsafe_code)]

use super::{
    event::Event,
    Connection,
    State, //
};
use crate::{
    common::{
        cx::Cx,
        error::{
            Error,
            TransportError, //
        },
        id::{
            ConnectionId,
            Side, //
        },
        token::Token, //
    },
    frame::Frame,
    mem::Vec,
    packet::{
        token::{
            Claims,
            TokenKey,
            TokenKind,
            MAX_TOKEN_LEN, //
        },
        PacketBuilder, //
    },
};

/// Longest token a client keeps. Tokens of known servers have 50 to 200 bytes; one longer than
/// this would not leave room for a ClientHello in the Initial packet it is for.
const MAX_KEPT_TOKEN: usize = 512;

impl Connection {
    /// Sequence number in use and the smallest one still issued, of the peer's ids (`dest`) or of
    /// this side's.
    pub fn cid_info(&self, dest: bool) -> (u64, u64) {
        if dest {
            (self.paths.active().dcid, self.remote_ids.bounds().0)
        } else {
            self.local_ids.info()
        }
    }

    /// Changes the id in use to number `active` and gives up those below `prior_to`; zero leaves
    /// either as it is (uapi 8.4).
    ///
    /// `Invalid` unless established and both numbers are in range, `Busy` for the peer's ids while
    /// a path is being tried. On failure nothing has changed.
    pub fn set_cids(
        &mut self,
        cx: &mut Cx<'_>,
        dest: bool,
        active: u64,
        prior_to: u64,
    ) -> Result<(), Error> {
        if self.state != State::Established {
            return Err(Error::Invalid);
        }
        if dest {
            self.set_remote_ids(active, prior_to)
        } else {
            self.set_local_ids(cx, active, prior_to)
        }
    }

    fn set_local_ids(&mut self, cx: &mut Cx<'_>, active: u64, prior_to: u64) -> Result<(), Error> {
        let (current, first) = self.local_ids.info();
        let last = self.local_ids.last();
        if prior_to != 0 && (prior_to <= first || prior_to > last) {
            return Err(Error::Invalid);
        }
        if active != 0 && (active <= current || !self.local_ids.has(active)) {
            return Err(Error::Invalid);
        }
        // RFC 9000 5.1.2 #8
        if prior_to != 0 && !self.local_ids.retire_prior_to(prior_to, cx.rng) {
            return Err(Error::WouldBlock);
        }
        if active != 0 {
            self.local_ids.on_used(active);
        }
        Ok(())
    }

    fn set_remote_ids(&mut self, active: u64, prior_to: u64) -> Result<(), Error> {
        if self.paths.get(crate::path::Slot::Probe).is_some() {
            return Err(Error::WouldBlock);
        }
        let (first, last) = self.remote_ids.bounds();
        let current = self.paths.active().dcid;
        if prior_to != 0 && (prior_to <= first || prior_to > last) {
            return Err(Error::Invalid);
        }
        if active != 0 && (active <= current || self.remote_ids.get(active).is_none()) {
            return Err(Error::Invalid);
        }
        self.remote_ids.prepare_retirement(prior_to)?;
        let next = active.max(current).max(prior_to);
        if next != current {
            let seq = self.remote_ids.at_least(next).ok_or(Error::Invalid)?;
            self.use_remote_id(seq)?;
        }
        if prior_to != 0 {
            let retired = self.remote_ids.retire_prior(prior_to);
            // The path that the peer has left, to which it may return, needs an id as well.
            retired
                .and_then(|()| self.replace_retired_ids())
                .map_err(|_| Error::NoMemory)?;
            self.tell_retired();
        }
        Ok(())
    }

    /// Sends to another id on the active path from now on.
    fn use_remote_id(&mut self, seq: u64) -> Result<(), Error> {
        let path = self.paths.active_mut();
        self.remote_ids.take(seq);
        self.remote_ids
            .on_used(seq, path.addr.remote)
            .map_err(|_| Error::NoMemory)?;
        path.dcid = seq;
        path.spin.on_id_changed();
        Ok(())
    }

    /// The client's token for a later connection: the newest received, or the one given. Empty if
    /// there is none.
    pub fn token(&self) -> &[u8] {
        self.token.as_slice()
    }

    /// Gives the client a token for this connection. `Invalid` once the first packet was sent.
    pub fn set_token(&mut self, token: &[u8]) -> Result<(), Error> {
        if self.side == Side::Server || self.has_sent {
            return Err(Error::Invalid);
        }
        let mut kept = Vec::new();
        kept.try_extend_from_slice(token)?;
        let mut sent = Vec::new();
        sent.try_extend_from_slice(token)?;
        self.token = kept;
        self.handshake.token = sent;
        Ok(())
    }

    /// The token given has served.
    pub(super) fn forget_token(&mut self) {
        self.token = Vec::new();
    }

    /// Sends the client another token. `Invalid` unless this is an established server,
    /// `WouldBlock` while one is under way.
    pub fn issue_token(&mut self, _cx: &mut Cx<'_>) -> Result<(), Error> {
        if self.side == Side::Client || self.state != State::Established {
            return Err(Error::Invalid);
        }
        if self.handshake.new_token.is_under_way() {
            return Err(Error::WouldBlock);
        }
        self.handshake.new_token.request();
        Ok(())
    }

    /// NEW_TOKEN: made anew for every packet, since it names the time and the client's address.
    // RFC 9000 8.1.3 #6
    // RFC 9000 8.1.3 #7
    // RFC 9000 8.1.4 #4
    pub(super) fn write_new_token(&mut self, cx: &mut Cx<'_>, builder: &mut PacketBuilder<'_>) {
        if !self.handshake.new_token.is_pending() {
            return;
        }
        let claims = Claims {
            kind: TokenKind::NewToken,
            version: self.version,
            issued: cx.now,
            original_dcid: ConnectionId::EMPTY,
            retry_scid: ConnectionId::EMPTY,
        };
        let mut bytes = [0u8; MAX_TOKEN_LEN];
        let key = TokenKey::new(self.config.token_key);
        let remote = self.paths.active().addr.remote;
        let Ok(len) = key.seal(&claims, remote, cx.rng, &mut bytes) else {
            return;
        };
        let token = bytes.get(..len).unwrap_or_default();
        if builder.write_frame(&Frame::NewToken { token }, Some(Token::NewToken)) {
            self.handshake.new_token.on_sent();
        }
    }

    /// NEW_TOKEN arrived. Only the newest token is kept, so a flood of them costs nothing.
    pub(super) fn handle_new_token(&mut self, token: &[u8]) -> Result<(), TransportError> {
        // RFC 9000 19.7 #3
        if self.side == Side::Server {
            return Err(TransportError::protocol_violation(
                "NEW_TOKEN from a client",
            ));
        }
        // RFC 9000 19.7 #2: the same token may come again after a loss.
        if token.len() > MAX_KEPT_TOKEN || token == self.token.as_slice() {
            return Ok(());
        }
        let mut kept = Vec::new();
        kept.try_extend_from_slice(token)?;
        if self.events.wants(8) {
            let mut told = Vec::new();
            told.try_extend_from_slice(token)?;
            self.events.push(Event::NewToken(told));
        }
        self.token = kept;
        Ok(())
    }
}
