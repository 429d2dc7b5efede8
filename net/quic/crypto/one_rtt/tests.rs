// SPDX-License-Identifier: GPL-2.0

//! Two endpoints that update their keys in every order.

#![forbid(unsafe_code)]

use super::*;
use crate::{
    aead::Suite,
    common::{
        ConnectionId,
        ErrorCode,
        Level, //
    },
    frame::Frame,
    packet::{
        OutHeader,
        Packet,
        PacketBuilder, //
    },
};

const PTO: Duration = Duration::from_millis(100);

struct Endpoint {
    keys: OneRtt,
    pn: u64,
    largest: Option<u64>,
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

fn pair(suite: Suite) -> [Endpoint; 2] {
    let secret = |byte| Secret::new(suite, &vec![byte; suite.hash().len()]).unwrap();
    [(1, 2), (2, 1)].map(|(tx, rx)| {
        let mut keys = OneRtt::default();
        keys.install_tx(Version::V1, secret(tx)).unwrap();
        keys.install_rx(Version::V1, &secret(rx)).unwrap();
        Endpoint {
            keys,
            pn: 0,
            largest: None,
        }
    })
}

impl Endpoint {
    fn send(&mut self) -> Vec<u8> {
        let mut buffer = [0; 64];
        let header = OutHeader {
            level: Level::App,
            version: Version::V1,
            dcid: &ConnectionId::new(&[7; 8]).unwrap(),
            scid: &ConnectionId::EMPTY,
            token: &[],
            pn: self.pn,
            largest_acked: None,
            key_phase: self.keys.key_phase(),
            spin: false,
            fixed_bit: true,
        };
        self.pn += 1;
        let mut builder = PacketBuilder::new(&mut buffer, &header).unwrap();
        assert!(builder.write_frame(&Frame::Ping, None));
        let len = self.keys.seal(builder.finish(), &[]).unwrap().len;
        buffer[..len].to_vec()
    }

    fn receive(&mut self, mut bytes: Vec<u8>, now: Instant) -> Result<OpenedOneRtt, OpenError> {
        let Ok(Packet::Protected(header)) = Packet::parse_first(&bytes, 8) else {
            panic!("not a packet");
        };
        let expected = self.largest.map_or(0, |largest| largest + 1);
        let result = self.keys.open(&mut bytes, &header, expected, now, PTO)?;
        self.largest = self.largest.max(Some(result.opened.pn));
        Ok(result)
    }

