// SPDX-License-Identifier: GPL-2.0

//! The end of a connection: closing, draining, closed (RFC 9000 10).
//!
//! [`Closing`] holds why the connection ends and what the peer is told. While closing, the
//! connection answers packets with its CONNECTION_CLOSE again, ever more rarely; while draining it
//! says nothing; after three PTOs it is closed and may be dropped.

#![forbid(unsafe_code)]

use super::event::{
    CloseInfo,
    CloseKind, //
};
use crate::common::time::Instant;

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The handshake is under way.
    Establishing,
    /// Both application secrets are there.
    Established,
    /// This side ended the connection.
    Closing,
    /// The peer ended the connection.
    Draining,
    /// Nothing is sent or received any more.
    Closed,
}

impl State {
    /// Whether data can still be exchanged.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Establishing | Self::Established)
    }
}

/// The ending of a connection.
#[derive(Debug, Default)]
pub struct Closing {
    info: Option<CloseInfo>,
    /// A CONNECTION_CLOSE has to be sent.
    pending: bool,
    /// End of the closing or draining period.
    deadline: Option<Instant>,
    /// Packets received since the last CONNECTION_CLOSE.
    received: u32,
    /// Packets to receive before the next one.
    threshold: u32,
}

impl Closing {
    /// Notes the cause. The first one counts.
    pub fn start(&mut self, info: CloseInfo, announce: bool, deadline: Instant) {
        if self.info.is_some() {
            return;
        }
        self.info = Some(info);
        self.pending = announce;
        self.threshold = 1;
        self.deadline = Some(deadline);
    }

    /// Why the connection ended.
    pub fn info(&self) -> Option<&CloseInfo> {
        self.info.as_ref()
    }

    /// Whether a CONNECTION_CLOSE has to be sent.
    pub fn is_pending(&self) -> bool {
        self.pending
    }

    /// The CONNECTION_CLOSE went out.
    pub fn on_sent(&mut self) {
        self.pending = false;
        self.received = 0;
        self.threshold = self.threshold.saturating_mul(2);
    }

    /// A packet arrived while closing: the first, the second after that, the fourth … is answered.
    // RFC 9000 10.2.1 #1
    pub fn on_packet(&mut self) {
        self.received = self.received.saturating_add(1);
        if self.received >= self.threshold {
            self.pending = true;
        }
    }

    /// When the connection becomes closed.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

/// The wire form of the cause: whether it is the application's, the code, the frame type.
pub(super) fn on_wire(info: &CloseInfo) -> (bool, u64, u64) {
    match info.kind {
        CloseKind::LocalApplication => (true, info.code, 0),
        _ => (false, info.code, info.frame),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    // RFC 9000 10.2.1 #1 test
    #[test]
    fn packets_to_a_closing_connection_are_answered_ever_more_rarely() {
        let mut closing = Closing::default();
        let info = CloseInfo::new(CloseKind::LocalApplication, 3, 0, b"done");
        closing.start(info, true, Instant::from_nanos(5));
        closing.on_sent();
        let mut answered = std::vec::Vec::new();
        for packet in 1..=30 {
            closing.on_packet();
            if closing.is_pending() {
                answered.push(packet);
                closing.on_sent();
            }
        }
        assert_eq!(answered, [2, 6, 14, 30]);
    }

    #[test]
    fn the_first_cause_counts() {
        let mut closing = Closing::default();
        let first = CloseInfo::new(CloseKind::IdleTimeout, 0, 0, b"");
        closing.start(first, false, Instant::from_nanos(5));
        let second = CloseInfo::new(CloseKind::PeerTransport, 7, 0, b"");
        closing.start(second, true, Instant::from_nanos(9));
        assert_eq!(closing.info(), Some(&first));
        assert_eq!(closing.deadline(), Some(Instant::from_nanos(5)));
        assert!(!closing.is_pending());
    }
}
