// SPDX-License-Identifier: GPL-2.0

//! The receiving part of a stream: state, bytes, final size, reset and the credit it grants.

#![forbid(unsafe_code)]

use super::{
    assembler::Assembler,
    flow::RecvCredit,
    recv_state::{
        RecvEvent,
        RecvState, //
    }, //
};
use crate::{
    common::{
        error::TransportError,
        varint::VarInt, //
    },
    inqueue::Chain,
};

/// Where a STOP_SENDING frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Not wanted.
    No,
    /// To be sent.
    Pending,
    /// In a packet.
    Sent,
    /// The peer has it.
    Acked,
}

/// A reset by the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerReset {
    /// Application error code.
    pub code: u64,
    /// Bytes that are delivered nevertheless (RESET_STREAM_AT), else 0.
    pub reliable: u64,
}

/// The receiving part of a stream.
#[derive(Debug)]
pub struct RecvHalf {
    state: RecvState,
    data: Assembler,
    credit: RecvCredit,
    final_size: Option<u64>,
    reset: Option<PeerReset>,
    /// Where STOP_SENDING is, and its code. Once it was asked for, data is thrown away.
    stop: Stop,
    stop_code: u64,
    /// End of the bytes that are in the queue of what can be read.
    queued: u64,
    /// Whether the end is in that queue.
    fin_queued: bool,
    /// Whether the application was told that the stream carries data.
    pub(super) is_known: bool,
    /// The latest state the application was told of.
    pub(super) told: Option<RecvState>,
    /// The stream's items in that queue.
    pub(super) chain: Chain,
}

impl RecvHalf {
    /// A new part that grants `window` bytes, at most `max_window` later.
    pub fn new(window: u64, max_window: u64) -> Self {
        Self {
            state: RecvState::Recv,
            data: Assembler::default(),
            credit: RecvCredit::new(window, max_window),
            final_size: None,
            reset: None,
            stop: Stop::No,
            stop_code: 0,
            queued: 0,
            fin_queued: false,
            is_known: false,
            told: None,
            chain: Chain::default(),
        }
    }

    /// State of RFC 9000 3.2.
    pub fn state(&self) -> RecvState {
        self.state
    }

    /// The received bytes.
    pub fn data(&self) -> &Assembler {
        &self.data
    }

    /// The received bytes, to be changed.
    pub fn data_mut(&mut self) -> &mut Assembler {
        &mut self.data
    }

    /// The credit granted.
    pub fn credit(&self) -> &RecvCredit {
        &self.credit
    }

    /// The credit granted, to be changed.
    pub fn credit_mut(&mut self) -> &mut RecvCredit {
        &mut self.credit
    }

    /// Final size, once known.
    pub fn final_size(&self) -> Option<u64> {
        self.final_size
    }

    /// The peer's reset, if one arrived.
    pub fn reset(&self) -> Option<PeerReset> {
        self.reset
    }

    /// Whether arriving data is thrown away because the application does not want it.
    pub fn is_discarding(&self) -> bool {
        self.stop != Stop::No
    }

    /// Where STOP_SENDING is.
    pub fn stop(&self) -> Stop {
        self.stop
    }

    /// Error code of STOP_SENDING.
    pub fn stop_code(&self) -> u64 {
        self.stop_code
    }

    /// Whether a larger limit may be announced: only while the end is unknown (RFC 9000 13.3 #2).
    pub fn may_grant(&self) -> bool {
        self.state == RecvState::Recv && !self.is_discarding()
    }

    /// Checks a frame that covers `start` to `start + len` against the final size and the stream's
    /// credit. Returns how many bytes of credit it uses anew; changes nothing.
    pub fn check(&self, start: u64, len: u64, fin: bool) -> Result<u64, TransportError> {
        // RFC 9000 19.8 #2
        let end = match start.checked_add(len) {
            Some(end) if end <= VarInt::MAX => end,
            _ => return Err(TransportError::frame_encoding("offset beyond 2^62-1")),
        };
        // RFC 9000 4.5 #3, RFC 9000 4.5 #4
        match self.final_size {
            Some(size) if end > size => {
                return Err(TransportError::final_size("data beyond the final size"));
            }
            Some(size) if fin && end != size => {
                return Err(TransportError::final_size("the final size changed"));
            }
            None if fin && end < self.credit.received() => {
                return Err(TransportError::final_size("final size below received data"));
            }
            _ => {}
        }
        let more = end.saturating_sub(self.credit.received());
        self.credit.check(more)?;
        Ok(more)
    }

