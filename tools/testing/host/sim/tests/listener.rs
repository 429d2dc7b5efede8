// SPDX-License-Identifier: GPL-2.0

//! What a listener makes of first packets, and of tokens that come more than once.

mod forge;

use forge::Wire;
use quic_core::common::{
    Dir,
    Duration, //
};
use quic_sim::net::{
    Link,
    Way, //
};
use quic_sim::node::Setup;
use quic_sim::pair::Pair;

/// A client with one stream to send, and a server that answers.
fn setups() -> (Setup, Setup) {
    let (mut client, mut server) = (Setup::default(), Setup::default());
    client.plan.streams = vec![(Dir::Bidi, 500)];
    server.plan.reply = Some(100);
    (client, server)
}

/// A client that comes with the token which an earlier one has got from the server.
fn returning(pair: &mut Pair) -> Setup {
    assert!(pair.transfer(10, 1, 1));
    pair.wait(Duration::from_secs(1));
    let mut again = setups().0;
    again.token = pair.client.borrow().peer.connection.token().to_vec();
    assert!(!again.token.is_empty());
    again
}

// RFC 9000 8.1.4 #6 test, RFC 9000 8.1.4 #8 test
#[test]
fn a_token_saves_the_retry_once() {
    let (client, mut server) = setups();
    server.retry = true;
    let mut pair = Pair::new(8, Link::default(), &client, server);
    let again = returning(&mut pair);
    for (port, retries) in [(2222, 0), (3333, 1), (4444, 1)] {
        let next = pair.add_client(9, port, &again);
        pair.wait(Duration::from_secs(1));
        let next = next.borrow();
        assert_eq!(next.peer.app.complete(), 1, "{port}");
        assert_eq!(next.peer.stats.retry_in, retries, "{port}");
    }
}

// RFC 9000 8.1.4 #6 test
#[test]
fn a_token_used_before_lifts_no_limit() {
    let (client, mut server) = setups();
    server.shape.certificate = 50_000;
    let mut pair = Pair::new(8, Link::default(), &client, server);
    let again = returning(&mut pair);
    // Each sends one datagram: whoever replays a token sees no answer.
    for (port, is_limited) in [(2222, false), (3333, true)] {
        let down = pair.world.net.counts(Way::Down).bytes;
        let up = pair.world.net.counts(Way::Up).bytes;
        let _client = pair.add_client(9, port, &again);
        pair.wait(Duration::from_millis(9));
        assert_eq!(pair.world.net.counts(Way::Up).bytes - up, 1200);
        pair.world.net.link(Way::Up).blackhole = true;
        pair.wait(Duration::from_secs(20));
        pair.world.net.link(Way::Up).blackhole = false;
        let sent = pair.world.net.counts(Way::Down).bytes - down;
        assert_eq!(sent <= 3 * 1200, is_limited, "{port}: {sent}");
    }
}

#[test]
fn a_packet_that_comes_twice_has_the_token_of_its_retry_still() {
    let (client, mut server) = setups();
    server.retry = true;
    let mut wire = Wire::new(&client, server);
    let first = wire.up();
    wire.give_server(first);
    let retry = wire.down();
    wire.give_client(retry);
    let second = wire.up();
    // The listener has forgotten it: as if it had had no room for it the first time.
    wire.give_server(second.clone());
    assert_eq!(wire.server.peers.len(), 1);
    wire.server.forget();
    wire.give_server(second);
    assert_eq!(wire.server.peers.len(), 1);
    assert_eq!(wire.server.stats.retry_out, 1);
}

// RFC 9000 17.2 #1 test
#[test]
fn a_first_packet_without_the_fixed_bit_makes_no_connection_unless_that_was_offered() {
    for is_offered in [false, true] {
        let (client, mut server) = setups();
        server.params.grease_quic_bit = is_offered;
        let mut wire = Wire::new(&client, server);
        let mut first = wire.up();
        assert_eq!(first[0].bytes[0] & 0x40, 0x40);
        first[0].bytes[0] &= !0x40;
        first.truncate(1);
        wire.give_server(first);
        assert_eq!(wire.server.peers.len(), usize::from(is_offered));
        assert!(wire.down().is_empty());
    }
}