    fn generations(&self) -> (u64, u64) {
        let (tx, rx) = (self.keys.tx.as_ref(), self.keys.rx.as_ref());
        (tx.unwrap().generation, rx.unwrap().generation)
    }
}

fn closes_with(result: Result<OpenedOneRtt, OpenError>, code: ErrorCode) -> bool {
    matches!(result, Err(OpenError::Close(error)) if error.code == code)
}

#[test]
fn an_update_is_followed_and_answered() {
    // RFC 9001 6.2 #1 test, RFC 9001 6.2 #2 test, RFC 9001 6.3 #4 test, RFC 9001 6.3 #5 test,
    // RFC 9001 9.5 #3 test
    for suite in [Suite::Aes128Gcm, Suite::Aes256Gcm, Suite::ChaCha20Poly1305] {
        let [mut a, mut b] = pair(suite);
        let first = a.send();
        b.receive(first, at(0)).unwrap();
        a.keys.on_acked(0, 0, at(1)).unwrap();
        assert!(!a.keys.key_phase());
        a.keys.initiate(true, at(1), PTO).unwrap();
        assert!(a.keys.key_phase());
        assert_eq!(a.generations(), (1, 0));
        // The peer follows at once: its next packet has the new phase.
        let got = b.receive(a.send(), at(2)).unwrap();
        assert!(got.updated && got.generation == 1);
        assert_eq!(b.generations(), (1, 1));
        let got = a.receive(b.send(), at(3)).unwrap();
        assert!(got.updated && got.generation == 1);
        assert_eq!(a.generations(), (1, 1));
        // And back to phase zero with generation two.
        a.keys.on_acked(1, 1, at(3)).unwrap();
        a.keys.initiate(true, at(303), PTO).unwrap();
        assert!(b.receive(a.send(), at(304)).unwrap().updated);
        assert!(!b.keys.key_phase());
        assert!(a.receive(b.send(), at(305)).unwrap().updated);
        assert_eq!((a.generations(), b.generations()), ((2, 2), (2, 2)));
    }
}

#[test]
fn an_update_waits_for_confirmation_acknowledgement_and_time() {
    // RFC 9001 6.1 #1 test, RFC 9001 6.1 #2 test, RFC 9001 6.5 #3 test
    let [mut a, mut b] = pair(Suite::Aes128Gcm);
    assert_eq!(a.keys.initiate(true, at(0), PTO), Err(Error::Invalid));
    b.receive(a.send(), at(0)).unwrap();
    assert_eq!(a.keys.initiate(true, at(0), PTO), Err(Error::Invalid));
    a.keys.on_acked(0, 0, at(1)).unwrap();
    assert_eq!(a.keys.initiate(false, at(1), PTO), Err(Error::Invalid));
    assert_eq!(a.keys.initiate(true, at(1), PTO), Ok(()));
    // At once, before the answer, and before an acknowledgement in the new phase.
    assert_eq!(a.keys.initiate(true, at(1), PTO), Err(Error::Invalid));
    b.receive(a.send(), at(2)).unwrap();
    a.keys.on_acked(0, 0, at(3)).unwrap();
    assert_eq!(a.keys.initiate(true, at(9_000), PTO), Err(Error::Invalid));
    a.receive(b.send(), at(9_001)).unwrap();
    assert_eq!(a.keys.initiate(true, at(9_001), PTO), Err(Error::Invalid));
    a.keys.on_acked(1, 1, at(9_001)).unwrap();
    assert_eq!(a.keys.initiate(true, at(9_300), PTO), Err(Error::Invalid));
    assert_eq!(a.keys.initiate(true, at(9_301), PTO), Ok(()));
}

#[test]
fn reordered_packets_open_with_the_previous_keys_for_three_pto() {
    // RFC 9001 6.1 #3 test, RFC 9001 6.1 #4 test, RFC 9001 6.5 #4 test, RFC 9001 6.5 #5 test
    let [mut a, mut b] = pair(Suite::Aes128Gcm);
    b.receive(a.send(), at(0)).unwrap();
    let late = [a.send(), a.send()];
    a.keys.on_acked(0, 0, at(1)).unwrap();
    a.keys.initiate(true, at(1), PTO).unwrap();
    let early = a.send();
    assert!(b.receive(a.send(), at(10)).unwrap().updated);
    assert_eq!(b.keys.deadline(), Some(at(310)));
    let [first, second] = late;
    assert_eq!(b.receive(first, at(309)).unwrap().generation, 0);
    assert_eq!(b.receive(early, at(309)).unwrap().generation, 1);
    b.keys.on_timeout(at(309));
    assert_eq!(b.keys.deadline(), Some(at(310)));
    b.keys.on_timeout(at(310));
    assert_eq!(b.keys.deadline(), None);
    assert_eq!(b.receive(second, at(311)), Err(OpenError::Authentication));
}

#[test]
fn garbage_with_the_other_phase_changes_nothing() {
    // RFC 9001 5.5 #2 test, RFC 9001 6.3 #1 test
    let [mut a, mut b] = pair(Suite::Aes128Gcm);
    b.receive(a.send(), at(0)).unwrap();
    a.keys.on_acked(0, 0, at(0)).unwrap();
    a.keys.initiate(true, at(0), PTO).unwrap();
    for bit in 0..8 {
        let mut forged = a.send();
        *forged.last_mut().unwrap() ^= 1 << bit;
        assert_eq!(b.receive(forged, at(1)), Err(OpenError::Authentication));
        assert_eq!(b.generations(), (0, 0));
    }
    assert!(b.receive(a.send(), at(1)).unwrap().updated);
}

#[test]
fn a_second_update_before_an_answer_closes_the_connection() {
    let [mut a, mut b] = pair(Suite::Aes128Gcm);
    b.receive(a.send(), at(0)).unwrap();
    for millis in 0..2 {
        // A peer that does not wait for anything.
        a.keys.tx.as_mut().unwrap().update().unwrap();
        let got = b.receive(a.send(), at(millis));
        if millis == 0 {
            assert!(got.unwrap().updated);
        } else {
            assert!(closes_with(got, ErrorCode::KEY_UPDATE_ERROR));
        }
    }
}

#[test]
fn old_keys_on_later_numbers_close_the_connection() {
    // RFC 9001 5.5 #1 test, RFC 9001 6.4 #1 test, RFC 9001 6.4 #2 test
    let [mut a, mut b] = pair(Suite::Aes128Gcm);
    let [mut old, _] = pair(Suite::Aes128Gcm);
    b.receive(a.send(), at(0)).unwrap();
    a.keys.tx.as_mut().unwrap().update().unwrap();
    let new = a.send();
    (old.pn, a.pn) = (3, 4);
    // Number 4 with new keys, 3 with old ones, then 1 with new ones.
    b.receive(a.send(), at(1)).unwrap();
    assert_eq!(b.receive(old.send(), at(1)).unwrap().generation, 0);
    assert!(closes_with(
        b.receive(new, at(1)),
        ErrorCode::KEY_UPDATE_ERROR
    ));
    // Old keys on a number above the new ones do not open at all.
    old.pn = 9;
    assert_eq!(b.receive(old.send(), at(1)), Err(OpenError::Authentication));
}

#[test]
fn new_keys_acknowledged_with_old_ones_close_the_connection() {
    let [mut a, mut b] = pair(Suite::Aes128Gcm);
    b.receive(a.send(), at(0)).unwrap();
    a.keys.on_acked(0, 0, at(0)).unwrap();
    a.keys.initiate(true, at(0), PTO).unwrap();
    let _ = a.send();
    assert_eq!(a.keys.on_acked(0, 0, at(1)), Ok(()));
    let error = a.keys.on_acked(1, 0, at(1)).unwrap_err();
    assert_eq!(error.code, ErrorCode::KEY_UPDATE_ERROR);
}

#[test]
fn the_confidentiality_limit_asks_for_an_update_and_then_for_the_end() {
    // RFC 9001 5.3 #3 test, RFC 9001 6.6 #1 test, RFC 9001 6.6 #2 test, RFC 9001 6.6 #3 test,
    // RFC 9001 6.6 #4 test, RFC 9001 6.6 #5 test
    let [mut a, mut b] = pair(Suite::Aes128Gcm);
    a.keys.tx.as_mut().unwrap().keys.set_limit(8);
    for nr in 0..7 {
        assert_eq!(a.keys.wants_update(), nr >= 6);
        assert_eq!(a.keys.check_limit(), Ok(()));
        b.receive(a.send(), at(0)).unwrap();
    }
    let error = a.keys.check_limit().unwrap_err();
    assert_eq!(error.code, ErrorCode::AEAD_LIMIT_REACHED);
    // One packet is left for the close; then the key is used up.
    let _ = a.send();
    let mut buffer = [0; 64];
    let header = OutHeader {
        level: Level::App,
        version: Version::V1,
        dcid: &ConnectionId::EMPTY,
        scid: &ConnectionId::EMPTY,
        token: &[],
        pn: a.pn,
        largest_acked: None,
        key_phase: false,
        spin: false,
        fixed_bit: true,
    };
    let mut builder = PacketBuilder::new(&mut buffer, &header).unwrap();
    assert!(builder.write_frame(&Frame::Ping, None));
    assert_eq!(
        a.keys.seal(builder.finish(), &[]).map(|_| ()),
        Err(KeyError::Invalid)
    );
    // An update starts the count again.
    a.keys.on_acked(0, 0, at(0)).unwrap();
    a.keys.initiate(true, at(0), PTO).unwrap();
    assert!(!a.keys.wants_update());
    assert!(b.receive(a.send(), at(1)).unwrap().updated);
}

#[test]
fn the_integrity_limit_ends_the_connection() {
    // RFC 9001 6.6 #6 test, RFC 9001 6.6 #7 test
    let [mut a, mut b] = pair(Suite::Aes128Ccm);
    b.keys.failures = limits::integrity(Suite::Aes128Ccm) - 1;
    let mut forged = a.send();
    forged[20] ^= 1;
    assert_eq!(
        b.receive(forged.clone(), at(0)),
        Err(OpenError::Authentication)
    );
    assert!(closes_with(
        b.receive(forged, at(0)),
        ErrorCode::AEAD_LIMIT_REACHED
    ));
}

#[test]
fn nothing_opens_without_keys() {
    let [mut a, mut b] = pair(Suite::Aes128Gcm);
    b.keys.rx = None;
    assert_eq!(b.receive(a.send(), at(0)), Err(OpenError::Authentication));
    assert!(b.keys.has_tx() && !b.keys.has_rx());
    assert_eq!(b.keys.initiate(true, at(0), PTO), Err(Error::Invalid));
}
