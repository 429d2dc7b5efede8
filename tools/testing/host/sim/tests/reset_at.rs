// SPDX-License-Identifier: GPL-2.0

//! Streams that are given up but for their first bytes, on networks that lose packets
//! (draft-ietf-quic-reliable-stream-reset).

use quic_core::common::error::Error;
use quic_core::common::id::{
    Dir,
    Side,
    StreamId, //
};
use quic_core::common::time::Duration;
use quic_core::conn::event::Event;
use quic_core::conn::State;
use quic_sim::net::Link;
use quic_sim::node::Setup;
use quic_sim::pair::{
    seeds,
    Pair, //
};

const STREAM: StreamId = StreamId::new(Side::Client, Dir::Uni, 0);

/// A client that has written 400,000 bytes, of which some are on their way.
fn writing(seed: u64, link: Link, announced: bool) -> Pair {
    let mut client = Setup::default();
    client.plan.streams = vec![(Dir::Uni, 400_000)];
    let mut server = Setup::default();
    server.params.reset_stream_at = announced;
    let mut pair = Pair::new(seed, link, &client, server);
    assert!(pair.connect(30));
    pair.wait(Duration::from_millis(100));
    pair
}

fn reset_at(pair: &Pair, reliable: u64) -> Result<(), Error> {
    let mut client = pair.client.borrow_mut();
    let streams = client.peer.connection.streams_mut();
    streams.reset_at(STREAM, 7, reliable)
}

#[test]
fn the_promised_bytes_arrive_over_a_lossy_network() {
    for reliable in [1, 20_000, 150_000] {
        seeds(200, |seed| {
            let mut pair = writing(seed, Link::lossy(20, 100_000), true);
            reset_at(&pair, reliable).expect("announced");
            let client = pair.client.clone();
            let is_over = move || client.borrow().peer.connection.streams().is_empty();
            assert!(pair.world.run(Duration::from_secs(120), is_over));
            pair.wait(Duration::from_secs(1));
            let (client, server) = (pair.client.borrow(), pair.server.borrow());
            let server = &server.peers[0];
            let received = server.app.received()[&STREAM];
            assert!(received.bytes >= reliable, "{}", received.bytes);
            assert!(!received.fin);
            assert!(server.connection.streams().is_empty());
            let ended = |wanted: u8| {
                move |event: &Event| match event {
                    Event::StreamUpdate { state, errcode, .. } => (*state, *errcode) == (wanted, 7),
                    _ => false,
                }
            };
            // Everything promised was acknowledged; the peer was told of a reset.
            assert!(client.peer.events.iter().any(ended(3)));
            assert!(server.events.iter().any(ended(10)));
            assert_eq!(server.state(), State::Established);
        });
    }
}

#[test]
fn a_peer_that_has_not_announced_it_is_not_bothered() {
    let mut pair = writing(1, Link::lossy(20, 0), false);
    assert_eq!(reset_at(&pair, 1), Err(Error::Unsupported));
    assert!(pair.transfer(30, 1, 0));
}
