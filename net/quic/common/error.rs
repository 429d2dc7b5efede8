// SPDX-License-Identifier: GPL-2.0

//! The two kinds of errors: what is told to the peer, and what is told to the caller.
//!
//! A [`TransportError`] ends the connection with a CONNECTION_CLOSE frame.  An [`Error`] is the
//! answer to a local call and maps one to one to an errno in the glue.

#![forbid(unsafe_code)]

use crate::mem::{
    AllocError,
    PushError, //
};
use core::fmt;

/// A transport error code (RFC 9000 section 20.1), or an application's in a 0x1d frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u64);

/// Declares the codes with their names and one constructor of [`TransportError`] each.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $ctor:ident;)*) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: ErrorCode = ErrorCode($code);)*

            /// The name of the code in the RFC.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($code => stringify!($name),)*
                    0x100..=0x1ff => "CRYPTO_ERROR",
                    _ => "unknown",
                }
            }
        }

        impl TransportError {
            $(
                #[doc = concat!("An error of code ", stringify!($name), ".")]
                pub const fn $ctor(reason: &'static str) -> TransportError {
                    TransportError::new(ErrorCode::$name, reason)
                }
            )*
        }
    };
}

codes! {
    /// An abrupt close without an error.
    NO_ERROR = 0x00, no_error;
    /// The endpoint encountered an internal error.
    INTERNAL_ERROR = 0x01, internal;
    /// The server refuses the connection.
    CONNECTION_REFUSED = 0x02, connection_refused;
    /// More data than the limits permit.
    FLOW_CONTROL_ERROR = 0x03, flow_control;
    /// More streams than the limit permits.
    STREAM_LIMIT_ERROR = 0x04, stream_limit;
    /// A frame for a stream in a state that does not permit it.
    STREAM_STATE_ERROR = 0x05, stream_state;
    /// The final size changed or was exceeded.
    FINAL_SIZE_ERROR = 0x06, final_size;
    /// A frame that is badly formatted.
    FRAME_ENCODING_ERROR = 0x07, frame_encoding;
    /// Bad transport parameters.
    TRANSPORT_PARAMETER_ERROR = 0x08, transport_parameter;
    /// More connection ids than the limit permits.
    CONNECTION_ID_LIMIT_ERROR = 0x09, connection_id_limit;
    /// An error that no other code describes.
    PROTOCOL_VIOLATION = 0x0a, protocol_violation;
    /// The token of a client Initial is not valid.
    INVALID_TOKEN = 0x0b, invalid_token;
    /// The application closed during the handshake.
    APPLICATION_ERROR = 0x0c, application;
    /// More CRYPTO data than can be buffered.
    CRYPTO_BUFFER_EXCEEDED = 0x0d, crypto_buffer_exceeded;
    /// An error in a key update.
    KEY_UPDATE_ERROR = 0x0e, key_update;
    /// The limit of the AEAD is reached.
    AEAD_LIMIT_REACHED = 0x0f, aead_limit_reached;
    /// The path cannot support QUIC.
    NO_VIABLE_PATH = 0x10, no_viable_path;
    /// Version negotiation failed (RFC 9368 section 10.2).
    VERSION_NEGOTIATION_ERROR = 0x11, version_negotiation;
}

impl ErrorCode {
    /// The code of a TLS alert (RFC 9001 section 4.8).
    // RFC 9001 4.8 #1
    pub const fn crypto(alert: u8) -> ErrorCode {
        ErrorCode(0x100 | alert as u64)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:#x})", self.name(), self.0)
    }
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportError {
    /// The code told to the peer.
    pub code: ErrorCode,
    /// The type of the frame that caused it; zero when none is known.
    pub frame: u64,
    /// A phrase for people.
    pub reason: &'static str,
}

impl TransportError {
    /// An error without a frame.
    pub const fn new(code: ErrorCode, reason: &'static str) -> TransportError {
        TransportError {
            code,
            frame: 0,
            reason,
        }
    }

    /// An error of TLS, by the number of its alert.
    pub const fn crypto(alert: u8, reason: &'static str) -> TransportError {
        TransportError::new(ErrorCode::crypto(alert), reason)
    }

    /// The same error, caused by a frame of type `frame`.  A frame named before stays.
    #[must_use]
    pub const fn in_frame(self, frame: u64) -> TransportError {
        TransportError {
            frame: if self.frame == 0 { frame } else { self.frame },
            ..self
        }
    }
}

// A connection that cannot go on for want of memory says so with INTERNAL_ERROR.
impl From<AllocError> for TransportError {
    fn from(_: AllocError) -> Self {
        TransportError::internal("out of memory")
    }
}

impl<T> From<PushError<T>> for TransportError {
    fn from(_: PushError<T>) -> Self {
        TransportError::from(AllocError)
    }
}

/// Why a local call failed; the glue maps each to the errno named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// EINVAL: an argument or the state does not permit it.
    Invalid,
    /// EAGAIN: would have to wait.
    WouldBlock,
    /// ENOSPC: no flow-control credit.
    NoCredit,
    /// ENOSTR: the stream is gone.
    Released,
    /// EPIPE: the connection or this direction is closed.
    Closed,
    /// ENOTCONN: not connected.
    NotConnected,
    /// EMSGSIZE: too large for a datagram.
    MsgSize,
    /// ENOMEM: no memory.
    NoMemory,
    /// EBUSY: under way already.
    Busy,
    /// EOPNOTSUPP: the peer does not take it.
    Unsupported,
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        Error::NoMemory
    }
}

impl<T> From<PushError<T>> for Error {
    fn from(_: PushError<T>) -> Self {
        Error::NoMemory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_become_codes_of_the_crypto_range() {
        // RFC 9001 4.8 #1 test
        assert_eq!(ErrorCode::crypto(0x78), ErrorCode(0x178));
        assert_eq!(
            format!("{:?}", ErrorCode::crypto(10)),
            "CRYPTO_ERROR(0x10a)"
        );
    }

    #[test]
    fn the_innermost_frame_is_named() {
        let error = TransportError::flow_control("too much")
            .in_frame(8)
            .in_frame(6);
        assert_eq!(
            (error.code, error.frame),
            (ErrorCode::FLOW_CONTROL_ERROR, 8)
        );
        assert_eq!(
            TransportError::from(AllocError).code,
            ErrorCode::INTERNAL_ERROR
        );
    }
}
