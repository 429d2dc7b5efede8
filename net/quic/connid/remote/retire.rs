// SPDX-License-Identifier: GPL-2.0

//! Ids of the peer that are given back: RETIRE_CONNECTION_ID.

#![forbid(unsafe_code)]

use super::{
    RemoteIds,
    MAX_RETIRING, //
};
use crate::{
    common::error::{
        Error,
        TransportError, //
    },
    mem::AllocError, //
};

/// A retirement that the peer has not acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retiring {
    seq: u64,
    sent: bool,
}

impl RemoteIds {
    // RFC 9000 5.1.2 #4
    pub(super) fn retire_below(&mut self, prior_to: u64) -> Result<(), TransportError> {
        self.retire_prior_to = prior_to;
        while let Some(at) = self.entries.iter().position(|e| e.seq < prior_to) {
            let Some(entry) = self.entries.remove(at) else {
                break;
            };
            self.forget_token(&entry)?;
            self.push_retiring(entry.seq)?;
        }
        Ok(())
    }

    /// Retires one id by our own choice. Unknown numbers change nothing.
    pub fn retire(&mut self, seq: u64) -> Result<(), TransportError> {
        let Some(at) = self.entries.iter().position(|e| e.seq == seq) else {
            return Ok(());
        };
        let Some(entry) = self.entries.remove(at) else {
            return Ok(());
        };
        self.forget_token(&entry)?;
        self.push_retiring(seq)
    }

    /// Makes room for [`Self::retire_prior`], and for one id in use elsewhere: none of it fails then.
    /// `WouldBlock` while too many retirements are outstanding, `NoMemory`; nothing else changes.
    pub fn prepare_retirement(&mut self, prior_to: u64) -> Result<(), Error> {
        let count = self.entries.iter().filter(|e| e.seq < prior_to).count();
        if self.retiring.len().saturating_add(count) > MAX_RETIRING {
            return Err(Error::WouldBlock);
        }
        self.retiring.try_reserve(count)?;
        self.stale.try_reserve(count.saturating_add(1))?;
        Ok(())
    }

    /// Retires all ids below `prior_to` by our own choice. Goes through the ids in store: their
    /// numbers are the peer's and may lie 2^62 apart.
    pub fn retire_prior(&mut self, prior_to: u64) -> Result<(), TransportError> {
        while let Some(seq) = self.first_below(prior_to) {
            self.retire(seq)?;
        }
        Ok(())
    }

    fn first_below(&self, prior_to: u64) -> Option<u64> {
        let seqs = self.entries.iter().map(|e| e.seq);
        seqs.filter(|seq| *seq < prior_to).min()
    }

    // RFC 9000 5.1.2 #7
    pub(super) fn push_retiring(&mut self, seq: u64) -> Result<(), TransportError> {
        if self.retiring.iter().any(|r| r.seq == seq) {
            return Ok(());
        }
        if self.retiring.len() >= MAX_RETIRING {
            return Err(TransportError::connection_id_limit(
                "too many retirements outstanding",
            ));
        }
        self.retiring
            .try_push(Retiring { seq, sent: false })
            .map_err(|_| AllocError)?;
        Ok(())
    }

    /// Whether a RETIRE_CONNECTION_ID frame waits.
    pub fn has_pending(&self) -> bool {
        self.retiring.iter().any(|r| !r.sent)
    }

    /// The next number to retire.
    pub fn next_retirement(&self) -> Option<u64> {
        self.retiring.iter().find(|r| !r.sent).map(|r| r.seq)
    }

    /// RETIRE_CONNECTION_ID for `seq` went out.
    pub fn on_retirement_sent(&mut self, seq: u64) {
        self.set_sent(seq, true);
    }

    /// RETIRE_CONNECTION_ID for `seq` was lost.
    pub fn on_lost(&mut self, seq: u64) {
        self.set_sent(seq, false);
    }

    /// RETIRE_CONNECTION_ID for `seq` arrived.
    pub fn on_acked(&mut self, seq: u64) {
        if let Some(at) = self.retiring.iter().position(|r| r.seq == seq) {
            self.retiring.swap_remove(at);
        }
    }

    fn set_sent(&mut self, seq: u64, sent: bool) {
        if let Some(retiring) = self.retiring.iter_mut().find(|r| r.seq == seq) {
            retiring.sent = sent;
        }
    }
}
