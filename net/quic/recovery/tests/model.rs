// SPDX-License-Identifier: GPL-2.0

//! Loss detection against the pseudocode of RFC 9002 appendix A, written down as it stands there:
//! one flat list of packets, walked from its start for everything.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Send {
        space: u8,
        eliciting: bool,
    },
    Wait {
        millis: u64,
    },
    /// Acknowledges the packets of a space whose index from the newest has its bit set.
    Ack {
        space: u8,
        mask: u64,
    },
    Timer,
}

fn op() -> impl Strategy<Value = Op> {
    let space = prop_oneof![1 => 0..2u8, 6 => Just(2u8)];
    prop_oneof![
        6 => (space.clone(), 0..6u8).prop_map(|(space, n)| Op::Send { space, eliciting: n > 0 }),
        3 => (0..120u64).prop_map(|millis| Op::Wait { millis }),
        3 => (space, any::<u64>(), any::<u64>()).prop_map(|(space, a, b)| Op::Ack {
            space,
            mask: a & b,
        }),
        1 => Just(Op::Timer),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    pn: u64,
    time: Instant,
    eliciting: bool,
}

/// The variables of RFC 9002 A.3 that the RTT does not give.
#[derive(Default)]
struct Reference {
    sent: [std::vec::Vec<Packet>; 3],
    everything: [std::vec::Vec<u64>; 3],
    largest_acked: [Option<u64>; 3],
    last_eliciting: [Option<Instant>; 3],
    loss_time: [Option<Instant>; 3],
    pto_count: u32,
    lost: std::vec::Vec<(Space, u64)>,
    acked: std::vec::Vec<(Space, u64)>,
}

impl Reference {
    /// `DetectAndRemoveLostPackets`, with numbers left out counted as no packets.
    fn detect(&mut self, space: Space, now: Instant, rtt: &Rtt) {
        let s = space as usize;
        self.loss_time[s] = None;
        let largest = self.largest_acked[s].unwrap();
        let base = rtt.smoothed().max(rtt.latest());
        let delay = Duration::from_nanos(base.as_nanos() * 9 / 8).max(ms(1));
        let everything = &self.everything[s];
        let mut kept = std::vec::Vec::new();
        for packet in core::mem::take(&mut self.sent[s]) {
            let later = |pn: &&u64| **pn > packet.pn && **pn <= largest;
            if packet.pn > largest {
                kept.push(packet);
            } else if packet.time.saturating_add(delay) <= now
                || everything.iter().filter(later).count() >= 3
            {
                self.lost.push((space, packet.pn));
            } else {
                let at = packet.time.saturating_add(delay);
                // A packet of nothing but ACK frames is not worth a timer.
                if packet.eliciting {
                    self.loss_time[s] = Some(self.loss_time[s].map_or(at, |t| t.min(at)));
                }
                kept.push(packet);
            }
        }
        self.sent[s] = kept;
    }

    fn on_ack(&mut self, space: Space, pns: &[u64]) -> bool {
        let s = space as usize;
        let largest = *pns.iter().max().unwrap();
        self.largest_acked[s] = Some(self.largest_acked[s].map_or(largest, |l| l.max(largest)));
        let before = self.sent[s].len();
        self.sent[s].retain(|p| {
            let acked = pns.contains(&p.pn);
            if acked {
                self.acked.push((space, p.pn));
            }
            !acked
        });
        self.sent[s].len() < before
    }

    fn deadline(&self, rtt: &Rtt) -> Option<Instant> {
        let loss = self.loss_time.iter().flatten().min();
        if loss.is_some() {
            return loss.copied();
        }
        let mut timeout = None;
        for s in 0..3 {
            if !self.sent[s].iter().any(|p| p.eliciting) {
                continue;
            }
            let mut duration = rtt
                .smoothed()
                .saturating_add(rtt.var().saturating_mul(4).max(ms(1)));
            if s == 2 {
                duration = duration.saturating_add(ms(25));
            }
            let backed_off = Duration::from_nanos(duration.as_nanos() << self.pto_count);
            let t = self.last_eliciting[s].unwrap().saturating_add(backed_off);
            timeout = Some(timeout.map_or(t, |at: Instant| at.min(t)));
        }
        timeout
    }

    fn flight(&self) -> u64 {
        let eliciting = self.sent.iter().flatten().filter(|p| p.eliciting);
        eliciting.count() as u64 * u64::from(SIZE)
    }
}

fn send(bed: &mut Bed, model: &mut Reference, space: Space, eliciting: bool) {
    let pn = bed.send_packet(
        space,
        SentPacket {
            ack_eliciting: eliciting,
            in_flight: eliciting,
            ..bed.packet()
        },
    );
    let s = space as usize;
    model.everything[s].push(pn);
    model.sent[s].push(Packet {
        pn,
        time: bed.now,
        eliciting,
    });
    if eliciting {
        model.last_eliciting[s] = Some(bed.now);
    }
}

/// Acknowledges packets that were not declared lost, and some that were acknowledged before.
fn acknowledge(bed: &mut Bed, model: &mut Reference, space: Space, mask: u64) {
    let newest = model.everything[space as usize].iter().rev().take(64);
    let is_lost = |pn: u64| model.lost.contains(&(space, pn));
    let chosen = newest.enumerate().filter(|(i, _)| (mask >> i) & 1 == 1);
    let mut pns: std::vec::Vec<_> = chosen.map(|(_, pn)| *pn).collect();
    pns.retain(|pn| !is_lost(*pn));
    if pns.is_empty() {
        return;
    }
    let ranges: std::vec::Vec<_> = pns.iter().map(|pn| *pn..=*pn).collect();
    let summary = bed.ack(space, &ranges).unwrap();
    let is_new = model.on_ack(space, &pns);
    assert_eq!(summary.acked > 0, is_new);
    if is_new {
        model.detect(space, bed.now, bed.recovery.rtt());
        model.pto_count = 0;
    }
}

fn fire(bed: &mut Bed, model: &mut Reference) -> Result<(), TestCaseError> {
    let Some(deadline) = bed.deadline() else {
        return Ok(());
    };
    bed.now = bed.now.max(deadline);
    let due = model.loss_time;
    match bed.timeout() {
        Timeout::Loss => {
            let first = due.iter().flatten().min().unwrap();
            let s = due.iter().position(|t| t.as_ref() == Some(first)).unwrap();
            model.detect(Space::ALL[s], bed.now, bed.recovery.rtt());
        }
        Timeout::Probe { space, count } => {
            prop_assert!(due.iter().all(Option::is_none));
            prop_assert!(model.sent[space as usize].iter().any(|p| p.eliciting));
            prop_assert_eq!(count, 2);
            model.pto_count += 1;
        }
        Timeout::None => prop_assert!(false, "the deadline had come"),
    }
    Ok(())
}

fn check(bed: &Bed, model: &Reference) -> Result<(), TestCaseError> {
    let of = |fate: Fate| {
        let fates = bed.fates.iter().filter(move |f| f.0 == fate);
        let mut all: std::vec::Vec<_> = fates.map(|f| (f.1, f.2)).collect();
        all.sort();
        all
    };
    let sorted = |list: &std::vec::Vec<(Space, u64)>| {
        let mut list = list.clone();
        list.sort();
        list
    };
    prop_assert_eq!(of(Fate::Lost), sorted(&model.lost));
    prop_assert_eq!(of(Fate::Acked), sorted(&model.acked));
    prop_assert_eq!(bed.recovery.bytes_in_flight(), model.flight());
    prop_assert_eq!(bed.recovery.pto_count(), model.pto_count);
    prop_assert_eq!(bed.deadline(), model.deadline(bed.recovery.rtt()));
    Ok(())
}

proptest! {
    #![proptest_config(crate::common::test_config(300))]

    #[test]
    fn it_does_what_the_pseudocode_does(ops in proptest::collection::vec(op(), 0..200)) {
        let mut bed = Bed::confirmed();
        let mut model = Reference::default();
        for op in ops {
            match op {
                Op::Send { space, eliciting } => {
                    send(&mut bed, &mut model, Space::ALL[usize::from(space)], eliciting);
                }
                Op::Wait { millis } => bed.advance(ms(millis)),
                Op::Ack { space, mask } => {
                    acknowledge(&mut bed, &mut model, Space::ALL[usize::from(space)], mask);
                }
                Op::Timer => fire(&mut bed, &mut model)?,
            }
            check(&bed, &model)?;
        }
    }
}
