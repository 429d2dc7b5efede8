// SPDX-License-Identifier: GPL-2.0

//! A bottleneck's rate is used, and shared.

use std::{
    cell::RefCell,
    rc::Rc, //
};

use quic_core::common::id::Dir;
use quic_core::common::time::Duration;
use quic_core::cong::Algorithm;
use quic_sim::net::Link;
use quic_sim::node::{
    Client,
    Setup, //
};
use quic_sim::pair::{
    seeds,
    Pair, //
};

fn client(bytes: u64, algorithm: Algorithm) -> Setup {
    let mut setup = Setup::default();
    setup.plan.streams = vec![(Dir::Uni, bytes)];
    setup.config.congestion = algorithm;
    setup
}

fn server() -> Setup {
    let mut setup = Setup::default();
    setup.params.initial_max_data = 16 << 20;
    setup.params.initial_max_stream_data_uni = 16 << 20;
    setup
}

const RATE: u64 = 2_500_000;

#[test]
fn nine_tenths_of_a_bottleneck_are_used_after_start_up() {
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        for delay in [5, 25] {
            seeds(2, |seed| {
                let link = Link::bottleneck(delay, RATE);
                let client = client(200_000_000, algorithm);
                let mut pair = Pair::new(seed, link, &client, server());
                assert!(pair.connect(10));
                pair.wait(Duration::from_secs(5));
                let before = pair.server.borrow().peers[0].app.bytes();
                pair.wait(Duration::from_secs(10));
                let after = pair.server.borrow().peers[0].app.bytes();
                let share = (after - before) * 100 / (10 * RATE);
                assert!(share >= 90, "{algorithm:?} {delay} ms: {share} %");
            });
        }
    }
}

/// Bytes that each of two clients has brought to the server.
fn brought(pair: &Pair) -> Vec<u64> {
    let server = pair.server.borrow();
    server.peers.iter().map(|peer| peer.app.bytes()).collect()
}

#[test]
fn two_flows_share_a_bottleneck_within_a_fifth() {
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        seeds(1, |seed| {
            let link = Link::bottleneck(15, RATE);
            let setup = client(400_000_000, algorithm);
            let mut pair = Pair::new(seed, link, &setup, server());
            let _second: Rc<RefCell<Client>> = pair.add_client(seed, 2222, &setup);
            pair.wait(Duration::from_secs(10));
            let before = brought(&pair);
            pair.wait(Duration::from_secs(25));
            let after = brought(&pair);
            let rates: Vec<u64> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
            let (most, least) = (rates[0].max(rates[1]), rates[0].min(rates[1]));
            let total = (most + least) * 100 / (25 * RATE);
            assert!(total >= 90, "{algorithm:?}: {total} %");
            assert!(least * 100 >= most * 80, "{algorithm:?} {seed}: {rates:?}");
        });
    }
}

#[test]
fn the_receive_window_grows_to_a_long_path() {
    let link = Link::bottleneck(100, 10_000_000);
    let mut server = Setup::default();
    server.params.initial_max_data = 500_000;
    server.params.initial_max_stream_data_uni = 300_000;
    let mut pair = Pair::new(1, link, &client(200_000_000, Algorithm::Cubic), server);
    assert!(pair.connect(10));
    pair.wait(Duration::from_secs(10));
    let before = pair.server.borrow().peers[0].app.bytes();
    pair.wait(Duration::from_secs(5));
    let rate = (pair.server.borrow().peers[0].app.bytes() - before) / 5;
    // The first window alone would give 300000 bytes in 200 ms.
    assert!(rate > 3 * 1_500_000, "{rate} bytes a second");
}
