// SPDX-License-Identifier: GPL-2.0

//! The packets of one packet number space that are waiting for their fate: RFC 9002 A.1.
//!
//! Packets live in small blocks of consecutive numbers, found through an ordered map by the number
//! of the block; three bit masks a block say what its slots hold. A block is freed when its last
//! packet leaves, so one old packet pins one block and not the whole span that a ring would, and
//! an acknowledged range costs one search plus the packets that it newly acknowledges. The block
//! of the newest numbers stays for those to come, and its memory becomes the next block's: with
//! one packet in flight at a time nothing is allocated. Lost packets stay for a while to recognise
//! that a loss was spurious.

#![forbid(unsafe_code)]

use super::{
    block::{
        bit,
        bits,
        Block,
        Counts,
        BLOCK, //
    },
    rate::Snapshot, //
};
use crate::{
    common::{
        map::OrdMap,
        time::Instant,
        token::Tokens, //
    },
    mem::AllocError,
};

pub use super::block::Kind;

/// Packets without ack-eliciting frames that are remembered. A peer need never acknowledge them;
/// they matter only for forgetting acknowledged ACK ranges, for which the newest are best.
const MAX_QUIET: u32 = 64;

/// Lost packets remembered to find out that they were only late. Their count is bounded by the
/// congestion window within one horizon; this bound is for a peer that makes every packet lost.
const MAX_LOST: u32 = 4096;

/// What is remembered of a sent packet: RFC 9002 A.1.1.
#[derive(Debug)]
pub struct SentPacket {
    /// When it was sent.
    pub time: Instant,
    /// Bytes in the UDP payload that belong to this packet.
    pub size: u16,
    /// Whether the peer must acknowledge it.
    pub ack_eliciting: bool,
    /// Whether it counts as bytes in flight: ack-eliciting, or with PADDING.
    pub in_flight: bool,
    /// Whether it was marked ECT(0).
    pub ecn: bool,
    /// Whether it probes for a larger MTU: its loss is no sign of congestion.
    pub mtu_probe: bool,
    /// The path that it took: packets of other paths than the active one say nothing about the
    /// active path's RTT, window or ECN.
    pub path: u32,
    /// What it carried, by name.
    pub tokens: Tokens,
    /// Left at its default by the caller; filled in by recovery.
    pub snapshot: Snapshot,
    /// Left at 0 by the caller: the congestion event that its loss belongs to.
    pub episode: u32,
}

/// The sent packets of one space, by packet number.
#[derive(Debug, Default)]
pub struct SentPackets {
    blocks: OrdMap<u64, Block>,
    /// The block that [`Self::reserve`] made last: it may be there without a packet.
    newest: u64,
    counts: Counts,
    /// Lower bounds of the smallest number of each kind; they only grow, so that the searches
    /// that start there cost constant time for each packet of the connection.
    first_outstanding: u64,
    first_lost: u64,
    first_quiet: u64,
}

impl SentPackets {
    /// No packets.
    pub const fn new() -> Self {
        Self {
            blocks: OrdMap::new(),
            newest: 0,
            counts: Counts {
                outstanding: 0,
                eliciting: 0,
                quiet: 0,
                lost: 0,
            },
            first_outstanding: 0,
            first_lost: 0,
            first_quiet: 0,
        }
    }

    /// Makes room for packet `pn`, so that [`Self::insert`] cannot fail.
    pub fn reserve(&mut self, pn: u64) -> Result<(), AllocError> {
        let key = pn / BLOCK;
        if self.blocks.get(&key).is_some() {
            return Ok(());
        }
        let block = match self.take_idle() {
            Some(block) => block,
            None => Block::try_new()?,
        };
        self.blocks.insert(key, block)?;
        self.newest = key;
        Ok(())
    }

    /// Frees the block of the newest numbers if it holds no packet.
    pub fn shrink(&mut self) {
        drop(self.take_idle());
    }

    fn take_idle(&mut self) -> Option<Block> {
        let is_idle = self.blocks.get(&self.newest)?.present == 0;
        is_idle
            .then(|| self.blocks.remove(&self.newest))?
            .map(Block::emptied)
    }

    /// Adds packet `pn`, larger than all before, after [`Self::reserve`].
    pub fn insert(&mut self, pn: u64, packet: SentPacket) {
        let bit = bit(pn);
        let (ack_eliciting, in_flight) = (packet.ack_eliciting, packet.in_flight);
        let Some(block) = self.blocks.get_mut(&(pn / BLOCK)) else {
            return;
        };
        if !block.put((pn % BLOCK) as usize, packet) {
            return;
        }
        block.present |= bit;
        let counts = &mut self.counts;
        counts.outstanding = counts.outstanding.saturating_add(1);
        if ack_eliciting {
            counts.eliciting = counts.eliciting.saturating_add(1);
        }
        if !in_flight {
            block.quiet |= bit;
            counts.quiet = counts.quiet.saturating_add(1);
            self.limit_quiet();
        }
    }

