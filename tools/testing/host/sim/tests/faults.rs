// SPDX-License-Identifier: GPL-2.0

//! Every fault of the network, with many seeds each: all bytes arrive, in order, once, no rule is
//! broken, and in the end both sides are at rest and free of memory (`quic_sim::rest`). The server's
//! anti-amplification limit is watched in every run (`quic_sim::watch`).

use std::net::SocketAddr;

use quic_core::common::id::Dir;
use quic_core::common::time::Duration;
use quic_core::conn::State;
use quic_sim::net::{
    Burst,
    Link,
    Way, //
};
use quic_sim::node::Setup;
use quic_sim::pair::{
    client_addr,
    seeds,
    Pair, //
};

const OPEN: State = State::Established;

fn client() -> Setup {
    let mut setup = Setup::default();
    setup.plan.streams = vec![
        (Dir::Bidi, 200_000),
        (Dir::Uni, 1),
        (Dir::Bidi, 0),
        (Dir::Uni, 70_000),
    ];
    setup
}

fn server() -> Setup {
    let mut setup = Setup::default();
    setup.plan.reply = Some(100_000);
    setup
}

/// Runs the transfer of [`client`] and [`server`] over a link, for many seeds.
fn over(count: u64, link: &Link) {
    seeds(count, |seed| {
        let mut pair = Pair::new(seed, link.clone(), &client(), server());
        assert!(pair.transfer(300, 4, 2), "{}", pair.describe());
        pair.finish();
    });
}

#[test]
fn a_long_delay_changes_nothing_but_the_time() {
    seeds(200, |seed| {
        let delay = 1 + 5 * seed;
        let mut pair = Pair::new(seed, Link::lossy(delay, 0), &client(), server());
        let start = pair.world.now;
        assert!(pair.transfer(300, 4, 2), "{}", pair.describe());
        let rounds = pair.world.now.since(start).as_millis() / (2 * delay);
        assert!(rounds <= 25, "{rounds} round trips of {} ms", 2 * delay);
        pair.finish();
    });
}

#[test]
fn jitter_in_order_loses_nothing() {
    seeds(200, |seed| {
        let link = Link {
            jitter: Duration::from_millis(40),
            ..Link::default()
        };
        let mut pair = Pair::new(seed, link, &client(), server());
        assert!(pair.transfer(300, 4, 2), "{}", pair.describe());
        pair.finish();
    });
}

#[test]
fn one_packet_in_twenty_lost_is_repaired() {
    over(200, &Link::lossy(15, 50_000));
}

#[test]
fn packets_out_of_order_are_put_in_order() {
    over(
        200,
        &Link {
            reorder: 300_000,
            ..Link::lossy(30, 0)
        },
    );
}

#[test]
fn random_marks_slow_down_and_lose_nothing() {
    over(
        200,
        &Link {
            mark: 100_000,
            ..Link::default()
        },
    );
}

#[test]
fn a_nat_that_rebinds_again_and_again_interrupts_nothing() {
    seeds(200, |seed| {
        let mut client = client();
        // A client that only receives cannot know that its address has changed.
        client.config.keep_alive = Some(Duration::from_millis(1_500));
        let mut pair = Pair::new(seed, Link::lossy(10, 20_000), &client, server());
        // QUIC relies on one address until the server has heard the end of the handshake, and no
        // longer: the client may not know yet that it is confirmed.
        let server = pair.server.clone();
        let is_open = move || server.borrow().peers.first().map(|p| p.state()) == Some(OPEN);
        assert!(pair.world.run(Duration::from_secs(20), is_open));
        for turn in 0..4 {
            let at = Duration::from_millis(turn * 70 + seed % 60);
            let port = 5_000 + turn as u16;
            // Another port every time, and another host every second time.
            let host = 9 + (turn as u8) / 2;
            let outer = SocketAddr::from(([203, 0, 113, host], port));
            pair.world.after(at, move |world| {
                world.net.rebind(client_addr(), outer);
            });
        }
        assert!(pair.transfer(300, 4, 2), "{}", pair.describe());
        pair.finish();
    });
}

#[test]
fn jitter_and_reordering_lose_nothing() {
    over(
        200,
        &Link {
            jitter: Duration::from_millis(8),
            reorder: 100_000,
            ..Link::default()
        },
    );
}

#[test]
fn bursts_of_loss_are_repaired() {
    over(
        200,
        &Link {
            burst: Some(Burst {
                enter: 10_000,
                span: Duration::from_millis(100),
                loss: 900_000,
            }),
            ..Link::default()
        },
    );
}

#[test]
fn duplicates_are_delivered_once() {
    over(
        200,
        &Link {
            duplicate: 300_000,
            reorder: 50_000,
            ..Link::default()
        },
    );
}

// RFC 9001 9.5 #1 test
#[test]
fn changed_packets_are_dropped() {
    over(
        200,
        &Link {
            corrupt: 50_000,
            ..Link::default()
        },
    );
}

#[test]
fn everything_at_once_is_survived() {
    over(
        300,
        &Link {
            jitter: Duration::from_millis(20),
            loss: 50_000,
            reorder: 50_000,
            duplicate: 50_000,
            corrupt: 20_000,
            mark: 50_000,
            ..Link::default()
        },
    );
}

#[test]
fn asymmetric_paths_work_both_ways() {
    seeds(200, |seed| {
        let up = Link::lossy(5, 20_000);
        let down = Link {
            rate: Some(100_000),
            queue: 30_000,
            ..Link::lossy(200, 0)
        };
        let mut pair = Pair::over(seed, up, down, &client(), server());
        assert!(pair.transfer(300, 4, 2), "{}", pair.describe());
        pair.finish();
    });
}

