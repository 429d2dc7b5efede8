// SPDX-License-Identifier: GPL-2.0

//! Peers that send legal or nearly legal frames without end and acknowledge nothing: whatever the
//! frames provoke, the memory of the whole process stays bounded.
//!
//! The tests count every byte of the heap, so they run one at a time.

mod forge;

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

/// Where the fragment of a number lies.
type Offset = Box<dyn Fn(u64) -> u64>;

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

#[test]
fn packets_with_every_second_number_cost_bounded_memory() {
    let _alone = alone();
    let mut lab = Lab::new(1);
    let region = Region::new(HEAP);
    for _ in 0..100_000 {
        lab.skip_number();
        lab.inject(Side::Client, &[1]);
        lab.drive(Side::Server);
    }
    assert_eq!(lab.error(Side::Server), None);
    assert!(grown(&region) < BOUND, "{}", grown(&region));
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

#[test]
fn a_client_that_acknowledges_at_last_is_followed_again() {
    let _alone = alone();
    let mut lab = Lab::new(1);
    lab.drive(Side::Server);
    let mut numbers: Vec<u64> = vec![];
    let at = |port| SocketAddr::from(([192, 0, 2, 1], port));
    for port in 2_000..2_300 {
        lab.inject_from(at(port), &[1, 0, 0, 0, 0, 0, 0, 0]);
        for packet in lab.drive(Side::Server) {
            let known = numbers.last().copied().unwrap_or(0);
            numbers.push(lab.number(Side::Server, &packet.bytes, known + 1));
        }
    }
    assert_ne!(lab.remote(Side::Server), at(2_299));
    lab.inject(Side::Client, &ack_of(&numbers));
    lab.inject_from(at(9_000), &[1, 0, 0, 0, 0, 0, 0, 0]);
    lab.drive(Side::Server);
    assert_eq!(lab.error(Side::Server), None);
    assert_eq!(lab.remote(Side::Server), at(9_000));
}

#[test]
fn probes_do_not_make_room_for_more_answers_in_flight() {
    let _alone = alone();
    let mut lab = Lab::new(1);
    lab.drive(Side::Server);
    let mut answers = 0;
    for number in 0..500u64 {
        lab.inject(Side::Client, &with_data(0x1a, &number.to_be_bytes()));
        let packets = lab.drive(Side::Server);
        answers += count_frames(&lab, &packets, 0x1b);
        if number > 100 {
            lab.expire_soon(Side::Server);
        }
    }
    assert_eq!((lab.error(Side::Server), answers), (None, 64));
}

/// An ACK frame of exactly these numbers, which ascend.
fn ack_of(numbers: &[u64]) -> Vec<u8> {
    let mut ranges: Vec<(u64, u64)> = vec![];
    for number in numbers.iter().rev() {
        match ranges.last_mut() {
            Some((first, _)) if *first == number + 1 => *first = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let (first, largest) = ranges[0];
    let mut ack = frame(&[0x02, largest, 0, ranges.len() as u64 - 1, largest - first]);
    let mut below = first;
    for (first, last) in &ranges[1..] {
        ack.extend(frame(&[below - last - 2, last - first]));
        below = *first;
    }
    ack
}

#[test]
fn acknowledgements_of_hundreds_of_ranges_are_cheap() {
    let _alone = alone();
    let mut lab = Lab::new(1);
    let mut numbers: Vec<u64> = vec![];
    while numbers.len() < 1_000 {
        lab.write(Side::Server, 100_000);
        for packet in lab.drive(Side::Server) {
            let known = numbers.last().copied().unwrap_or(0);
            numbers.push(lab.number(Side::Server, &packet.bytes, known + 1));
        }
        let newest = numbers.len().saturating_sub(100);
        lab.inject(Side::Client, &ack_of(&numbers[newest..]));
        lab.inject(Side::Client, &frame(&[0x11, 1, 1 << 40, 0x10, 1 << 40]));
        lab.expire_soon(Side::Server);
        assert_eq!(lab.error(Side::Server), None);
    }
    let region = Region::new(HEAP);
    let scattered: Vec<u64> = numbers.iter().step_by(2).copied().collect();
    let ack = ack_of(&scattered[scattered.len() - 400..]);
    // Four million ranges.
    for _ in 0..10_000 {
        lab.inject(Side::Client, &ack);
    }
    assert_eq!(lab.error(Side::Server), None);
    assert!(grown(&region) < BOUND, "{}", grown(&region));
}

// RFC 9000 7.5 #6 test
#[test]
fn handshake_bytes_with_holes_are_bounded() {
    let _alone = alone();
    // One byte of every two, ever farther away, at either level.
    let outcome = flood(Side::Client, 200_000, true, |n| {
        with_data(0x06, &[&frame(&[2 * n + 1, 1])[..], b"x"].concat())
    });
    assert_eq!(outcome.error, Some(ErrorCode::CRYPTO_BUFFER_EXCEEDED.0));
    assert!(outcome.held < BOUND, "{outcome:?}");
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let region = Region::new(HEAP);
    for number in 0..250u8 {
        let mut frames = vec![];
        for hole in 0..200u64 {
            let offset = 2 * (hole + 200 * u64::from(number)) + 1;
            frames.extend(with_data(0x06, &frame(&[offset, 1])));
            frames.push(7);
        }
        let packet = forge::numbered_initial(&first[0].1.bytes, number, 0x66, b"", &frames);
        client.receive(now, &forge::packet_to_client(packet));
    }
    let info = client.connection.close_info().expect("a cause");
    assert_eq!(info.code, ErrorCode::CRYPTO_BUFFER_EXCEEDED.0);
    assert!(grown(&region) < BOUND);
}

#[test]
fn what_is_coalesced_with_a_first_packet_is_kept_in_bounds() {
    let _alone = alone();
    let mut setup = Setup::default();
    setup.shape.certificate = 500;
    let mut server = forge::fresh_server(setup);
    let (_, now) = forge::fresh_client(1);
    let first = forge::first_flight(1).remove(0);
    server.receive(now, first.clone());
    server.drive(now);
    let region = Region::new(HEAP);
    // Packets whose keys are still to come, many in each datagram.
    let (dcid, scid) = forge::long_ids(&first.bytes);
    for number in 0..20_000u32 {
        let mut bytes = vec![];
        while bytes.len() < 1_200 {
            for (kind, len) in [(0xd3u8, 40u16), (0xe3, 40)] {
                bytes.extend([kind, 0, 0, 0, 1, dcid.len() as u8]);
                bytes.extend(&dcid);
                bytes.push(scid.len() as u8);
                bytes.extend(&scid);
                bytes.extend((0x4000 | len).to_be_bytes());
                bytes.extend(number.to_be_bytes());
                bytes.extend([0x55; 36]);
            }
        }
        let packet = Packet {
            bytes,
            ..first.clone()
        };
        server.receive(now, packet);
        server.drive(now);
    }
    assert_eq!(server.peers.len(), 1);
    let held = server.peers[0].connection.recv_truesize();
    assert!(held < BOUND && grown(&region) < BOUND, "{held}");
}

#[test]
fn streams_that_come_and_go_leave_nothing() {
    let _alone = alone();
    let cases: Vec<(&str, Make)> = vec![
        ("reset", Box::new(|n| frame(&[0x04, 4 * n + 2, 7, 0]))),
        ("FIN only", Box::new(|n| frame(&[0x0b, 4 * n + 2, 0]))),
        (
            "one byte and FIN",
            Box::new(|n| with_data(0x0b, &[&frame(&[4 * n + 2, 1])[..], b"x"].concat())),
        ),
        (
            "reset of a bidirectional one",
            Box::new(|n| frame(&[0x04, 4 * n + 4, 7, 0, 0x05, 4 * n + 4, 7])),
        ),
    ];
    for (what, make) in cases {
        let outcome = flood(Side::Client, 100_000, false, &make);
        // Nobody reads, or nobody acknowledges: the limit of streams is the bound.
        let code = ErrorCode::STREAM_LIMIT_ERROR.0;
        assert_eq!(outcome.error, Some(code), "{what} {outcome:?}");
        // A packet with MAX_STREAMS that is not acknowledged keeps a block of the store of sent
        // packets for itself, when the others of the block held nothing but ACK frames.
        assert!(outcome.held < 2 * BOUND, "{what} {outcome:?}");
    }
}

#[test]
fn the_highest_stream_opens_all_below_for_little_memory() {
    let _alone = alone();
    let mut lab = Lab::new(1);
    lab.inject(Side::Client, &[1]);
    lab.drive(Side::Server);
    let region = Region::new(HEAP);
    // The 100th of each type.
    for id in [4 * 99, 4 * 99 + 2] {
        lab.inject(
            Side::Client,
            &with_data(0x0a, &[&frame(&[id, 1])[..], b"x"].concat()),
        );
        lab.drive(Side::Server);
    }
    assert_eq!(lab.error(Side::Server), None);
    assert!(grown(&region) < 20_000, "{}", grown(&region));
}

// RFC 9000 21.7 #1 test
#[test]
fn fragments_of_one_byte_are_bounded_in_any_order() {
    let _alone = alone();
    let far = 200_000;
    let cases: Vec<(&str, Offset)> = vec![
        ("every second, upwards", Box::new(|n| 2 * n + 1)),
        ("every second, downwards", Box::new(move |n| 2 * (far - n))),
        ("scattered", Box::new(move |n| (n * 7_919) % far)),
    ];
    for (what, offset) in cases {
        for id in [4, 6] {
            let outcome = flood(Side::Client, far / 2, true, |n| {
                let header = frame(&[0x0e, id, offset(n), 1]);
                [&header[..], b"x"].concat()
            });
            assert!(outcome.held < 3 << 20, "{what} {outcome:?}");
        }
    }
}

#[test]
fn empty_and_tiny_datagrams_cost_nothing() {
    let _alone = alone();
    let mut lab = Lab::new(1);
    let before = lab.opened(Side::Server);
    let region = Region::new(HEAP);
    for number in 0..200_000u32 {
        let bytes = vec![number as u8 | 0x40; number as usize % 3];
        lab.deliver(Side::Server, bytes);
        assert!(lab.drive(Side::Server).is_empty());
    }
    assert_eq!(lab.opened(Side::Server), before);
    assert_eq!(lab.error(Side::Server), None);
    assert!(grown(&region) < 10_000);
}
