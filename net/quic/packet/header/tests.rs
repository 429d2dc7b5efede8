// SPDX-License-Identifier: GPL-2.0

//! Headers, right and wrong.

#![forbid(unsafe_code)]

use super::*;
use proptest::prelude::*;

fn long(first: u8, version: Version, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    bytes.extend(version.0.to_be_bytes());
    bytes.extend([2, 0xd1, 0xd2, 1, 0x51]);
    bytes.extend(rest);
    bytes
}

fn protected(bytes: &[u8]) -> Protected {
    match Packet::parse_first(bytes, 4) {
        Ok(Packet::Protected(packet)) => packet,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_type_bits_of_both_versions_name_the_level() {
    let table = [
        (
            Version::V1,
            [
                Some(Level::Initial),
                Some(Level::Early),
                Some(Level::Handshake),
                None,
            ],
        ),
        (
            Version::V2,
            [
                None,
                Some(Level::Initial),
                Some(Level::Early),
                Some(Level::Handshake),
            ],
        ),
    ];
    for (version, levels) in table {
        for (code, level) in levels.into_iter().enumerate() {
            // Enough for a token length of zero, a length of 20, or a token and a tag.
            let first = 0xc0 | ((code as u8) << 4);
            let rest = [&[0, 20][..], &[7; 20]].concat();
            let bytes = long(
                first,
                version,
                if level == Some(Level::Initial) {
                    &rest
                } else {
                    &rest[1..]
                },
            );
            match (Packet::parse_first(&bytes, 4).unwrap(), level) {
                (Packet::Protected(packet), Some(level)) => {
                    assert_eq!((packet.level, packet.version), (level, Some(version)));
                    assert_eq!(long_type_bits(version, level), first & 0x30);
                    assert_eq!(packet.len, bytes.len());
                    assert_eq!(packet.pn_offset, bytes.len() - 20);
                }
                (Packet::Retry(retry), None) => {
                    assert_eq!(retry.version, version);
                    assert_eq!(retry_type_bits(version), first & 0x30);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn coalesced_packets_are_told_apart_by_their_length() {
    // RFC 9000 12.2 #1 test
    let mut bytes = long(0xc3, Version::V1, &[&[3, 9, 9, 9, 5][..], &[7; 5]].concat());
    let first = bytes.len();
    bytes.extend(long(0xe0, Version::V1, &[2, 8, 8]));
    let second = bytes.len();
    bytes.extend([0x40, 1, 2, 3, 4, 5, 6]);
    let packet = protected(&bytes);
    assert_eq!((packet.level, packet.len), (Level::Initial, first));
    assert_eq!(&bytes[packet.token.clone()], [9, 9, 9]);
    assert_eq!(packet.dcid.as_slice(), [0xd1, 0xd2]);
    assert_eq!(packet.scid.as_slice(), [0x51]);
    let packet = protected(&bytes[first..]);
    assert_eq!(
        (packet.level, packet.len),
        (Level::Handshake, second - first)
    );
    let packet = protected(&bytes[second..]);
    assert_eq!(
        (packet.level, packet.len, packet.pn_offset),
        (Level::App, 7, 5)
    );
    assert_eq!(packet.dcid.as_slice(), [1, 2, 3, 4]);
}

#[test]
fn long_connection_ids_are_read_in_other_versions_only() {
    // RFC 9000 17.2 #3 test, RFC 9000 17.2 #4 test, RFC 9000 17.2 #6 test,
    // RFC 9000 17.2 #7 test
    let packet = |version: Version, dcid: usize, scid: usize| {
        let mut bytes = vec![0xc0];
        bytes.extend(version.0.to_be_bytes());
        bytes.push(dcid as u8);
        bytes.extend(vec![1; dcid]);
        bytes.push(scid as u8);
        bytes.extend(vec![2; scid]);
        bytes.extend([0, 2, 0, 0]);
        bytes
    };
    let too_long = Err(HeaderError::ConnectionIdTooLong);
    assert_eq!(
        Packet::parse_first(&packet(Version::V1, 21, 0), 0),
        too_long
    );
    assert_eq!(
        Packet::parse_first(&packet(Version::V1, 0, 21), 0),
        too_long
    );
    assert!(Packet::parse_first(&packet(Version::V1, 20, 20), 0).is_ok());
    let bytes = packet(Version(0xff00_0001), 255, 254);
    match Packet::parse_first(&bytes, 0).unwrap() {
        Packet::UnknownVersion(packet) => {
            assert_eq!((packet.dcid.len(), packet.scid.len()), (255, 254));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn version_negotiation_is_recognised_whatever_its_first_byte() {
    // RFC 9000 17.2.1 #1 test
    let mut rest = vec![];
    rest.extend(Version::V2.0.to_be_bytes());
    rest.extend(0x1a2a_3a4au32.to_be_bytes());
    rest.push(9);
    for first in [0x80, 0xc0, 0xff] {
        match Packet::parse_first(&long(first, Version::NEGOTIATION, &rest), 0).unwrap() {
            Packet::VersionNegotiation(packet) => {
                assert!(packet.versions().eq([Version::V2, Version(0x1a2a_3a4a)]));
                assert_eq!((packet.dcid, packet.scid), (&[0xd1, 0xd2][..], &[0x51][..]));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_retry_has_a_token_and_a_tag() {
    // RFC 9000 17.2.5.2 #4 test
    let parse = |bytes: &[u8]| Packet::parse_first(bytes, 0).map(|_| ());
    let full = long(0xf0, Version::V1, &[5; 17]);
    match Packet::parse_first(&full, 0).unwrap() {
        Packet::Retry(retry) => {
            assert_eq!((retry.token, retry.tag), (&[5][..], [5; 16]));
            assert_eq!(retry.covered, &full[..full.len() - 16]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(parse(&full[..full.len() - 1]), Err(HeaderError::EmptyToken));
    assert_eq!(parse(&full[..full.len() - 2]), Err(HeaderError::Truncated));
}

#[test]
fn a_length_that_leads_out_of_the_datagram_is_refused() {
    let bytes = long(0xc0, Version::V1, &[&[0, 20][..], &[7; 19]].concat());
    assert_eq!(Packet::parse_first(&bytes, 4), Err(HeaderError::Truncated));
    let bytes = long(0xc0, Version::V1, &[&[0x40, 20][..], &[7; 19]].concat());
    assert_eq!(Packet::parse_first(&bytes, 4), Err(HeaderError::Truncated));
}

proptest! {
    #![proptest_config(crate::common::test_config(4_000))]

    #[test]
    fn random_bytes_give_a_packet_within_them_or_an_error(
        first in any::<u8>(),
        version in prop_oneof![Just(0u32), Just(1), Just(Version::V2.0), any::<u32>()],
        rest in proptest::collection::vec(prop_oneof![0..24u8, any::<u8>()], 0..90),
        cid_len in 0..30usize,
    ) {
        let bytes = [&[first][..], &version.to_be_bytes(), &rest].concat();
        let destination = Packet::destination(&bytes, cid_len);
        match Packet::parse_first(&bytes, cid_len) {
            Ok(Packet::Protected(packet)) => {
                prop_assert!(packet.pn_offset <= packet.len && packet.len <= bytes.len());
                prop_assert!(packet.len > 0);
                prop_assert!(packet.token.start <= packet.token.end);
                prop_assert!(packet.token.end <= packet.pn_offset);
                prop_assert_eq!(destination, Some(packet.dcid.as_slice()));
            }
            Ok(Packet::Retry(packet)) => {
                prop_assert!(!packet.token.is_empty());
                prop_assert_eq!(destination, Some(packet.dcid.as_slice()));
            }
            Ok(Packet::UnknownVersion(packet)) => {
                prop_assert_eq!(destination, Some(packet.dcid));
            }
            Ok(Packet::VersionNegotiation(packet)) => {
                prop_assert!(packet.versions().count() <= bytes.len() / 4);
            }
            Err(_) => {}
        }
    }
}
