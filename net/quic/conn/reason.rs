// SPDX-License-Identifier: GPL-2.0

//! Why a connection ended.

#![forbid(unsafe_code)]

/// Longest reason phrase kept of a CONNECTION_CLOSE (the user interface holds 63 and a NUL).
pub const REASON_MAX: usize = 63;

/// How a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseKind {
    /// The application on this side closed it.
    LocalApplication,
    /// This side found a transport error.
    LocalTransport,
    /// CONNECTION_CLOSE of type 0x1d arrived.
    PeerApplication,
    /// CONNECTION_CLOSE of type 0x1c arrived.
    PeerTransport,
    /// Nothing was heard for the negotiated idle time-out.
    IdleTimeout,
    /// A stateless reset arrived.
    StatelessReset,
    /// Version negotiation found no version in common.
    VersionNegotiation,
}

/// The cause of a connection's end, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseInfo {
    /// Who ended the connection and how.
    pub kind: CloseKind,
    /// Transport or application error code, as on the wire.
    pub code: u64,
    /// Type of the frame that caused a transport error, 0 when unknown.
    pub frame: u64,
    reason: [u8; REASON_MAX],
    reason_len: u8,
}

impl CloseInfo {
    /// A cause with as much of `reason` as fits.
    pub fn new(kind: CloseKind, code: u64, frame: u64, reason: &[u8]) -> Self {
        let mut kept = [0u8; REASON_MAX];
        let mut len = 0u8;
        for (to, from) in kept.iter_mut().zip(reason) {
            *to = *from;
            len = len.saturating_add(1);
        }
        Self {
            kind,
            code,
            frame,
            reason: kept,
            reason_len: len,
        }
    }

    /// The reason phrase, at most [`REASON_MAX`] bytes, not necessarily UTF-8.
    pub fn reason(&self) -> &[u8] {
        self.reason
            .get(..usize::from(self.reason_len))
            .unwrap_or_default()
    }

    /// Whether the code is one of the application's.
    pub fn is_application(&self) -> bool {
        matches!(
            self.kind,
            CloseKind::LocalApplication | CloseKind::PeerApplication
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut() {
        let info = CloseInfo::new(CloseKind::PeerApplication, 7, 0, &[b'x'; 100]);
        assert_eq!(info.reason(), &[b'x'; REASON_MAX][..]);
        assert!(info.is_application());
    }
}
