// SPDX-License-Identifier: GPL-2.0

//! Asking the peer to acknowledge less often.

use super::*;
use crate::recovery::freq::AckFrequency;

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
