// SPDX-License-Identifier: GPL-2.0

//! Connections of the core on a simulated network under a virtual clock.
//!
//! Nothing here reads a clock or the system's randomness: a scenario is a function of its seed, so
//! a failing seed that a test prints fails again with `SIM_SEED=<seed>`.
//!
//! [`net`] is the network, [`world`] moves time and packets, [`node`] turns core connections into
//! nodes with a scripted handshake ([`tls`]) and applications ([`app`]); [`forge`] makes packets that
//! no honest peer would send. [`watch`] holds every server to the anti-amplification limit, [`rest`]
//! every pair to what must be true when all is done, and in [`chaos`] bytes of a fuzzer decide what
//! happens.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod app;
pub mod chaos;
pub mod forge;
pub mod net;
pub mod node;
pub mod pair;
pub mod peer;
pub mod rest;
pub mod rng;
pub mod tls;
pub mod watch;
pub mod world;
