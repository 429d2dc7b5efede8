// SPDX-License-Identifier: GPL-2.0

//! Acknowledging less often: what the peer asks of us, and what we ask of the peer.

use super::{
    ack::{
        at,
        check_rows,
        receive,
        tracker,
        Row, //
    },
    *,
};
use crate::{
    common::error::ErrorCode,
    recovery::{
        ack::{
            AckTracker,
            Frequency, //
        },
        freq::AckFrequency,
    },
};

const MTU: u64 = 1_200;

#[test]
fn a_request_follows_the_window_and_the_rtt() {
    // `(window in packets, RTT in ms, threshold, delay in ms)` of a peer whose least is 2 ms.
    let rows = [
        (80, 40, 10, 10),
        (80, 4, 10, 2),
        (16, 400, 2, 25),
        (10_000, 20, 32, 5),
    ];
    for (packets, rtt, threshold, delay) in rows {
        let frequency = AckFrequency::new(ms(2), ms(25));
        let request = frequency
            .poll(Instant::ZERO, packets * MTU, MTU, ms(rtt))
            .unwrap();
        assert_eq!(request.eliciting_threshold, threshold);
        assert_eq!(request.max_ack_delay, ms(delay));
        assert_eq!((request.sequence, request.reordering_threshold), (0, 3));
    }
    let frequency = AckFrequency::new(ms(2), ms(25));
    let small = frequency.poll(Instant::ZERO, 10 * MTU, MTU, ms(100));
    assert_eq!(small, None, "the peer's own rules will do");
}

#[test]
fn requests_are_rare_numbered_and_repeated_only_when_the_newest_is_lost() {
    let mut frequency = AckFrequency::new(ms(2), ms(25));
    let mut now = Instant::ZERO;
    let first = frequency.poll(now, 80 * MTU, MTU, ms(40)).unwrap();
    frequency.on_sent(now, first);
    assert_eq!(
        frequency.poll(now, 200 * MTU, MTU, ms(40)),
        None,
        "once in a round trip"
    );
    now = now.saturating_add(ms(40));
    assert_eq!(
        frequency.poll(now, 80 * MTU, MTU, ms(40)),
        None,
        "no change"
    );
    assert_eq!(
        frequency.poll(now, 90 * MTU, MTU, ms(44)),
        None,
        "a small change"
    );
    frequency.on_lost(first.sequence);
    let second = frequency.poll(now, 80 * MTU, MTU, ms(40)).unwrap();
    assert_eq!(second.sequence, 1);
    frequency.on_sent(now, second);
    frequency.on_acked(second.sequence);
    now = now.saturating_add(ms(40));
    frequency.on_lost(first.sequence);
    assert_eq!(frequency.poll(now, 80 * MTU, MTU, ms(40)), None);
}

#[test]
fn timers_reckon_with_the_largest_delay_in_flight() {
    let mut frequency = AckFrequency::new(ms(2), ms(25));
    assert_eq!(frequency.max_ack_delay(), ms(25));
    let shorter = frequency
        .poll(Instant::ZERO, 80 * MTU, MTU, ms(40))
        .unwrap();
    frequency.on_sent(Instant::ZERO, shorter);
    assert_eq!(
        frequency.max_ack_delay(),
        ms(25),
        "the old one may still be in use"
    );
    frequency.on_acked(shorter.sequence);
    assert_eq!(frequency.max_ack_delay(), ms(10));
    let now = Instant::ZERO.saturating_add(ms(100));
    let longer = frequency.poll(now, 80 * MTU, MTU, ms(80)).unwrap();
    frequency.on_sent(now, longer);
    assert_eq!(
        frequency.max_ack_delay(),
        ms(20),
        "the new one may be in use already"
    );
    frequency.on_lost(longer.sequence);
    assert_eq!(
        frequency.max_ack_delay(),
        ms(20),
        "or have arrived in spite of the loss"
    );
}

