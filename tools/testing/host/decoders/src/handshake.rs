// SPDX-License-Identifier: GPL-2.0

//! What a listener reads before there is a connection.

#![forbid(unsafe_code)]

use quic_core::{
    buf::Datagram,
    common::{
        Instant,
        Version, //
    },
    conn::{
        accept::{
            FirstPacket,
            Hello,
            HelloCollector, //
        },
        client_hello::{
            ClientHello,
            Parsed, //
        },
    },
    packet::token::TokenKey,
};

/// The beginning of a client's CRYPTO stream.
pub fn client_hello(bytes: &[u8]) {
    match ClientHello::parse(bytes) {
        Parsed::Complete(hello) => {
            let total: usize = hello.alpns().map(|alpn| alpn.len() + 1).sum();
            assert!(total <= bytes.len());
            assert!(hello
                .server_name()
                .is_none_or(|name| name.len() <= bytes.len()));
            // Bytes behind the message change nothing.
            let longer = [bytes, &[0xff; 3]].concat();
            assert_eq!(ClientHello::parse(&longer), Parsed::Complete(hello));
        }
        Parsed::Incomplete(needed) => assert!(needed > bytes.len()),
        Parsed::Malformed => {}
    }
}

/// A datagram at a listener, with the collecting of its ClientHello.
pub fn first_packet(bytes: &[u8]) {
    // Small ones are dropped before anything is read.
    let datagram = [bytes, &vec![0; 1_200usize.saturating_sub(bytes.len())]].concat();
    if let FirstPacket::Incoming(incoming) = FirstPacket::parse(&datagram) {
        let mut collector = HelloCollector::new(&incoming).expect("memory");
        let mut copy = Datagram::try_from_slice(&datagram).expect("memory");
        collector.push(&mut copy);
        if let Hello::Complete(hello) = collector.hello() {
            assert!(hello.alpns().count() <= datagram.len());
        }
    }
}

/// A token: nobody guesses one.
pub fn token(bytes: &[u8]) {
    let key = TokenKey::new([3; 32]);
    let remote = "192.0.2.1:4433".parse().expect("address");
    assert!(key.open(bytes, Version::V1, remote, Instant::ZERO).is_err());
}
