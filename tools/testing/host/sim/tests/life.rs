// SPDX-License-Identifier: GPL-2.0

//! Life and death of connections, paths and keys.

use std::net::SocketAddr;

use quic_core::common::error::Error;
use quic_core::common::id::Dir;
use quic_core::common::time::Duration;
use quic_core::conn::event::{
    CloseKind,
    Event, //
};
use quic_core::conn::State;
use quic_sim::net::{
    Link,
    Packet,
    Way, //
};
use quic_sim::node::Setup;
use quic_sim::pair::{
    client_addr,
    seeds,
    server_addr,
    Pair, //
};

fn client() -> Setup {
    let mut setup = Setup::default();
    setup.plan.streams = vec![(Dir::Bidi, 300_000)];
    setup
}

fn server() -> Setup {
    let mut setup = Setup::default();
    setup.plan.reply = Some(300_000);
    setup
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn other_addr(port: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 9], port))
}

fn has_event(events: &[Event], wanted: impl Fn(&Event) -> bool) -> bool {
    events.iter().any(wanted)
}

#[test]
fn an_application_close_reaches_the_peer_with_code_and_reason() {
    seeds(200, |seed| {
        let mut pair = Pair::new(seed, Link::lossy(10, 0), &client(), server());
        assert!(pair.transfer(20, 1, 1));
        let now = pair.world.now;
        pair.client.borrow_mut().peer.with(now, |connection, cx| {
            connection.close(cx, true, 1 << 40, b"good bye");
            connection.close(cx, true, 7, b"again");
        });
        assert_eq!(pair.client.borrow().peer.state(), State::Closing);
        pair.wait(ms(30));
        let state = pair.server.borrow().peers[0].state();
        assert_eq!(state, State::Draining);
        pair.wait(ms(2_000));
        assert_eq!(pair.client.borrow().peer.state(), State::Closed);
        let server = pair.server.borrow();
        assert_eq!(server.peers[0].state(), State::Closed);
        let info = server.peers[0].connection.close_info().expect("a cause");
        assert_eq!(info.kind, CloseKind::PeerApplication);
        assert_eq!((info.code, info.reason()), (1 << 40, &b"good bye"[..]));
        let is_close = |event: &Event| matches!(event, Event::Closed(_));
        assert!(has_event(&server.peers[0].events, is_close));
    });
}

#[test]
fn what_was_written_before_a_close_arrives_as_far_as_the_window_goes() {
    let mut client = client();
    client.plan.streams.clear();
    let mut pair = Pair::new(1, Link::lossy(10, 0), &client, server());
    assert!(pair.connect(10));
    let now = pair.world.now;
    {
        let peer = &mut pair.client.borrow_mut().peer;
        peer.app.plan.streams = vec![(Dir::Uni, 6_000), (Dir::Uni, 30)];
        peer.app.act(&mut peer.connection, now);
        assert!(peer.app.is_sent());
    }
    pair.client.borrow_mut().peer.with(now, |connection, cx| {
        connection.close(cx, true, 0, b"");
    });
    pair.wait(ms(15));
    let server = pair.server.borrow();
    assert_eq!(server.peers[0].state(), State::Draining);
    assert_eq!(server.peers[0].app.bytes(), 6_030);
}

// RFC 9000 10.2.1 #1 test, RFC 9000 11.1 #2 test
#[test]
fn a_lost_close_is_repeated_when_the_peer_goes_on_sending() {
    seeds(200, |seed| {
        let mut server = server();
        server.plan.reply = Some(30_000_000);
        let mut pair = Pair::new(seed, Link::lossy(10, 0), &client(), server);
        assert!(pair.transfer(10, 1, 0));
        pair.wait(ms(50));
        pair.world.net.link(Way::Up).blackhole = true;
        let now = pair.world.now;
        pair.client.borrow_mut().peer.with(now, |connection, cx| {
            connection.close(cx, true, 5, b"");
        });
        pair.wait(ms(5));
        pair.world.net.link(Way::Up).blackhole = false;
        pair.wait(ms(3_000));
        let server = pair.server.borrow();
        let info = server.peers[0].connection.close_info().expect("a cause");
        assert_eq!((info.kind, info.code), (CloseKind::PeerApplication, 5));
    });
}

