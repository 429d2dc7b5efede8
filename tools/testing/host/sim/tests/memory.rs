// SPDX-License-Identifier: GPL-2.0

//! The allocation-failure sweep: in every kind of scenario, the n-th allocation fails, for every n.
//!
//! One failure may end a connection or delay it, but neither breaks anything: nothing panics, no
//! byte is wrong, no other error than that of memory is found, and both ends come to rest.

use std::net::SocketAddr;

use quic_core::common::id::Dir;
use quic_core::common::time::{
    Duration,
    Instant, //
};
use quic_core::conn::event::CloseKind;
use quic_core::conn::State;
use quic_core::mem::fail;
use quic_sim::net::{
    Link,
    Way, //
};
use quic_sim::node::{
    params,
    Setup, //
};
use quic_sim::pair::{
    client_addr,
    Pair, //
};
use quic_sim::peer::Peer;
use quic_sim::world::Node;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

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

/// Whether everything planned arrives.
fn transfer(pair: &mut Pair) -> bool {
    pair.transfer(60, 3, 2)
}

/// INTERNAL_ERROR, or a silent end.
fn is_of_memory(code: u64) -> bool {
    code <= 1
}

/// Both ends close and are gone after some time, whatever happened before.
fn end(pair: &mut Pair) {
    fn close(peer: &mut Peer, now: Instant) {
        if let Some(info) = peer.connection.close_info() {
            let is_error = matches!(
                info.kind,
                CloseKind::LocalTransport | CloseKind::PeerTransport
            );
            assert!(!is_error || is_of_memory(info.code), "{info:?}");
        }
        peer.with(now, |connection, cx| connection.close(cx, true, 9, b""));
    }
    let now = pair.world.now;
    close(&mut pair.client.borrow_mut().peer, now);
    for peer in &mut pair.server.borrow_mut().peers {
        close(peer, now);
    }
    pair.wait(Duration::from_secs(300));
    let (client, server) = (pair.client.borrow(), pair.server.borrow());
    for peer in server.peers.iter().chain([&client.peer]) {
        assert_eq!(peer.state(), State::Closed);
    }
    assert_eq!((client.next_timeout(), server.next_timeout()), (None, None));
}

/// Fails every allocation of a scenario in turn; returns how many there are and how many of the
/// runs completed nevertheless.
fn sweep(make: impl Fn() -> Pair, play: impl Fn(&mut Pair) -> bool) -> (u64, u64) {
    let mut pair = make();
    fail::off();
    assert!(play(&mut pair), "{}", pair.describe());
    let total = fail::count();
    end(&mut pair);
    let mut completed = 0;
    for n in 0..total {
        let mut pair = make();
        fail::after(n);
        completed += u64::from(play(&mut pair));
        fail::off();
        end(&mut pair);
    }
    // Most failures cost a retransmission and no more.
    assert!(
        total > 100 && completed * 2 > total,
        "{completed} of {total}"
    );
    (total, completed)
}

#[test]
fn any_allocation_of_handshake_streams_and_datagrams_may_fail() {
    sweep(
        || Pair::new(7, Link::default(), &client(), server()),
        transfer,
    );
}

#[test]
fn any_allocation_on_a_lossy_network_with_retry_may_fail() {
    let make = || {
        let mut server = server();
        server.retry = true;
        Pair::new(7, Link::lossy(10, 50_000), &client(), server)
    };
    sweep(make, transfer);
}

#[test]
fn any_allocation_of_version_negotiation_may_fail() {
    let make = || {
        let (mut client, mut server) = (client(), server());
        client.config.version = 0x1a2a_3a4a;
        server.config.version = 0x6b33_43cf;
        Pair::new(7, Link::default(), &client, server)
    };
    sweep(make, transfer);
}

