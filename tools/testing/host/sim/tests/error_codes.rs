// SPDX-License-Identifier: GPL-2.0

//! The error cases that h3spec tries against servers, at the level of QUIC and of TLS: each wrong
//! input gives exactly the code that RFC 9000 and RFC 9001 name.
//!
//! What TLS itself finds (no common protocol, KeyUpdate or EndOfEarlyData in the handshake) is the
//! library's business; here the core must hand its alert to the peer unchanged.

mod forge;

use std::rc::Rc;

use forge::Lab;
use quic_core::common::{
    Dir,
    ErrorCode,
    Level,
    Reader,
    Side, //
};
use quic_core::conn::event::CloseKind;
use quic_sim::forge::{
    frame,
    varint,
    Forger, //
};
use quic_sim::net::{
    Link,
    Packet, //
};
use quic_sim::node::{
    MakeAgent,
    Server,
    Setup, //
};
use quic_sim::pair::Pair;
use quic_sim::tls::{
    Agent,
    Script,
    Shape,
    Step, //
};
use quic_sim::world::Node;

/// A change of encoded transport parameters; `None` leaves the extension out.
type Alter = fn(Vec<u8>) -> Option<Vec<u8>>;

/// The scripted handshake with other transport parameters than the connection's.
struct Altered {
    script: Script,
    alter: Alter,
    is_absent: bool,
}

impl Agent for Altered {
    fn start(&mut self) -> Vec<Step> {
        self.script.start()
    }

    fn on_params(&mut self, params: &[u8]) -> Vec<Step> {
        let params = (self.alter)(params.to_vec()).unwrap_or_default();
        self.script.on_params(&params)
    }

    fn on_bytes(&mut self, level: Level, bytes: &[u8]) -> Vec<Step> {
        let mut steps = self.script.on_bytes(level, bytes);
        if self.is_absent {
            steps.retain(|step| !matches!(step, Step::PeerParams(_)));
        }
        steps
    }
}

/// A handshake in which `liar` sends altered parameters, and the peer of one that sends none sees
/// none.
fn agent(liar: Side, alter: Alter) -> MakeAgent {
    Rc::new(move |side| {
        Box::new(Altered {
            script: Script::new(side, Shape::default()),
            alter: if side == liar { alter } else { Some },
            is_absent: side != liar && alter(vec![]).is_none(),
        })
    })
}

/// What the peer of `liar` closes with, and what the liar is told.
fn with_params(liar: Side, alter: Alter) -> (Option<u64>, Option<u64>) {
    let setup = Setup {
        agent: Some(agent(liar, alter)),
        ..Setup::default()
    };
    let mut pair = Pair::new(1, Link::lossy(5, 0), &setup, setup.clone());
    pair.wait(quic_core::common::Duration::from_millis(200));
    let (client, server) = (pair.client.borrow(), pair.server.borrow());
    let (server, client) = (&server.peers[0], &client.peer);
    let (honest, liar) = match liar {
        Side::Client => (server, client),
        Side::Server => (client, server),
    };
    let local = honest.connection.close_info();
    if let Some(info) = local {
        assert_eq!(info.kind, CloseKind::LocalTransport);
    }
    let told = liar.connection.close_info().map(|info| info.code);
    (local.map(|info| info.code), told)
}

/// Parameters without those of this number.
fn without(params: &[u8], id: u64) -> Vec<u8> {
    let mut reader = Reader::new(params);
    let mut kept = vec![];
    while !reader.is_empty() {
        let number = reader.varint().expect("well encoded");
        let value = reader.varint_bytes().expect("well encoded");
        if number != id {
            kept.extend(param(number, value));
        }
    }
    kept
}

fn param(id: u64, value: &[u8]) -> Vec<u8> {
    [&varint(id)[..], &varint(value.len() as u64), value].concat()
}

/// Parameters with this one in place of any of the same number.
fn with(params: &[u8], id: u64, value: &[u8]) -> Vec<u8> {
    [without(params, id), param(id, value)].concat()
}

