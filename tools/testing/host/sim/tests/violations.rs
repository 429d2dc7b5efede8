// SPDX-License-Identifier: GPL-2.0

//! Peers that break the rules: each wrong input gives exactly the error that the RFCs name, and
//! floods of right ones are survived.

use quic_core::common::id::{
    Dir,
    Level,
    Side, //
};
use quic_core::common::time::Duration;
use quic_core::conn::event::{
    CloseInfo,
    CloseKind, //
};
use quic_core::conn::State;
use quic_sim::forge::{
    frame,
    varint,
    Forger, //
};
use quic_sim::net::{
    Link,
    Packet, //
};
use quic_sim::node::Setup;
use quic_sim::pair::{
    client_addr,
    server_addr,
    Pair, //
};

const MAX: u64 = (1 << 62) - 1;

/// A pair with an open bidirectional stream of the client and one of the server, both idle.
fn pair() -> Pair {
    let mut client = Setup::default();
    client.plan.streams = vec![(Dir::Bidi, 1_000), (Dir::Uni, 1_000)];
    let mut server = Setup::default();
    server.config.ack_frequency = false;
    server.plan.streams = vec![(Dir::Uni, 1_000)];
    let mut pair = Pair::new(1, Link::lossy(5, 0), &client, server);
    assert!(pair.transfer(10, 2, 1));
    pair.wait(Duration::from_millis(200));
    pair
}

/// A forger that attacks `victim`, sending to the victim's id number `seq`.
fn forger(pair: &Pair, victim: Side, seq: usize) -> Forger {
    let (client, server) = (pair.client.borrow(), pair.server.borrow());
    let (client, server) = (&client.peer.ids, &server.peers[0].ids);
    // The server's first entry may be the client's original destination id.
    let find = |ids: &[(u64, quic_core::common::id::ConnectionId)], seq: usize| {
        let issued = ids.iter().rev().find(|(number, _)| *number == seq as u64);
        issued.expect("an id of this number").1
    };
    match victim {
        Side::Server => Forger::new(Side::Client, find(server, seq), find(client, 0)),
        Side::Client => Forger::new(Side::Server, find(client, seq), find(server, 0)),
    }
}

fn inject(pair: &mut Pair, victim: Side, bytes: Vec<u8>) {
    let (src, dst) = match victim {
        Side::Server => (client_addr(), server_addr()),
        Side::Client => (server_addr(), client_addr()),
    };
    let now = pair.world.now;
    let packet = Packet {
        src,
        dst,
        ecn: 0,
        bytes,
    };
    pair.world.net.send(now, packet);
}

fn cause(pair: &Pair, victim: Side) -> Option<CloseInfo> {
    match victim {
        Side::Server => pair.server.borrow().peers[0]
            .connection
            .close_info()
            .copied(),
        Side::Client => pair.client.borrow().peer.connection.close_info().copied(),
    }
}

/// Sends one packet with `payload` and returns the code the victim closes with.
fn code(victim: Side, level: Level, flip: u8, payload: &[u8]) -> Option<u64> {
    let mut pair = pair();
    let mut forger = forger(&pair, victim, 1);
    forger.flip = flip;
    let packet = forger.packet(level, payload);
    inject(&mut pair, victim, packet);
    pair.wait(Duration::from_millis(7));
    let info = cause(&pair, victim)?;
    assert_eq!(info.kind, CloseKind::LocalTransport);
    Some(info.code)
}

fn with_bytes(fields: &[u64], bytes: &[u8]) -> Vec<u8> {
    let mut out = frame(fields);
    out.extend_from_slice(bytes);
    out
}

/// NEW_CONNECTION_ID with an id of `len` bytes.
fn new_id(seq: u64, prior_to: u64, len: usize) -> Vec<u8> {
    let mut out = frame(&[0x18, seq, prior_to]);
    out.push(len as u8);
    out.extend(varint(seq | (1 << 40)).into_iter().cycle().take(len));
    out.extend([seq as u8; 16]);
    out
}

const FLOW_CONTROL: u64 = 0x03;
const STREAM_LIMIT: u64 = 0x04;
const STREAM_STATE: u64 = 0x05;
const FINAL_SIZE: u64 = 0x06;
const FRAME_ENCODING: u64 = 0x07;
const ID_LIMIT: u64 = 0x09;
const VIOLATION: u64 = 0x0a;
const CRYPTO_BUFFER: u64 = 0x0d;

