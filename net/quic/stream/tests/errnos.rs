// SPDX-License-Identifier: GPL-2.0

//! The tables of errors in the user interface: uapi 5.3, 8.1 to 8.3 and 17.

use super::*;

/// A stream of the sender in a state the tables name, with `client` as the one who calls.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    PeersUni,
    PeersBidiUnopened,
    PeersBidiOpen,
    PeersBidiImplicit,
    OwnUnopened,
    OwnAboveLimit,
    OwnReady,
    OwnImplicit,
    OwnWithData,
    OwnFinished,
    OwnFinSent,
    OwnReset,
    /// All acknowledged, the receiving part still open.
    OwnAcked,
    OwnReleased,
    PeersReleased,
}

use Case::*;

const CASES: [Case; 15] = [
    PeersUni,
    PeersBidiUnopened,
    PeersBidiOpen,
    PeersBidiImplicit,
    OwnUnopened,
    OwnAboveLimit,
    OwnReady,
    OwnImplicit,
    OwnWithData,
    OwnFinished,
    OwnFinSent,
    OwnReset,
    OwnAcked,
    OwnReleased,
    PeersReleased,
];

/// Makes the case; returns the caller and the stream.
fn make(case: Case) -> (End, StreamId) {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = match case {
        PeersUni => {
            let id = server.open(Dir::Uni);
            server.write(id, b"x", false).unwrap();
            id
        }
        PeersBidiUnopened => server_bidi(0),
        PeersBidiOpen | PeersBidiImplicit | PeersReleased => {
            let first = server.open(Dir::Bidi);
            let second = server.open(Dir::Bidi);
            server.write(second, b"x", true).unwrap();
            match case {
                PeersBidiImplicit => first,
                _ => second,
            }
        }
        OwnUnopened => client_bidi(3),
        OwnAboveLimit => client_bidi(10),
        OwnImplicit => {
            client
                .streams
                .open(Some(client_bidi(2)), Dir::Bidi)
                .unwrap();
            client_bidi(1)
        }
        OwnReleased => client.open(Dir::Uni),
        _ => client.open(Dir::Bidi),
    };
    match case {
        OwnWithData => client.write(id, b"x", false).unwrap(),
        OwnFinished | OwnFinSent | OwnAcked | OwnReleased => client.write(id, b"x", true).unwrap(),
        OwnReset => client.streams.reset(id, 7).unwrap(),
        _ => {}
    }
    match case {
        OwnFinSent => assert_eq!(client.transmit_all().len(), 1),
        OwnFinished | OwnReset => {}
        _ => settle(&mut client, &mut server),
    }
    if case == PeersReleased {
        client.read_stream();
        client.streams.finish(id).unwrap();
        settle(&mut client, &mut server);
    }
    (client, id)
}

/// Everything a failed call must leave alone.
fn snapshot(end: &End) -> impl PartialEq + core::fmt::Debug {
    let streams = &end.streams;
    let ids: Vec<_> = (0..64)
        .filter_map(StreamId::from_raw)
        .map(|id| (streams.send_state(id), streams.recv_state(id)))
        .collect();
    let next = (streams.next_id(Dir::Bidi), streams.next_id(Dir::Uni));
    let memory = (streams.send_truesize(), streams.recv_truesize());
    let target = streams.send_target(Dir::Bidi);
    let counts = (streams.len(), streams.totals(), streams.unsent_bytes());
    (ids, next, memory, target, counts, streams.has_pending())
}

fn check<T>(
    table: &[(Case, Result<(), Error>)],
    call: impl Fn(&mut End, StreamId) -> Result<T, Error>,
) {
    for case in CASES {
        let expected = table.iter().find(|(of, _)| *of == case).unwrap().1;
        let (mut end, id) = make(case);
        let before = snapshot(&end);
        let result = call(&mut end, id).map(|_| ());
        assert_eq!(result, expected, "{case:?}");
        if result.is_err() {
            assert_eq!(snapshot(&end), before, "{case:?} changed something");
        }
    }
}

const INVALID: Result<(), Error> = Err(Error::Invalid);
const RELEASED: Result<(), Error> = Err(Error::Released);
const WAIT: Result<(), Error> = Err(Error::WouldBlock);

