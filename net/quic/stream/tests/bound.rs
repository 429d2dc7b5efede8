// SPDX-License-Identifier: GPL-2.0

//! How many streams there may be: a peer that allows any number of them does not make this side hold
//! them, and what is held is charged.

use super::*;

/// A client whose peer allows as many streams as there are ids.
fn client() -> (End, End) {
    let (mut client, server) = End::pair(&params(1_000_000, MAX_OPEN));
    client.streams.set_peer_params(&TransportParams {
        initial_max_streams_bidi: StreamId::MAX_STREAMS,
        initial_max_streams_uni: StreamId::MAX_STREAMS,
        ..params(1_000_000, MAX_OPEN)
    });
    (client, server)
}

fn fill(end: &mut End, dir: Dir) {
    for _ in 0..MAX_OPEN {
        end.open(dir);
    }
}

#[test]
fn however_many_streams_the_peer_allows_4096_of_a_type_are_open_and_charged() {
    let (mut client, _) = client();
    let mut before = client.streams.object_truesize();
    for (nr, dir) in [Dir::Bidi, Dir::Uni].into_iter().enumerate() {
        fill(&mut client, dir);
        let opened = client.streams.open(None, dir);
        assert_eq!(opened, Err(Error::WouldBlock));
        assert_eq!(client.streams.len() as u64, (nr as u64 + 1) * MAX_OPEN);
        let held = client.streams.object_truesize();
        assert!(held - before >= MAX_OPEN as usize * size_of::<table::Stream>());
        before = held;
    }
    // It is not the peer that is in the way.
    client.streams.note_streams_blocked(Dir::Bidi);
    assert!(client.transmit().is_none());
}

#[test]
fn a_stream_that_ends_makes_room_for_another_and_whoever_waits_is_woken() {
    let (mut client, _) = client();
    fill(&mut client, Dir::Uni);
    assert!(!client.streams.take_room());
    client.streams.finish(client_uni(7)).unwrap();
    let packet = client.transmit().unwrap();
    client.on_acked(&packet);
    assert!(client.streams.take_room());
    assert!(!client.streams.take_room());
    assert_eq!(client.open(Dir::Uni), client_uni(MAX_OPEN));
    assert_eq!(client.streams.open(None, Dir::Uni), Err(Error::WouldBlock));
}

#[test]
fn streams_opened_with_a_higher_one_count_when_they_are_used_by_whomever() {
    let (mut client, _) = client();
    let far = 3 * MAX_OPEN;
    client
        .streams
        .open(Some(client_bidi(far)), Dir::Bidi)
        .unwrap();
    for index in 1..MAX_OPEN {
        let max = Frame::MaxStreamData {
            id: client_bidi(index),
            max: 2_000_000,
        };
        assert!(client.receive(&Packet::of(&[max])).unwrap());
    }
    let id = client_bidi(MAX_OPEN);
    let max = Frame::MaxStreamData { id, max: 2_000_000 };
    assert!(!client.receive(&Packet::of(&[max])).unwrap());
    assert_eq!(
        client.streams.prepare_send(id, false),
        Err(Error::WouldBlock)
    );
    assert_eq!(client.streams.reset(id, 1), Err(Error::WouldBlock));
    assert_eq!(client.streams.len() as u64, MAX_OPEN);
}

#[test]
fn without_memory_the_peer_opens_a_few_streams_and_the_rest_later() {
    let (_, mut server) = End::pair(&params(100_000, 100));
    server.streams.set_memory(Memory::Exhausted);
    let open = |end: &mut End, index| {
        let frame = stream_frame(client_uni(index), 0, b"", false);
        end.receive(&Packet::of(&[frame])).unwrap()
    };
    let kept = (0..100).filter(|index| open(&mut server, *index)).count();
    assert_eq!(kept, 16);
    assert_eq!(server.streams.len(), 16);
    server.streams.set_memory(Memory::Scarce);
    assert!((16..100).all(|index| open(&mut server, index)));
    assert_eq!(server.streams.len(), 100);
}