#[test]
fn an_outage_of_ten_seconds_ends_nothing() {
    seeds(200, |seed| {
        let mut pair = Pair::new(seed, Link::lossy(20, 10_000), &client(), server());
        for (at, on) in [(100, true), (10_100, false)] {
            let at = Duration::from_millis(at + seed * 7 % 100);
            pair.world.after(at, move |world| {
                world.net.link(Way::Up).blackhole = on;
                world.net.link(Way::Down).blackhole = on;
            });
        }
        assert!(pair.transfer(300, 4, 2), "{}", pair.describe());
        pair.finish();
    });
}

// RFC 9000 14.4 #1 test
#[test]
fn the_datagram_size_grows_to_what_the_path_carries() {
    for mtu in [1200, 1280, 1400, 1452, 9000] {
        let link = Link {
            mtu,
            ..Link::default()
        };
        let mut pair = Pair::new(1, link, &client(), server());
        assert!(pair.transfer(60, 4, 2), "{}", pair.describe());
        pair.wait(Duration::from_secs(5));
        let found = usize::from(pair.client.borrow().peer.connection.info().mtu);
        let most = mtu.min(1452);
        assert!(found <= most && found + 20 > most, "{found} of {mtu}");
    }
}

#[test]
fn a_path_that_shrinks_under_way_is_noticed() {
    seeds(200, |seed| {
        let mut client = client();
        client.plan.streams = vec![(Dir::Bidi, 2_000_000)];
        let mut pair = Pair::new(seed, Link::lossy(10, 1_000), &client, server());
        assert!(pair.connect(10));
        pair.wait(Duration::from_millis(100));
        let info = pair.client.borrow().peer.connection.info();
        assert!(info.mtu > 1400, "{info:?}");
        pair.world.net.link(Way::Up).mtu = 1250;
        assert!(pair.transfer(120, 1, 1), "{}", pair.describe());
        let info = pair.client.borrow().peer.connection.info();
        assert!(info.mtu <= 1250, "{info:?}");
        pair.finish();
    });
}

#[test]
fn marks_instead_of_losses_control_a_bottleneck() {
    seeds(200, |seed| {
        let link = Link {
            mark_above: Some(20_000),
            queue: 500_000,
            ..Link::bottleneck(20, 1_000_000)
        };
        let mut client = client();
        client.plan.streams = vec![(Dir::Uni, 3_000_000)];
        let mut pair = Pair::new(seed, link, &client, server());
        assert!(pair.transfer(60, 1, 0), "{}", pair.describe());
        let info = pair.client.borrow().peer.connection.info();
        assert!(info.is_ecn_capable, "{info:?}");
        assert!(pair.world.net.counts(Way::Up).marked > 10);
        assert_eq!(pair.world.net.counts(Way::Up).lost, 0);
        pair.finish();
    });
}

// RFC 9000 13.4.2.2 #1 test
#[test]
fn a_path_that_bleaches_marks_is_used_without_them() {
    let link = Link {
        bleach: true,
        ..Link::default()
    };
    let mut pair = Pair::new(3, link, &client(), server());
    assert!(pair.transfer(60, 4, 2));
    assert!(!pair.client.borrow().peer.connection.info().is_ecn_capable);
}

#[test]
fn small_windows_and_few_streams_are_used_to_the_end() {
    seeds(200, |seed| {
        let mut client = client();
        client.plan.streams = (0..300).map(|n| (Dir::Bidi, n * 10)).collect();
        let mut server = server();
        server.plan.reply = Some(700);
        server.params.initial_max_data = 4_000;
        server.params.initial_max_stream_data_bidi_remote = 1_500;
        server.params.initial_max_streams_bidi = 3;
        client.params.initial_max_data = 3_000;
        client.params.initial_max_stream_data_bidi_local = 500;
        let mut pair = Pair::new(seed, Link::lossy(5, 20_000), &client, server);
        assert!(pair.transfer(300, 300, 300), "{}", pair.describe());
        pair.finish();
    });
}

#[test]
fn a_reader_that_stalls_stops_the_sender_until_it_reads() {
    let mut server = server();
    server.plan.stalled = true;
    server.params.initial_max_data = 50_000;
    let mut client = client();
    client.plan.streams = vec![(Dir::Uni, 500_000)];
    client.config.keep_alive = Some(Duration::from_secs(5));
    let mut pair = Pair::new(4, Link::lossy(5, 20_000), &client, server);
    pair.wait(Duration::from_secs(100));
    assert!(pair.world.net.counts(Way::Up).bytes < 100_000);
    pair.server.borrow_mut().peers[0].app.plan.stalled = false;
    pair.wait(Duration::from_millis(1));
    assert!(pair.transfer(60, 1, 0), "{}", pair.describe());
}

#[test]
fn datagrams_arrive_or_do_not_and_never_twice() {
    seeds(200, |seed| {
        let mut client = client();
        let mut server = server();
        server.params.max_datagram_frame_size = 1_500;
        client.params.max_datagram_frame_size = 1_500;
        client.plan.datagrams = (0..500).map(|n| 10 + n % 1_000).collect();
        let link = Link {
            duplicate: 50_000,
            ..Link::lossy(10, 30_000)
        };
        let mut pair = Pair::new(seed, link, &client, server);
        assert!(pair.transfer(60, 4, 2), "{}", pair.describe());
        pair.wait(Duration::from_secs(2));
        let server = pair.server.borrow();
        let mut numbers = server.peers[0].app.datagrams.clone();
        let arrived = numbers.len();
        assert!(arrived > 400 && arrived <= 500, "{arrived}");
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), arrived);
    });
}
