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
