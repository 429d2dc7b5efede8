// SPDX-License-Identifier: GPL-2.0

//! CRYPTO streams: limits, order, sending again.

#![allow(
    clippy::single_range_in_vec_init,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use super::*;
use crate::{
    aead::TAG_LEN,
    common::{
        error::ErrorCode,
        id::{
            ConnectionId,
            Level,
            Version, //
        },
    },
    mem::fail,
    packet::OutHeader,
};
use std::vec::Vec;

fn receive(stream: &mut CryptoStream, offset: u64, data: &[u8]) -> Result<bool, TransportError> {
    let datagram = Datagram::try_from_slice(data).unwrap();
    let frame = CryptoFrame {
        offset,
        data,
        at: 0,
    };
    stream.on_frame(&frame, &datagram, 0)
}

fn write(stream: &mut CryptoStream, bytes: &[u8], more: bool) {
    let chunk = Chunk::try_from_slice(bytes).unwrap();
    stream
        .write(chunk, more)
        .map_err(|(error, _)| error)
        .unwrap();
}

/// Sends one packet, if anything is due; returns where its bytes begin, and the end of what was
/// ever sent.
fn send(stream: &mut CryptoStream, room: usize) -> Vec<Range<u64>> {
    let mut buffer = std::vec![0; room + TAG_LEN];
    let header = OutHeader {
        level: Level::App,
        version: Version::V1,
        dcid: &ConnectionId::EMPTY,
        scid: &ConnectionId::EMPTY,
        token: &[],
        pn: 1,
        largest_acked: Some(0),
        key_phase: false,
        spin: false,
        fixed_bit: true,
    };
    let mut builder = PacketBuilder::new(&mut buffer, &header).unwrap();
    let before = stream.send.sent();
    let next = stream
        .send
        .next_range(stream.flushed)
        .map(|range| range.start);
    stream.write_frames(&mut builder);
    match next {
        Some(start) if !builder.is_empty() => {
            let end = stream.send.sent().max(before);
            std::vec![start..end]
        }
        _ => Vec::new(),
    }
}

fn token(range: &Range<u64>) -> Token {
    Token::Crypto {
        off: range.start,
        len: (range.end - range.start) as u32,
    }
}

fn read(stream: &mut CryptoStream, max: u64) -> Result<(Vec<u8>, bool), Error> {
    let mut all = Vec::new();
    let (bytes, is_end) = stream.read(max, &mut |bytes| {
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    })?;
    assert_eq!(bytes, all.len() as u64);
    Ok((all, is_end))
}

// RFC 9000 7.5 #1 test
// RFC 9000 7.5 #2 test
// RFC 9000 7.5 #3 test
#[test]
fn as_much_is_buffered_as_promised_and_more_closes_the_connection() {
    let mut stream = CryptoStream::new();
    let part = [7; 1024];
    for nr in 1..64 {
        assert_eq!(receive(&mut stream, nr * 1024, &part), Ok(true));
    }
    assert!(stream.has_gap());
    let beyond = receive(&mut stream, MAX_BUFFERED, b"x").unwrap_err();
    assert_eq!(beyond.code, ErrorCode::CRYPTO_BUFFER_EXCEEDED);
    assert_eq!(receive(&mut stream, 0, &part), Ok(true));
    assert_eq!((stream.readable(), stream.has_gap()), (MAX_BUFFERED, false));
    // What was read makes room.
    read(&mut stream, 10).unwrap();
    assert_eq!(receive(&mut stream, MAX_BUFFERED, b"x"), Ok(true));
}

// RFC 9000 7.5 #3 test
#[test]
fn scattered_bytes_close_the_connection() {
    let mut stream = CryptoStream::new();
    let refused = (1..3000).find_map(|at| receive(&mut stream, at * 2, b"x").err());
    assert_eq!(refused.unwrap().code, ErrorCode::CRYPTO_BUFFER_EXCEEDED);
    assert!(stream.truesizes().1 < 200_000);
}