// uapi 5.3
// RFC 9000 4.6 #2 test
// RFC 9000 19.11 #3 test
#[test]
fn opening_by_send_or_by_option() {
    let table = [
        (PeersUni, INVALID),
        (PeersBidiUnopened, INVALID),
        (PeersBidiOpen, Ok(())),
        (PeersBidiImplicit, Ok(())),
        (OwnUnopened, Ok(())),
        (OwnAboveLimit, WAIT),
        (OwnReady, Ok(())),
        (OwnImplicit, Ok(())),
        (OwnWithData, INVALID),
        (OwnFinished, INVALID),
        (OwnFinSent, INVALID),
        (OwnReset, INVALID),
        (OwnAcked, INVALID),
        (OwnReleased, RELEASED),
        (PeersReleased, RELEASED),
    ];
    check(&table, |end, id| end.streams.prepare_send(id, true));
    check(&table, |end, id| end.streams.open(Some(id), id.dir()));
}

// uapi 5.3
#[test]
fn sending_on_a_stream_that_should_be_open() {
    let table = [
        (PeersUni, INVALID),
        (PeersBidiUnopened, INVALID),
        (PeersBidiOpen, Ok(())),
        (PeersBidiImplicit, Ok(())),
        (OwnUnopened, INVALID),
        (OwnAboveLimit, INVALID),
        (OwnReady, Ok(())),
        (OwnImplicit, Ok(())),
        (OwnWithData, Ok(())),
        (OwnFinished, INVALID),
        (OwnFinSent, INVALID),
        (OwnReset, INVALID),
        (OwnAcked, INVALID),
        (OwnReleased, RELEASED),
        (PeersReleased, RELEASED),
    ];
    check(&table, |end, id| end.streams.prepare_send(id, false));
    check(&table, |end, id| {
        end.streams.prepare_send(id, false)?;
        end.write(id, b"more", false)
    });
}

// uapi 8.2 and 17
#[test]
fn resetting() {
    let table = [
        (PeersUni, INVALID),
        (PeersBidiUnopened, INVALID),
        (PeersBidiOpen, Ok(())),
        (PeersBidiImplicit, Ok(())),
        (OwnUnopened, INVALID),
        (OwnAboveLimit, INVALID),
        (OwnReady, Ok(())),
        (OwnImplicit, Ok(())),
        (OwnWithData, Ok(())),
        (OwnFinished, Ok(())),
        (OwnFinSent, Ok(())),
        (OwnReset, INVALID),
        (OwnAcked, INVALID),
        (OwnReleased, RELEASED),
        (PeersReleased, RELEASED),
    ];
    check(&table, |end, id| end.streams.reset(id, 42));
}

// uapi 8.3
#[test]
fn asking_to_stop() {
    let table = [
        (PeersUni, Ok(())),
        (PeersBidiUnopened, INVALID),
        // All of it has arrived.
        (PeersBidiOpen, INVALID),
        (PeersBidiImplicit, Ok(())),
        (OwnUnopened, INVALID),
        (OwnAboveLimit, INVALID),
        (OwnReady, Ok(())),
        (OwnImplicit, Ok(())),
        (OwnWithData, Ok(())),
        (OwnFinished, Ok(())),
        (OwnFinSent, Ok(())),
        (OwnReset, Ok(())),
        (OwnAcked, Ok(())),
        // An own unidirectional stream, whatever its state.
        (OwnReleased, INVALID),
        (PeersReleased, RELEASED),
    ];
    check(&table, |end, id| end.streams.stop_sending(id, 42));
}

/// It could never be written into a frame.
#[test]
fn a_code_of_more_than_62_bits_is_none() {
    for case in CASES {
        let (mut end, id) = make(case);
        assert_eq!(end.streams.reset(id, 1 << 62), INVALID, "{case:?}");
        assert_eq!(end.streams.stop_sending(id, u64::MAX), INVALID, "{case:?}");
    }
}

// uapi 8.3
#[test]
fn asking_to_stop_twice_waits_for_the_first_and_then_goes() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = server.open(Dir::Bidi);
    server.write(id, b"x", false).unwrap();
    let data = server.transmit().unwrap();
    client.receive(&data).unwrap();
    client.streams.stop_sending(id, 1).unwrap();
    assert_eq!(client.streams.stop_sending(id, 2), Err(Error::WouldBlock));
    let stop = client.transmit().unwrap();
    assert_eq!(client.streams.stop_sending(id, 2), Err(Error::WouldBlock));
    client.on_acked(&stop);
    client.streams.stop_sending(id, 3).unwrap();
    assert_eq!(
        client.transmit().unwrap().frames(),
        [Frame::StopSending { id, code: 3 }]
    );
}

