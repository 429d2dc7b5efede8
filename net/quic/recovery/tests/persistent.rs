// SPDX-License-Identifier: GPL-2.0

//! Persistent congestion: RFC 9002 section 7.6.

use super::*;

/// Two samples of 100 ms, the second with the frame that reveals the losses, make the duration
/// three times (100 + 4 * 37.5 + 25) ms.
const DURATION: u64 = 825;

/// What happens at each step of a row.
enum Step {
    /// An ack-eliciting packet at that time in milliseconds.
    Send(u64),
    /// A packet in flight that is not ack-eliciting.
    Padding(u64),
    /// A packet that is acknowledged by itself at once.
    Delivered(u64),
    /// One in another space that is acknowledged at once.
    Elsewhere(u64),
}
use Step::*;

/// Whether the losses of a row, revealed by a last packet, are persistent congestion.
fn is_persistent(steps: &[Step]) -> bool {
    let mut bed = Bed::confirmed();
    bed.sample(ms(100));
    let start = bed.now;
    for step in steps {
        let (Send(at) | Padding(at) | Delivered(at) | Elsewhere(at)) = step;
        bed.now = start.saturating_add(ms(*at));
        match step {
            Send(_) => {
                bed.send(Space::Data);
            }
            Padding(_) => {
                let packet = SentPacket {
                    ack_eliciting: false,
                    ..bed.packet()
                };
                bed.send_packet(Space::Data, packet);
            }
            Delivered(_) => {
                let pn = bed.send(Space::Data);
                bed.ack_each(&[pn]);
            }
            Elsewhere(_) => {
                let pn = bed.send(Space::Handshake);
                bed.ack(Space::Handshake, &[pn..=pn]).unwrap();
            }
        }
    }
    let before = bed.recovery.congestion().window();
    bed.advance(ms(1));
    for _ in 0..3 {
        let packet = SentPacket {
            ack_eliciting: false,
            ..bed.packet()
        };
        bed.send_packet(Space::Data, packet);
    }
    let last = bed.send(Space::Data);
    bed.advance(ms(100));
    bed.ack_each(&[last]);
    let window = bed.recovery.congestion().window();
    assert!(window < before);
    let is_minimum = window == 2 * u64::from(SIZE);
    assert_eq!(bed.recovery.counters().persistent > 0, is_minimum);
    is_minimum
}

#[test]
fn it_takes_two_eliciting_losses_far_apart_with_nothing_delivered_between() {
    // RFC 9002 7.6.1 #1 test, RFC 9002 7.6.2 #1 test, RFC 9002 7.6.2 #3 test
    // RFC 9002 7.6.2 #5 test
    let rows: &[(&str, bool, &[Step])] = &[
        ("just too short", false, &[Send(1), Send(1 + DURATION)]),
        ("just long enough", true, &[Send(1), Send(2 + DURATION)]),
        (
            "the ends decide",
            true,
            &[Send(1), Send(500), Send(2 + DURATION)],
        ),
        (
            "ends not eliciting",
            false,
            &[Padding(1), Send(500), Padding(2 + DURATION)],
        ),
        (
            "middle not eliciting",
            true,
            &[Send(1), Padding(500), Send(2 + DURATION)],
        ),
        (
            "delivered between",
            false,
            &[Send(1), Delivered(500), Send(1_000)],
        ),
        (
            "delivered first, long enough after",
            true,
            &[Send(1), Delivered(2), Send(3), Send(1_000)],
        ),
        (
            "delivered in another space",
            false,
            &[Send(1), Elsewhere(500), Send(1_000)],
        ),
    ];
    for (name, expected, steps) in rows {
        assert_eq!(is_persistent(steps), *expected, "{name}");
    }
}

#[test]
fn losses_before_the_first_sample_do_not_count() {
    // RFC 9002 7.6.2 #2 test
    let mut bed = Bed::confirmed();
    bed.send(Space::Data);
    bed.advance(ms(10_000));
    bed.send(Space::Data);
    bed.send_many(2);
    let last = bed.send(Space::Data);
    bed.advance(ms(100));
    assert_eq!(bed.ack_each(&[last]).lost, 2);
    assert_eq!(bed.recovery.counters().persistent, 0);
}

#[test]
fn min_rtt_starts_anew_afterwards() {
    // RFC 9002 5.2 #3 test, RFC 9002 5.2 #5 test
    let mut bed = Bed::confirmed();
    bed.sample(ms(100));
    bed.advance(ms(1));
    bed.send(Space::Data);
    bed.advance(ms(1_000));
    bed.send_many(3);
    let last = bed.send(Space::Data);
    bed.advance(ms(150));
    bed.ack_each(&[last]);
    assert_eq!(bed.recovery.counters().persistent, 1);
    assert_eq!(bed.recovery.rtt().min(), ms(100));
    bed.sample(ms(150));
    assert_eq!(bed.recovery.rtt().min(), ms(150));
    bed.sample(ms(120));
    assert_eq!(bed.recovery.rtt().min(), ms(120));
}

#[test]
fn a_run_of_losses_grows_over_several_ack_frames() {
    let mut bed = Bed::confirmed();
    bed.sample(ms(100));
    bed.advance(ms(1));
    let mut sent = std::vec::Vec::new();
    for _ in 0..12 {
        sent.push(bed.send(Space::Data));
        bed.advance(ms(100));
    }
    // Two packets arrive, sent later than all of those.
    let tail = bed.send_many(6);
    bed.advance(ms(100));
    let half = bed
        .recovery
        .spaces
        .get(Space::Data)
        .sent
        .get(sent[11])
        .unwrap()
        .time;
    assert!(half < bed.now);
    bed.ack_each(&tail[..1]);
    assert_eq!(bed.recovery.counters().persistent, 1);
    assert!(bed.take(Fate::Lost).starts_with(&sent[..10]));
}
