// SPDX-License-Identifier: GPL-2.0

//! Validation of paths (RFC 9000 8.2): answers, time-outs, and the connection ids that paths hold.

#![forbid(unsafe_code)]

use super::{
    event::Event,
    Connection, //
};
use crate::{
    common::{
        cx::Cx,
        error::TransportError,
        id::{
            Side,
            Space, //
        },
        time::Duration, //
    },
    path::{
        challenge::{
            Expiry,
            Verdict, //
        },
        Slot, //
    },
};

impl Connection {
    /// A PATH_RESPONSE arrived, over whatever path.
    pub(super) fn handle_path_response(
        &mut self,
        cx: &mut Cx<'_>,
        data: [u8; 8],
    ) -> Result<(), TransportError> {
        for slot in Slot::ALL {
            let Some(path) = self.paths.get_mut(slot) else {
                continue;
            };
            match path.challenge.on_response(data) {
                Verdict::Unknown => {}
                Verdict::AddressOnly => path.set_validated(),
                Verdict::Validated => {
                    path.set_validated();
                    cx.stats.path_validated = cx.stats.path_validated.wrapping_add(1);
                    return self.on_path_validated(cx, slot);
                }
            }
        }
        Ok(())
    }

    fn on_path_validated(&mut self, cx: &mut Cx<'_>, slot: Slot) -> Result<(), TransportError> {
        let Some(path) = self.paths.get(slot) else {
            return Ok(());
        };
        let (is_own, peer_uses, carrier) = (path.is_own, path.peer_uses, path.carrier);
        match slot {
            // The peer is where it seemed to be: nothing to go back to is needed any more.
            Slot::Active => {
                let previous = self.paths.take(Slot::Previous);
                self.release_id(previous.map(|path| path.dcid))?;
                // RFC 9000 9.3 #5
                if self.side == Side::Server {
                    self.handshake.new_token.request();
                }
            }
            // RFC 9000 9.6.1 #3
            Slot::Probe if is_own => self.move_to_probe()?,
            Slot::Probe if peer_uses => self.move_with_peer(cx, slot, carrier)?,
            // Both are good, and the peer has chosen.
            Slot::Previous if self.paths.active().is_validated() => {
                let previous = self.paths.take(slot);
                self.release_id(previous.map(|path| path.dcid))?;
            }
            Slot::Probe | Slot::Previous => {}
        }
        Ok(())
    }

    /// Looks after validations that take too long.
    pub(super) fn expire_paths(&mut self, cx: &mut Cx<'_>) -> Result<(), TransportError> {
        for slot in Slot::ALL {
            let Some(path) = self.paths.get_mut(slot) else {
                continue;
            };
            if path.challenge.on_timeout(cx.now) != Expiry::Failed {
                continue;
            }
            match slot {
                Slot::Active => self.on_active_failed()?,
                Slot::Probe | Slot::Previous => {
                    let failed = self.paths.take(slot);
                    self.release_id(failed.map(|path| path.dcid))?;
                }
            }
        }
        Ok(())
    }

    /// The path the peer seemed to move to does not answer.
    // RFC 9000 9.3.2 #1
    // RFC 9000 9.3.2 #2
    fn on_active_failed(&mut self) -> Result<(), TransportError> {
        if self.paths.active().is_validated() {
            return Ok(());
        }
        let before = self.active_path();
        match self.paths.revert() {
            Some(failed) => {
                self.release_id(Some(failed.dcid))?;
                self.on_active_changed(before);
                self.tell_moved(before.0);
            }
            None => self.vanish(),
        }
        Ok(())
    }

    /// Time to the second challenge, and until a path is given up: three times the larger of the
    /// present PTO and that of a path of which nothing is known.
    // RFC 9000 8.2.4 #2
    // RFC 9000 9.4 #4
    pub(super) fn challenge_times(&self) -> (Duration, Duration) {
        let unknown = self.config.initial_rtt.saturating_mul(3);
        let pto = self.recovery.pto_base(Space::Data);
        (pto, pto.max(unknown).saturating_mul(3))
    }

    /// Retires an id that no path uses any more.
    // RFC 9000 5.1.2 #1
    pub(super) fn release_id(&mut self, dcid: Option<u64>) -> Result<(), TransportError> {
        match dcid {
            Some(seq) if self.paths.iter().all(|path| path.dcid != seq) => {
                self.remote_ids.retire(seq)?;
                self.tell_retired();
            }
            _ => {}
        }
        Ok(())
    }

    /// The peer wants ids back that paths still use: gives each of these paths another one.
    // RFC 9000 5.1.2 #4
    pub(super) fn replace_retired_ids(&mut self) -> Result<(), TransportError> {
        for slot in Slot::ALL {
            let Some(path) = self.paths.get(slot) else {
                continue;
            };
            if self.remote_ids.get(path.dcid).is_some() {
                continue;
            }
            let remote = path.addr.remote;
            match self.remote_ids.take_unused() {
                Some(seq) => {
                    self.remote_ids.on_used(seq, remote)?;
                    if let Some(path) = self.paths.get_mut(slot) {
                        path.dcid = seq;
                        path.spin.on_id_changed();
                    }
                }
                None if slot != Slot::Active => {
                    self.paths.take(slot);
                }
                // The frame that retires brings at least one new id, unless the peer breaks the
                // rules or ids are lost on the way; nothing can be sent until there is one.
                None => {}
            }
        }
        Ok(())
    }

    /// An id of the peer's was given back, whoever wanted that.
    pub(super) fn tell_retired(&mut self) {
        let (active, prior_to) = self.cid_info(true);
        self.events.push(Event::ConnectionId {
            dest: true,
            active,
            prior_to,
        });
    }
}
