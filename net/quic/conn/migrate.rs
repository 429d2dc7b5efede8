// SPDX-License-Identifier: GPL-2.0

//! Paths that come and go: validation, migration by either side, NAT rebinding and the server's
//! preferred address (RFC 9000 8.2, 9).
//!
//! The peer's packets decide where it is; this side answers there at once, within the
//! anti-amplification limit, and goes back to the last validated path if the new one does not
//! answer. A migration of this side's own, or to a preferred address, is tried first and made
//! only when the path has proved itself.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use super::{
    event::Event,
    spaces::Arrived,
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
        id::Side, //
    },
    path::{
        PathAddr,
        Slot, //
    },
};

impl Connection {
    /// Moves this side to another local address, once the new path is validated.
    ///
    /// Fails with `NotConnected` before the handshake is confirmed, `Invalid` for the present
    /// address, another family, or a peer that forbids it, `Busy` while a path is being tried,
    /// the peer's address is not validated, or the peer has given no unused connection id.
    pub fn migrate(&mut self, _cx: &mut Cx<'_>, local: SocketAddr) -> Result<(), Error> {
        self.may_migrate(local)?;
        let addr = PathAddr {
            local,
            remote: self.paths.active().addr.remote,
        };
        self.probe_path(addr, None)
    }

    /// Whether [`Self::migrate`] would fail, and how, for all that is known before an id is taken.
    pub fn may_migrate(&self, local: SocketAddr) -> Result<(), Error> {
        // RFC 9000 9 #1
        if self.state != State::Established || !self.handshake.is_confirmed {
            return Err(Error::NotConnected);
        }
        let present = self.paths.active().addr;
        let is_same_family = local.is_ipv4() == present.local.is_ipv4();
        // RFC 9000 9 #2
        let is_forbidden = self.peer.disable_active_migration && !self.handshake.used_preferred;
        if local == present.local || !is_same_family || is_forbidden {
            return Err(Error::Invalid);
        }
        // RFC 9000 9.5 #5
        if self.remote_ids.is_zero_length() {
            return Err(Error::Invalid);
        }
        // RFC 9000 8 #1: where the peer only seems to be, it is not probed from another address.
        if !self.paths.active().is_validated() || self.paths.get(Slot::Probe).is_some() {
            return Err(Error::Busy);
        }
        Ok(())
    }

    /// Starts to try a path, with the id `dcid` or any unused one.
    // RFC 9000 9.5 #2
    // RFC 9000 9.5 #3
    fn probe_path(&mut self, addr: PathAddr, dcid: Option<u64>) -> Result<(), Error> {
        if self.paths.get(Slot::Probe).is_some() {
            return Err(Error::Busy);
        }
        let dcid = match dcid {
            Some(seq) if self.remote_ids.take(seq) => seq,
            _ => self.remote_ids.take_unused().ok_or(Error::Busy)?,
        };
        self.remote_ids
            .on_used(dcid, addr.remote)
            .map_err(|_| Error::NoMemory)?;
        let max_datagram = self.max_datagram();
        self.paths.set_probe(addr, dcid, max_datagram);
        self.forget_paths();
        if let Some(path) = self.paths.get_mut(Slot::Probe) {
            // This side chose the address; nobody can make it an amplifier.
            path.is_own = true;
            path.set_validated();
            path.challenge.start();
        }
        Ok(())
    }

    /// The client tries the server's preferred address once the handshake is confirmed.
    // RFC 9000 9.6.1 #2
    // RFC 9000 9.6.2 #1
    pub(super) fn try_preferred_address(&mut self) {
        let Some(preferred) = self.peer.preferred_address.as_ref() else {
            return;
        };
        let present = self.paths.active().addr;
        // RFC 9000 9.6.3 #6
        let remote = if present.local.is_ipv4() {
            SocketAddr::V4(preferred.v4)
        } else {
            SocketAddr::V6(preferred.v6)
        };
        if remote.port() != 0 && remote != present.remote {
            let addr = PathAddr {
                local: present.local,
                remote,
            };
            // Without a free path or id the original address serves as well.
            let _ = self.probe_path(addr, Some(1));
        }
    }

