// SPDX-License-Identifier: LGPL-2.1-or-later
//! What it takes to continue a TLS session, and the one QUIC version in which that may be done
//! (RFC 9369 5).
//!
//! Stored, it is what GnuTLS exports, to which any version but 1 is appended: what was stored before
//! versions were, and what other libraries store, is of version 1.

use crate::{
    config::Version,
    sys::gnutls::{
        Code,
        SessionRef, //
    },
};

/// Stands between GnuTLS's data and the version.
const MARK: &[u8] = b"QUIC version";

/// A session to continue.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionData {
    pub(crate) version: Version,
    pub(crate) tls: Vec<u8>,
}

impl SessionData {
    /// What a client's session can be continued by.
    pub(crate) fn export(session: SessionRef<'_>, version: Version) -> Result<Self, Code> {
        let tls = session.resumption_data()?;
        Ok(SessionData { version, tls })
    }

    /// Lets a client's session continue this one if it is to begin in the same version. It is a new
    /// one otherwise; returns which.
    pub(crate) fn apply(&self, session: SessionRef<'_>, version: Version) -> Result<bool, Code> {
        if version != self.version {
            return Ok(false);
        }
        session.resume(&self.tls)?;
        Ok(true)
    }

    /// For storing.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self.version {
            Version::V1 => self.tls.clone(),
            other => [&self.tls, MARK, &other.0.to_be_bytes()].concat(),
        }
    }

    /// Takes what [`Self::to_bytes`] gave.
    pub(crate) fn from_bytes(bytes: &[u8]) -> SessionData {
        let marked = bytes
            .split_last_chunk()
            .and_then(|(rest, version)| Some((rest.strip_suffix(MARK)?, version)));
        match marked {
            Some((tls, version)) => SessionData {
                version: Version(u32::from_be_bytes(*version)),
                tls: tls.to_vec(),
            },
            None => SessionData {
                version: Version::V1,
                tls: bytes.to_vec(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_stored_unless_it_is_1() {
        for (version, stored) in [
            (Version::V1, &b"tls"[..]),
            (Version::V2, b"tlsQUIC version\x6b\x33\x43\xcf"),
        ] {
            let data = SessionData {
                version,
                tls: b"tls".to_vec(),
            };
            assert_eq!(data.to_bytes(), stored);
            assert!(SessionData::from_bytes(stored) == data, "{version:?}");
        }
        for plain in [&b""[..], b"1234", b"QUIC version", b"QUIC version\0\0\0"] {
            let data = SessionData::from_bytes(plain);
            assert!(data.version == Version::V1 && data.tls == plain);
        }
    }
}