#[test]
fn any_allocation_of_early_data_may_fail_whether_it_is_accepted_or_not() {
    for accept in [true, false] {
        let make = || {
            let (mut client, mut server) = (client(), server());
            client.plan.early = true;
            client.shape.early = true;
            client.remembered = Some(params());
            server.shape.early = true;
            server.shape.accept_early = accept;
            Pair::new(7, Link::lossy(20, 20_000), &client, server)
        };
        sweep(make, transfer);
    }
}

#[test]
fn any_allocation_of_key_updates_may_fail() {
    let make = || Pair::new(7, Link::lossy(10, 20_000), &client(), server());
    let update = |peer: &mut Peer, now| {
        // Too early, or without memory: another time.
        let _ = peer.with(now, |connection, cx| connection.key_update(cx));
    };
    sweep(make, |pair| {
        pair.connect(20);
        for turn in 0..4 {
            pair.wait(ms(250));
            let now = pair.world.now;
            match turn % 2 {
                0 => update(&mut pair.client.borrow_mut().peer, now),
                _ => pair
                    .server
                    .borrow_mut()
                    .peers
                    .iter_mut()
                    .for_each(|peer| update(peer, now)),
            }
            let more = (Dir::Bidi, 2_000);
            pair.client.borrow_mut().peer.app.plan.streams.push(more);
        }
        pair.transfer(60, 7, 6)
    });
}

#[test]
fn any_allocation_of_migrations_may_fail() {
    let other = |host: u8| SocketAddr::from(([203, 0, 113, host], 4_000));
    let make = || {
        let mut pair = Pair::new(7, Link::lossy(10, 20_000), &client(), server());
        let preferred = SocketAddr::from(([198, 51, 100, 2], 4433));
        pair.world.net.add_server(preferred);
        pair.server.borrow_mut().add_addr(preferred);
        pair.server.borrow_mut().preferred = vec![preferred];
        pair.client.borrow_mut().add_addr(other(1));
        pair
    };
    sweep(make, |pair| {
        pair.connect(20);
        pair.wait(ms(300));
        let now = pair.world.now;
        let _ = pair
            .client
            .borrow_mut()
            .peer
            .with(now, |connection, cx| connection.migrate(cx, other(1)));
        pair.wait(ms(300));
        for inner in [client_addr(), other(1)] {
            pair.world.net.rebind(inner, other(2));
        }
        let more = (Dir::Bidi, 30_000);
        pair.client.borrow_mut().peer.app.plan.streams.push(more);
        pair.transfer(60, 4, 3)
    });
}

#[test]
fn any_allocation_of_ids_that_come_and_go_may_fail() {
    let make = || Pair::new(7, Link::lossy(10, 20_000), &client(), server());
    sweep(make, |pair| {
        pair.connect(20);
        pair.wait(ms(300));
        let now = pair.world.now;
        pair.client.borrow_mut().peer.with(now, |connection, cx| {
            let _ = connection.set_cids(cx, true, 3, 2);
            let _ = connection.set_cids(cx, false, 0, 3);
        });
        let more = (Dir::Bidi, 30_000);
        pair.client.borrow_mut().peer.app.plan.streams.push(more);
        pair.transfer(60, 4, 3)
    });
}

#[test]
fn any_allocation_of_resets_and_stops_may_fail() {
    let make = || {
        let mut client = client();
        client.plan.streams = vec![(Dir::Bidi, 300_000); 4];
        client.plan.streams.push((Dir::Bidi, 1_000));
        Pair::new(7, Link::lossy(10, 20_000), &client, server())
    };
    sweep(make, |pair| {
        pair.connect(20);
        let ids: Vec<_> = (0..4)
            .map(|n| {
                quic_core::common::StreamId::new(quic_core::common::Side::Client, Dir::Bidi, n)
            })
            .collect();
        {
            let mut client = pair.client.borrow_mut();
            let streams = client.peer.connection.streams_mut();
            let _ = (streams.reset(ids[0], 5), streams.stop_sending(ids[1], 6));
        }
        pair.wait(ms(15));
        for peer in &mut pair.server.borrow_mut().peers {
            let streams = peer.connection.streams_mut();
            let _ = (streams.stop_sending(ids[2], 7), streams.reset(ids[3], 8));
        }
        pair.transfer(60, 1, 1)
    });
}