    /// Notes the final size that [`Self::check`] has let pass.
    pub fn set_final_size(&mut self, size: u64) {
        self.final_size = Some(size);
        self.advance(RecvEvent::Fin);
    }

    /// Notes a reset that [`Self::check`] has let pass. The smaller reliable size counts, and the
    /// code must not change (draft-ietf-quic-reliable-stream-reset, "Multiple frames").
    pub fn set_reset(&mut self, code: u64, reliable: u64) -> Result<(), TransportError> {
        let reliable = match self.reset {
            Some(reset) if reset.code != code => {
                return Err(TransportError::stream_state("the code of a reset changed"));
            }
            Some(reset) => reset.reliable.min(reliable),
            None => reliable,
        };
        self.reset = Some(PeerReset { code, reliable });
        Ok(())
    }

    /// Whether a reset arrived and all that it leaves to be delivered is here, or nobody wants it.
    pub fn is_reset_complete(&self) -> bool {
        let here = self.data.contiguous();
        let enough = |reset: PeerReset| self.is_discarding() || here >= reset.reliable;
        self.state.is_receiving() && self.reset.is_some_and(enough)
    }

    /// Ends the stream by reset. Returns the bytes of credit that nobody will read. Bytes in order
    /// are kept if the reset was to leave some, else `drop_all` throws them away.
    pub fn finish_reset(&mut self, drop_all: bool) -> u64 {
        self.advance(RecvEvent::Reset);
        if drop_all {
            return self.drop_unread();
        }
        self.data.discard_ahead();
        let kept = self
            .data
            .contiguous()
            .saturating_sub(self.data.read_offset());
        let open = self
            .credit
            .received()
            .saturating_sub(self.credit.consumed());
        open.saturating_sub(kept)
    }

    /// Whether all bytes up to the final size are here.
    pub fn is_complete(&self) -> bool {
        self.reset.is_none() && self.final_size == Some(self.data.contiguous())
    }

    /// What has come into order and is not yet in the queue of what can be read: bytes and end.
    pub fn unqueued(&self) -> (u64, bool) {
        let bytes = self.data.contiguous().saturating_sub(self.queued);
        (bytes, self.is_complete() && !self.fin_queued)
    }

    /// Notes that what [`Self::unqueued`] gave is in the queue.
    pub fn on_queued(&mut self) {
        self.queued = self.data.contiguous();
        if self.is_complete() {
            self.fin_queued = true;
            self.advance(RecvEvent::AllData);
        }
    }

    /// Asks the peer to stop. Returns the bytes of credit that nobody will read.
    pub fn stop_sending(&mut self, code: u64) -> u64 {
        self.stop = Stop::Pending;
        self.stop_code = code;
        self.drop_unread()
    }

    /// Moves STOP_SENDING on.
    pub fn set_stop(&mut self, stop: Stop) {
        self.stop = stop;
    }

    /// Ends a part whose data nobody wants once its final size is known and the peer was told.
    pub fn finish_discarding(&mut self) {
        let told = matches!(self.stop, Stop::Sent | Stop::Acked);
        if told && self.state == RecvState::SizeKnown {
            self.advance(RecvEvent::AllData);
            self.advance(RecvEvent::Read);
        }
    }

    /// Notes that the application has read all there was, if it has.
    pub fn finish_reading(&mut self) {
        let nothing_waits = self.chain.is_empty();
        if nothing_waits && !self.state.is_receiving() {
            self.advance(RecvEvent::Read);
        }
    }

    /// Throws away everything held. Returns the bytes of credit that nobody will read.
    fn drop_unread(&mut self) -> u64 {
        self.data.discard();
        self.queued = self.data.contiguous();
        let unread = self
            .credit
            .received()
            .saturating_sub(self.credit.consumed());
        self.credit.on_discarded(unread);
        unread
    }

    fn advance(&mut self, event: RecvEvent) {
        if let Some(state) = self.state.after(event) {
            self.state = state;
        }
    }
}
