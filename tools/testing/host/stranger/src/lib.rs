// SPDX-License-Identifier: GPL-2.0

//! quinn as the peer of our core, in the same process, on the simulated network.
//!
//! [`tls`] runs rustls as the handshake agent of the core, as a program in user space would run a
//! TLS library for the kernel; [`node`] is a quinn endpoint as a node of the simulation.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod node;
pub mod tls;
