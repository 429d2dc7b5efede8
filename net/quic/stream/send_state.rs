// SPDX-License-Identifier: GPL-2.0

//! States of the sending part of a stream (RFC 9000 3.1).
//!
//! The whole machine is the table in [`SendState::after`]; an event that does not belong to a
//! state is answered with `None` and changes nothing.

#![forbid(unsafe_code)]

/// State of the sending part of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SendState {
    /// Open; nothing was sent, data may be buffered.
    Ready,
    /// Data or a STREAM_DATA_BLOCKED frame was sent.
    Send,
    /// Everything was sent at least once, the FIN included.
    DataSent,
    /// Everything was acknowledged. Terminal.
    DataRecvd,
    /// Reset; the peer has not acknowledged it.
    ResetSent,
    /// The reset was acknowledged. Terminal.
    ResetRecvd,
}

/// What moves the sending part on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendEvent {
    /// A STREAM frame without FIN or a STREAM_DATA_BLOCKED frame was written to a packet.
    FrameSent,
    /// A STREAM frame with FIN, or a RESET_STREAM_AT frame, was written to a packet.
    FinSent,
    /// All bytes and the FIN, or RESET_STREAM_AT and the bytes it leaves, are acknowledged.
    AllAcked,
    /// The application resets the stream, or the peer asked for that by STOP_SENDING.
    Reset,
    /// The packet with RESET_STREAM was acknowledged.
    ResetAcked,
}

impl SendState {
    /// The state after `event`, or `None` if the event does not belong to the state.
    pub const fn after(self, event: SendEvent) -> Option<Self> {
        Some(match (self, event) {
            (Self::Ready | Self::Send, SendEvent::FrameSent) => Self::Send,
            (Self::DataSent, SendEvent::FrameSent | SendEvent::FinSent) => Self::DataSent,
            (Self::Ready | Self::Send, SendEvent::FinSent) => Self::DataSent,
            (Self::DataSent, SendEvent::AllAcked) => Self::DataRecvd,
            (Self::Ready | Self::Send | Self::DataSent, SendEvent::Reset) => Self::ResetSent,
            (Self::ResetSent, SendEvent::ResetAcked) => Self::ResetRecvd,
            _ => return None,
        })
    }

    /// Whether nothing more can happen.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::DataRecvd | Self::ResetRecvd)
    }

    /// Whether STREAM and STREAM_DATA_BLOCKED frames may be sent (RFC 9000 3.3).
    pub const fn may_send_data(self) -> bool {
        // RFC 9000 3.3 #1, RFC 9000 3.3 #2
        matches!(self, Self::Ready | Self::Send | Self::DataSent)
    }

    /// The state's number in the user interface (`enum quic_stream_state`).
    pub const fn number(self) -> u8 {
        match self {
            Self::Ready => 0,
            Self::Send => 1,
            Self::DataSent => 2,
            Self::DataRecvd => 3,
            Self::ResetSent => 4,
            Self::ResetRecvd => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

    use super::*;
    use core::fmt::Write;
    use std::string::String;

    const STATES: [SendState; 6] = [
        SendState::Ready,
        SendState::Send,
        SendState::DataSent,
        SendState::DataRecvd,
        SendState::ResetSent,
        SendState::ResetRecvd,
    ];
    const EVENTS: [SendEvent; 5] = [
        SendEvent::FrameSent,
        SendEvent::FinSent,
        SendEvent::AllAcked,
        SendEvent::Reset,
        SendEvent::ResetAcked,
    ];

    // RFC 9000 3.1 #1 test
    // RFC 9000 3.3 #1 test
    // RFC 9000 3.3 #2 test
    #[test]
    fn the_table_of_figure_2() {
        let mut table = String::new();
        for state in STATES {
            write!(table, "{state:?}:").unwrap();
            for event in EVENTS {
                if let Some(next) = state.after(event) {
                    write!(table, " {event:?}>{next:?}").unwrap();
                }
            }
            table.push('\n');
        }
        let expected = "\
Ready: FrameSent>Send FinSent>DataSent Reset>ResetSent
Send: FrameSent>Send FinSent>DataSent Reset>ResetSent
DataSent: FrameSent>DataSent FinSent>DataSent AllAcked>DataRecvd Reset>ResetSent
DataRecvd:
ResetSent: ResetAcked>ResetRecvd
ResetRecvd:
";
        assert_eq!(table, expected);
    }

    #[test]
    fn terminal_states_take_no_event_and_send_nothing() {
        for state in STATES.into_iter().filter(|state| state.is_terminal()) {
            assert!(!state.may_send_data());
            assert!(EVENTS.iter().all(|event| state.after(*event).is_none()));
        }
    }

    #[test]
    fn numbers_are_those_of_the_user_interface() {
        let numbers: std::vec::Vec<u8> = STATES.iter().map(|state| state.number()).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    }
}
