// SPDX-License-Identifier: GPL-2.0

//! What a connection can be told before it is established, and until when.

#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::common::{
    cx::Stats,
    rng::Rng,
    time::Duration, //
};
use core::net::SocketAddr;
use std::vec::Vec;

struct Ones;

impl Rng for Ones {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(1);
    }
}

fn client() -> Box<Connection> {
    let addr = |host| SocketAddr::from(([192, 0, 2, host], 4433));
    let path = PathAddr {
        local: addr(1),
        remote: addr(2),
    };
    let mut stats = Stats::default();
    let mut cx = Cx {
        now: Instant::from_nanos(1),
        rng: &mut Ones,
        stats: &mut stats,
    };
    let params = TransportParams::default();
    Connection::client(&mut cx, &Config::default(), &params, path, b"").unwrap()
}

fn announced(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = [0; 512];
    let len = connection.encode_params(&mut bytes).unwrap();
    bytes[..len].to_vec()
}

fn other_config() -> Config {
    Config {
        version: Version::V2.0,
        compatible_versions: false,
        ..Config::default()
    }
}

fn other_params() -> TransportParams {
    TransportParams {
        max_ack_delay: Duration::from_millis(7),
        initial_max_data: 99,
        ..TransportParams::default()
    }
}

#[test]
fn what_is_told_before_tls_takes_the_parameters_is_announced() {
    let mut connection = client();
    assert_eq!(connection.set_config(&other_config()), Ok(()));
    assert_eq!(connection.set_local_params(&other_params()), Ok(()));
    assert_eq!(connection.version(), Version::V2.0);
    let bytes = announced(&mut connection);
    let seen = TransportParams::parse(&bytes, Side::Client).unwrap();
    assert_eq!(seen.version_information, None);
    assert_eq!(seen.max_ack_delay, Duration::from_millis(7));
    assert_eq!(seen.initial_max_data, 99);
}

#[test]
fn a_version_set_when_tls_has_fetched_the_parameters_changes_nothing() {
    let mut connection = client();
    // What does not fit was not fetched.
    assert_eq!(connection.encode_params(&mut [0; 4]), Err(Error::Invalid));
    assert_eq!(connection.set_local_params(&other_params()), Ok(()));
    let before = announced(&mut connection);
    assert_eq!(connection.set_config(&other_config()), Ok(()));
    assert_eq!(announced(&mut connection), before);
    assert_eq!(connection.version(), Version::V1.0);
    assert!(connection.local_params().version_information.is_some());
    // What is not announced is changed still.
    let nodelay = Config {
        nodelay: true,
        ..Config::default()
    };
    assert_eq!(connection.set_config(&nodelay), Ok(()));
    assert!(connection.config.nodelay);
}
