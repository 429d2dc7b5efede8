// SPDX-License-Identifier: GPL-2.0

//! Answers without a connection, read as their receiver would.

#![forbid(unsafe_code)]

use super::*;
use crate::{
    common::{
        ErrorCode,
        Reader, //
    },
    crypto::retry::is_authentic,
    packet::{
        open,
        Packet, //
    },
};
use proptest::prelude::{
    any,
    prop_assert,
    prop_assert_eq,
    proptest, //
};

/// A generator with a fixed seed.
struct Seeded(u64);

impl Rng for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

fn id(byte: u8, len: usize) -> ConnectionId {
    ConnectionId::new(&vec![byte; len]).unwrap()
}

#[test]
fn version_negotiation_swaps_the_connection_ids_and_lists_a_reserved_version() {
    // RFC 9000 17.2.1 #2 test, RFC 9000 17.2.1 #3 test, RFC 9000 17.2.1 #4 test,
    // RFC 9000 17.2.1 #5 test, RFC 9000 17.2.1 #6 test
    for (dcid, scid) in [(8, 0), (0, 8), (255, 255), (21, 20)] {
        let (dcid, scid) = (vec![1; dcid], vec![2; scid]);
        let mut buffer = [0; 600];
        let rng = &mut Seeded(1);
        let len = write_version_negotiation(&mut buffer, &dcid, &scid, &Version::SUPPORTED, rng);
        let packet = &buffer[..len.unwrap()];
        assert_eq!(packet[0] & 0xc0, 0xc0);
        match Packet::parse_first(packet, 0).unwrap() {
            Packet::VersionNegotiation(packet) => {
                assert_eq!((packet.dcid, packet.scid), (&scid[..], &dcid[..]));
                let versions: Vec<_> = packet.versions().collect();
                assert_eq!(versions[..2], Version::SUPPORTED);
                assert!(versions.len() == 3 && versions[2].is_reserved());
            }
            other => panic!("{other:?}"),
        }
        let short = write_version_negotiation(&mut buffer[..10], &dcid, &scid, &[], rng);
        assert_eq!(short, Err(NoSpace));
    }
}

#[test]
fn a_retry_is_authentic_for_its_original_connection_id_only() {
    // RFC 9000 17.2.5.1 #1 test, RFC 9000 17.2.5 #1 test
    let (client, original, new) = (id(1, 5), id(2, 8), id(3, 8));
    for version in Version::SUPPORTED {
        let mut buffer = [0; 200];
        let rng = &mut Seeded(2);
        let len = write_retry(
            &mut buffer,
            version,
            &client,
            &original,
            &new,
            b"token",
            rng,
        );
        match Packet::parse_first(&buffer[..len.unwrap()], 0).unwrap() {
            Packet::Retry(retry) => {
                assert_eq!((retry.version, retry.token), (version, &b"token"[..]));
                assert_eq!((retry.dcid, retry.scid), (client, new));
                assert_eq!(is_authentic(&retry, &original), Ok(true));
                assert_eq!(is_authentic(&retry, &client), Ok(false));
            }
            other => panic!("{other:?}"),
        }
        let same = write_retry(&mut buffer, version, &client, &new, &new, b"token", rng);
        assert_eq!(same, Err(KeyError::Invalid));
        let empty = write_retry(&mut buffer, version, &client, &original, &new, b"", rng);
        assert_eq!(empty, Err(KeyError::Invalid));
        for room in 0..len.unwrap() {
            let short = &mut buffer[..room];
            let got = write_retry(short, version, &client, &original, &new, b"token", rng);
            assert_eq!(got, Err(KeyError::Invalid));
        }
    }
}

#[test]
fn a_reset_token_depends_on_key_bytes_and_length() {
    // RFC 9000 10.3.2 #1 test, RFC 9000 10.3.2 #2 test, RFC 9000 10.3.2 #5 test
    let key = [7; 32];
    let tokens: Vec<_> = (0..=20).map(|len| reset_token(&key, &id(0, len))).collect();
    for (nr, token) in tokens.iter().enumerate() {
        assert!(!tokens[..nr].contains(token));
        assert_eq!(*token, reset_token(&key, &id(0, nr)));
        assert_ne!(*token, reset_token(&[8; 32], &id(0, nr)));
    }
}

proptest! {
    #![proptest_config(crate::common::test_config(600))]

    #[test]
    fn a_reset_is_smaller_than_its_trigger_and_looks_like_a_short_header(
        trigger in 0..1_500usize, seed in any::<u64>()
    ) {
        // RFC 9000 10.3 #3 test, RFC 9000 10.3 #5 test, RFC 9000 10.3 #6 test,
        // RFC 9000 10.3 #8 test, RFC 9000 10.3.3 #1 test
        let mut buffer = [0; 100];
        let token = [0xab; 16];
        match write_stateless_reset(&mut buffer, trigger, &token, &mut Seeded(seed)) {
            Some(len) => {
                prop_assert!((MIN_RESET_LEN..trigger).contains(&len));
                prop_assert!(trigger > 43 || len == trigger - 1);
                prop_assert_eq!(buffer[0] & 0xc0, 0x40);
                prop_assert_eq!(&buffer[len - 16..len], &token[..]);
            }
            None => prop_assert!(trigger < MIN_RESET_TRIGGER),
        }
    }
}

#[test]
fn a_refused_client_can_open_its_refusal() {
    let (client, original) = (id(1, 5), id(2, 8));
    for version in Version::SUPPORTED {
        let mut buffer = [0; 300];
        let error = TransportError::invalid_token("expired");
        let len = write_initial_close(&mut buffer, version, &client, &original, &error).unwrap();
        let packet = &mut buffer[..len];
        let Ok(Packet::Protected(header)) = Packet::parse_first(packet, 0) else {
            panic!("not a packet");
        };
        assert_eq!((header.dcid, header.version), (client, Some(version)));
        let mut keys = initial_keys(version, &original, Side::Client).unwrap();
        let opened = open(packet, &header, keys.rx.as_mut().unwrap(), 0).unwrap();
        let mut reader = Reader::new(&packet[opened.payload]);
        match Frame::parse(&mut reader).unwrap() {
            Frame::ConnectionClose(frame) => {
                assert_eq!((frame.code, frame.app), (ErrorCode::INVALID_TOKEN, false));
                assert_eq!(frame.reason, b"expired");
            }
            other => panic!("{other:?}"),
        }
    }
}
