// SPDX-License-Identifier: GPL-2.0

//! RTT estimation by table: RFC 9002 section 5.

use super::*;

/// `(sample, ack delay, smoothed, var, min)` in milliseconds times 1000, as RFC 9002 5.3 gives
/// them when calculated by hand.
#[test]
fn estimates_follow_the_formulas_of_the_rfc() {
    // RFC 9002 5.2 #1 test, RFC 9002 5.2 #2 test, RFC 9002 5.3 #6 test
    let rows = [
        // The first sample is taken as it is; the delay is ignored.
        (100_000, 30_000, 100_000, 50_000, 100_000),
        // 100 + delay 10: adjusted 90 would be below min_rtt, so the sample is not adjusted.
        (100_000, 10_000, 100_000, 37_500, 100_000),
        // Adjusted to 120: var = 3/4 * 37.5 + 1/4 * 20, smoothed = 7/8 * 100 + 1/8 * 120.
        (140_000, 20_000, 102_500, 33_125, 100_000),
        // A new minimum ignores the delay.
        (60_000, 5_000, 97_187, 35_468, 60_000),
        // Adjusted exactly to min_rtt is still adjusted.
        (70_000, 10_000, 92_539, 35_898, 60_000),
        // A delay larger than the sample itself.
        (61_000, 70_000, 88_597, 34_809, 60_000),
    ];
    let mut rtt = Rtt::new(crate::recovery::rtt::INITIAL_RTT);
    assert_eq!(
        (rtt.smoothed(), rtt.var()),
        (ms(333), Duration::from_micros(166_500))
    );
    for (i, (sample, delay, smoothed, var, min)) in rows.into_iter().enumerate() {
        let now = Instant::from_nanos(i as u64);
        let micros = Duration::from_micros;
        rtt.update(now, micros(sample), micros(delay));
        let close = |a: Duration, b: u64| a.as_micros().abs_diff(b) <= 1;
        assert!(close(rtt.smoothed(), smoothed), "{i}: {:?}", rtt.smoothed());
        assert!(close(rtt.var(), var), "{i}: {:?}", rtt.var());
        assert_eq!(rtt.min(), micros(min), "{i}");
        assert_eq!(rtt.latest(), micros(sample), "{i}");
    }
    assert_eq!(rtt.first_sample(), Some(Instant::ZERO));
}

#[test]
fn a_sample_needs_the_largest_packet_newly_and_something_eliciting() {
    // RFC 9002 5.1 #1 test, RFC 9002 5.1 #2 test
    let mut bed = Bed::confirmed();
    let quiet = SentPacket {
        ack_eliciting: false,
        in_flight: false,
        ..bed.packet()
    };
    let pn = bed.send_packet(Space::Data, quiet);
    bed.advance(ms(10));
    bed.ack_each(&[pn]);
    assert_eq!(
        bed.recovery.rtt().first_sample(),
        None,
        "only an ACK was acknowledged"
    );

    let pns = bed.send_many(3);
    bed.advance(ms(20));
    bed.ack_each(&[pns[2]]);
    assert_eq!(bed.recovery.rtt().latest(), ms(20));
    bed.advance(ms(5));
    bed.ack_each(&[pns[1], pns[2]]);
    assert_eq!(
        bed.recovery.rtt().latest(),
        ms(20),
        "the largest is not newly acknowledged"
    );
}

/// What is taken off the sample: `(space, confirmed, raw ACK delay, expected)`, where the peer's
/// exponent is 3 and its max_ack_delay is 25 ms.
#[test]
fn the_ack_delay_is_limited_only_after_confirmation() {
    // RFC 9002 5.3 #1 test, RFC 9002 5.3 #3 test, RFC 9002 5.3 #4 test, RFC 9002 5.3 #5 test
    let rows = [
        (Space::Initial, false, 1_250, ms(0)),
        (Space::Handshake, false, 1_250, ms(10)),
        (Space::Data, false, 1_250, ms(10)),
        (Space::Data, false, 5_000, ms(40)),
        (Space::Data, true, 1_250, ms(10)),
        (Space::Data, true, 5_000, ms(25)),
        (Space::Data, true, u64::MAX >> 2, ms(25)),
    ];
    for (space, confirmed, raw, expected) in rows {
        let mut bed = Bed::new(config(Side::Server));
        if confirmed {
            bed.recovery.on_handshake_confirmed();
        }
        let first = bed.send(space);
        bed.advance(ms(100));
        bed.ack(space, &[first..=first]).unwrap();
        let second = bed.send(space);
        bed.advance(ms(180));
        bed.delay = raw;
        bed.ack(space, &[second..=second]).unwrap();
        // smoothed = 7/8 * 100 + 1/8 * (180 - delay)
        let eighth = (180_000 - expected.as_micros()) / 8;
        let smoothed = bed.recovery.rtt().smoothed().as_micros();
        assert!(
            smoothed.abs_diff(87_500 + eighth) <= 1,
            "{space:?} {confirmed} {raw}"
        );
    }
}

// RFC 9002 5.3 #7 test
#[test]
fn the_time_that_an_acknowledgement_waits_for_keys_is_no_part_of_the_round_trip() {
    let mut bed = Bed::new(config(Side::Client));
    let pn = bed.send(Space::Handshake);
    bed.advance(ms(90));
    bed.held = ms(50);
    bed.ack(Space::Handshake, &[pn..=pn]).unwrap();
    assert_eq!(bed.recovery.rtt().latest(), ms(40));
    assert_eq!(bed.recovery.rtt().smoothed(), ms(40));
}

#[test]
fn extreme_values_do_not_overflow() {
    let mut rtt = Rtt::new(Duration::MAX);
    rtt.update(Instant::ZERO, Duration::MAX, Duration::MAX);
    rtt.update(Instant::ZERO, Duration::MAX, Duration::ZERO);
    assert_eq!(rtt.pto_base(), Duration::MAX);
    rtt.update(Instant::ZERO, Duration::ZERO, Duration::MAX);
    assert_eq!(rtt.min(), Duration::ZERO);
}
