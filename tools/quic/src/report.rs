// SPDX-License-Identifier: GPL-2.0
//! Results: lines for people, or JSON objects for scripts. Both go to standard output; progress
//! and errors go to standard error.

use std::io::{
    self,
    Write, //
};

use indicatif::{
    ProgressBar,
    ProgressDrawTarget,
    ProgressStyle, //
};
use quic::{
    Connection,
    Statistics, //
};
use serde::Serialize;

use crate::{
    cli::Output,
    failure::Failure,
    human, //
};

/// What is told about a connection with every result. In JSON its fields stand beside those of
/// the result, so that a script needs one name for a number.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectionReport {
    pub local: String,
    pub peer: String,
    pub version: String,
    pub cipher: String,
    pub resumed: bool,
    /// Data of the client was taken before the handshake.
    pub early: bool,
    /// The peer proved its identity.
    pub verified: bool,
    pub handshake_ms: f64,
    /// The kernel's counters, where it has them.
    #[serde(flatten)]
    pub counters: Option<Box<Counters>>,
}

/// The kernel's counters of a connection.
#[derive(Clone, Debug, Serialize)]
pub struct Counters {
    pub rtt_ms: f64,
    pub min_rtt_ms: f64,
    pub congestion_window: u64,
    pub mtu: u32,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub packets_sent: u64,
    pub packets_received: u64,
    pub packets_lost: u64,
    pub packets_spuriously_lost: u64,
    pub frames_retransmitted: u64,
    pub bytes_lost: u64,
    /// Bytes per second.
    pub delivery_rate: u64,
    pub probe_timeouts: u64,
    pub key_updates: u32,
    pub ecn: bool,
}

impl ConnectionReport {
    /// Takes the state of a connection that is still open.
    pub fn of(conn: &Connection) -> ConnectionReport {
        let info = conn.info();
        ConnectionReport {
            local: conn.local_addr().unwrap_or(info.local).to_string(),
            peer: conn.peer_addr().unwrap_or(info.peer).to_string(),
            version: info.version.to_string(),
            cipher: info.cipher.to_string(),
            resumed: info.resumed,
            early: info.early_data,
            verified: info.peer_verified,
            handshake_ms: millis(info.handshake_time),
            counters: conn
                .statistics()
                .ok()
                .flatten()
                .as_ref()
                .map(|stats| Box::new(Counters::from(stats))),
        }
    }

    /// Lines of a client for people, each indented. They warn of a server that was not verified.
    pub fn client_lines(&self) -> Vec<String> {
        let warning = match self.verified {
            true => "",
            false => ", SERVER NOT VERIFIED",
        };
        self.lines(warning)
    }

    /// Lines of a server for people, each indented.
    pub fn server_lines(&self) -> Vec<String> {
        let verified = match self.verified {
            true => ", client verified",
            false => "",
        };
        self.lines(verified)
    }

    fn lines(&self, verified: &str) -> Vec<String> {
        let session = match (self.early, self.resumed) {
            (true, _) => ", session continued with early data",
            (false, true) => ", session continued",
            (false, false) => "",
        };
        let mut lines = vec![format!(
            "  {} with {}{verified}, handshake in {:.1} ms{session}",
            self.version, self.cipher, self.handshake_ms
        )];
        if let Some(counters) = &self.counters {
            lines.push(counters.line());
        }
        lines
    }
}

impl Counters {
    fn line(&self) -> String {
        format!(
            "  packets: {} sent, {} received, {} lost ({} wrongly taken for lost), {} frames sent \
             again; round trip {:.1} ms",
            self.packets_sent,
            self.packets_received,
            self.packets_lost,
            self.packets_spuriously_lost,
            self.frames_retransmitted,
            self.rtt_ms
        )
    }
}

impl From<&Statistics> for Counters {
    fn from(stats: &Statistics) -> Counters {
        Counters {
            rtt_ms: millis(stats.smoothed_rtt),
            min_rtt_ms: millis(stats.min_rtt),
            congestion_window: stats.congestion_window,
            mtu: stats.mtu,
            bytes_sent: stats.bytes_sent,
            bytes_received: stats.bytes_received,
            packets_sent: stats.packets_sent,
            packets_received: stats.packets_received,
            packets_lost: stats.packets_lost,
            packets_spuriously_lost: stats.packets_spuriously_lost,
            frames_retransmitted: stats.frames_retransmitted,
            bytes_lost: stats.bytes_lost,
            delivery_rate: stats.delivery_rate,
            probe_timeouts: stats.probe_timeouts,
            key_updates: stats.key_updates,
            ecn: stats.ecn_capable,
        }
    }
}