// RFC 9000 10.2.3 #6 test
// RFC 9000 10.2.3 #7 test
#[test]
fn an_application_close_before_the_handshake_is_complete_says_nothing_of_the_application() {
    let mut pair = Pair::new(1, Link::lossy(10, 0), &client(), server());
    pair.wait(ms(15));
    let now = pair.world.now;
    pair.client.borrow_mut().peer.with(now, |connection, cx| {
        connection.close(cx, true, 5, b"secret");
    });
    pair.wait(ms(50));
    let server = pair.server.borrow();
    let info = server.peers[0].connection.close_info().expect("a cause");
    assert_eq!((info.kind, info.code), (CloseKind::PeerTransport, 0x0c));
    assert_eq!(info.reason(), b"");
}

#[test]
fn a_tls_alert_of_the_server_reaches_the_client() {
    let mut pair = Pair::new(1, Link::lossy(10, 0), &client(), server());
    pair.wait(ms(11));
    let now = pair.world.now;
    pair.server.borrow_mut().peers[0].with(now, |connection, cx| {
        connection.close(cx, false, 0x128, b"handshake failure");
    });
    pair.wait(ms(50));
    let client = pair.client.borrow();
    let info = client.peer.connection.close_info().expect("a cause");
    assert_eq!((info.kind, info.code), (CloseKind::PeerTransport, 0x128));
}

#[test]
fn an_idle_connection_ends_at_the_smaller_timeout_and_a_kept_one_does_not() {
    for (keep, expected) in [(None, State::Closed), (Some(2), State::Established)] {
        let mut server = server();
        server.params.max_idle_timeout = Duration::from_secs(5);
        let mut client = client();
        client.config.keep_alive = keep.map(Duration::from_secs);
        let mut pair = Pair::new(2, Link::lossy(10, 0), &client, server);
        assert!(pair.transfer(20, 1, 1));
        pair.wait(Duration::from_secs(4));
        assert_eq!(pair.client.borrow().peer.state(), State::Established);
        pair.wait(Duration::from_secs(60));
        assert_eq!(pair.client.borrow().peer.state(), expected, "{keep:?}");
        assert_eq!(pair.server.borrow().peers[0].state(), expected);
    }
}

// RFC 9000 10.3.1 #5 test
#[test]
fn a_server_that_forgot_everything_resets_its_clients() {
    let mut server = server();
    server.config.stateless_reset = true;
    let mut client = client();
    client.config.keep_alive = Some(Duration::from_secs(3));
    let mut pair = Pair::new(3, Link::lossy(10, 0), &client, server);
    assert!(pair.transfer(20, 1, 1));
    pair.server.borrow_mut().forget();
    pair.wait(Duration::from_secs(10));
    let client = pair.client.borrow();
    let info = client.peer.connection.close_info().expect("a cause");
    assert_eq!(info.kind, CloseKind::StatelessReset);
    assert_eq!(client.peer.stats.stateless_reset_in, 1);
}

#[test]
fn random_datagrams_change_nothing() {
    seeds(200, |seed| {
        let mut pair = Pair::new(seed, Link::lossy(10, 0), &client(), server());
        assert!(pair.connect(10));
        let mut rng = quic_sim::rng::SeedRng::new(seed, 77);
        for _ in 0..2_000 {
            let len = rng.below(1_500) as usize;
            let mut bytes: Vec<u8> = (0..len).map(|_| rng.draw() as u8).collect();
            if let (Some(first), true) = (bytes.first_mut(), rng.chance(500_000)) {
                *first |= 0xc0;
            }
            let packet = Packet {
                src: server_addr(),
                dst: client_addr(),
                ecn: 0,
                bytes,
            };
            let now = pair.world.now;
            pair.world.net.send(now, packet);
        }
        assert!(pair.transfer(20, 1, 1), "{}", pair.describe());
    });
}

