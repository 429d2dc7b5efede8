// SPDX-License-Identifier: LGPL-2.1-or-later
//! Connections for programs on [tokio](https://tokio.rs) (feature `tokio`).
//!
//! The same connections and configurations as in the crate's root, with functions that are
//! `async` instead of waiting, and streams that are [`AsyncRead`] and [`AsyncWrite`]. There is no
//! thread for a connection: its socket is watched by the runtime, a task of its own takes what
//! arrives and wakes the task that waits for it. The runtime needs its I/O and time drivers
//! (`enable_all`). The cryptography of a handshake runs in the task that awaits it: some hundred
//! microseconds for each side.
//!
//! Of the configuration's time limits, those for the handshake and for [`Connection::close`]
//! count; for others there is [`tokio::time::timeout`], since every
//! function here may be cancelled by dropping its future. A cancelled handshake closes its
//! connection; nothing received is lost by cancelling anything else.
//!
//! # A client
//! ```no_run
//! use quic::{tokio::Connection, ClientConfig, Trust};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # async fn client() -> Result<(), Box<dyn std::error::Error>> {
//! let config = ClientConfig::builder()
//!     .trust(Trust::File("ca.pem".into()))
//!     .alpn(["echo"])
//!     .build()?;
//! let conn = Connection::connect("server.example:4433", "server.example", &config).await?;
//! let mut stream = conn.open_bi().await?;
//! stream.write_all(b"hello").await?;
//! stream.shutdown().await?; // nothing more will be written
//! let mut answer = Vec::new();
//! stream.read_to_end(&mut answer).await?;
//! conn.close(0, "done").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # A server
//! ```no_run
//! use quic::{
//!     tokio::{Listener, PeerStream},
//!     ServerConfig,
//! };
//! use tokio::io::AsyncWriteExt;
//!
//! # async fn server() -> Result<(), Box<dyn std::error::Error>> {
//! let config = ServerConfig::builder()
//!     .certificate("chain.pem", "key.pem")
//!     .alpn(["echo"])
//!     .build()?;
//! let listener = Listener::bind("[::]:4433", &config).await?;
//! loop {
//!     let incoming = listener.accept().await?;
//!     tokio::spawn(async move {
//!         let conn = incoming.handshake().await?;
//!         while let Ok(stream) = conn.accept_stream().await {
//!             if let PeerStream::Bi(stream) = stream {
//!                 let (mut send, mut recv) = stream.split();
//!                 tokio::io::copy(&mut recv, &mut send).await?;
//!                 send.shutdown().await?;
//!             }
//!         }
//!         Ok::<(), std::io::Error>(())
//!     });
//! }
//! # }
//! ```
//!
//! [`AsyncRead`]: ::tokio::io::AsyncRead
//! [`AsyncWrite`]: ::tokio::io::AsyncWrite

mod conn;
mod connect;
mod hub;
mod listen;
mod stream;
mod wakers;

pub use conn::Connection;
pub use connect::EarlyConnection;
pub use listen::{
    Incoming,
    Listener, //
};
pub use stream::{
    BiStream,
    PeerStream,
    RecvStream,
    SendStream, //
};
