// SPDX-License-Identifier: GPL-2.0

//! What recovery keeps for each packet number space.

#![forbid(unsafe_code)]

use super::{
    ecn::SpaceEcn,
    numbers::Numbers,
    sent::SentPackets, //
};
use crate::common::{
    id::Space,
    time::Instant, //
};

/// One packet number space: the per-space variables of RFC 9002 A.3.
#[derive(Debug, Default)]
pub(super) struct State {
    /// `sent_packets`.
    pub(super) sent: SentPackets,
    /// Which packet numbers were given out.
    pub(super) numbers: Numbers,
    /// `largest_acked_packet`.
    pub(super) largest_acked: Option<u64>,
    /// `time_of_last_ack_eliciting_packet`.
    pub(super) last_eliciting: Option<Instant>,
    /// `loss_time`.
    pub(super) loss_time: Option<Instant>,
    /// Counts of ECN marks sent and reported.
    pub(super) ecn: SpaceEcn,
    /// Largest packet number that was declared lost.
    pub(super) largest_lost: Option<u64>,
}

/// The three packet number spaces.
#[derive(Debug, Default)]
pub(super) struct Spaces {
    initial: State,
    handshake: State,
    data: State,
}

impl Spaces {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn get(&self, space: Space) -> &State {
        match space {
            Space::Initial => &self.initial,
            Space::Handshake => &self.handshake,
            Space::Data => &self.data,
        }
    }

    pub(super) fn get_mut(&mut self, space: Space) -> &mut State {
        match space {
            Space::Initial => &mut self.initial,
            Space::Handshake => &mut self.handshake,
            Space::Data => &mut self.data,
        }
    }
}