    /// Removes the packets `first..=last`, outstanding or lost, and shows them in ascending order;
    /// the last argument of `f` says whether the packet had been declared lost.
    pub fn drain(&mut self, first: u64, last: u64, f: &mut dyn FnMut(u64, SentPacket, bool)) {
        let mut from = first.max(self.first_present());
        while from <= last {
            let Some((key, block)) = self.blocks.range_mut(from / BLOCK).next() else {
                return;
            };
            let base = key.saturating_mul(BLOCK);
            if base > last {
                return;
            }
            let mut wanted = block.present & bits(base, from, last);
            while wanted != 0 {
                let index = wanted.trailing_zeros();
                wanted &= wanted.wrapping_sub(1);
                let pn = base.saturating_add(u64::from(index));
                if let Some((packet, was_lost)) = block.take(index, &mut self.counts) {
                    f(pn, packet, was_lost);
                }
            }
            if block.present == 0 && key != self.newest {
                self.blocks.remove(&key);
            }
            from = base.saturating_add(BLOCK);
        }
    }

    /// Removes one packet.
    pub fn take(&mut self, pn: u64) -> Option<(SentPacket, bool)> {
        let key = pn / BLOCK;
        let block = self.blocks.get_mut(&key)?;
        let taken = block.take((pn % BLOCK) as u32, &mut self.counts);
        if block.present == 0 && key != self.newest {
            self.blocks.remove(&key);
        }
        taken
    }

    /// Declares packet `pn` lost and part of congestion event `episode`; it stays, as
    /// [`Kind::Lost`]. Returns it, unless it is not outstanding.
    pub fn mark_lost(&mut self, pn: u64, episode: u32) -> Option<&SentPacket> {
        let bit = bit(pn);
        let block = self.blocks.get_mut(&(pn / BLOCK))?;
        if block.present & !block.lost & bit == 0 {
            return None;
        }
        block.lost |= bit;
        let counts = &mut self.counts;
        if block.quiet & bit != 0 {
            counts.quiet = counts.quiet.saturating_sub(1);
        }
        counts.outstanding = counts.outstanding.saturating_sub(1);
        counts.lost = counts.lost.saturating_add(1);
        let packet = block.slots.get_mut((pn % BLOCK) as usize)?.as_mut()?;
        packet.episode = episode;
        if packet.ack_eliciting {
            counts.eliciting = counts.eliciting.saturating_sub(1);
        }
        Some(packet)
    }

    /// Forgets lost packets that were sent before `horizon`, and the oldest of too many.
    pub fn expire_lost(&mut self, horizon: Instant) {
        while let Some(pn) = self.first(Kind::Lost) {
            let is_old = self.get(pn).is_none_or(|p| p.time < horizon);
            if !is_old && self.counts.lost <= MAX_LOST {
                return;
            }
            let _ = self.take(pn);
        }
    }

    /// The packet with number `pn`.
    pub fn get(&self, pn: u64) -> Option<&SentPacket> {
        let block = self.blocks.get(&(pn / BLOCK))?;
        block.slots.get((pn % BLOCK) as usize)?.as_ref()
    }

    /// The smallest number of a kind.
    pub fn first(&mut self, kind: Kind) -> Option<u64> {
        if self.count(kind) == 0 {
            return None;
        }
        let from = *self.hint(kind);
        let found = self.next(from, kind)?;
        *self.hint(kind) = found;
        Some(found)
    }

    /// The smallest number of a kind that is at least `from`.
    pub fn next(&self, from: u64, kind: Kind) -> Option<u64> {
        for (key, block) in self.blocks.range(from / BLOCK) {
            let base = key.saturating_mul(BLOCK);
            let mask = block.mask(kind) & bits(base, from, u64::MAX);
            if mask != 0 {
                return Some(base.saturating_add(u64::from(mask.trailing_zeros())));
            }
        }
        None
    }

    /// Packets of a kind.
    pub fn count(&self, kind: Kind) -> u32 {
        match kind {
            Kind::Outstanding => self.counts.outstanding,
            Kind::Lost => self.counts.lost,
            Kind::Quiet => self.counts.quiet,
        }
    }

    /// Ack-eliciting packets that are outstanding.
    pub fn eliciting(&self) -> u32 {
        self.counts.eliciting
    }

    /// A lower bound of every number in the store.
    pub fn first_present(&self) -> u64 {
        match self.counts.lost {
            0 => self.first_outstanding,
            _ => self.first_outstanding.min(self.first_lost),
        }
    }

    fn hint(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Outstanding => &mut self.first_outstanding,
            Kind::Lost => &mut self.first_lost,
            Kind::Quiet => &mut self.first_quiet,
        }
    }

    fn limit_quiet(&mut self) {
        if self.counts.quiet > MAX_QUIET {
            if let Some(pn) = self.first(Kind::Quiet) {
                let _ = self.take(pn);
            }
        }
    }
}
