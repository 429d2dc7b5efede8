// SPDX-License-Identifier: GPL-2.0

//! Packets (RFC 9000 section 17, RFC 9369): headers, packet numbers, protection, the builder that
//! is the only way to put a frame into a packet, and what is answered without a connection.

#![forbid(unsafe_code)]

pub mod builder;
pub mod header;
pub mod number;
pub mod out_header;
pub mod protect;
pub mod replay;
pub mod sealing;
pub mod stateless;
pub mod token;

pub use builder::{
    PacketBuilder,
    StreamSource, //
};
pub use header::{
    HeaderError,
    Packet,
    Protected,
    Retry,
    UnknownVersion,
    VersionNegotiation, //
};
pub use out_header::OutHeader;
pub use protect::{
    open,
    OpenError,
    Opened, //
};
pub use sealing::{
    Sealed,
    Tail,
    Unsealed, //
};
