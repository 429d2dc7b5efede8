// SPDX-License-Identifier: GPL-2.0

//! The first packets of a connection: Initial, Version Negotiation and Retry.

use super::*;

#[test]
fn late_negotiation_and_retry_are_ignored() {
    // RFC 9000 6.2 #2 test, RFC 9000 17.2.5.2 #2 test
    let mut lab = Lab::new(1);
    for packet in [
        lab.version_negotiation(&[0x1a2a_3a4a]),
        lab.retry(Version::V1),
    ] {
        lab.deliver(Side::Client, packet);
        assert!(lab.state(Side::Client).is_open());
        assert_eq!(lab.stats(Side::Client).retry_in, 0);
        assert_eq!(lab.stats(Side::Client).version_negotiation_in, 0);
    }
}

#[test]
fn the_first_datagram_is_padded_and_has_a_long_random_destination() {
    // RFC 9000 7.2 #1 test, RFC 9000 8.1 #4 test, RFC 9000 14.1 #1 test, RFC 9001 9.3 #1 test,
    // RFC 9000 6 #1 test
    let mut seen = vec![];
    for seed in 0..20 {
        let first = forge::first_flight(seed);
        assert!(first.iter().all(|packet| packet.bytes.len() >= 1200));
        let len = usize::from(first[0].bytes[5]);
        assert!((8..=20).contains(&len));
        let dcid = first[0].bytes[6..6 + len].to_vec();
        assert!(!seen.contains(&dcid));
        seen.push(dcid);
    }
}

#[test]
fn negotiation_that_lists_the_version_in_use_is_ignored() {
    // RFC 9000 6.2 #3 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let bytes = &first[0].1.bytes;
    for (versions, followed) in [
        (vec![Version::V1.0, Version::V2.0], 0),
        (vec![Version::V2.0], 1),
    ] {
        let packet = forge::negotiation_for(bytes, &versions);
        client.receive(now, &forge::packet_to_client(packet));
        assert_eq!(
            client.stats.version_negotiation_in, followed,
            "{versions:x?}"
        );
    }
}

#[test]
fn a_retry_counts_once_and_only_if_it_is_right() {
    // RFC 9000 17.2.5.1 #2 test, RFC 9000 17.2.5.1 #3 test, RFC 9000 17.2.5.2 #1 test,
    // RFC 9000 17.2.5.2 #3 test, RFC 9000 17.2.5.2 #5 test, RFC 9000 8.1.2 #1 test,
    // RFC 9000 17.2.5.3 #4 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let initial = &first[0].1.bytes;
    let (dcid, scid) = forge::long_ids(initial);
    let good = forge::retry_for(initial, &[0x77; 8], b"token");
    let mut bad_tag = good.clone();
    *bad_tag.last_mut().unwrap() ^= 1;
    let same_id = forge::retry_for(initial, &dcid, b"token");
    for packet in [bad_tag, same_id] {
        client.receive(now, &forge::packet_to_client(packet));
        assert_eq!(client.stats.retry_in, 0);
    }
    let second = forge::retry_for(initial, &[0x78; 8], b"other");
    client.receive(now, &forge::packet_to_client(good));
    client.receive(now, &forge::packet_to_client(second));
    assert_eq!(client.stats.retry_in, 1);
    let again = client.drive(now, &mut |_| {});
    let bytes = &again[0].1.bytes;
    assert_eq!(forge::long_ids(bytes), (vec![0x77; 8], scid));
    assert!(bytes.windows(5).any(|part| part == b"token"));
    // Numbers go on: the packet does not open as number zero.
    assert!(forge::initial_number(bytes) > forge::initial_number(initial));
}

#[test]
fn a_retry_is_followed_if_its_token_leaves_room_for_the_handshake() {
    for (len, followed) in [(1, 1), (1_000, 1), (1_001, 0), (1_100, 0)] {
        let (mut client, now) = forge::fresh_client(1);
        let first = client.drive(now, &mut |_| {});
        let token = vec![7; len];
        let packet = forge::retry_for(&first[0].1.bytes, &[0x77; 8], &token);
        client.receive(now, &forge::packet_to_client(packet));
        assert_eq!(client.stats.retry_in, followed, "{len}");
        let again = client.drive(now, &mut |_| {});
        assert_eq!(again.is_empty(), followed == 0, "{len}");
        let handshake = again.iter().map(|(_, packet)| packet.bytes.len());
        assert!(handshake.sum::<usize>() >= 1_200 * followed as usize);
    }
}

#[test]
fn small_or_tokened_initial_packets_are_dropped() {
    // RFC 9000 14.1 #4 test, RFC 9000 17.2.2 #1 test, RFC 9000 17.2.2 #2 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let initial = &first[0].1.bytes;
    let close = [0x1c, 0x0a, 0, 0];
    let with_token = forge::server_initial(initial, b"no", &close);
    client.receive(now, &forge::packet_to_client(with_token));
    assert!(client.state().is_open());
    let without = forge::server_initial(initial, b"", &close);
    client.receive(now, &forge::packet_to_client(without));
    assert!(!client.state().is_open());
    assert!(forge::is_incoming(initial));
    assert!(!forge::is_incoming(&initial[..1199]));
}

