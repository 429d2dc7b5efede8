// SPDX-License-Identifier: GPL-2.0

//! The secrets of TLS, and the steps of the handshake that they mean.
//!
//! TLS runs in user space. The core cannot know more of it than which secrets it was given: with
//! both application secrets the handshake is complete (uapi 8.13). Its messages: `conn/crypto.rs`.

#![forbid(unsafe_code)]

use super::{
    handshake::Early,
    Connection,
    State, //
};
use crate::{
    aead::{
        KeyError,
        Suite, //
    },
    common::{
        cx::Cx,
        error::{
            Error,
            TransportError, //
        },
        id::{
            Level,
            Side,
            Space, //
        },
    },
    crypto::keys::{
        self,
        RxKeys,
        TxKeys, //
    },
};

/// A traffic secret of TLS.
#[derive(Clone, Copy)]
pub struct Secret<'a> {
    /// For sending rather than receiving.
    pub send: bool,
    /// Its level; not Initial.
    pub level: Level,
    /// The cipher suite.
    pub suite: Suite,
    /// The secret, as long as the suite's hash.
    pub bytes: &'a [u8],
}

/// TLS alert missing_extension (RFC 8446 6).
const MISSING_EXTENSION: u8 = 109;

impl Connection {
    /// Installs a secret. Process context only: transforms are allocated.
    ///
    /// A secret of early data for the direction that the role does not have changes nothing:
    /// programs written for the C module give both.
    ///
    /// `Invalid` unless establishing, for level Initial, a wrong length or a suite that is not
    /// there; `NoMemory`; `Closed` if packets that waited for the secret have ended the connection.
    pub fn install_secret(&mut self, cx: &mut Cx<'_>, secret: Secret<'_>) -> Result<(), Error> {
        if self.state != State::Establishing || !self.takes_secret(&secret) {
            return Err(Error::Invalid);
        }
        let traffic = keys::Secret::new(secret.suite, secret.bytes).map_err(to_error)?;
        // RFC 9001 5.6 #5
        // RFC 9001 5.6 #6
        if secret.level == Level::Early && secret.send != (self.side == Side::Client) {
            return Ok(());
        }
        if !secret.send {
            self.check_leftovers(cx, secret.level);
        }
        let version = self.version_of(secret.level);
        match (secret.level, secret.send) {
            (Level::App, true) => {
                let installed = self.spaces.one_rtt.install_tx(version, traffic);
                installed.map_err(to_error)?;
                self.on_app_send_keys();
            }
            (Level::App, false) => {
                let installed = self.spaces.one_rtt.install_rx(version, &traffic);
                installed.map_err(to_error)?;
                self.forget_resumption();
            }
            (level, true) => {
                let keys = TxKeys::new(version, &traffic).map_err(to_error)?;
                self.spaces.get_mut(level.space()).keys.tx = Some(keys);
            }
            (level, false) => {
                let keys = RxKeys::new(version, &traffic).map_err(to_error)?;
                self.spaces.get_mut(level.space()).keys.rx = Some(keys);
            }
        }
        if secret.level == Level::Early {
            self.handshake.early = match self.side {
                Side::Client => Early::Offered,
                Side::Server => Early::Accepted,
            };
        }
        if self.spaces.one_rtt.has_tx() && self.spaces.one_rtt.has_rx() {
            self.establish(cx);
        }
        self.replay_early(cx);
        if self.state.is_open() {
            Ok(())
        } else {
            Err(Error::Closed)
        }
    }

    fn takes_secret(&self, secret: &Secret<'_>) -> bool {
        match secret.level {
            Level::Initial => false,
            Level::Handshake => !self.spaces.handshake.is_discarded,
            Level::Early | Level::App => true,
        }
    }

    /// Bytes of a lower level that TLS has not taken when it goes on to the next one.
    // RFC 9001 4.1.3 #3
    fn check_leftovers(&mut self, cx: &mut Cx<'_>, level: Level) {
        let lower = match level {
            Level::Handshake => Space::Initial,
            Level::App => Space::Handshake,
            Level::Initial | Level::Early => return,
        };
        let stream = self.spaces.crypto(lower);
        if stream.readable() > 0 || stream.has_gap() {
            let error = TransportError::protocol_violation("handshake bytes left at a lower level");
            self.fail(cx, error);
        }
    }

    /// 1-RTT packets can be sent: no 0-RTT packet any more.
    // RFC 9001 4.9.3 #1
    // RFC 9001 5.6 #8
    fn on_app_send_keys(&mut self) {
        if self.side == Side::Client {
            self.spaces.data.keys.tx = None;
        }
        self.streams.on_app_send_keys();
        self.events.wake_writable();
    }

    /// Both application secrets are there: the handshake is complete.
    fn establish(&mut self, cx: &mut Cx<'_>) {
        if self.state != State::Establishing {
            return;
        }
        // RFC 9001 8.2 #1
        if !self.handshake.has_peer_params {
            let error = TransportError::crypto(MISSING_EXTENSION, "no transport parameters");
            self.fail(cx, error);
            return;
        }
        self.state = State::Established;
        self.events.wake_state();
        self.events.wake_writable();
        self.local_ids
            .start(self.peer.active_connection_id_limit, cx.rng);
        if self.side == Side::Server {
            self.handshake.done.request();
            self.handshake.new_token.request();
            // The client needs 0-RTT keys for packets under way only.
            self.early_until = Some(cx.now.saturating_add(self.three_pto()));
            self.local_ids.drop_original();
            self.confirm_handshake(cx);
        } else if self.handshake.early.is_in_play() && self.handshake.early_end > 0 {
            let pto = self.recovery.pto_base(Space::Data);
            self.early_until = Some(cx.now.saturating_add(pto));
        }
    }

    /// RFC 9001 4.1.2: both sides know that the handshake is complete.
    // RFC 9001 4.9.2 #1
    pub(super) fn confirm_handshake(&mut self, cx: &mut Cx<'_>) {
        if self.handshake.is_confirmed || self.state != State::Established {
            return;
        }
        self.handshake.is_confirmed = true;
        self.recovery.on_handshake_confirmed();
        self.discard_space(cx, Space::Initial);
        self.discard_space(cx, Space::Handshake);
        self.start_mtu_search();
        if self.side == Side::Client {
            self.try_preferred_address();
        }
    }

    /// Throws away the keys of a space, and everything that was sent with them.
    pub(super) fn discard_space(&mut self, cx: &mut Cx<'_>, space: Space) {
        if self.spaces.get(space).is_discarded {
            return;
        }
        self.spaces.discard(space);
        self.recovery.discard(space, cx.now);
    }

    /// What follows from sending a packet of a level.
    pub(super) fn after_packet_sent(&mut self, cx: &mut Cx<'_>, level: Level) {
        // RFC 9001 4.9.1 #1
        // RFC 9001 4.9.1 #3
        if level == Level::Handshake && self.side == Side::Client {
            self.discard_space(cx, Space::Initial);
        }
    }
}

/// The local error for a key that could not be made.
fn to_error(error: KeyError) -> Error {
    match error {
        KeyError::NoMemory => Error::NoMemory,
        _ => Error::Invalid,
    }
}
