// SPDX-License-Identifier: GPL-2.0

//! States of the receiving part of a stream (RFC 9000 3.2).
//!
//! The whole machine is the table in [`RecvState::after`]; an event that does not belong to a
//! state is answered with `None` and changes nothing. A reset that arrives when all data is here
//! is suppressed, as the RFC allows: the application gets the data.

#![forbid(unsafe_code)]

/// State of the receiving part of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecvState {
    /// Data is received.
    Recv,
    /// The final size is known, data is missing.
    SizeKnown,
    /// All data is here; the application has not read all of it.
    DataRecvd,
    /// The application has read everything. Terminal.
    DataRead,
    /// The peer reset the stream.
    ResetRecvd,
    /// The application knows of the reset. Terminal.
    ResetRead,
}

/// What moves the receiving part on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecvEvent {
    /// A STREAM frame with FIN, or a RESET_STREAM_AT frame, named the final size.
    Fin,
    /// No byte below the final size is missing any more.
    AllData,
    /// A RESET_STREAM frame arrived.
    Reset,
    /// The application took everything there was: the data, or the signal of the reset.
    Read,
}

impl RecvState {
    /// The state after `event`, or `None` if the event does not belong to the state.
    pub const fn after(self, event: RecvEvent) -> Option<Self> {
        Some(match (self, event) {
            (Self::Recv | Self::SizeKnown, RecvEvent::Fin) => Self::SizeKnown,
            (Self::SizeKnown, RecvEvent::AllData) => Self::DataRecvd,
            (Self::Recv | Self::SizeKnown, RecvEvent::Reset) => Self::ResetRecvd,
            (Self::DataRecvd, RecvEvent::Read) => Self::DataRead,
            (Self::ResetRecvd, RecvEvent::Read) => Self::ResetRead,
            _ => return None,
        })
    }

    /// Whether nothing more can happen.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::DataRead | Self::ResetRead)
    }

    /// Whether bytes may still be missing: the states in which STOP_SENDING makes sense
    /// (RFC 9000 3.5).
    pub const fn is_receiving(self) -> bool {
        matches!(self, Self::Recv | Self::SizeKnown)
    }

    /// The state's number in the user interface (`enum quic_stream_state`).
    pub const fn number(self) -> u8 {
        match self {
            Self::Recv => 6,
            Self::SizeKnown => 7,
            Self::DataRecvd => 8,
            Self::DataRead => 9,
            Self::ResetRecvd => 10,
            Self::ResetRead => 11,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects)]

    use super::*;
    use core::fmt::Write;
    use std::string::String;

    const STATES: [RecvState; 6] = [
        RecvState::Recv,
        RecvState::SizeKnown,
        RecvState::DataRecvd,
        RecvState::DataRead,
        RecvState::ResetRecvd,
        RecvState::ResetRead,
    ];
    const EVENTS: [RecvEvent; 4] = [
        RecvEvent::Fin,
        RecvEvent::AllData,
        RecvEvent::Reset,
        RecvEvent::Read,
    ];

    // RFC 9000 3.2 #2 test
    #[test]
    fn the_table_of_figure_3() {
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
Recv: Fin>SizeKnown Reset>ResetRecvd
SizeKnown: Fin>SizeKnown AllData>DataRecvd Reset>ResetRecvd
DataRecvd: Read>DataRead
DataRead:
ResetRecvd: Read>ResetRead
ResetRead:
";
        assert_eq!(table, expected);
    }

    #[test]
    fn terminal_states_take_no_event() {
        for state in STATES.into_iter().filter(|state| state.is_terminal()) {
            assert!(EVENTS.iter().all(|event| state.after(*event).is_none()));
        }
    }

    #[test]
    fn numbers_are_those_of_the_user_interface() {
        let numbers: std::vec::Vec<u8> = STATES.iter().map(|state| state.number()).collect();
        assert_eq!(numbers, [6, 7, 8, 9, 10, 11]);
    }
}
