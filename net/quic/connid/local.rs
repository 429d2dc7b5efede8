// SPDX-License-Identifier: GPL-2.0

//! Connection ids issued by this side.
//!
//! An id lives from [`LocalIds::issue`] until the peer retires it. It is announced only after the
//! glue has put it into its lookup table, so that no packet can arrive for an unknown id. The
//! store is allocated once and never grows.

#![forbid(unsafe_code)]

mod announce;

use super::{
    CidOp,
    LOCAL_LEN,
    MAX_ACTIVE, //
};
use crate::{
    common::{
        error::TransportError,
        id::ConnectionId,
        rng::Rng, //
    },
    mem::{
        AllocError,
        Vec, //
    },
    packet::stateless::reset_token,
};
use announce::Announce;
pub use announce::Announcement;

/// Room for the active ids, the retired ones the glue has not yet taken out of its table, and the
/// client's original destination id.
const CAPACITY: usize = 2 * MAX_ACTIVE + 2;

/// Whether packets find their way to the connection by this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    /// The glue has to add it.
    Add,
    /// In the glue's table.
    Present,
    /// The glue has to remove it; no longer valid.
    Remove,
}

#[derive(Debug)]
struct Entry {
    /// `None` for the client's original destination id, which has no sequence number.
    seq: Option<u64>,
    cid: ConnectionId,
    announce: Announce,
    table: Table,
}

impl Entry {
    fn is_active(&self) -> bool {
        self.table != Table::Remove
    }
}

/// The ids issued by this side.
#[derive(Debug)]
pub struct LocalIds {
    entries: Vec<Entry>,
    /// The glue may have something to do: no search says so after every call.
    has_ops: bool,
    /// The id of sequence number 0, also after it was retired.
    first: ConnectionId,
    next_seq: u64,
    retire_prior_to: u64,
    /// How many the peer is willing to store, at most [`MAX_ACTIVE`].
    limit: usize,
    /// Set once ids beyond the first may be issued (both sides have 1-RTT keys).
    issuing: bool,
    reset_key: [u8; 32],
    /// Sequence number of the id in the newest packet received.
    used: u64,
}

impl LocalIds {
    /// Starts with `first` as the id of sequence number 0.
    pub fn new(first: ConnectionId, reset_key: [u8; 32]) -> Result<Self, AllocError> {
        let mut entries = Vec::try_with_capacity(CAPACITY)?;
        entries
            .try_push(Entry {
                seq: Some(0),
                cid: first,
                announce: Announce::Known,
                table: Table::Add,
            })
            .map_err(|_| AllocError)?;
        Ok(Self {
            entries,
            has_ops: true,
            first,
            next_seq: 1,
            retire_prior_to: 0,
            limit: 2,
            issuing: false,
            reset_key,
            used: 0,
        })
    }

    /// Lets packets with the client's original destination id find the server's connection.
    pub fn add_original(&mut self, cid: ConnectionId) {
        self.has_ops = true;
        let _ = self.entries.push_within_capacity(Entry {
            seq: None,
            cid,
            announce: Announce::Known,
            table: Table::Add,
        });
    }

    /// The client no longer uses its original destination id.
    pub fn drop_original(&mut self) {
        self.has_ops = true;
        for entry in self.entries.iter_mut().filter(|e| e.seq.is_none()) {
            entry.table = Table::Remove;
        }
    }

    /// The id of sequence number 0, as announced in `initial_source_connection_id`.
    pub fn first(&self) -> ConnectionId {
        self.first
    }

    /// Makes an id for `preferred_address`, sequence number 1, announced by the parameter itself.
    /// Returns the id and its token; `None` if it was made before or there is no room.
    pub fn preferred(&mut self, rng: &mut dyn Rng) -> Option<(ConnectionId, [u8; 16])> {
        if self.next_seq != 1 {
            return None;
        }
        let cid = self.push(rng, Announce::Known)?;
        Some((cid, reset_token(&self.reset_key, &cid)))
    }

    /// The token announced in `stateless_reset_token` for the first id.
    pub fn first_token(&self) -> [u8; 16] {
        reset_token(&self.reset_key, &self.first)
    }

    /// Takes the peer's `active_connection_id_limit` and issues ids up to it.
    // RFC 9000 5.1.1 #3
    // RFC 9000 5.1.1 #4
    pub fn start(&mut self, peer_limit: u64, rng: &mut dyn Rng) {
        let limit = usize::try_from(peer_limit).unwrap_or(MAX_ACTIVE);
        self.limit = limit.clamp(2, MAX_ACTIVE);
        self.issuing = true;
        self.issue(rng);
    }

    /// Issues ids until the peer has as many as it stores.
    // RFC 9000 5.1.1 #7
    fn issue(&mut self, rng: &mut dyn Rng) {
        while self.issuing && self.active() < self.limit {
            if self.push(rng, Announce::Pending).is_none() {
                return;
            }
        }
    }