    /// The slot of the path a datagram came in on, as far as it is known without opening it.
    ///
    /// A client knows its server by the server's address alone: which of its own addresses a
    /// packet came to is no news to it.
    pub(super) fn slot_of(&self, addr: PathAddr) -> Option<Slot> {
        self.paths.find(addr).or_else(|| {
            let is_known = |slot: &Slot| {
                self.paths
                    .get(*slot)
                    .is_some_and(|path| path.addr.remote == addr.remote)
            };
            match self.side {
                Side::Client => Slot::ALL.into_iter().find(is_known),
                Side::Server => None,
            }
        })
    }

    /// The slot that the path of a packet has now: a frame at its beginning may have made the path
    /// the one in use, or another one, or may have been the end of it.
    pub(super) fn present_slot(&self, packet: &Arrived) -> Option<Slot> {
        self.paths.find(packet.path?)
    }

    /// Whether a datagram from an address not seen before may be looked at.
    // RFC 9000 9 #7
    // RFC 9000 9.6.1 #3
    pub(super) fn may_come_from_anywhere(&self) -> bool {
        self.side == Side::Server && self.handshake.is_confirmed
    }

    /// A 1-RTT packet that was authenticated came over a path not known: makes one of it, unless
    /// this side is busy trying a path of its own choice, has no connection id left for it, or has
    /// asked too often without an answer.
    pub(super) fn adopt_path(
        &mut self,
        addr: PathAddr,
        carrier: Option<u64>,
        bytes: usize,
    ) -> Result<Option<Slot>, TransportError> {
        let is_busy = self.paths.get(Slot::Probe).is_some_and(|path| path.is_own);
        if is_busy || !self.paths.may_follow() {
            return Ok(None);
        }
        let Some(dcid) = self.id_for_peers_path(carrier) else {
            return Ok(None);
        };
        self.remote_ids.on_used(dcid, addr.remote)?;
        let max_datagram = self.max_datagram();
        let evicted = self.paths.set_probe(addr, dcid, max_datagram);
        self.forget_paths();
        if let Some(path) = self.paths.get_mut(Slot::Probe) {
            path.on_received(bytes);
            // RFC 9000 9.6.3 #5
            path.challenge.start();
        }
        self.release_id(evicted.map(|path| path.dcid))?;
        Ok(Some(Slot::Probe))
    }

    /// A peer that changed its connection id with its address gets a new one; one whose address
    /// was changed under way by a NAT keeps the one in use.
    // RFC 9000 9.5 #3
    fn id_for_peers_path(&mut self, carrier: Option<u64>) -> Option<u64> {
        let is_rebound = carrier.is_some() && carrier == self.active_carrier;
        let fresh = if is_rebound {
            None
        } else {
            self.remote_ids.take_unused()
        };
        fresh.or_else(|| is_rebound.then_some(self.paths.active().dcid))
    }

    /// A packet with frames other than probing ones arrived on `slot` and is the newest: the peer
    /// is there now.
    // RFC 9000 9.3 #1
    // RFC 9000 9.3 #2
    pub(super) fn follow_peer(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Arrived,
    ) -> Result<(), TransportError> {
        // RFC 9000 9.5 #3: where no path was made of its address, or none is left, the peer is not
        // followed, and the id it sends to there is no sign of a NAT.
        let Some(slot) = self.present_slot(packet) else {
            return Ok(());
        };
        if slot == Slot::Active {
            self.active_carrier = packet.carrier;
            return Ok(());
        }
        // The packet itself has proved another path, and the peer is there.
        if self.side == Side::Client || packet.slot == Some(Slot::Active) {
            return Ok(());
        }
        let local = self.paths.active().addr.local;
        if let Some(path) = self.paths.get_mut(slot) {
            // RFC 9000 9.6.2 #2
            // RFC 9000 9.6.2 #3
            if path.addr.local != local && !path.is_validated() {
                path.peer_uses = true;
                path.carrier = packet.carrier;
                path.challenge.start();
                return Ok(());
            }
        }
        self.move_with_peer(cx, slot, packet.carrier)
    }

