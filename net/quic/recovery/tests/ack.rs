// SPDX-License-Identifier: GPL-2.0

//! The receiving half: duplicates, bounds, and when an acknowledgement is due.

use super::*;
use crate::{
    mem::fail,
    recovery::ack::{
        AckTracker,
        Received, //
    },
};
use proptest::prelude::*;
use std::collections::BTreeSet;

const DELAY: Duration = Duration::from_millis(25);

pub(super) fn tracker() -> AckTracker {
    AckTracker::new(Space::Data, DELAY)
}

pub(super) fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

/// Receives an ack-eliciting packet without a mark.
pub(super) fn receive(tracker: &mut AckTracker, pn: u64, millis: u64) {
    let received = tracker.on_received(pn, Ecn::NotEct, true, at(millis));
    assert_eq!(received, Received::New);
}

/// Rows of `(packet number, eliciting, mark, due at once)`, received in this order 1 ms apart;
/// an ACK frame is sent whenever one is due.
pub(super) type Row = (u64, bool, Ecn, bool);

pub(super) fn check_rows(name: &str, tracker: &mut AckTracker, rows: &[Row]) {
    for (i, (pn, eliciting, ecn, due)) in rows.iter().enumerate() {
        let now = at(1_000 + i as u64);
        let received = tracker.on_received(*pn, *ecn, *eliciting, now);
        assert_eq!(received, Received::New, "{name} row {i}");
        assert_eq!(tracker.is_due(now), *due, "{name} row {i}");
        if *due {
            tracker.on_ack_sent();
            assert!(!tracker.is_due(now) && tracker.deadline().is_none());
        }
    }
}

#[test]
fn an_acknowledgement_is_due_as_rfc_9000_says() {
    // RFC 9000 13.2.1 #8 test, RFC 9000 13.2.1 #9 test, RFC 9000 13.2.1 #4 test
    // RFC 9000 13.2.2 #1 test, RFC 9000 13.2.3 #1 test
    use Ecn::{
        Ce,
        Ect0,
        NotEct, //
    };
    let rows: &[(&str, &[Row])] = &[
        (
            "every other packet",
            &[
                (0, true, NotEct, false),
                (1, true, NotEct, true),
                (2, true, NotEct, false),
                (3, true, NotEct, true),
            ],
        ),
        (
            "packets of ACK frames do not count",
            &[
                (0, false, NotEct, false),
                (1, true, NotEct, false),
                (2, false, NotEct, false),
                (3, false, NotEct, false),
                (4, true, NotEct, true),
                (9, false, NotEct, false),
            ],
        ),
        (
            "a gap before an eliciting packet",
            &[
                (0, true, NotEct, false),
                (1, true, NotEct, true),
                (3, true, NotEct, true),
                (4, true, NotEct, false),
            ],
        ),
        (
            "a packet that fills a gap",
            &[
                (0, true, NotEct, false),
                (2, true, NotEct, true),
                (1, true, NotEct, true),
                (3, true, NotEct, false),
            ],
        ),
        (
            "no gap if packets of ACK frames lie between",
            &[
                (0, true, NotEct, false),
                (1, true, NotEct, true),
                (2, false, NotEct, false),
                (3, true, NotEct, false),
            ],
        ),
        (
            "congestion experienced",
            &[
                (0, true, Ce, true),
                (1, true, Ect0, false),
                (2, true, Ce, true),
                (3, true, Ce, true),
                (4, false, Ce, false),
            ],
        ),
    ];
    for (name, rows) in rows {
        check_rows(name, &mut tracker(), rows);
    }
}

#[test]
fn handshake_packets_are_acknowledged_at_once() {
    // RFC 9000 13.2.1 #2 test
    for space in [Space::Initial, Space::Handshake] {
        let mut tracker = AckTracker::new(space, DELAY);
        receive(&mut tracker, 0, 5);
        assert!(tracker.is_due(at(5)));
        assert_eq!(tracker.deadline(), Some(Instant::ZERO));
    }
}

#[test]
fn the_delay_counts_from_the_first_packet_that_waits() {
    // RFC 9000 13.2.1 #1 test, RFC 9000 13.2.1 #3 test, RFC 9000 13.2.1 #5 test
    let mut tracker = tracker();
    assert_eq!(tracker.deadline(), None);
    receive(&mut tracker, 0, 100);
    assert_eq!(tracker.deadline(), Some(at(125)));
    assert!(!tracker.is_due(at(124)) && tracker.is_due(at(125)));
    assert!(tracker.is_useful());
    assert_eq!(tracker.ack_delay(at(125)), DELAY);
    tracker.on_ack_sent();
    assert_eq!(tracker.deadline(), None);
    assert!(
        !tracker.is_due(at(10_000)),
        "not without another eliciting packet"
    );
    assert!(!tracker.is_useful());
}

