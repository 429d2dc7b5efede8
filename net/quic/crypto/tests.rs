// SPDX-License-Identifier: GPL-2.0

//! Keys and packets against the samples of RFC 9001 appendix A and RFC 9369 appendix A.

#![forbid(unsafe_code)]

use super::{
    hkdf::Label,
    keys::initial_secret,
    retry::is_authentic,
    *, //
};
use crate::{
    aead::{
        HeaderKey,
        PacketKey,
        Suite, //
    },
    common::{
        ConnectionId,
        Level,
        Side,
        Version, //
    },
    packet::{
        open,
        protect,
        OpenError,
        Packet,
        Protected, //
    },
};

mod data;

pub(super) fn hex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn dcid() -> ConnectionId {
    ConnectionId::new(&hex("8394c8f03e515708")).unwrap()
}

fn protected(bytes: &[u8], cid_len: usize) -> Protected {
    match Packet::parse_first(bytes, cid_len).unwrap() {
        Packet::Protected(packet) => packet,
        other => panic!("{other:?}"),
    }
}

/// What a suite derives from a secret: key, IV, header protection key and next secret.
fn material(secret: &Secret, version: Version) -> [Vec<u8>; 4] {
    let suite = secret.suite();
    let lengths = [suite.key_len(), 12, suite.key_len(), suite.hash().len()];
    let labels = [
        Label::Key,
        Label::Iv,
        Label::HeaderProtection,
        Label::KeyUpdate,
    ];
    std::array::from_fn(|nr| {
        let mut out = vec![0; lengths[nr]];
        hkdf::expand_label(
            suite.hash(),
            secret.as_slice(),
            version,
            labels[nr],
            &mut out,
        );
        out
    })
}

#[test]
fn the_initial_secrets_and_keys_are_those_of_the_samples() {
    // RFC 9001 5.2 #2 test, RFC 9001 9.6 #1 test, RFC 9001 9.6 #2 test
    let table = [
        (
            Version::V1,
            Label::ClientInitial,
            "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea",
            "1f369613dd76d5467730efcbe3b1a22d",
            "fa044b2f42a3fd3b46fb255c",
            "9f50449e04a0e810283a1e9933adedd2",
        ),
        (
            Version::V1,
            Label::ServerInitial,
            "3c199828fd139efd216c155ad844cc81fb82fa8d7446fa7d78be803acdda951b",
            "cf3a5331653c364c88f0f379b6067e37",
            "0ac1493ca1905853b0bba03e",
            "c206b8d9b9f0f37644430b490eeaa314",
        ),
        (
            Version::V2,
            Label::ClientInitial,
            "14ec9d6eb9fd7af83bf5a668bc17a7e283766aade7ecd0891f70f9ff7f4bf47b",
            "8b1a0bc121284290a29e0971b5cd045d",
            "91f73e2351d8fa91660e909f",
            "45b95e15235d6f45a6b19cbcb0294ba9",
        ),
        (
            Version::V2,
            Label::ServerInitial,
            "0263db1782731bf4588e7e4d93b7463907cb8cd8200b5da55a8bd488eafc37c1",
            "82db637861d55e1d011f19ea71d5d2a7",
            "dd13c276499c0249d3310652",
            "edf6d05c83121201b436e16877593c3a",
        ),
    ];
    for (version, label, secret, key, iv, hp) in table {
        let derived = initial_secret(version, &dcid(), label);
        assert_eq!(derived.as_slice(), hex(secret));
        let [k, i, h, _] = material(&derived, version);
        assert_eq!((k, i, h), (hex(key), hex(iv), hex(hp)));
    }
}

