// SPDX-License-Identifier: GPL-2.0

//! The probe timeout by table and by scenario: RFC 9002 section 6.2.

use super::*;

/// PTO of an RTT of 100 ms after one sample: 100 + 4 * 50.
const BASE: Duration = ms_const(300);

const fn ms_const(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn later(bed: &Bed, span: Duration) -> Option<Instant> {
    Some(bed.now.saturating_add(span))
}

#[test]
fn the_period_follows_the_space_and_the_state() {
    // RFC 9002 6.2.1 #1 test, RFC 9002 6.2.1 #3 test
    let rows = [
        (Space::Initial, false, Some(BASE)),
        (Space::Handshake, false, Some(BASE)),
        // Not before the handshake is confirmed, and then with max_ack_delay.
        (Space::Data, false, None),
        (Space::Data, true, Some(BASE.saturating_add(ms(25)))),
    ];
    for (space, confirmed, expected) in rows {
        let mut bed = Bed::new(config(Side::Server));
        bed.sample(ms(100));
        if confirmed {
            bed.recovery.on_handshake_confirmed();
        }
        bed.send(space);
        let deadline = expected.map(|span| bed.now.saturating_add(span));
        assert_eq!(bed.deadline(), deadline, "{space:?} {confirmed}");
    }
    let mut bed = Bed::confirmed();
    bed.recovery.set_peer_ack_params(3, Duration::ZERO);
    bed.sample(Duration::from_micros(10));
    bed.send(Space::Data);
    let floor = Duration::from_micros(1_010);
    assert_eq!(
        bed.deadline(),
        later(&bed, floor),
        "4 * rttvar is at least the granularity"
    );
}

#[test]
fn the_period_doubles_with_each_timeout_and_an_ack_resets_it() {
    // RFC 9002 6.2.1 #5 test, RFC 9002 6.2 #1 test, RFC 9002 6.2.4 #1 test
    let mut bed = Bed::confirmed();
    bed.sample(ms(100));
    let period = BASE.saturating_add(ms(25));
    let mut pn = bed.send(Space::Data);
    for exponent in 0..6 {
        assert_eq!(bed.deadline(), later(&bed, period.saturating_shl(exponent)));
        let probe = Timeout::Probe {
            space: Space::Data,
            count: 2,
        };
        assert_eq!(bed.wait_timeout(), probe);
        assert_eq!(bed.fates, [], "a probe timeout loses nothing");
        pn = bed.send(Space::Data);
    }
    assert_eq!(bed.recovery.pto_count(), 6);
    bed.ack_each(&[pn]);
    assert_eq!(bed.recovery.pto_count(), 0);
}

#[test]
fn the_timer_restarts_with_each_eliciting_packet() {
    // RFC 9002 6.2.1 #4 test
    let mut bed = Bed::confirmed();
    bed.sample(ms(100));
    bed.send(Space::Data);
    bed.advance(ms(50));
    let quiet = SentPacket {
        ack_eliciting: false,
        in_flight: false,
        ..bed.packet()
    };
    let before = bed.deadline();
    bed.send_packet(Space::Data, quiet);
    assert_eq!(bed.deadline(), before, "an ACK does not restart it");
    bed.send(Space::Data);
    assert_eq!(bed.deadline(), later(&bed, ms(325)));
}

#[test]
fn the_earlier_of_two_spaces_is_probed() {
    // RFC 9002 6.2.1 #2 test
    let mut bed = Bed::new(config(Side::Server));
    bed.send(Space::Handshake);
    bed.advance(ms(10));
    bed.send(Space::Initial);
    let Timeout::Probe { space, .. } = bed.wait_timeout() else {
        panic!("no probe");
    };
    assert_eq!(space, Space::Handshake);
}

#[test]
fn a_client_probes_with_nothing_in_flight_until_it_is_validated() {
    // RFC 9002 6.2.2.1 #2 test, RFC 9002 6.2.2.1 #3 test, RFC 9002 6.2.2.1 #4 test
    let mut bed = Bed::new(config(Side::Client));
    assert_eq!(bed.deadline(), None, "nothing was sent at all");
    let pn = bed.send(Space::Initial);
    bed.advance(ms(100));
    bed.ack(Space::Initial, &[pn..=pn]).unwrap();
    assert_eq!(
        bed.deadline(),
        later(&bed, BASE),
        "from the acknowledgement on"
    );
    let initial = Timeout::Probe {
        space: Space::Initial,
        count: 1,
    };
    assert_eq!(bed.wait_timeout(), initial);
    assert_eq!(bed.deadline(), later(&bed, BASE.saturating_mul(2)));
    bed.cx.has_handshake_keys = true;
    let handshake = Timeout::Probe {
        space: Space::Handshake,
        count: 1,
    };
    assert_eq!(bed.wait_timeout(), handshake);
    // An acknowledgement of an Initial packet alone keeps the backoff ...
    let pn = bed.send(Space::Initial);
    bed.ack(Space::Initial, &[pn..=pn]).unwrap();
    assert_eq!(bed.recovery.pto_count(), 2);
    // ... one of a Handshake packet ends it all.
    let pn = bed.send(Space::Handshake);
    bed.ack(Space::Handshake, &[pn..=pn]).unwrap();
    assert_eq!((bed.recovery.pto_count(), bed.deadline()), (0, None));
}

#[test]
fn early_data_alone_does_not_silence_a_client() {
    let mut bed = Bed::new(config(Side::Client));
    let pn = bed.send(Space::Initial);
    bed.send(Space::Data);
    bed.ack(Space::Initial, &[pn..=pn]).unwrap();
    assert!(
        bed.deadline().is_some(),
        "the server may be waiting for credit"
    );
}

#[test]
fn a_server_without_credit_waits_and_fires_at_once_when_it_has_some() {
    // RFC 9002 6.2.2.1 #1 test
    let mut bed = Bed::new(config(Side::Server));
    bed.send(Space::Initial);
    bed.cx.is_amplification_limited = true;
    assert_eq!(bed.deadline(), None);
    bed.advance(ms(5_000));
    assert_eq!(bed.timeout(), Timeout::None);
    bed.cx.is_amplification_limited = false;
    assert!(bed.deadline().unwrap() < bed.now);
    assert!(matches!(bed.timeout(), Timeout::Probe { .. }));
}

#[test]
fn the_initial_rtt_rules_until_there_is_a_sample() {
    // RFC 9002 6.2.2 #2 test
    let mut bed = Bed::new(config(Side::Client));
    bed.send(Space::Initial);
    assert_eq!(bed.deadline(), later(&bed, ms(999)), "333 + 4 * 333 / 2");
    bed.recovery.set_initial_rtt(ms(50));
    assert_eq!(bed.deadline(), later(&bed, ms(150)));
}

#[test]
fn discarded_keys_reset_the_timer_and_the_backoff() {
    // RFC 9002 6.2.2 #4 test, RFC 9002 6.4 #1 test, RFC 9002 6.4 #2 test
    let mut bed = Bed::new(config(Side::Client));
    for _ in 0..3 {
        bed.send(Space::Initial);
    }
    bed.wait_timeout();
    assert_eq!(bed.recovery.bytes_in_flight(), 3 * u64::from(SIZE));
    let handshake = bed.send(Space::Handshake);
    bed.recovery.discard(Space::Initial, bed.now);
    assert_eq!(bed.recovery.pto_count(), 0);
    assert_eq!(bed.recovery.bytes_in_flight(), u64::from(SIZE));
    assert!(!bed.recovery.has_eliciting(Space::Initial));
    assert_eq!(bed.deadline(), later(&bed, ms(999)));
    bed.ack(Space::Handshake, &[handshake..=handshake]).unwrap();
    assert_eq!((bed.deadline(), bed.recovery.bytes_in_flight()), (None, 0));
}

#[test]
fn a_probe_finds_the_oldest_data_to_repeat() {
    let mut bed = Bed::confirmed();
    let pns = bed.send_many(5);
    bed.ack_each(&pns[..1]);
    let mut shown = std::vec::Vec::new();
    bed.recovery
        .for_each_oldest(Space::Data, 2, &mut |pn, _| shown.push(pn));
    assert_eq!(shown, &pns[1..3]);
    assert_eq!(
        bed.recovery.bytes_in_flight(),
        4 * u64::from(SIZE),
        "they stay in flight"
    );
}

#[test]
fn the_backoff_does_not_overflow() {
    let mut bed = Bed::confirmed();
    bed.send(Space::Data);
    for _ in 0..200 {
        bed.wait_timeout();
    }
    assert!(bed.deadline().is_some());
    assert_eq!(bed.recovery.counters().timeouts, 200);
}