#[test]
fn keys_are_updated_by_either_side_while_data_flows() {
    seeds(200, |seed| {
        let mut client = client();
        client.plan.streams = vec![(Dir::Bidi, 3_000_000)];
        let mut pair = Pair::new(seed, Link::lossy(10, 20_000), &client, server());
        assert!(pair.connect(20));
        let mut updates = 0;
        for round in 0..12 {
            pair.wait(ms(250));
            let now = pair.world.now;
            let update = |peer: &mut quic_sim::peer::Peer| {
                peer.with(now, |connection, cx| {
                    let first = connection.key_update(cx);
                    // RFC 9001 6.1 #2 test
                    assert_eq!(connection.key_update(cx), Err(Error::Invalid));
                    first.is_ok()
                })
            };
            updates += u32::from(match round % 3 {
                0 => update(&mut pair.client.borrow_mut().peer),
                1 => update(&mut pair.server.borrow_mut().peers[0]),
                _ => {
                    let client = update(&mut pair.client.borrow_mut().peer);
                    update(&mut pair.server.borrow_mut().peers[0]) | client
                }
            });
        }
        assert!(updates >= 6, "{updates}");
        assert!(pair.transfer(60, 1, 1), "{}", pair.describe());
        let client = pair.client.borrow();
        let is_update = |event: &Event| matches!(event, Event::KeyUpdated { .. });
        assert!(has_event(&client.peer.events, is_update));
    });
}

// A side that only acknowledges sends nothing by whose acknowledgement it could know that its own
// keys have arrived.
#[test]
fn an_update_becomes_possible_where_only_acknowledgements_are_sent() {
    seeds(200, |seed| {
        let mut client = client();
        client.plan.streams = Vec::new();
        let mut pair = Pair::new(seed, Link::lossy(10, 20_000), &client, server());
        assert!(pair.connect(20));
        pair.wait(ms(2_000));
        for round in 0..6 {
            let mut updated = false;
            for _ in 0..100 {
                let now = pair.world.now;
                let update = |peer: &mut quic_sim::peer::Peer| {
                    peer.with(now, |connection, cx| connection.key_update(cx).is_ok())
                };
                updated = match round % 2 {
                    0 => update(&mut pair.client.borrow_mut().peer),
                    _ => update(&mut pair.server.borrow_mut().peers[0]),
                };
                if updated {
                    break;
                }
                pair.wait(ms(50));
            }
            assert!(updated, "round {round}: {}", pair.describe());
            pair.wait(ms(1_000));
            for peer in [&pair.client.borrow().peer, &pair.server.borrow().peers[0]] {
                assert_eq!(peer.connection.info().key_phase, round % 2 == 0, "{round}");
                // Once for an update, whichever side began it.
                assert_eq!(peer.stats.key_update, round + 1);
            }
        }
    });
}

// RFC 9000 9 #4 test
// RFC 9000 9.3 #1 test
#[test]
fn a_rebinding_nat_does_not_interrupt_a_transfer() {
    seeds(200, |seed| {
        // A client that only receives cannot know that its address has changed.
        let mut client = client();
        client.config.keep_alive = Some(ms(1_500));
        let mut pair = Pair::new(seed, Link::lossy(10, 10_000), &client, server());
        pair.world.after(ms(100 + seed), |world| {
            world.net.rebind(client_addr(), other_addr(5000));
        });
        pair.world.after(ms(400 + seed), |world| {
            let other = SocketAddr::from(([203, 0, 113, 77], 6000));
            world.net.rebind(client_addr(), other);
        });
        assert!(pair.connect(20));
        pair.wait(ms(700));
        assert!(pair.transfer(60, 1, 1), "{}", pair.describe());
        // One more exchange, so that the server learns of the last address.
        let more = (Dir::Bidi, 10);
        pair.client.borrow_mut().peer.app.plan.streams.push(more);
        assert!(pair.transfer(60, 2, 2), "{}", pair.describe());
        pair.wait(ms(4_000));
        let server = pair.server.borrow();
        let expected = SocketAddr::from(([203, 0, 113, 77], 6000));
        assert_eq!(server.peers[0].remote(), expected);
        let stats = server.peers[0].stats;
        assert!(
            stats.path_validated >= stats.migration_in.min(1),
            "{stats:?}"
        );
    });
}

