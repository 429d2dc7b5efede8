// SPDX-License-Identifier: GPL-2.0
//! What the command line looks like. Everything a person reads in `--help` is here and
//! in `options`.

mod options;

use std::{
    net::SocketAddr,
    path::PathBuf, //
};

use clap::{
    Args,
    Parser,
    Subcommand, //
};

pub use self::options::{
    CipherArg,
    ClientArgs,
    CongestionArg,
    IdentityArgs,
    ListenArgs,
    MidwayArgs,
    PerfArgs,
    ServerArgs,
    SessionArgs,
    TransportArgs,
    TrustArgs, //
};

use crate::target::{
    Target,
    Url, //
};

/// Files, requests and measurements over QUIC done by the kernel.
///
/// QUIC is an encrypted transport over UDP (RFC 9000). This command uses the QUIC sockets of the
/// kernel module `quic`; TLS 1.3 is done by GnuTLS.
#[derive(Debug, Parser)]
#[command(
    name = "quic",
    version,
    after_help = EXAMPLES,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    #[command(flatten)]
    pub output: Output,
}

const EXAMPLES: &str = "\
Examples:
  quic recv --cert server.pem --key server.key --dir inbox
  quic send --ca ca.pem film.mkv server.example:4433
  quic perf --ca ca.pem server.example
  quic get --ca ca.pem server.example/index.html

`quic COMMAND --help` has more examples, and says how to make a certificate.";

/// How results are told.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct Output {
    /// Print results as JSON, one object a line
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,

    /// Print nothing but errors and results
    #[arg(short, long, global = true, help_heading = "Output")]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Send(Send),
    Recv(Recv),
    Perf(Perf),
    Get(Get),
    Serve(Serve),
}

/// Send files to a `quic recv`
///
/// Each file goes over a stream of its own. The receiver computes its SHA-256, compares it with
/// the sender's and confirms; only then is the file counted as sent.
#[derive(Args, Debug)]
#[command(after_help = SEND_EXAMPLES, override_usage = "quic send [OPTIONS] FILE... HOST:PORT")]
pub struct Send {
    /// Files to send, and last the receiver as HOST, HOST:PORT or [IPv6]:PORT
    #[arg(required = true, num_args = 2.., value_names = ["FILE", "HOST:PORT"])]
    pub args: Vec<String>,

    /// Files sent at the same time
    #[arg(short, long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,

    #[command(flatten)]
    pub client: ClientArgs,
}

const SEND_EXAMPLES: &str = "\
Examples:
  quic send report.pdf server.example                 the system trusts the certificate
  quic send --ca ca.pem *.jpg server.example:4433     a certificate of one's own
  quic send --ca ca.pem --name server.example film.mkv 192.0.2.7:4433
  quic send --psk keys.psk film.mkv [2001:db8::7]:4433
  quic --json send --ca ca.pem film.mkv server.example | jq .throughput_mbit_s";

/// Receive files from `quic send`
///
/// A file appears under its name once all of it has arrived and its checksum is right. What was
/// interrupted is removed. Files that exist already are not replaced unless --overwrite is given.
#[derive(Args, Debug)]
#[command(after_help = RECV_EXAMPLES)]
pub struct Recv {
    /// Where to put the files
    #[arg(short, long, default_value = ".")]
    pub dir: PathBuf,

    /// Replace files that exist
    #[arg(long)]
    pub overwrite: bool,

    /// End after the first sender has gone
    #[arg(long)]
    pub once: bool,

    #[command(flatten)]
    pub server: ServerArgs,
}

const RECV_EXAMPLES: &str = "\
Examples:
  quic recv --cert server.pem --key server.key
  quic recv --cert server.pem --key server.key --dir inbox --listen 192.0.2.7:4433
  quic recv --psk keys.psk --once

A certificate of one's own, for 30 days, for the name server.example:
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \\
    -subj /CN=server.example -addext subjectAltName=DNS:server.example,IP:192.0.2.7 \\
    -keyout server.key -out server.pem
The sender then says --ca server.pem.

Keys instead of certificates: both sides have a file with a line NAME:HEXKEY, made by
  echo \"me:$(openssl rand -hex 32)\" > keys.psk; chmod 600 keys.psk";

/// Measure throughput, latency and handshakes between two machines
///
/// One machine runs `quic perf --server`, the other `quic perf HOST:PORT`. Without a selection all
/// measurements are made, one after the other.
#[derive(Args, Debug)]
#[command(after_help = PERF_EXAMPLES)]
pub struct Perf {
    /// The server to measure with, as HOST, HOST:PORT or [IPv6]:PORT
    #[arg(
        value_name = "HOST:PORT",
        required_unless_present = "server",
        conflicts_with = "server"
    )]
    pub target: Option<Target>,

    /// Be the server
    #[arg(long)]
    pub server: bool,

    /// Measure the throughput to the server
    #[arg(long, conflicts_with = "server")]
    pub up: bool,

    /// Measure the throughput from the server
    #[arg(long, conflicts_with = "server")]
    pub down: bool,

    /// Measure the time from a request to its answer
    #[arg(long, conflicts_with = "server")]
    pub latency: bool,

    /// Measure handshakes per second
    #[arg(long, conflicts_with = "server")]
    pub handshakes: bool,

    /// Seconds for each measurement
    #[arg(short, long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub time: u32,

    /// Bytes of each throughput measurement, instead of a time; K, M and G are understood
    #[arg(short, long, value_parser = crate::human::parse_bytes)]
    pub bytes: Option<u64>,

    /// Streams that carry data at the same time; for handshakes, clients at the same time
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub parallel: u16,

    /// Bytes of a request, for the latency
    #[arg(long, default_value = "64", value_parser = crate::human::parse_message)]
    pub request: u32,

    /// Bytes of an answer, for the latency
    #[arg(long, default_value = "64", value_parser = crate::human::parse_message)]
    pub answer: u32,

    #[command(flatten)]
    pub common: PerfArgs,
}

