// SPDX-License-Identifier: GPL-2.0

//! Connection ids issued by the peer.
//!
//! The peer decides how fast ids come and how many it wants back; both are bounded here: ids in
//! store by our `active_connection_id_limit`, RETIRE_CONNECTION_ID frames not yet acknowledged by
//! [`MAX_RETIRING`]. A peer that passes either bound loses the connection.

#![forbid(unsafe_code)]

mod retire;

use core::net::SocketAddr;

use super::{
    CidOp,
    MAX_ACTIVE, //
};
use crate::{
    aead::ct_eq,
    common::{
        error::TransportError,
        id::ConnectionId,
        ranges::RangeSet, //
    },
    mem::{
        AllocError,
        Vec, //
    },
};
use retire::Retiring;

/// Retirements that may be outstanding: three times the largest limit this side announces.
/// An honest peer has at most one limit's worth of them per round trip.
// RFC 9000 5.1.2 #5
// RFC 9000 5.1.2 #6
const MAX_RETIRING: usize = 3 * MAX_ACTIVE;

/// Sequence numbers remembered as seen, in ranges. Honest peers need one range.
const MAX_SEEN: usize = 64;

/// What the glue knows of a reset token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reset {
    /// The id was not used yet: its token must not be believed.
    Unused,
    /// Used towards this address; the glue does not know yet.
    Add(SocketAddr),
    /// The glue has it.
    Present(SocketAddr),
}

#[derive(Debug)]
struct Entry {
    seq: u64,
    cid: ConnectionId,
    token: Option<[u8; 16]>,
    in_use: bool,
    reset: Reset,
}

/// The ids the peer issued.
#[derive(Debug)]
pub struct RemoteIds {
    entries: Vec<Entry>,
    retiring: Vec<Retiring>,
    /// Tokens the glue has to forget.
    stale: Vec<([u8; 16], SocketAddr)>,
    /// The glue may have something to do: no search says so after every call.
    has_ops: bool,
    seen: RangeSet,
    retire_prior_to: u64,
    limit: usize,
}

impl RemoteIds {
    /// Starts with `first` as the id of sequence number 0, in use. `limit` is our
    /// `active_connection_id_limit`.
    pub fn new(first: ConnectionId, limit: u64) -> Result<Self, AllocError> {
        let limit = usize::try_from(limit)
            .unwrap_or(MAX_ACTIVE)
            .clamp(2, MAX_ACTIVE);
        let mut entries = Vec::try_with_capacity(limit)?;
        entries
            .try_push(Entry {
                seq: 0,
                cid: first,
                token: None,
                in_use: true,
                reset: Reset::Unused,
            })
            .map_err(|_| AllocError)?;
        let mut seen = RangeSet::with_limit(MAX_SEEN);
        seen.insert(0)?;
        Ok(Self {
            entries,
            retiring: Vec::new(),
            stale: Vec::new(),
            has_ops: false,
            seen,
            retire_prior_to: 0,
            limit,
        })
    }

    /// Replaces the id of sequence number 0: the server's choice after the first packet or Retry.
    pub fn replace_first(&mut self, cid: ConnectionId) {
        if let Some(entry) = self.entries.iter_mut().find(|e| e.seq == 0) {
            entry.cid = cid;
        }
    }

    /// The limit follows a change of our transport parameters before they were sent.
    pub fn set_limit(&mut self, limit: u64) {
        let limit = usize::try_from(limit).unwrap_or(MAX_ACTIVE);
        self.limit = limit.clamp(2, MAX_ACTIVE);
    }

    /// Takes the token of the server's `stateless_reset_token` parameter.
    pub fn set_first_token(&mut self, token: [u8; 16]) {
        self.has_ops = true;
        if let Some(entry) = self.entries.iter_mut().find(|e| e.seq == 0) {
            entry.token = Some(token);
        }
    }

    /// The id with this sequence number, if it was not retired.
    pub fn get(&self, seq: u64) -> Option<ConnectionId> {
        self.entries.iter().find(|e| e.seq == seq).map(|e| e.cid)
    }

    /// Whether the peer asked for packets without a connection id.
    pub fn is_zero_length(&self) -> bool {
        self.entries.iter().any(|e| e.cid.as_slice().is_empty())
    }

