// SPDX-License-Identifier: GPL-2.0

//! quinn and our core, each in each role, over networks that lose, reorder and mark packets.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc, //
};

use quic_core::common::error::Error;
use quic_core::common::id::{
    Dir,
    Side,
    Version, //
};
use quic_core::common::time::Duration;
use quic_core::conn::event::CloseKind;
use quic_core::conn::Restart;
use quic_sim::net::{
    Link,
    Net, //
};
use quic_sim::node::{
    Client,
    MakeAgent,
    Server,
    Setup, //
};
use quic_sim::pair::{
    client_addr,
    seeds,
    server_addr, //
};
use quic_sim::world::World;
use quic_stranger::node::{
    Stranger,
    Task, //
};
use quic_stranger::tls::{
    Identity,
    Tls, //
};

fn agent(identity: &Rc<Identity>) -> MakeAgent {
    let identity = identity.clone();
    Rc::new(move |side: Side| Box::new(Tls::new(side, &identity)))
}

fn setup(identity: &Rc<Identity>) -> Setup {
    Setup {
        agent: Some(agent(identity)),
        ..Setup::default()
    }
}

fn world(seed: u64, link: &Link) -> World {
    let mut net = Net::new(seed, link.clone(), link.clone());
    net.add_server(server_addr());
    World::new(net)
}

type Ours<T> = Rc<RefCell<T>>;

/// Our client and quinn's server.
fn our_client(
    seed: u64,
    link: &Link,
    identity: &Rc<Identity>,
    setup: &Setup,
    retry: bool,
) -> (World, Ours<Client>, Ours<Stranger>) {
    let mut world = world(seed, link);
    let task = Task {
        reply: Some(200_000),
        ..Task::default()
    };
    let server = Stranger::server(server_addr(), identity, task, retry);
    let server = Rc::new(RefCell::new(server));
    let client = Client::new(world.now, seed, client_addr(), server_addr(), setup);
    let client = Rc::new(RefCell::new(client.expect("a client")));
    world.add(server.clone());
    world.add(client.clone());
    (world, client, server)
}

/// Links of increasing malice.
fn links() -> [Link; 3] {
    [
        Link::default(),
        Link::lossy(20, 30_000),
        Link {
            jitter: Duration::from_millis(5),
            reorder: 30_000,
            duplicate: 30_000,
            corrupt: 10_000,
            mark: 20_000,
            ..Link::lossy(15, 20_000)
        },
    ]
}

fn transfer(world: &mut World, client: &Ours<Client>, server: &Ours<Stranger>, n: usize) -> bool {
    let (client, server) = (client.clone(), server.clone());
    world.run(Duration::from_secs(120), move || {
        client.borrow().peer.app.complete() >= n && server.borrow().complete() >= n
    })
}

#[test]
fn our_client_talks_to_quinns_server() {
    let identity = Rc::new(Identity::generate());
    for link in links() {
        for retry in [false, true] {
            seeds(40, |seed| {
                let mut setup = setup(&identity);
                setup.plan.streams = vec![(Dir::Bidi, 300_000), (Dir::Bidi, 1)];
                setup.params.grease_quic_bit = true;
                let (mut world, client, server) = our_client(seed, &link, &identity, &setup, retry);
                // A reserved parameter, which quinn has to ignore.
                assert!(client
                    .borrow()
                    .peer
                    .connection
                    .local_params()
                    .grease
                    .is_some());
                let done = transfer(&mut world, &client, &server, 2);
                let client = client.borrow();
                assert!(done, "{:?}", client.peer.connection.close_info());
                assert_eq!(client.peer.stats.retry_in, u64::from(retry));
                assert!(client.peer.connection.is_confirmed());
            });
        }
    }
}

#[test]
fn quinns_client_talks_to_our_server() {
    let identity = Rc::new(Identity::generate());
    for mut link in links() {
        for retry in [false, true] {
            if retry {
                // quinn counts a damaged Retry as a packet of the server's and takes none any more.
                link.corrupt = 0;
            }
            seeds(40, |seed| {
                let mut world = world(seed, &link);
                let mut setup = setup(&identity);
                setup.plan.reply = Some(200_000);
                setup.retry = retry;
                setup.params.grease_quic_bit = true;
                let server = Server::new(seed, server_addr(), setup);
                let server = Rc::new(RefCell::new(server));
                let task = Task {
                    streams: vec![300_000, 1, 5_000],
                    ..Task::default()
                };
                let (from, to) = (client_addr(), server_addr());
                let client = Stranger::client(world.now, from, to, &identity, task);
                let client = Rc::new(RefCell::new(client));
                world.add(server.clone());
                world.add(client.clone());
                let (ours, theirs) = (server.clone(), client.clone());
                let done = world.run(Duration::from_secs(120), move || {
                    let ours = ours.borrow();
                    let complete = |peer: &quic_sim::peer::Peer| peer.app.complete() >= 3;
                    ours.peers.first().is_some_and(complete) && theirs.borrow().complete() >= 3
                });
                let lost = client
                    .borrow_mut()
                    .peer()
                    .and_then(|peer| peer.lost.clone());
                assert!(done, "{lost:?}");
                assert_eq!(server.borrow().stats.retry_out > 0, retry);
                let params = server.borrow().peers[0].connection.local_params().clone();
                assert!(params.grease.is_some());
            });
        }
    }
}

