// SPDX-License-Identifier: LGPL-2.1-or-later
//! Clients and servers over loopback, on a kernel that has QUIC sockets.
//!
//! Ignored elsewhere; in a guest: `cargo test -p libquic --test kernel -- --ignored`.

mod c;
#[path = "../common/mod.rs"]
mod common;
mod ends;
mod handshakes;
#[path = "../common/middlebox.rs"]
mod middlebox;
mod resumption;
mod streams;
mod tickets;
mod versions;

use std::{
    path::PathBuf,
    thread,
    time::Duration, //
};

use quic::{
    ClientConfig,
    ClientConfigBuilder,
    Connection,
    Listener,
    Result,
    ServerConfig,
    ServerConfigBuilder,
    Trust, //
};

/// An emulated guest is slow.
const LONG: Duration = Duration::from_secs(60);

fn data(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file)
}

fn client() -> ClientConfigBuilder {
    ClientConfig::builder()
        .trust(Trust::File(data("ca.pem")))
        .alpn(["sample"])
        .handshake_timeout(LONG)
        .read_timeout(Some(LONG))
        .write_timeout(Some(LONG))
}

fn server() -> ServerConfigBuilder {
    ServerConfig::builder()
        .certificate(data("server.pem"), data("leaf.key"))
        .alpn(["sample"])
        .handshake_timeout(LONG)
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
