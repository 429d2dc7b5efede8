// SPDX-License-Identifier: LGPL-2.1-or-later
//! Why a handshake failed, for the caller and for the peer.

use std::io;

use super::Answers;
use crate::{
    error::{
        Alert,
        CertificateError,
        CertificateProblem,
        CloseReason,
        Error, //
    },
    sys::gnutls::{
        ffi,
        status_text,
        Code,
        SessionRef, //
    },
};

/// Why a hook ended the handshake.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The socket refused something. The field says what was being done.
    Kernel(&'static str, io::Error),
    /// The socket refused the peer's transport parameters, and closed if it says how.
    PeerParams(Option<CloseReason>, io::Error),
    /// The connection has ended.
    Ended(CloseReason),
    /// The peer sent no transport parameters.
    NoTransportParams,
    /// The client has changed its transport parameters after a HelloRetryRequest.
    OtherParams,
    /// No application protocol was agreed on.
    NoAlpn,
    /// TLS chose a cipher that was not offered.
    UnknownCipher,
    /// The session was not made for early data over QUIC.
    EndOfEarlyData,
}

impl Failure {
    fn into_error(self) -> Error {
        let tls = |alert, reason: &str| Error::Tls {
            alert: Some(alert),
            reason: reason.into(),
        };
        match self {
            Failure::Kernel(what, err) => Error::Io(what, err),
            Failure::Ended(reason) => ended(reason),
            Failure::PeerParams(Some(reason), _) => reason.into_error(),
            Failure::PeerParams(None, err) => Error::Io("taking the peer's parameters", err),
            Failure::NoTransportParams => tls(
                Alert::MISSING_EXTENSION,
                "the peer sent no QUIC transport parameters",
            ),
            Failure::OtherParams => tls(
                Alert::ILLEGAL_PARAMETER,
                "the client has changed its QUIC transport parameters",
            ),
            Failure::NoAlpn => tls(
                Alert::NO_APPLICATION_PROTOCOL,
                "the peer chose no application protocol",
            ),
            Failure::EndOfEarlyData => Error::Config(
                "early data needs a session made with GNUTLS_NO_END_OF_EARLY_DATA".into(),
            ),
            Failure::UnknownCipher => tls(Alert::INTERNAL_ERROR, "unknown cipher"),
        }
    }
}

impl Answers {
    /// What a fatal return value of the session means.
    pub(super) fn error(&self, session: SessionRef<'_>, code: Code) -> Error {
        let mut progress = self.lock();
        if let Some(failure) = progress.failure.take() {
            return failure.into_error();
        }
        let alert = progress.alert.or(code.alert().map(Alert));
        let refused = progress.refused;
        let psk = progress.psk.take();
        drop(progress);
        match code.0 {
            ffi::E_CERTIFICATE_VERIFICATION_ERROR => {
                let status = refused.unwrap_or_else(|| session.verify_status());
                Error::Certificate(self.certificate_error(problems(status), status_text(status)))
            }
            ffi::E_CERTIFICATE_REQUIRED | ffi::E_NO_CERTIFICATE_FOUND => {
                let missing = vec![CertificateProblem::Missing];
                Error::Certificate(self.certificate_error(missing, code.text()))
            }
            _ => psk_error(code, psk).unwrap_or_else(|| Error::Tls {
                alert,
                reason: code.text(),
            }),
        }
    }

    fn certificate_error(
        &self,
        problems: Vec<CertificateProblem>,
        details: String,
    ) -> CertificateError {
        CertificateError {
            problems,
            details: details.trim().to_owned(),
            name: self.setup.peer_name.clone(),
        }
    }
}

/// The error of a server whose client has shown a pre-shared key. GnuTLS's codes do not say that
/// the key is the reason, and its alerts are not those of RFC 8446 4.2.11.
fn psk_error(code: Code, psk: Option<(String, bool)>) -> Option<Error> {
    let (identity, known) = psk?;
    let identity = identity.escape_debug().to_string();
    match (code.0, known) {
        (ffi::E_RECEIVED_ILLEGAL_PARAMETER, true) => Some(Error::Tls {
            alert: Some(Alert::DECRYPT_ERROR),
            reason: format!("the client has another pre-shared key for {identity}"),
        }),
        (_, false) => Some(Error::Tls {
            alert: Some(Alert::UNKNOWN_PSK_IDENTITY),
            reason: format!(
                "there is no pre-shared key for {identity} ({})",
                code.text()
            ),
        }),
        _ => None,
    }
}

/// The problems in the bits of `gnutls_certificate_status_t`, the most telling first.
fn problems(status: u32) -> Vec<CertificateProblem> {
    let found: Vec<CertificateProblem> = BITS
        .iter()
        .filter(|(bit, _)| status & bit != 0)
        .map(|(_, problem)| *problem)
        .collect();
    match found.is_empty() {
        true => vec![CertificateProblem::Other],
        false => found,
    }
}

const BITS: &[(u32, CertificateProblem)] = &[
    (1 << 5, CertificateProblem::Revoked),
    (1 << 6, CertificateProblem::UnknownIssuer),
    (1 << 7, CertificateProblem::UnknownIssuer),
    (1 << 10, CertificateProblem::Expired),
    (1 << 9, CertificateProblem::NotYetValid),
    (1 << 14, CertificateProblem::WrongName),
    (1 << 18, CertificateProblem::WrongPurpose),
    (1 << 8, CertificateProblem::InsecureAlgorithm),
    (1 << 11, CertificateProblem::BadSignature),
];

/// The code and the phrase of CONNECTION_CLOSE that tell the peer why this side gives up.
pub(crate) fn close_for(error: &Error) -> Option<(u32, String)> {
    let phrase = match error {
        Error::Certificate(err) => err.to_string(),
        Error::Tls { reason, .. } => reason.clone(),
        _ => String::new(),
    };
    match error {
        // The peer or the socket has closed already, or nobody is there to be told.
        Error::PeerAlert(..)
        | Error::Closed(_)
        | Error::LocallyClosed
        | Error::IdleTimeout
        | Error::Timeout(_) => None,
        _ => {
            let alert = error.alert().unwrap_or(Alert::INTERNAL_ERROR);
            Some((alert.transport_code(), phrase))
        }
    }
}

/// The error of a connection that ended while its handshake was running.
pub(crate) fn ended(reason: CloseReason) -> Error {
    match Alert::from_transport_code(reason.code) {
        Some(alert) => Error::PeerAlert(alert, reason),
        None => reason.into_error(),
    }
}
