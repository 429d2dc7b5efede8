// SPDX-License-Identifier: GPL-2.0

//! What became of sent packets, told to whoever put something into them.
//!
//! Recovery calls back while it is borrowed, so the rest of the connection is borrowed here field
//! by field. Nothing in here fails or allocates more than a component's own bookkeeping.

#![forbid(unsafe_code)]

use super::{
    event::Events,
    handshake::Handshake,
    spaces::Spaces, //
};
use crate::{
    common::{
        id::Space,
        token::Token, //
    },
    connid::{
        local::LocalIds,
        remote::RemoteIds, //
    },
    path::Paths,
    recovery::{
        Fate,
        SentPacket, //
    },
    stream::Streams,
};

/// The owners of what packets carry.
pub(super) struct Owners<'a> {
    pub streams: &'a mut Streams,
    pub spaces: &'a mut Spaces,
    pub handshake: &'a mut Handshake,
    pub local_ids: &'a mut LocalIds,
    pub remote_ids: &'a mut RemoteIds,
    pub paths: &'a mut Paths,
    pub events: &'a mut Events,
    pub outcome: Outcome,
}

/// What the fates of one call add up to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    /// Size of the largest packet of the active path that was lost and was no probe.
    pub largest_lost: u16,
    /// Size of the largest packet of the active path that arrived.
    pub largest_acked: u16,
    /// A probe changed the path's datagram size.
    pub mtu_changed: bool,
    /// Packets lost, and packets wrongly thought lost.
    pub lost: u64,
    /// Their bytes.
    pub lost_bytes: u64,
    pub spurious: u64,
    /// Frames to be sent again.
    pub repeated: u64,
    /// Smallest number of a 0-RTT or 1-RTT packet that was acknowledged.
    pub smallest_acked: Option<u64>,
}

impl Owners<'_> {
    /// One packet's fate.
    pub(super) fn on_fate(&mut self, fate: Fate, space: Space, pn: u64, packet: &SentPacket) {
        let is_active = packet.path == self.paths.active().epoch;
        match fate {
            Fate::Acked | Fate::Spurious => {
                if fate == Fate::Spurious {
                    self.outcome.spurious = self.outcome.spurious.saturating_add(1);
                }
                if space == Space::Data {
                    let smallest = self.outcome.smallest_acked;
                    self.outcome.smallest_acked = Some(smallest.map_or(pn, |s| s.min(pn)));
                }
                if is_active && !packet.mtu_probe {
                    self.outcome.largest_acked = self.outcome.largest_acked.max(packet.size);
                }
                for token in packet.tokens.iter() {
                    self.on_acked(space, token, is_active);
                }
                // One that was lost before was counted then.
                if fate == Fate::Acked {
                    self.on_known(packet);
                }
            }
            Fate::Lost => {
                self.outcome.lost = self.outcome.lost.saturating_add(1);
                let bytes = u64::from(packet.size);
                self.outcome.lost_bytes = self.outcome.lost_bytes.saturating_add(bytes);
                if is_active && packet.in_flight && !packet.mtu_probe {
                    self.outcome.largest_lost = self.outcome.largest_lost.max(packet.size);
                }
                self.on_lost(space, packet);
                self.on_known(packet);
            }
        }
    }

    /// A packet is no longer in flight, which happens to each once: what may be in flight so many
    /// times only may be sent again.
    fn on_known(&mut self, packet: &SentPacket) {
        for token in packet.tokens.iter() {
            match *token {
                Token::PathResponse => self.paths.on_response_known(),
                Token::PathChallenge => self.paths.on_challenge_known(),
                _ => {}
            }
        }
    }

    /// A packet that is waited for no more, although nobody thinks it lost.
    pub(super) fn on_given_up(&mut self, space: Space, packet: &SentPacket) {
        self.on_lost(space, packet);
        self.on_known(packet);
    }

    /// What a lost packet carried has to be sent again, as far as it still matters. Also used for
    /// packets that a probe repeats although they are not lost.
    // RFC 9000 13.3 #4
    pub(super) fn on_lost(&mut self, space: Space, packet: &SentPacket) {
        let is_active = packet.path == self.paths.active().epoch;
        for token in packet.tokens.iter() {
            self.outcome.repeated = self.outcome.repeated.saturating_add(1);
            match *token {
                Token::Crypto { .. } => self.spaces.crypto_mut(space).on_lost(token),
                Token::NewConnectionId { seq } => self.local_ids.on_lost(seq),
                Token::RetireConnectionId { seq } => self.remote_ids.on_lost(seq),
                // RFC 9000 13.3 #3
                Token::HandshakeDone => self.handshake.done.on_lost(),
                Token::NewToken => self.handshake.new_token.on_lost(),
                Token::MtuProbe { size } if is_active => self.on_probe(size, false),
                Token::AckFrequency { seq } => {
                    if let Some(frequency) = &mut self.spaces.frequency {
                        frequency.on_lost(seq);
                    }
                }
                // Challenges are repeated by their own timer with new data, responses never.
                Token::MtuProbe { .. }
                | Token::PathChallenge
                | Token::PathResponse
                | Token::Ping
                | Token::Datagram
                | Token::Close
                | Token::Ack { .. } => {}
                _ => self.streams.on_lost(token),
            }
        }
    }

    // RFC 9000 13.3 #6
    fn on_acked(&mut self, space: Space, token: &Token, is_active: bool) {
        match *token {
            Token::Crypto { .. } => self.spaces.crypto_mut(space).on_acked(token),
            Token::NewConnectionId { seq } => self.local_ids.on_acked(seq),
            Token::RetireConnectionId { seq } => self.remote_ids.on_acked(seq),
            Token::HandshakeDone => self.handshake.done.on_acked(),
            Token::NewToken => self.handshake.new_token.on_acked(),
            // RFC 9000 13.2.3 #2
            Token::Ack { largest } => self.spaces.acks_mut(space).on_ack_acked(largest),
            Token::MtuProbe { size } if is_active => self.on_probe(size, true),
            Token::AckFrequency { seq } => {
                if let Some(frequency) = &mut self.spaces.frequency {
                    frequency.on_acked(seq);
                }
            }
            Token::MtuProbe { .. }
            | Token::PathChallenge
            | Token::PathResponse
            | Token::Ping
            | Token::Datagram
            | Token::Close => {}
            _ => self.streams.on_acked(token, self.events),
        }
    }

    fn on_probe(&mut self, size: u16, arrived: bool) {
        let mtu = &mut self.paths.active_mut().mtu;
        if arrived {
            self.outcome.mtu_changed |= mtu.on_probe_acked(size);
        } else {
            mtu.on_probe_lost(size);
        }
    }
}
