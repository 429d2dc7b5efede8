// SPDX-License-Identifier: GPL-2.0

//! Blocks of the store of sent packets: a few packets of consecutive numbers each.

#![forbid(unsafe_code)]

use super::sent::SentPacket;
use crate::mem::{
    AllocError,
    Vec, //
};

/// Slots in a block: two kilobytes, freed when a connection with nothing in flight becomes idle.
pub(super) const BLOCK: u64 = 16;

/// The mask of a whole block.
const ALL_SLOTS: u32 = (1 << BLOCK) - 1;

/// Which packets a search looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Neither acknowledged nor declared lost.
    Outstanding,
    /// Declared lost and remembered.
    Lost,
    /// Outstanding, and not in flight: packets that only carry ACK frames.
    Quiet,
}

/// How many packets there are of each kind.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) outstanding: u32,
    /// Outstanding packets that are ack-eliciting.
    pub(super) eliciting: u32,
    pub(super) quiet: u32,
    pub(super) lost: u32,
}

/// The packets of [`BLOCK`] consecutive numbers, with a bit for each in every mask.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) present: u32,
    pub(super) lost: u32,
    pub(super) quiet: u32,
    pub(super) slots: Vec<Option<SentPacket>>,
}

impl Block {
    /// An empty block with memory for all its packets.
    pub(super) fn try_new() -> Result<Self, AllocError> {
        Ok(Self {
            slots: Vec::try_with_capacity(BLOCK as usize)?,
            ..Self::default()
        })
    }

    /// The block without packets, for other numbers.
    pub(super) fn emptied(mut self) -> Self {
        self.slots.clear();
        Self {
            slots: self.slots,
            ..Self::default()
        }
    }

    /// The slots that hold packets of a kind.
    pub(super) fn mask(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Outstanding => self.present & !self.lost,
            Kind::Lost => self.present & self.lost,
            Kind::Quiet => self.present & !self.lost & self.quiet,
        }
    }

    /// Removes a packet; the flag says whether it had been declared lost.
    pub(super) fn take(&mut self, index: u32, counts: &mut Counts) -> Option<(SentPacket, bool)> {
        let packet = self.slots.get_mut(index as usize)?.take()?;
        let bit = 1u32.wrapping_shl(index);
        let was_lost = self.lost & bit != 0;
        let was_quiet = self.quiet & bit != 0;
        self.present &= !bit;
        self.lost &= !bit;
        self.quiet &= !bit;
        if was_lost {
            counts.lost = counts.lost.saturating_sub(1);
            return Some((packet, true));
        }
        counts.outstanding = counts.outstanding.saturating_sub(1);
        if was_quiet {
            counts.quiet = counts.quiet.saturating_sub(1);
        }
        if packet.ack_eliciting {
            counts.eliciting = counts.eliciting.saturating_sub(1);
        }
        Some((packet, false))
    }

    /// Stores a packet, which is always one of a larger number than those in the block.
    pub(super) fn put(&mut self, index: usize, packet: SentPacket) -> bool {
        while self.slots.len() < index {
            if self.slots.push_within_capacity(None).is_err() {
                return false;
            }
        }
        match self.slots.get_mut(index) {
            Some(slot) => *slot = Some(packet),
            None => return self.slots.push_within_capacity(Some(packet)).is_ok(),
        }
        true
    }
}

/// The bit of packet `pn` in its block's masks.
pub(super) fn bit(pn: u64) -> u32 {
    1u32.wrapping_shl((pn % BLOCK) as u32)
}

/// The slots of `first..=last` in the block that starts at `base`.
pub(super) fn bits(base: u64, first: u64, last: u64) -> u32 {
    let low = first.saturating_sub(base).min(BLOCK) as u32;
    let above = last.saturating_sub(base).saturating_add(1).min(BLOCK) as u32;
    let from = ALL_SLOTS.checked_shl(low).unwrap_or(0);
    let to = ALL_SLOTS
        .checked_shr((BLOCK as u32).saturating_sub(above))
        .unwrap_or(0);
    from & to
}