    /// NEW_CONNECTION_ID arrived. `prior_to <= seq` was checked by the parser.
    pub fn on_new(
        &mut self,
        seq: u64,
        prior_to: u64,
        cid: ConnectionId,
        token: [u8; 16],
    ) -> Result<(), TransportError> {
        // RFC 9000 19.15 #3
        if self.is_zero_length() {
            return Err(TransportError::protocol_violation(
                "new connection id for a zero-length one",
            ));
        }
        self.check_repeated(seq, cid, token)?;
        // RFC 9000 19.15 #8
        if prior_to > self.retire_prior_to {
            self.retire_below(prior_to)?;
        }
        // RFC 9000 19.15 #4
        if self.seen.contains(seq) {
            return Ok(());
        }
        self.seen.insert(seq)?;
        // RFC 9000 19.15 #9
        if seq < self.retire_prior_to {
            return self.push_retiring(seq);
        }
        // RFC 9000 5.1.1 #6
        if self.entries.len() >= self.limit {
            return Err(TransportError::connection_id_limit(
                "more connection ids than allowed",
            ));
        }
        self.entries
            .try_push(Entry {
                seq,
                cid,
                token: Some(token),
                in_use: false,
                reset: Reset::Unused,
            })
            .map_err(|_| AllocError)?;
        Ok(())
    }

    // RFC 9000 19.15 #5
    fn check_repeated(
        &self,
        seq: u64,
        cid: ConnectionId,
        token: [u8; 16],
    ) -> Result<(), TransportError> {
        let is_contradicted = self.entries.iter().any(|e| {
            let same_token = e.token.is_some_and(|known| ct_eq(&known, &token));
            let same = [e.seq == seq, e.cid == cid, same_token];
            // The first id has no token of its own in a NEW_CONNECTION_ID frame.
            let all = e.seq == seq && e.cid == cid && (same_token || e.token.is_none());
            same.contains(&true) && !all
        });
        if is_contradicted {
            return Err(TransportError::protocol_violation(
                "connection id issued with contradicting values",
            ));
        }
        Ok(())
    }

    // RFC 9000 10.3.1 #3
    fn forget_token(&mut self, entry: &Entry) -> Result<(), TransportError> {
        if let (Some(token), Reset::Present(remote)) = (entry.token, entry.reset) {
            self.has_ops = true;
            self.stale
                .try_push((token, remote))
                .map_err(|_| AllocError)?;
        }
        Ok(())
    }

    /// Takes the lowest unused id into use for a path and returns its number. A peer with
    /// zero-length ids always has one.
    pub fn take_unused(&mut self) -> Option<u64> {
        if self.is_zero_length() {
            return Some(0);
        }
        let entry = self
            .entries
            .iter_mut()
            .filter(|e| !e.in_use)
            .min_by_key(|e| e.seq)?;
        entry.in_use = true;
        Some(entry.seq)
    }

    /// Takes exactly this id into use; false if it is not there or already used.
    pub fn take(&mut self, seq: u64) -> bool {
        match self.entries.iter_mut().find(|e| e.seq == seq) {
            Some(entry) if !entry.in_use => {
                entry.in_use = true;
                true
            }
            _ => false,
        }
    }

    /// The smallest number in store that is not below `seq`.
    pub fn at_least(&self, seq: u64) -> Option<u64> {
        let seqs = self.entries.iter().map(|e| e.seq);
        seqs.filter(|known| *known >= seq).min()
    }

    /// The id `seq` is used towards `remote` from now on: its reset token becomes valid.
    pub fn on_used(&mut self, seq: u64, remote: SocketAddr) -> Result<(), TransportError> {
        let Some(entry) = self.entries.iter_mut().find(|e| e.seq == seq) else {
            return Ok(());
        };
        self.has_ops = true;
        match (entry.reset, entry.token) {
            (Reset::Present(known), _) if known == remote => {}
            (Reset::Present(known), Some(token)) => {
                entry.reset = Reset::Add(remote);
                self.stale
                    .try_push((token, known))
                    .map_err(|_| AllocError)?;
            }
            _ => entry.reset = Reset::Add(remote),
        }
        Ok(())
    }

    /// Whether `tail`, the end of a datagram, is the reset token of an id in use. The time taken
    /// does not depend on the token's value.
    // RFC 9000 10.3.1 #3
    // RFC 9000 10.3.1 #4
    pub fn is_reset(&self, tail: &[u8; 16]) -> bool {
        self.entries
            .iter()
            .filter(|e| e.reset != Reset::Unused)
            .filter_map(|e| e.token.as_ref())
            .fold(false, |found, token| found | ct_eq(token, tail))
    }

    /// The next change for the glue's table of reset tokens.
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
        if let Some((token, remote)) = self.stale.pop() {
            return Some(CidOp::RemoveReset { token, remote });
        }
        for entry in self.entries.iter_mut() {
            if let (Some(token), Reset::Add(remote)) = (entry.token, entry.reset) {
                entry.reset = Reset::Present(remote);
                return Some(CidOp::AddReset { token, remote });
            }
        }
        None
    }

    /// Sequence numbers of the ids in store, for the user's inquiry: smallest and largest.
    pub fn bounds(&self) -> (u64, u64) {
        let seqs = || self.entries.iter().map(|e| e.seq);
        (seqs().min().unwrap_or(0), seqs().max().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests;
