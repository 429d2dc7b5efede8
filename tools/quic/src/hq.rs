// SPDX-License-Identifier: GPL-2.0
//! HTTP/0.9 over QUIC, as implementations use it to test with each other (ALPN hq-interop).
//!
//! The client opens a bidirectional stream, sends `GET /path` with CR LF and ends; the server
//! answers the bytes of the file and ends. There are no headers and no status: a file that cannot
//! be had is a stream that is reset.

pub mod get;
mod midway;
mod request;
pub mod serve;
mod session;

/// Bytes copied at a time.
const CHUNK: usize = 256 << 10;
