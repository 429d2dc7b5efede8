// SPDX-License-Identifier: GPL-2.0

//! Resets of the sending part of a stream: RESET_STREAM, and RESET_STREAM_AT, which leaves the
//! first bytes to be delivered (draft-ietf-quic-reliable-stream-reset).
//!
//! To the sender the latter is rather a FIN with an error code than a reset: the stream goes on
//! until it and the bytes in front of it are acknowledged.

#![forbid(unsafe_code)]

use super::{
    Fin,
    SendEvent,
    SendHalf,
    SendState, //
};

/// What a RESET_STREAM or RESET_STREAM_AT frame says. It is fixed when the stream is reset, so that
/// the frame never changes (RFC 9000 13.3 #1), but for another one that delivers less, and for one
/// that no server has taken, being early data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    /// Application error code.
    pub code: u64,
    /// Bytes sent before the reset, or to be delivered if that is more.
    pub final_size: u64,
    /// Bytes that are delivered nevertheless; 0 makes it a RESET_STREAM frame.
    pub reliable: u64,
    /// It is in a packet that was not lost.
    is_sent: bool,
    /// The peer has acknowledged it.
    pub(super) is_acked: bool,
}

impl SendHalf {
    /// The reset that was asked for.
    pub fn reset_asked(&self) -> Option<Reset> {
        self.reset
    }

    /// The reset to announce, if the stream was reset and the peer does not know of it. One that
    /// delivers bytes waits until all of them were sent once: then flow control admits its final
    /// size for sure (draft-ietf-quic-reliable-stream-reset 4).
    pub fn reset_to_send(&self) -> Option<Reset> {
        let is_due = match self.state {
            SendState::ResetSent => true,
            state => state.may_send_data() && self.buffer.next_offset() == self.buffer.end(),
        };
        self.reset.filter(|reset| is_due && !reset.is_acked)
    }

    /// Whether a reset that delivers bytes was asked for and is in no packet yet.
    pub fn is_reset_pending(&self) -> bool {
        self.state.may_send_data() && self.reset.is_some_and(|reset| !reset.is_sent)
    }

    /// Abandons the stream but for its first `reliable` bytes, which must have been written.
    /// Returns the bytes of credit that will never be used, or `None` if the state does not allow
    /// it. A stream reset before may only be left to deliver less, with the same code.
    // draft-ietf-quic-reliable-stream-reset 5.2
    pub fn reset(&mut self, code: u64, reliable: u64) -> Option<u64> {
        let differs = |reset: Reset| reset.code != code || reliable >= reset.reliable;
        if reliable > self.buffer.end() || self.reset.is_some_and(differs) {
            return None;
        }
        let state = match reliable {
            0 => self.state.after(SendEvent::Reset)?,
            _ if self.state.may_send_data() => self.state,
            _ => return None,
        };
        let promised = self.final_size();
        let final_size = match self.state {
            // The peer may know it.
            SendState::DataSent => promised,
            _ => self.sent_end().max(reliable),
        };
        let unused = promised.saturating_sub(final_size);
        self.state = state;
        self.buffer.cut(reliable);
        self.credit.give_back(unused);
        if self.fin == Fin::Pending {
            self.fin = Fin::Open;
        }
        self.reset = Some(Reset {
            code,
            final_size,
            reliable,
            is_sent: false,
            is_acked: false,
        });
        Some(unused)
    }

    /// End of what was ever sent, of bytes that are delivered no more as well.
    fn sent_end(&self) -> u64 {
        match self.reset {
            Some(reset) if reset.final_size > reset.reliable => reset.final_size,
            _ => self.buffer.sent(),
        }
    }

    /// The peer has thrown away all that was sent early: a stream that delivers nothing any more
    /// ends where it began, whatever it had promised. `is_unknown` if nothing was sent but early
    /// data; otherwise the peer may know the reset, and what it says stays as it was unless it was
    /// too much (RFC 9000 13.3 #1). Returns the bytes of credit that this frees.
    // RFC 9000 4.1 #1
    pub(super) fn forget_final_size(&mut self, is_unknown: bool) -> u64 {
        let is_free = self.state == SendState::ResetSent;
        let limit = self.credit.limit();
        match &mut self.reset {
            Some(reset)
                if is_free && reset.reliable == 0 && (is_unknown || reset.final_size > limit) =>
            {
                let freed = core::mem::take(&mut reset.final_size);
                self.credit.give_back(freed);
                freed
            }
            _ => 0,
        }
    }

    /// Notes that RESET_STREAM or RESET_STREAM_AT is in a packet.
    pub fn on_reset_sent(&mut self) {
        if let Some(reset) = &mut self.reset {
            reset.is_sent = true;
        }
        // The latter ends the stream as a FIN does; after the former nothing moves.
        self.advance(SendEvent::FinSent);
    }

    /// Notes an acknowledged RESET_STREAM or RESET_STREAM_AT frame that leaves `reliable` bytes to
    /// be delivered. Returns whether that ended the stream.
    // draft-ietf-quic-reliable-stream-reset 5.2: one that left more says nothing.
    pub fn on_reset_acked(&mut self, reliable: u64) -> bool {
        match &mut self.reset {
            Some(reset) if reset.reliable == reliable => reset.is_acked = true,
            _ => return false,
        }
        if reliable == 0 {
            self.advance(SendEvent::ResetAcked)
        } else {
            self.finish_acked()
        }
    }

    /// Notes a lost RESET_STREAM or RESET_STREAM_AT frame that leaves `reliable` bytes to be
    /// delivered. Returns whether it is to be sent again now.
    pub fn on_reset_lost(&mut self, reliable: u64) -> bool {
        match &mut self.reset {
            Some(reset) if reset.reliable == reliable => reset.is_sent = false,
            _ => return false,
        }
        self.reset_to_send().is_some()
    }
}
