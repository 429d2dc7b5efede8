// SPDX-License-Identifier: GPL-2.0

//! Who sends when, as seen in the packets.

use super::*;

/// Bytes of each stream in a packet, in order.
fn shares(packet: &Packet) -> Vec<(StreamId, usize)> {
    packet
        .frames()
        .iter()
        .filter_map(|frame| match frame {
            Frame::Stream(frame) => Some((frame.id, frame.data.len())),
            _ => None,
        })
        .collect()
}

fn writers(count: u64, len: usize) -> (End, Vec<StreamId>) {
    let (mut client, _) = End::pair(&params(1 << 20, count));
    let ids: Vec<_> = (0..count).map(|_| client.open(Dir::Uni)).collect();
    for id in &ids {
        client.write(*id, &std::vec![1; len], false).unwrap();
    }
    (client, ids)
}

#[test]
fn streams_advance_together() {
    let (mut client, ids) = writers(4, 100_000);
    let mut sent = [0usize; 4];
    for _ in 0..200 {
        for (id, len) in shares(&client.transmit().unwrap()) {
            sent[ids.iter().position(|other| *other == id).unwrap()] += len;
        }
        let (least, most) = (sent.iter().min().unwrap(), sent.iter().max().unwrap());
        assert!(most - least <= 8192 + PACKET, "{sent:?}");
    }
}

#[test]
fn an_urgent_stream_overtakes_and_the_rest_follows() {
    let (mut client, ids) = writers(3, 5000);
    client.streams.set_priority(ids[2], 0, true).unwrap();
    client.streams.set_priority(ids[0], 7, true).unwrap();
    let order: Vec<_> = client
        .transmit_all()
        .iter()
        .flat_map(shares)
        .map(|(id, _)| id)
        .collect();
    let mut once = order.clone();
    once.dedup();
    assert_eq!(once, [ids[2], ids[1], ids[0]]);
}

// RFC 9000 13.3 #4 test
#[test]
fn lost_data_goes_before_new_data_of_the_same_urgency() {
    let (mut client, ids) = writers(2, 20_000);
    let first = client.transmit().unwrap();
    assert_eq!(shares(&first)[0].0, ids[0]);
    for _ in 0..10 {
        client.transmit().unwrap();
    }
    client.on_lost(&first);
    let next = client.transmit().unwrap();
    assert_eq!(next.tokens[0], first.tokens[0]);
}

#[test]
fn small_streams_share_a_packet() {
    let (mut client, ids) = writers(20, 30);
    let packet = client.transmit().unwrap();
    let shares = shares(&packet);
    assert_eq!(shares.len(), 20);
    assert!(shares
        .iter()
        .zip(&ids)
        .all(|((id, len), other)| id == other && *len == 30));
}

#[test]
fn corked_data_waits_for_more() {
    let (mut client, _) = End::pair(&params(10_000, 10));
    let id = client.open(Dir::Uni);
    client.streams.set_corked(id, true);
    client.write(id, b"head", false).unwrap();
    assert!(!client.streams.has_pending());
    client.streams.set_corked(id, false);
    assert!(client.streams.has_data());
    client.write(id, b" and body", true).unwrap();
    let packet = client.transmit().unwrap();
    assert_eq!(
        packet.frames(),
        [stream_frame(id, 0, b"head and body", true)]
    );
    // What was sent and lost does not wait.
    let id = client.open(Dir::Uni);
    client.write(id, b"x", false).unwrap();
    let packet = client.transmit().unwrap();
    client.streams.set_corked(id, true);
    client.on_lost(&packet);
    assert!(client.streams.has_data());
}

#[test]
fn only_small_new_data_without_an_end_is_small() {
    let (mut client, _) = End::pair(&params(10_000, 10));
    let id = client.open(Dir::Uni);
    client.write(id, &[1; 1000], false).unwrap();
    assert!(client.streams.is_small(1200));
    client.write(id, &[1; 1000], false).unwrap();
    assert!(!client.streams.is_small(1200));
    let packets = client.transmit_all();
    client.write(id, b"x", false).unwrap();
    assert!(client.streams.is_small(1200));
    client.on_lost(&packets[0]);
    assert!(!client.streams.is_small(1200));
    client.transmit_all();
    client.write(id, b"x", true).unwrap();
    assert!(!client.streams.is_small(1200));
}

#[test]
fn large_writes_are_sealed_from_where_they_are_and_small_ones_copied() {
    let (mut client, ids) = writers(1, 5000);
    let count = |end: &End, offset, len| {
        let mut segments = [&[][..]; MAX_SEGMENTS];
        end.streams.segments(ids[0], offset, len, &mut segments)
    };
    assert_eq!(count(&client, 4900, 200), 0);
    assert_eq!(count(&client, 100, 900), 1);
    for _ in 0..50 {
        client.write(ids[0], &[2; 30], false).unwrap();
    }
    assert_eq!(count(&client, 4900, 150), 3);
    // More pieces than there is room for.
    assert_eq!(count(&client, 5000, 900), 0);
    let total: usize = client
        .transmit_all()
        .iter()
        .flat_map(shares)
        .map(|(_, len)| len)
        .sum();
    assert_eq!(total, 6500);
}

#[test]
fn a_thousand_streams_cost_no_more_packets_than_one() {
    let (mut one, _) = writers(1, 1_000_000);
    let (mut many, _) = writers(1000, 1000);
    let (one, many) = (one.transmit_all().len(), many.transmit_all().len());
    assert!(many < one + one / 50, "{many} against {one}");
}
