// SPDX-License-Identifier: GPL-2.0

//! Peers that send legal or nearly legal frames without end and acknowledge nothing: whatever the
//! frames provoke, the memory of the whole process stays bounded.
//!
//! The tests count every byte of the heap, so they run one at a time.

mod acks;
#[path = "../forge/mod.rs"]
mod forge;
mod handshake;
mod streams;

use std::alloc::System;
use std::net::SocketAddr;
use std::sync::{
    Mutex,
    MutexGuard,
    PoisonError, //
};

use forge::Lab;
use quic_core::common::{
    ErrorCode,
    Side, //
};
use quic_sim::forge::frame;
use quic_sim::net::Packet;
use quic_sim::node::Setup;
use quic_sim::world::Node;
use stats_alloc::{
    Region,
    StatsAlloc,
    INSTRUMENTED_SYSTEM, //
};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time: the counters are those of the process.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of the heap that are held beyond those at the region's start.
fn grown(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change
        .bytes_allocated
        .saturating_sub(change.bytes_deallocated)
}

/// Makes the frames of a number.
type Make = Box<dyn Fn(u64) -> Vec<u8>>;

/// Frame bytes of one packet.
const PAYLOAD: usize = 1_200;

/// What a flood has done.
#[derive(Debug)]
struct Outcome {
    /// The most bytes of the heap beyond those before the flood.
    held: usize,
    /// Datagrams that the victim sent.
    answers: usize,
    /// How the victim closed the connection, if it did.
    error: Option<u64>,
    packets: usize,
}

/// Sends `count` frames to the peer of `sender`, as many as fit in a packet or one per packet. The
/// victim answers, and its answers are lost.
fn flood(sender: Side, count: u64, packed: bool, make: impl Fn(u64) -> Vec<u8>) -> Outcome {
    let mut lab = Lab::new(1);
    let victim = sender.peer();
    lab.drive(victim);
    let region = Region::new(HEAP);
    let mut outcome = Outcome {
        held: 0,
        answers: 0,
        error: None,
        packets: 0,
    };
    let mut payload = vec![];
    for number in 0..count {
        payload.extend(make(number));
        if packed && payload.len() < PAYLOAD && number + 1 < count {
            continue;
        }
        lab.inject(sender, &payload);
        payload.clear();
        outcome.answers += lab.drive(victim).len();
        outcome.packets += 1;
        if outcome.packets % 64 == 0 {
            // Acknowledgements and probes fall due.
            lab.expire_soon(victim);
            outcome.answers += lab.drive(victim).len();
            outcome.held = outcome.held.max(grown(&region));
        }
        outcome.error = lab.error(victim);
        if outcome.error.is_some() {
            break;
        }
    }
    outcome.held = outcome.held.max(grown(&region));
    outcome
}

fn with_data(number: u64, data: &[u8]) -> Vec<u8> {
    let mut frame = frame(&[number]);
    frame.extend(data);
    frame
}

/// Bytes that the reaction to a flood may hold: what is sent and not acknowledged is remembered.
const BOUND: usize = 300_000;

#[test]
fn a_million_challenges_queue_nothing() {
    let _alone = alone();
    let challenge = |number: u64| with_data(0x1a, &number.to_be_bytes());
    for (count, packed) in [(1_000_000, true), (50_000, false)] {
        let outcome = flood(Side::Client, count, packed, challenge);
        assert_eq!(outcome.error, None);
        assert!(outcome.held < BOUND, "{outcome:?}");
        // At most one datagram of answers for each that asks.
        assert!(outcome.answers <= outcome.packets + 1_000, "{outcome:?}");
    }
}

#[test]
fn every_frame_that_provokes_an_answer_may_come_for_ever() {
    let _alone = alone();
    let cases: Vec<(&str, Make)> = vec![
        ("PING", Box::new(|_| frame(&[0x01]))),
        ("MAX_DATA", Box::new(|n| frame(&[0x10, n]))),
        ("MAX_STREAM_DATA", Box::new(|n| frame(&[0x11, 0, n]))),
        ("MAX_STREAMS", Box::new(|n| frame(&[0x12 + n % 2, n]))),
        ("DATA_BLOCKED", Box::new(|n| frame(&[0x14, n]))),
        (
            "STREAM_DATA_BLOCKED",
            Box::new(|n| frame(&[0x15, 4 * (n % 100), n])),
        ),
        ("STREAMS_BLOCKED", Box::new(|n| frame(&[0x16 + n % 2, n]))),
        (
            "STOP_SENDING",
            Box::new(|n| frame(&[0x05, 4 * (n % 100), n])),
        ),
        (
            "STREAM, empty",
            Box::new(|n| frame(&[0x0a, 4 * (n % 100), 0])),
        ),
        (
            "PATH_RESPONSE",
            Box::new(|n| with_data(0x1b, &n.to_be_bytes())),
        ),
        ("ACK of the same", Box::new(|_| frame(&[0x02, 0, 0, 0, 0]))),
        (
            "ACK_FREQUENCY",
            Box::new(|n| frame(&[0xaf, n, 1, 25_000, 1])),
        ),
        ("IMMEDIATE_ACK", Box::new(|_| frame(&[0x1f]))),
    ];
    for (what, make) in cases {
        for (count, packed) in [(200_000, true), (10_000, false)] {
            let outcome = flood(Side::Client, count, packed, &make);
            assert_eq!(outcome.error, None, "{what}: {outcome:?}");
            assert!(outcome.held < BOUND, "{what}: {outcome:?}");
        }
    }
}