#[test]
fn every_violation_in_an_initial_packet_gives_its_own_error() {
    // RFC 9000 7.5 #3 test, RFC 9000 12.4 #3 test, RFC 9000 12.5 #3 test, RFC 9000 12.5 #5 test
    let far = [0x06, 0x80, 1, 0x20, 0, 1, 7];
    let cases: Vec<(&str, Vec<u8>, u64)> = vec![
        ("STREAM", vec![0x0a, 1, 1, 7], 0x0a),
        ("HANDSHAKE_DONE", vec![0x1e], 0x0a),
        ("application close", vec![0x1d, 0, 0], 0x0a),
        ("MAX_DATA", vec![0x10, 9], 0x0a),
        ("NEW_TOKEN", vec![0x07, 1, 9], 0x0a),
        ("unknown frame", vec![0x21], 0x07),
        ("CRYPTO beyond any buffer", far.to_vec(), 0x0d),
        ("ACK of nothing sent", vec![0x02, 9, 0, 0, 0], 0x0a),
    ];
    for (what, payload, code) in cases {
        let (mut client, now) = forge::fresh_client(1);
        let first = client.drive(now, &mut |_| {});
        let packet = forge::server_initial(&first[0].1.bytes, b"", &payload);
        client.receive(now, &forge::packet_to_client(packet));
        let info = client.connection.close_info();
        assert_eq!(info.map(|info| info.code), Some(code), "{what}");
        // The peer is told, in a full datagram that it may not have validated yet.
        let close = client.drive(now, &mut |_| {});
        assert!(
            !close.is_empty() && close[0].1.bytes.len() >= 1200,
            "{what}"
        );
    }
}

#[test]
fn four_kilobytes_of_crypto_data_out_of_order_are_kept() {
    // RFC 9000 7.5 #1 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    for nr in 1..=8u8 {
        let offset = (u16::from(nr) * 512).to_be_bytes();
        let mut frame = vec![0x06, offset[0] | 0x40, offset[1], 0x42, 0];
        frame.extend([nr; 512]);
        let packet = forge::numbered_initial(&first[0].1.bytes, nr, 0x66, b"", &frame);
        client.receive(now, &forge::packet_to_client(packet));
    }
    assert!(client.state().is_open());
    assert_eq!(client.stats.pkt_in, 8);
}

#[test]
fn the_first_packet_of_the_server_settles_its_connection_id_and_version() {
    // RFC 9000 7.2 #3 test, RFC 9000 7.2 #4 test, RFC 9000 7.2 #6 test, RFC 9000 5.2.1 #3 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let initial = &first[0].1.bytes;
    let close = [0x1c, 0x0a, 0, 0];
    let receive = |client: &mut quic_sim::peer::Peer, packet| {
        client.receive(now, &forge::packet_to_client(packet));
    };
    receive(
        &mut client,
        forge::numbered_initial(initial, 0, 0x66, b"", &[1]),
    );
    let answer = client.drive(now, &mut |_| {});
    let answer = &answer[0].1.bytes;
    assert_eq!(forge::long_ids(answer).0, [0x66; 8]);
    // Another source id, and another version: dropped, close or not.
    receive(
        &mut client,
        forge::numbered_initial(initial, 1, 0x67, b"", &close),
    );
    let mut other = forge::numbered_initial(initial, 1, 0x66, b"", &close);
    other[1..5].copy_from_slice(&0xff00_001du32.to_be_bytes());
    receive(&mut client, other);
    assert!(client.state().is_open());
    receive(
        &mut client,
        forge::numbered_initial(initial, 1, 0x66, b"", &close),
    );
    assert!(!client.state().is_open());
}

#[test]
fn a_client_does_not_open_early_packets() {
    // RFC 9001 5.6 #6 test, RFC 9001 5.6 #7 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    let mut packet = forge::server_initial(&first[0].1.bytes, b"", &[0x1c, 0x0a, 0, 0]);
    // The same bytes as 0-RTT: the token length becomes the length.
    packet[0] = packet[0] & 0x0f | 0xd0;
    let (dropped, open) = (client.stats.pkt_inv_hdr_drop, client.stats.pkt_in);
    client.receive(now, &forge::packet_to_client(packet));
    assert!(client.stats.pkt_inv_hdr_drop > dropped && client.stats.pkt_in == open);
    assert!(client.state().is_open());
}

#[test]
fn a_listener_answers_nothing_that_it_must_drop() {
    // RFC 9000 5.2.2 #3 test, RFC 9000 5.2.2 #8 test, RFC 9000 6.1 #1 test
    let first = forge::first_flight(1);
    let initial = &first[0].bytes;
    let with = |at: usize, value: &[u8]| {
        let mut bytes = initial.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    let unknown = with(1, &0xff00_001du32.to_be_bytes());
    assert!(forge::is_unsupported(&unknown));
    assert!(forge::is_dropped(&unknown[..1199]));
    assert!(forge::is_dropped(&with(1, &[0; 4])));
    assert!(forge::is_dropped(&initial[..1199]));
    assert!(forge::is_dropped(&with(0, &[0xf0])));
    assert!(forge::is_dropped(&[]));
}
