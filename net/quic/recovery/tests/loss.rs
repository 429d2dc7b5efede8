// SPDX-License-Identifier: GPL-2.0

//! Packet and time thresholds, reordering, and losses that were none: RFC 9002 section 6.1.

use super::*;
use crate::recovery::sent::Kind;

#[test]
fn three_later_packets_make_one_lost() {
    // RFC 9002 6.1.1 #1 test, RFC 9002 6.1.1 #2 test, RFC 9002 7.4 #2 test
    for (acked, lost) in [(1, 0), (2, 0), (3, 1), (4, 2), (9, 7)] {
        let mut bed = Bed::confirmed();
        bed.send_many(10);
        bed.advance(ms(10));
        let summary = bed.ack_each(&[acked]);
        assert_eq!(summary.lost, lost, "after packet {acked}");
        assert!(bed.take(Fate::Lost).into_iter().eq(0..u64::from(lost)));
        assert_eq!(summary.is_congested, lost > 0);
    }
}

#[test]
fn a_number_left_out_does_not_count_as_a_later_packet() {
    let mut bed = Bed::confirmed();
    let pns = bed.send_many(60);
    let at = pns.windows(2).position(|w| w[1] == w[0] + 2).unwrap();
    // Two packets and a gap after `pns[at]`: three numbers, but two packets.
    bed.advance(ms(10));
    bed.ack(Space::Data, &[0..=pns[at - 1], pns[at + 2]..=pns[at + 2]])
        .unwrap();
    assert_eq!(bed.take(Fate::Lost), []);
    bed.ack_each(&[pns[at + 3]]);
    assert_eq!(bed.take(Fate::Lost), [pns[at]]);
}

#[test]
fn time_makes_a_packet_lost_and_a_timer_waits_for_it() {
    // RFC 9002 6.1.2 #1 test, RFC 9002 6.1.2 #3 test, RFC 9002 6.1.2 #4 test
    // RFC 9002 6.2.1 #6 test
    let mut bed = Bed::confirmed();
    bed.sample(ms(80));
    let sent = bed.now;
    let first = bed.send(Space::Data);
    let second = bed.send(Space::Data);
    bed.advance(ms(80));
    assert_eq!(bed.ack_each(&[second]).lost, 0);
    let due = sent.saturating_add(ms(90));
    assert_eq!(bed.deadline(), Some(due), "9/8 of 80 ms");
    bed.now = due.saturating_sub(Duration::from_nanos(1));
    assert_eq!(bed.timeout(), Timeout::None);
    bed.now = due;
    assert_eq!(bed.timeout(), Timeout::Loss);
    assert_eq!(bed.take(Fate::Lost), [first]);
    assert_eq!(bed.recovery.bytes_in_flight(), 0);
    assert_eq!(bed.deadline(), None);
}

#[test]
fn the_time_threshold_is_at_least_the_granularity() {
    // RFC 9002 6.1.2 #2 test, RFC 9002 6.1.2 #5 test
    let mut bed = Bed::confirmed();
    bed.sample(Duration::from_micros(50));
    let sent = bed.now;
    let pns = bed.send_many(2);
    bed.advance(Duration::from_micros(50));
    assert_eq!(bed.ack_each(&[pns[1]]).lost, 0);
    assert_eq!(bed.deadline(), Some(sent.saturating_add(ms(1))));
}

#[test]
fn a_late_packet_is_spurious_and_the_window_comes_back() {
    let mut bed = Bed::confirmed();
    bed.sample(ms(20));
    let window = bed.recovery.congestion().window();
    let pns = bed.send_many(8);
    bed.advance(ms(20));
    assert!(bed.ack_each(&pns[2..]).is_congested);
    assert_eq!(bed.take(Fate::Lost), &pns[..2]);
    assert!(bed.recovery.congestion().window() < window);
    let summary = bed.ack_each(&pns[..1]);
    assert_eq!((summary.spurious, summary.acked), (1, 0));
    assert!(
        bed.recovery.congestion().window() < window,
        "one is still missing"
    );
    bed.ack_each(&pns[..2]);
    assert_eq!(bed.take(Fate::Spurious), [pns[0], pns[1]]);
    assert!(
        bed.recovery.congestion().window() >= window,
        "the event was a mistake"
    );
    assert_eq!(bed.recovery.counters().spurious, 2);
}

