// SPDX-License-Identifier: GPL-2.0

//! Tests of the ids issued by the peer.

#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::common::error::ErrorCode;

fn cid(number: u64) -> ConnectionId {
    ConnectionId::new(&number.to_be_bytes()).unwrap()
}

fn token(number: u64) -> [u8; 16] {
    let mut token = [3; 16];
    token[..8].copy_from_slice(&number.to_be_bytes());
    token
}

fn ids() -> RemoteIds {
    RemoteIds::new(cid(0), 4).unwrap()
}

fn give(ids: &mut RemoteIds, seq: u64, prior_to: u64) -> Result<(), ErrorCode> {
    ids.on_new(seq, prior_to, cid(seq), token(seq))
        .map_err(|error| error.code)
}

fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

// RFC 9000 5.1.1 #6 test
#[test]
fn ids_beyond_the_limit_close_the_connection() {
    let mut ids = ids();
    for seq in 1..4 {
        assert_eq!(give(&mut ids, seq, 0), Ok(()));
        // RFC 9000 19.15 #4 test
        assert_eq!(give(&mut ids, seq, 0), Ok(()));
    }
    let limit = Err(ErrorCode::CONNECTION_ID_LIMIT_ERROR);
    assert_eq!(give(&mut ids, 4, 0), limit);
}

// RFC 9000 5.1.2 #4 test
// RFC 9000 19.15 #8 test
// RFC 9000 19.15 #9 test
#[test]
fn retire_prior_to_retires_before_the_new_id_counts() {
    let mut ids = ids();
    for seq in 1..4 {
        give(&mut ids, seq, 0).unwrap();
    }
    assert_eq!(give(&mut ids, 5, 3), Ok(()));
    assert_eq!(ids.get(2), None);
    assert!(ids.get(3).is_some() && ids.get(5).is_some());
    // An older, smaller value changes nothing.
    assert_eq!(give(&mut ids, 6, 1), Ok(()));
    assert!(ids.get(3).is_some());
    // A number below arrives late and is retired at once, once.
    let mut fresh = RemoteIds::new(cid(0), 4).unwrap();
    give(&mut fresh, 5, 5).unwrap();
    give(&mut fresh, 2, 0).unwrap();
    give(&mut fresh, 2, 0).unwrap();
    assert_eq!(fresh.get(2), None);
    let mut retired = std::vec::Vec::new();
    while let Some(seq) = fresh.next_retirement() {
        fresh.on_retirement_sent(seq);
        retired.push(seq);
    }
    assert_eq!(retired, [0, 2]);
}

// RFC 9000 5.1.2 #5 test
// RFC 9000 5.1.2 #6 test
// RFC 9000 5.1.2 #7 test
#[test]
fn retirement_stuffing_ends_the_connection_at_a_bound() {
    let mut ids = ids();
    let limit = Err(ErrorCode::CONNECTION_ID_LIMIT_ERROR);
    let stopped = (1..1000).find(|seq| give(&mut ids, *seq, *seq) == limit);
    assert_eq!(stopped, Some(MAX_RETIRING as u64 + 1));
    assert!(ids.retiring.len() <= MAX_RETIRING);
    // With acknowledgements it may go on for ever.
    let mut ids = self::ids();
    for seq in 1..1000 {
        give(&mut ids, seq, seq).unwrap();
        while let Some(retired) = ids.next_retirement() {
            ids.on_retirement_sent(retired);
            ids.on_acked(retired);
        }
    }
}

#[test]
fn skipped_numbers_cost_a_bounded_memory() {
    let mut ids = ids();
    for seq in 1..10_000 {
        give(&mut ids, seq * 2, seq * 2).unwrap();
        while let Some(retired) = ids.next_retirement() {
            ids.on_acked(retired);
        }
    }
    assert!(ids.seen.len() <= MAX_SEEN);
}

// RFC 9000 19.15 #3 test
// RFC 9000 19.15 #5 test
#[test]
fn contradictions_are_violations() {
    let violation = Err(ErrorCode::PROTOCOL_VIOLATION);
    let code = |result: Result<(), TransportError>| result.map_err(|e| e.code);
    let mut ids = ids();
    give(&mut ids, 1, 0).unwrap();
    assert_eq!(code(ids.on_new(1, 0, cid(9), token(1))), violation);
    assert_eq!(code(ids.on_new(1, 0, cid(1), token(9))), violation);
    assert_eq!(code(ids.on_new(2, 0, cid(1), token(2))), violation);
    assert_eq!(code(ids.on_new(2, 0, cid(2), token(1))), violation);
    let mut ids = RemoteIds::new(ConnectionId::EMPTY, 4).unwrap();
    assert_eq!(give(&mut ids, 1, 0), violation);
}

// RFC 9000 10.3.1 #3 test
#[test]
fn only_tokens_of_ids_in_use_are_believed() {
    let mut ids = ids();
    ids.set_first_token(token(0));
    give(&mut ids, 1, 0).unwrap();
    assert!(!ids.is_reset(&token(0)) && !ids.is_reset(&token(1)));
    ids.on_used(0, addr(1)).unwrap();
    assert!(ids.is_reset(&token(0)) && !ids.is_reset(&token(1)));
    let add = |number, port| CidOp::AddReset {
        token: token(number),
        remote: addr(port),
    };
    let remove = |number, port| CidOp::RemoveReset {
        token: token(number),
        remote: addr(port),
    };
    assert_eq!(ids.poll_op(), Some(add(0, 1)));
    assert_eq!(ids.poll_op(), None);
    // The peer moves, and the token with it.
    ids.on_used(0, addr(2)).unwrap();
    assert_eq!(ids.poll_op(), Some(remove(0, 1)));
    assert_eq!(ids.poll_op(), Some(add(0, 2)));
    ids.retire(0).unwrap();
    assert!(!ids.is_reset(&token(0)));
    assert_eq!(ids.poll_op(), Some(remove(0, 2)));
    assert_eq!(ids.poll_op(), None);
}

// RFC 9000 10.3.1 #4 test
#[test]
fn every_token_is_compared_to_its_end_whatever_the_datagram_says() {
    let mut ids = ids();
    ids.set_first_token(token(0));
    for seq in 1..4 {
        give(&mut ids, seq, 0).unwrap();
    }
    for seq in 0..3 {
        ids.on_used(seq, addr(1)).unwrap();
    }
    let compared = |tail: &[u8; 16]| {
        let before = crate::aead::COMPARED.get();
        let found = ids.is_reset(tail);
        (found, crate::aead::COMPARED.get() - before)
    };
    // The first token, the last one, nothing like any, and all but the first or last byte of one.
    let (mut first, mut last) = (token(1), token(1));
    first[0] ^= 1;
    last[15] ^= 1;
    let all = 3 * 16;
    assert_eq!(compared(&token(0)), (true, all));
    assert_eq!(compared(&token(2)), (true, all));
    for tail in [[0xff; 16], first, last] {
        assert_eq!(compared(&tail), (false, all));
    }
}

#[test]
fn unused_ids_are_given_out_once_in_order() {
    let mut ids = ids();
    give(&mut ids, 2, 0).unwrap();
    give(&mut ids, 1, 0).unwrap();
    assert_eq!(ids.take_unused(), Some(1));
    assert!(ids.take(2) && !ids.take(2));
    assert_eq!(ids.take_unused(), None);
    let mut ids = RemoteIds::new(ConnectionId::EMPTY, 4).unwrap();
    assert_eq!((ids.take_unused(), ids.take_unused()), (Some(0), Some(0)));
}
