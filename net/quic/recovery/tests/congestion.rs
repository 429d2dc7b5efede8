// SPDX-License-Identifier: GPL-2.0

//! Window, flight, recovery periods, application limit and pacing as recovery combines them.

use super::*;

const MTU: u64 = SIZE as u64;

#[test]
fn the_window_bounds_the_flight() {
    // RFC 9002 7 #3 test, RFC 9002 7.5 #2 test
    let mut bed = Bed::confirmed();
    for sent in 0..10 {
        assert_eq!(bed.recovery.window(), (10 - sent) * MTU);
        assert!(bed.recovery.can_send(MTU));
        bed.send(Space::Data);
    }
    assert!(!bed.recovery.can_send(1));
    bed.send(Space::Data);
    assert_eq!(
        bed.recovery.bytes_in_flight(),
        11 * MTU,
        "a probe counts all the same"
    );
    assert_eq!(bed.recovery.window(), 0);
}

#[test]
fn entering_recovery_lets_one_packet_go() {
    let mut bed = Bed::confirmed();
    bed.sample(ms(50));
    bed.advance(ms(1));
    let pns = bed.send_many(11);
    bed.advance(ms(50));
    assert!(bed.ack_each(&pns[3..4]).is_congested);
    assert!(bed.recovery.bytes_in_flight() > bed.recovery.congestion().window());
    assert_eq!(bed.recovery.window(), MTU);
    bed.send(Space::Data);
    assert_eq!(bed.recovery.window(), 0);
}

#[test]
fn a_recovery_period_ends_with_a_packet_sent_after_its_start() {
    // RFC 9002 7.3.2 #1 test, RFC 9002 7.3.2 #2 test, RFC 9000 13.3 #7 test
    let mut bed = Bed::confirmed();
    bed.sample(ms(50));
    bed.advance(ms(1));
    let pns = bed.send_many(11);
    let before = bed.recovery.congestion().window();
    bed.advance(ms(50));
    bed.ack_each(&pns[3..4]);
    let half = before / 2;
    assert_eq!(bed.recovery.congestion().window(), half);
    assert_eq!(bed.recovery.congestion().ssthresh(), half);
    // Another loss of the same flight and further acknowledgements change nothing.
    bed.ack_each(&pns[8..9]);
    bed.ack_each(&pns[9..]);
    assert_eq!(bed.take(Fate::Lost).len(), 7);
    assert_eq!(bed.recovery.congestion().window(), half);
    assert_eq!(bed.recovery.congestion().events(), 1);
    // A window's worth of packets sent later grows the window by one.
    bed.advance(ms(1));
    let count = (half / MTU) as usize + 1;
    let pns = bed.send_many(count);
    bed.advance(ms(50));
    bed.ack_each(&pns);
    assert_eq!(bed.recovery.congestion().window(), half + MTU);
}

#[test]
fn a_window_that_is_not_used_does_not_grow() {
    // RFC 9002 7.8 #1 test
    let mut bed = Bed::confirmed();
    bed.sample(ms(20));
    bed.advance(ms(500));
    let window = bed.recovery.congestion().window();
    for _ in 0..20 {
        let pns = bed.send_many(9);
        bed.recovery.on_app_limited();
        bed.advance(ms(20));
        bed.ack_each(&pns);
    }
    assert_eq!(bed.recovery.congestion().window(), window);
    // Packets sent while the window was full count even if the application has paused since.
    let pns = bed.send_many(10);
    bed.recovery.on_app_limited();
    bed.advance(ms(20));
    bed.ack_each(&pns);
    assert_eq!(bed.recovery.congestion().window(), 2 * window);
}

#[test]
fn a_sender_that_waits_for_its_pacing_uses_the_window() {
    // RFC 9002 7.8 #2 test
    let mut bed = Bed::confirmed();
    bed.sample(ms(100));
    let pns = bed.send_many(10);
    bed.advance(ms(100));
    bed.ack_each(&pns);
    let window = bed.recovery.congestion().window();
    assert_eq!(window, 20 * MTU);
    bed.advance(ms(500));
    // Twelve packets, of which pacing lets ten go at once: the window is not full, but more than
    // half of it is in flight.
    let mut pns = bed.send_many(10);
    while pns.len() < 12 {
        bed.now = bed.recovery.pacing_earliest(bed.now, MTU).max(bed.now);
        pns.push(bed.send(Space::Data));
    }
    bed.advance(ms(100));
    bed.ack_each(&pns);
    assert_eq!(bed.recovery.congestion().window(), window + 12 * MTU);
}

#[test]
fn pacing_spreads_a_window_over_the_round_trip() {
    // RFC 9002 7.7 #1 test, RFC 9002 7.7 #2 test, RFC 9002 7.7 #3 test
    let mut bed = Bed::confirmed();
    bed.sample(ms(100));
    // Grow the window to 10 * 2^4 packets.
    while bed.recovery.congestion().window() < 160 * MTU {
        bed.advance(ms(1));
        let count = (bed.recovery.window() / MTU) as usize;
        let pns = bed.send_many(count);
        bed.advance(ms(100));
        bed.ack_each(&pns);
    }
    bed.advance(ms(1_000));
    let burst = crate::cong::initial_window(MTU).max(bed.recovery.pacing_rate() / 1_000);
    assert!(bed.recovery.pacer.budget(bed.now).abs_diff(burst) <= 1);
    let start = bed.now;
    while bed.recovery.can_send(MTU) {
        let earliest = bed.recovery.pacing_earliest(bed.now, MTU);
        bed.now = bed.now.max(earliest);
        bed.send(Space::Data);
    }
    // Slow start paces at twice the window in a round trip; the burst goes at once.
    let took = bed.now.since(start).as_millis();
    assert!((44..=50).contains(&took), "{took} ms");
}

#[test]
fn what_was_lost_on_the_path_left_takes_nothing_back_on_the_new_one() {
    // RFC 9000 9.4 #1 test
    let mut bed = Bed::confirmed();
    bed.sample(ms(50));
    bed.advance(ms(1));
    let old = bed.send_many(4);
    bed.advance(ms(50));
    assert_eq!(bed.ack_each(&old[3..]).lost, 1);
    bed.recovery.reset_for_path(1, SIZE, Some(ms(50)));
    let mut new = vec![];
    for _ in 0..4 {
        let packet = SentPacket {
            path: 1,
            ..bed.packet()
        };
        new.push(bed.send_packet(Space::Data, packet));
    }
    let before = bed.recovery.congestion().window();
    bed.advance(ms(50));
    // Of the new path one is lost, of the old one the rest.
    let summary = bed.ack_each(&new[3..]);
    assert!(summary.is_congested);
    assert_eq!(summary.lost, 3);
    let half = bed.recovery.congestion().window();
    assert!(half < before);
    // That of the old path was only late.
    assert_eq!(bed.ack_each(&old[..1]).spurious, 1);
    assert_eq!(bed.recovery.congestion().window(), half);
    // One of the new path takes its event back.
    assert_eq!(bed.ack_each(&new[..1]).spurious, 1);
    assert!(bed.recovery.congestion().window() >= before);
}
