// SPDX-License-Identifier: GPL-2.0

//! Flow control at both levels: what is granted, kept to, announced and accounted.

use super::*;
use crate::common::time::Duration;

fn frames(packets: &[Packet]) -> Vec<Frame<'_>> {
    packets.iter().flat_map(Packet::frames).collect()
}

fn is_grant(frame: &Frame<'_>) -> bool {
    matches!(frame, Frame::MaxData { .. } | Frame::MaxStreamData { .. })
}

// RFC 9000 2.2 #4 test
// RFC 9000 4.1 #1 test
// RFC 9000 19.10 #3 test
#[test]
fn no_more_is_queued_than_either_level_allows() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let ids: Vec<_> = (0..5).map(|_| client.open(Dir::Uni)).collect();
    for id in &ids[..4] {
        assert_eq!(client.streams.sendable(*id), Ok(1000));
        client.write(*id, &[1; 1000], false).unwrap();
    }
    assert_eq!(client.streams.sendable(ids[4]), Ok(0));
    assert_eq!(client.streams.connection_credit(), 0);
    assert_eq!(client.write(ids[4], b"x", false), Err(Error::NoCredit));
    assert_eq!(client.streams.unsent_bytes(), 4000);
    settle(&mut client, &mut server);
    assert_eq!(client.streams.unsent_bytes(), 0);
    assert_eq!(server.streams.totals(), (0, 4000, 0));
}

// RFC 9000 4.2 #2 test
#[test]
fn reading_a_quarter_of_a_window_announces_more_without_being_asked() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Uni);
    client.write(id, &[1; 1000], false).unwrap();
    settle(&mut client, &mut server);
    server.read(249).unwrap();
    assert!(server.transmit().is_none());
    server.read(1).unwrap();
    let packets = server.transmit_all();
    assert_eq!(frames(&packets), [Frame::MaxStreamData { id, max: 1250 }]);
    server.read(750).unwrap();
    let packets = server.transmit_all();
    let expected = [
        Frame::MaxData { max: 5000 },
        Frame::MaxStreamData { id, max: 2000 },
    ];
    assert_eq!(frames(&packets), expected);
    for packet in &packets {
        client.receive(packet).unwrap();
    }
    assert_eq!(client.streams.sendable(id), Ok(1000));
}

#[test]
fn a_lost_grant_is_sent_again_with_the_newest_value_and_an_old_one_is_not() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Uni);
    client.write(id, &[1; 1000], false).unwrap();
    settle(&mut client, &mut server);
    server.read(300).unwrap();
    let first = server.transmit().unwrap();
    server.read(300).unwrap();
    let second = server.transmit().unwrap();
    server.on_lost(&first);
    assert!(server.transmit().is_none());
    server.on_lost(&second);
    server.read(10).unwrap();
    let again = server.transmit_all();
    assert_eq!(frames(&again), [Frame::MaxStreamData { id, max: 1610 }]);
}

// RFC 9000 13.3 #2 test
#[test]
fn no_credit_is_granted_when_the_end_is_known_or_nothing_is_wanted() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Uni);
    client.write(id, &[1; 900], true).unwrap();
    settle(&mut client, &mut server);
    server.read(500).unwrap();
    assert!(server.transmit().is_none());
    let id = client.open(Dir::Uni);
    client.write(id, &[1; 900], false).unwrap();
    settle(&mut client, &mut server);
    server.streams.stop_sending(id, 0).unwrap();
    let packets = server.transmit_all();
    let grants: Vec<_> = frames(&packets).into_iter().filter(is_grant).collect();
    // 500 bytes read and 900 thrown away.
    assert_eq!(grants, [Frame::MaxData { max: 5400 }]);
}