// RFC 9000 19.6 #1 test
#[test]
fn an_offset_beyond_the_largest_number_is_refused() {
    let mut stream = CryptoStream::new();
    for offset in [(1 << 62) - 1, u64::MAX] {
        let error = receive(&mut stream, offset, b"x").unwrap_err();
        assert_eq!(error.code, ErrorCode::FRAME_ENCODING_ERROR);
    }
}

#[test]
fn bytes_are_read_in_order_and_a_short_buffer_leaves_the_rest() {
    let mut stream = CryptoStream::new();
    assert_eq!(read(&mut stream, 9), Err(Error::WouldBlock));
    receive(&mut stream, 3, b"def").unwrap();
    assert_eq!(read(&mut stream, 9), Err(Error::WouldBlock));
    receive(&mut stream, 0, b"abcd").unwrap();
    // Looking stops where reading would.
    for (max, ends) in [(2, false), (9, true)] {
        let mut seen = Vec::new();
        let peeked = stream.peek(max, &mut |bytes| {
            seen.extend_from_slice(bytes);
            Ok(bytes.len())
        });
        assert_eq!(peeked, Ok((seen.len() as u64, ends)));
        assert!(seen.len() >= 2 && b"abcdef".starts_with(&seen));
    }
    assert_eq!(read(&mut stream, 2), Ok((b"ab".to_vec(), false)));
    let mut rest = Vec::new();
    while let Ok((bytes, _)) = read(&mut stream, 9) {
        rest.extend(bytes);
    }
    assert_eq!(rest, b"cdef");
    // Repeated bytes are not read twice.
    receive(&mut stream, 0, b"abcdef").unwrap();
    assert_eq!(read(&mut stream, 9), Err(Error::WouldBlock));
    assert_eq!(stream.truesizes(), (0, 0));
}

#[test]
fn without_memory_a_frame_is_refused_and_can_come_again() {
    let mut stream = CryptoStream::new();
    let datagram = Datagram::try_from_slice(b"abc").unwrap();
    let frame = CryptoFrame {
        offset: 0,
        data: b"abc",
        at: 0,
    };
    fail::after(0);
    assert_eq!(stream.on_frame(&frame, &datagram, 0), Ok(false));
    fail::off();
    assert_eq!(stream.readable(), 0);
    assert_eq!(stream.on_frame(&frame, &datagram, 0), Ok(true));
    assert_eq!(read(&mut stream, 9), Ok((b"abc".to_vec(), true)));
}

#[test]
fn a_chunk_that_finds_no_memory_comes_back() {
    let mut stream = CryptoStream::new();
    let chunk = Chunk::try_from_slice(b"abc").unwrap();
    fail::after(0);
    let (error, chunk) = stream.write(chunk, false).unwrap_err();
    fail::off();
    assert_eq!((error, chunk.as_slice()), (Error::NoMemory, &b"abc"[..]));
    assert!(!stream.has_pending());
}

#[test]
fn bytes_with_more_to_come_wait_for_it() {
    let mut stream = CryptoStream::new();
    write(&mut stream, &[1; 100], true);
    assert!(!stream.has_pending());
    assert!(send(&mut stream, 1000).is_empty());
    write(&mut stream, &[2; 100], false);
    assert!(stream.has_pending());
    assert_eq!(send(&mut stream, 1000), [0..200]);
    assert!(!stream.has_pending());
}

#[test]
fn lost_bytes_are_sent_again_and_acknowledged_ones_are_freed() {
    let mut stream = CryptoStream::new();
    write(&mut stream, &[1; 2000], false);
    let first = send(&mut stream, 1000).remove(0);
    let second = send(&mut stream, 2000).remove(0);
    assert_eq!(
        (first.start, first.end, second.end),
        (0, second.start, 2000)
    );
    stream.on_lost(&token(&first));
    assert!(stream.has_pending());
    stream.on_acked(&token(&second));
    assert_eq!(send(&mut stream, 2000)[0].start, 0);
    assert!(!stream.has_pending() && stream.truesizes().0 > 0);
    stream.on_acked(&token(&first));
    assert_eq!(stream.truesizes(), (0, 0));
}
