// SPDX-License-Identifier: GPL-2.0

//! The columns "Pkts" and "Spec" of the table in RFC 9000 section 12.4.

#![forbid(unsafe_code)]

use super::{
    CloseFrame,
    Frame, //
};
use crate::common::Level;

impl Frame<'_> {
    /// True when a packet with this frame asks for an acknowledgement (not marked `N`).
    pub const fn is_ack_eliciting(&self) -> bool {
        // RFC 9000 19.21 #4: frames of extensions are.
        !matches!(
            self,
            Frame::Padding { .. } | Frame::Ack(_) | Frame::ConnectionClose(_)
        )
    }

    /// True when the frame may be in a packet that probes a path (marked `P`).
    pub const fn is_probing(&self) -> bool {
        matches!(
            self,
            Frame::Padding { .. }
                | Frame::NewConnectionId(_)
                | Frame::PathChallenge { .. }
                | Frame::PathResponse { .. }
        )
    }

    /// True when a packet with this frame counts as bytes in flight: one that asks for an
    /// acknowledgement or has PADDING (RFC 9002 section 2).
    // RFC 9000 19.21 #3
    pub const fn is_in_flight(&self) -> bool {
        self.is_ack_eliciting() || matches!(self, Frame::Padding { .. })
    }

    /// True when the frame may be in a packet of this level; anything else is a
    /// PROTOCOL_VIOLATION of the peer.
    // RFC 9000 12.4 #3, RFC 9000 12.5 #3, RFC 9000 12.5 #5, RFC 9000 12.5 #6, RFC 9000 17.2.4 #2,
    // RFC 9001 8.3 #2
    pub const fn allowed_in(&self, level: Level) -> bool {
        match self {
            Frame::Padding { .. } | Frame::Ping => true,
            Frame::Ack(_) | Frame::Crypto(_) => !matches!(level, Level::Early),
            Frame::ConnectionClose(CloseFrame { app: false, .. }) => true,
            Frame::NewToken { .. } | Frame::PathResponse { .. } | Frame::HandshakeDone => {
                matches!(level, Level::App)
            }
            // A client that sends 0-RTT was issued no connection id yet that it could retire.
            Frame::RetireConnectionId { .. } => matches!(level, Level::App),
            // min_ack_delay is not remembered, so 0-RTT cannot have these (section 3 of the draft).
            Frame::AckFrequency(_) | Frame::ImmediateAck => matches!(level, Level::App),
            _ => matches!(level, Level::Early | Level::App),
        }
    }
}
