// SPDX-License-Identifier: GPL-2.0

//! A server that breaks the rules towards a client.

use super::*;

/// What a frame of the server does to the client's connection.
fn client_says(payload: &[u8]) -> Option<u64> {
    let mut lab = Lab::new(1);
    lab.inject(Side::Server, payload);
    lab.drive(Side::Client);
    lab.error(Side::Client)
}

/// A CRYPTO frame behind the session ticket of the scripted handshake.
fn post_handshake(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x06, 0x40, 104, message.len() as u8];
    frame.extend(message);
    frame
}

#[test]
fn every_violation_of_the_server_gives_its_own_error() {
    // RFC 9000 19.7 #2 test, RFC 9000 19.15 #7 test, RFC 9000 19.8 #1 test,
    // RFC 9001 4.4 #6 test, RFC 9001 4.6.1 #2 test, RFC 9001 6 #3 test
    let mut ticket = vec![4, 0, 0, 22, 0, 0, 0, 9, 0, 0, 0, 9, 1, 5, 0, 1, 7, 0, 8];
    ticket.extend([0, 42, 0, 4, 0, 0, 0x40, 0]);
    ticket[3] = ticket.len() as u8 - 4;
    let cases: Vec<(&str, Vec<u8>, u64)> = vec![
        ("empty NEW_TOKEN", vec![0x07, 0], 0x07),
        (
            "ids retired beyond",
            [&[0x18, 9, 10, 8][..], &[1; 24]].concat(),
            0x07,
        ),
        ("STREAM, send-only", stream(2, 0, false, b"x"), 0x05),
        ("STREAM, not created", stream(4, 0, false, b"x"), 0x05),
        ("TLS KeyUpdate", post_handshake(&[24, 0, 0, 1, 0]), 0x10a),
        (
            "CertificateRequest",
            post_handshake(&[13, 0, 0, 3, 0, 0, 0]),
            0x0a,
        ),
        ("limited early data", post_handshake(&ticket), 0x0a),
        ("begun KeyUpdate", post_handshake(&[24, 9, 9, 9]), 0x10a),
        ("another message", post_handshake(&[1, 0, 0, 1, 7]), 0x10a),
    ];
    for (what, payload, code) in cases {
        assert_eq!(client_says(&payload), Some(code), "{what}");
    }
    // Another message that is not complete, short or long, is none yet.
    assert_eq!(client_says(&post_handshake(&[1, 0, 0, 9, 7])), None);
    assert_eq!(client_says(&post_handshake(&[1, 2, 3, 4, 7])), None);
    assert_eq!(client_says(&[0x1e]), None);
    assert_eq!(client_says(&[0x07, 3, 1, 2, 3]), None);
}

#[test]
fn a_message_behind_the_ticket_that_is_too_long_to_keep_is_judged_at_its_end() {
    let mut lab = Lab::new(1);
    // A ClientHello of 8,192 bytes.
    lab.inject(Side::Server, &post_handshake(&[1, 0, 0x20, 0]));
    for chunk in 0..9u16 {
        lab.drive(Side::Client);
        assert_eq!(lab.error(Side::Client), None, "{chunk}");
        let mut frame = vec![0x06];
        frame.extend((0x4000 + 108 + 1000 * chunk).to_be_bytes());
        frame.extend([0x43, 0xe8]);
        frame.extend([7; 1000]);
        lab.inject(Side::Server, &frame);
    }
    lab.drive(Side::Client);
    assert_eq!(lab.error(Side::Client), Some(0x10a));
}
