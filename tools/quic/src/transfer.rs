// SPDX-License-Identifier: GPL-2.0
//! Sending and receiving files, each on a bidirectional stream of its own.
//!
//! The sender writes a header ([`wire::Header`]), the bytes of the file, and their SHA-256. The
//! receiver answers on the same stream ([`wire::Reply`]) once the file lies complete under its
//! name, or with the reason why it does not.

mod incoming;
mod name;
pub mod recv;
pub mod send;
mod wire;

/// Application protocol (ALPN). The number changes with the format of [`wire`].
const ALPN: &str = "quic-file/1";

/// Bytes read from a file or a stream at a time.
const CHUNK: usize = 256 << 10;
