// SPDX-License-Identifier: GPL-2.0

//! NewReno step by step: RFC 9002 section 7.3.

use super::*;

#[test]
fn slow_start_grows_by_what_is_acknowledged() {
    let mut reno = NewReno::new(MTU);
    assert_eq!(reno.window(), 12_000);
    for (growth, window) in [(1_200, 13_200), (0, 13_200), (13_200, 26_400), (1, 26_401)] {
        reno.on_ack(&ack(at(1), growth, ms(10)));
        assert_eq!(reno.window(), window);
    }
}

#[test]
fn congestion_avoidance_grows_by_one_datagram_for_each_window() {
    // RFC 9002 7.3.3 #1 test
    let mut reno = NewReno::new(MTU);
    reno.on_congestion_event(at(1), Signal::Loss);
    assert_eq!((reno.window(), reno.ssthresh()), (6_000, 6_000));
    let mut window = 6_000;
    for _ in 0..50 {
        let mut left = window;
        while left > 0 {
            assert_eq!(reno.window(), window);
            let acked = left.min(777);
            reno.on_ack(&ack(at(2), acked, ms(10)));
            left -= acked;
        }
        window += MTU;
    }
    // However much one frame acknowledges, the window grows by one datagram.
    let mut reno = NewReno::new(MTU);
    reno.on_congestion_event(at(1), Signal::Loss);
    reno.on_ack(&ack(at(2), 6_000, ms(10)));
    assert_eq!(reno.window(), 7_200);
}

#[test]
fn slow_start_ends_at_the_threshold() {
    let mut reno = NewReno::new(MTU);
    reno.on_congestion_event(at(1), Signal::Loss);
    reno.on_persistent_congestion();
    assert_eq!((reno.window(), reno.ssthresh()), (2_400, 6_000));
    reno.on_ack(&ack(at(2), 2_400, ms(10)));
    assert_eq!(reno.window(), 4_800);
    reno.on_ack(&ack(at(3), 4_800, ms(10)));
    assert_eq!(reno.window(), 6_000);
    // 3,600 of those bytes lay above the threshold and count as credit.
    reno.on_ack(&ack(at(4), 2_400, ms(10)));
    assert_eq!(reno.window(), 7_200);
}

#[test]
fn the_window_halves_down_to_two_datagrams() {
    // RFC 9002 7.3.2 #1 test, RFC 9002 7.3.2 #2 test
    let mut reno = NewReno::new(MTU);
    for expected in [6_000, 3_000, 2_400, 2_400] {
        reno.on_congestion_event(at(1), Signal::Loss);
        assert_eq!((reno.window(), reno.ssthresh()), (expected, expected));
    }
}
