// SPDX-License-Identifier: GPL-2.0

//! Tokens that are right, and wrong in every way.

#![forbid(unsafe_code)]

use super::*;
use proptest::prelude::{
    any,
    prop_assert,
    proptest, //
};

struct Counter(u8);

impl Rng for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 += 1;
        out.fill(self.0);
    }
}

const NOW: Instant = Instant::from_nanos(1_000_000_000_000);

fn claims(kind: TokenKind) -> Claims {
    let id = |byte, len| match kind {
        TokenKind::Retry => ConnectionId::new(&vec![byte; len]).unwrap(),
        TokenKind::NewToken => ConnectionId::EMPTY,
    };
    Claims {
        kind,
        version: Version::V1,
        issued: NOW,
        original_dcid: id(1, 20),
        retry_scid: id(2, 8),
    }
}

fn sealed(kind: TokenKind, remote: &str) -> Vec<u8> {
    let mut out = [0; MAX_TOKEN_LEN];
    let key = TokenKey::new([5; 32]);
    let remote = remote.parse().unwrap();
    let len = key
        .seal(&claims(kind), remote, &mut Counter(0), &mut out)
        .unwrap();
    out[..len].to_vec()
}

fn opened(token: &[u8], remote: &str, now: Instant) -> Result<Claims, TokenError> {
    let key = TokenKey::new([5; 32]);
    let validated = key.open(token, Version::V1, remote.parse().unwrap(), now)?;
    Ok(validated.claims)
}

#[test]
fn a_token_says_what_it_was_given_for() {
    // RFC 9000 8.1.1 #1 test, RFC 9000 8.1.3 #14 test
    for kind in [TokenKind::Retry, TokenKind::NewToken] {
        for remote in ["192.0.2.1:4433", "[2001:db8::1]:4433"] {
            let token = sealed(kind, remote);
            assert_eq!(opened(&token, remote, NOW), Ok(claims(kind)));
            assert!(token.len() <= MAX_TOKEN_LEN);
        }
    }
    // Existing programs have 120 bytes for a token.
    const { assert!(MAX_TOKEN_LEN <= 120) };
}

#[test]
fn a_token_serves_only_the_address_it_was_given_to() {
    // RFC 9000 8.1.4 #3 test, RFC 9000 8.1.4 #4 test
    let new = sealed(TokenKind::NewToken, "192.0.2.1:4433");
    assert!(opened(&new, "192.0.2.1:9999", NOW).is_ok());
    assert!(opened(&new, "[::ffff:192.0.2.1]:1", NOW).is_ok());
    assert_eq!(
        opened(&new, "192.0.2.2:4433", NOW),
        Err(TokenError::Unknown)
    );
    let retry = sealed(TokenKind::Retry, "192.0.2.1:4433");
    for other in ["192.0.2.1:4434", "192.0.2.2:4433", "[2001:db8::1]:4433"] {
        assert_eq!(opened(&retry, other, NOW), Err(TokenError::InvalidRetry));
    }
}

// RFC 9369 5
#[test]
fn a_token_of_one_version_is_none_in_another() {
    let key = TokenKey::new([5; 32]);
    let remote = "192.0.2.1:4433";
    for (kind, error) in [
        (TokenKind::NewToken, TokenError::Unknown),
        (TokenKind::Retry, TokenError::InvalidRetry),
    ] {
        let token = sealed(kind, remote);
        let remote = remote.parse().unwrap();
        assert!(key.open(&token, Version::V1, remote, NOW).is_ok());
        assert_eq!(key.open(&token, Version::V2, remote, NOW), Err(error));
    }
}

#[test]
fn a_token_expires() {
    // RFC 9000 8.1.3 #5 test, RFC 9000 8.1.4 #7 test
    for kind in [TokenKind::Retry, TokenKind::NewToken] {
        let token = sealed(kind, "192.0.2.1:1");
        let last = NOW.saturating_add(kind.lifetime());
        let late = last.saturating_add(Duration::from_nanos(1));
        let early = NOW.saturating_sub(Duration::from_nanos(1));
        assert!(opened(&token, "192.0.2.1:1", last).is_ok());
        for now in [late, early] {
            let got = opened(&token, "192.0.2.1:1", now);
            assert_eq!(got, Err(TokenError::Expired(kind)));
        }
    }
}

#[test]
fn every_bit_is_covered_and_no_two_tokens_are_equal() {
    // RFC 9000 8.1.4 #1 test, RFC 9000 8.1.4 #2 test, RFC 9000 8.1.3 #6 test,
    // RFC 9000 8.1.3 #7 test
    for kind in [TokenKind::Retry, TokenKind::NewToken] {
        let token = sealed(kind, "192.0.2.1:1");
        for bit in 0..token.len() * 8 {
            let mut bad = token.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(opened(&bad, "192.0.2.1:1", NOW).is_err(), "bit {bit}");
        }
        for cut in 0..token.len() {
            assert!(opened(&token[..cut], "192.0.2.1:1", NOW).is_err());
        }
    }
    let key = TokenKey::new([5; 32]);
    let rng = &mut Counter(0);
    let mut out = [[0; MAX_TOKEN_LEN]; 2];
    let remote = "192.0.2.1:1".parse().unwrap();
    for out in &mut out {
        key.seal(&claims(TokenKind::NewToken), remote, rng, out)
            .unwrap();
    }
    // Neither the salt nor anything behind it is the same.
    let equal = out[0]
        .iter()
        .zip(&out[1])
        .skip(MARK_LEN)
        .filter(|(a, b)| a == b && **a != 0);
    assert!(equal.count() < 4);
    let other = TokenKey::new([6; 32]);
    assert!(other.open(&out[0], Version::V1, remote, NOW).is_err());
}

#[test]
fn what_others_gave_is_no_spoilt_token_of_a_retry() {
    // RFC 9000 8.1.3 #14 test, RFC 9000 8.1.3 #15 test
    let ours = sealed(TokenKind::Retry, "192.0.2.1:1");
    for len in 0..=MAX_TOKEN_LEN {
        let foreign: Vec<u8> = (0..len).map(|at| (1 + 7 * at) as u8).collect();
        assert_eq!(TokenKind::of(&foreign), None);
        let found = opened(&foreign, "192.0.2.1:1", NOW);
        assert_eq!(found, Err(TokenError::Unknown), "{len}");
    }
    let spoilt = [&ours[..ours.len() - 1], &[0]].concat();
    assert_eq!(TokenKind::of(&spoilt), Some(TokenKind::Retry));
    let found = opened(&spoilt, "192.0.2.1:1", NOW);
    assert_eq!(found, Err(TokenError::InvalidRetry));
}

proptest! {
    #![proptest_config(crate::common::test_config(600))]

    #[test]
    fn random_bytes_are_no_token(kind in 0..4u8, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&[kind][..], &bytes].concat();
        prop_assert!(opened(&bytes, "192.0.2.1:1", NOW).is_err());
    }
}
