// SPDX-License-Identifier: GPL-2.0

//! What a change of version means for 0-RTT (RFC 9369 4.1).

use quic_core::common::id::{
    Dir,
    Level,
    Side,
    Version, //
};
use quic_core::common::time::Duration;
use quic_core::packet::Packet as Parsed;
use quic_sim::net::{
    Link,
    Packet, //
};
use quic_sim::node::{
    params,
    Setup, //
};
use quic_sim::pair::{
    client_addr,
    seeds,
    Pair, //
};
use quic_sim::tls::{
    Agent,
    Script,
    Shape,
    Step, //
};

const BOTH: [(Version, Version); 2] = [(Version::V1, Version::V2), (Version::V2, Version::V1)];

/// A client that begins in `ours` and sends 0-RTT, and a server that prefers `theirs`, takes 0-RTT
/// and has its secret before or after the client's transport parameters.
fn resuming(ours: Version, theirs: Version, early_first: bool) -> (Setup, Setup) {
    let (mut client, mut server) = (Setup::default(), Setup::default());
    client.config.version = ours.0;
    client.shape.early = true;
    client.plan.early = true;
    client.plan.streams = vec![(Dir::Bidi, 30_000)];
    client.remembered = Some(params());
    server.config.version = theirs.0;
    server.shape = Shape {
        early: true,
        accept_early: true,
        early_first,
        ..Shape::default()
    };
    server.plan.reply = Some(5_000);
    (client, server)
}

/// Level and version of each long header that a client sent.
fn long_headers(sent: &[Packet]) -> Vec<(Level, Version)> {
    let mut found = Vec::new();
    for packet in sent.iter().filter(|packet| packet.src == client_addr()) {
        let mut rest = packet.bytes.as_slice();
        while let Ok(Parsed::Protected(header)) = Parsed::parse_first(rest, 8) {
            found.extend(header.version.map(|version| (header.level, version)));
            rest = &rest[header.len..];
            if rest.is_empty() {
                break;
            }
        }
    }
    found
}

#[test]
fn early_data_arrives_in_the_original_version_at_a_server_that_prefers_another() {
    for (ours, theirs) in BOTH {
        for early_first in [false, true] {
            let (client, server) = resuming(ours, theirs, early_first);
            let mut pair = Pair::new(1, Link::lossy(100, 0), &client, server);
            // Half a round trip.
            pair.wait(Duration::from_millis(105));
            let early = pair.server.borrow().peers[0].app.bytes();
            assert!(early > 5_000, "{ours:?} {early_first}: {early} bytes");
            assert_eq!(pair.server.borrow().peers[0].stats.pkt_dec_drop, 0);
            assert!(pair.transfer(10, 1, 1), "{}", pair.describe());
            let version = pair.client.borrow().peer.connection.version();
            assert_eq!(version, theirs.0);
        }
    }
}

#[test]
fn early_data_and_a_change_of_version_go_together_on_a_lossy_network() {
    for (ours, theirs) in BOTH {
        for early_first in [false, true] {
            seeds(50, |seed| {
                let (client, server) = resuming(ours, theirs, early_first);
                let mut pair = Pair::new(seed, Link::lossy(20, 100_000), &client, server);
                assert!(pair.transfer(120, 1, 1), "{}", pair.describe());
            });
        }
    }
}

/// A client's TLS that does not go on when the ServerHello is there.
struct Deaf(Script);

impl Agent for Deaf {
    fn start(&mut self) -> Vec<Step> {
        self.0.start()
    }

    fn on_params(&mut self, params: &[u8]) -> Vec<Step> {
        self.0.on_params(params)
    }

    fn on_bytes(&mut self, _: Level, _: &[u8]) -> Vec<Step> {
        Vec::new()
    }
}

#[test]
fn a_client_that_knows_the_negotiated_version_sends_no_early_data_any_more() {
    for (ours, theirs) in BOTH {
        let (mut client, server) = resuming(ours, theirs, false);
        let shape = client.shape.clone();
        client.agent = Some(std::rc::Rc::new(move |side: Side| {
            Box::new(Deaf(Script::new(side, shape.clone()))) as Box<dyn Agent>
        }));
        let mut pair = Pair::new(1, Link::lossy(20, 0), &client, server);
        pair.world.net.tap = Some(Vec::new());
        // The first flight fills the window and stays in the original version.
        pair.wait(Duration::from_millis(30));
        let flight = long_headers(&pair.world.net.tap.take().expect("a tap"));
        assert!(flight.contains(&(Level::Initial, ours)));
        assert!(
            flight
                .iter()
                .filter(|seen| **seen == (Level::Early, ours))
                .count()
                > 5
        );
        assert!(flight.iter().all(|(_, version)| *version == ours));
        // The acknowledgement of the ClientHello makes room for more.
        pair.world.net.tap = Some(Vec::new());
        pair.wait(Duration::from_millis(15));
        assert_eq!(pair.client.borrow().peer.connection.version(), theirs.0);
        pair.wait(Duration::from_secs(5));
        let later = long_headers(&pair.world.net.tap.take().expect("a tap"));
        assert!(later.contains(&(Level::Initial, theirs)), "{later:?}");
        let early = later.iter().filter(|(level, _)| *level == Level::Early);
        assert_eq!(early.count(), 0, "{later:?}");
    }
}