#[test]
fn a_path_that_reorders_is_given_more_room() {
    let mut bed = Bed::confirmed();
    bed.sample(ms(20));
    let pns = bed.send_many(6);
    bed.advance(ms(20));
    bed.ack_each(&pns[1..]);
    bed.ack_each(&pns[..1]);
    assert_eq!(
        bed.take(Fate::Spurious),
        [pns[0]],
        "it was five packets late"
    );
    // The same again is no loss any more, by number or by time.
    let sent = bed.now;
    let pns = bed.send_many(6);
    bed.advance(ms(20));
    assert_eq!(bed.ack_each(&pns[1..]).lost, 0);
    assert_eq!(
        bed.deadline(),
        Some(sent.saturating_add(ms(25))),
        "5/4 of 20 ms"
    );
    bed.ack_each(&pns[..1]);
    assert_eq!(bed.take(Fate::Lost), []);
}

#[test]
fn an_old_loss_is_forgotten() {
    let mut bed = Bed::confirmed();
    bed.sample(ms(20));
    let pns = bed.send_many(5);
    bed.advance(ms(20));
    bed.ack_each(&pns[1..]);
    assert_eq!(bed.take(Fate::Lost), [pns[0]]);
    bed.advance(ms(1_000));
    let pn = bed.send(Space::Data);
    bed.advance(ms(20));
    bed.ack_each(&[pn]);
    let summary = bed.ack(Space::Data, &[0..=pn]).unwrap();
    assert_eq!((summary.acked, summary.spurious), (0, 0));
}

#[test]
fn packets_of_ack_frames_alone_are_bounded_and_set_no_timer() {
    let mut bed = Bed::confirmed();
    for _ in 0..10_000 {
        let quiet = SentPacket {
            ack_eliciting: false,
            in_flight: false,
            size: 40,
            ..bed.packet()
        };
        bed.send_packet(Space::Data, quiet);
    }
    let sent = &bed.recovery.spaces.get(Space::Data).sent;
    assert_eq!(sent.count(Kind::Outstanding), 64);
    assert_eq!(bed.recovery.bytes_in_flight(), 0);
    assert_eq!(bed.deadline(), None);
}

#[test]
fn the_loss_of_a_packet_of_ack_frames_is_not_congestion() {
    let mut bed = Bed::confirmed();
    let quiet = SentPacket {
        ack_eliciting: false,
        in_flight: false,
        ..bed.packet()
    };
    let lost = bed.send_packet(Space::Data, quiet);
    let pns = bed.send_many(3);
    bed.advance(ms(10));
    let summary = bed.ack_each(&pns);
    assert_eq!(bed.take(Fate::Lost), [lost]);
    assert!(!summary.is_congested);
}

#[test]
fn the_loss_of_an_mtu_probe_is_not_congestion() {
    // RFC 9000 14.4 #1 test
    let mut bed = Bed::confirmed();
    bed.sample(ms(20));
    let window = bed.recovery.congestion().window();
    let probe = SentPacket {
        mtu_probe: true,
        size: 1400,
        ..bed.packet()
    };
    let lost = bed.send_packet(Space::Data, probe);
    let pns = bed.send_many(3);
    bed.advance(ms(20));
    assert!(!bed.ack_each(&pns).is_congested);
    assert_eq!(bed.take(Fate::Lost), [lost]);
    assert!(bed.recovery.congestion().window() >= window);
    assert_eq!(bed.recovery.bytes_in_flight(), 0);
}

#[test]
fn many_tiny_ranges_take_bounded_time() {
    // Ten thousand packets, every other one acknowledged, again and again: the frames newly
    // acknowledge nothing after the first round, and must then cost next to nothing.
    let mut bed = Bed::confirmed();
    let pns = bed.send_many(10_000);
    let every_other: std::vec::Vec<_> = pns.iter().copied().step_by(2).collect();
    let start = std::time::Instant::now();
    for _ in 0..20 {
        for part in every_other.chunks(500) {
            bed.ack_each(part);
        }
    }
    assert_eq!(bed.recovery.counters().acked, 5_000);
    let took = start.elapsed();
    assert!(took.as_secs() < 5, "took {took:?}");
}
