// SPDX-License-Identifier: GPL-2.0

//! Tests of the ids issued by this side.

#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

struct Counter(u64);

impl Rng for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

fn cid(byte: u8) -> ConnectionId {
    ConnectionId::new(&[byte; 8]).unwrap()
}

fn ids() -> (LocalIds, Counter) {
    (LocalIds::new(cid(1), [7; 32]).unwrap(), Counter(1))
}

/// Takes every operation and announces every id that may be announced.
fn settle(ids: &mut LocalIds) -> (usize, std::vec::Vec<Announcement>) {
    let ops = core::iter::from_fn(|| ids.poll_op()).count();
    let mut announced = std::vec::Vec::new();
    while let Some(announcement) = ids.next_announcement() {
        ids.on_announced(announcement.seq);
        announced.push(announcement);
    }
    (ops, announced)
}

// RFC 9000 5.1.1 #1 test
// RFC 9000 5.1.1 #3 test
// RFC 9000 5.1.1 #4 test
// RFC 9000 5.1 #2 test
// RFC 9000 5.1.1 #11 test, RFC 9000 9.5 #7 test
#[test]
fn ids_are_issued_up_to_the_peers_limit_and_numbered_in_order() {
    for (limit, expected) in [(0, 2), (2, 2), (4, 4), (8, 8), (64, 8), (u64::MAX, 8)] {
        let (mut ids, mut rng) = ids();
        ids.start(limit, &mut rng);
        let (ops, announced) = settle(&mut ids);
        assert_eq!(ops, expected);
        let seqs: std::vec::Vec<u64> = announced.iter().map(|a| a.seq).collect();
        assert_eq!(seqs, (1..expected as u64).collect::<std::vec::Vec<_>>());
        let mut cids: std::vec::Vec<_> = announced.iter().map(|a| a.cid).collect();
        cids.push(ids.first());
        cids.sort();
        cids.dedup();
        assert_eq!(cids.len(), expected);
    }
}

#[test]
fn an_id_is_announced_only_after_it_is_in_the_table() {
    let (mut ids, mut rng) = ids();
    ids.start(2, &mut rng);
    assert!(!ids.has_pending());
    assert!(ids.poll_op().is_some());
    assert!(ids.poll_op().is_some());
    assert!(ids.has_pending());
}

// RFC 9000 19.16 #1 test
// RFC 9000 19.16 #2 test
// RFC 9000 5.1.1 #7 test
#[test]
fn retiring_replaces_an_id_and_refuses_nonsense() {
    let (mut ids, mut rng) = ids();
    ids.start(3, &mut rng);
    settle(&mut ids);
    assert!(ids.on_retire(3, Some(0), &mut rng).is_err());
    assert!(ids.on_retire(0, Some(0), &mut rng).is_err());
    assert!(ids.contains(&[1; 8]));
    assert_eq!(ids.on_retire(0, Some(1), &mut rng), Ok(true));
    assert!(!ids.contains(&[1; 8]));
    assert_eq!(ids.on_retire(0, Some(1), &mut rng), Ok(false));
    let (ops, announced) = settle(&mut ids);
    assert_eq!((ops, announced.len(), announced[0].seq), (2, 1, 3));
    assert_eq!(ids.first(), cid(1));
    assert_eq!(ids.info().1, 1);
}

// RFC 9000 5.1.1 #2 test
// RFC 9000 5.1.2 #2 test
// RFC 9000 5.1.2 #8 test
#[test]
fn asking_for_retirement_keeps_the_ids_until_the_peer_follows() {
    let (mut ids, mut rng) = ids();
    ids.start(3, &mut rng);
    settle(&mut ids);
    assert!(!ids.retire_prior_to(3, &mut rng));
    assert!(ids.retire_prior_to(2, &mut rng));
    let (_, announced) = settle(&mut ids);
    assert_eq!(announced.len(), 2);
    assert!(announced.iter().all(|a| a.retire_prior_to == 2));
    assert!(ids.contains(&[1; 8]));
    assert!(!ids.retire_prior_to(3, &mut rng));
    for seq in 0..2 {
        assert_eq!(ids.on_retire(seq, Some(2), &mut rng), Ok(true));
    }
    settle(&mut ids);
    assert!(ids.retire_prior_to(3, &mut rng));
}

// RFC 9000 19.15 #6 test
#[test]
fn an_announcement_repeated_after_its_id_was_asked_back_says_so_of_no_larger_number() {
    let (mut ids, mut rng) = ids();
    ids.start(3, &mut rng);
    settle(&mut ids);
    assert!(ids.retire_prior_to(2, &mut rng));
    ids.on_lost(1);
    let (_, announced) = settle(&mut ids);
    let fields: std::vec::Vec<_> = announced
        .iter()
        .map(|a| (a.seq, a.retire_prior_to))
        .collect();
    assert!(fields.contains(&(1, 1)), "{fields:?}");
    assert!(fields.iter().all(|(seq, prior_to)| prior_to <= seq));
    assert!(fields.iter().any(|(_, prior_to)| *prior_to == 2));
}

#[test]
fn a_peer_that_retires_without_end_costs_no_memory() {
    let (mut ids, mut rng) = ids();
    ids.start(8, &mut rng);
    for seq in 0..10_000 {
        settle(&mut ids);
        assert_eq!(ids.on_retire(seq, Some(seq + 1), &mut rng), Ok(true));
        assert!(ids.entries.len() <= CAPACITY);
    }
    // Also when the glue takes no operations out.
    for seq in 10_000..10_100 {
        let _ = ids.on_retire(seq, None, &mut rng);
        assert!(ids.entries.len() <= CAPACITY);
    }
}

#[test]
fn lost_announcements_are_repeated_and_acknowledged_ones_are_not() {
    let (mut ids, mut rng) = ids();
    ids.start(3, &mut rng);
    settle(&mut ids);
    ids.on_acked(1);
    ids.on_lost(1);
    ids.on_lost(2);
    assert_eq!(ids.next_announcement().unwrap().seq, 2);
    ids.on_retire(2, None, &mut rng).unwrap();
    assert_ne!(ids.next_announcement().map(|a| a.seq), Some(2));
}

// RFC 9000 10.3.2 #5 test
#[test]
fn every_id_has_a_token_of_its_own() {
    let (mut ids, mut rng) = ids();
    ids.start(8, &mut rng);
    let (_, announced) = settle(&mut ids);
    let mut tokens: std::vec::Vec<_> = announced.iter().map(|a| a.token).collect();
    tokens.push(ids.first_token());
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 8);
    assert_eq!(ids.first_token(), reset_token(&[7; 32], &cid(1)));
}

#[test]
fn the_original_destination_id_is_accepted_until_it_is_dropped() {
    let (mut ids, _) = ids();
    ids.add_original(cid(9));
    assert_eq!(ids.seq_of(&[9; 8]), Some(None));
    ids.drop_original();
    assert_eq!(ids.seq_of(&[9; 8]), None);
    assert_eq!(ids.poll_op(), Some(CidOp::Remove { cid: cid(9) }));
}