#[test]
fn floods_of_a_server_are_survived_by_its_client() {
    let _alone = alone();
    let cases: Vec<(&str, Make)> = vec![
        (
            "NEW_TOKEN",
            Box::new(|n| {
                let mut token = frame(&[0x07, 100]);
                token.extend(n.to_be_bytes().repeat(13).into_iter().take(100));
                token
            }),
        ),
        ("HANDSHAKE_DONE", Box::new(|_| frame(&[0x1e]))),
        (
            "tickets",
            Box::new(|n| {
                // Behind the ticket of the scripted handshake.
                let mut ticket = frame(&[0x06, 104 + 44 * n, 44]);
                ticket.extend([4, 0, 0, 40]);
                ticket.extend([7; 40]);
                ticket
            }),
        ),
    ];
    for (what, make) in cases {
        let outcome = flood(Side::Server, 100_000, true, &make);
        assert_eq!(outcome.error, None, "{what}: {outcome:?}");
        assert!(outcome.held < BOUND, "{what}: {outcome:?}");
    }
}

/// NEW_CONNECTION_ID.
fn new_id(seq: u64, prior_to: u64) -> Vec<u8> {
    let mut out = frame(&[0x18, seq, prior_to]);
    out.push(8);
    out.extend((seq | (1 << 40)).to_be_bytes());
    out.extend([seq as u8; 8]);
    out.extend(seq.to_be_bytes());
    out
}

#[test]
fn ids_that_retire_each_other_end_the_connection() {
    let _alone = alone();
    let outcome = flood(Side::Client, 100_000, false, |n| new_id(n + 20, n + 20));
    assert_eq!(outcome.error, Some(ErrorCode::CONNECTION_ID_LIMIT_ERROR.0));
    assert!(outcome.packets < 100, "{outcome:?}");
    assert!(outcome.held < BOUND, "{outcome:?}");
}

#[test]
fn retired_ids_are_replaced_no_faster_than_they_are_announced() {
    let _alone = alone();
    // The ids 0 and 1 are in use; every other one is given back as soon as it can exist.
    let outcome = flood(Side::Client, 100_000, false, |n| frame(&[0x19, n + 2]));
    assert!(outcome.held < BOUND, "{outcome:?}");
    let code = ErrorCode::PROTOCOL_VIOLATION.0;
    assert!(outcome.error.is_none_or(|error| error == code));
}

/// Counts the frames of a type in what the server sends.
fn count_frames(lab: &Lab, packets: &[Packet], kind: u64) -> usize {
    let kinds = packets.iter().flat_map(|p| lab.kinds(Side::Server, p));
    kinds.filter(|k| *k == kind).count()
}

/// An address for each number.
type Addresses = fn(u32) -> SocketAddr;

// RFC 9000 21.9 #1 test
#[test]
fn a_client_that_is_somewhere_else_with_each_packet_costs_bounded_memory() {
    let _alone = alone();
    let port: Addresses = |n| SocketAddr::from(([192, 0, 2, 1], 2_000 + (n % 60_000) as u16));
    let host: Addresses =
        |n| SocketAddr::from(([10, (n >> 16) as u8, (n >> 8) as u8, n as u8], 1_111));
    let cases = [
        ("ports", port, false),
        ("hosts", host, false),
        ("ports, slowly", port, true),
        ("hosts, slowly", host, true),
    ];
    for (what, addr, is_slow) in cases {
        let mut lab = Lab::new(1);
        lab.drive(Side::Server);
        let region = Region::new(HEAP);
        let (mut challenges, mut held) = (0, 0);
        for n in 0..50_000 {
            lab.inject_from(addr(n), &[1, 0, 0, 0, 0, 0, 0, 0]);
            let packets = lab.drive(Side::Server);
            challenges += count_frames(&lab, &packets, 0x1a);
            if n % 64 == 0 {
                held = held.max(grown(&region));
                if is_slow {
                    lab.expire_soon(Side::Server);
                }
            }
        }
        // With time, the server gives up a client that answers no challenge anywhere.
        let expected = if is_slow { Some(0) } else { None };
        assert_eq!(lab.error(Side::Server), expected, "{what}");
        assert!((64..100).contains(&challenges), "{what}: {challenges}");
        held = held.max(grown(&region));
        assert!(held < BOUND, "{what}: {held}");
    }
}
