// SPDX-License-Identifier: GPL-2.0
//! `quic-handshaked`: does TLS for QUIC connections of the kernel itself.
//!
//! File systems and drivers in the kernel ask for handshakes through net/handshake. This daemon
//! accepts the requests (`netlink`), finds the keys they name (`serve`, `sys`) and lets the library
//! run the handshake (`quic::agent`). It does for QUIC sockets what tlshd does for TCP.

#![deny(unsafe_code)]

mod config;
mod netlink;
mod serve;
#[expect(unsafe_code, reason = "system calls")]
mod sys;

use std::{io, path::PathBuf, process::ExitCode, sync::Arc, thread};

use clap::Parser;
use quic::{
    agent::{
        Agent,
        Role, //
    },
    Trust, //
};

use crate::{
    config::Config,
    netlink::Handshakes, //
};

const CONFIG: &str = "/etc/quic-handshaked.conf";

/// Does TLS handshakes for QUIC sockets of the kernel: file systems and drivers ask for them
/// through net/handshake.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// The configuration, in the format of tlshd.conf [default: /etc/quic-handshaked.conf]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say something of every handshake, not only of failures
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("quic-handshaked: {err}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), String> {
    let file = cli.config.clone().unwrap_or_else(|| CONFIG.into());
    let config = Config::read(&file, cli.config.is_some())?;
    let verbose = cli.verbose || config.verbose;
    let has_certificate = config.server.certificate.is_some();
    let trusts_system = config.client.trust == Trust::System;
    let agent = Agent::new(config.client, config.server).map_err(|err| err.to_string())?;
    // What the files have wrong is told now, not to the first consumer.
    match agent.load(Role::Client) {
        // A machine without authorities may still have pre-shared keys.
        Err(err) if trusts_system => eprintln!("quic-handshaked: {err}"),
        other => other.map_err(|err| err.to_string())?,
    }
    if has_certificate {
        agent.load(Role::Server).map_err(|err| err.to_string())?;
    }
    let mut kernel = Handshakes::open().map_err(no_service)?;
    kernel.subscribe().map_err(no_service)?;
    eprintln!("quic-handshaked: waiting for requests of the kernel");
    let agent = Arc::new(agent);
    loop {
        kernel.wait().map_err(|err| err.to_string())?;
        let agent = Arc::clone(&agent);
        // The kernel bounds how many requests wait.
        let started = thread::Builder::new().spawn(move || {
            // Notifications may get lost when many come at once, requests do not.
            while match serve::serve_one(&agent, verbose) {
                Ok(more) => more,
                Err(err) => {
                    eprintln!("quic-handshaked: {err}");
                    false
                }
            } {}
        });
        if let Err(err) = started {
            eprintln!("quic-handshaked: cannot start a thread: {err}");
        }
    }
}

fn no_service(err: io::Error) -> String {
    format!("{err}; does this kernel have CONFIG_NET_HANDSHAKE, and is this root?")
}
