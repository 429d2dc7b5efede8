// SPDX-License-Identifier: GPL-2.0

//! Datagrams that came in one buffer: who keeps one keeps the memory of all.

use super::*;

const COUNT: usize = 64;
const SIZE: usize = 1000;
/// Bytes that a batch holds, at least: the first datagram may be small.
const BATCH: usize = (COUNT - 1) * SIZE;

/// Gives `end` a batch of which only the first datagram says anything. Returns whether the packet may
/// be acknowledged.
fn receive_one_of_many(end: &mut End, frame: Frame<'_>) -> bool {
    let first = Packet::of(&[frame]);
    let rest = std::vec![0; SIZE];
    let mut payloads = std::vec![rest.as_slice(); COUNT];
    payloads[0] = &first.payload;
    let datagrams = Datagram::batch(&payloads, end.streams.pinned());
    end.receive_from(&datagrams[0]).unwrap()
}

#[test]
fn one_datagram_of_a_batch_is_charged_with_the_whole_until_it_was_read() {
    let (_, mut server) = End::pair(&params(100_000, 10));
    let id = client_bidi(0);
    let data = [1; 330];
    assert!(receive_one_of_many(
        &mut server,
        stream_frame(id, 330, &data, false)
    ));
    let held = server.streams.recv_truesize();
    assert!((BATCH..BATCH + 2 * SIZE).contains(&held), "{held}");
    let rest = Packet::of(&[stream_frame(id, 0, &data, false)]);
    assert!(server.receive(&rest).unwrap());
    assert_eq!(server.read_stream().1.len(), 660);
    assert!(server.streams.recv_truesize() < SIZE);
    assert_eq!(server.streams.pinned().bytes(), 0);
}

#[test]
fn all_datagrams_of_a_batch_are_charged_once() {
    let (_, mut server) = End::pair(&params(100_000, 10));
    let id = client_bidi(0);
    let data = std::vec![1; SIZE];
    let packets: Vec<Packet> = (1..=COUNT as u64)
        .map(|nr| Packet::of(&[stream_frame(id, nr * SIZE as u64, &data, false)]))
        .collect();
    let payloads: Vec<&[u8]> = packets.iter().map(|packet| &packet.payload[..]).collect();
    for datagram in Datagram::batch(&payloads, server.streams.pinned()) {
        assert!(server.receive_from(&datagram).unwrap());
    }
    let held = server.streams.recv_truesize();
    assert!((BATCH..BATCH + BATCH / 5).contains(&held), "{held}");
}

#[test]
fn data_ahead_of_a_gap_keeps_batches_within_the_limit() {
    let (_, mut server) = End::pair(&params(1_000_000, 10));
    server.streams.set_recv_limit(10 * BATCH);
    let data = [1; 330];
    let mut kept = 0;
    for nr in 1..1000 {
        let frame = stream_frame(client_bidi(0), nr * 400, &data, false);
        kept += usize::from(receive_one_of_many(&mut server, frame));
    }
    assert!((9..=11).contains(&kept), "{kept}");
    let held = server.streams.recv_truesize();
    assert!((9 * BATCH..12 * BATCH).contains(&held), "{held}");
}

#[test]
fn data_in_order_is_taken_and_copied_beyond_the_limit() {
    let (_, mut server) = End::pair(&params(1_000_000, 10));
    server.streams.set_recv_limit(10 * BATCH);
    let data = [1; 330];
    for nr in 0..1000 {
        let frame = stream_frame(client_bidi(0), nr * 330, &data, nr == 999);
        assert!(receive_one_of_many(&mut server, frame));
    }
    assert!(server.streams.pinned().bytes() <= 11 * BATCH);
    let held = server.streams.recv_truesize();
    assert!((10 * BATCH..11 * BATCH + 500_000).contains(&held), "{held}");
    assert_eq!(server.read_stream().1.len(), 330_000);
    assert_eq!(server.streams.recv_truesize(), 0);
}

#[test]
fn datagrams_of_the_application_keep_batches_within_the_limit() {
    let (_, mut server) = End::pair(&params(1_000_000, 10));
    server.streams.set_recv_limit(10 * BATCH);
    let payload = std::vec![1; SIZE];
    let mut kept = 0;
    for _ in 0..5000 {
        let payloads = std::vec![payload.as_slice(); COUNT];
        let datagrams = Datagram::batch(&payloads, server.streams.pinned());
        let End {
            streams, events, ..
        } = &mut server;
        kept += usize::from(streams.on_datagram(&datagrams[0], 0, SIZE, events));
    }
    assert!(kept > 900, "{kept}");
    let held = server.streams.recv_truesize();
    assert!(
        (10 * BATCH..11 * BATCH + 1_500_000).contains(&held),
        "{held}"
    );
    while server.read(u64::MAX).is_ok() {}
    assert_eq!(server.streams.recv_truesize(), 0);
}
