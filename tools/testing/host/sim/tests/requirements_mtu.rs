// SPDX-License-Identifier: GPL-2.0

//! Rules of DPLPMTUD (RFC 8899), against the search itself and on a path that carries less than
//! the device.

mod forge;

use quic_core::common::{
    Dir,
    Duration,
    Instant,
    Side, //
};
use quic_core::path::mtu::{
    Mtu,
    BASE, //
};
use quic_sim::net::Link;
use quic_sim::node::Setup;
use quic_sim::pair::Pair;

const RAISE: Duration = Duration::from_secs(600);

/// Runs a search on a path that carries `real` bytes; returns the sizes probed.
fn search(mtu: &mut Mtu, real: u16, now: Instant) -> Vec<u16> {
    let mut probed = vec![];
    while let Some(size) = mtu.poll_probe(now) {
        // Ordinary datagrams keep the size that works while a larger one is tried.
        let before = mtu.current();
        assert!(before <= real && size > before);
        mtu.on_probe_sent(size);
        // One probe at a time.
        assert_eq!(mtu.poll_probe(now), None);
        probed.push(size);
        if size <= real {
            mtu.on_probe_acked(size);
        } else {
            mtu.on_probe_lost(size);
            assert_eq!(mtu.current(), before);
        }
        assert!(probed.len() < 100);
    }
    probed
}

#[test]
fn the_search_finds_what_the_path_carries_and_never_asks_for_more_than_may_be() {
    // RFC 8899 3 #1 test, RFC 8899 3 #7 test, RFC 8899 3 #8 test, RFC 8899 3 #15 test,
    // RFC 8899 3 #25 test, RFC 8899 5.1.2 #2 test, RFC 8899 5.3.2 #1 test, RFC 8899 8 #1 test,
    // RFC 9000 14.3 #1 test, RFC 9000 14.2 #2 test
    assert_eq!(BASE, 1200);
    for max in [1200, 1210, 1452, 9000, 65_527] {
        for real in [1200, 1201, 1280, 1400, 1452, 8_000, 65_527] {
            let mut mtu = Mtu::new(max);
            assert_eq!(mtu.current(), BASE);
            mtu.enable(RAISE);
            let real = real.min(max);
            let probed = search(&mut mtu, real, Instant::ZERO);
            assert!(probed.iter().all(|size| *size <= max));
            assert!(
                mtu.current() <= real && real - mtu.current() <= 16,
                "{max} {real}"
            );
            // A size is given up after three losses, not after one.
            for size in probed.iter().filter(|size| **size > real) {
                let tries = probed.iter().filter(|other| *other == size).count();
                assert_eq!(tries, 3);
            }
        }
    }
}

#[test]
fn a_message_of_the_network_lowers_and_never_raises() {
    // RFC 8899 3 #12 test, RFC 8899 3 #13 test, RFC 8899 4.6.2 #4 test,
    // RFC 9000 14.2.1 #1 test, RFC 9000 14.2.1 #6 test
    let mut mtu = Mtu::new(1452);
    mtu.enable(RAISE);
    search(&mut mtu, 1400, Instant::ZERO);
    let found = mtu.current();
    for size in [0, 68, 576, 1199, 1453, 9000, u16::MAX] {
        assert!(!mtu.on_too_big(size));
        assert_eq!(mtu.current(), found, "{size}");
    }
    assert!(mtu.on_too_big(1300));
    assert!(mtu.current() <= 1300);
    search(&mut mtu, 1300, Instant::ZERO);
    assert_eq!(mtu.current(), 1300);
}

#[test]
fn a_hole_is_found_without_any_message_and_the_search_begins_again() {
    // RFC 8899 4.3 #1 test, RFC 8899 3 #27 test, RFC 8899 3 #30 test
    let mut mtu = Mtu::new(1452);
    mtu.enable(RAISE);
    search(&mut mtu, 1452, Instant::ZERO);
    assert_eq!(mtu.current(), 1452);
    // Losses between arrivals are congestion, not a hole.
    for _ in 0..10 {
        assert!(!mtu.on_packets_lost(1452));
        mtu.on_packet_acked(1452);
    }
    let fell = (0..10).any(|_| mtu.on_packets_lost(1452));
    assert!(fell && mtu.current() == BASE);
    search(&mut mtu, 1300, Instant::ZERO);
    assert!((1284..=1300).contains(&mtu.current()));
    // Later the path may carry more.
    assert_eq!(
        mtu.poll_probe(Instant::ZERO.saturating_add(Duration::from_secs(599))),
        None
    );
    let later = Instant::ZERO.saturating_add(Duration::from_secs(600));
    search(&mut mtu, 1452, later);
    assert!(mtu.current() >= 1436);
}

#[test]
fn probes_that_come_late_or_twice_or_not_once_are_no_news() {
    // RFC 8899 3 #4 test, RFC 8899 3 #23 test, RFC 8899 3 #28 test, RFC 8899 3 #29 test
    let mut mtu = Mtu::new(1452);
    mtu.enable(RAISE);
    for _ in 0..2 {
        let size = mtu.poll_probe(Instant::ZERO).expect("a probe");
        mtu.on_probe_sent(size);
        mtu.on_probe_lost(size);
        assert_eq!((size, mtu.current()), (1452, BASE));
    }
    // What was thought lost arrives after all, and its acknowledgement again.
    assert!(mtu.on_probe_acked(1452));
    assert!(!mtu.on_probe_acked(1452));
    assert_eq!(mtu.current(), 1452);
    mtu.on_probe_lost(1452);
    assert_eq!(mtu.current(), 1452);
    // Smaller packets that arrive late take nothing back.
    assert!(!mtu.on_probe_acked(1300));
    assert_eq!(mtu.current(), 1452);
    // A probe larger than anybody allows was never sent.
    assert!(!mtu.on_probe_acked(9000));
    assert_eq!(mtu.current(), 1452);
}

