// SPDX-License-Identifier: GPL-2.0

//! Controllers on a simulated bottleneck: throughput, fairness, queues, on a virtual clock.
//!
//! Whole recovery takes part, with ACK frames as bytes: what is tested is that the parts together
//! use a path well and share it, not that a formula was typed in correctly.

mod flow;
mod net;

use self::{
    flow::Flow,
    net::{
        Net,
        Path, //
    },
};
use super::*;

const BOTH: [Algorithm; 2] = [Algorithm::NewReno, Algorithm::Cubic];

/// 20 Mbit/s, 40 ms of round trip, a queue of one bandwidth-delay product.
fn path() -> Path {
    Path {
        rate: 2_500_000,
        delay: ms(20),
        queue: 100_000,
        mark_above: None,
        loss_per_10_000: 0,
        jitter: Duration::ZERO,
    }
}

/// Seconds of virtual time.
fn secs(n: u64) -> Instant {
    Instant::from_nanos(n * 1_000_000_000)
}

/// The share of the path's rate that a flow had between two points in time.
fn share(net: &mut Net, flow: usize, from: u64, to: u64) -> f64 {
    net.run_until(secs(from));
    let before = net.flows[flow].delivered;
    net.run_until(secs(to));
    let bytes = net.flows[flow].delivered - before;
    bytes as f64 / ((to - from) as f64 * net.path.rate as f64)
}

#[test]
fn one_flow_fills_the_path() {
    for algorithm in BOTH {
        for (rate, delay, queue) in [
            (2_500_000, 20, 100_000),
            (250_000, 5, 20_000),
            (5_000_000, 10, 100_000),
            (1_250_000, 100, 250_000),
        ] {
            let path = Path {
                rate,
                delay: ms(delay),
                queue,
                ..path()
            };
            let mut net = Net::new(path, vec![Flow::new(algorithm, false)]);
            let used = share(&mut net, 0, 5, 25);
            assert!(used >= 0.9, "{algorithm:?} {rate} {delay}: {used:.3}");
            assert!(used <= 1.01, "more than the path carries: {used:.3}");
        }
    }
}

#[test]
fn slow_start_is_not_held_up() {
    // Windows of 10, 20, 40 and 80 packets leave in the first four round trips.
    for algorithm in BOTH {
        let mut net = Net::new(path(), vec![Flow::new(algorithm, false)]);
        net.run_until(Instant::from_nanos(170_000_000));
        let sent = net.flows[0].recovery.counters().sent;
        assert!((140..=310).contains(&sent), "{algorithm:?}: {sent}");
    }
}

#[test]
fn two_flows_share_the_path() {
    // RFC 9002 7 #1 test
    for algorithm in BOTH {
        for late in [0, 3] {
            let mut second = Flow::new(algorithm, false);
            second.start = secs(late);
            let path = Path {
                rate: 1_250_000,
                queue: 50_000,
                ..path()
            };
            let mut net = Net::new(path, vec![Flow::new(algorithm, false), second]);
            net.run_until(secs(40));
            let before = [net.flows[0].delivered, net.flows[1].delivered];
            net.run_until(secs(120));
            let fair = 80.0 * 1_250_000.0 / 2.0;
            for (flow, before) in net.flows.iter().zip(before) {
                let share = (flow.delivered - before) as f64 / fair;
                assert!(
                    (0.8..=1.2).contains(&share),
                    "{algorithm:?} {late}: {share:.3}"
                );
            }
            let got: u64 = net.flows.iter().map(|f| f.delivered).sum();
            let used = (got - before.iter().sum::<u64>()) as f64 / (2.0 * fair);
            assert!(used >= 0.9, "{algorithm:?} {late}: {used:.3}");
        }
    }
}

#[test]
fn hystart_leaves_slow_start_before_the_queue_overflows_by_much() {
    // (delay, queue, the most that may be lost); a slow start that waits for the loss of a packet
    // loses 255, 630 and 1046.
    for algorithm in BOTH {
        for (delay, queue, most) in [(20, 200_000, 150), (50, 500_000, 250), (50, 1_000_000, 320)] {
            let path = Path {
                delay: ms(delay),
                queue,
                ..path()
            };
            let mut net = Net::new(path, vec![Flow::new(algorithm, false)]);
            net.run_until(secs(3));
            let lost = net.flows[0].recovery.counters().lost;
            assert!(lost < most, "{algorithm:?} {delay} {queue}: {lost}");
            // 0.5 seconds of slow start and the first flight take their part of three seconds.
            let share = net.flows[0].delivered as f64 / (3.0 * net.path.rate as f64);
            assert!(share > 0.85, "{algorithm:?} {delay} {queue}: {share:.2}");
        }
    }
}

