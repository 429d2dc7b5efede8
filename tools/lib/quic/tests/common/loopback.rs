// SPDX-License-Identifier: LGPL-2.1-or-later
//! How the ends of connections over loopback are configured.

use std::{
    path::PathBuf,
    time::Duration, //
};

use quic::{
    ClientConfig,
    ClientConfigBuilder,
    ServerConfig,
    ServerConfigBuilder,
    Trust, //
};

/// An emulated guest is slow.
pub const LONG: Duration = Duration::from_secs(60);

pub fn data(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file)
}

pub fn client() -> ClientConfigBuilder {
    ClientConfig::builder()
        .trust(Trust::File(data("ca.pem")))
        .alpn(["sample"])
        .handshake_timeout(LONG)
}

pub fn server() -> ServerConfigBuilder {
    ServerConfig::builder()
        .certificate(data("server.pem"), data("leaf.key"))
        .alpn(["sample"])
        .handshake_timeout(LONG)
}
