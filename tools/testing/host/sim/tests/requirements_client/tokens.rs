// SPDX-License-Identifier: GPL-2.0

//! Tokens: of Retry, of NEW_TOKEN, and those of somebody else.

use super::*;

/// The token in the first packet of a datagram.
fn token(datagram: &[u8]) -> Vec<u8> {
    let Ok(Parsed::Protected(header)) = Parsed::parse_first(datagram, 8) else {
        panic!("not a packet");
    };
    datagram[header.token].to_vec()
}

#[test]
fn the_token_of_a_retry_serves_the_attempt_it_was_given_for() {
    // RFC 9000 8.1.3 #12 test, RFC 9000 17.2.5.1 #5 test
    let mut server = Setup {
        retry: true,
        ..Setup::default()
    };
    server.shape.certificate = 200;
    let mut wire = Wire::new(&Setup::default(), server);
    let mut first = wire.up();
    first.truncate(1);
    wire.give_server(first);
    // One datagram, one Retry.
    let retry = wire.down();
    assert_eq!(retry.len(), 1);
    wire.give_client(retry);
    let second = wire.up();
    let given = token(&second[0].bytes);
    assert!(!given.is_empty());
    assert!(second.iter().all(|packet| token(&packet.bytes) == given));
    assert!(wire.client.peer.connection.token().is_empty());
    wire.give_server(second);
    let packets = wire.down();
    wire.give_client(packets);
    wire.exchange(5);
    assert_eq!(wire.client.peer.state(), State::Established);
    let kept = wire.client.peer.connection.token();
    assert!(!kept.is_empty() && kept != given);
}

#[test]
fn a_retry_token_of_another_address_is_refused() {
    // RFC 9000 8.1.2 #2 test
    let server = Setup::default();
    let other = SocketAddr::from(([203, 0, 113, 9], 1111));
    let client = Setup {
        token: token_for(other, TokenKind::Retry, server.config.token_key),
        ..Setup::default()
    };
    let mut wire = Wire::new(&client, server);
    let mut first = wire.up();
    first.truncate(1);
    wire.give_server(first);
    assert!(wire.server.peers.is_empty());
    let answer = wire.down();
    assert_eq!(answer.len(), 1);
    wire.give_client(answer);
    let info = wire.client.peer.connection.close_info();
    assert_eq!(info.map(|info| info.code), Some(0x0b));
}

/// A token that a server with this key would have given to `addr`.
fn token_for(addr: SocketAddr, kind: TokenKind, key: [u8; 32]) -> Vec<u8> {
    let claims = Claims {
        kind,
        version: Version::V1,
        issued: quic_core::common::Instant::from_nanos(900_000_000),
        original_dcid: quic_core::common::ConnectionId::EMPTY,
        retry_scid: quic_core::common::ConnectionId::EMPTY,
    };
    let mut token = [0; MAX_TOKEN_LEN];
    let len = TokenKey::new(key)
        .seal(&claims, addr, &mut SeedRng::new(1, 9), &mut token)
        .expect("a token");
    token[..len].to_vec()
}

/// Bytes that a server sends at once to a client that comes with a token for `addr`.
fn sent_for_token(addr: SocketAddr) -> usize {
    let mut server = Setup::default();
    server.shape.certificate = 20_000;
    let client = Setup {
        token: token_for(addr, TokenKind::NewToken, server.config.token_key),
        ..Setup::default()
    };
    let mut wire = Wire::new(&client, server);
    let mut first = wire.up();
    first.truncate(1);
    wire.give_server(first);
    wire.down().iter().map(|packet| packet.bytes.len()).sum()
}

#[test]
fn a_token_of_another_address_validates_nothing() {
    // RFC 9000 8.1.4 #5 test, RFC 9000 8.1.3 #15 test, RFC 9000 8.1.3 #16 test
    assert!(sent_for_token(forge::addr(Side::Client)) > 3 * 1200);
    let other = SocketAddr::from(([203, 0, 113, 9], 1111));
    assert!((1200..=3 * 1200).contains(&sent_for_token(other)));
}
