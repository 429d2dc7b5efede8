// SPDX-License-Identifier: GPL-2.0

//! What a program does with the connection ids that a peer has numbered as it likes.

mod forge;

use std::net::SocketAddr;
use std::time::{
    Duration,
    Instant, //
};

use forge::{
    addr,
    Lab, //
};
use quic_core::common::error::Error;
use quic_core::common::Side;
use quic_sim::forge::frame;

/// NEW_CONNECTION_ID with this number.
fn new_id(seq: u64) -> Vec<u8> {
    let mut out = frame(&[0x18, seq, 0, 8]);
    out.extend((seq ^ (0x55 << 56)).to_be_bytes());
    out.extend([seq as u8; 8]);
    out.extend(seq.to_be_bytes());
    out
}

/// Changes and retires ids of the peer of `side`.
fn set(lab: &mut Lab, side: Side, active: u64, prior_to: u64) -> Result<(), Error> {
    lab.with(side, |peer, now| {
        peer.with(now, |connection, cx| {
            connection.set_cids(cx, true, active, prior_to)
        })
    })
}

/// Number in use and smallest number, of the ids that `side` sends to.
fn in_use(lab: &mut Lab, side: Side) -> (u64, u64) {
    lab.with(side, |peer, _| peer.connection.cid_info(true))
}

/// Numbers that `side` gives back in its packets.
fn given_back(lab: &mut Lab, side: Side) -> Vec<u64> {
    let packets = lab.drive(side);
    let payloads = packets.iter().map(|packet| lab.open(side, &packet.bytes));
    let mut found = vec![];
    for payload in payloads {
        let mut reader = quic_core::common::Reader::new(&payload);
        while let Ok(frame) = quic_core::frame::Frame::parse(&mut reader) {
            if let quic_core::frame::Frame::RetireConnectionId { seq } = frame {
                found.push(seq);
            }
        }
    }
    found
}

// RFC 9000 5.1.2 #1 test
#[test]
fn numbers_far_apart_are_retired_in_no_time() {
    for far in [u64::from(u32::MAX), (1 << 62) - 1] {
        let mut lab = Lab::new(1);
        // Room for one more id: the others are those that came with the handshake.
        assert_eq!(set(&mut lab, Side::Client, 1, 1), Ok(()));
        assert_eq!(given_back(&mut lab, Side::Client), [0]);
        lab.inject(Side::Server, &new_id(far));
        let began = Instant::now();
        assert_eq!(set(&mut lab, Side::Client, 0, far), Ok(()));
        assert!(began.elapsed() < Duration::from_secs(1), "{far:x}");
        assert_eq!(in_use(&mut lab, Side::Client), (far, far));
        assert_eq!(given_back(&mut lab, Side::Client), [1, 2, 3, 4, 5, 6]);
        assert_eq!(lab.error(Side::Client), None);
    }
}

#[test]
fn retirement_that_cannot_be_completed_changes_nothing() {
    let mut lab = Lab::new(1);
    // Each retirement but the last makes room for another id, and none is acknowledged.
    let mut seq = 6;
    let result = loop {
        let (active, first) = in_use(&mut lab, Side::Client);
        let result = set(&mut lab, Side::Client, active + 1, first + 1);
        if result.is_err() {
            break result;
        }
        seq += 1;
        lab.inject(Side::Server, &new_id(seq));
    };
    assert_eq!(result, Err(Error::WouldBlock));
    let (active, first) = in_use(&mut lab, Side::Client);
    assert_eq!(active, first);
    assert_eq!(given_back(&mut lab, Side::Client).len() as u64, first);
}

#[test]
fn a_path_that_the_peer_has_left_keeps_an_id_it_may_return_to() {
    let mut lab = Lab::new(1);
    lab.drive(Side::Server);
    let away = SocketAddr::from(([192, 0, 2, 9], 999));
    lab.inject_from(away, &[1]);
    lab.drive(Side::Server);
    assert_eq!(lab.remote(Side::Server), away);
    // All but the newest.
    assert_eq!(set(&mut lab, Side::Server, 0, 6), Ok(()));
    lab.inject_from(addr(Side::Client), &[1]);
    lab.open_stream(Side::Server);
    let packets = lab.drive(Side::Server);
    assert_eq!(lab.remote(Side::Server), addr(Side::Client));
    assert!(!packets.is_empty());
}