const PERF_EXAMPLES: &str = "\
Examples:
  quic perf --server --cert server.pem --key server.key
  quic perf --ca ca.pem server.example                       all measurements, 5 s each
  quic perf --ca ca.pem --down --bytes 1G --parallel 4 server.example
  quic perf --ca ca.pem --latency --request 100 --answer 10K server.example
  quic --json perf --psk keys.psk --handshakes 192.0.2.7";

/// Fetch files from a QUIC server that speaks hq-interop (HTTP/0.9)
///
/// This is what implementations of QUIC use to test with each other. All files of one server come
/// over one connection.
#[derive(Args, Debug)]
#[command(after_help = GET_EXAMPLES)]
pub struct Get {
    /// What to fetch
    #[arg(required = true, value_name = "HOST:PORT/PATH")]
    pub urls: Vec<Url>,

    /// Where to put the files
    #[arg(short, long, default_value = ".")]
    pub dir: PathBuf,

    /// Write to this file instead, - for standard output
    #[arg(short, long, value_name = "FILE", conflicts_with = "dir")]
    pub output: Option<PathBuf>,

    /// Requests at the same time
    #[arg(short, long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,

    /// Application protocol to ask for
    #[arg(long, default_value = "hq-interop")]
    pub alpn: String,

    #[command(flatten)]
    pub client: ClientArgs,

    #[command(flatten)]
    pub session: SessionArgs,

    #[command(flatten)]
    pub midway: MidwayArgs,
}

const GET_EXAMPLES: &str = "\
Examples:
  quic get --ca ca.pem server.example/index.html
  quic get --insecure -o - 192.0.2.7:4433/motd
  quic get --ca ca.pem --dir downloads server.example/a server.example/b
  quic get --ca ca.pem --session server.tls --early server.example/a     0-RTT from the second time";

/// Serve a directory to clients that speak hq-interop (HTTP/0.9)
///
/// Nothing outside the directory is served, also not through symbolic links.
#[derive(Args, Debug)]
#[command(after_help = SERVE_EXAMPLES)]
pub struct Serve {
    /// The directory
    pub dir: PathBuf,

    /// Application protocol to offer
    #[arg(long, default_value = "hq-interop")]
    pub alpn: String,

    /// End after the first client has gone
    #[arg(long)]
    pub once: bool,

    /// Answer requests that come before the handshake (0-RTT), which somebody may have copied
    #[arg(long)]
    pub early: bool,

    /// Ask clients to go on at this address after the handshake; one of each family
    #[arg(long, value_name = "ADDR:PORT")]
    pub preferred: Vec<SocketAddr>,

    #[command(flatten)]
    pub server: ServerArgs,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  quic serve --cert server.pem --key server.key /srv/www
  quic serve --cert server.pem --key server.key --listen [::1]:4433 .

`quic recv --help` says how to make a certificate.";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn command_lines_of_the_examples_are_understood() {
        let lines = [
            EXAMPLES,
            SEND_EXAMPLES,
            RECV_EXAMPLES,
            PERF_EXAMPLES,
            GET_EXAMPLES,
            SERVE_EXAMPLES,
        ]
        .into_iter()
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("  quic"))
        .filter(|line| line.starts_with(' '));
        let mut count = 0;
        for line in lines {
            let words = line.split("   ").next().unwrap_or_default();
            let words = words.split(" | ").next().unwrap_or_default();
            let args = std::iter::once("quic").chain(words.split_whitespace());
            if let Err(err) = Cli::try_parse_from(args) {
                panic!("quic{line}\n{err}");
            }
            count += 1;
        }
        assert!(count > 20, "{count} examples found");
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "send file",
            "send",
            "send --ca a --insecure file host",
            "send --cert a file host",
            "send --jobs 0 file host",
            "send -4 -6 file host",
            "recv --key k",
            "recv --listen host",
            "perf",
            "perf --server host",
            "perf --server --up",
            "perf --time 0 host",
            "perf --bytes many host",
            "get",
            "get host",
            "get -o a --dir b host/path",
            "get --early host/path",
            "get --key-update 0 host/path",
            "serve",
            "unknown",
        ] {
            let args = std::iter::once("quic").chain(line.split_whitespace());
            assert!(Cli::try_parse_from(args).is_err(), "quic {line}");
        }
    }
}