#[test]
fn chacha20_keys_and_the_next_secret_are_those_of_the_samples() {
    let bytes = hex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b");
    let secret = Secret::new(Suite::ChaCha20Poly1305, &bytes).unwrap();
    let table = [
        (
            Version::V1,
            "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8",
            "e0459b3474bdd0e44a41c144",
            "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4",
            "1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9",
            "4cfe4189655e5cd55c41f69080575d7999c25a5bfb",
        ),
        (
            Version::V2,
            "3bfcddd72bcf02541d7fa0dd1f5f9eeea817e09a6963a0e6c7df0f9a1bab90f2",
            "a6b5bc6ab7dafce30ffff5dd",
            "d659760d2ba434a226fd37b35c69e2da8211d10c4f12538787d65645d5d1b8e2",
            "c69374c49e3d2a9466fa689e49d476db5d0dfbc87d32ceeaa6343fd0ae4c7d88",
            "5558b1c60ae7b6b932bc27d786f4bc2bb20f2162ba",
        ),
    ];
    for (version, key, iv, hp, next, packet) in table {
        let [k, i, h, n] = material(&secret, version);
        assert_eq!(
            (k, i, h, n.clone()),
            (hex(key), hex(iv), hex(hp), hex(next))
        );
        assert_eq!(secret.next(version).as_slice(), n);
        // The minimal packet: a PING of number 654360564.
        let mut sealed = hex("4200bff401");
        sealed.resize(21, 0);
        let mut keys = secret.packet_key(version).unwrap();
        assert_eq!(keys.seal(654_360_564, &mut sealed, 4, 5, &[]), Ok(21));
        protect::mask(&mut sealed, 1, &secret.header_key(version).unwrap()).unwrap();
        assert_eq!(sealed, hex(packet));
        let mut rx = RxKeys::new(version, &secret).unwrap();
        let header = protected(&sealed, 0);
        let opened = open(&mut sealed, &header, &mut rx, 654_360_560).unwrap();
        assert_eq!(
            (opened.pn, &sealed[opened.payload]),
            (654_360_564, &[1][..])
        );
    }
}

#[test]
fn initial_packets_of_the_samples_seal_and_open() {
    let client = [hex(data::CLIENT_CRYPTO), vec![0; 1162 - 245]].concat();
    let server = hex(data::SERVER_PAYLOAD);
    let table = [
        (
            Version::V1,
            Side::Server,
            data::V1_CLIENT_INITIAL,
            2,
            22,
            &client,
        ),
        (
            Version::V1,
            Side::Client,
            data::V1_SERVER_INITIAL,
            1,
            20,
            &server,
        ),
        (
            Version::V2,
            Side::Server,
            data::V2_CLIENT_INITIAL,
            2,
            22,
            &client,
        ),
        (
            Version::V2,
            Side::Client,
            data::V2_SERVER_INITIAL,
            1,
            20,
            &server,
        ),
    ];
    for (version, receiver, packet, pn, header_len, payload) in table {
        let mut bytes = hex(packet);
        let header = protected(&bytes, 0);
        assert_eq!(
            (header.level, header.version),
            (Level::Initial, Some(version))
        );
        assert_eq!(header.len, bytes.len());
        let mut rx = initial_keys(version, &dcid(), receiver)
            .unwrap()
            .rx
            .unwrap();
        let opened = open(&mut bytes, &header, &mut rx, 0).unwrap();
        assert_eq!(opened.pn, pn);
        assert_eq!(opened.payload, header_len..bytes.len() - 16);
        assert_eq!(&bytes[opened.payload.clone()], &payload[..]);
        // The plain header and payload seal to the same bytes again.
        let label = match receiver {
            Side::Server => Label::ClientInitial,
            Side::Client => Label::ServerInitial,
        };
        let secret = initial_secret(version, &dcid(), label);
        let mut key: PacketKey = secret.library_key(version).unwrap();
        let hp: HeaderKey = secret.header_key(version).unwrap();
        let end = opened.payload.end;
        key.seal(pn, &mut bytes, header_len, end, &[]).unwrap();
        protect::mask(&mut bytes, header.pn_offset, &hp).unwrap();
        assert_eq!(bytes, hex(packet));
    }
}

#[test]
fn any_flipped_bit_makes_a_packet_fail() {
    let original = hex(data::V1_SERVER_INITIAL);
    let mut rx = initial_keys(Version::V1, &dcid(), Side::Client)
        .unwrap()
        .rx
        .unwrap();
    let header = protected(&original, 0);
    // From the packet number on: the header in front is authenticated as well, but would be
    // parsed to something else.
    for bit in header.pn_offset * 8..original.len() * 8 {
        let mut bytes = original.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let got = open(&mut bytes, &header, &mut rx, 0);
        assert_eq!(got, Err(OpenError::Authentication), "bit {bit}");
    }
    for cut in header.pn_offset..header.pn_offset + 20 {
        // RFC 9000 10.3 #7 test, RFC 9001 5.4.2 #1 test
        let mut bytes = original[..cut].to_vec();
        let got = open(&mut bytes, &header, &mut rx, 0);
        assert_eq!(got, Err(OpenError::TooShort), "{cut} bytes");
    }
}

