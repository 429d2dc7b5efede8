// SPDX-License-Identifier: GPL-2.0

//! The pacer and the delivery rate by numbers.

use super::*;
use crate::recovery::{
    pacing::{
        rate_for,
        Pacer, //
    },
    rate::RateSampler,
};

const MTU: u64 = 1_200;

#[test]
fn a_burst_leaves_at_once_and_the_rest_at_the_rate() {
    // A megabyte a second: 1.2 ms for each packet after a burst of ten.
    let mut pacer = Pacer::new(1_000_000, MTU);
    let start = Instant::from_nanos(5_000_000_000);
    let mut departures = std::vec::Vec::new();
    let mut now = start;
    for _ in 0..1_000 {
        now = pacer.earliest(now, MTU);
        pacer.on_sent(now, MTU);
        departures.push(now.since(start).as_micros());
    }
    assert!(departures[..10].iter().all(|t| *t == 0));
    assert_eq!(departures[10], 1_200);
    assert_eq!(departures[999], 990 * 1_200);
}

#[test]
fn a_pause_earns_one_burst_and_no_more() {
    let mut pacer = Pacer::new(1_000_000, MTU);
    let mut now = Instant::from_nanos(1);
    for pause in [0, 1, 12, 10_000, 1_000_000] {
        now = now.saturating_add(ms(pause));
        assert!(pacer.budget(now) <= pacer.burst());
        let full = pause >= 12;
        assert_eq!(
            pacer.budget(now) == pacer.burst(),
            full || pause == 0,
            "{pause}"
        );
        while pacer.budget(now) > 0 {
            pacer.on_sent(now, pacer.budget(now).min(MTU));
        }
    }
}

#[test]
fn a_high_rate_allows_a_millisecond_at_once() {
    let pacer = Pacer::new(125_000_000, MTU);
    assert_eq!(pacer.burst(), 125_000);
    assert_eq!(pacer.budget(Instant::from_nanos(9)), 125_000);
    assert_eq!(Pacer::new(1, MTU).burst(), 12_000);
}

#[test]
fn whoever_waits_waits_for_a_batch() {
    // A gigabit a second: half a millisecond is 62,500 bytes.
    let mut pacer = Pacer::new(125_000_000, MTU);
    let mut now = Instant::from_nanos(1_000);
    let mut waits = std::vec::Vec::new();
    let mut sent = 0;
    while sent < 5_000_000 {
        let earliest = pacer.earliest(now, MTU);
        if earliest > now {
            waits.push(earliest.since(now).as_micros());
            now = earliest;
        }
        pacer.on_sent(now, MTU);
        sent += MTU;
    }
    assert!(waits.iter().all(|w| (490..=500).contains(w)), "{waits:?}");
    let took = now.since(Instant::ZERO).as_micros();
    assert!(
        (38_500..=40_000).contains(&took),
        "{took} for 40 ms less a burst"
    );
}

#[test]
fn the_user_can_limit_the_rate_on_every_path() {
    let mut bed = Bed::confirmed();
    bed.sample(ms(1));
    let free = bed.recovery.pacing_rate();
    bed.recovery.set_max_pacing_rate(Some(50_000));
    assert_eq!(bed.recovery.pacing_rate(), 50_000);
    bed.recovery.reset_for_path(1, SIZE, Some(ms(1)));
    assert_eq!(bed.recovery.pacing_rate(), 50_000);
    bed.recovery.set_max_pacing_rate(None);
    assert!(bed.recovery.pacing_rate() > free / 2);
}

#[test]
fn packets_handed_down_early_keep_their_distance() {
    // With departure times in the qdisc the caller sends ahead of time.
    let mut pacer = Pacer::new(1_000_000, MTU);
    let now = Instant::from_nanos(1_000);
    for _ in 0..10 {
        pacer.on_sent(now, MTU);
    }
    for nth in 1..50 {
        let departure = pacer.earliest(now, MTU);
        assert_eq!(departure.since(now).as_micros(), nth * 1_200);
        pacer.on_sent(now, MTU);
    }
}

#[test]
fn a_debt_keeps_its_size_when_the_rate_changes() {
    // Thirty packets at 12 kB/s: twenty of them, two seconds' worth, are ahead of the burst.
    let mut pacer = Pacer::new(12_000, MTU);
    let now = Instant::from_nanos(1_000);
    for _ in 0..30 {
        pacer.on_sent(now, MTU);
    }
    assert_eq!(pacer.earliest(now, MTU).since(now), ms(2_100));
    let now = now.saturating_add(ms(100));
    pacer.on_time(now);
    pacer.set_rate(1_200_000, MTU);
    assert_eq!(
        pacer.earliest(now, MTU).since(now),
        ms(20),
        "twenty packets at the new rate"
    );
    pacer.set_rate(12_000, MTU);
    assert_eq!(pacer.earliest(now, MTU).since(now), ms(2_000));
}

#[test]
fn rates_do_not_overflow() {
    let window = crate::cong::MAX_WINDOW;
    assert!(rate_for(window, Duration::ZERO, 2, 1) > 1 << 60);
    assert_eq!(rate_for(0, Duration::MAX, 2, 1), 1);
    assert_eq!(rate_for(1_000_000, ms(100), 5, 4), 12_500_000);
    for rate in [0, 1, 1 << 32, u64::MAX] {
        let mut pacer = Pacer::new(rate, MTU);
        pacer.on_sent(Instant::from_nanos(3), u64::MAX);
        let _ = pacer.earliest(Instant::FAR, u64::MAX);
        assert!(pacer.budget(Instant::from_nanos(3)) <= pacer.burst());
    }
}

#[test]
fn the_delivery_rate_is_that_of_the_slower_direction() {
    // One packet of 1000 bytes is sent each millisecond and acknowledged 10 ms later.
    let mut sampler = RateSampler::default();
    let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
    let mut flight = std::collections::VecDeque::new();
    let mut last = None;
    for now in 100..300 {
        flight.push_back((at(now), sampler.on_sent(at(now), flight.is_empty())));
        if now >= 110 {
            let (time, snapshot) = flight.pop_front().unwrap();
            sampler.on_acked(at(now), time, 1_000, &snapshot);
            last = sampler.sample(ms(10));
        }
    }
    let sample = last.unwrap();
    assert!(sample.rate.abs_diff(1_000_000) < 110_000, "{sample:?}");
    assert!(!sample.is_app_limited);
    assert_eq!(sampler.delivered(), 190_000);
    sampler.on_app_limited(10_000);
    let snapshot = sampler.on_sent(at(300), false);
    sampler.on_acked(at(311), at(300), 1_000, &snapshot);
    assert!(sampler.sample(ms(10)).unwrap().is_app_limited);
}
