// SPDX-License-Identifier: GPL-2.0

//! The store of sent packets against a map of the standard library.

use super::*;
use crate::mem::fail;
use crate::recovery::sent::{
    Kind,
    SentPackets, //
};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Op {
    Send {
        skip: u64,
        eliciting: bool,
        in_flight: bool,
    },
    Drain {
        first: u64,
        len: u64,
    },
    Lose {
        nth: u64,
    },
    Expire {
        before: u64,
    },
    Shrink,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..40u64, any::<bool>(), 0..8u8).prop_map(|(skip, eliciting, n)| Op::Send {
            skip: skip.saturating_sub(37),
            eliciting: eliciting && n > 0,
            in_flight: n > 0,
        }),
        3 => (0..400u64, 0..60u64).prop_map(|(first, len)| Op::Drain { first, len }),
        2 => (0..8u64).prop_map(|nth| Op::Lose { nth }),
        1 => (0..400u64).prop_map(|before| Op::Expire { before }),
        1 => Just(Op::Shrink),
    ]
}

/// What the model knows of a packet: `(eliciting, in flight, lost)`.
type Model = BTreeMap<u64, (bool, bool, bool)>;

fn check(sent: &mut SentPackets, model: &Model) -> Result<(), TestCaseError> {
    let is = |kind: Kind, p: &(bool, bool, bool)| match kind {
        Kind::Outstanding => !p.2,
        Kind::Lost => p.2,
        Kind::Quiet => !p.2 && !p.1,
    };
    for kind in [Kind::Outstanding, Kind::Lost, Kind::Quiet] {
        let of_kind = || model.iter().filter(|(_, p)| is(kind, p));
        prop_assert_eq!(sent.count(kind) as usize, of_kind().count());
        prop_assert_eq!(sent.first(kind), of_kind().next().map(|(pn, _)| *pn));
        for from in [0, 15, 16, 17, 100, 250] {
            let next = of_kind().map(|(pn, _)| *pn).find(|pn| *pn >= from);
            prop_assert_eq!(sent.next(from, kind), next);
        }
    }
    let eliciting = model.values().filter(|p| p.0 && !p.2).count();
    prop_assert_eq!(sent.eliciting() as usize, eliciting);
    for pn in model.keys() {
        prop_assert_eq!(sent.get(*pn).map(|p| p.time.as_nanos()), Some(*pn));
        prop_assert!(sent.first_present() <= *pn);
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::common::test_config(200))]

    #[test]
    fn it_holds_the_same_packets_as_a_map(ops in proptest::collection::vec(op(), 0..250)) {
        let mut sent = SentPackets::new();
        let mut model = Model::new();
        let mut next = 0;
        for op in ops {
            match op {
                Op::Send { skip, eliciting, in_flight } => {
                    next += skip;
                    sent.reserve(next).unwrap();
                    sent.insert(next, SentPacket {
                        time: Instant::from_nanos(next),
                        ack_eliciting: eliciting,
                        in_flight,
                        ..Bed::confirmed().packet()
                    });
                    model.insert(next, (eliciting, in_flight, false));
                    next += 1;
                }
                Op::Drain { first, len } => {
                    let last = first + len;
                    let mut gone = std::vec::Vec::new();
                    sent.drain(first, last, &mut |pn, packet, lost| {
                        assert_eq!(packet.time.as_nanos(), pn);
                        gone.push((pn, lost));
                    });
                    let expected = model.range(first..=last).map(|(pn, p)| (*pn, p.2));
                    prop_assert!(expected.eq(gone.iter().copied()));
                    model.retain(|pn, _| !(first..=last).contains(pn));
                }
                // Losses are declared in ascending order, as detection does.
                Op::Lose { nth } => for _ in 0..=nth {
                    let Some(pn) = sent.first(Kind::Outstanding) else { break };
                    prop_assert_eq!(sent.mark_lost(pn, 1).map(|p| p.episode), Some(1));
                    prop_assert!(sent.mark_lost(pn, 2).is_none());
                    model.get_mut(&pn).unwrap().2 = true;
                },
                Op::Shrink => sent.shrink(),
                Op::Expire { before } => {
                    sent.expire_lost(Instant::from_nanos(before));
                    let mut keep = false;
                    model.retain(|pn, p| {
                        keep |= p.2 && *pn >= before;
                        !p.2 || keep
                    });
                }
            }
            check(&mut sent, &model)?;
        }
    }
}

#[test]
fn with_one_packet_in_flight_at_a_time_nothing_is_allocated() {
    let mut sent = SentPackets::new();
    let send = |sent: &mut SentPackets, pn| {
        sent.reserve(pn).unwrap();
        sent.insert(pn, fail::spared(|| Bed::confirmed().packet()));
        sent.drain(pn, pn, &mut |_, _, _| {});
    };
    send(&mut sent, 0);
    fail::off();
    (1..1000).for_each(|pn| send(&mut sent, pn));
    // The map alone, which keeps no empty leaf.
    let moved = 1000 / crate::recovery::block::BLOCK;
    assert!(fail::count() <= 2 * moved, "{}", fail::count());
    // And a connection that has become idle keeps none of it.
    sent.shrink();
    fail::after(0);
    assert!(sent.reserve(1000).is_err());
    fail::off();
}