#[test]
fn reserved_bits_are_an_error_of_authentic_packets_only() {
    // RFC 9000 17.2 #9 test, RFC 9000 12.4 #2 test, RFC 9001 9.5 #1 test
    let secret = initial_secret(Version::V1, &dcid(), Label::ServerInitial);
    let mut key = secret.library_key(Version::V1).unwrap();
    let hp = secret.header_key(Version::V1).unwrap();
    let mut build = |first: u8, payload: usize| {
        let mut bytes = hex("c1000000010008f067a5502a4262b50040750001");
        bytes[0] = first;
        bytes[17] = (2 + payload + 16) as u8;
        let end = 20 + payload;
        bytes.resize(end + 16, 1);
        key.seal(1, &mut bytes, 20, end, &[]).unwrap();
        // A sample needs four bytes of number and payload.
        match protect::mask(&mut bytes, 18, &hp) {
            Ok(()) => bytes,
            Err(_) => panic!("no sample"),
        }
    };
    let mut rx = initial_keys(Version::V1, &dcid(), Side::Client)
        .unwrap()
        .rx
        .unwrap();
    for (first, bad) in [(0xc1, false), (0xc5, true), (0xc9, true), (0xcd, true)] {
        let mut bytes = build(first, 4);
        let header = protected(&bytes, 0);
        let forged = {
            let mut bytes = bytes.clone();
            *bytes.last_mut().unwrap() ^= 1;
            open(&mut bytes, &header, &mut rx, 0)
        };
        assert_eq!(forged, Err(OpenError::Authentication));
        match open(&mut bytes, &header, &mut rx, 0) {
            Ok(opened) => assert!(!bad && opened.pn == 1),
            Err(OpenError::Close(error)) => {
                assert!(bad && error.code == crate::common::ErrorCode::PROTOCOL_VIOLATION);
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn retry_tags_are_those_of_the_samples_and_cover_every_bit() {
    // RFC 9000 17.2.5.2 #3 test
    for (version, packet) in [(Version::V1, data::V1_RETRY), (Version::V2, data::V2_RETRY)] {
        let original = hex(packet);
        for bit in 0..=original.len() * 8 {
            let mut bytes = original.clone();
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            // A changed header may be no Retry at all.
            let Ok(Packet::Retry(retry)) = Packet::parse_first(&bytes, 0) else {
                continue;
            };
            if bytes == original {
                assert_eq!((retry.version, retry.token), (version, &b"token"[..]));
            }
            assert_eq!(
                is_authentic(&retry, &dcid()),
                Ok(bytes == original),
                "bit {bit}"
            );
            assert_eq!(is_authentic(&retry, &retry.scid), Ok(false));
        }
    }
}

#[test]
fn the_limits_are_those_of_the_rfc() {
    // RFC 9001 6.6 #10 test, RFC 9001 6.6 #11 test
    for (suite, confidentiality, integrity) in [
        (Suite::Aes128Gcm, 1 << 23, 1 << 52),
        (Suite::Aes256Gcm, 1 << 23, 1 << 52),
        (Suite::Aes128Ccm, 2_965_820, 2_965_820),
        (Suite::ChaCha20Poly1305, u64::MAX, 1 << 36),
    ] {
        assert_eq!(limits::confidentiality(suite), confidentiality);
        assert_eq!(limits::integrity(suite), integrity);
        assert!(limits::update_after(confidentiality) < confidentiality);
    }
}

#[test]
fn a_secret_has_the_length_of_its_digest() {
    for suite in [Suite::Aes128Gcm, Suite::Aes256Gcm, Suite::Aes128Ccm] {
        let len = suite.hash().len();
        assert!(Secret::new(suite, &vec![1; len]).is_ok());
        assert!(Secret::new(suite, &vec![1; len - 1]).is_err());
        assert!(Secret::new(suite, &vec![1; len + 1]).is_err());
    }
}