// uapi 8.3: an own bidirectional stream that is over
#[test]
fn an_own_bidirectional_stream_that_is_over_is_released_for_all_calls() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Bidi);
    client.write(id, b"ping", true).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(server.read_stream(), (id, b"ping".to_vec(), true));
    server.write(id, b"pong", true).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(client.read_stream(), (id, b"pong".to_vec(), true));
    for end in [&mut client, &mut server] {
        assert!(end.streams.is_empty());
        assert_eq!(end.streams.reset(id, 1), Err(Error::Released));
        assert_eq!(end.streams.stop_sending(id, 1), Err(Error::Released));
        assert_eq!(end.streams.prepare_send(id, false), Err(Error::Released));
        assert_eq!(end.streams.sendable(id), Err(Error::Invalid));
        assert_eq!(end.streams.finish(id), Err(Error::Invalid));
        assert_eq!(end.write(id, b"x", false), Err(Error::Invalid));
        assert_eq!(end.streams.set_priority(id, 1, true), Err(Error::Invalid));
    }
}

// uapi 5.3
#[test]
fn above_the_limit_opening_fails_before_1_rtt_and_waits_after() {
    let mut client = End::new(Side::Client, &params(1000, 10));
    assert_eq!(client.streams.open(None, Dir::Bidi), Err(Error::Invalid));
    client.streams.on_app_send_keys();
    assert_eq!(client.streams.open(None, Dir::Bidi), Err(Error::WouldBlock));
    client.streams.set_peer_params(&params(1000, 1));
    assert_eq!(client.streams.open(None, Dir::Bidi), Ok(client_bidi(0)));
    assert_eq!(client.streams.open(None, Dir::Bidi), Err(Error::WouldBlock));
    assert_eq!(client.streams.open(None, Dir::Uni), Ok(client_uni(0)));
}

// uapi 5.3
#[test]
fn writing_without_credit_or_bytes() {
    let (mut client, _) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Bidi);
    assert_eq!(client.write(id, b"", false), Err(Error::MsgSize));
    assert_eq!(client.streams.sendable(id), Ok(1000));
    assert_eq!(client.write(id, &[1; 1001], false), Err(Error::NoCredit));
    client.write(id, &[1; 1000], false).unwrap();
    assert_eq!(client.streams.sendable(id), Ok(0));
    assert_eq!(client.write(id, b"x", false), Err(Error::NoCredit));
    // The end needs no credit.
    client.write(id, b"", true).unwrap();
    assert_eq!(client.streams.sendable(id), Err(Error::Invalid));
}

// uapi 5 item 6
#[test]
fn a_write_without_stream_goes_to_the_stream_opened_last() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    assert_eq!(client.streams.send_target(Dir::Bidi), client_bidi(0));
    assert_eq!(client.streams.send_target(Dir::Uni), client_uni(0));
    // Resolving opens nothing.
    let next = client.streams.send_target(Dir::Bidi);
    assert_eq!(client.streams.prepare_send(next, false), INVALID);
    let first = client.open(Dir::Bidi);
    let uni = client.open(Dir::Uni);
    assert_eq!(client.streams.send_target(Dir::Bidi), uni);
    client.streams.open(Some(first), Dir::Bidi).unwrap();
    assert_eq!(client.streams.send_target(Dir::Uni), first);
    client.write(first, b"x", false).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(server.streams.send_target(Dir::Uni), first);
    // A unidirectional stream of the peer is none to write to.
    client.write(uni, b"x", false).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(server.streams.send_target(Dir::Bidi), first);
    server.write(first, b"x", true).unwrap();
    client.streams.finish(first).unwrap();
    settle(&mut client, &mut server);
    while server.read(u64::MAX).is_ok() {}
    assert_eq!(server.streams.send_target(Dir::Bidi), server_bidi(0));
}

#[test]
fn a_priority_out_of_range_is_refused() {
    let (mut client, _) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Bidi);
    assert_eq!(
        client.streams.set_priority(id, 8, true),
        Err(Error::Invalid)
    );
    assert_eq!(client.streams.set_priority(id, 7, false), Ok(()));
    let other = client_bidi(5);
    assert_eq!(
        client.streams.set_priority(other, 1, true),
        Err(Error::Invalid)
    );
    assert_eq!(client.streams.priority(id), Ok((7, false)));
    assert_eq!(client.streams.priority(other), Err(Error::Invalid));
}

#[test]
fn only_what_can_be_sent_on_has_a_priority() {
    let (mut client, mut server) = End::pair(&params(1000, 10));
    let id = client.open(Dir::Uni);
    client.write(id, b"x", false).unwrap();
    settle(&mut client, &mut server);
    assert_eq!(client.streams.priority(id), Ok((3, true)));
    assert_eq!(server.streams.priority(id), Err(Error::Invalid));
    assert_eq!(
        server.streams.set_priority(id, 1, true),
        Err(Error::Invalid)
    );
}