// RFC 9000 12.4 #2 test
// RFC 9000 12.4 #4 test
// RFC 9000 12.4 #5 test
// RFC 9000 13.1 #2 test
// RFC 9000 17.3.1 #3 test
// RFC 9000 19.7 #3 test
// RFC 9000 19.15 #2 test
// RFC 9000 19.15 #7 test
// RFC 9000 19.16 #1 test
// RFC 9000 19.16 #2 test
// RFC 9000 19.20 #2 test
// RFC 9001 6 #3 test
#[test]
fn a_client_that_breaks_a_rule_gets_the_error_of_the_rfc() {
    let table: &[(&str, u64, Vec<u8>)] = &[
        ("unknown frame", FRAME_ENCODING, frame(&[0x3f])),
        ("unknown long frame", FRAME_ENCODING, frame(&[0x7ab3])),
        ("long type for PING", VIOLATION, vec![0x40, 0x01]),
        ("truncated frame", FRAME_ENCODING, vec![0x10]),
        ("HANDSHAKE_DONE", VIOLATION, frame(&[0x1e])),
        ("NEW_TOKEN", VIOLATION, with_bytes(&[0x07, 3], b"abc")),
        ("ACK of unsent", VIOLATION, frame(&[0x02, 1 << 40, 0, 0, 0])),
        ("ACK below zero", FRAME_ENCODING, frame(&[0x02, 1, 0, 0, 2])),
        (
            "data on our stream",
            STREAM_STATE,
            with_bytes(&[0x0a, 3, 1], b"x"),
        ),
        (
            "data on unopened",
            STREAM_STATE,
            with_bytes(&[0x0a, 1, 1], b"x"),
        ),
        (
            "too many streams",
            STREAM_LIMIT,
            with_bytes(&[0x0a, 404, 1], b"x"),
        ),
        (
            "too many uni",
            STREAM_LIMIT,
            with_bytes(&[0x0a, 4 * 100 + 2, 1], b"x"),
        ),
        (
            "beyond credit",
            FLOW_CONTROL,
            with_bytes(&[0x0e, 8, 1 << 30, 1], b"x"),
        ),
        (
            "end beyond 2^62",
            FRAME_ENCODING,
            with_bytes(&[0x0e, 8, MAX, 1], b"x"),
        ),
        (
            "beyond the end",
            FINAL_SIZE,
            with_bytes(&[0x0e, 0, 1_000, 1], b"x"),
        ),
        ("another end", FINAL_SIZE, frame(&[0x04, 0, 7, 999])),
        (
            "reset beyond credit",
            FLOW_CONTROL,
            frame(&[0x04, 8, 7, 1 << 40]),
        ),
        ("reset of ours", STREAM_STATE, frame(&[0x04, 3, 7, 0])),
        ("stop what is theirs", STREAM_STATE, frame(&[0x05, 2, 7])),
        ("stop what is not there", STREAM_STATE, frame(&[0x05, 1, 7])),
        ("credit for theirs", STREAM_STATE, frame(&[0x11, 2, 9])),
        ("credit for nothing", STREAM_STATE, frame(&[0x11, 5, 9])),
        ("blocked on ours", STREAM_STATE, frame(&[0x15, 3, 9])),
        (
            "too many allowed",
            FRAME_ENCODING,
            frame(&[0x12, (1 << 60) + 1]),
        ),
        (
            "too many blocked",
            FRAME_ENCODING,
            frame(&[0x16, (1 << 60) + 1]),
        ),
        ("id retires later", FRAME_ENCODING, new_id(20, 21, 8)),
        ("id without bytes", FRAME_ENCODING, new_id(20, 0, 0)),
        ("id too long", FRAME_ENCODING, new_id(20, 0, 21)),
        ("ids beyond the limit", ID_LIMIT, new_id(20, 0, 8)),
        ("retired unissued", VIOLATION, frame(&[0x19, 999])),
        ("retired in use", VIOLATION, frame(&[0x19, 1])),
        ("datagram unasked", VIOLATION, with_bytes(&[0x31, 1], b"x")),
        (
            "crypto far ahead",
            CRYPTO_BUFFER,
            with_bytes(&[0x06, 1 << 20, 1], b"x"),
        ),
        (
            "TLS key update",
            0x10a,
            with_bytes(&[0x06, 0, 5], &[24, 0, 0, 1, 0]),
        ),
        (
            "frequency unasked",
            FRAME_ENCODING,
            frame(&[0xaf, 0, 1, 1000, 1]),
        ),
        ("no frame", VIOLATION, vec![]),
    ];
    for (name, expected, payload) in table {
        let found = code(Side::Server, Level::App, 0, payload);
        assert_eq!(found, Some(*expected), "{name}");
    }
    assert_eq!(code(Side::Server, Level::App, 0x08, &[1]), Some(VIOLATION));
    assert_eq!(code(Side::Server, Level::App, 0x10, &[1]), Some(VIOLATION));
    assert_eq!(code(Side::Server, Level::App, 0, &[1]), None);
}

