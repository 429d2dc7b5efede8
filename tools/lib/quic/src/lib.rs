// SPDX-License-Identifier: LGPL-2.1-or-later
//! Connections over in-kernel QUIC sockets.
//!
//! The kernel (module `quic`) does packets, streams and recovery; this crate runs the TLS 1.3
//! handshake over GnuTLS, verifies the peer, and gives streams as [`std::io::Read`] and
//! [`std::io::Write`] objects. The same crate builds `libquic.so`, whose C interface is
//! `<netinet/quic.h>`.
//!
//! # A client
//! ```no_run
//! use std::io::{Read, Write};
//! use quic::{ClientConfig, Connection, Trust};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = ClientConfig::builder()
//!     .trust(Trust::File("ca.pem".into()))
//!     .alpn(["echo"])
//!     .build()?; // reads the trust file, once for all connections
//! let conn = Connection::connect(("server.example", 4433), "server.example", &config)?;
//! let mut stream = conn.open_bi()?;
//! stream.write_all(b"hello")?;
//! stream.finish()?;
//! let mut answer = Vec::new();
//! stream.read_to_end(&mut answer)?;
//! conn.close(0, "done")?; // waits until the peer has everything
//! # Ok(())
//! # }
//! ```
//!
//! # A server
//! ```no_run
//! use quic::{Listener, PeerStream, ServerConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = ServerConfig::builder()
//!     .certificate("chain.pem", "key.pem")
//!     .alpn(["echo"])
//!     .build()?;
//! let listener = Listener::bind("[::]:4433", &config)?;
//! loop {
//!     let incoming = listener.accept()?;
//!     std::thread::spawn(move || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//!         let conn = incoming.handshake()?;
//!         while let Ok(stream) = conn.accept_stream() {
//!             if let PeerStream::Bi(stream) = stream {
//!                 let (mut send, mut recv) = stream.split();
//!                 std::io::copy(&mut recv, &mut send)?;
//!                 send.finish()?;
//!             }
//!         }
//!         Ok(())
//!     });
//! }
//! # }
//! ```
//!
//! # Threads
//! [`Connection`] may be cloned and shared; each stream half may live in its own thread. There is
//! no thread of the library's own: whoever waits for something receives for all others, too.
//!
//! Programs with an event loop of their own use the `try_` functions and the connection's
//! descriptor ([`std::os::fd::AsFd`]); programs on tokio the module `tokio` (feature `tokio`).
//!
//! # Errors
//! [`Error`] tells certificate problems ([`CertificateError`]), TLS failures of either side
//! ([`Alert`]), ends of the connection ([`CloseReason`]), time-outs, and a kernel without QUIC
//! apart. Streams return [`std::io::Error`]; [`Error::from_io`] finds the [`Error`] within.

#![deny(missing_docs, unsafe_op_in_unsafe_fn)]
#![deny(unsafe_code)]
#![warn(clippy::undocumented_unsafe_blocks)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

pub mod agent;
mod attempts;
#[expect(unsafe_code, reason = "the C interface")]
mod capi;
mod client;
mod config;
mod conn;
mod demux;
mod driver;
mod early;
mod error;
mod establish;
mod handshake;
mod resumption;
mod server;
mod session_data;
mod settings;
mod socket;
mod statistics;
mod stream;
#[expect(unsafe_code, reason = "system calls and GnuTLS")]
mod sys;
mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;
mod uapi;

pub use client::{
    ClientConfig,
    ClientConfigBuilder, //
};
pub use config::{
    Cipher,
    ClientAuth,
    Congestion,
    SocketConfig,
    TransportParams,
    Trust,
    Version, //
};
pub use conn::{
    Connection,
    ConnectionInfo, //
};
pub use early::EarlyConnection;
pub use error::{
    Alert,
    CertificateError,
    CertificateProblem,
    CloseReason,
    Error,
    Result, //
};
pub use resumption::SessionTicket;
pub use server::{
    Incoming,
    Listener,
    ServerConfig,
    ServerConfigBuilder, //
};
pub use statistics::Statistics;
pub use stream::{
    BiStream,
    PeerStream,
    RecvStream,
    SendStream,
    StreamId, //
};