/// Milliseconds with microseconds behind the point.
pub fn millis(time: std::time::Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}

impl Output {
    /// A result: `value` as JSON, or `lines` for people.
    pub fn result<T: Serialize>(self, value: &T, lines: &[String]) {
        if self.json {
            match serde_json::to_string(value) {
                Ok(text) => print(&[text]),
                Err(err) => self.error(&Failure::new(format!("writing JSON: {err}"))),
            }
        } else {
            print(lines);
        }
    }

    /// Something worth knowing that is no result. Scripts get `value`.
    pub fn note<T: Serialize>(self, value: &T, line: &str) {
        if self.json || !self.quiet {
            self.result(value, &[line.into()]);
        }
    }

    /// What went wrong, and what to do.
    pub fn error(self, failure: &Failure) {
        let mut err = io::stderr().lock();
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(err, "quic: {failure}");
        for hint in failure.hints() {
            let _ = writeln!(err, "      {hint}");
        }
    }

    /// A bar for this many bytes, invisible where nobody would see it.
    pub fn bar(self, bytes: u64) -> ProgressBar {
        let style =
            "{bar:32} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {eta}  {msg}";
        self.styled(
            ProgressBar::with_draw_target(Some(bytes), self.target()),
            style,
        )
    }

    /// A running count of bytes whose end is not known.
    pub fn spinner(self) -> ProgressBar {
        let style = "{spinner} {bytes}  {bytes_per_sec}  {elapsed}  {msg}";
        self.styled(ProgressBar::with_draw_target(None, self.target()), style)
    }

    fn styled(self, bar: ProgressBar, template: &str) -> ProgressBar {
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        }
    }

    fn target(self) -> ProgressDrawTarget {
        if self.json || self.quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        }
    }
}

/// Writes lines and flushes, so that a script that waits for one gets it. A closed standard
/// output ends the program quietly, as other commands do.
fn print(lines: &[String]) {
    let mut out = io::stdout().lock();
    let written = lines
        .iter()
        .try_for_each(|line| writeln!(out, "{line}"))
        .and_then(|()| out.flush());
    if written.is_err() {
        std::process::exit(1);
    }
}

/// `3 files, 16.00 MiB in 1.50 s, 89.5 Mbit/s (10.67 MiB/s)`.
pub fn total(files: usize, bytes: u64, time: std::time::Duration) -> String {
    format!(
        "{}, {} in {}, {}",
        human::count(files, "file"),
        human::bytes(bytes),
        human::duration(time),
        human::rate(bytes, time)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Result {
        bytes: u64,
        #[serde(flatten)]
        connection: ConnectionReport,
    }

    fn result(counters: Option<Counters>) -> Result {
        Result {
            bytes: 5,
            connection: ConnectionReport {
                local: "192.0.2.1:1".into(),
                peer: "192.0.2.2:2".into(),
                version: "QUICv1".into(),
                cipher: "AES-128-GCM".into(),
                resumed: false,
                early: false,
                verified: false,
                handshake_ms: 1.5,
                counters: counters.map(Box::new),
            },
        }
    }

    #[test]
    fn a_script_finds_every_number_at_the_top() {
        let stats = Statistics::default();
        let value = serde_json::to_value(result(Some(Counters::from(&stats)))).unwrap();
        for name in [
            "bytes",
            "handshake_ms",
            "cipher",
            "packets_lost",
            "frames_retransmitted",
            "delivery_rate",
            "probe_timeouts",
        ] {
            assert!(value.get(name).is_some(), "{name} in {value}");
        }
    }

    #[test]
    fn a_kernel_without_counters_leaves_them_out() {
        let result = result(None);
        let value = serde_json::to_value(&result).unwrap();
        assert_eq!(value.get("packets_lost"), None);
        assert_eq!(
            result.connection.client_lines(),
            ["  QUICv1 with AES-128-GCM, SERVER NOT VERIFIED, handshake in 1.5 ms"]
        );
    }
}
