// SPDX-License-Identifier: LGPL-2.1-or-later
//! Why an operation failed, in terms a person can act on.
//!
//! Everything that blocks returns [`Error`]. Streams implement [`std::io::Read`] and
//! [`std::io::Write`], so they return [`std::io::Error`] whose inner error is an [`Error`]
//! (see [`Error::from_io`]).

use std::{
    fmt,
    io, //
};

mod alert;
mod certificate;
mod close;

pub use alert::Alert;
pub use certificate::{
    CertificateError,
    CertificateProblem, //
};
pub use close::CloseReason;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The running kernel has no QUIC socket: the module `quic` is neither loaded nor loadable.
    Unavailable(io::Error),
    /// A file, an address or a value given by the caller cannot be used. Nothing was sent.
    Config(String),
    /// A system call failed. The first field says what was being done.
    Io(&'static str, io::Error),
    /// The peer's certificate was refused by this side.
    Certificate(CertificateError),
    /// The TLS handshake failed on this side. The alert, if any, was sent to the peer.
    Tls {
        /// The alert that tells the peer why.
        alert: Option<Alert>,
        /// What GnuTLS says about it.
        reason: String,
    },
    /// The peer ended the TLS handshake with an alert.
    PeerAlert(Alert, CloseReason),
    /// The connection ended: closed by the peer or by a transport error.
    Closed(CloseReason),
    /// The connection ended because nothing came from the peer for as long as the idle time-out,
    /// [`TransportParams::max_idle_timeout`](crate::TransportParams::max_idle_timeout) of one side.
    IdleTimeout,
    /// This side has closed the connection already.
    LocallyClosed,
    /// The peer reset the stream with this application error code.
    Reset(u64),
    /// The peer asked to stop sending on the stream with this application error code.
    Stopped(u64),
    /// The time given for the operation ran out. The field says which operation.
    Timeout(&'static str),
}

impl Error {
    /// The [`Error`] within an [`io::Error`] that a stream returned, if there is one.
    pub fn from_io(err: &io::Error) -> Option<&Error> {
        err.get_ref().and_then(|inner| inner.downcast_ref())
    }

    /// The TLS alert behind this error, whichever side sent it.
    pub fn alert(&self) -> Option<Alert> {
        match self {
            Error::Certificate(err) => Some(err.alert()),
            Error::Tls { alert, .. } => *alert,
            Error::PeerAlert(alert, _) => Some(*alert),
            _ => None,
        }
    }

    /// The [`io::ErrorKind`] that fits best.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Error::Unavailable(_) => io::ErrorKind::Unsupported,
            Error::Config(_) => io::ErrorKind::InvalidInput,
            Error::Io(_, err) => err.kind(),
            Error::Certificate(_) | Error::Tls { .. } => io::ErrorKind::InvalidData,
            Error::PeerAlert(..) => io::ErrorKind::ConnectionRefused,
            Error::Closed(_) => io::ErrorKind::ConnectionAborted,
            Error::LocallyClosed => io::ErrorKind::NotConnected,
            Error::Reset(_) => io::ErrorKind::ConnectionReset,
            Error::Stopped(_) => io::ErrorKind::BrokenPipe,
            Error::IdleTimeout | Error::Timeout(_) => io::ErrorKind::TimedOut,
        }
    }

    /// A copy for another waiter on the same connection. System errors keep their number only.
    pub(crate) fn duplicate(&self) -> Error {
        let copy = |err: &io::Error| match err.raw_os_error() {
            Some(errno) => io::Error::from_raw_os_error(errno),
            None => io::Error::new(err.kind(), err.to_string()),
        };
        match self {
            Error::Unavailable(err) => Error::Unavailable(copy(err)),
            Error::Config(text) => Error::Config(text.clone()),
            Error::Io(what, err) => Error::Io(what, copy(err)),
            Error::Certificate(err) => Error::Certificate(err.clone()),
            Error::Tls { alert, reason } => Error::Tls {
                alert: *alert,
                reason: reason.clone(),
            },
            Error::PeerAlert(alert, reason) => Error::PeerAlert(*alert, reason.clone()),
            Error::Closed(reason) => Error::Closed(reason.clone()),
            Error::IdleTimeout => Error::IdleTimeout,
            Error::LocallyClosed => Error::LocallyClosed,
            Error::Reset(code) => Error::Reset(*code),
            Error::Stopped(code) => Error::Stopped(*code),
            Error::Timeout(what) => Error::Timeout(what),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unavailable(err) => write!(
                f,
                "this kernel has no QUIC sockets ({err}); is the module loaded? (modprobe quic)"
            ),
            Error::Config(text) => f.write_str(text),
            Error::Io(what, err) => write!(f, "{what}: {err}"),
            Error::Certificate(err) => err.fmt(f),
            Error::Tls {
                alert: Some(alert),
                reason,
            } => write!(f, "TLS handshake failed: {reason} (sent alert: {alert})"),
            Error::Tls {
                alert: None,
                reason,
            } => write!(f, "TLS handshake failed: {reason}"),
            Error::PeerAlert(alert, reason) => {
                write!(f, "the peer refused the handshake: {alert}")?;
                match reason.phrase.as_str() {
                    "" => Ok(()),
                    phrase => write!(f, " ({phrase})"),
                }
            }
            Error::Closed(reason) => write!(f, "connection ended: {reason}"),
            Error::IdleTimeout => {
                f.write_str("the connection timed out: nothing came from the peer any more")
            }
            Error::LocallyClosed => f.write_str("the connection was closed by this side"),
            Error::Reset(code) => write!(f, "the peer reset the stream with code {code}"),
            Error::Stopped(code) => {
                write!(f, "the peer stopped reading the stream with code {code}")
            }
            Error::Timeout(what) => write!(f, "timed out: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Unavailable(err) | Error::Io(_, err) => Some(err),
            Error::Certificate(err) => Some(err),
            _ => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(err: Error) -> io::Error {
        io::Error::new(err.kind(), err)
    }
}
