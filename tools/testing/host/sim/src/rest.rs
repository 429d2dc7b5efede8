// SPDX-License-Identifier: GPL-2.0

//! What must be true of every pair, whatever the network did: in the end both sides are at rest,
//! nothing is in flight, no memory is held, no rule was broken, memory was bounded all the time, and
//! a close ends everything.

use quic_core::common::time::Duration;
use quic_core::conn::event::CloseKind;
use quic_core::conn::State;

use crate::net::{
    Link,
    Way, //
};
use crate::pair::Pair;
use crate::peer::Peer;
use crate::world::Node;

/// Bytes that an application of a scenario has under way at most, each way, with their overhead.
const MAX_SENDING: usize = 10 << 20;

/// The receive window of a connection with the default parameters, and as much again for the
/// overhead of small pieces and for its growth.
const MAX_RECEIVING: usize = 4 << 20;

impl Pair {
    /// Runs a closure on every connection.
    fn for_each_peer(&self, mut check: impl FnMut(&Peer)) {
        let server = self.server.borrow();
        server.peers.iter().for_each(&mut check);
        check(&self.client.borrow().peer);
    }

    /// Bytes held for sending and receiving on either side.
    pub fn held(&self) -> usize {
        let mut held = 0;
        self.for_each_peer(|peer| {
            held += peer.connection.send_truesize() + peer.connection.recv_truesize();
        });
        held
    }

    /// Checks that no connection has ended by an error.
    pub fn check_no_error(&self) {
        self.for_each_peer(|peer| {
            let Some(info) = peer.connection.close_info() else {
                return;
            };
            let is_error = matches!(
                info.kind,
                CloseKind::LocalTransport | CloseKind::PeerTransport
            );
            assert!(!is_error, "{info:?}");
        });
    }

    /// Makes the network perfect and lets what is under way arrive; then nothing is in flight and
    /// nothing is held. Ends the connection, and checks that it ends.
    ///
    /// For a pair that is connected and whose applications read what arrives.
    pub fn finish(&mut self) {
        self.check_no_error();
        self.for_each_peer(|peer| {
            let (sending, receiving) = peer.peak;
            assert!(sending <= MAX_SENDING, "{sending} bytes held for sending");
            assert!(
                receiving <= MAX_RECEIVING,
                "{receiving} bytes held that were received"
            );
        });
        for way in [Way::Up, Way::Down] {
            *self.world.net.link(way) = Link::default();
        }
        self.wait(Duration::from_secs(8));
        self.check_no_error();
        self.for_each_peer(|peer| {
            let info = peer.connection.info();
            assert_eq!(info.state, State::Established, "{info:?}");
            assert_eq!(info.bytes_in_flight, 0, "{info:?}");
        });
        assert_eq!(self.held(), 0, "{}", self.describe());
        let now = self.world.now;
        self.client.borrow_mut().peer.with(now, |connection, cx| {
            connection.close(cx, true, 0, b"");
        });
        self.wait(Duration::from_secs(30));
        self.for_each_peer(|peer| assert_eq!(peer.state(), State::Closed));
        assert_eq!(self.client.borrow().next_timeout(), None);
        assert_eq!(self.server.borrow().next_timeout(), None);
    }
}
