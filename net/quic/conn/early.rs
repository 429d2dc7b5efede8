// SPDX-License-Identifier: GPL-2.0

//! The fate of 0-RTT: what a client makes of the server's decision, and the end of its time
//! (RFC 9001 4.6.2, RFC 9000 7.4.1).

#![forbid(unsafe_code)]

use super::{
    handshake::Early,
    Connection, //
};
use crate::common::{
    cx::Cx,
    id::{
        Side,
        Space, //
    },
};

impl Connection {
    /// The server permits less than the client remembers, by whose limits it has worked.
    // RFC 9000 7.4.1 #3
    pub(super) fn on_limits_reduced(&mut self, cx: &mut Cx<'_>) {
        match self.handshake.early {
            // A server that takes 0-RTT must not do this, so it does not take it.
            Early::Offered => self.reject_early(cx),
            // What was written within the old limits waits.
            _ => self.streams.on_0rtt_rejected(),
        }
    }

    /// The server did not take the client's 0-RTT: everything sent in it is sent again in 1-RTT.
    /// Called by the owner when TLS says so; found out by itself otherwise.
    // RFC 9001 5.6 #4
    pub fn reject_early(&mut self, cx: &mut Cx<'_>) {
        if self.side != Side::Client || self.handshake.early != Early::Offered {
            return;
        }
        self.handshake.early = Early::Rejected;
        self.spaces.data.keys.tx = None;
        self.send_early_again(cx);
        self.streams.on_0rtt_rejected();
    }

    /// The time of 0-RTT is over. The server forgets its keys. The client is not told by TLS
    /// whether the server took its packets; if none was acknowledged a PTO after the handshake,
    /// they are taken for rejected: they would fill the congestion window for ever, since no PTO
    /// is armed for them before the handshake is confirmed.
    // RFC 9001 4.9.3 #4
    pub(super) fn end_early(&mut self, cx: &mut Cx<'_>) {
        self.early_until = None;
        match self.side {
            Side::Server => self.spaces.data.keys.rx = None,
            Side::Client if self.handshake.early == Early::Offered => {
                self.handshake.early = Early::Abandoned;
                self.send_early_again(cx);
            }
            Side::Client => {}
        }
    }

    /// Everything outstanding in a space is sent again.
    pub(super) fn send_again(&mut self, cx: &mut Cx<'_>, space: Space) {
        let (recovery, mut owners) = self.split();
        recovery.abandon(space, cx.now, &mut |_, space, _, packet| {
            owners.on_given_up(space, packet);
        });
    }

    /// Everything outstanding in 0-RTT packets is sent again, in 1-RTT packets.
    pub(super) fn send_early_again(&mut self, cx: &mut Cx<'_>) {
        let end = self.handshake.early_end;
        let (recovery, mut owners) = self.split();
        recovery.abandon_below(Space::Data, end, cx.now, &mut |_, space, _, packet| {
            owners.on_given_up(space, packet);
        });
    }
}
