// SPDX-License-Identifier: GPL-2.0

//! A frame that is sent once and repeated until it is acknowledged.

#![forbid(unsafe_code)]

/// Where such a frame is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Once {
    /// Not to be sent (yet).
    #[default]
    Idle,
    /// To be sent, or to be sent again.
    Pending,
    /// In flight.
    Sent,
    /// Arrived.
    Done,
}

impl Once {
    /// Asks for the frame to be sent, also if an earlier one arrived.
    pub(super) fn request(&mut self) {
        *self = Self::Pending;
    }

    /// The frame went out.
    pub(super) fn on_sent(&mut self) {
        *self = Self::Sent;
    }

    /// A packet with the frame was lost.
    pub(super) fn on_lost(&mut self) {
        if *self == Self::Sent {
            *self = Self::Pending;
        }
    }

    /// A packet with the frame arrived.
    pub(super) fn on_acked(&mut self) {
        if *self != Self::Idle {
            *self = Self::Done;
        }
    }

    /// Whether the frame has to be written.
    pub(super) fn is_pending(self) -> bool {
        self == Self::Pending
    }

    /// Whether the frame is due or in flight.
    pub(super) fn is_under_way(self) -> bool {
        matches!(self, Self::Pending | Self::Sent)
    }
}
