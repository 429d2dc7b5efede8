// SPDX-License-Identifier: GPL-2.0

//! The sending part of a stream: state, bytes, FIN, reset and the stream's own credit.

#![forbid(unsafe_code)]

mod reset;

use super::{
    flow::SendCredit,
    send_buffer::SendBuffer,
    send_state::{
        SendEvent,
        SendState, //
    }, //
};
use crate::{
    buf::Chunk,
    common::error::Error, //
};
use core::ops::Range;
use reset::Reset;

/// Where the FIN is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fin {
    /// The application may write more.
    Open,
    /// To be sent, for the first time or again.
    Pending,
    /// In a packet.
    Sent,
    /// The peer has it.
    Acked,
}

/// A STREAM frame to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Offsets of the bytes; may be empty if `fin` is set.
    pub range: Range<u64>,
    /// Whether the stream ends behind them.
    pub fin: bool,
}

/// What [`SendHalf::forget_sent`] takes back, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// Had been sent.
    pub sent: u64,
    /// Of these, will never be sent: the credit is free for others.
    pub given_back: u64,
}

/// The sending part of a stream.
#[derive(Debug)]
pub struct SendHalf {
    state: SendState,
    buffer: SendBuffer,
    credit: SendCredit,
    fin: Fin,
    reset: Option<Reset>,
}