    // RFC 9000 5.1 #1
    // RFC 9000 5.1 #2
    // RFC 9000 5.1.1 #1
    fn push(&mut self, rng: &mut dyn Rng, announce: Announce) -> Option<ConnectionId> {
        let cid = ConnectionId::random(rng, LOCAL_LEN);
        let next = self.next_seq.checked_add(1)?;
        self.entries
            .push_within_capacity(Entry {
                seq: Some(self.next_seq),
                cid,
                announce,
                table: Table::Add,
            })
            .ok()?;
        self.next_seq = next;
        self.has_ops = true;
        Some(cid)
    }

    /// Ids that count against the peer's limit: those it has not been told to retire.
    fn active(&self) -> usize {
        self.entries
            .iter()
            .filter(|e| e.is_active() && e.seq.is_some_and(|seq| seq >= self.retire_prior_to))
            .count()
    }

    /// Whether packets to `cid` belong to this connection.
    // RFC 9000 5.1.1 #2
    pub fn contains(&self, cid: &[u8]) -> bool {
        self.seq_of(cid).is_some()
    }

    /// The sequence number of an id still valid; `Some(None)` for the original destination id.
    pub fn seq_of(&self, cid: &[u8]) -> Option<Option<u64>> {
        self.entries
            .iter()
            .find(|e| e.is_active() && e.cid.as_slice() == cid)
            .map(|e| e.seq)
    }

    /// Notes which id is to count as the one in use.
    pub fn on_used(&mut self, seq: u64) {
        self.used = seq;
    }

    /// RETIRE_CONNECTION_ID arrived in a packet sent to the id numbered `carrier`. Returns whether
    /// an id went away.
    pub fn on_retire(
        &mut self,
        seq: u64,
        carrier: Option<u64>,
        rng: &mut dyn Rng,
    ) -> Result<bool, TransportError> {
        // RFC 9000 19.16 #1
        if seq >= self.next_seq {
            return Err(TransportError::protocol_violation(
                "retired connection id was never issued",
            ));
        }
        // RFC 9000 19.16 #2
        if carrier == Some(seq) {
            return Err(TransportError::protocol_violation(
                "retired connection id carried the packet",
            ));
        }
        let Some(entry) = self
            .entries
            .iter_mut()
            .find(|e| e.seq == Some(seq) && e.table != Table::Remove)
        else {
            return Ok(false);
        };
        // An id the glue never heard of can go at once.
        entry.table = Table::Remove;
        self.has_ops = true;
        self.issue(rng);
        Ok(true)
    }

    /// Asks the peer to retire the ids below `prior_to` and issues as many anew.
    ///
    /// Returns false if `prior_to` is outside the numbers issued, or an earlier request of this
    /// kind has not been followed yet.
    // RFC 9000 5.1.2 #8
    pub fn retire_prior_to(&mut self, prior_to: u64, rng: &mut dyn Rng) -> bool {
        let stale = self
            .entries
            .iter()
            .any(|e| e.is_active() && e.seq.is_some_and(|seq| seq < self.retire_prior_to));
        if stale || prior_to <= self.retire_prior_to || prior_to >= self.next_seq {
            return false;
        }
        self.retire_prior_to = prior_to;
        self.issue(rng);
        true
    }

    /// Sequence number in use, as far as the user has named one, else the smallest still issued; and
    /// the smallest still issued (uapi 8.4).
    pub fn info(&self) -> (u64, u64) {
        let first = self
            .entries
            .iter()
            .filter(|e| e.is_active())
            .filter_map(|e| e.seq)
            .min()
            .unwrap_or(self.next_seq);
        (self.used.max(first), first)
    }

    /// Whether the id of this sequence number is issued and not retired.
    pub fn has(&self, seq: u64) -> bool {
        let mut active = self.entries.iter().filter(|e| e.is_active());
        active.any(|e| e.seq == Some(seq))
    }

    /// Largest sequence number issued.
    pub fn last(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }

    /// The next change for the glue's table. Retired entries are forgotten here.
    #[inline]
    pub fn poll_op(&mut self) -> Option<CidOp> {
        if !self.has_ops {
            return None;
        }
        let op = self.find_op();
        self.has_ops = op.is_some();
        op
    }

    fn find_op(&mut self) -> Option<CidOp> {
        if let Some(at) = self.entries.iter().position(|e| e.table == Table::Remove) {
            return self
                .entries
                .remove(at)
                .map(|e| CidOp::Remove { cid: e.cid });
        }
        let entry = self.entries.iter_mut().find(|e| e.table == Table::Add)?;
        entry.table = Table::Present;
        Some(CidOp::Add {
            cid: entry.cid,
            seq: entry.seq.unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests;
