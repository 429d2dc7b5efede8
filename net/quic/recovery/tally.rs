// SPDX-License-Identifier: GPL-2.0

//! Sums over the packets that one ACK frame acknowledges.

#![forbid(unsafe_code)]

use super::{
    AckSummary,
    SentPacket, //
};
use crate::common::time::Instant;

/// The newest packet that an ACK frame newly acknowledges.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newest {
    pub(super) pn: u64,
    pub(super) time: Instant,
    pub(super) is_active: bool,
}

/// Sums over the packets of an ACK frame.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) acked: u32,
    pub(super) eliciting: bool,
    pub(super) newest: Option<Newest>,
    /// Bytes that leave the flight of the active path.
    pub(super) bytes: u64,
    /// Those of them that were sent while the window was in full use and outside recovery.
    pub(super) growth: u64,
    /// Some of them were sent while the window was in full use.
    pub(super) is_limited: bool,
    pub(super) ect0: u64,
    pub(super) spurious: u32,
    /// Smallest packet number that had been thought lost.
    pub(super) first_spurious: Option<u64>,
    /// A whole congestion event turned out to be a mistake.
    pub(super) undo: bool,
}

impl Tally {
    pub(super) fn add(&mut self, pn: u64, packet: &SentPacket, is_active: bool) {
        self.acked = self.acked.saturating_add(1);
        self.eliciting |= packet.ack_eliciting;
        if packet.ecn && is_active {
            self.ect0 = self.ect0.saturating_add(1);
        }
        if self.newest.is_none_or(|newest| newest.pn < pn) {
            self.newest = Some(Newest {
                pn,
                time: packet.time,
                is_active,
            });
        }
    }

    pub(super) fn add_bytes(&mut self, bytes: u64, is_limited: bool, is_in_recovery: bool) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.is_limited |= is_limited;
        if is_limited && !is_in_recovery {
            self.growth = self.growth.saturating_add(bytes);
        }
    }

    pub(super) fn add_spurious(&mut self, pn: u64) {
        self.spurious = self.spurious.saturating_add(1);
        self.first_spurious = Some(self.first_spurious.map_or(pn, |first| first.min(pn)));
    }

    pub(super) fn summary(&self) -> AckSummary {
        AckSummary {
            acked: self.acked,
            acked_eliciting: self.eliciting,
            largest: self.newest.map(|newest| newest.pn),
            spurious: self.spurious,
            ..AckSummary::default()
        }
    }
}
