// SPDX-License-Identifier: GPL-2.0
//! Errors as they are shown: what happened, and what to do about it.

use std::{
    fmt,
    io, //
};

use quic::{
    Alert,
    CertificateProblem,
    CloseReason,
    Error, //
};

pub type Result<T> = std::result::Result<T, Failure>;

/// What happened, and lines that say what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    message: String,
    hints: Vec<String>,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            hints: Vec::new(),
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hints.push(hint.into());
        self
    }

    /// Puts in front what was being done.
    pub fn during(mut self, what: impl fmt::Display) -> Failure {
        self.message = format!("{what}: {}", self.message);
        self
    }

    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// An error of the system with the file or action it belongs to.
    pub fn io(what: impl fmt::Display, err: &io::Error) -> Failure {
        match Error::from_io(err) {
            Some(inner) => Failure::from(inner).during(what),
            None => Failure::new(format!("{what}: {err}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Failure {
    fn from(err: Error) -> Failure {
        Failure::from(&err)
    }
}

impl From<&Error> for Failure {
    fn from(err: &Error) -> Failure {
        Failure {
            message: match err {
                // The library's sentence ends with advice that is in the hints here.
                Error::Unavailable(err) => format!("this kernel has no QUIC sockets: {err}"),
                _ => err.to_string(),
            },
            hints: hints(err).into_iter().map(String::from).collect(),
        }
    }
}

/// What a person can do about an error.
fn hints(err: &Error) -> Vec<&'static str> {
    match err {
        Error::Unavailable(_) => vec![
            "load the module: modprobe quic",
            "or, where it was built but not installed: insmod /path/to/quic.ko",
            "`make modules` builds it for the running kernel if that has CONFIG_RUST=y",
        ],
        Error::Certificate(err) => certificate_hints(err.problems()),
        Error::PeerAlert(alert, _) => alert_hints(*alert),
        Error::Timeout(_) => vec![
            "is the other side running, and is the port right?",
            "a firewall may drop UDP on the way",
        ],
        Error::IdleTimeout => {
            vec!["the other side was stopped without a word, or the network between does not work"]
        }
        Error::Closed(CloseReason {
            code: 2,
            application: false,
            ..
        }) => vec!["the server has too many clients waiting; try again"],
        Error::Io(_, err) if err.kind() == io::ErrorKind::PermissionDenied => {
            vec!["ports below 1024 and some addresses are for root only"]
        }
        Error::Io(_, err) if err.kind() == io::ErrorKind::AddrInUse => {
            vec!["another program has the port; choose one with --listen ADDR:PORT"]
        }
        _ => Vec::new(),
    }
}

fn certificate_hints(problems: &[CertificateProblem]) -> Vec<&'static str> {
    let mut hints = Vec::new();
    for problem in problems {
        hints.push(match problem {
            CertificateProblem::UnknownIssuer => {
                "if it is a certificate of your own, name it or its authority: --ca FILE"
            }
            CertificateProblem::WrongName => {
                "if the certificate is for another name of this server: --name NAME"
            }
            CertificateProblem::Expired | CertificateProblem::NotYetValid => {
                "make a new certificate, or set the clocks of both machines"
            }
            CertificateProblem::Missing => "the other side needs --cert FILE --key FILE",
            _ => continue,
        });
    }
    hints.push("without any protection against impostors: --insecure");
    hints
}

fn alert_hints(alert: Alert) -> Vec<&'static str> {
    match alert {
        Alert::NO_APPLICATION_PROTOCOL => vec![
            "the program at the other end is another one: `quic send` talks to `quic recv`, \
             `quic get` to `quic serve`, `quic perf` to `quic perf --server`",
        ],
        Alert::UNKNOWN_PSK_IDENTITY | Alert::DECRYPT_ERROR => {
            vec!["both sides need the same line in the file given by --psk"]
        }
        Alert::CERTIFICATE_REQUIRED => {
            vec!["the server wants to see a certificate: --cert FILE --key FILE"]
        }
        Alert::UNKNOWN_CA | Alert::BAD_CERTIFICATE => {
            vec!["the other side does not accept this side's certificate; it says --ca FILE"]
        }
        Alert::HANDSHAKE_FAILURE => {
            vec!["no common cipher, or one side uses --psk and the other does not"]
        }
        _ => Vec::new(),
    }
}

/// A server needs something to show.
pub fn no_identity(command: &str) -> Failure {
    Failure::new("a server needs a certificate or a pre-shared key")
        .hint(format!(
            "quic {command} --cert FILE --key FILE, or --psk FILE"
        ))
        .hint("`quic recv --help` shows the commands that make them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_module_leads_to_modprobe() {
        let err = Error::Unavailable(io::Error::from_raw_os_error(93));
        let failure = Failure::from(err);
        assert!(failure
            .to_string()
            .starts_with("this kernel has no QUIC sockets"));
        assert!(failure
            .hints()
            .iter()
            .any(|hint| hint.contains("modprobe quic")));
    }

    #[test]
    fn alerts_lead_to_options_by_table() {
        for (alert, word) in [
            (Alert::NO_APPLICATION_PROTOCOL, "quic recv"),
            (Alert::UNKNOWN_PSK_IDENTITY, "--psk"),
            (Alert::CERTIFICATE_REQUIRED, "--cert"),
            (Alert::UNKNOWN_CA, "--ca"),
        ] {
            let failure = Failure::from(Error::PeerAlert(alert, CloseReason::default()));
            assert!(
                failure.hints().iter().any(|hint| hint.contains(word)),
                "{alert}"
            );
        }
    }

    #[test]
    fn an_error_inside_a_stream_error_keeps_its_hints() {
        let inner = io::Error::from(Error::Timeout("reading a stream"));
        let failure = Failure::io("film.mkv", &inner);
        assert_eq!(failure.to_string(), "film.mkv: timed out: reading a stream");
        assert_eq!(failure.hints().len(), 2);
    }
}
