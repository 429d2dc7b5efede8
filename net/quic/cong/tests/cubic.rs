// SPDX-License-Identifier: GPL-2.0

//! CUBIC against the formulas of RFC 9438 in floating point.

use super::*;

const RTT: u64 = 100;

/// The window in segments `t` seconds into a stage that began at `start` segments after a
/// reduction from `w_max`.
fn curve(t: f64, start: f64, w_max: f64) -> f64 {
    let k = ((w_max - start) / 0.4).cbrt();
    0.4 * (t - k).powi(3) + w_max
}

/// Runs slow start up to `packets` and loses one.
fn reduced(packets: u64) -> Cubic {
    let mut cubic = Cubic::new(MTU);
    while cubic.window() < packets * MTU {
        let growth = (packets * MTU - cubic.window()).min(cubic.window());
        cubic.on_ack(&ack(at(1), growth, ms(RTT)));
    }
    cubic.on_congestion_event(at(2), Signal::Loss);
    cubic
}

#[test]
fn a_loss_takes_three_tenths() {
    for packets in [10, 100, 5_000] {
        let cubic = reduced(packets);
        assert_eq!(cubic.window(), packets * MTU * 7 / 10);
        assert_eq!(cubic.ssthresh(), cubic.window());
    }
    let mut cubic = Cubic::new(MTU);
    for _ in 0..20 {
        cubic.on_congestion_event(at(2), Signal::Ecn);
    }
    assert_eq!(cubic.window(), 2 * MTU);
}

#[test]
fn growth_follows_the_curve_where_it_is_above_reno() {
    // A window of 10,000 segments over 100 ms: the Reno estimate is far below.
    let mut cubic = reduced(10_000);
    let start = 7_000.0;
    let mut worst: f64 = 0.0;
    for step in 0..3_000u64 {
        // Ten acknowledgements in each round trip.
        let now = at(1_000 + step * RTT / 10);
        let growth = cubic.window() / 10;
        cubic.on_ack(&ack(now, growth, ms(RTT)));
        let t = (step * RTT / 10) as f64 / 1_000.0;
        // The window chases the curve one round trip ahead, and arrives within that time.
        let low = curve(t - RTT as f64 / 1_000.0, start, 10_000.0);
        let high = curve(t + RTT as f64 / 1_000.0, start, 10_000.0);
        let window = cubic.window() as f64 / MTU as f64;
        if step > 20 {
            assert!(window <= high + 1.0, "{t}: {window} above {high}");
            assert!(window >= low.min(high) - 1.0, "{t}: {window} below {low}");
            let exact = curve(t, start, 10_000.0);
            worst = worst.max((window - exact).abs() / exact);
        }
    }
    assert!(worst < 0.01, "off by {worst}");
    assert!(
        cubic.window() > 10_000 * MTU,
        "it went on to the convex region"
    );
}

#[test]
fn a_small_window_grows_like_reno() {
    // Ten segments over 10 ms: the curve takes seconds, the estimate 9/17 of a segment a round.
    let mut cubic = reduced(40);
    let mut estimate = 28.0;
    for round in 0..40u64 {
        let growth = cubic.window();
        cubic.on_ack(&ack(at(1_000 + round * 10), growth, ms(10)));
        // alpha is 1 from the window before the loss on.
        estimate += if estimate < 40.0 { 9.0 / 17.0 } else { 1.0 };
        let window = cubic.window() as f64 / MTU as f64;
        assert!(
            (window - estimate).abs() < 1.0,
            "{round}: {window}, not {estimate}"
        );
    }
    assert!(cubic.window() > 50 * MTU);
}

#[test]
fn small_acknowledgements_add_up_to_the_same() {
    let (mut large, mut small) = (reduced(1_000), reduced(1_000));
    for round in 0..60u64 {
        let now = at(1_000 + round * RTT);
        let window = large.window();
        large.on_ack(&ack(now, window, ms(RTT)));
        let mut left = small.window();
        while left > 0 {
            let acked = left.min(500);
            small.on_ack(&ack(now, acked, ms(RTT)));
            left -= acked;
        }
        let (a, b) = (large.window() as f64, small.window() as f64);
        assert!((a - b).abs() / a < 0.02, "{round}: {a} and {b}");
    }
}

