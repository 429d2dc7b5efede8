// SPDX-License-Identifier: GPL-2.0

//! Bytes in flight by path, against a walk over all packets, and without one.

use super::*;
use crate::recovery::sent::Kind;
use proptest::prelude::*;
use std::time::Instant as Clock;

/// Bytes in flight on a path, counted packet by packet.
fn walk(recovery: &Recovery, path: u32) -> u64 {
    let mut bytes = 0;
    for space in Space::ALL {
        let sent = &recovery.spaces.get(space).sent;
        let mut from = 0;
        while let Some(pn) = sent.next(from, Kind::Outstanding) {
            let packet = sent.get(pn).unwrap();
            if packet.in_flight && packet.path == path {
                bytes += u64::from(packet.size);
            }
            from = pn + 1;
        }
    }
    bytes
}

#[derive(Clone, Debug)]
enum Op {
    /// Sends on one of the known paths.
    Send { nth: usize, in_flight: bool },
    /// Acknowledges one packet of those sent, so that others may be lost.
    Ack { back: usize },
    /// Moves to one of the known paths.
    Move { nth: usize },
    /// Another path takes the place of a known one.
    Replace { nth: usize },
    /// The timer fires.
    Wait,
    /// Everything is to be sent again.
    Abandon,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        10 => (0..3usize, 0..8u8).prop_map(|(nth, n)| Op::Send { nth, in_flight: n > 0 }),
        4 => (0..12usize).prop_map(|back| Op::Ack { back }),
        3 => (1..3usize).prop_map(|nth| Op::Move { nth }),
        2 => (1..3usize).prop_map(|nth| Op::Replace { nth }),
        1 => Just(Op::Wait),
        1 => Just(Op::Abandon),
    ]
}

fn apply(bed: &mut Bed, known: &mut [u32; 3], sent: &mut std::vec::Vec<u64>, op: &Op) {
    match *op {
        Op::Send { nth, in_flight } => {
            let packet = SentPacket {
                path: known[nth],
                size: 100 + sent.len() as u16 % 1_000,
                ack_eliciting: in_flight,
                in_flight,
                ..bed.packet()
            };
            sent.push(bed.send_packet(Space::Data, packet));
        }
        Op::Ack { back } => {
            if let Some(nth) = sent.len().checked_sub(back + 1) {
                let pn = sent[nth];
                bed.ack_each(&[pn]);
            }
        }
        Op::Move { nth } => {
            known.swap(0, nth);
            bed.recovery.reset_for_path(known[0], SIZE, None);
        }
        Op::Replace { nth } => {
            known[nth] = known.iter().max().unwrap() + 1;
            let paths = *known;
            bed.recovery.retain_paths(&|path| paths.contains(&path));
        }
        Op::Wait => {
            if bed.deadline().is_some() {
                bed.wait_timeout();
            }
        }
        Op::Abandon => {
            let now = bed.now;
            bed.recovery.abandon(Space::Data, now, &mut |_, _, _, _| {});
        }
    }
    bed.advance(ms(7));
}

proptest! {
    #![proptest_config(crate::common::test_config(300))]

    // RFC 9000 9.4 #1 test
    #[test]
    fn each_path_has_what_is_in_flight_on_it(ops in proptest::collection::vec(op(), 0..150)) {
        let mut bed = Bed::confirmed();
        let mut known = [0, 1, 2];
        let mut sent = std::vec::Vec::new();
        for op in &ops {
            apply(&mut bed, &mut known, &mut sent, op);
            prop_assert_eq!(bed.recovery.bytes_in_flight(), walk(&bed.recovery, known[0]));
        }
    }
}

#[test]
fn a_change_of_path_costs_the_same_however_much_is_in_flight() {
    let mut bed = Bed::confirmed();
    bed.send_many(20_000);
    let bytes = bed.recovery.bytes_in_flight();
    let begin = Clock::now();
    for _ in 0..100_000 {
        bed.recovery.reset_for_path(1, SIZE, None);
        assert_eq!(bed.recovery.bytes_in_flight(), 0);
        bed.recovery.reset_for_path(0, SIZE, None);
        assert_eq!(bed.recovery.bytes_in_flight(), bytes);
    }
    // A walk over the packets at each change would be four thousand million steps.
    let taken = begin.elapsed();
    assert!(taken.as_secs() < 4, "{taken:?}");
}

#[test]
fn a_path_that_is_gone_makes_room_for_another() {
    let mut bed = Bed::confirmed();
    for path in 1..1_000 {
        // The path left was validated, the one before is dropped.
        bed.recovery.retain_paths(&|known| known + 2 > path);
        bed.send_packet(
            Space::Data,
            SentPacket {
                path,
                ..bed.packet()
            },
        );
        bed.recovery.reset_for_path(path, SIZE, None);
        assert_eq!(bed.recovery.bytes_in_flight(), u64::from(SIZE), "{path}");
    }
    bed.recovery.reset_for_path(998, SIZE, None);
    assert_eq!(bed.recovery.bytes_in_flight(), u64::from(SIZE));
    bed.recovery.reset_for_path(997, SIZE, None);
    assert_eq!(bed.recovery.bytes_in_flight(), 0, "forgotten");
}
