// SPDX-License-Identifier: GPL-2.0

//! What can be sent before a handshake is complete.

use super::*;

// RFC 9000 7.5 #6 test
#[test]
fn handshake_bytes_with_holes_are_bounded() {
    let _alone = alone();
    // One byte of every two, ever farther away, at either level.
    let outcome = flood(Side::Client, 200_000, true, |n| {
        with_data(0x06, &[&frame(&[2 * n + 1, 1])[..], b"x"].concat())
    });
    assert_eq!(outcome.error, Some(ErrorCode::CRYPTO_BUFFER_EXCEEDED.0));
    assert!(outcome.held < BOUND, "{outcome:?}");
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let region = Region::new(HEAP);
    for number in 0..250u8 {
        let mut frames = vec![];
        for hole in 0..200u64 {
            let offset = 2 * (hole + 200 * u64::from(number)) + 1;
            frames.extend(with_data(0x06, &frame(&[offset, 1])));
            frames.push(7);
        }
        let packet = forge::numbered_initial(&first[0].1.bytes, number, 0x66, b"", &frames);
        client.receive(now, &forge::packet_to_client(packet));
    }
    let info = client.connection.close_info().expect("a cause");
    assert_eq!(info.code, ErrorCode::CRYPTO_BUFFER_EXCEEDED.0);
    assert!(grown(&region) < BOUND);
}

#[test]
fn what_is_coalesced_with_a_first_packet_is_kept_in_bounds() {
    let _alone = alone();
    let mut setup = Setup::default();
    setup.shape.certificate = 500;
    let mut server = forge::fresh_server(setup);
    let (_, now) = forge::fresh_client(1);
    let first = forge::first_flight(1).remove(0);
    server.receive(now, first.clone());
    server.drive(now);
    let region = Region::new(HEAP);
    // Packets whose keys are still to come, many in each datagram.
    let (dcid, scid) = forge::long_ids(&first.bytes);
    for number in 0..20_000u32 {
        let mut bytes = vec![];
        while bytes.len() < 1_200 {
            for (kind, len) in [(0xd3u8, 40u16), (0xe3, 40)] {
                bytes.extend([kind, 0, 0, 0, 1, dcid.len() as u8]);
                bytes.extend(&dcid);
                bytes.push(scid.len() as u8);
                bytes.extend(&scid);
                bytes.extend((0x4000 | len).to_be_bytes());
                bytes.extend(number.to_be_bytes());
                bytes.extend([0x55; 36]);
            }
        }
        let packet = Packet {
            bytes,
            ..first.clone()
        };
        server.receive(now, packet);
        server.drive(now);
    }
    assert_eq!(server.peers.len(), 1);
    let held = server.peers[0].connection.recv_truesize();
    assert!(held < BOUND && grown(&region) < BOUND, "{held}");
}