const ORIGINAL: u64 = 0x00;
const RESET_TOKEN: u64 = 0x02;
const MAX_PAYLOAD: u64 = 0x03;
const ACK_EXPONENT: u64 = 0x0a;
const MAX_ACK_DELAY: u64 = 0x0b;
const PREFERRED: u64 = 0x0d;
const SOURCE: u64 = 0x0f;
const RETRY_SOURCE: u64 = 0x10;

fn preferred() -> Vec<u8> {
    let mut value = vec![9; 24];
    value.push(8);
    value.extend([7; 24]);
    value
}

#[test]
fn wrong_transport_parameters_give_transport_parameter_error() {
    // RFC 9000 7.3 #2 test, RFC 9000 7.4 #3 test, RFC 9000 18.2 #7 test
    let both: &[(&str, Alter)] = &[
        ("source id missing", |p| Some(without(&p, SOURCE))),
        ("source id another", |p| Some(with(&p, SOURCE, &[5; 8]))),
        ("payload too small", |p| {
            Some(with(&p, MAX_PAYLOAD, &varint(1_199)))
        }),
        ("exponent too large", |p| {
            Some(with(&p, ACK_EXPONENT, &[21]))
        }),
        ("delay too large", |p| {
            Some(with(&p, MAX_ACK_DELAY, &varint(1 << 14)))
        }),
        ("twice", |p| {
            Some(
                [
                    &p[..],
                    &param(ACK_EXPONENT, &[3]),
                    &param(ACK_EXPONENT, &[3]),
                ]
                .concat(),
            )
        }),
        ("cut short", |p| Some([&p[..], &[0x20, 9]].concat())),
    ];
    let of_clients: &[(&str, Alter)] = &[
        ("original id", |p| Some(with(&p, ORIGINAL, &[5; 8]))),
        ("preferred address", |p| {
            Some(with(&p, PREFERRED, &preferred()))
        }),
        ("retry id", |p| Some(with(&p, RETRY_SOURCE, &[5; 8]))),
        ("reset token", |p| Some(with(&p, RESET_TOKEN, &[5; 16]))),
    ];
    let of_servers: &[(&str, Alter)] = &[
        ("original id missing", |p| Some(without(&p, ORIGINAL))),
        ("original id another", |p| Some(with(&p, ORIGINAL, &[5; 8]))),
        ("retry id without Retry", |p| {
            Some(with(&p, RETRY_SOURCE, &[5; 8]))
        }),
    ];
    let code = ErrorCode::TRANSPORT_PARAMETER_ERROR.0;
    for (liar, tables) in [
        (Side::Client, [both, of_clients]),
        (Side::Server, [both, of_servers]),
    ] {
        for (what, alter) in tables.into_iter().flatten() {
            let found = with_params(liar, *alter);
            assert_eq!(found, (Some(code), Some(code)), "{liar:?}: {what}");
        }
        // Nothing is wrong with the table's tools.
        assert_eq!(with_params(liar, Some), (None, None));
    }
}

#[test]
fn without_transport_parameters_the_handshake_ends_with_missing_extension() {
    // RFC 9001 8.2 #1 test, RFC 9001 8.2 #2 test
    for liar in [Side::Client, Side::Server] {
        let (found, _) = with_params(liar, |_| None);
        assert_eq!(found, Some(0x16d), "{liar:?}");
    }
}

/// A server in the middle of its handshake, and a forger in the name of its client.
fn half_open(early: bool) -> (Server, Forger, Packet) {
    let mut setup = Setup::default();
    setup.plan.unchecked = true;
    setup.shape.early = early;
    setup.shape.accept_early = early;
    let mut server = forge::fresh_server(setup);
    let (_, now) = forge::fresh_client(1);
    let first = forge::first_flight(1).remove(0);
    server.receive(now, first.clone());
    server.drive(now);
    let (_, scid) = forge::long_ids(&first.bytes);
    let ids = &server.peers[0].ids;
    let own = ids
        .iter()
        .rev()
        .find(|(seq, _)| *seq == 0)
        .expect("an id")
        .1;
    let scid = quic_core::common::ConnectionId::new(&scid).expect("a length");
    (server, Forger::new(Side::Client, own, scid), first)
}

