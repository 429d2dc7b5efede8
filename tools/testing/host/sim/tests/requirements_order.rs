// SPDX-License-Identifier: GPL-2.0

//! Rules about what comes when: levels during the handshake, tokens, and the bits that mean
//! nothing.

mod forge;

use quic_core::common::{
    Dir,
    Level,
    Side, //
};
use quic_core::packet::Packet as Parsed;
use quic_sim::net::Packet;
use quic_sim::node::{
    Client,
    Setup, //
};
use quic_sim::world::Node;

/// Levels of the packets of a datagram, in order.
fn levels(bytes: &[u8]) -> Vec<Level> {
    let mut rest = bytes;
    let mut found = vec![];
    while let Ok(Parsed::Protected(header)) = Parsed::parse_first(rest, 8) {
        found.push(header.level);
        rest = &rest[header.len..];
    }
    found
}

/// Lets a client and a server talk without loss or delay; returns the levels each sent, in order.
fn conversation(client: &Setup, server: Setup) -> [Vec<Level>; 2] {
    let (_, start) = forge::fresh_client(1);
    let (local, remote) = (forge::addr(Side::Client), forge::addr(Side::Server));
    let mut client = Client::new(start, 1, local, remote, client).expect("a client");
    let mut server = forge::fresh_server(server);
    let mut sent = [vec![], vec![]];
    let mut now = start;
    for _ in 0..400 {
        let up: Vec<_> = client.drive(now);
        let mut is_quiet = up.is_empty();
        for (_, packet) in up {
            sent[0].extend(levels(&packet.bytes));
            server.receive(now, packet);
        }
        let down: Vec<_> = server.drive(now);
        is_quiet &= down.is_empty();
        for (_, packet) in down {
            sent[1].extend(levels(&packet.bytes));
            client.receive(now, packet);
        }
        if is_quiet {
            let next = [client.next_timeout(), server.next_timeout()];
            now = next
                .into_iter()
                .flatten()
                .min()
                .expect("a deadline")
                .max(now);
            client.timeout(now);
            server.timeout(now);
        }
        let confirmed = client.peer.connection.is_confirmed();
        if confirmed && client.peer.app.is_sent() && is_quiet {
            return sent;
        }
    }
    panic!("no end: {sent:?}");
}

fn first(levels: &[Level], wanted: Level) -> Option<usize> {
    levels.iter().position(|level| *level == wanted)
}

fn last(levels: &[Level], wanted: Level) -> Option<usize> {
    levels.iter().rposition(|level| *level == wanted)
}

#[test]
fn nobody_goes_back_to_initial_packets() {
    // RFC 9001 4.9.1 #1 test, RFC 9001 4.9.1 #2 test, RFC 9001 4.9.1 #3 test,
    // RFC 9001 4.9.2 #1 test
    let [client, server] = conversation(&Setup::default(), Setup::default());
    let handshake = first(&client, Level::Handshake).expect("a Handshake packet");
    assert!(
        last(&client, Level::Initial) < Some(handshake),
        "{client:?}"
    );
    // The server has it when it sends its first 1-RTT packets with data of its own: what follows
    // the last Handshake packet is 1-RTT only.
    let end = last(&server, Level::Handshake).expect("a flight");
    assert!(server[end + 1..].iter().all(|level| *level == Level::App));
    assert!(last(&server, Level::Initial) < Some(end));
}

#[test]
fn early_packets_end_where_one_rtt_packets_begin() {
    // RFC 9000 17.2.3 #3 test, RFC 9001 5.6 #5 test, RFC 9001 5.6 #8 test,
    // RFC 9001 4.9.3 #1 test, RFC 9001 4.9 #2 test
    let mut client = Setup::default();
    client.shape.early = true;
    client.plan.early = true;
    client.plan.streams = vec![(Dir::Bidi, 5_000)];
    client.remembered = Some(quic_sim::node::params());
    let mut server = Setup::default();
    server.shape.early = true;
    server.shape.accept_early = true;
    let [client, server] = conversation(&client, server);
    let early = last(&client, Level::Early).expect("0-RTT");
    assert!(
        early < first(&client, Level::App).expect("1-RTT"),
        "{client:?}"
    );
    assert_eq!(first(&server, Level::Early), None);
}

#[test]
fn a_token_is_in_every_initial_packet() {
    // RFC 9000 8.1.3 #2 test
    let setup = Setup {
        token: b"a token of an earlier connection".to_vec(),
        ..Setup::default()
    };
    let (_, start) = forge::fresh_client(1);
    let (local, remote) = (forge::addr(Side::Client), forge::addr(Side::Server));
    let mut client = Client::new(start, 1, local, remote, &setup).expect("a client");
    let mut now = start;
    for _ in 0..4 {
        let packets = client.drive(now);
        assert!(!packets.is_empty());
        for (_, packet) in packets {
            let Ok(Parsed::Protected(header)) = Parsed::parse_first(&packet.bytes, 8) else {
                panic!("not a packet");
            };
            assert_eq!(&packet.bytes[header.token], &setup.token[..]);
        }
        now = client.next_timeout().expect("a probe");
        client.timeout(now);
    }
}

