// SPDX-License-Identifier: GPL-2.0

//! Paths on which whole batches overtake each other: packets that are late are not lost, and a
//! sender learns that.

use quic_core::common::{
    Dir,
    Duration, //
};
use quic_sim::net::{
    Link,
    Stall,
    Way, //
};
use quic_sim::node::Setup;
use quic_sim::pair::{
    seeds,
    Pair, //
};

const MEGABYTE: u64 = 1 << 20;

/// What came of a transfer.
struct Outcome {
    /// Declared lost by the sender.
    lost: u64,
    /// Acknowledged after that.
    spurious: u64,
    /// Dropped by the network.
    dropped: u64,
    /// Packets that the receiver could not open.
    unopened: u64,
    millis: u64,
}

/// Twenty megabytes over 20 ms each way at ten megabytes per second, with `chance` millionths of the
/// batches held up for up to `span` milliseconds and `loss` millionths of the packets dropped.
fn transfer(seed: u64, chance: u32, span: u64, loss: u32) -> Outcome {
    let mut client = Setup::default();
    client.plan.streams = vec![(Dir::Uni, 20 * MEGABYTE)];
    let up = Link {
        stall: Some(Stall {
            chance,
            span: Duration::from_millis(span),
        }),
        loss,
        queue: 10 * MEGABYTE,
        ..Link::bottleneck(20, 10 * MEGABYTE)
    };
    let mut pair = Pair::over(seed, up, Link::lossy(20, 0), &client, Setup::default());
    let begin = pair.world.now;
    assert!(pair.transfer(300, 1, 0), "{}", pair.describe());
    let took = pair.world.now.since(begin);
    pair.wait(Duration::from_secs(1));
    let info = pair.client.borrow().peer.connection.info();
    let stats = pair.server.borrow().peers[0].stats;
    Outcome {
        lost: info.packets_lost,
        spurious: info.packets_spurious,
        dropped: pair.world.net.counts(Way::Up).lost,
        unopened: stats.pkt_dec_drop + stats.pkt_inv_hdr_drop,
        millis: took.as_nanos() / 1_000_000,
    }
}

#[test]
fn batches_that_overtake_each_other_slow_nothing_down() {
    let undisturbed = transfer(1, 0, 1, 0);
    assert_eq!((undisturbed.lost, undisturbed.unopened), (0, 0));
    for span in [3, 10, 30, 60] {
        seeds(8, |seed| {
            let outcome = transfer(seed, 10_000, span, 0);
            // What was thought lost was found to have arrived, all of it: the path is given more
            // room each time, so that it does not go on.
            assert_eq!(outcome.lost, outcome.spurious, "{span} ms");
            assert!(outcome.lost <= 150, "{span} ms: {} packets", outcome.lost);
            assert_eq!(outcome.unopened, 0, "{span} ms");
            let limit = undisturbed.millis * 115 / 100;
            assert!(outcome.millis <= limit, "{span} ms: {} ms", outcome.millis);
        });
    }
}

#[test]
fn losses_among_late_packets_are_told_apart() {
    for span in [10, 60] {
        seeds(8, |seed| {
            let outcome = transfer(seed, 10_000, span, 1_000);
            let real = outcome.lost - outcome.spurious;
            assert_eq!(real, outcome.dropped, "{span} ms");
        });
    }
}
