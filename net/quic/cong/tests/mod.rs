// SPDX-License-Identifier: GPL-2.0

//! Tests of the congestion controllers, without recovery around them.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests are free to panic"
)]

mod bottleneck;
mod cubic;
mod hystart;
mod newreno;

use super::*;

pub(super) const MTU: u64 = 1_200;

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

/// An acknowledgement of `growth` bytes at `now`, of packets sent `rtt` ago.
pub(super) fn ack(now: Instant, growth: u64, rtt: Duration) -> AckEvent {
    AckEvent {
        now,
        growth,
        is_app_limited: false,
        sent: now.saturating_sub(rtt),
        rtt_sample: Some(rtt),
        smoothed_rtt: rtt,
    }
}

#[test]
fn a_recovery_period_admits_one_event() {
    // RFC 9002 7.3.1 #1 test
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        let mut congestion = Congestion::new(algorithm, MTU);
        assert_eq!(congestion.algorithm(), algorithm);
        assert!(congestion.is_in_slow_start());
        assert!(congestion.on_congestion_event(at(100), at(50), Signal::Loss));
        assert!(!congestion.is_in_slow_start());
        let window = congestion.window();
        for sent in [0, 50, 99, 100] {
            assert!(!congestion.on_congestion_event(at(120), at(sent), Signal::Ecn));
            assert_eq!(congestion.window(), window);
        }
        assert!(congestion.on_congestion_event(at(150), at(101), Signal::Ecn));
        assert!(congestion.window() < window);
        assert_eq!(congestion.events(), 2);
    }
}

#[test]
fn a_mistaken_event_is_taken_back_with_its_recovery_period() {
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        let mut congestion = Congestion::new(algorithm, MTU);
        let window = congestion.window();
        congestion.on_congestion_event(at(100), at(50), Signal::Loss);
        congestion.on_spurious();
        assert_eq!(
            (congestion.window(), congestion.ssthresh()),
            (window, u64::MAX)
        );
        assert!(!congestion.is_in_recovery(at(50)));
        // There is nothing left to take back.
        congestion.on_congestion_event(at(200), at(150), Signal::Loss);
        congestion.on_persistent_congestion();
        congestion.on_spurious();
        assert_eq!(congestion.window(), 2 * MTU);
    }
}

/// Gives a controller rounds of ten acknowledgements of a tenth of `bytes` each, with these RTTs in
/// milliseconds, from `start` on. Returns the window after each round.
fn rounds(congestion: &mut Congestion, start: u64, bytes: u64, rtts: &[u64]) -> std::vec::Vec<u64> {
    let mut windows = std::vec::Vec::new();
    for (round, rtt) in (0..).zip(rtts) {
        let now = start + round * 1_000;
        for nth in 0..10 {
            let mut event = ack(at(now + nth), bytes / 10, ms(*rtt));
            // The first packet of a round was sent when the round before began.
            event.sent = at(now + nth - 999);
            congestion.on_ack(&event);
        }
        windows.push(congestion.window());
    }
    windows
}

#[test]
fn a_rising_rtt_ends_the_slow_start_of_every_algorithm() {
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        let mut congestion = Congestion::new(algorithm, MTU);
        let windows = rounds(&mut congestion, 10_000, 8_000, &[50, 50, 70, 70, 70]);
        // The rise is seen by the eighth sample of the third round.
        assert_eq!(windows[1], 28_000, "{algorithm:?}");
        assert_eq!(windows[3] - windows[2], 2_000, "{algorithm:?}");
        assert!(congestion.is_in_slow_start() && !congestion.is_doubling());
        rounds(&mut congestion, 15_000, 8_000, &[70, 70, 70, 70]);
        assert!(!congestion.is_in_slow_start(), "{algorithm:?}");
        assert_eq!(congestion.events(), 0, "no congestion event did that");
        // The RTT falls again: that slow start is over for good.
        rounds(&mut congestion, 19_000, 8_000, &[50, 50]);
        assert!(!congestion.is_in_slow_start(), "{algorithm:?}");
    }
}

#[test]
fn a_mistaken_event_leaves_the_watch_on_the_rtt() {
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        let mut congestion = Congestion::new(algorithm, MTU);
        rounds(&mut congestion, 10_000, 8_000, &[50, 50]);
        congestion.on_congestion_event(at(11_500), at(11_400), Signal::Loss);
        congestion.on_spurious();
        assert!(congestion.is_doubling(), "{algorithm:?}");
        rounds(&mut congestion, 12_000, 8_000, &[70]);
        assert!(!congestion.is_doubling(), "{algorithm:?}");
    }
}

#[test]
fn persistent_congestion_leaves_the_minimum_window() {
    // RFC 9002 7.6.2 #5 test
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        let mut congestion = Congestion::new(algorithm, MTU);
        congestion.on_congestion_event(at(100), at(50), Signal::Loss);
        congestion.on_persistent_congestion();
        assert_eq!(congestion.window(), 2 * MTU);
        assert!(congestion.is_in_slow_start(), "up to the threshold");
        assert!(!congestion.is_in_recovery(at(50)));
    }
}

#[test]
fn the_window_never_leaves_its_bounds() {
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        let mut congestion = Congestion::new(algorithm, MTU);
        for round in 1..200u64 {
            let growth = congestion.window();
            congestion.on_ack(&ack(at(round * 1_000_000), growth, ms(1)));
            assert!(congestion.window() <= MAX_WINDOW);
        }
        assert!(congestion.window() > MAX_WINDOW / 2);
        for round in 200..400u64 {
            let now = at(round * 1_000_000);
            congestion.on_congestion_event(now, now, Signal::Loss);
            assert!(congestion.window() >= 2 * MTU);
        }
        assert_eq!(congestion.window(), 2 * MTU);
    }
}