#[test]
fn a_spin_bit_that_is_switched_off_is_random_and_not_read() {
    // RFC 9000 17.4 #2 test, RFC 9000 17.4 #3 test, RFC 9000 17.4 #5 test, RFC 9000 17.4 #6 test
    let mut setup = Setup::default();
    setup.config.spin = false;
    let mut lab = forge::Lab::with_setup(1, setup);
    let mut bits = [0, 0];
    for round in 0..200 {
        // What arrives is the same all the time.
        let packet = lab.forge(Side::Client, 0x63, &[1, 0, 0, 0]);
        lab.deliver(Side::Server, packet);
        lab.inject(Side::Client, &[1, 0, 0, 0]);
        let answers: Vec<Packet> = lab.drive(Side::Server);
        assert!(!answers.is_empty(), "{round}");
        for packet in answers {
            assert_eq!(packet.bytes[0] & 0x80, 0);
            bits[usize::from((packet.bytes[0] >> 5) & 1)] += 1;
        }
    }
    assert!(bits[0] > 50 && bits[1] > 50, "{bits:?}");
    assert_eq!(lab.error(Side::Server), None);
}

#[test]
fn an_observer_sees_the_spin_bit_change_once_per_round_trip() {
    // RFC 9000 17.4 #4 test
    let mut spinning = 0;
    for seed in 0..160 {
        let mut lab = forge::Lab::new(seed);
        let mut bits = vec![];
        for round in 0..16 {
            let bit = round & 1;
            let packet = lab.forge(Side::Client, 0x43 | (bit << 5), &[1, 0, 0, 0]);
            lab.deliver(Side::Server, packet);
            let packet = lab.forge(Side::Client, 0x43 | (bit << 5), &[1, 0, 0, 0]);
            lab.deliver(Side::Server, packet);
            let answers: Vec<Packet> = lab.drive(Side::Server);
            bits.push((answers.last().expect("an ACK").bytes[0] >> 5) & 1 == bit);
        }
        // A server that does not spin is right by chance once in 65 536 seeds.
        spinning += u32::from(!bits.contains(&false));
    }
    assert!((138..=158).contains(&spinning), "{spinning} of 160 spin");
}

#[test]
fn small_datagrams_are_no_reason_to_close() {
    // RFC 9000 14 #4 test, RFC 9000 8.2.1 #7 test
    let (mut client, now) = forge::fresh_client(1);
    let first = client.drive(now, &mut |_| {});
    for len in 0..100 {
        let packet = forge::packet_to_client(first[0].1.bytes[..len].to_vec());
        client.receive(now, &packet);
    }
    assert!(client.state().is_open());
    let mut lab = forge::Lab::new(1);
    lab.inject(Side::Client, &[0x1a, 1, 2, 3, 4, 5, 6, 7, 8]);
    let answers = lab.drive(Side::Server);
    assert!(answers.iter().any(|packet| {
        let payload = lab.open(Side::Server, &packet.bytes);
        payload.starts_with(&[0x1b, 1, 2, 3, 4, 5, 6, 7, 8])
    }));
}

#[test]
fn a_closing_server_says_nothing_to_addresses_it_has_not_validated() {
    // RFC 9000 10.2.1 #7 test, RFC 9000 10.2.1 #5 test
    let mut lab = forge::Lab::new(1);
    lab.inject(Side::Client, &[0x21]);
    let _ = lab.drive(Side::Server);
    let elsewhere = std::net::SocketAddr::from(([203, 0, 113, 9], 4_000));
    let mut sent = 0;
    for _ in 0..20 {
        lab.inject_from(elsewhere, &[1, 0, 0, 0]);
        let answers = lab.drive(Side::Server);
        let there = answers.iter().filter(|packet| packet.dst == elsewhere);
        sent += there.map(|packet| packet.bytes.len()).sum::<usize>();
    }
    assert!(sent <= 3 * 20 * 33, "{sent} bytes");
}

#[test]
fn early_packets_end_when_the_servers_new_limits_are_known() {
    // RFC 9000 7.4.1 #10 test, RFC 9000 7.4.1 #11 test
    let mut setup = Setup::default();
    setup.shape.early = true;
    setup.plan.early = true;
    setup.plan.streams = vec![(Dir::Bidi, 400_000)];
    let mut remembered = quic_sim::node::params();
    remembered.initial_max_data = 4_000;
    setup.remembered = Some(remembered);
    let mut theirs = Setup::default();
    theirs.shape.early = true;
    theirs.shape.accept_early = true;
    // So long that the flight needs several round trips behind its EncryptedExtensions.
    theirs.shape.certificate = 60_000;
    let (_, start) = forge::fresh_client(1);
    let (local, remote) = (forge::addr(Side::Client), forge::addr(Side::Server));
    let mut client = Client::new(start, 1, local, remote, &setup).expect("a client");
    let mut server = forge::fresh_server(theirs);
    let (mut early, mut between) = (0, 0);
    let mut now = start;
    for _ in 0..400 {
        let is_known = !client.peer.peer_params.is_empty();
        for (_, packet) in client.drive(now) {
            let levels = levels(&packet.bytes);
            let count = levels
                .iter()
                .filter(|level| **level == Level::Early)
                .count();
            assert!(!is_known || count == 0, "{levels:?}");
            early += count;
            between += usize::from(is_known && !levels.contains(&Level::App));
            server.receive(now, packet);
        }
        for (_, packet) in server.drive(now) {
            client.receive(now, packet);
        }
        let next = [client.next_timeout(), server.next_timeout()];
        now = next
            .into_iter()
            .flatten()
            .min()
            .expect("a deadline")
            .max(now);
        client.timeout(now);
        server.timeout(now);
        if client.peer.connection.is_confirmed() && client.peer.app.is_sent() {
            break;
        }
    }
    // There were early packets, there was a time with limits of the server's and without 1-RTT
    // keys, and what did not fit the remembered limits arrived later.
    assert!(early > 0 && between > 0, "{early} {between}");
    assert!(server.peers[0].app.bytes() > 4_000);
}
