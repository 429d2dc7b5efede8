// SPDX-License-Identifier: GPL-2.0

//! ECN validation and reaction: RFC 9000 section 13.4.2.

use super::*;

fn bed() -> Bed {
    let mut bed = Bed::new(Config {
        ecn: true,
        ..config(Side::Server)
    });
    bed.recovery.on_handshake_confirmed();
    bed
}

/// Sends `count` packets with the mark that recovery wants and returns their numbers.
fn send(bed: &mut Bed, count: usize) -> std::vec::Vec<u64> {
    let one = |bed: &mut Bed| {
        let ecn = bed.recovery.ecn_mark() == Ecn::Ect0;
        bed.send_packet(
            Space::Data,
            SentPacket {
                ecn,
                ..bed.packet()
            },
        )
    };
    (0..count).map(|_| one(bed)).collect()
}

fn counts(ect0: u64, ect1: u64, ce: u64) -> Option<EcnCounts> {
    Some(EcnCounts { ect0, ect1, ce })
}

#[test]
fn a_path_is_tested_with_ten_packets_and_then_waits() {
    let mut bed = bed();
    for _ in 0..10 {
        assert_eq!(bed.recovery.ecn_mark(), Ecn::Ect0);
        send(&mut bed, 1);
    }
    assert_eq!(bed.recovery.ecn_state(), EcnState::Unknown);
    assert_eq!(bed.recovery.ecn_mark(), Ecn::NotEct);
    bed.counts = counts(1, 0, 0);
    bed.ack_each(&[0]);
    // RFC 9000 13.4.2.2 #3 test
    assert_eq!(bed.recovery.ecn_state(), EcnState::Capable);
    assert_eq!(bed.recovery.ecn_mark(), Ecn::Ect0);
}

/// Four marked packets are acknowledged with these counts, three more with those.
#[test]
fn counts_that_make_no_sense_end_the_marking() {
    // RFC 9000 13.4.2.2 #1 test, RFC 9000 13.4.2.2 #4 test
    use EcnState::{
        Capable,
        Failed, //
    };
    let rows = [
        (
            "all as sent",
            counts(4, 0, 0),
            counts(7, 0, 0),
            Capable,
            Capable,
        ),
        (
            "some marked",
            counts(3, 0, 1),
            counts(5, 0, 2),
            Capable,
            Capable,
        ),
        ("no counts at all", None, counts(7, 0, 0), Failed, Failed),
        ("counts vanish", counts(4, 0, 0), None, Capable, Failed),
        (
            "too few at first",
            counts(3, 0, 0),
            counts(7, 0, 0),
            Failed,
            Failed,
        ),
        (
            "too few later",
            counts(4, 0, 0),
            counts(6, 0, 0),
            Capable,
            Failed,
        ),
        (
            "remarked to ECT(1)",
            counts(3, 1, 0),
            counts(6, 1, 0),
            Failed,
            Failed,
        ),
        (
            "remarked later",
            counts(4, 0, 0),
            counts(6, 1, 0),
            Capable,
            Failed,
        ),
        (
            "more than were sent",
            counts(11, 0, 0),
            counts(11, 0, 0),
            Failed,
            Failed,
        ),
        (
            "CE more than were sent",
            counts(4, 0, 7),
            counts(7, 0, 7),
            Failed,
            Failed,
        ),
        (
            "counts go back",
            counts(4, 0, 0),
            counts(3, 0, 4),
            Capable,
            Failed,
        ),
        (
            "an acknowledgement was lost",
            counts(5, 0, 1),
            counts(8, 0, 1),
            Capable,
            Capable,
        ),
    ];
    for (name, first, second, after_first, after_second) in rows {
        let mut bed = bed();
        let pns = send(&mut bed, 10);
        bed.counts = first;
        let summary = bed.ack_each(&pns[..4]);
        assert_eq!(bed.recovery.ecn_state(), after_first, "{name}");
        assert_eq!(summary.ecn_failed, after_first == Failed, "{name}");
        bed.counts = second;
        bed.ack_each(&pns[4..7]);
        assert_eq!(bed.recovery.ecn_state(), after_second, "{name}");
    }
}

#[test]
fn an_old_ack_frame_proves_nothing() {
    // RFC 9000 13.4.2.1 #1 test
    let mut bed = bed();
    let pns = send(&mut bed, 8);
    bed.counts = counts(4, 0, 0);
    bed.ack_each(&pns[4..]);
    bed.counts = counts(2, 0, 0);
    bed.ack_each(&pns[2..4]);
    bed.counts = None;
    bed.ack_each(&pns[..2]);
    assert_eq!(bed.recovery.ecn_state(), EcnState::Capable);
}

#[test]
fn a_ce_mark_is_a_congestion_event_once_in_a_recovery_period() {
    // RFC 9002 7.3.1 #1 test
    let mut bed = bed();
    bed.sample(ms(50));
    let pns = send(&mut bed, 10);
    bed.advance(ms(50));
    let window = bed.recovery.congestion().window();
    bed.counts = counts(1, 0, 1);
    assert!(bed.ack_each(&pns[..2]).is_congested);
    assert_eq!(bed.recovery.congestion().window(), window / 2);
    bed.counts = counts(1, 0, 3);
    assert!(
        !bed.ack_each(&pns[2..4]).is_congested,
        "same recovery period"
    );
    assert_eq!(bed.recovery.congestion().window(), window / 2);
    bed.counts = counts(1, 0, 3);
    assert!(!bed.ack_each(&pns[..1]).is_congested, "no increase");
    bed.advance(ms(1));
    let next = send(&mut bed, 1);
    bed.advance(ms(50));
    bed.counts = counts(1, 0, 4);
    assert!(bed.ack_each(&next).is_congested);
}

#[test]
fn a_path_that_swallows_marked_packets_is_not_marked_again() {
    let mut bed = bed();
    send(&mut bed, 10);
    let pns = send(&mut bed, 10);
    bed.advance(ms(50));
    bed.ack_each(&pns[5..]);
    assert_eq!(bed.recovery.ecn_state(), EcnState::Failed);
}

#[test]
fn a_new_path_is_tested_anew_and_old_packets_do_not_judge_it() {
    let mut bed = bed();
    let old = send(&mut bed, 5);
    bed.recovery.reset_for_path(1, SIZE, None);
    assert_eq!(bed.recovery.ecn_state(), EcnState::Testing);
    bed.ack_each(&old);
    assert_eq!(
        bed.recovery.ecn_state(),
        EcnState::Testing,
        "the old path dropped the marks"
    );
}

#[test]
fn a_mark_takes_part_in_a_congestion_event_that_cannot_be_undone() {
    let mut bed = bed();
    bed.sample(ms(50));
    let pns = send(&mut bed, 10);
    bed.advance(ms(50));
    bed.counts = counts(4, 0, 1);
    assert!(bed.ack_each(&pns[5..10]).is_congested);
    let window = bed.recovery.congestion().window();
    assert_eq!(bed.take(Fate::Lost), &pns[..5]);
    bed.counts = counts(9, 0, 1);
    bed.ack_each(&pns[..5]);
    assert_eq!(bed.take(Fate::Spurious), &pns[..5]);
    assert_eq!(bed.recovery.congestion().window(), window);
}
