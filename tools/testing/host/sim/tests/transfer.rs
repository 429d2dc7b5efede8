// SPDX-License-Identifier: GPL-2.0

//! Data arrives whole and in order, whatever the network does to packets.

use quic_core::common::id::Dir;
use quic_sim::net::{
    Link,
    Way, //
};
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
    seeds(200, |seed| {
        let streams: Vec<_> = (0..20).map(|n| (Dir::Bidi, 1 + n * 2_000)).collect();
        let link = Link::lossy(20, 50_000);
        let mut pair = Pair::new(seed, link, &sending(&streams), replying(3_000));
        assert!(pair.transfer(120, 20, 20));
    });
}

// RFC 9000 13.2.1 #7 test
#[test]
fn a_side_that_only_receives_asks_for_answers_and_its_acknowledgements_stay_short() {
    seeds(5, |seed| {
        let (up, down) = (Link::lossy(10, 0), Link::lossy(10, 30_000));
        let mut client = sending(&[(Dir::Bidi, 1)]);
        // So large that no MAX_DATA has to be sent, which would be answered as well.
        client.params.initial_max_data = 1 << 30;
        client.params.initial_max_stream_data_bidi_local = 1 << 30;
        let mut pair = Pair::over(seed, up, down, &client, replying(8_000_000));
        assert!(pair.transfer(200, 1, 1), "{}", pair.describe());
        let counts = pair.world.net.counts(Way::Up);
        let size = counts.bytes / counts.sent;
        // Without an answer each of them would name 256 ranges in the end.
        assert!(size < 150, "{size} bytes for an acknowledgement");
        // One packet in many asks.
        let server = pair.server.borrow();
        let answered = server.peers[0].connection.info().packets_sent;
        assert!(counts.sent > 500 && answered > 5_000, "{counts:?}");
    });
}