#[test]
fn the_reported_delay_is_that_of_the_largest_packet() {
    // RFC 9000 13.2.5 #1 test, RFC 9000 13.2.5 #3 test
    let mut tracker = tracker();
    receive(&mut tracker, 5, 100);
    receive(&mut tracker, 3, 150);
    assert_eq!(tracker.ack_delay(at(160)), ms(60));
}

#[test]
fn marks_are_counted_once_for_each_packet() {
    // RFC 9000 13.4.1 #1 test
    let mut tracker = tracker();
    assert_eq!(tracker.ecn_counts(), None);
    let marks = [Ecn::Ect0, Ecn::Ect0, Ecn::Ect1, Ecn::Ce, Ecn::NotEct];
    for (pn, mark) in marks.into_iter().enumerate() {
        assert_eq!(Ecn::from_bits(0xfc | mark as u8), mark);
        for expected in [Received::New, Received::Duplicate] {
            let received = tracker.on_received(pn as u64, mark, false, at(1));
            assert_eq!(received, expected);
        }
    }
    let counts = EcnCounts {
        ect0: 2,
        ect1: 1,
        ce: 1,
    };
    assert_eq!(tracker.ecn_counts(), Some(counts));
}

#[test]
fn acknowledged_ranges_are_forgotten_but_not_received_again() {
    // RFC 9000 13.2.3 #2 test, RFC 9000 13.2.3 #4 test, RFC 9000 13.2.3 #5 test
    // RFC 9000 13.2.3 #6 test
    let mut tracker = tracker();
    for pn in (0..4_000).step_by(40) {
        receive(&mut tracker, pn, pn);
    }
    assert_eq!(tracker.ranges().len(), 100);
    tracker.on_ack_acked(3_960);
    assert!(
        tracker.ranges().len() <= 27,
        "the slack for reordering remains"
    );
    assert_eq!(tracker.largest(), Some(3_960));
    for pn in 0..2_900 {
        assert!(tracker.is_duplicate(pn));
        let received = tracker.on_received(pn, Ecn::NotEct, true, at(1));
        assert_eq!(received, Received::Duplicate);
    }
    assert!(
        !tracker.is_duplicate(3_955),
        "a late packet within the slack is new"
    );
    // What the peer cannot know of does no harm.
    tracker.on_ack_acked(u64::MAX);
    assert!(tracker.ranges().contains(3_960));
}

/// First number and end of each range that an ACK frame has.
fn unknown(tracker: &AckTracker) -> std::vec::Vec<[u64; 2]> {
    let ranges = tracker.unknown().iter();
    ranges.map(|range| [range.start, range.end]).collect()
}

#[test]
fn ack_frames_leave_out_what_the_peer_knows_to_have_arrived() {
    // RFC 9000 13.2.3 #2 test, RFC 9000 13.2.3 #4 test, RFC 9000 13.2.3 #6 test
    let mut tracker = tracker();
    for pn in [0, 1, 2, 10, 11, 20] {
        receive(&mut tracker, pn, pn);
    }
    assert_eq!(unknown(&tracker), [[0, 3], [10, 12], [20, 21]]);
    tracker.on_ack_acked(11);
    assert_eq!(unknown(&tracker), [[10, 12], [20, 21]]);
    tracker.on_ack_acked(20);
    assert_eq!(unknown(&tracker), [[20, 21]], "the largest stays");
    tracker.on_ack_acked(2);
    assert_eq!(unknown(&tracker), [[20, 21]]);
    receive(&mut tracker, 21, 21);
    assert_eq!(unknown(&tracker), [[20, 22]]);
}

#[test]
fn a_late_packet_is_acknowledged_until_the_peer_knows() {
    // RFC 9000 13.2.3 #2 test
    let mut tracker = tracker();
    for pn in [0, 1, 2, 4, 5] {
        receive(&mut tracker, pn, pn);
    }
    tracker.on_ack_acked(4);
    assert_eq!(unknown(&tracker), [[4, 6]]);
    receive(&mut tracker, 3, 6);
    assert_eq!(unknown(&tracker), [[0, 6]]);
    receive(&mut tracker, 9, 7);
    // This frame may have left before the late packet came.
    tracker.on_ack_acked(5);
    assert_eq!(unknown(&tracker), [[0, 6], [9, 10]]);
    tracker.on_ack_acked(9);
    assert_eq!(unknown(&tracker), [[9, 10]]);
}

