// SPDX-License-Identifier: GPL-2.0
//! `quic perf`: throughput, latency and handshakes between two machines.
//!
//! The client opens bidirectional streams and writes on each a request ([`wire::Request`]) that
//! says what the server shall do with it.

mod client;
mod server;
mod summary;
mod wire;

use crate::{
    cli::{
        Output,
        Perf, //
    },
    failure::Result,
};

/// Application protocol (ALPN). The number changes with the format of [`wire`].
const ALPN: &str = "quic-perf/1";

/// Bytes written or read at a time.
const CHUNK: usize = 256 << 10;

pub fn run(args: &Perf, output: Output) -> Result<()> {
    match &args.target {
        Some(target) => client::run(target, args, output),
        None => server::run(args, output),
    }
}