#[test]
fn a_complete_search_waits_for_nothing_but_the_time_of_the_next() {
    // RFC 8899 5.1.1 #3 test, RFC 8899 5.2 #1 test
    let mut mtu = Mtu::new(1452);
    mtu.enable(RAISE);
    assert_eq!(mtu.deadline(), None);
    search(&mut mtu, 1300, Instant::ZERO);
    assert_eq!(mtu.deadline(), Some(Instant::ZERO.saturating_add(RAISE)));
    let before = Instant::ZERO.saturating_add(Duration::from_secs(599));
    assert!(!mtu.wants_probe(before));
    // A path that carries everything that may be sent is not probed again.
    let mut mtu = Mtu::new(1452);
    mtu.enable(RAISE);
    search(&mut mtu, 1452, Instant::ZERO);
    assert_eq!(mtu.deadline(), None);
}

#[test]
fn a_probe_is_a_packet_of_its_own_without_data_and_padded() {
    // RFC 8899 3 #6 test, RFC 8899 4.1 #1 test, RFC 8899 4.1 #3 test, RFC 8899 3 #5 test
    let mut setup = Setup::default();
    setup.plan.streams = vec![(Dir::Uni, 60_000)];
    let mut wire = forge::Wire::new(&setup, Setup::default());
    let mut probes = 0;
    for _ in 0..60 {
        let limit = wire.client.peer.connection.info().mtu;
        let packets = wire.up();
        for packet in &packets {
            if packet.bytes.len() > usize::from(limit) && packet.bytes[0] & 0x80 == 0 {
                let payload = forge::open_short(Side::Client, &packet.bytes);
                assert_eq!(forge::kinds(&payload), [0x01]);
                assert!(payload[1..].iter().all(|byte| *byte == 0));
                probes += 1;
            }
        }
        wire.give_server(packets);
        let packets = wire.down();
        wire.give_client(packets);
        wire.tick();
        if wire.now.as_nanos() > 20_000_000_000 {
            break;
        }
    }
    assert!(probes > 0);
    assert_eq!(wire.client.peer.connection.info().mtu, 1452);
}

#[test]
fn what_an_application_may_send_at_once_follows_the_path() {
    // RFC 8899 5 #2 test, RFC 8899 4.4 #2 test, RFC 8899 3 #26 test
    let mut setup = Setup::default();
    setup.params.max_datagram_frame_size = 65_535;
    let link = Link {
        mtu: 1_330,
        ..Link::lossy(10, 0)
    };
    let mut pair = Pair::new(1, link, &setup, setup.clone());
    assert!(pair.connect(10));
    let at_first = pair.client.borrow().peer.connection.max_datagram_len();
    pair.wait(Duration::from_secs(3));
    let client = pair.client.borrow().peer.connection.info();
    assert!((1_314..=1_330).contains(&client.mtu), "{}", client.mtu);
    let max = pair.client.borrow().peer.connection.max_datagram_len();
    // First byte, id, number, tag, type and length are QUIC's.
    assert_eq!(max, Some(usize::from(client.mtu) - (1 + 8 + 4 + 16 + 3)));
    assert!(max > at_first);
    pair.client.borrow_mut().peer.app.plan.datagrams = [max.expect("a size")].into();
    pair.wait(Duration::from_secs(1));
    assert_eq!(pair.server.borrow().peers[0].app.datagrams, [0]);
}

#[test]
fn a_larger_size_does_not_enlarge_the_window() {
    // RFC 8899 3 #18 test
    use quic_core::cong::{
        Algorithm,
        Congestion, //
    };
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        let mut congestion = Congestion::new(algorithm, 1_200);
        let now = Instant::from_nanos(1_000_000_000);
        congestion.on_congestion_event(now, now, quic_core::cong::Signal::Loss);
        let window = congestion.window();
        congestion.on_mtu(1_452);
        assert_eq!(congestion.window(), window);
        congestion.on_mtu(1_200);
        assert_eq!(congestion.window(), window);
    }
}

#[test]
fn probes_that_are_lost_slow_nothing_down() {
    // RFC 8899 3 #16 test, RFC 8899 3 #17 test, RFC 8899 3 #5 test, RFC 8899 3 #20 test,
    // RFC 9000 14.4 #1 test, RFC 9000 14.2 #1 test, RFC 9000 14.2 #6 test
    let mut client = Setup::default();
    client.plan.streams = vec![(Dir::Bidi, 400_000)];
    let narrow = Link {
        mtu: 1280,
        ..Link::lossy(10, 0)
    };
    let mut pair = Pair::new(1, narrow, &client, Setup::default());
    assert!(pair.transfer(60, 1, 0), "{}", pair.describe());
    pair.wait(Duration::from_millis(2_000));
    let info = pair.client.borrow().peer.connection.info();
    assert!((1264..=1280).contains(&info.mtu), "{}", info.mtu);
    // Probes were lost, and congestion control has not noticed.
    assert!(info.packets_lost > 0);
    assert_eq!(info.ssthresh, u64::MAX);
}