    /// The server uses the path of a slot from now on, as its client does. `carrier` is the own id
    /// that the client sends to there.
    pub(super) fn move_with_peer(
        &mut self,
        cx: &mut Cx<'_>,
        slot: Slot,
        carrier: Option<u64>,
    ) -> Result<(), TransportError> {
        self.active_carrier = carrier;
        cx.stats.migration_in = cx.stats.migration_in.wrapping_add(1);
        let before = self.active_path();
        let dropped = self.paths.promote(slot);
        let dropped = dropped.map(|path| path.dcid);
        self.release_id(dropped)?;
        self.on_active_changed(before);
        let active = self.paths.active_mut();
        self.handshake.followed_preferred |= active.addr.local != before.0.local;
        // RFC 9000 9 #4
        if active.is_validated() {
            // RFC 9000 9.3 #5
            self.handshake.new_token.request();
        } else {
            active.challenge.start();
        }
        // RFC 9000 9.3.3 #1
        if let Some(previous) = self.paths.get_mut(Slot::Previous) {
            previous.challenge.start();
        }
        self.tell_moved(before.0);
        Ok(())
    }

    /// Whether a packet newer than all others came to the address that the server has left for its
    /// preferred one.
    // RFC 9000 9.6.2 #4
    pub(super) fn is_left_behind(&self, addr: PathAddr, is_newest: bool) -> bool {
        let is_elsewhere = addr.local != self.paths.active().addr.local;
        self.handshake.followed_preferred && is_newest && is_elsewhere
    }

    /// The user learns whose address is another one now (uapi 9), and the socket's names change.
    pub(super) fn tell_moved(&mut self, before: PathAddr) {
        let after = self.paths.active().addr;
        if after.local != before.local {
            self.events.push(Event::Migrated { local: true });
        }
        if after.remote != before.remote {
            self.events.push(Event::Migrated { local: false });
        }
        self.events.wake_state();
    }

    /// The active path is another one: congestion control starts anew unless only the peer's port
    /// changed.
    // RFC 9000 9.4 #1
    // RFC 9000 9.4 #2
    pub(super) fn on_active_changed(&mut self, (before, epoch): (PathAddr, u32)) {
        let after = self.paths.active().addr;
        let is_same_host = after.remote.ip() == before.remote.ip() && after.local == before.local;
        if is_same_host {
            self.paths.active_mut().epoch = epoch;
            let mtu = self.paths.active().mtu.current();
            self.recovery.on_mtu_changed(mtu);
        } else {
            let active = self.paths.active();
            self.recovery
                .reset_for_path(active.epoch, active.mtu.current(), None);
        }
        self.forget_paths();
        self.start_mtu_search();
    }

    /// What is in flight on a path that is gone counts nowhere any more.
    fn forget_paths(&mut self) {
        let paths = &self.paths;
        let is_known = |epoch: u32| paths.iter().any(|path| path.epoch == epoch);
        self.recovery.retain_paths(&is_known);
    }

    pub(super) fn active_path(&self) -> (PathAddr, u32) {
        let active = self.paths.active();
        (active.addr, active.epoch)
    }

    /// The path this side tried is good: uses it from now on.
    pub(super) fn move_to_probe(&mut self) -> Result<(), TransportError> {
        let before = self.active_path();
        let dropped = self.paths.promote(Slot::Probe);
        self.release_id(dropped.map(|path| path.dcid))?;
        let previous = self.paths.take(Slot::Previous);
        // RFC 9000 5.1.2 #1
        self.release_id(previous.map(|path| path.dcid))?;
        self.on_active_changed(before);
        let after = self.paths.active().addr;
        if after.remote != before.0.remote {
            self.handshake.used_preferred = true;
        }
        self.tell_moved(before.0);
        // The peer follows a packet that does more than probe.
        self.spaces.data.probes = self.spaces.data.probes.max(1);
        Ok(())
    }

    /// Largest datagram this side may send on a new path.
    pub(super) fn max_datagram(&self) -> u16 {
        let peer = u16::try_from(self.peer.max_udp_payload_size).unwrap_or(u16::MAX);
        self.config.max_udp_payload.min(peer)
    }
}
