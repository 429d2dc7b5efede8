// SPDX-License-Identifier: GPL-2.0
//! The command `quic`: files, requests and measurements over the QUIC sockets of the kernel.
//!
//! `cli` is what a person types and reads, `setup` makes configurations of it. Each command has
//! a folder: `transfer` (send, recv), `hq` (get, serve), `perf`. `report` prints results,
//! `failure` says what went wrong and what to do about it.

#![forbid(unsafe_code)]

mod cleanup;
mod cli;
mod failure;
mod hq;
mod human;
mod perf;
mod report;
mod serving;
mod setup;
mod target;
mod transfer;
mod workers;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{
    Cli,
    Command, //
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = cli.output;
    cleanup::on_interrupt();
    let result = match cli.command {
        Command::Send(args) => transfer::send::run(&args, output),
        Command::Recv(args) => transfer::recv::run(&args, output),
        Command::Perf(args) => perf::run(&args, output),
        Command::Get(args) => hq::get::run(&args, output),
        Command::Serve(args) => hq::serve::run(&args, output),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.error(&failure);
            ExitCode::FAILURE
        }
    }
}