// RFC 9001 4.4 #6 test
// RFC 9001 4.6.1 #2 test
#[test]
fn a_server_that_breaks_a_rule_gets_the_error_of_the_rfc() {
    let ticket = |size: u32| {
        let mut message = vec![4, 0, 0, 24];
        message.extend([0; 8]);
        message.extend([1, 9, 0, 2, 5, 5, 0, 8, 0, 42, 0, 4]);
        message.extend(size.to_be_bytes());
        // Behind the honest ticket of 104 bytes.
        with_bytes(&[0x06, 104, message.len() as u64], &message)
    };
    let table: &[(&str, Option<u64>, Vec<u8>)] = &[
        ("ticket without 0-RTT limit", None, ticket(0xffff_ffff)),
        ("ticket with 0-RTT limit", Some(VIOLATION), ticket(1000)),
        (
            "certificate request",
            Some(VIOLATION),
            with_bytes(&[0x06, 104, 5], &[13, 0, 0, 1, 0]),
        ),
        (
            "TLS key update",
            Some(0x10a),
            with_bytes(&[0x06, 104, 5], &[24, 0, 0, 1, 0]),
        ),
        ("empty token", Some(FRAME_ENCODING), frame(&[0x07, 0])),
        (
            "data on ours",
            Some(STREAM_STATE),
            with_bytes(&[0x0a, 2, 1], b"x"),
        ),
        ("HANDSHAKE_DONE again", None, frame(&[0x1e])),
        ("old limits", None, frame(&[0x10, 1])),
    ];
    for (name, expected, payload) in table {
        assert_eq!(
            code(Side::Client, Level::App, 0, payload),
            *expected,
            "{name}"
        );
    }
}

#[test]
fn a_challenge_flood_is_answered_in_bounded_memory() {
    let mut pair = pair();
    let mut forger = forger(&pair, Side::Server, 1);
    let before = pair.world.net.counts(quic_sim::net::Way::Down).sent;
    for number in 0..5_000u64 {
        let mut payload = vec![0x1a];
        payload.extend(number.to_be_bytes());
        let packet = forger.packet(Level::App, &payload);
        inject(&mut pair, Side::Server, packet);
    }
    pair.wait(Duration::from_secs(2));
    let server = pair.server.borrow();
    assert_eq!(server.peers[0].state(), State::Established);
    assert!(server.peers[0].connection.send_truesize() < 100_000);
    let answers = pair.world.net.counts(quic_sim::net::Way::Down).sent - before;
    assert!(answers <= 5_100, "{answers}");
}

// RFC 9000 5.1.2 #7 test
#[test]
fn retirement_stuffing_closes_the_connection() {
    let mut pair = pair();
    let mut forger = forger(&pair, Side::Server, 1);
    // The honest client acknowledges nothing the forger provokes.
    pair.world.net.link(quic_sim::net::Way::Down).blackhole = true;
    for seq in 10..200 {
        let packet = forger.packet(Level::App, &new_id(seq, seq, 8));
        inject(&mut pair, Side::Server, packet);
    }
    pair.wait(Duration::from_millis(20));
    let info = cause(&pair, Side::Server).expect("a cause");
    assert_eq!(info.code, ID_LIMIT);
}

#[test]
fn floods_of_legal_frames_cost_no_memory() {
    for payload in [
        frame(&[0x14, 5]),
        frame(&[0x15, 0, 5]),
        frame(&[0x16, 5]),
        frame(&[0x10, 5]),
        frame(&[0x01]),
        frame(&[0x05, 0, 1]),
        frame(&[0x19, 0]),
    ] {
        let mut pair = pair();
        let mut forger = forger(&pair, Side::Server, 1);
        for _ in 0..2_000 {
            let packet = forger.packet(Level::App, &payload);
            inject(&mut pair, Side::Server, packet);
        }
        pair.wait(Duration::from_secs(1));
        let server = pair.server.borrow();
        let peer = &server.peers[0];
        assert_eq!(peer.state(), State::Established, "{payload:?}");
        let held = peer.connection.send_truesize() + peer.connection.recv_truesize();
        assert!(held < 100_000, "{payload:?} {held}");
    }
}
