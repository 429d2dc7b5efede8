// SPDX-License-Identifier: GPL-2.0

//! Telling the peer which of its limits stop the application (RFC 9000 4.1 and 4.6).
//!
//! The peer is told once for each limit, when the application runs into it. A connection that
//! would fall silent for it repeats that by a timer, so that the peer does not take it for idle.

#![forbid(unsafe_code)]

use super::Streams;
use crate::common::id::{
    Dir,
    StreamId, //
};

impl Streams {
    /// Notes that the application has more to write on a stream than the credit allows, so that
    /// the peer is told, once for each limit.
    pub fn note_data_blocked(&mut self, id: StreamId) {
        // RFC 9000 19.12 #1, RFC 9000 4.1 #4
        self.pending.data_blocked |= self.send_credit.note_blocked();
        self.may_be_blocked = true;
        let Some(stream) = self.table.get_mut(id) else {
            return;
        };
        // RFC 9000 19.13 #1
        if let Some(send) = &mut stream.send {
            if send.is_writable() && send.credit_mut().note_blocked() {
                stream.control.blocked = true;
                self.schedule_control(id);
            }
        }
    }

    /// Notes that the application wants to open a stream above the peer's limit, so that the peer
    /// is told, once for each limit.
    pub fn note_streams_blocked(&mut self, dir: Dir) {
        if self.own.get(dir).is_full() && !self.parked {
            // It is not the peer that stops the application.
            return;
        }
        // RFC 9000 4.6 #5, RFC 9000 19.14 #1
        if self.allowed.get_mut(dir).note_wanting() {
            *self.pending.streams_blocked.get_mut(dir) = true;
        }
        self.may_be_blocked = true;
    }

    /// A caller waits to open a stream above the peer's limit, until [`Self::stop_wanting`].
    pub fn start_wanting(&mut self, dir: Dir) {
        let wanting = self.wanting.get_mut(dir);
        *wanting = wanting.saturating_add(1);
        self.note_streams_blocked(dir);
    }

    /// It waits no longer, whether it has got a stream or not. When none is left that does, the peer
    /// is not told any more: a limit that never rises must not keep the connection open for ever.
    pub fn stop_wanting(&mut self, dir: Dir) {
        let wanting = self.wanting.get_mut(dir);
        *wanting = wanting.saturating_sub(1);
        // What waits above the limit since early data was rejected goes on wanting.
        if *wanting == 0 && !self.parked {
            self.allowed.get_mut(dir).forget_wanting();
            *self.pending.streams_blocked.get_mut(dir) = false;
        }
    }

    /// Notes that a stream has something to send but may not, since the limit fell with rejected
    /// early data. As long as the peer's limits are not known there is nothing to tell it.
    pub(super) fn note_above_limit(&mut self, id: StreamId) {
        self.parked = true;
        if self.peer_params.is_some() {
            self.note_streams_blocked(id.dir());
        }
    }

    /// Whether the application was found to be blocked, and may be so still.
    pub fn may_be_blocked(&self) -> bool {
        self.may_be_blocked
    }

    /// Tells the peer again what blocks this side: by one frame what stops data, by another for
    /// each type of streams what stops opening them. To be called when the connection is idle but
    /// for that, so that the peer keeps it open. Afterwards there is something to send, or
    /// [`Self::may_be_blocked`] is false. O(n) in the number of streams.
    // RFC 9000 4.1 #5
    pub fn resignal_blocked(&mut self) {
        let mut any = false;
        for dir in [Dir::Bidi, Dir::Uni] {
            if self.allowed.get(dir).blocked().is_some() {
                *self.pending.streams_blocked.get_mut(dir) = true;
                any = true;
            }
        }
        if self.send_credit.blocked().is_some() {
            self.pending.data_blocked = true;
            any = true;
        } else if let Some(id) = self.first_blocked() {
            if let Some(stream) = self.table.get_mut(id) {
                stream.control.blocked = true;
            }
            self.schedule_control(id);
            any = true;
        }
        self.may_be_blocked = any;
    }

    /// The first stream that its own credit blocks. One above the limit of streams may not say so:
    /// for it STREAMS_BLOCKED speaks.
    fn first_blocked(&self) -> Option<StreamId> {
        let found = self.table.iter().find(|(id, stream)| {
            let send = stream.send.as_ref();
            send.is_some_and(|send| send.is_writable() && send.credit().blocked().is_some())
                && self.is_allowed(*id)
        });
        found.map(|(id, _)| id)
    }
}
