// SPDX-License-Identifier: GPL-2.0

//! Tests of paths, their validation and their size.

#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{
    challenge::{
        Expiry,
        Verdict, //
    },
    mtu::BASE,
    *,
};
use crate::common::time::{
    Duration,
    Instant, //
};

fn addr(port: u16) -> PathAddr {
    PathAddr {
        local: SocketAddr::from(([127, 0, 0, 1], 443)),
        remote: SocketAddr::from(([127, 0, 0, 1], port)),
    }
}

fn at(ms: u64) -> Instant {
    Instant::ZERO.saturating_add(Duration::from_millis(ms))
}

// RFC 9000 8 #1 test
// RFC 9000 8.1 #2 test
#[test]
fn an_unvalidated_address_gets_three_times_what_it_sent() {
    let mut path = Path::new(addr(1), 0, 0, 1472);
    assert!(path.is_blocked());
    path.on_received(1200);
    assert_eq!(path.budget(), 3600);
    path.on_sent(1200);
    path.on_sent(1200);
    path.on_sent(1190);
    assert_eq!(path.budget(), 10);
    assert!(path.is_blocked());
    path.set_validated();
    assert_eq!(path.budget(), usize::MAX);
}

// RFC 9000 8.2.4 #1 test
// RFC 9000 8.2.4 #2 test
#[test]
fn a_validation_without_an_answer_is_repeated_ever_more_rarely_and_fails() {
    let times = (Duration::from_millis(100), Duration::from_millis(3_000));
    let mut challenge = Challenge::default();
    challenge.start();
    let mut sent = std::vec::Vec::new();
    for now in (0..5_000).step_by(50) {
        match challenge.on_timeout(at(now)) {
            Expiry::Failed => {
                sent.push(now);
                break;
            }
            Expiry::Waiting | Expiry::Again => {}
        }
        if challenge.is_pending() {
            challenge.on_sent([1; 8], true, at(now), times);
            sent.push(now);
        }
    }
    assert_eq!(sent, [0, 100, 300, 700, 1500, 3000]);
    assert!(!challenge.is_running());
    assert_eq!(challenge.on_response([1; 8]), Verdict::Unknown);
}

// RFC 9000 8.2.1 #6 test
// RFC 9000 8.2.3 #1 test
#[test]
fn an_answer_to_a_small_challenge_validates_the_address_only() {
    let interval = (Duration::from_millis(100), Duration::from_millis(300));
    let mut challenge = Challenge::default();
    challenge.start();
    challenge.on_sent([1; 8], false, at(0), interval);
    assert_eq!(challenge.on_response([2; 8]), Verdict::Unknown);
    assert_eq!(challenge.on_response([1; 8]), Verdict::AddressOnly);
    assert!(challenge.is_pending());
    challenge.on_sent([3; 8], true, at(50), interval);
    assert_eq!(challenge.on_response([3; 8]), Verdict::Validated);
    assert!(!challenge.is_running());
}

// RFC 9000 8.2.2 #7 test
#[test]
fn a_flood_of_challenges_keeps_the_newest_answers_only() {
    let mut responses = Responses::default();
    for number in 0..1_000_000u64 {
        responses.push(number.to_be_bytes());
    }
    let mut answers = std::vec::Vec::new();
    while let Some(data) = responses.front() {
        responses.pop();
        answers.push(u64::from_be_bytes(data));
    }
    assert_eq!(answers, [999_996, 999_997, 999_998, 999_999]);
}

/// Runs a search on a path that carries datagrams of up to `carries` bytes.
fn search(mtu: &mut Mtu, carries: u16, now: Instant) -> usize {
    let mut probes = 0;
    while let Some(size) = mtu.poll_probe(now) {
        probes += 1;
        mtu.on_probe_sent(size);
        assert!(!mtu.wants_probe(now));
        if size <= carries {
            mtu.on_probe_acked(size);
        } else {
            mtu.on_probe_lost(size);
        }
    }
    probes
}

#[test]
fn the_search_finds_the_size_of_every_path() {
    for carries in 1200..=1472 {
        let mut mtu = Mtu::new(1472);
        mtu.enable(Duration::from_secs(600));
        let probes = search(&mut mtu, carries, at(0));
        assert!(mtu.current() <= carries.max(BASE));
        assert!(carries - mtu.current() < 20, "{carries}: {}", mtu.current());
        assert!(probes <= 3 + 3 * 5);
    }
}