#[test]
fn any_allocation_of_a_close_may_fail() {
    let make = || Pair::new(7, Link::lossy(10, 20_000), &client(), server());
    let (total, completed) = sweep(make, |pair| {
        pair.connect(20);
        let now = pair.world.now;
        pair.client.borrow_mut().peer.with(now, |connection, cx| {
            connection.close(cx, true, 77, b"done");
        });
        pair.wait(Duration::from_secs(40));
        let server = pair.server.borrow();
        server.peers.iter().any(|peer| {
            let info = peer.connection.close_info();
            info.is_some_and(|info| info.code == 77)
        })
    });
    assert!(completed * 10 > total * 7, "{completed} of {total}");
}

#[test]
fn any_allocation_on_a_path_that_shrinks_and_marks_may_fail() {
    let make = || {
        let mut client = client();
        client.plan.streams[0].1 = 200_000;
        let link = Link {
            mark: 50_000,
            duplicate: 50_000,
            reorder: 50_000,
            ..Link::lossy(10, 10_000)
        };
        Pair::new(7, link, &client, server())
    };
    sweep(make, |pair| {
        pair.connect(20);
        pair.wait(ms(100));
        pair.world.net.link(Way::Up).mtu = 1_250;
        transfer(pair)
    });
}

#[test]
fn without_any_memory_from_some_moment_on_both_ends_come_to_rest() {
    for n in (0..400).step_by(7) {
        let mut pair = Pair::new(3, Link::default(), &client(), server());
        fail::all_after(n);
        pair.wait(Duration::from_secs(100));
        let is_open = pair.client.borrow().peer.state().is_open();
        fail::off();
        assert!(!is_open, "{n}");
        end(&mut pair);
    }
}

#[test]
fn a_quiet_connection_that_found_no_memory_once_sends_soon_after() {
    let quiet = || {
        let mut setup = Setup::default();
        setup.params.max_idle_timeout = Duration::ZERO;
        setup
    };
    // What the network would call the connection for does not happen: there is its timer only.
    let starve = |pair: &mut Pair| {
        let now = pair.world.now;
        fail::all_after(0);
        let packets = pair.client.borrow_mut().drive(now);
        fail::off();
        for (departure, packet) in packets {
            pair.world.net.send(departure.max(now), packet);
        }
        let next = pair.client.borrow().next_timeout();
        let soon = now.saturating_add(Duration::from_secs(1));
        assert!(next.is_some_and(|at| at > now && at <= soon), "{next:?}");
    };
    let mut pair = Pair::new(7, Link::default(), &quiet(), quiet());
    starve(&mut pair);
    assert!(pair.connect(1), "{}", pair.describe());
    // More packets than the store of sent packets has in one block.
    for count in 1..40 {
        pair.wait(Duration::from_secs(10));
        {
            let now = pair.world.now;
            let peer = &mut pair.client.borrow_mut().peer;
            peer.app.plan.streams.push((Dir::Uni, 10));
            peer.app.act(&mut peer.connection, now);
        }
        starve(&mut pair);
        assert!(pair.transfer(1, count, 0), "{count} {}", pair.describe());
    }
}

#[test]
fn a_connection_that_got_no_buffer_asks_to_be_called_again() {
    let mut setup = Setup::default();
    setup.params.max_idle_timeout = Duration::ZERO;
    let mut pair = Pair::new(7, Link::default(), &setup, setup.clone());
    assert!(pair.connect(5));
    pair.wait(Duration::from_secs(100));
    let now = pair.world.now;
    let connection = &mut pair.client.borrow_mut().peer.connection;
    assert_eq!(connection.next_timeout(), None);
    connection.on_no_buffer(now);
    let again = connection.next_timeout().expect("a deadline");
    assert!(again > now && again <= now.saturating_add(ms(100)));
}