// RFC 9000 4.1 #3 test
// RFC 9000 13.3 #5 test
#[test]
fn a_smaller_limit_changes_nothing() {
    let (mut client, _) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Uni);
    let smaller = [
        Frame::MaxData { max: 10 },
        Frame::MaxStreamData { id, max: 10 },
        Frame::MaxStreams {
            dir: Dir::Uni,
            max: 1,
        },
    ];
    client.receive(&Packet::of(&smaller)).unwrap();
    assert_eq!(client.streams.sendable(id), Ok(1000));
    assert_eq!(client.streams.connection_credit(), 4000);
    assert_eq!(client.open(Dir::Uni), client_uni(1));
}

// RFC 9000 4.1 #4 test
// RFC 9000 19.12 #1 test
// RFC 9000 19.13 #1 test
#[test]
fn being_blocked_is_told_once_for_each_limit() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let ids: Vec<_> = (0..4).map(|_| client.open(Dir::Uni)).collect();
    client.streams.note_data_blocked(ids[0]);
    assert!(client.transmit().is_none());
    for id in &ids {
        client.write(*id, &[1; 1000], false).unwrap();
    }
    settle(&mut client, &mut server);
    client.streams.note_data_blocked(ids[0]);
    client.streams.note_data_blocked(ids[0]);
    let packet = client.transmit().unwrap();
    let id = ids[0];
    let expected = [
        Frame::DataBlocked { limit: 4000 },
        Frame::StreamDataBlocked { id, limit: 1000 },
    ];
    assert_eq!(packet.frames(), expected);
    client.streams.note_data_blocked(id);
    assert!(client.transmit().is_none());
    client.on_lost(&packet);
    assert_eq!(client.transmit().unwrap().frames(), expected);
    // RFC 9000 4.1 #5 test
    client.streams.resignal_blocked();
    let packet = client.transmit().unwrap();
    assert_eq!(packet.frames(), [Frame::DataBlocked { limit: 4000 }]);
    assert!(client.streams.may_be_blocked());
    // With new limits the old signals are not sent again, but new ones are.
    let raised = [
        Frame::MaxData { max: 4001 },
        Frame::MaxStreamData { id, max: 1001 },
    ];
    client.receive(&Packet::of(&raised)).unwrap();
    client.on_lost(&packet);
    client.streams.resignal_blocked();
    assert!(client.transmit().is_none());
    client.write(id, b"x", false).unwrap();
    client.streams.note_data_blocked(id);
    let packet = client.transmit().unwrap();
    assert_eq!(
        packet.frames()[..2],
        [
            Frame::DataBlocked { limit: 4001 },
            Frame::StreamDataBlocked { id, limit: 1001 },
        ]
    );
}

#[test]
fn a_peer_that_says_it_is_blocked_gets_what_little_there_is() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Uni);
    client.write(id, &[1; 1000], false).unwrap();
    settle(&mut client, &mut server);
    let blocked = Packet::of(&[
        Frame::StreamDataBlocked { id, limit: 1000 },
        Frame::DataBlocked { limit: 4000 },
    ]);
    server.receive(&blocked).unwrap();
    assert!(server.transmit().is_none());
    server.read(7).unwrap();
    for _ in 0..1000 {
        server.receive(&blocked).unwrap();
    }
    let packets = server.transmit_all();
    let expected = [
        Frame::MaxData { max: 4007 },
        Frame::MaxStreamData { id, max: 1007 },
    ];
    assert_eq!(frames(&packets), expected);
}

#[test]
fn a_reset_gives_back_the_credit_of_what_was_not_sent() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Uni);
    client.write(id, &[1; 1000], false).unwrap();
    let packet = client.transmit_within(300).unwrap();
    server.receive(&packet).unwrap();
    let sent = 1000 - client.streams.unsent_bytes();
    assert!((200..300).contains(&sent), "{sent}");
    client.streams.reset(id, 1).unwrap();
    assert_eq!(client.streams.connection_credit(), 4000 - sent);
    assert_eq!(client.streams.unsent_bytes(), 0);
    settle(&mut client, &mut server);
    assert_eq!(server.streams.totals(), (0, sent, sent));
}

