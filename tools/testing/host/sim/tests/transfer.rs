// SPDX-License-Identifier: GPL-2.0

//! Data arrives whole and in order, whatever the network does to packets.

use quic_core::common::id::Dir;
use quic_sim::net::Link;
use quic_sim::node::Setup;
use quic_sim::pair::{
    seeds,
    Pair, //
};

fn sending(streams: &[(Dir, u64)]) -> Setup {
    let mut setup = Setup::default();
    setup.plan.streams = streams.to_vec();
    setup
}

fn replying(len: u64) -> Setup {
    let mut setup = Setup::default();
    setup.plan.reply = Some(len);
    setup
}

#[test]
fn one_stream_crosses_a_perfect_network() {
    let client = sending(&[(Dir::Bidi, 100_000)]);
    let mut pair = Pair::new(1, Link::default(), &client, replying(50_000));
    assert!(pair.transfer(10, 1, 1));
    assert_eq!(pair.client.borrow().peer.app.bytes(), 50_000);
    assert_eq!(pair.server.borrow().peers[0].app.bytes(), 100_000);
}

#[test]
fn twenty_streams_cross_a_lossy_network() {
    seeds(100, |seed| {
        let streams: Vec<_> = (0..20).map(|n| (Dir::Bidi, 1 + n * 2_000)).collect();
        let link = Link::lossy(20, 50_000);
        let mut pair = Pair::new(seed, link, &sending(&streams), replying(3_000));
        assert!(pair.transfer(120, 20, 20));
    });
}
