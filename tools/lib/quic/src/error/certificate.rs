// SPDX-License-Identifier: LGPL-2.1-or-later
//! What was wrong with a peer's certificate.

use std::fmt;

use super::Alert;

/// One thing that is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// The certificate is for another name or address.
    WrongName,
    /// No trusted authority issued it.
    UnknownIssuer,
    /// It is no longer valid.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// Its authority revoked it.
    Revoked,
    /// It was signed with an algorithm that is no longer secure.
    InsecureAlgorithm,
    /// A signature in the chain is wrong.
    BadSignature,
    /// It may not be used for this purpose, for instance not for servers.
    WrongPurpose,
    /// The peer sent no certificate.
    Missing,
    /// Any other reason; see [`CertificateError::details`].
    Other,
}

/// The peer's certificate was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateError {
    pub(crate) problems: Vec<CertificateProblem>,
    pub(crate) details: String,
    pub(crate) name: Option<String>,
}

impl CertificateError {
    /// All problems found, the most telling first. Never empty.
    pub fn problems(&self) -> &[CertificateProblem] {
        &self.problems
    }

    /// Whether `problem` is among the problems found.
    pub fn is(&self, problem: CertificateProblem) -> bool {
        self.problems.contains(&problem)
    }

    /// GnuTLS's own words.
    pub fn details(&self) -> &str {
        &self.details
    }

    /// The alert that tells the peer.
    pub fn alert(&self) -> Alert {
        match self.problems.first() {
            Some(CertificateProblem::UnknownIssuer) => Alert::UNKNOWN_CA,
            Some(CertificateProblem::Expired | CertificateProblem::NotYetValid) => {
                Alert::CERTIFICATE_EXPIRED
            }
            Some(CertificateProblem::Revoked) => Alert::CERTIFICATE_REVOKED,
            Some(CertificateProblem::Missing) => Alert::CERTIFICATE_REQUIRED,
            Some(CertificateProblem::Other) | None => Alert::CERTIFICATE_UNKNOWN,
            Some(_) => Alert::BAD_CERTIFICATE,
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer's certificate was refused")?;
        for (nr, problem) in self.problems.iter().enumerate() {
            f.write_str(if nr == 0 { ": " } else { ", " })?;
            match (problem, &self.name) {
                (CertificateProblem::WrongName, Some(name)) => write!(f, "it is not for {name}")?,
                (problem, _) => f.write_str(problem.text())?,
            }
        }
        match self.problems.as_slice() {
            [CertificateProblem::Other] => write!(f, " ({})", self.details),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for CertificateError {}

impl CertificateProblem {
    fn text(self) -> &'static str {
        match self {
            CertificateProblem::WrongName => "it is for another name",
            CertificateProblem::UnknownIssuer => "its issuer is not trusted",
            CertificateProblem::Expired => "it has expired",
            CertificateProblem::NotYetValid => "it is not valid yet",
            CertificateProblem::Revoked => "it was revoked",
            CertificateProblem::InsecureAlgorithm => "it uses an insecure algorithm",
            CertificateProblem::BadSignature => "a signature in its chain is wrong",
            CertificateProblem::WrongPurpose => "it is not for this purpose",
            CertificateProblem::Missing => "the peer sent none",
            CertificateProblem::Other => "it is not acceptable",
        }
    }
}
