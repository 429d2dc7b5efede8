// SPDX-License-Identifier: GPL-2.0

//! Running out of memory: a call that fails leaves everything as it was, and a frame that was
//! refused can be sent again.

use super::*;
use crate::mem::fail;

/// Makes the n-th allocation of `call` fail, for every n, each time on a fresh `make`. `call`
/// returns whether it succeeded; `check` sees the end after a failure.
fn sweep<S>(make: impl Fn() -> S, call: impl Fn(&mut S) -> bool, check: impl Fn(&S, &S)) -> usize {
    let mut failures = 0;
    for nr in 0.. {
        let (mut state, untouched) = (make(), make());
        fail::after(nr);
        let succeeded = call(&mut state);
        let count = fail::count();
        fail::off();
        if count <= nr {
            assert!(succeeded);
            return failures;
        }
        if !succeeded {
            failures += 1;
            check(&state, &untouched);
            assert!(call(&mut state), "allocation {nr} of {count}");
        }
    }
    unreachable!()
}

fn ended(make: impl Fn() -> End, call: impl Fn(&mut End) -> Result<(), Error>) -> usize {
    sweep(
        make,
        |end| match call(end) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error, Error::NoMemory);
                false
            }
        },
        |end, untouched| {
            assert_eq!(
                std::format!("{:?}", end.streams),
                std::format!("{:?}", untouched.streams)
            );
        },
    )
}

fn client() -> End {
    End::pair(&params(10_000, 10)).0
}

#[test]
fn opening() {
    let failures = ended(client, |end| end.streams.open(None, Dir::Bidi).map(|_| ()));
    assert!(failures >= 2);
    let far = client_uni(7);
    let failures = ended(client, |end| {
        end.streams.open(Some(far), Dir::Uni).map(|_| ())
    });
    assert!(failures >= 3);
}

#[test]
fn using_a_stream_that_was_opened_with_a_higher_one() {
    let make = || {
        let mut end = client();
        end.streams.open(Some(client_bidi(5)), Dir::Bidi).unwrap();
        end
    };
    let id = client_bidi(3);
    assert!(ended(make, |end| end.streams.prepare_send(id, false)) > 0);
    assert!(ended(make, |end| end.streams.reset(id, 1)) > 0);
    assert!(ended(make, |end| end.streams.stop_sending(id, 1)) > 0);
}

#[test]
fn writing() {
    let make = || {
        let mut end = client();
        end.open(Dir::Bidi);
        let chunk = Chunk::try_from_slice(b"some bytes").unwrap();
        (end, Some(chunk))
    };
    let failures = sweep(
        make,
        |(end, kept)| {
            let chunk = kept.take().unwrap();
            match end.streams.queue(client_bidi(0), chunk, true) {
                Ok(()) => true,
                Err((error, chunk)) => {
                    assert_eq!(error, Error::NoMemory);
                    *kept = Some(chunk);
                    false
                }
            }
        },
        |(end, kept), (untouched, _)| {
            assert_eq!(kept.as_ref().unwrap().as_slice(), b"some bytes");
            assert_eq!(
                std::format!("{:?}", end.streams),
                std::format!("{:?}", untouched.streams)
            );
        },
    );
    assert!(failures > 0);
}

/// What a reader can see of a receiver. Bytes of a refused frame may be kept (the assembler's
/// contract): the frame comes again, and they are read then.
fn visible(end: &End) -> impl PartialEq + core::fmt::Debug {
    end.streams.next_readable()
}

fn received(frames: &[(u64, &'static [u8], bool)]) -> usize {
    let (last, before) = frames.split_last().unwrap();
    let datagram = |&(offset, data, fin): &(u64, &'static [u8], bool)| {
        let frame = stream_frame(client_bidi(2), offset, data, fin);
        Datagram::try_from_slice(&Packet::of(&[frame]).payload).unwrap()
    };
    let make = || {
        let mut end = End::pair(&params(10_000, 10)).1;
        for frame in before {
            assert!(end.receive_from(&datagram(frame)).unwrap());
        }
        (end, datagram(last))
    };
    sweep(
        make,
        |(end, packet)| end.receive_from(packet).unwrap(),
        |(end, _), (untouched, _)| {
            if before.is_empty() {
                assert_eq!(visible(end), visible(untouched));
            }
        },
    )
}

#[test]
fn receiving() {
    assert!(received(&[(0, b"first", false)]) >= 4);
    assert!(received(&[(0, &[1; 1000], true)]) >= 4);
    assert!(received(&[(5, b"ahead", false)]) >= 3);
    assert!(received(&[(5, b"ahead", true), (0, b"first", false)]) >= 1);
    let scattered: [(u64, &[u8], bool); 4] = [
        (2, b"cc", false),
        (6, b"gg", false),
        (10, &[1; 800], true),
        (0, b"aaaaaaaaaaaa", false),
    ];
    assert!(received(&scattered) >= 1);
    assert!(received(&[(0, b"", true)]) >= 1);
}

#[test]
fn what_was_refused_arrives_whole_when_it_is_sent_again() {
    for nr in 0..60 {
        let (mut client, mut server) = End::pair(&params(100_000, 10));
        let id = client.open(Dir::Bidi);
        let bytes: Vec<u8> = (0..30_000u32).map(|at| (at % 251) as u8).collect();
        client.write(id, &bytes, true).unwrap();
        let mut packets = client.transmit_all();
        // The second half first.
        let half = packets.len() / 2;
        packets.rotate_left(half);
        let datagrams: Vec<_> = packets
            .iter()
            .map(|packet| Datagram::try_from_slice(&packet.payload).unwrap())
            .collect();
        let mut refused = 0;
        for (at, (packet, datagram)) in packets.iter().zip(&datagrams).enumerate() {
            fail::after((at as u64 + nr) % 7);
            let taken = server.receive_from(datagram).unwrap();
            fail::off();
            if taken {
                client.on_acked(packet);
            } else {
                client.on_lost(packet);
                refused += 1;
            }
        }
        assert!(refused > 0);
        settle(&mut client, &mut server);
        assert_eq!(server.read_stream(), (id, bytes, true));
        assert_eq!(server.streams.recv_truesize(), 0);
    }
}

#[test]
fn frames_that_open_a_stream_are_refused_too() {
    let id = client_bidi(4);
    let frames = [
        Frame::ResetStream {
            id,
            code: 1,
            final_size: 0,
        },
        Frame::StopSending { id, code: 1 },
        Frame::MaxStreamData { id, max: 99_999 },
        Frame::StreamDataBlocked { id, limit: 1 },
    ];
    for frame in frames {
        let failures = sweep(
            || {
                let packet = Packet::of(core::slice::from_ref(&frame));
                let datagram = Datagram::try_from_slice(&packet.payload).unwrap();
                let mut end = End::pair(&params(10_000, 10)).1;
                // An event may be lost for want of memory; that is no refusal.
                end.events.set_mask(EventMask::default());
                (end, datagram)
            },
            |(end, datagram)| end.receive_from(datagram).unwrap(),
            |(end, _), (untouched, _)| {
                assert_eq!(
                    std::format!("{:?}", end.streams),
                    std::format!("{:?}", untouched.streams)
                );
            },
        );
        assert!(failures >= 3, "{frame:?}");
    }
}
