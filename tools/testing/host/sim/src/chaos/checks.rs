// SPDX-License-Identifier: GPL-2.0

//! What must be true: at every moment, at rest, and at the end.

use quic_core::common::id::Side;
use quic_core::common::time::Duration;
use quic_core::conn::event::CloseKind;
use quic_core::conn::State;

use super::Chaos;

/// Bytes that a connection may hold for sending and for receiving: what the applications write,
/// and the windows, each with the overhead of small pieces.
const MAX_HELD: usize = 24 << 20;

/// Time from the last fault until all is said, below the idle time-out.
const QUIET: Duration = Duration::from_secs(25);

/// Time until a connection that was closed is gone.
const GONE: Duration = Duration::from_secs(3_600);

impl Chaos<'_> {
    /// What holds at every moment.
    pub(super) fn check(&self) {
        for peer in self.peers() {
            let connection = &peer.connection;
            let held = connection.send_truesize() + connection.recv_truesize();
            assert!(held <= MAX_HELD, "{held} bytes held");
            let info = connection.info();
            assert!(info.cwnd >= 2 * 1200, "{info:?}");
            assert!(info.mtu >= 1200, "{info:?}");
            if self.excuses.is_forged || self.excuses.is_misused {
                continue;
            }
            let Some(info) = connection.close_info() else {
                continue;
            };
            let is_error = matches!(
                info.kind,
                CloseKind::LocalTransport | CloseKind::PeerTransport
            );
            // 0 is a connection that gave up in silence, 0x0c an early close of the application's.
            let is_memory = info.code == 1 && self.excuses.is_starved;
            // The token of a Retry holds for an address and for some seconds.
            let is_token = info.code == 0x0b;
            let is_version = info.code == 0x11 && self.excuses.is_damaged;
            let is_fine = matches!(info.code, 0 | 0x0c) || is_memory || is_token || is_version;
            assert!(!is_error || is_fine, "{info:?}");
        }
    }

    /// The network becomes perfect: what was written arrives, and nothing stays behind.
    pub(super) fn come_to_rest(&mut self) {
        for side in [Side::Client, Side::Server] {
            let ids: Vec<_> = self.sent.keys().map(|(_, id)| *id).collect();
            if let Some(peer) = self.peer(side) {
                peer.app.plan.stalled = false;
                let streams = peer.connection.streams_mut();
                ids.into_iter().for_each(|id| streams.set_corked(id, false));
            }
        }
        self.pass(QUIET);
        self.check();
        let excuses = self.excuses;
        let is_open = self.peers().all(|p| p.state() == State::Established);
        if excuses.is_forged || excuses.is_misused || !is_open || self.server.peers.len() != 1 {
            return;
        }
        for peer in self.peers() {
            let info = peer.connection.info();
            assert_eq!(info.bytes_in_flight, 0, "{info:?}");
            let held = peer.connection.send_truesize() + peer.connection.recv_truesize();
            let is_client = peer.connection.is_client();
            let mut own = self.sent.keys().filter(|(of, _)| *of == is_client);
            // What was opened early, for a server that allows less now, waits for others to end.
            let waits = own.any(|(_, id)| !peer.connection.streams().is_allowed(*id));
            assert!(held == 0 || waits, "{:?} {info:?}", peer.connection.side());
        }
        for ((is_client, id), sent) in &self.sent {
            let (sender, receiver) = match is_client {
                true => (&self.client.peer, &self.server.peers[0]),
                false => (&self.server.peers[0], &self.client.peer),
            };
            if !sender.connection.streams().is_allowed(*id) {
                continue;
            }
            let received = receiver.app.received().get(id).copied().unwrap_or_default();
            let is_whole = received.bytes == sent.bytes && received.fin == sent.fin;
            assert!(
                is_whole || sent.is_given_up,
                "{id}: {sent:?} {received:?} {excuses:?}"
            );
        }
    }

    /// Both ends close; some time later nothing is left to do.
    pub(super) fn end(&mut self) {
        let now = self.now;
        let peers = self.server.peers.iter_mut();
        for peer in peers.chain([&mut self.client.peer]) {
            peer.with(now, |connection, cx| connection.close(cx, true, 7, b"end"));
        }
        self.pass(GONE);
        assert_eq!(self.next_timeout(), None);
        for peer in self.peers() {
            assert_eq!(peer.state(), State::Closed);
        }
    }
}