/// A name, level, bits to flip and payload of a packet, and the code that must come.
type Case = (&'static str, Level, u8, Vec<u8>, Option<u64>);

/// What a server in its handshake closes with after a packet of this level.
fn in_handshake(level: Level, flip: u8, payload: &[u8]) -> Option<u64> {
    let (mut server, mut forger, first) = half_open(level == Level::Early);
    let (_, now) = forge::fresh_client(1);
    forger.flip = flip;
    let bytes = forger.packet(level, payload);
    let opened = server.peers[0].stats.pkt_in;
    server.receive(now, Packet { bytes, ..first });
    server.drive(now);
    // A packet that breaks rules must have been opened to be found out.
    let peer = &server.peers[0];
    let is_found = peer.connection.close_info().is_some();
    assert!(is_found || peer.stats.pkt_in > opened);
    peer.connection.close_info().map(|info| info.code)
}

#[test]
fn packets_of_the_handshake_with_wrong_bits_or_frames_give_protocol_violation() {
    // RFC 9000 12.4 #3 test, RFC 9000 17.2 #9 test, RFC 9001 8.3 #2 test
    let violation = Some(ErrorCode::PROTOCOL_VIOLATION.0);
    let challenge = [&[0x1a][..], &[5; 8]].concat();
    let cases: Vec<Case> = vec![
        ("nothing wrong", Level::Handshake, 0, vec![1, 0, 0], None),
        (
            "reserved bit",
            Level::Handshake,
            0x08,
            vec![1, 0, 0],
            violation,
        ),
        (
            "other reserved bit",
            Level::Handshake,
            0x04,
            vec![1, 0, 0],
            violation,
        ),
        ("no frames", Level::Handshake, 0, vec![], violation),
        (
            "PATH_CHALLENGE",
            Level::Handshake,
            0,
            challenge.clone(),
            violation,
        ),
        (
            "STREAM",
            Level::Handshake,
            0,
            vec![0x0a, 0, 1, 7],
            violation,
        ),
        ("MAX_DATA", Level::Handshake, 0, vec![0x10, 9], violation),
        (
            "close of the application",
            Level::Handshake,
            0,
            vec![0x1d, 0, 0],
            violation,
        ),
        (
            "unknown frame",
            Level::Handshake,
            0,
            vec![0x21, 0, 0],
            Some(ErrorCode::FRAME_ENCODING_ERROR.0),
        ),
        (
            "stream data in 0-RTT",
            Level::Early,
            0,
            vec![0x0a, 0, 1, 7],
            None,
        ),
        (
            "CRYPTO in 0-RTT",
            Level::Early,
            0,
            vec![0x06, 0, 4, 5, 0, 0, 0],
            violation,
        ),
        (
            "ACK in 0-RTT",
            Level::Early,
            0,
            vec![0x02, 0, 0, 0, 0],
            violation,
        ),
        (
            "NEW_TOKEN in 0-RTT",
            Level::Early,
            0,
            vec![0x07, 1, 7],
            violation,
        ),
        (
            "PATH_RESPONSE in 0-RTT",
            Level::Early,
            0,
            [&[0x1b][..], &[5; 8]].concat(),
            violation,
        ),
        (
            "RETIRE_CONNECTION_ID in 0-RTT",
            Level::Early,
            0,
            vec![0x19, 0, 0],
            violation,
        ),
        (
            "HANDSHAKE_DONE in 0-RTT",
            Level::Early,
            0,
            vec![0x1e, 0, 0],
            violation,
        ),
    ];
    for (what, level, flip, payload, expected) in cases {
        assert_eq!(in_handshake(level, flip, &payload), expected, "{what}");
    }
}

#[test]
fn packets_after_the_handshake_give_the_code_of_their_frame() {
    let message = |bytes: &[u8]| [frame(&[0x06, 0, bytes.len() as u64]), bytes.to_vec()].concat();
    let id = |len: u8, seq: u64, prior_to: u64| {
        let mut out = frame(&[0x18, seq, prior_to]);
        out.push(len);
        out.extend(vec![5; usize::from(len) + 16]);
        out
    };
    let too_many = (1 << 60) + 1;
    let cases: Vec<(&str, u8, Vec<u8>, u64)> = vec![
        ("unknown frame", 0x43, vec![0x21], 0x07),
        ("no frames", 0x43, vec![], 0x0a),
        ("reserved bit", 0x4b, vec![1, 0, 0], 0x0a),
        ("other reserved bit", 0x53, vec![1, 0, 0], 0x0a),
        (
            "RESET_STREAM of send-only",
            0x43,
            frame(&[0x04, 3, 0, 0]),
            0x05,
        ),
        (
            "STOP_SENDING of nothing",
            0x43,
            frame(&[0x05, 1 + 4 * 9, 0]),
            0x05,
        ),
        ("NEW_TOKEN", 0x43, vec![0x07, 1, 9], 0x0a),
        ("STREAM of nothing", 0x43, vec![0x0a, 1 + 4 * 9, 1, 7], 0x05),
        (
            "MAX_STREAM_DATA of nothing",
            0x43,
            frame(&[0x11, 1 + 4 * 9, 9]),
            0x05,
        ),
        (
            "MAX_STREAM_DATA of receive-only",
            0x43,
            frame(&[0x11, 2, 9]),
            0x05,
        ),
        ("MAX_STREAMS, two-way", 0x43, frame(&[0x12, too_many]), 0x07),
        ("MAX_STREAMS, one-way", 0x43, frame(&[0x13, too_many]), 0x07),
        (
            "STREAMS_BLOCKED, two-way",
            0x43,
            frame(&[0x16, too_many]),
            0x07,
        ),
        (
            "STREAMS_BLOCKED, one-way",
            0x43,
            frame(&[0x17, too_many]),
            0x07,
        ),
        ("id retired later", 0x43, id(8, 30, 31), 0x07),
        ("id of no length", 0x43, id(0, 30, 0), 0x07),
        ("HANDSHAKE_DONE", 0x43, vec![0x1e], 0x0a),
        ("TLS KeyUpdate", 0x43, message(&[24, 0, 0, 1, 0]), 0x10a),
        ("TLS EndOfEarlyData", 0x43, message(&[5, 0, 0, 0]), 0x10a),
    ];
    for (what, first, payload, code) in cases {
        let mut lab = Lab::new(1);
        let packet = lab.forge(Side::Client, first, &payload);
        lab.deliver(Side::Server, packet);
        assert_eq!(lab.error(Side::Server), Some(code), "{what}");
        // The client is told the same.
        let close = lab.drive(Side::Server);
        let payload = lab.open(Side::Server, &close.last().expect("a close").bytes);
        let mut reader = Reader::new(&payload);
        assert_eq!(reader.varint(), Ok(0x1c), "{what}");
        assert_eq!(reader.varint(), Ok(code), "{what}");
    }
}

#[test]
fn an_alert_of_tls_reaches_the_peer_unchanged() {
    // no_application_protocol, unexpected_message, and the rest of the range.
    for alert in [10, 40, 42, 48, 109, 120, 255] {
        let mut client = Setup::default();
        client.plan.streams = vec![(Dir::Bidi, 1)];
        let mut pair = Pair::new(1, Link::lossy(5, 0), &client, Setup::default());
        pair.wait(quic_core::common::Duration::from_millis(6));
        let now = pair.world.now;
        pair.server.borrow_mut().peers[0].with(now, |connection, cx| {
            connection.close(cx, false, 0x100 + alert, b"");
        });
        pair.wait(quic_core::common::Duration::from_millis(20));
        let client = pair.client.borrow();
        let info = client.peer.connection.close_info().expect("a cause");
        assert_eq!(
            (info.kind, info.code),
            (CloseKind::PeerTransport, 0x100 + alert)
        );
    }
}