// RFC 9000 9.3.2 #1 test
#[test]
fn one_packet_from_a_spoofed_address_does_not_move_the_connection() {
    seeds(200, |seed| {
        let mut client = client();
        client.plan.streams = vec![(Dir::Bidi, 1_000_000)];
        let mut pair = Pair::new(seed, Link::lossy(10, 0), &client, server());
        assert!(pair.connect(20));
        // An attacker on the path sends a copy from elsewhere, ahead of the original.
        pair.world.after(ms(10 + seed % 30), |world| {
            world.net.rebind(client_addr(), other_addr(666));
        });
        pair.world.after(ms(11 + seed % 30), |world| {
            world.net.rebind(client_addr(), client_addr());
        });
        assert!(pair.transfer(60, 1, 1), "{}", pair.describe());
        pair.wait(ms(3_000));
        assert_eq!(pair.server.borrow().peers[0].remote(), client_addr());
    });
}

// RFC 9000 9.5 #2 test
#[test]
fn a_client_migrates_to_another_address_with_another_connection_id() {
    seeds(200, |seed| {
        let mut pair = Pair::new(seed, Link::lossy(10, 20_000), &client(), server());
        pair.client.borrow_mut().add_addr(other_addr(4444));
        assert!(pair.connect(20));
        pair.wait(ms(300));
        let now = pair.world.now;
        let migrate = |pair: &mut Pair, addr| {
            pair.client
                .borrow_mut()
                .peer
                .with(now, |connection, cx| connection.migrate(cx, addr))
        };
        assert_eq!(migrate(&mut pair, client_addr()), Err(Error::Invalid));
        let before = pair.client.borrow().peer.connection.cid_info(true).0;
        assert_eq!(migrate(&mut pair, other_addr(4444)), Ok(()));
        assert_eq!(migrate(&mut pair, other_addr(4445)), Err(Error::Busy));
        assert!(pair.transfer(60, 1, 1), "{}", pair.describe());
        pair.wait(ms(2_000));
        let client = pair.client.borrow();
        assert_eq!(client.peer.connection.path().local, other_addr(4444));
        assert_ne!(client.peer.connection.cid_info(true).0, before);
        let is_local = |event: &Event| matches!(event, Event::Migrated { local: true });
        assert!(has_event(&client.peer.events, is_local));
        let server = pair.server.borrow();
        assert_eq!(server.peers[0].remote(), other_addr(4444));
        let is_remote = |event: &Event| matches!(event, Event::Migrated { local: false });
        assert!(has_event(&server.peers[0].events, is_remote));
    });
}

#[test]
fn a_migration_to_a_dead_address_is_given_up() {
    let mut pair = Pair::new(5, Link::lossy(10, 0), &client(), server());
    assert!(pair.connect(20));
    pair.wait(ms(300));
    let now = pair.world.now;
    // Nobody owns that address, so no answer arrives.
    let dead = other_addr(4444);
    let started = pair
        .client
        .borrow_mut()
        .peer
        .with(now, |connection, cx| connection.migrate(cx, dead));
    assert_eq!(started, Ok(()));
    assert!(pair.transfer(60, 1, 1));
    pair.wait(Duration::from_secs(10));
    assert_eq!(
        pair.client.borrow().peer.connection.path().local,
        client_addr()
    );
    let again = pair.client.borrow_mut().peer.with(now, |connection, cx| {
        connection.migrate(cx, other_addr(4445))
    });
    assert_eq!(again, Ok(()));
}

