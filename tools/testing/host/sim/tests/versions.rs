// SPDX-License-Identifier: GPL-2.0

//! What a change of version means for 0-RTT (RFC 9369 4.1) and for the ClientHello (RFC 9368 2.1).

use quic_core::common::id::{
    Dir,
    Level,
    Side,
    Version, //
};
use quic_core::common::time::Duration;
use quic_core::conn::event::CloseKind;
use quic_core::conn::Restart;
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
use quic_sim::world::Node;

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
            seeds(200, |seed| {
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

/// A client that begins in `version`, and a server that does not change versions.
fn stubborn(version: Version, restart: Restart) -> (Setup, Setup) {
    let (mut client, mut server) = (Setup::default(), Setup::default());
    client.config.version = version.0;
    client.config.restart = restart;
    client.plan.streams = vec![(Dir::Bidi, 1)];
    server.config.compatible_versions = false;
    server.plan.reply = Some(1);
    (client, server)
}

/// The client's first flight, and a Version Negotiation packet in answer to it.
fn refused(pair: &Pair, spoken: &[Version]) -> (Vec<Packet>, Packet) {
    let flight = pair.client.borrow_mut().drive(pair.world.now);
    let flight: Vec<Packet> = flight.into_iter().map(|(_, packet)| packet).collect();
    let first = flight.first().expect("a first flight");
    let Ok(Parsed::Protected(header)) = Parsed::parse_first(&first.bytes, 8) else {
        panic!("an Initial packet");
    };
    let mut bytes = vec![0xc0, 0, 0, 0, 0];
    for id in [header.scid, header.dcid] {
        bytes.push(id.len() as u8);
        bytes.extend_from_slice(id.as_slice());
    }
    for version in spoken {
        bytes.extend(version.0.to_be_bytes());
    }
    let answer = Packet {
        src: first.dst,
        dst: first.src,
        ecn: 0,
        bytes,
    };
    (flight, answer)
}

fn close_of(pair: &Pair) -> Option<(CloseKind, u64)> {
    let client = pair.client.borrow();
    let info = client.peer.connection.close_info();
    info.map(|info| (info.kind, info.code))
}

#[test]
fn an_attempt_whose_client_hello_would_be_wrong_ends_and_says_in_which_version_to_begin() {
    for (announced, spoken) in BOTH {
        let (client, server) = stubborn(announced, Restart::Owner);
        let mut pair = Pair::new(1, Link::default(), &client, server);
        pair.world.net.tap = Some(Vec::new());
        let (_, answer) = refused(&pair, &[Version(0x1a2a_3a4a), spoken]);
        let now = pair.world.now;
        pair.client.borrow_mut().receive(now, answer);
        pair.wait(Duration::from_secs(1));
        assert_eq!(close_of(&pair), Some((CloseKind::VersionNegotiation, 0x11)));
        assert_eq!(pair.client.borrow().peer.connection.version(), spoken.0);
        assert!(pair.world.net.tap.expect("a tap").is_empty());
    }
}

#[test]
fn a_client_hello_that_announces_the_version_asked_for_is_sent_again() {
    let (client, server) = stubborn(Version(123), Restart::Owner);
    let mut pair = Pair::new(1, Link::default(), &client, server);
    assert!(pair.transfer(10, 1, 1), "{}", pair.describe());
    assert_eq!(pair.client.borrow().peer.stats.version_negotiation_in, 1);
}

#[test]
fn a_client_hello_that_announces_another_version_is_refused_by_those_who_read_it() {
    let (mut client, server) = stubborn(Version::V2, Restart::Never);
    client.shape.early = true;
    client.plan.early = true;
    client.remembered = Some(params());
    let mut pair = Pair::new(1, Link::default(), &client, server);
    pair.world.net.tap = Some(Vec::new());
    let (_, answer) = refused(&pair, &[Version::V1]);
    let now = pair.world.now;
    pair.client.borrow_mut().receive(now, answer);
    pair.wait(Duration::from_secs(1));
    assert_eq!(close_of(&pair), Some((CloseKind::PeerTransport, 0x11)));
    // No 0-RTT: its keys are those of the version that was refused.
    let sent = long_headers(&pair.world.net.tap.take().expect("a tap"));
    assert!(sent.contains(&(Level::Initial, Version::V1)));
    assert!(
        sent.iter().all(|(level, _)| *level != Level::Early),
        "{sent:?}"
    );
}

#[test]
fn the_attempt_that_follows_a_version_negotiation_finds_a_server_of_one_version() {
    let (client, server) = stubborn(Version::V1, Restart::Second);
    let mut pair = Pair::new(1, Link::default(), &client, server);
    // There is no third attempt.
    let (flight, answer) = refused(&pair, &[Version::V2]);
    let now = pair.world.now;
    pair.client.borrow_mut().receive(now, answer);
    for packet in flight {
        pair.world.net.send(now, packet);
    }
    assert!(pair.transfer(10, 1, 1), "{}", pair.describe());
    assert_eq!(pair.client.borrow().peer.stats.version_negotiation_in, 0);
}

#[test]
fn the_attempt_that_follows_a_forged_version_negotiation_finds_it_out() {
    for (version, _) in BOTH {
        let (client, mut server) = stubborn(version, Restart::Second);
        server.config.compatible_versions = true;
        let mut pair = Pair::new(1, Link::default(), &client, server);
        assert!(!pair.transfer(10, 1, 1));
        assert_eq!(close_of(&pair), Some((CloseKind::LocalTransport, 0x11)));
    }
}
