// SPDX-License-Identifier: GPL-2.0

//! The one visible order of what is received (uapi 6).

use super::*;

fn receiver() -> End {
    End::pair(&params(10_000, 10)).1
}

fn receive(end: &mut End, index: u64, offset: u64, data: &[u8], fin: bool) {
    let frame = stream_frame(client_bidi(index), offset, data, fin);
    assert!(end.receive(&Packet::of(&[frame])).unwrap());
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

#[test]
fn pieces_are_read_in_the_order_in_which_they_came_into_order() {
    let mut end = receiver();
    receive(&mut end, 0, 0, b"a1", false);
    receive(&mut end, 1, 2, b"b2", false);
    receive(&mut end, 0, 2, b"a2", false);
    receive(&mut end, 2, 0, b"c1", true);
    receive(&mut end, 1, 0, b"b1", false);
    receive(&mut end, 0, 4, b"a3", true);
    assert_eq!(end.read_stream(), (client_bidi(0), bytes("a1a2"), false));
    assert_eq!(end.read_stream(), (client_bidi(2), bytes("c1"), true));
    assert_eq!(end.read_stream(), (client_bidi(1), bytes("b1b2"), false));
    assert_eq!(end.read_stream(), (client_bidi(0), bytes("a3"), true));
    assert_eq!(end.read(9), Err(Error::WouldBlock));
}

#[test]
fn a_read_stops_when_the_buffer_is_full_and_the_end_comes_with_the_last_byte() {
    let mut end = receiver();
    receive(&mut end, 0, 0, b"abcdef", true);
    let (outcome, read) = end.read(4).unwrap();
    assert_eq!((read, outcome.is_end), (bytes("abcd"), false));
    let (outcome, read) = end.read(0).unwrap();
    assert_eq!((read, outcome.is_end), (bytes(""), false));
    let (outcome, read) = end.read(2).unwrap();
    assert_eq!((read, outcome.is_end), (bytes("ef"), true));
    assert!(end.streams.next_readable().is_none());
}

#[test]
fn an_end_without_bytes_is_read_as_such() {
    let mut end = receiver();
    receive(&mut end, 0, 0, b"", true);
    receive(&mut end, 1, 0, b"x", false);
    assert_eq!(end.read_stream(), (client_bidi(0), bytes(""), true));
    assert_eq!(end.read_stream(), (client_bidi(1), bytes("x"), false));
    receive(&mut end, 1, 1, b"", true);
    assert_eq!(end.read_stream(), (client_bidi(1), bytes(""), true));
    // Repeated, it is not read again.
    receive(&mut end, 1, 1, b"", true);
    assert_eq!(end.read(9), Err(Error::WouldBlock));
}

#[test]
fn the_end_is_readable_only_when_nothing_is_missing() {
    let mut end = receiver();
    receive(&mut end, 0, 3, b"def", true);
    assert!(end.streams.next_readable().is_none());
    receive(&mut end, 0, 0, b"abc", false);
    assert_eq!(end.read_stream(), (client_bidi(0), bytes("abcdef"), true));
}

#[test]
fn peeking_changes_nothing() {
    let mut end = receiver();
    receive(&mut end, 0, 0, b"abcdef", true);
    let before = (end.streams.totals(), end.streams.recv_truesize());
    for max in [3, 100] {
        let mut seen = Vec::new();
        let outcome = end
            .streams
            .peek(max, &mut |bytes| {
                seen.extend_from_slice(bytes);
                Ok(bytes.len())
            })
            .unwrap();
        assert_eq!(seen, b"abcdef"[..seen.len()]);
        assert_eq!((outcome.bytes, outcome.is_end), (max.min(6), max >= 6));
    }
    assert_eq!((end.streams.totals(), end.streams.recv_truesize()), before);
    assert_eq!(end.read_stream(), (client_bidi(0), bytes("abcdef"), true));
    assert_eq!(
        end.streams.peek(9, &mut |_| panic!("nothing to read")),
        Err(Error::WouldBlock)
    );
}

#[test]
fn datagrams_keep_their_place_between_streams_and_are_read_in_parts() {
    let mut end = receiver();
    receive(&mut end, 0, 0, b"before", false);
    let datagram = Datagram::try_from_slice(b"..datagram..").unwrap();
    assert!(end.streams.on_datagram(&datagram, 2, 8, &mut end.events));
    receive(&mut end, 0, 6, b"after", false);
    assert_eq!(end.read_stream().1, bytes("before"));
    assert_eq!(end.streams.next_readable(), Some(Readable::Datagram));
    let peeked = end.streams.peek(99, &mut |bytes| Ok(bytes.len())).unwrap();
    assert_eq!((peeked.bytes, peeked.is_end), (8, true));
    let (outcome, read) = end.read(5).unwrap();
    assert_eq!((outcome.is_end, read), (false, bytes("datag")));
    let (outcome, read) = end.read(5).unwrap();
    assert_eq!((outcome.is_end, read), (true, bytes("ram")));
    assert_eq!(end.read_stream().1, bytes("after"));
}

#[test]
fn a_reset_takes_the_unread_bytes_of_its_stream_and_no_others() {
    let mut end = receiver();
    receive(&mut end, 0, 0, b"a1", false);
    receive(&mut end, 1, 0, b"b1", false);
    receive(&mut end, 0, 2, b"a2", false);
    let reset = Frame::ResetStream {
        id: client_bidi(0),
        code: 5,
        final_size: 100,
    };
    end.receive(&Packet::of(&[reset])).unwrap();
    assert_eq!(end.read_stream(), (client_bidi(1), bytes("b1"), false));
    assert_eq!(end.read(9), Err(Error::WouldBlock));
}

#[test]
fn asking_to_stop_takes_the_unread_bytes_and_later_ones() {
    let mut end = receiver();
    receive(&mut end, 0, 0, b"a1", false);
    receive(&mut end, 0, 10, b"a9", false);
    end.streams.stop_sending(client_bidi(0), 3).unwrap();
    assert_eq!(end.read(9), Err(Error::WouldBlock));
    receive(&mut end, 0, 2, b"12345678", false);
    assert_eq!(end.read(9), Err(Error::WouldBlock));
    assert_eq!(end.streams.recv_truesize(), 0);
    // All twelve bytes of credit are used and none is held.
    assert_eq!(end.streams.totals(), (0, 12, 12));
}

#[test]
fn a_failing_sink_leaves_the_bytes_for_the_next_read() {
    let mut end = receiver();
    receive(&mut end, 0, 0, b"abc", true);
    let now = end.now;
    let result = end.streams.read(now, 9, &mut |_| Err(Error::Invalid));
    assert_eq!(result, Err(Error::Invalid));
    let outcome = end
        .streams
        .read(now, 9, &mut |bytes| Ok(bytes.len().min(1)));
    assert_eq!(outcome.unwrap().bytes, 1);
    assert_eq!(end.read_stream(), (client_bidi(0), bytes("bc"), true));
}