/// Writes as much as the credit allows.
fn fill(end: &mut End, id: StreamId) {
    let credit = end.streams.sendable(id).unwrap();
    if credit > 0 {
        end.write(id, &std::vec![1; credit as usize], false)
            .unwrap();
    }
}

/// Lets a sender fill every window a reader grants for `trips` round trips of 50 ms; returns the
/// bytes of the last one.
fn run(local: &TransportParams, trips: u64, per_trip: u64) -> u64 {
    let (mut client, mut server) = End::pair(local);
    let id = client.open(Dir::Uni);
    let mut last = 0;
    for trip in 1..=trips {
        let credit = client.streams.sendable(id).unwrap().min(per_trip);
        client
            .write(id, &std::vec![1; credit as usize], false)
            .unwrap();
        let packets = client.transmit_all();
        server.now = Instant::from_nanos(trip * 50_000_000);
        server.streams.set_rtt(Duration::from_millis(50));
        for packet in &packets {
            server.receive(packet).unwrap();
            client.on_acked(packet);
        }
        while server.read(u64::MAX).is_ok() {}
        for packet in server.transmit_all() {
            client.receive(&packet).unwrap();
        }
        last = credit;
    }
    last
}

#[test]
fn the_window_grows_to_twice_what_is_read_in_a_round_trip_and_no_further_than_its_bound() {
    let local = params(10_000, 10);
    // A path of 25 kB a round trip: the first window of 10 kB is no obstacle for long.
    assert_eq!(run(&local, 20, 25_000), 25_000);
    // An endless one: the bound of eight times the connection's first window is reached.
    let most = run(&local, 40, u64::MAX);
    assert!((160_000..=320_000).contains(&most), "{most}");
}

#[test]
fn the_window_of_a_slow_reader_stays() {
    let (mut client, mut server) = End::pair(&params(10_000, 10));
    server.streams.set_rtt(Duration::from_millis(50));
    let id = client.open(Dir::Uni);
    for second in 0..20 {
        fill(&mut client, id);
        for packet in client.transmit_all() {
            server.receive(&packet).unwrap();
        }
        // 1000 bytes in 20 reads over a second: 50 bytes a round trip.
        for step in 0..20 {
            server.now = Instant::from_nanos(second * 1_000_000_000 + step * 50_000_000);
            server.read(50).unwrap();
        }
        for packet in server.transmit_all() {
            client.receive(&packet).unwrap();
        }
    }
    let recv = server.streams.table.get(id).unwrap().recv.as_ref().unwrap();
    assert_eq!(recv.credit().window(), 10_000);
}

// RFC 9000 4.5 #2 test
#[test]
fn nothing_is_sent_behind_the_end_of_a_stream() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let (ended, reset) = (client.open(Dir::Uni), client.open(Dir::Uni));
    client.write(ended, b"end", true).unwrap();
    client.write(reset, b"more", false).unwrap();
    client.streams.reset(reset, 7).unwrap();
    for id in [ended, reset] {
        assert!(client.streams.sendable(id).is_err());
        assert!(client.write(id, b"x", false).is_err());
    }
    while let Some(packet) = client.transmit() {
        for frame in packet.frames() {
            if let Frame::Stream(stream) = frame {
                assert!(stream.offset + stream.data.len() as u64 <= 3);
            }
        }
        server.receive(&packet).unwrap();
    }
}

// RFC 9000 19.9 #1 test
#[test]
fn streams_that_are_over_count_towards_the_connections_limit() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    for len in [1000, 1000, 1000, 600] {
        let id = client.open(Dir::Uni);
        client.write(id, &std::vec![1; len], true).unwrap();
    }
    settle(&mut client, &mut server);
    let id = client.open(Dir::Uni);
    assert_eq!(client.streams.sendable(id), Ok(400));
    assert!(client.write(id, &[1; 401], false).is_err());
    client.write(id, &[1; 400], false).unwrap();
}