#[test]
fn keys_are_updated_with_quinn_from_both_sides() {
    let identity = Rc::new(Identity::generate());
    seeds(40, |seed| {
        let mut setup = setup(&identity);
        setup.plan.streams = vec![(Dir::Bidi, 3_000_000)];
        let link = Link::lossy(10, 10_000);
        let (mut world, client, server) = our_client(seed, &link, &identity, &setup, false);
        let mut updates = 0;
        for round in 0..6 {
            world.run(Duration::from_millis(300), || false);
            let now = world.now;
            if round % 2 == 0 {
                let mut client = client.borrow_mut();
                let updated = client
                    .peer
                    .with(now, |connection, cx| connection.key_update(cx));
                updates += u32::from(updated.is_ok());
            } else if let Some(peer) = server.borrow_mut().peer() {
                peer.connection.force_key_update();
            }
        }
        assert!(updates > 0);
        let done = transfer(&mut world, &client, &server, 1);
        let client = client.borrow();
        assert!(done, "{:?}", client.peer.connection.close_info());
        assert!(client.peer.stats.key_update >= 2);
    });
}

#[test]
fn quinn_follows_our_client_through_a_nat_and_to_another_address() {
    let identity = Rc::new(Identity::generate());
    seeds(40, |seed| {
        let mut setup = setup(&identity);
        setup.plan.streams = vec![(Dir::Bidi, 2_000_000)];
        let link = Link::lossy(10, 5_000);
        let (mut world, client, server) = our_client(seed, &link, &identity, &setup, false);
        let other = SocketAddr::from(([203, 0, 113, 1], 777));
        client.borrow_mut().add_addr(other);
        world.run(Duration::from_millis(300), || false);
        let outer = SocketAddr::from(([203, 0, 113, 2], 888));
        world.net.rebind(client_addr(), outer);
        world.run(Duration::from_millis(300), || false);
        let now = world.now;
        let moved = client
            .borrow_mut()
            .peer
            .with(now, |connection, cx| connection.migrate(cx, other));
        assert_eq!(moved, Ok(()));
        let done = transfer(&mut world, &client, &server, 1);
        world.run(Duration::from_secs(4), || false);
        let client = client.borrow();
        assert!(done, "{:?}", client.peer.connection.close_info());
        assert_eq!(client.peer.connection.path().local, other);
    });
}

#[test]
fn our_client_stays_where_it_is_when_quinns_ids_are_empty() {
    // RFC 9000 9.5 #5 test
    let identity = Rc::new(Identity::generate());
    let mut world = world(1, &Link::lossy(10, 10_000));
    let mut setup = setup(&identity);
    setup.plan.streams = vec![(Dir::Bidi, 300_000)];
    let task = Task {
        reply: Some(100_000),
        ..Task::default()
    };
    let server = Stranger::server_without_ids(server_addr(), &identity, task);
    let server = Rc::new(RefCell::new(server));
    let client = Client::new(world.now, 1, client_addr(), server_addr(), &setup);
    let client = Rc::new(RefCell::new(client.expect("a client")));
    world.add(server.clone());
    world.add(client.clone());
    let other = SocketAddr::from(([203, 0, 113, 1], 777));
    client.borrow_mut().add_addr(other);
    let done = transfer(&mut world, &client, &server, 1);
    let mut client = client.borrow_mut();
    assert!(done, "{:?}", client.peer.connection.close_info());
    assert!(client.peer.connection.is_confirmed());
    let now = world.now;
    let moved = client
        .peer
        .with(now, |connection, cx| connection.migrate(cx, other));
    assert_eq!(moved, Err(Error::Invalid));
}

#[test]
fn a_close_of_quinns_reaches_us_with_code_and_reason() {
    let identity = Rc::new(Identity::generate());
    let mut setup = setup(&identity);
    setup.plan.streams = vec![(Dir::Bidi, 1_000)];
    let link = Link::default();
    let (mut world, client, server) = our_client(1, &link, &identity, &setup, false);
    assert!(transfer(&mut world, &client, &server, 1));
    let now = std::time::Instant::now();
    if let Some(peer) = server.borrow_mut().peer() {
        let reason = bytes::Bytes::from_static(b"enough");
        peer.connection
            .close(now, quinn_proto::VarInt::from_u32(42), reason);
    }
    world.run(Duration::from_millis(100), || false);
    let client = client.borrow();
    let info = client.peer.connection.close_info().expect("a cause");
    assert_eq!((info.kind, info.code), (CloseKind::PeerApplication, 42));
    assert_eq!(info.reason(), b"enough");
}

#[test]
fn our_client_of_version_2_finds_a_quinn_that_speaks_version_1_alone() {
    let identity = Rc::new(Identity::generate());
    let link = Link::default();
    let mut setup = setup(&identity);
    setup.plan.streams = vec![(Dir::Bidi, 1)];
    setup.config.version = Version::V2.0;
    // By itself: quinn does not look at what the ClientHello announces.
    let (mut world, client, server) = our_client(1, &link, &identity, &setup, false);
    assert!(transfer(&mut world, &client, &server, 1));
    assert_eq!(client.borrow().peer.connection.version(), Version::V1.0);
    // In two attempts.
    setup.config.restart = Restart::Owner;
    let (mut world, client, server) = our_client(2, &link, &identity, &setup, false);
    assert!(!transfer(&mut world, &client, &server, 1));
    let info = client.borrow().peer.connection.close_info().copied();
    assert_eq!(
        info.map(|info| info.kind),
        Some(CloseKind::VersionNegotiation)
    );
    setup.config.version = client.borrow().peer.connection.version();
    assert_eq!(setup.config.version, Version::V1.0);
    setup.config.restart = Restart::Second;
    let (mut world, client, server) = our_client(3, &link, &identity, &setup, false);
    assert!(transfer(&mut world, &client, &server, 1));
}
