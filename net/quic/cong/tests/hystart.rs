// SPDX-License-Identifier: GPL-2.0

//! The phases of HyStart++.

use super::{
    super::hystart::{
        HyStart,
        Phase,
        Step, //
    },
    *,
};

/// Rounds of ten acknowledgements; each round has one RTT in milliseconds. Returns the phase
/// after each round, and whether slow start ended in it.
fn run(hystart: &mut HyStart, rounds: &[u64]) -> std::vec::Vec<(Phase, bool)> {
    let mut out = std::vec::Vec::new();
    let mut now = 1_000_000;
    for rtt in rounds {
        // The first packet of a round was sent when the round before began.
        now += 1_000;
        let mut ended = false;
        for nth in 0..10 {
            let sent = at(now - 1_000 + 1 + nth);
            ended |= hystart.on_ack(at(now + nth), sent, Some(ms(*rtt)));
        }
        out.push((hystart.phase(), ended));
    }
    out
}

fn conservative(baseline: u64, rounds: u8) -> Phase {
    Phase::Conservative {
        baseline: ms(baseline),
        rounds,
    }
}

#[test]
fn a_stable_rtt_stays_in_slow_start() {
    let mut hystart = HyStart::new();
    for (phase, ended) in run(&mut hystart, &[50, 53, 50, 55, 57, 60]) {
        assert_eq!((phase, ended), (Phase::SlowStart, false));
    }
    assert_eq!(hystart.growth(1_000), 1_000);
}

/// `(RTT before, RTT after, whether the rise counts)`: an eighth, within 4 to 16 ms.
#[test]
fn the_rise_that_counts_is_an_eighth_within_bounds() {
    let rows = [
        (8, 11, false),
        (8, 12, true),
        (64, 71, false),
        (64, 72, true),
        (400, 415, false),
        (400, 416, true),
    ];
    for (before, after, counts) in rows {
        let phases = run(&mut HyStart::new(), &[before, before, after]);
        let expected = if counts {
            conservative(after, 1)
        } else {
            Phase::SlowStart
        };
        assert_eq!(phases[2].0, expected, "{before} to {after}");
    }
}

#[test]
fn five_conservative_rounds_end_slow_start() {
    let mut hystart = HyStart::new();
    let phases = run(&mut hystart, &[50, 50, 70, 70, 71, 72, 70, 75, 75]);
    assert_eq!(phases[2], (conservative(70, 1), false));
    assert_eq!(phases[6], (conservative(70, 5), false));
    assert_eq!(phases[7], (Phase::Done, true));
    assert_eq!(phases[8], (Phase::Done, false), "it ends once");
}

#[test]
fn conservative_growth_is_a_quarter() {
    let mut hystart = HyStart::new();
    run(&mut hystart, &[50, 50, 70]);
    assert_eq!(hystart.growth(1_000), 250);
}

#[test]
fn an_rtt_below_the_baseline_resumes_slow_start() {
    let mut hystart = HyStart::new();
    let phases = run(&mut hystart, &[50, 50, 70, 69, 70, 90]);
    assert_eq!(phases[3].0, Phase::SlowStart);
    assert_eq!(phases[5].0, conservative(90, 1), "and it may end again");
}

#[test]
fn too_few_samples_decide_nothing() {
    let mut hystart = HyStart::new();
    run(&mut hystart, &[50, 50]);
    let now = 2_000_000;
    for nth in 0..7 {
        hystart.on_ack(at(now + nth), at(now - 100), Some(ms(500)));
    }
    assert_eq!(hystart.phase(), Phase::SlowStart);
    // A frame without a sample is no sample.
    hystart.on_ack(at(now + 8), at(now - 100), None);
    assert_eq!(hystart.phase(), Phase::SlowStart);
    hystart.on_ack(at(now + 9), at(now - 100), Some(ms(500)));
    assert_eq!(hystart.phase(), conservative(500, 1));
}

#[test]
fn loss_ends_it_for_good() {
    let mut hystart = HyStart::new();
    hystart.on_congestion_event();
    let phases = run(&mut hystart, &[50, 50, 90]);
    assert!(phases.iter().all(|p| *p == (Phase::Done, false)));
    assert_eq!(hystart.growth(1_000), 1_000);
}

#[test]
fn a_step_of_slow_start_ends_at_the_threshold_and_grows_by_the_phase() {
    // (conservative, threshold, acknowledged) to (window, above the threshold); it begins at 10,000.
    let rows = [
        (false, u64::MAX, 1_000, (11_000, 0)),
        (false, 11_000, 1_000, (11_000, 0)),
        (false, 10_400, 1_000, (10_400, 600)),
        (true, u64::MAX, 1_000, (10_250, 0)),
        (true, 10_100, 1_000, (10_100, 150)),
    ];
    for (is_conservative, ssthresh, growth, (window, above)) in rows {
        let mut hystart = HyStart::new();
        if is_conservative {
            run(&mut hystart, &[50, 50, 70]);
        }
        let event = ack(at(1_000), growth, ms(70));
        let step = hystart.slow_start(&event, 10_000, ssthresh);
        let expected = Step {
            window,
            ssthresh,
            above,
        };
        assert_eq!(step, expected, "{is_conservative} {ssthresh}");
    }
}

#[test]
fn the_last_conservative_round_makes_the_window_the_threshold() {
    let mut hystart = HyStart::new();
    run(&mut hystart, &[50, 50, 70, 70, 71, 72, 70]);
    let event = ack(at(3_000_000), 1_000, ms(70));
    let step = hystart.slow_start(&event, 10_000, u64::MAX);
    assert_eq!(
        (step.window, step.ssthresh, step.above),
        (10_000, 10_000, 0)
    );
}
