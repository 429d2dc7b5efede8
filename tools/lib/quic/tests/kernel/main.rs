// SPDX-License-Identifier: LGPL-2.1-or-later
//! Clients and servers over loopback, on a kernel that has QUIC sockets.
//!
//! Ignored elsewhere; in a guest: `cargo test -p libquic --test kernel -- --ignored`.

mod c;
#[path = "../common/mod.rs"]
mod common;
mod ends;
mod handshakes;
#[path = "../common/loopback.rs"]
mod loopback;
#[path = "../common/middlebox.rs"]
mod middlebox;
mod resumption;
mod streams;
mod tickets;
mod versions;

use std::thread;

use quic::{
    ClientConfigBuilder,
    Connection,
    Listener,
    Result,
    ServerConfigBuilder, //
};

use loopback::{
    data,
    LONG, //
};

fn client() -> ClientConfigBuilder {
    loopback::client()
        .read_timeout(Some(LONG))
        .write_timeout(Some(LONG))
}

fn server() -> ServerConfigBuilder {
    loopback::server()
        .read_timeout(Some(LONG))
        .write_timeout(Some(LONG))
}

/// Results of both sides' handshakes.
fn meet_at(
    addr: &str,
    name: &str,
    client: ClientConfigBuilder,
    server: ServerConfigBuilder,
) -> (Result<Connection>, Result<Connection>) {
    let listener = Listener::bind(addr, &server.build().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    let client = client.build().unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| listener.accept_timeout(Some(LONG))?.handshake());
        let client = Connection::connect(addr, name, &client);
        (client, server.join().unwrap())
    })
}

fn meet(client: ClientConfigBuilder, server: ServerConfigBuilder) -> (Connection, Connection) {
    let (client, server) = meet_at("127.0.0.1:0", "server.test", client, server);
    (client.unwrap(), server.unwrap())
}

/// Bytes that depend on their place and on a seed.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|nr| (nr * 31 + (nr >> 8) * 7 + seed) as u8)
        .collect()
}