#[test]
fn long_ack_frames_ask_for_an_answer_now_and_then() {
    // RFC 9000 13.2.1 #7 test
    let mut tracker = tracker();
    let mut pings = std::vec::Vec::new();
    for nth in 0..100u64 {
        // Every third packet is lost.
        receive(&mut tracker, nth * 3, nth);
        receive(&mut tracker, nth * 3 + 1, nth);
        assert!(tracker.is_due(at(nth)));
        tracker.on_ack_sent();
        if tracker.take_ping() {
            pings.push(nth);
        }
        if nth == 70 {
            tracker.on_ack_acked(nth * 3);
        }
    }
    assert_eq!(pings, [15, 31, 47, 63, 86]);
    // Without gaps there is nothing to be gained.
    let mut tracker = AckTracker::new(Space::Data, DELAY);
    for pn in 0..1_000 {
        receive(&mut tracker, pn, pn);
        tracker.on_ack_sent();
        assert!(!tracker.take_ping());
    }
}

#[test]
fn ranges_are_bounded_and_old_numbers_count_as_received() {
    // RFC 9000 12.3 #4 test
    let mut tracker = tracker();
    for pn in (0..2_000).step_by(2) {
        receive(&mut tracker, pn, 1);
        assert!(tracker.ranges().len() <= 256);
    }
    assert!(tracker.is_duplicate(0) && tracker.is_duplicate(1));
    assert!(!tracker.is_duplicate(1_999) && tracker.is_duplicate(1_998));
    let lowest = tracker.ranges().min().unwrap();
    assert!(tracker.is_duplicate(lowest - 1), "too old to be told");
    assert!(!tracker.is_duplicate(lowest + 1));
}

#[test]
fn without_memory_no_packet_is_processed_twice() {
    for nr in 0..6 {
        let mut tracker = tracker();
        let mut seen = BTreeSet::new();
        fail::all_after(nr);
        for pn in (0..400).step_by(3).chain((0..400).rev()) {
            let received = tracker.on_received(pn, Ecn::NotEct, true, at(1));
            if received == Received::New {
                assert!(seen.insert(pn), "{pn} twice");
            }
            assert!(tracker.is_duplicate(pn));
        }
        fail::off();
        assert!(!seen.is_empty());
    }
}

proptest! {
    #![proptest_config(crate::common::test_config(200))]

    #[test]
    fn no_packet_is_new_twice_and_the_ranges_hold_only_what_came(
        pns in proptest::collection::vec(0..900u64, 1..600),
        acked in proptest::collection::vec(0..900u64, 0..5),
    ) {
        let mut tracker = tracker();
        let mut seen = BTreeSet::new();
        let mut acked = acked.into_iter();
        for (i, pn) in pns.into_iter().enumerate() {
            if tracker.on_received(pn, Ecn::NotEct, true, at(1)) == Received::New {
                prop_assert!(seen.insert(pn));
            }
            if i % 100 == 99 {
                if let Some(largest) = acked.next() {
                    tracker.on_ack_acked(largest);
                }
            }
            prop_assert_eq!(tracker.largest(), seen.last().copied());
            prop_assert!(tracker.ranges().iter().flatten().all(|pn| seen.contains(&pn)));
            prop_assert!(tracker.ranges().contains(*seen.last().unwrap()));
        }
    }

    #[test]
    fn every_packet_is_mentioned_until_an_ack_frame_with_it_is_acknowledged(
        steps in proptest::collection::vec((0..300u64, 0..4u8, 0..8usize), 1..300),
    ) {
        let mut tracker = tracker();
        let (mut unknown, mut frames) = (BTreeSet::new(), std::vec::Vec::new());
        for (pn, what, which) in steps {
            match what {
                0 | 1 => {
                    if tracker.on_received(pn, Ecn::NotEct, true, at(1)) == Received::New {
                        unknown.insert(pn);
                    }
                }
                2 => {
                    if let Some(largest) = tracker.largest() {
                        let said: BTreeSet<_> = tracker.unknown().iter().cloned().flatten().collect();
                        prop_assert!(said.contains(&largest));
                        frames.push((largest, said));
                        tracker.on_ack_sent();
                    }
                }
                // Frames are acknowledged in any order, or never.
                _ if frames.is_empty() => {}
                _ => {
                    let (largest, said) = frames.swap_remove(which % frames.len());
                    tracker.on_ack_acked(largest);
                    unknown.retain(|pn| !said.contains(pn));
                }
            }
            let said: BTreeSet<_> = tracker.unknown().iter().cloned().flatten().collect();
            prop_assert!(unknown.is_subset(&said));
        }
    }
}