#[test]
fn a_second_loss_below_the_plateau_gives_way() {
    let mut cubic = reduced(1_000);
    cubic.on_ack(&ack(at(1_000), 1, ms(RTT)));
    let before = cubic.window();
    cubic.on_congestion_event(at(2_000), Signal::Loss);
    assert_eq!(cubic.window(), before * 7 / 10);
    // The plateau is now 0.85 of the window at the loss: it is reached after K and not before.
    let start = cubic.window() as f64 / MTU as f64;
    let w_max = 0.85 * before as f64 / MTU as f64;
    let k = (((w_max - start) / 0.4).cbrt() * 1_000.0) as u64;
    for step in 0..=k / 10 {
        let growth = cubic.window() / 10;
        cubic.on_ack(&ack(at(3_000 + step * 10), growth, ms(RTT)));
        let window = cubic.window() as f64 / MTU as f64;
        assert!(window <= w_max + 1.0, "{step}: {window} above {w_max}");
    }
    assert!(cubic.window() as f64 / MTU as f64 >= w_max - 2.0);
}

#[test]
fn idle_time_does_not_move_the_curve() {
    let (mut busy, mut idle) = (reduced(10_000), reduced(10_000));
    for step in 0..40u64 {
        let now = at(1_000 + step * RTT);
        busy.on_ack(&ack(now, busy.window(), ms(RTT)));
        idle.on_ack(&ack(now, idle.window(), ms(RTT)));
    }
    assert_eq!(busy.window(), idle.window());
    // A minute without using the window, seen in the acknowledgements of a trickle.
    for step in 0..60u64 {
        let trickle = AckEvent {
            is_app_limited: true,
            ..ack(at(5_000 + step * 1_000), 0, ms(RTT))
        };
        idle.on_ack(&trickle);
    }
    for step in 0..20u64 {
        busy.on_ack(&ack(at(5_000 + step * RTT), busy.window(), ms(RTT)));
        idle.on_ack(&ack(at(65_000 + step * RTT), idle.window(), ms(RTT)));
        let (a, b) = (busy.window() as f64, idle.window() as f64);
        assert!((a - b).abs() / a < 0.01, "{step}: {a} and {b}");
    }
}

#[test]
fn leaving_slow_start_without_loss_starts_at_the_plateau() {
    let mut cubic = Cubic::new(MTU);
    let mut now = 10_000;
    // The RTT rises as the queue fills, and stays up: HyStart++ leaves slow start.
    for rtt in [50, 50, 80, 80, 80, 80, 80, 80, 80] {
        now += 200;
        for nth in 0..10 {
            let event = AckEvent {
                sent: at(now - 200 + 1 + nth),
                ..ack(at(now + nth), 2_000, ms(rtt))
            };
            cubic.on_ack(&event);
        }
    }
    assert!(!cubic.is_in_slow_start());
    let window = cubic.window();
    assert_eq!(cubic.ssthresh().max(window), window);
    // K is 0: convex growth from here, W(t + RTT) with W_max = the window.
    let before = window as f64 / MTU as f64;
    for step in 0..30u64 {
        cubic.on_ack(&ack(at(now + 100 + step * 80), cubic.window(), ms(80)));
    }
    let after = cubic.window() as f64 / MTU as f64;
    let reno = 30.0;
    let exact = 0.4 * (30.0 * 0.08f64).powi(3);
    assert!(
        after - before >= exact.max(reno) - 2.0,
        "{before} to {after}"
    );
    assert!(
        after - before <= exact.max(reno) + 8.0,
        "{before} to {after}"
    );
}

#[test]
fn cube_roots_are_exact() {
    use super::super::cubic::cube_root;
    for root in (0..2_000).chain([65_535, 1_000_000, 2_642_244, 2_642_245]) {
        let cube = root * root * root;
        assert_eq!(cube_root(cube), root);
        if cube > 0 {
            assert_eq!(cube_root(cube - 1), root - 1);
        }
    }
    assert_eq!(cube_root(u64::MAX), 2_642_245);
}