fn frequency(threshold: u64, reordering: u64) -> Frequency {
    Frequency {
        eliciting_threshold: threshold,
        max_ack_delay: ms(100),
        reordering_threshold: reordering,
    }
}

fn with_frequency(threshold: u64, reordering: u64) -> AckTracker {
    let mut tracker = tracker();
    let newer = tracker.on_ack_frequency(0, frequency(threshold, reordering), ms(1));
    assert_eq!(newer, Ok(true));
    tracker
}

/// The two tables of the extension: `(received packet, acknowledgement sent)`.
#[test]
fn reordering_is_reported_as_in_the_examples_of_the_extension() {
    let three: &[(u64, bool)] = &[
        (0, false),
        (1, false),
        (3, false),
        (4, false),
        (5, true),
        (8, false),
        (9, true),
        (10, true),
    ];
    let five: &[(u64, bool)] = &[
        (0, false),
        (1, false),
        (3, false),
        (5, false),
        (6, false),
        (7, true),
        (8, false),
        (9, true),
    ];
    for (threshold, rows) in [(3, three), (5, five)] {
        let mut tracker = with_frequency(1_000, threshold);
        let rows: std::vec::Vec<Row> = rows
            .iter()
            .map(|(pn, due)| (*pn, true, Ecn::NotEct, *due))
            .collect();
        check_rows("example", &mut tracker, &rows);
    }
}

#[test]
fn the_extension_changes_thresholds_and_the_delay() {
    use Ecn::{
        Ce,
        NotEct, //
    };
    check_rows(
        "every packet",
        &mut with_frequency(0, 1),
        &[(0, true, NotEct, true), (1, true, NotEct, true)],
    );
    check_rows(
        "every fourth packet",
        &mut with_frequency(3, 1),
        &[
            (0, true, NotEct, false),
            (1, true, NotEct, false),
            (2, true, NotEct, false),
            (3, true, NotEct, true),
        ],
    );
    check_rows(
        "reordering is ignored",
        &mut with_frequency(9, 0),
        &[
            (0, true, NotEct, false),
            (5, true, NotEct, false),
            (3, true, NotEct, false),
        ],
    );
    check_rows(
        "only the change to CE",
        &mut with_frequency(9, 1),
        &[
            (0, true, NotEct, false),
            (1, true, Ce, true),
            (2, true, Ce, false),
            (3, true, NotEct, false),
            (4, true, Ce, true),
        ],
    );
    check_rows(
        "a packet already taken for lost",
        &mut with_frequency(2, 3),
        &[
            (0, true, NotEct, false),
            (2, true, NotEct, false),
            (9, true, NotEct, true),
            (6, true, NotEct, true),
        ],
    );
    let mut tracker = with_frequency(9, 1);
    receive(&mut tracker, 0, 10);
    assert_eq!(tracker.deadline(), Some(at(110)));
    tracker.on_immediate_ack();
    assert!(tracker.is_due(at(10)));
}

#[test]
fn requests_are_checked_and_old_ones_ignored() {
    let mut tracker = tracker();
    let with = |delay| Frequency {
        max_ack_delay: delay,
        ..frequency(5, 1)
    };
    for bad in [ms(1 << 14), Duration::MAX, ms(0)] {
        let error = tracker.on_ack_frequency(9, with(bad), ms(1)).unwrap_err();
        assert_eq!(error.code, ErrorCode::PROTOCOL_VIOLATION);
    }
    assert_eq!(tracker.on_ack_frequency(3, with(ms(50)), ms(1)), Ok(true));
    for sequence in [3, 2, 0] {
        let old = tracker.on_ack_frequency(sequence, with(ms(9)), ms(1));
        assert_eq!(old, Ok(false));
    }
    assert_eq!(tracker.frequency().max_ack_delay, ms(50));
    assert_eq!(tracker.on_ack_frequency(4, with(ms(7)), ms(1)), Ok(true));
    assert_eq!(tracker.frequency().max_ack_delay, ms(7));
}
