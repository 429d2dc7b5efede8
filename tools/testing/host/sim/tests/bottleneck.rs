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

#[test]
fn random_loss_costs_newreno_what_the_formula_says() {
    // Mathis et al.: a rate of MSS / RTT * sqrt(3/2) / sqrt(p); no queue, no limit but the loss.
    let (delay, loss) = (20, 1_000);
    seeds(2, |seed| {
        let link = Link::lossy(delay, loss);
        let mut pair = Pair::new(
            seed,
            link,
            &client(400_000_000, Algorithm::NewReno),
            server(),
        );
        assert!(pair.connect(10));
        pair.wait(Duration::from_secs(5));
        let before = pair.server.borrow().peers[0].app.bytes();
        pair.wait(Duration::from_secs(60));
        let rate = (pair.server.borrow().peers[0].app.bytes() - before) / 60;
        let formula = (1_450.0 / 0.040 * (1.5f64).sqrt() / (0.001f64).sqrt()) as u64;
        let percent = rate * 100 / formula;
        assert!(
            (60..=150).contains(&percent),
            "{rate} of {formula} bytes a second"
        );
    });
}

/// Bytes that each of two clients has brought to the server.
fn brought(pair: &Pair) -> Vec<u64> {
    let server = pair.server.borrow();
    server.peers.iter().map(|peer| peer.app.bytes()).collect()
}

/// Seconds in which shares are measured: many losses of either flow, so that it is not luck who had
/// the last one.
const MEASURED: u64 = 50;

/// Two flows from `start` seconds on, the second one so many seconds later than the first; returns
/// what each has brought in [`MEASURED`] seconds.
fn compete(seed: u64, algorithms: [Algorithm; 2], later: u64, start: u64) -> [u64; 2] {
    let link = Link::bottleneck(15, RATE);
    let [first, second] = algorithms.map(|algorithm| client(400_000_000, algorithm));
    let mut pair = Pair::new(seed, link, &first, server());
    pair.wait(Duration::from_secs(later));
    let _second: Rc<RefCell<Client>> = pair.add_client(seed, 2222, &second);
    pair.wait(Duration::from_secs(start));
    let before = brought(&pair);
    pair.wait(Duration::from_secs(MEASURED));
    let after = brought(&pair);
    [after[0] - before[0], after[1] - before[1]]
}

/// Checks that the rate is used, and that the smaller share is at least `percent` of the larger.
fn check_shares(rates: [u64; 2], percent: u64, what: &str) {
    let (most, least) = (rates[0].max(rates[1]), rates[0].min(rates[1]));
    let total = (most + least) * 100 / (MEASURED * RATE);
    assert!(total >= 90, "{what}: {total} %");
    assert!(least * 100 >= most * percent, "{what}: {rates:?}");
}

#[test]
fn two_flows_share_a_bottleneck_within_a_fifth() {
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        seeds(2, |seed| {
            let rates = compete(seed, [algorithm; 2], 0, 10);
            check_shares(rates, 80, &format!("{algorithm:?} {seed}"));
        });
    }
}

#[test]
fn a_flow_that_comes_later_gets_its_share() {
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        seeds(1, |seed| {
            let rates = compete(seed, [algorithm; 2], 8, 15);
            check_shares(rates, 80, &format!("{algorithm:?} {seed}"));
        });
    }
}

// RFC 9438 4.3: with a window this small CUBIC follows the estimate of what Reno would have.
#[test]
fn cubic_and_newreno_live_side_by_side() {
    for algorithms in [
        [Algorithm::NewReno, Algorithm::Cubic],
        [Algorithm::Cubic, Algorithm::NewReno],
    ] {
        seeds(1, |seed| {
            let rates = compete(seed, algorithms, 0, 10);
            check_shares(rates, 60, &format!("{algorithms:?} {seed}"));
        });
    }
}

/// Share of the bottleneck, in percent, that one stream to a server with these windows has in
/// three seconds after `warm_up`, over `delay` milliseconds each way.
fn share_of_long_path(delay: u64, rate: u64, windows: (u64, u64), warm_up: u64) -> u64 {
    let link = Link::bottleneck(delay, rate);
    let mut server = Setup::default();
    (
        server.params.initial_max_data,
        server.params.initial_max_stream_data_uni,
    ) = windows;
    let mut pair = Pair::new(1, link, &client(4_000_000_000, Algorithm::Cubic), server);
    assert!(pair.connect(10));
    pair.wait(Duration::from_secs(warm_up));
    let before = pair.server.borrow().peers[0].app.bytes();
    pair.wait(Duration::from_secs(3));
    let bytes = pair.server.borrow().peers[0].app.bytes() - before;
    bytes * 100 / (3 * rate)
}

#[test]
fn the_receive_windows_grow_to_the_bandwidth_delay_product() {
    // Two megabytes are under way; the first windows would admit 500 and 300 kB of them.
    let share = share_of_long_path(100, 10_000_000, (500_000, 300_000), 20);
    assert!(share >= 90, "{share} %");
    // The default windows of the socket interface, and a path for four megabytes.
    let params = quic_sim::node::params();
    let windows = (params.initial_max_data, params.initial_max_stream_data_uni);
    let share = share_of_long_path(50, 40_000_000, windows, 8);
    assert!(share >= 90, "{share} %");
}
