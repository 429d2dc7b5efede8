// SPDX-License-Identifier: LGPL-2.1-or-later
//! How a connection ended, as the socket's CONNECTION_CLOSE option tells it.

use std::fmt;

use super::Error;

/// How a connection ended.
///
/// The kernel says whether CONNECTION_CLOSE was of type 0x1c (transport) or 0x1d (application), by
/// `QUIC_INFO_APP_CLOSED`. With one that does not know `QUIC_SOCKOPT_INFO` an established connection
/// whose close names no frame is taken for closed by the application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseReason {
    /// Error code, cut to 32 bits by the socket.
    pub code: u32,
    /// Type of the frame that caused a transport error, 0 if unknown.
    pub frame: u8,
    /// What the closing side wrote, at most 63 bytes. Comes from the peer: escape before display
    /// on a terminal. [`fmt::Display`] of this type does.
    pub phrase: String,
    /// The code is an application's error code, not a transport error code.
    pub application: bool,
    /// The kernel has said so; else `application` is for the caller to guess.
    pub(crate) is_certain: bool,
    /// Nobody has closed it: it has ended by the idle time-out.
    pub(crate) timed_out: bool,
}

impl CloseReason {
    /// The error of those who use the connection.
    pub(crate) fn into_error(self) -> Error {
        match self.timed_out {
            true => Error::IdleTimeout,
            false => Error::Closed(self),
        }
    }

    /// Whether no version was agreed on.
    pub(crate) fn is_version_negotiation(&self) -> bool {
        !self.application && self.code == VERSION_NEGOTIATION_ERROR
    }

    /// Name of a transport error code (RFC 9000 20.1), if it has one.
    pub fn name(&self) -> Option<&'static str> {
        if self.application {
            return None;
        }
        NAMES
            .iter()
            .find(|(code, _)| *code == self.code)
            .map(|(_, name)| *name)
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.application, self.name()) {
            (true, _) => write!(f, "code {}", self.code)?,
            (false, Some(name)) => write!(f, "{name} ({:#x})", self.code)?,
            (false, None) => match super::Alert::from_transport_code(self.code) {
                Some(alert) => write!(f, "TLS alert {alert}")?,
                None => write!(f, "transport error {:#x}", self.code)?,
            },
        }
        if self.frame != 0 {
            write!(f, " in a frame of type {:#x}", self.frame)?;
        }
        match self.phrase.as_str() {
            "" => Ok(()),
            phrase => write!(f, ": {}", phrase.escape_debug()),
        }
    }
}

/// RFC 9368 10.2.
const VERSION_NEGOTIATION_ERROR: u32 = 0x11;

/// Transport error codes of RFC 9000 20.1 and RFC 9368 9.
const NAMES: &[(u32, &str)] = &[
    (0x00, "no error"),
    (0x01, "internal error"),
    (0x02, "connection refused"),
    (0x03, "flow control error"),
    (0x04, "stream limit error"),
    (0x05, "stream state error"),
    (0x06, "final size error"),
    (0x07, "frame encoding error"),
    (0x08, "transport parameter error"),
    (0x09, "connection id limit error"),
    (0x0a, "protocol violation"),
    (0x0b, "invalid token"),
    (0x0c, "application error"),
    (0x0d, "crypto buffer exceeded"),
    (0x0e, "key update error"),
    (0x0f, "AEAD limit reached"),
    (0x10, "no viable path"),
    (0x11, "version negotiation error"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_prints_its_name_only_if_it_came_from_the_transport() {
        let close = |code, frame, application| CloseReason {
            code,
            frame,
            phrase: String::new(),
            application,
            ..CloseReason::default()
        };
        for (reason, text) in [
            (
                close(0x0a, 0x06, false),
                "protocol violation (0xa) in a frame of type 0x6",
            ),
            (close(0x0a, 0, true), "code 10"),
            (
                close(0x178, 0, false),
                "TLS alert no application protocol (120)",
            ),
            (close(0x4444, 0, false), "transport error 0x4444"),
        ] {
            assert_eq!(reason.to_string(), text);
        }
    }

    #[test]
    fn a_time_out_is_no_close_without_an_error() {
        let timed_out = CloseReason {
            timed_out: true,
            ..CloseReason::default()
        };
        let err = timed_out.into_error();
        assert!(matches!(err, Error::IdleTimeout));
        assert_eq!(err.kind(), std::io::ErrorKind::TimedOut);
        assert_eq!(
            err.to_string(),
            "the connection timed out: nothing came from the peer any more"
        );
        let closed = CloseReason::default().into_error();
        assert!(matches!(closed, Error::Closed(_)));
    }

    #[test]
    fn a_phrase_of_the_peer_cannot_steer_a_terminal() {
        let reason = CloseReason {
            phrase: "\x1b[2Jbye".into(),
            application: true,
            ..CloseReason::default()
        };
        assert_eq!(reason.to_string(), "code 0: \\u{1b}[2Jbye");
    }
}