impl SendHalf {
    /// A new part that may send `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            state: SendState::Ready,
            buffer: SendBuffer::default(),
            credit: SendCredit::new(limit),
            fin: Fin::Open,
            reset: None,
        }
    }

    /// State of RFC 9000 3.1.
    pub fn state(&self) -> SendState {
        self.state
    }

    /// The retained bytes.
    pub fn buffer(&self) -> &SendBuffer {
        &self.buffer
    }

    /// The credit granted for this stream.
    pub fn credit(&self) -> &SendCredit {
        &self.credit
    }

    /// The credit granted for this stream, to be changed.
    pub fn credit_mut(&mut self) -> &mut SendCredit {
        &mut self.credit
    }

    /// Whether the application may write: neither FIN nor reset was asked for.
    pub fn is_writable(&self) -> bool {
        let is_open = matches!(self.state, SendState::Ready | SendState::Send);
        is_open && self.fin == Fin::Open && self.reset.is_none()
    }

    /// Whether nothing was written or sent yet.
    pub fn is_unused(&self) -> bool {
        self.state == SendState::Ready && self.fin == Fin::Open && self.buffer.end() == 0
    }

    /// Whether the application has written the end of the stream.
    pub fn is_ended(&self) -> bool {
        self.fin != Fin::Open && self.reset.is_none()
    }

    /// Whether the FIN was asked for and is not in a packet.
    pub fn is_fin_pending(&self) -> bool {
        self.fin == Fin::Pending && self.state.may_send_data()
    }

    /// The stream's final size as far as it is fixed.
    pub fn final_size(&self) -> u64 {
        self.reset
            .map_or(self.buffer.end(), |reset| reset.final_size)
    }

    /// Error code of a reset.
    pub fn reset_code(&self) -> u64 {
        self.reset.map_or(0, |reset| reset.code)
    }

    /// Queues bytes behind those written before. Takes credit of the stream at once; the caller
    /// takes the connection's.
    pub fn queue(&mut self, chunk: Chunk, fin: bool) -> Result<(), (Error, Chunk)> {
        let len = chunk.len() as u64;
        if !self.is_writable() {
            return Err((Error::Invalid, chunk));
        }
        if len == 0 && !fin {
            return Err((Error::MsgSize, chunk));
        }
        // RFC 9000 2.2 #4, RFC 9000 4.1 #1, RFC 9000 19.10 #3
        if len > self.credit.available() {
            return Err((Error::NoCredit, chunk));
        }
        if len > 0 {
            self.buffer
                .push(chunk)
                .map_err(|chunk| (Error::NoMemory, chunk))?;
            self.credit.take(len);
        }
        if fin {
            self.fin = Fin::Pending;
        }
        Ok(())
    }

    /// Ends the stream behind what was written.
    pub fn finish(&mut self) -> Result<(), Error> {
        if !self.is_writable() {
            return Err(Error::Invalid);
        }
        self.fin = Fin::Pending;
        Ok(())
    }

    /// Whether a STREAM frame can be written, if the connection lets `fresh` new bytes go.
    pub fn can_send(&self, fresh: u64) -> bool {
        if !self.state.may_send_data() {
            return false;
        }
        let limit = self.limit(fresh);
        self.buffer.has_lost()
            || self.buffer.next_offset() < limit.min(self.buffer.end())
            || (self.fin == Fin::Pending && self.buffer.is_sent())
    }

    /// The next STREAM frame, if the connection lets `fresh` new bytes go; the caller may cut it.
    pub fn next_segment(&mut self, fresh: u64) -> Option<Segment> {
        if !self.state.may_send_data() {
            return None;
        }
        let limit = self.limit(fresh);
        let end = self.buffer.end();
        let fin = self.fin == Fin::Pending;
        match self.buffer.next_range(limit) {
            Some(range) => Some(Segment {
                // The FIN waits until all before it is in packets: then DataSent is true.
                fin: fin && range.end == end,
                range,
            }),
            None if fin && self.buffer.is_sent() => Some(Segment {
                range: end..end,
                fin: true,
            }),
            None => None,
        }
    }

    /// Notes that `segment`, possibly cut, is in a packet. Returns how many bytes of it were sent
    /// for the first time.
    pub fn on_sent(&mut self, segment: &Segment) -> u64 {
        let before = self.buffer.sent();
        self.buffer.on_sent(&segment.range);
        let event = if segment.fin {
            self.fin = Fin::Sent;
            SendEvent::FinSent
        } else {
            SendEvent::FrameSent
        };
        self.advance(event);
        self.buffer.sent().saturating_sub(before)
    }

    /// Notes that STREAM_DATA_BLOCKED is in a packet.
    pub fn on_blocked_sent(&mut self) {
        self.advance(SendEvent::FrameSent);
    }

    /// Notes an acknowledged STREAM frame. Returns whether the stream is now wholly acknowledged; a
    /// chunk that is no longer needed goes to `spare`.
    pub fn on_acked(&mut self, range: &Range<u64>, fin: bool, spare: &mut Option<Chunk>) -> bool {
        if let Some(chunk) = self.buffer.on_acked(range) {
            *spare = Some(chunk);
        }
        if fin && self.fin != Fin::Open {
            self.fin = Fin::Acked;
        }
        self.finish_acked()
    }

    /// Ends the stream if all is acknowledged that has to be.
    fn finish_acked(&mut self) -> bool {
        let is_end_acked = match self.reset {
            Some(reset) => reset.is_acked,
            None => self.fin == Fin::Acked,
        };
        is_end_acked && self.buffer.is_acked() && self.advance(SendEvent::AllAcked)
    }

    /// Notes a lost STREAM frame. A stream that was reset sends none again (RFC 9000 3.3 #2).
    pub fn on_lost(&mut self, range: &Range<u64>, fin: bool) {
        if !self.state.may_send_data() {
            return;
        }
        self.buffer.on_lost(range);
        // The frame of a reset says where the stream ends, too.
        if fin && self.fin == Fin::Sent && self.reset.is_none() {
            self.fin = Fin::Pending;
        }
    }

    /// Forgets that anything was sent, because the peer rejected early data. `is_unknown` if
    /// that is all that was sent.
    pub fn forget_sent(&mut self, is_unknown: bool) -> Forgotten {
        // All data has to go once more, and its end behind it.
        if self.reset.is_none() {
            if self.fin == Fin::Sent {
                self.fin = Fin::Pending;
            }
            if self.state == SendState::DataSent {
                self.state = SendState::Send;
            }
        }
        let given_back = self.forget_final_size(is_unknown);
        Forgotten {
            sent: self.buffer.forget_sent().saturating_add(given_back),
            given_back,
        }
    }

    /// Offset below which new bytes may be sent.
    fn limit(&self, fresh: u64) -> u64 {
        self.buffer
            .sent()
            .saturating_add(fresh)
            .min(self.credit.limit())
    }

    fn advance(&mut self, event: SendEvent) -> bool {
        match self.state.after(event) {
            Some(state) => {
                self.state = state;
                true
            }
            None => false,
        }
    }
}