// RFC 9000 9 #2 test
// RFC 9000 18.2 #3 test
#[test]
fn a_server_that_forbids_migration_is_obeyed() {
    let mut server = server();
    server.params.disable_active_migration = true;
    let mut pair = Pair::new(6, Link::lossy(10, 0), &client(), server);
    assert!(pair.connect(20));
    let now = pair.world.now;
    let result = pair.client.borrow_mut().peer.with(now, |connection, cx| {
        connection.migrate(cx, other_addr(4444))
    });
    assert_eq!(result, Err(Error::Invalid));
}

// RFC 9000 9.6.1 #2 test
// RFC 9000 9.6.1 #3 test
#[test]
fn the_client_moves_to_the_servers_preferred_address() {
    seeds(200, |seed| {
        let preferred = SocketAddr::from(([198, 51, 100, 2], 4433));
        let mut pair = Pair::new(seed, Link::lossy(10, 20_000), &client(), server());
        pair.world.net.add_server(preferred);
        pair.server.borrow_mut().add_addr(preferred);
        pair.server.borrow_mut().preferred = vec![preferred];
        assert!(pair.connect(20));
        assert!(pair.transfer(60, 1, 1), "{}", pair.describe());
        pair.wait(ms(3_000));
        assert_eq!(pair.client.borrow().peer.remote(), preferred);
        let server = pair.server.borrow();
        assert_eq!(server.peers[0].connection.path().local, preferred);
    });
}

// RFC 9000 9.6.1 #4 test
#[test]
fn an_unreachable_preferred_address_changes_nothing() {
    let preferred = SocketAddr::from(([198, 51, 100, 2], 4433));
    let mut pair = Pair::new(7, Link::lossy(10, 0), &client(), server());
    pair.world.net.add_server(preferred);
    pair.server.borrow_mut().preferred = vec![preferred];
    assert!(pair.transfer(60, 1, 1), "{}", pair.describe());
    pair.wait(Duration::from_secs(5));
    assert_eq!(pair.client.borrow().peer.remote(), server_addr());
}

#[test]
fn connection_ids_are_changed_and_retired_on_demand() {
    seeds(200, |seed| {
        let mut pair = Pair::new(seed, Link::lossy(10, 20_000), &client(), server());
        assert!(pair.connect(20));
        pair.wait(ms(300));
        let now = pair.world.now;
        let set = |pair: &mut Pair, dest, active, prior_to| {
            pair.client.borrow_mut().peer.with(now, |connection, cx| {
                connection.set_cids(cx, dest, active, prior_to)
            })
        };
        assert_eq!(pair.client.borrow().peer.connection.cid_info(true), (0, 0));
        assert_eq!(set(&mut pair, true, 0, 0), Ok(()));
        assert_eq!(set(&mut pair, true, 0, 100), Err(Error::Invalid));
        assert_eq!(set(&mut pair, true, 3, 0), Ok(()));
        assert_eq!(set(&mut pair, true, 0, 2), Ok(()));
        assert_eq!(set(&mut pair, false, 0, 3), Ok(()));
        assert_eq!(set(&mut pair, false, 0, 300), Err(Error::Invalid));
        assert!(pair.transfer(60, 1, 1), "{}", pair.describe());
        pair.wait(ms(1_000));
        let client = pair.client.borrow();
        assert_eq!(client.peer.connection.cid_info(true), (3, 2));
        assert_eq!(client.peer.connection.cid_info(false).1, 3);
        for dest in [true, false] {
            let is_retired =
                |event: &Event| matches!(event, Event::ConnectionId { dest: d, .. } if *d == dest);
            assert!(has_event(&client.peer.events, is_retired), "{dest}");
        }
    });
}
