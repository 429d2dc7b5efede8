// SPDX-License-Identifier: GPL-2.0

//! Own ids that the peer is told of: NEW_CONNECTION_ID.

#![forbid(unsafe_code)]

use super::{
    Entry,
    LocalIds,
    Table, //
};
use crate::{
    common::id::ConnectionId,
    packet::stateless::reset_token, //
};

/// Whether the peer knows of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announce {
    /// A NEW_CONNECTION_ID frame has to be sent.
    Pending,
    /// The frame is on its way.
    Sent,
    /// The peer has the id.
    Known,
}

/// A NEW_CONNECTION_ID frame to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// Sequence number of the id.
    pub seq: u64,
    /// Ids below this number are to be retired.
    pub retire_prior_to: u64,
    /// The id.
    pub cid: ConnectionId,
    /// Its stateless reset token.
    pub token: [u8; 16],
}

impl LocalIds {
    /// Whether a NEW_CONNECTION_ID frame can be written.
    pub fn has_pending(&self) -> bool {
        self.entries.iter().any(Self::is_announceable)
    }

    /// The next id to announce.
    pub fn next_announcement(&self) -> Option<Announcement> {
        let entry = self.entries.iter().find(|e| Self::is_announceable(e))?;
        let seq = entry.seq?;
        Some(Announcement {
            seq,
            // RFC 9000 19.15 #6: an id asked back meanwhile is still announced if it was lost; the
            // peer has to retire it.
            retire_prior_to: self.retire_prior_to.min(seq),
            cid: entry.cid,
            token: reset_token(&self.reset_key, &entry.cid),
        })
    }

    /// The announcement of `seq` went out.
    pub fn on_announced(&mut self, seq: u64) {
        self.set_announce(seq, Announce::Sent);
    }

    /// The announcement of `seq` arrived.
    pub fn on_acked(&mut self, seq: u64) {
        self.set_announce(seq, Announce::Known);
    }

    /// The announcement of `seq` was lost; it is sent again unless it has become pointless.
    pub fn on_lost(&mut self, seq: u64) {
        if let Some(entry) = self.entries.iter_mut().find(|e| e.seq == Some(seq)) {
            if entry.announce == Announce::Sent {
                entry.announce = Announce::Pending;
            }
        }
    }

    fn set_announce(&mut self, seq: u64, announce: Announce) {
        if let Some(entry) = self.entries.iter_mut().find(|e| e.seq == Some(seq)) {
            entry.announce = announce;
        }
    }

    fn is_announceable(entry: &Entry) -> bool {
        entry.announce == Announce::Pending && entry.table == Table::Present
    }
}
