// SPDX-License-Identifier: GPL-2.0

//! Packets made outside the core, with the secrets of the scripted handshake.

#![expect(dead_code, reason = "each test program uses a part of it")]

mod first;
mod lab;
mod opened;
mod wire;

#[allow(unused_imports, reason = "each test program uses a part of it")]
pub use self::{
    first::*,
    lab::Lab,
    opened::*,
    wire::*, //
};

use std::net::SocketAddr;

use quic_core::common::Side;
use quic_sim::net::Packet;
use quic_sim::pair::{
    client_addr,
    server_addr, //
};

/// Where an endpoint is.
pub fn addr(side: Side) -> SocketAddr {
    match side {
        Side::Client => client_addr(),
        Side::Server => server_addr(),
    }
}

fn between(from: Side, bytes: Vec<u8>) -> Packet {
    Packet {
        src: addr(from),
        dst: addr(from.peer()),
        ecn: 0,
        bytes,
    }
}

/// A datagram of the server's.
pub fn packet_to_client(bytes: Vec<u8>) -> Packet {
    between(Side::Server, bytes)
}
