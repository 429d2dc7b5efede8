// SPDX-License-Identifier: GPL-2.0

//! What the application is told of streams (uapi 9).

use super::*;

fn receive(end: &mut End, frames: &[Frame<'_>]) {
    assert!(end.receive(&Packet::of(frames)).unwrap());
}

#[test]
fn the_receiving_part_tells_of_data_of_the_end_ahead_and_of_completion() {
    let (_, mut end) = End::pair(&params(1000, 10));
    let id = client_bidi(0);
    receive(&mut end, &[stream_frame(id, 0, b"ab", false)]);
    assert_eq!(end.updates(), [(id, 6, 0, 0)]);
    assert!(end.take_wake().readable);
    receive(&mut end, &[stream_frame(id, 2, b"c", false)]);
    assert_eq!(end.updates(), []);
    receive(&mut end, &[stream_frame(id, 6, b"gh", true)]);
    assert_eq!(end.updates(), [(id, 7, 0, 8)]);
    receive(&mut end, &[stream_frame(id, 6, b"gh", true)]);
    assert_eq!(end.updates(), []);
    receive(&mut end, &[stream_frame(id, 3, b"def", false)]);
    assert_eq!(end.updates(), [(id, 8, 0, 8)]);
    receive(&mut end, &[stream_frame(id, 3, b"def", false)]);
    assert_eq!(end.updates(), []);
}

#[test]
fn a_stream_in_one_frame_is_told_of_as_begun_and_complete() {
    let (_, mut end) = End::pair(&params(1000, 10));
    let id = client_uni(0);
    receive(&mut end, &[stream_frame(id, 0, b"ab", true)]);
    // The final size is known with the first byte, and both say it.
    assert_eq!(end.updates(), [(id, 6, 0, 2), (id, 8, 0, 2)]);
}

#[test]
fn a_reset_is_told_with_its_code_and_final_size() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Uni);
    client.write(id, b"abc", false).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(server.updates(), [(id, 6, 0, 0)]);
    let code = (1 << 40) + 7;
    client.streams.reset(id, code).unwrap();
    assert_eq!(client.updates(), []);
    settle(&mut client, &mut server);
    assert_eq!(server.updates(), [(id, 10, code, 3)]);
    assert_eq!(client.updates(), [(id, 5, code, 3)]);
    assert!(client.streams.is_empty() && server.streams.is_empty());
}

#[test]
fn the_sending_part_tells_when_all_is_acknowledged() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Uni);
    client.write(id, b"abc", false).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(client.updates(), []);
    client.streams.finish(id).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(client.updates(), [(id, 3, 0, 3)]);
}

#[test]
fn a_request_to_stop_is_told_on_the_side_that_must() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Bidi);
    client.write(id, b"abc", false).unwrap();
    settle(&mut client, &mut server);
    server.updates();
    server.streams.stop_sending(id, 77).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(client.updates(), [(id, 4, 77, 3), (id, 5, 77, 3)]);
    assert_eq!(server.updates(), [(id, 10, 77, 3)]);
}

#[test]
fn more_credit_and_more_streams_are_told_once() {
    let (mut client, _) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Bidi);
    receive(&mut client, &[Frame::MaxStreamData { id, max: 1000 }]);
    assert!(client.take_events().is_empty());
    assert_eq!(client.take_wake(), Wake::default());
    receive(&mut client, &[Frame::MaxStreamData { id, max: 2000 }]);
    receive(&mut client, &[Frame::MaxStreamData { id, max: 1500 }]);
    let events = client.take_events();
    assert!(matches!(
        events[..],
        [Event::MaxStreamData { max: 2000, .. }]
    ));
    assert!(client.take_wake().writable);
    // uapi 17: the peer's MAX_STREAMS becomes 123 (bidirectional, on the client): 488.
    let dir = Dir::Bidi;
    receive(&mut client, &[Frame::MaxStreams { dir, max: 123 }]);
    receive(&mut client, &[Frame::MaxStreams { dir, max: 122 }]);
    let events = client.take_events();
    assert!(matches!(events[..], [Event::MaxStreams { id_limit: 488 }]));
    assert!(client.take_wake().streams);
    receive(&mut client, &[Frame::MaxData { max: 4000 }]);
    assert_eq!(client.take_wake(), Wake::default());
    receive(&mut client, &[Frame::MaxData { max: 4001 }]);
    assert!(client.take_wake().writable);
}

#[test]
fn acknowledged_bytes_wake_writers() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Uni);
    client.write(id, b"abc", false).unwrap();
    assert!(client.streams.send_truesize() > 0);
    let packet = client.transmit().unwrap();
    server.receive(&packet).unwrap();
    assert!(!client.take_wake().writable);
    client.on_acked(&packet);
    assert!(client.take_wake().writable);
    assert_eq!(client.streams.send_truesize(), 0);
}
