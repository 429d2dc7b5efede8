// SPDX-License-Identifier: GPL-2.0
//! Options that several commands have.

use std::{
    net::SocketAddr,
    path::PathBuf, //
};

use clap::{
    Args,
    ValueEnum, //
};

/// Options of commands that connect.
#[derive(Args, Clone, Debug, Default)]
pub struct ClientArgs {
    #[command(flatten)]
    pub trust: TrustArgs,

    #[command(flatten)]
    pub own: IdentityArgs,

    #[command(flatten)]
    pub transport: TransportArgs,
}

/// Options of commands that listen.
#[derive(Args, Clone, Debug)]
pub struct ServerArgs {
    #[command(flatten)]
    pub listen: ListenArgs,

    #[command(flatten)]
    pub own: IdentityArgs,

    #[command(flatten)]
    pub transport: TransportArgs,
}

/// `quic perf` is client or server, so it has the options of both.
#[derive(Args, Clone, Debug)]
pub struct PerfArgs {
    #[command(flatten)]
    pub trust: TrustArgs,

    #[command(flatten)]
    pub listen: ListenArgs,

    #[command(flatten)]
    pub own: IdentityArgs,

    #[command(flatten)]
    pub transport: TransportArgs,
}

/// Whom a client believes, and from where it connects.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connecting")]
pub struct TrustArgs {
    /// Trust the certificates in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", conflicts_with_all = ["insecure", "psk"])]
    pub ca: Option<PathBuf>,

    /// Do not verify the server: anyone on the way may be it
    #[arg(long, conflicts_with = "psk")]
    pub insecure: bool,

    /// Name that the server's certificate must be for, if it is not HOST
    #[arg(long)]
    pub name: Option<String>,

    /// Connect from this address
    #[arg(long, value_name = "ADDR:PORT")]
    pub bind: Option<SocketAddr>,

    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub ipv4: bool,

    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub ipv6: bool,
}

/// Continuing earlier sessions.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Session")]
pub struct SessionArgs {
    /// Continue the session kept in this file, if there is one, and keep the new one there
    #[arg(long, value_name = "FILE")]
    pub session: Option<PathBuf>,

    /// Ask before the handshake (0-RTT), as many requests as --jobs says
    #[arg(long, requires = "session")]
    pub early: bool,
}

/// What a client does to its connection while it is in use, to see that it works.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Midway")]
pub struct MidwayArgs {
    /// Change the packet keys whenever this many bytes have arrived; K, M and G are understood
    #[arg(long, value_name = "BYTES", value_parser = crate::human::parse_bytes)]
    pub key_update: Option<u64>,

    /// Go on from this address once the first bytes have arrived
    #[arg(long, value_name = "ADDR:PORT")]
    pub migrate: Option<SocketAddr>,
}

/// Where a server listens, and whom it takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Listening")]
pub struct ListenArgs {
    /// Address to listen at; [::] takes IPv4 as well, port 0 takes a free one
    #[arg(short, long, value_name = "ADDR:PORT", default_value = "[::]:4433")]
    pub listen: SocketAddr,

    /// Demand certificates of clients, signed by one in this PEM file
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,

    /// Make every client prove its address before anything is kept for it (Retry)
    #[arg(long)]
    pub retry: bool,
}

/// What this side shows.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Identity")]
pub struct IdentityArgs {
    /// Own certificate with its chain, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,

    /// Pre-shared keys instead of certificates: lines of NAME:HEXKEY
    #[arg(long, value_name = "FILE", conflicts_with = "cert")]
    pub psk: Option<PathBuf>,
}

/// Settings of the transport.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Transport")]
pub struct TransportArgs {
    /// Allow only this cipher; may be given several times
    #[arg(long, value_enum)]
    pub cipher: Vec<CipherArg>,

    /// Congestion control
    #[arg(long, value_enum)]
    pub congestion: Option<CongestionArg>,

    /// Version of QUIC to start with, or to prefer
    #[arg(long, value_name = "1|2", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub quic_version: Option<u8>,

    /// Seconds that a handshake may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub handshake_timeout: u32,

    /// Seconds of silence after which a connection is given up
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=4000))]
    pub idle_timeout: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CipherArg {
    #[value(name = "aes128-gcm")]
    Aes128Gcm,
    #[value(name = "aes256-gcm")]
    Aes256Gcm,
    #[value(name = "aes128-ccm")]
    Aes128Ccm,
    Chacha20,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CongestionArg {
    /// NewReno, RFC 9002
    Reno,
    /// CUBIC, RFC 9438
    Cubic,
}