#[test]
fn marks_instead_of_losses_do_as_well() {
    for algorithm in BOTH {
        let path = Path {
            mark_above: Some(50_000),
            queue: 400_000,
            ..path()
        };
        let mut net = Net::new(path, vec![Flow::new(algorithm, true)]);
        let used = share(&mut net, 0, 5, 20);
        assert!(used >= 0.9, "{algorithm:?}: {used:.3}");
        let flow = &net.flows[0];
        assert!(net.marked > 0);
        assert!(flow.recovery.congestion().events() > 3);
        assert_eq!(
            flow.recovery.ecn_state(),
            crate::recovery::EcnState::Capable
        );
        assert_eq!(flow.recovery.counters().lost, 0, "{algorithm:?}");
    }
}

#[test]
fn random_loss_gives_the_rate_of_the_formula() {
    // Mathis et al.: MSS / RTT * sqrt(3 / 2 / p) for NewReno; 1 % of loss, a path without queue.
    let path = Path {
        rate: 12_500_000,
        loss_per_10_000: 100,
        ..path()
    };
    let mut net = Net::new(path, vec![Flow::new(Algorithm::NewReno, false)]);
    let used = share(&mut net, 0, 5, 125);
    let rate = used * 12_500_000.0;
    let formula = 1_200.0 / 0.04 * (1.5f64 / 0.01).sqrt();
    let ratio = rate / formula;
    assert!((0.7..1.3).contains(&ratio), "{rate:.0} for {formula:.0}");
    let counters = net.flows[0].recovery.counters();
    let lost = counters.lost as f64 / counters.sent as f64;
    assert!((0.008..0.013).contains(&lost), "{lost} lost");
}

#[test]
fn reordering_is_learned_and_does_not_cost_the_rate() {
    for algorithm in BOTH {
        let path = Path {
            jitter: ms(6),
            queue: 200_000,
            ..path()
        };
        let mut net = Net::new(path, vec![Flow::new(algorithm, false)]);
        let used = share(&mut net, 0, 5, 20);
        assert!(used >= 0.85, "{algorithm:?}: {used:.3}");
        let counters = *net.flows[0].recovery.counters();
        assert!(counters.spurious > 0, "it was learned from something");
        net.run_until(secs(30));
        let later = net.flows[0].recovery.counters();
        let share = (later.spurious - counters.spurious) as f64 / later.sent as f64;
        assert!(share < 0.001, "{algorithm:?}: {share} of the packets");
    }
}

#[test]
fn a_blackout_ends_in_a_slow_restart_and_the_path_fills_again() {
    // RFC 9002 7.5 #1 test: only probes that the window does not hold end it.
    for algorithm in BOTH {
        let mut net = Net::new(path(), vec![Flow::new(algorithm, false)]);
        net.blackout = Some((secs(10), secs(14)));
        net.run_until(secs(14));
        assert!(
            net.flows[0].recovery.pto_count() >= 3,
            "the timer backed off"
        );
        let used = share(&mut net, 0, 24, 44);
        assert_eq!(
            net.flows[0].recovery.counters().persistent,
            1,
            "{algorithm:?}"
        );
        assert!(used >= 0.9, "{algorithm:?}: {used:.3}");
    }
}

#[test]
fn an_application_limited_flow_keeps_a_window_of_its_use() {
    for algorithm in BOTH {
        let mut flow = Flow::new(algorithm, false);
        // Half a megabyte a second: a fifth of the path.
        flow.app_rate = Some(500_000);
        let mut net = Net::new(path(), vec![flow]);
        let used = share(&mut net, 0, 5, 35);
        assert!((0.19..0.205).contains(&used), "{algorithm:?}: {used:.3}");
        // Twice what is in flight, and no more: slow start doubles a window in full use.
        let window = net.flows[0].recovery.congestion().window();
        assert!(window <= 100_000, "{algorithm:?}: {window}");
    }
}

#[test]
fn an_optimistic_receiver_is_found_out() {
    // RFC 9000 21.4 #1 test
    for algorithm in BOTH {
        let mut flow = Flow::new(algorithm, false);
        flow.is_optimistic = true;
        let mut net = Net::new(path(), vec![flow]);
        net.run_until(secs(5));
        let flow = &net.flows[0];
        assert!(flow.violation.is_some(), "{algorithm:?}");
        assert!(
            flow.recovery.counters().sent < 200,
            "{algorithm:?}: within the first window or two"
        );
    }
}
