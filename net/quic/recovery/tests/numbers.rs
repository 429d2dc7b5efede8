// SPDX-License-Identifier: GPL-2.0

//! Packet numbers, those left out, and acknowledgements of what was never sent.

use super::*;
use crate::recovery::sent::Kind;
use crate::{
    common::error::ErrorCode,
    mem::fail, //
};

/// Sends `count` packets and returns those numbers that were left out.
fn gaps(bed: &mut Bed, count: usize) -> std::vec::Vec<u64> {
    let pns = bed.send_many(count);
    let first = pns[0];
    let last = pns[count - 1];
    (first..last).filter(|pn| !pns.contains(pn)).collect()
}

#[test]
fn numbers_ascend_and_are_not_given_out_twice() {
    // RFC 9000 12.3 #1 test, RFC 9000 12.3 #2 test
    let mut bed = Bed::confirmed();
    let pns = bed.send_many(500);
    assert!(pns.windows(2).all(|w| w[0] < w[1] && w[1] - w[0] <= 2));
    for space in [Space::Initial, Space::Handshake] {
        let pns: std::vec::Vec<_> = (0..100).map(|_| bed.send(space)).collect();
        assert!(pns.into_iter().eq(0..100), "no gaps in {space:?}");
    }
}

#[test]
fn an_answer_stays_the_same_until_it_is_used() {
    let mut bed = Bed::confirmed();
    for _ in 0..200 {
        let mut rng = Lcg(3);
        let first = bed.recovery.next_packet_number(Space::Data, &mut rng);
        let again = bed.recovery.next_packet_number(Space::Data, &mut rng);
        assert_eq!(first, again);
        assert_eq!(Ok(bed.send(Space::Data)), first);
    }
}

#[test]
fn acknowledging_a_number_left_out_is_a_violation() {
    // RFC 9000 21.4 #1 test
    let mut bed = Bed::confirmed();
    let gap = gaps(&mut bed, 60)[0];
    for range in [gap..=gap, 0..=gap, gap..=59, 0..=59] {
        let error = bed.ack(Space::Data, &[range]).unwrap_err();
        assert_eq!(error.code, ErrorCode::PROTOCOL_VIOLATION);
    }
    assert!(bed.fates.is_empty(), "nothing changed");
    let honest = bed.ack(Space::Data, &[0..=gap - 1, gap + 1..=59]).unwrap();
    assert_eq!(honest.acked, 59);
}

#[test]
fn acknowledging_a_number_not_sent_yet_is_a_violation() {
    // RFC 9000 13.1 #2 test
    let mut bed = Bed::confirmed();
    for space in Space::ALL {
        let error = bed.ack(space, &[0..=0]).unwrap_err();
        assert_eq!(error.code, ErrorCode::PROTOCOL_VIOLATION, "{space:?}");
        let pn = bed.send(space);
        let error = bed.ack(space, &[pn..=pn + 1]).unwrap_err();
        assert_eq!(error.code, ErrorCode::PROTOCOL_VIOLATION, "{space:?}");
        assert!(bed.fates.is_empty());
        assert_eq!(bed.ack(space, &[pn..=pn]).unwrap().acked, 1);
        bed.fates.clear();
    }
}

#[test]
fn the_gap_grows_with_the_window_and_every_window_has_one() {
    for window in [1u64, 64, 500, 10_000] {
        let mut numbers = crate::recovery::numbers::Numbers::new();
        let mut rng = Lcg(window);
        let mut gaps = std::vec::Vec::new();
        for _ in 0..window * 40 + 4_000 {
            let before = numbers.next();
            let pn = numbers.choose(&mut rng, window).unwrap();
            if pn > before {
                gaps.push(before);
            }
            numbers.on_sent(pn);
        }
        assert!(gaps[0] <= 32, "the first one comes early");
        let period = window.max(64);
        for pair in gaps.windows(2) {
            let distance = pair[1] - pair[0];
            assert!(
                (period..=2 * period + 1).contains(&distance),
                "{window}: {distance}"
            );
        }
        // Those of the last windows are remembered.
        for gap in gaps.iter().rev().take(8) {
            assert!(numbers.is_skipped_in(*gap, *gap));
            assert!(!numbers.is_skipped_in(gap + 1, gap + period / 2));
        }
    }
}

#[test]
fn the_end_of_the_space_is_an_error() {
    // RFC 9000 12.3 #3 test
    let mut bed = Bed::confirmed();
    let last = (1 << 62) - 2;
    bed.recovery
        .spaces
        .get_mut(Space::Initial)
        .numbers
        .on_sent(last - 1);
    assert_eq!(bed.send(Space::Initial), last);
    let next = bed.recovery.next_packet_number(Space::Initial, &mut Lcg(1));
    assert_eq!(next, Err(NumberError::Exhausted));
}

#[test]
fn without_memory_no_number_is_given_out_and_nothing_is_lost() {
    let mut bed = Bed::confirmed();
    for attempt in 0..100 {
        let mut rng = Lcg(9);
        fail::all_after(0);
        let starved = bed.recovery.next_packet_number(Space::Data, &mut rng);
        fail::off();
        let fed = bed
            .recovery
            .next_packet_number(Space::Data, &mut rng)
            .unwrap();
        if let Ok(pn) = starved {
            assert_eq!(pn, fed, "{attempt}");
        }
        // With a number in hand, sending needs no memory.
        let packet = bed.packet();
        fail::all_after(0);
        bed.recovery.on_sent(Space::Data, fed, packet);
        fail::off();
        let sent = &bed.recovery.spaces.get(Space::Data).sent;
        assert_eq!(sent.count(Kind::Outstanding), attempt + 1);
    }
}
