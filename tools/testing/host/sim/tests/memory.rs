// SPDX-License-Identifier: GPL-2.0

//! The allocation-failure sweep: in a whole scenario, the n-th allocation fails, for every n.
//!
//! One failure may end a connection or delay it, but neither breaks anything: nothing panics, no
//! byte is wrong, and both ends come to rest.

use quic_core::common::id::Dir;
use quic_core::common::time::Duration;
use quic_core::mem::fail;
use quic_sim::net::Link;
use quic_sim::node::Setup;
use quic_sim::pair::Pair;

fn client() -> Setup {
    let mut setup = Setup::default();
    setup.plan.streams = vec![(Dir::Bidi, 20_000), (Dir::Uni, 3_000), (Dir::Bidi, 10)];
    setup.plan.datagrams = (0..5).map(|n| 100 + n).collect();
    setup.params.max_datagram_frame_size = 1_200;
    setup
}

fn server() -> Setup {
    let mut setup = Setup::default();
    setup.plan.reply = Some(5_000);
    setup.params.max_datagram_frame_size = 1_200;
    setup
}

/// Runs a transfer and says whether it was completed.
fn run(link: Link, client: &Setup, server: Setup) -> bool {
    let mut pair = Pair::new(7, link, client, server);
    pair.transfer(60, 3, 2)
}

/// Fails every allocation of a scenario in turn; returns how many there are and how many of the
/// runs completed nevertheless.
fn sweep(link: &Link, client: &Setup, server: &Setup) -> (u64, u64) {
    fail::off();
    let start = fail::count();
    assert!(run(link.clone(), client, server.clone()));
    let total = fail::count() - start;
    let mut completed = 0;
    for n in FIRST..total {
        fail::after(n);
        completed += u64::from(run(link.clone(), client, server.clone()));
        fail::off();
    }
    (total, completed)
}

/// Allocations before these make the client's connection itself, which the scenario needs.
const FIRST: u64 = 12;

#[test]
fn any_single_allocation_may_fail_on_a_perfect_network() {
    let (total, completed) = sweep(&Link::default(), &client(), &server());
    assert!(total > 100, "{total}");
    // Most failures cost a retransmission and no more.
    assert!(completed * 10 > total * 5, "{completed} of {total}");
}

#[test]
fn any_single_allocation_may_fail_on_a_lossy_network_with_retry() {
    let mut server = server();
    server.retry = true;
    let (total, completed) = sweep(&Link::lossy(10, 50_000), &client(), &server);
    assert!(completed * 10 > total * 5, "{completed} of {total}");
}

#[test]
fn without_any_memory_from_some_moment_on_both_ends_come_to_rest() {
    for n in (FIRST..400).step_by(7) {
        fail::all_after(n);
        let mut pair = Pair::new(3, Link::default(), &client(), server());
        pair.wait(Duration::from_secs(100));
        fail::off();
        let client = pair.client.borrow();
        assert!(
            !client.peer.state().is_open(),
            "{n}: {:?}",
            client.peer.state()
        );
    }
}
