// SPDX-License-Identifier: GPL-2.0

//! The fate of 0-RTT: what a client makes of the server's decision, and the end of its time
//! (RFC 9001 4.6.2, RFC 9000 7.4.1).

#![forbid(unsafe_code)]

use super::{
    encrypted_extensions::EarlyData,
    handshake::Early,
    Connection, //
};
use crate::common::{
    cx::Cx,
    error::TransportError,
    id::{
        Side,
        Space, //
    },
};

impl Connection {
    /// The server has decided about the client's 0-RTT; `kept` says whether it permits what the
    /// client remembers, by whose limits it has worked.
    pub(super) fn decide_early(
        &mut self,
        cx: &mut Cx<'_>,
        kept: Result<(), TransportError>,
    ) -> Result<(), TransportError> {
        let answer = self.handshake.extensions.early_data();
        // Where nothing was sent early, nothing can have been too much.
        let is_bound = kept.is_ok() || self.handshake.early_end > 0;
        match (self.handshake.early, answer) {
            (Early::Offered, EarlyData::Accepted) if is_bound => {
                // RFC 9000 7.4.1 #6
                kept?;
                self.handshake.early = Early::Accepted;
            }
            (Early::Offered, EarlyData::Rejected) => self.reject_early(cx),
            // A server that takes 0-RTT must not do this, so it does not take it.
            (Early::Offered, EarlyData::Unknown) if kept.is_err() => self.reject_early(cx),
            // RFC 9000 7.4.1 #3: what was written within the old limits waits.
            _ if kept.is_err() => self.streams.on_0rtt_rejected(),
            _ => {}
        }
        Ok(())
    }

    /// The server did not take the client's 0-RTT: everything sent in it is sent again in 1-RTT.
    /// The connection finds it out by itself when it hands the server's EncryptedExtensions to TLS, or
    /// when TLS answers a HelloRetryRequest;
    /// an owner that knows it before may call this.
    // RFC 9001 5.6 #4
    pub fn reject_early(&mut self, cx: &mut Cx<'_>) {
        if self.side != Side::Client || self.handshake.early != Early::Offered {
            return;
        }
        self.handshake.early = Early::Rejected;
        self.early_until = None;
        self.spaces.data.keys.tx = None;
        self.send_early_again(cx);
        self.streams.on_0rtt_rejected();
    }

    /// The time of 0-RTT is over. The server forgets its keys. A client of whose packets none was
    /// acknowledged a PTO after the handshake sends what they said again, in 1-RTT packets, and takes
    /// them for rejected unless it has read otherwise: they fill the congestion window, which holds
    /// back even the end of the handshake, and no PTO is armed for them before that is confirmed.
    // RFC 9001 4.9.3 #4
    pub(super) fn end_early(&mut self, cx: &mut Cx<'_>) {
        self.early_until = None;
        match self.side {
            Side::Server => self.spaces.data.keys.rx = None,
            Side::Client if self.handshake.early == Early::Offered => {
                self.handshake.early = Early::Abandoned;
                self.send_early_again(cx);
            }
            Side::Client if self.handshake.early == Early::Accepted => self.send_early_again(cx),
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
