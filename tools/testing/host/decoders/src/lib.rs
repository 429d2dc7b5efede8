// SPDX-License-Identifier: GPL-2.0

//! One function per decoder: any bytes in, no panic out, and what was decoded means what it says.
//!
//! The fuzzer calls them with bytes of its own (`../fuzz`), the test `replay` with those the fuzzer
//! has found worth keeping.  Asserting is all they do.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod frames;
mod handshake;
mod packets;
mod params;

pub use frames::{
    ack,
    frames, //
};
pub use handshake::{
    client_hello,
    first_packet,
    token, //
};
pub use packets::{
    headers,
    open, //
    packet,
};
pub use params::params;

/// An entry point.
pub type Target = fn(&[u8]);

/// Every entry point with its name, which is that of its folder in the corpus.
pub const TARGETS: [(&str, Target); 9] = [
    ("ack", ack),
    ("client_hello", client_hello),
    ("first_packet", first_packet),
    ("frames", frames),
    ("headers", headers),
    ("open", open),
    ("packet", packet),
    ("params", params),
    ("token", token),
];