#[test]
fn a_complete_search_is_repeated_after_the_raise_time() {
    let mut mtu = Mtu::new(1472);
    mtu.enable(Duration::from_secs(600));
    search(&mut mtu, 1300, at(0));
    let deadline = mtu.deadline().unwrap();
    assert_eq!(deadline, at(600_000));
    assert!(mtu.wants_probe(deadline));
    search(&mut mtu, 1472, deadline);
    assert_eq!(mtu.current(), 1472);
    assert_eq!(mtu.deadline(), None);
}

#[test]
fn a_black_hole_brings_the_size_back_to_the_minimum() {
    let mut mtu = Mtu::new(1472);
    mtu.enable(Duration::from_secs(600));
    search(&mut mtu, 1472, at(0));
    assert!(!mtu.on_packets_lost(1472) && !mtu.on_packets_lost(1472));
    mtu.on_packet_acked(1472);
    assert!(!mtu.on_packets_lost(1472) && !mtu.on_packets_lost(1472));
    assert!(mtu.on_packets_lost(1472));
    assert_eq!(mtu.current(), BASE);
    search(&mut mtu, 1400, at(1));
    assert!(mtu.current() > 1380);
    // Silence is another sign of it.
    assert!(!mtu.on_timeouts(2) && mtu.on_timeouts(3));
    assert_eq!(mtu.current(), BASE);
    assert!(!mtu.on_timeouts(4));
}

// RFC 9000 14.2.1 #1 test, RFC 9000 14.2.1 #6 test, RFC 8899 3 #12 test, RFC 8899 3 #13 test,
// RFC 8899 4.6.2 #1 test, RFC 8899 4.6.2 #4 test
#[test]
fn icmp_starts_a_search_and_neither_raises_the_size_nor_lowers_it_below_the_minimum() {
    let mut mtu = Mtu::new(1472);
    assert!(!mtu.on_too_big(1300));
    mtu.enable(Duration::from_secs(600));
    search(&mut mtu, 1472, at(0));
    for size in [0, 1, 576, 1199, 1472, 1473, u16::MAX] {
        assert!(!mtu.on_too_big(size));
        assert_eq!(mtu.current(), 1472);
    }
    // What the message says is tried at once and believed when it has arrived.
    assert!(mtu.on_too_big(1400));
    assert_eq!(mtu.current(), BASE);
    assert_eq!(mtu.poll_probe(at(0)), Some(1400));
    assert!(!mtu.on_too_big(1450));
    mtu.on_probe_sent(1400);
    assert!(mtu.on_probe_acked(1400));
    assert_eq!(mtu.current(), 1400);
    assert_eq!(mtu.poll_probe(at(0)), None);
    // A lie costs a search and no more.
    assert!(mtu.on_too_big(1250));
    search(&mut mtu, 1249, at(0));
    assert!((1233..=1249).contains(&mtu.current()));
}

// RFC 8899 4.6.2 #1 test
#[test]
fn icmp_about_a_probe_leaves_ordinary_datagrams_alone() {
    let mut mtu = Mtu::new(9000);
    mtu.enable(Duration::from_secs(600));
    assert_eq!(mtu.poll_probe(at(0)), Some(9000));
    mtu.on_probe_sent(9000);
    assert!(!mtu.on_too_big(9000));
    assert_eq!(mtu.poll_probe(at(0)), None);
    assert!(!mtu.on_too_big(1452));
    assert_eq!(mtu.current(), BASE);
    assert_eq!(mtu.poll_probe(at(0)), Some(1452));
    // The probe it was about is of no interest any more.
    mtu.on_probe_lost(9000);
    assert_eq!(search(&mut mtu, 1452, at(0)), 1);
    assert_eq!(mtu.current(), 1452);
}

#[test]
fn a_failed_migration_goes_back_to_the_validated_path() {
    let mut paths = Paths::new(addr(1), 1472);
    paths.active_mut().set_validated();
    assert!(paths.set_probe(addr(2), 1, 1472).is_none());
    assert!(paths.promote(Slot::Probe).is_none());
    assert_eq!(paths.active().addr, addr(2));
    assert_eq!(paths.find(addr(1)), Some(Slot::Previous));
    assert_eq!(paths.revert().unwrap().addr, addr(2));
    assert_eq!(paths.active().addr, addr(1));
    assert!(paths.revert().is_none());
    // An unvalidated path is no place to go back to.
    let mut paths = Paths::new(addr(1), 1472);
    paths.set_probe(addr(2), 1, 1472);
    assert_eq!(paths.promote(Slot::Probe).unwrap().addr, addr(1));
    assert!(paths.revert().is_none());
}
