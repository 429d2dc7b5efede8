// SPDX-License-Identifier: GPL-2.0

//! Headers, protected packets, and packets built from a script.

#![forbid(unsafe_code)]

use quic_core::{
    common::{
        ConnectionId,
        Duration,
        Instant,
        Level,
        Reader,
        Side,
        StreamId,
        Token,
        Version, //
    },
    crypto::{
        initial_keys,
        OneRtt,
        Secret, //
    },
    frame::Frame,
    packet::{
        self as core_packet,
        OutHeader,
        Packet,
        PacketBuilder,
        StreamSource, //
    },
};

/// A datagram of coalesced packets; the first byte is the length of our connection ids.
pub fn headers(input: &[u8]) {
    let Some((cid_len, mut rest)) = input.split_first() else {
        return;
    };
    let cid_len = usize::from(*cid_len % 22);
    while !rest.is_empty() {
        let destination = Packet::destination(rest, cid_len);
        match Packet::parse_first(rest, cid_len) {
            Ok(Packet::Protected(packet)) => {
                assert_eq!(destination, Some(packet.dcid.as_slice()));
                assert!(packet.pn_offset <= packet.len && packet.len > 0);
                assert!(packet.token.end <= packet.pn_offset);
                rest = &rest[packet.len..];
            }
            Ok(Packet::Retry(retry)) => {
                assert!(!retry.token.is_empty() && retry.covered.len() + 16 == rest.len());
                let authentic = quic_core::crypto::retry::is_authentic(&retry, &retry.dcid);
                // Nobody guesses a tag.
                assert_eq!(authentic, Ok(false));
                return;
            }
            Ok(Packet::VersionNegotiation(packet)) => {
                assert!(packet.versions().count() * 4 < rest.len());
                return;
            }
            Ok(Packet::UnknownVersion(packet)) => {
                assert!(!packet.version.is_supported());
                assert_eq!(destination, Some(packet.dcid));
                return;
            }
            Err(_) => return,
        }
    }
}

/// A protected packet of any kind; it cannot be authentic.
pub fn open(input: &[u8]) {
    let mut bytes = input.to_vec();
    let Ok(Packet::Protected(header)) = Packet::parse_first(&bytes, 8) else {
        return;
    };
    let bytes = &mut bytes[..header.len];
    if header.level == Level::App {
        let mut keys = OneRtt::default();
        let suite = quic_core::aead::Suite::Aes128Gcm;
        let secret = Secret::new(suite, &[9; 32]).expect("length");
        keys.install_rx(Version::V1, &secret).expect("keys");
        let pto = Duration::from_millis(1);
        assert!(keys.open(bytes, &header, 0, Instant::ZERO, pto).is_err());
        return;
    }
    let version = header.version.unwrap_or(Version::V1);
    let keys = initial_keys(version, &header.dcid, Side::Server).expect("keys");
    let mut rx = keys.rx.expect("both directions");
    // The fuzzer may know the sample packets of the RFC, which are authentic.
    if let Ok(opened) = core_packet::open(bytes, &header, &mut rx, 0) {
        assert!(opened.payload.end + 16 == bytes.len() && !opened.payload.is_empty());
        crate::frames(&bytes[opened.payload]);
    }
}

struct Source;

impl StreamSource for Source {
    fn copy(&self, offset: u64, out: &mut [u8]) {
        for (at, byte) in (offset..).zip(out) {
            *byte = at as u8;
        }
    }

    fn in_place(&self, offset: u64, _len: usize) -> bool {
        offset & 1 == 0
    }
}

/// A script of frames for one packet: what was accepted is in the packet when it is opened.
pub fn packet(script: &[u8]) {
    let mut script = Reader::new(script);
    let (Ok(size), Ok(flags)) = (script.u16(), script.u8()) else {
        return;
    };
    let level =
        [Level::Initial, Level::Early, Level::Handshake, Level::App][usize::from(flags & 3)];
    let dcid = ConnectionId::new(&[7; 8]).expect("length");
    let mut buffer = vec![0; usize::from(size % 2_000)];
    let header = OutHeader {
        level,
        version: [Version::V1, Version::V2][usize::from((flags >> 2) & 1)],
        dcid: &dcid,
        scid: &ConnectionId::EMPTY,
        token: &[5; 300][..if flags & 8 != 0 { 300 } else { 0 }],
        pn: u64::from(flags) << 8,
        largest_acked: None,
        key_phase: flags & 16 != 0,
        spin: flags & 32 != 0,
        fixed_bit: flags & 64 == 0,
    };
    let Some(mut builder) = PacketBuilder::new(&mut buffer, &header) else {
        return;
    };
    let mut tokens = vec![];
    while let Ok(kind) = script.u8() {
        tokens.extend(step(&mut builder, kind, &mut script));
    }
    let keys = initial_keys(header.version, &dcid, Side::Client).expect("keys");
    let unsealed = builder.finish();
    let mut tail = vec![0; unsealed.tail().map_or(0, |tail| tail.len)];
    Source.copy(unsealed.tail().map_or(0, |tail| tail.offset), &mut tail);
    let sealed = keys.tx.expect("tx").seal(unsealed, &[&tail]).expect("seal");
    assert!(sealed.tokens.iter().eq(&tokens));
    let mut rx = initial_keys(header.version, &dcid, Side::Server)
        .expect("keys")
        .rx
        .expect("rx");
    let packet = &mut buffer[..sealed.len];
    let Ok(Packet::Protected(parsed)) = Packet::parse_first(packet, dcid.len()) else {
        panic!("built what cannot be parsed");
    };
    assert_eq!((parsed.len, parsed.level), (sealed.len, level));
    let opened = core_packet::open(packet, &parsed, &mut rx, sealed.pn).expect("authentic");
    check_frames(&packet[opened.payload], tokens.len(), level);
}

/// Adds one frame; returns the token that is remembered for it.
fn step(builder: &mut PacketBuilder<'_>, kind: u8, script: &mut Reader<'_>) -> Option<Token> {
    let value = script.varint().unwrap_or(0);
    let len = usize::from(script.u16().unwrap_or(0));
    let offset = value.min((1 << 62) - 1 - len as u64);
    match kind % 5 {
        0 => {
            let token = Token::MaxData { max: value };
            let frame = Frame::MaxData { max: value };
            builder.write_frame(&frame, Some(token)).then_some(token)
        }
        1 => {
            let count = builder.write_crypto(offset, len, &Source)?;
            let (off, len) = (offset, count as u32);
            Some(Token::Crypto { off, len })
        }
        2 => {
            builder.pad_to(len);
            None
        }
        _ => {
            let (id, fin) = (StreamId::from_raw(value)?, kind & 16 != 0);
            let count = builder.write_stream(id, offset, len, fin, &Source)?;
            Some(Token::Stream {
                id,
                off: offset,
                len: count as u32,
                fin: fin && count == len,
            })
        }
    }
}

fn check_frames(payload: &[u8], expected: usize, level: Level) {
    let mut reader = Reader::new(payload);
    let mut count = 0;
    while !reader.is_empty() {
        match Frame::parse(&mut reader).expect("built well") {
            Frame::Padding { .. } => {}
            frame => {
                assert!(frame.allowed_in(level));
                count += 1;
            }
        }
    }
    assert_eq!(count, expected);
}
