// SPDX-License-Identifier: LGPL-2.1-or-later
//! The demultiplexer against a socket played in memory.

use std::{
    collections::VecDeque,
    sync::Arc,
    thread, //
};

use super::*;
use crate::{
    error::CloseReason,
    uapi::{
        stream_state,
        Writer,
        MSG_QUIC_DATAGRAM,
        MSG_QUIC_STREAM_FIN, //
    },
};

/// A socket's receive queue.
#[derive(Default)]
struct Queue {
    items: Mutex<VecDeque<(Received, Vec<u8>)>>,
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Queue {
    fn push(&self, received: Received, bytes: &[u8]) {
        let len = bytes.len();
        let item = (Received { len, ..received }, bytes.to_vec());
        self.items.lock().unwrap().push_back(item);
        self.changed.notify_all();
    }

    fn data(&self, id: i64, bytes: &[u8], fin: bool) {
        let flags = if fin { MSG_QUIC_STREAM_FIN } else { 0 };
        let stream = Some((id, flags));
        self.push(
            Received {
                stream,
                ..Received::default()
            },
            bytes,
        );
    }

    fn update(&self, id: i64, state: u8, code: u32) {
        let mut event = Writer([0_u8; 25]);
        event.put(0, &[1]);
        event.put(1, &id.to_ne_bytes());
        event.put(9, &[state]);
        event.put(13, &code.to_ne_bytes());
        let flags = MSG_QUIC_NOTIFICATION;
        self.push(
            Received {
                flags,
                ..Received::default()
            },
            &event.0,
        );
    }

    fn close(&self) {
        *self.closed.lock().unwrap() = true;
        self.changed.notify_all();
    }

    fn len(&self) -> usize {
        self.items.lock().unwrap().len()
    }

    fn empty_error(&self) -> io::Error {
        match *self.closed.lock().unwrap() {
            true => io::Error::from_raw_os_error(libc::ENOTCONN),
            false => io::ErrorKind::WouldBlock.into(),
        }
    }
}

impl Source for Queue {
    fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        match self.items.lock().unwrap().pop_front() {
            None => Err(self.empty_error()),
            Some((received, bytes)) => {
                buf[..bytes.len()].copy_from_slice(&bytes);
                Ok(received)
            }
        }
    }

    fn try_peek(&self, _: &mut [u8]) -> io::Result<Received> {
        match self.items.lock().unwrap().front() {
            None => Err(self.empty_error()),
            Some((received, _)) => Ok(*received),
        }
    }

    fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let items = self.items.lock().unwrap();
        if items.is_empty() && !*self.closed.lock().unwrap() {
            let timeout = timeout.unwrap_or(Duration::from_millis(20));
            drop(self.changed.wait_timeout(items, timeout).unwrap());
        }
        Ok(true)
    }

    fn ended(&self, err: io::Error) -> Error {
        assert_eq!(err.raw_os_error(), Some(libc::ENOTCONN));
        Error::Closed(CloseReason::default())
    }
}

/// A server's demultiplexer with its queue.
fn server(limit: usize) -> (Demux, Queue) {
    let demux = Demux::new(true, limit);
    demux.release();
    (demux, Queue::default())
}

fn soon() -> Patience {
    Patience::Until(Some(Instant::now() + Duration::from_millis(30)))
}

fn accept(demux: &Demux, queue: &Queue) -> Result<i64> {
    demux.wait(queue, soon(), "accept", |inbox| {
        inbox.accept().map(|id| Ok(id.0))
    })
}

fn read(demux: &Demux, queue: &Queue, id: i64, room: usize) -> Result<Vec<u8>> {
    let mut buf = vec![0; room];
    let len = demux.read(queue, StreamId(id), &mut buf, soon())?;
    buf.truncate(len);
    Ok(buf)
}

#[test]
fn streams_are_accepted_at_their_first_sign_of_life() {
    let (demux, queue) = server(1 << 20);
    queue.data(8, b"eight", false);
    queue.data(2, b"", true);
    queue.data(0, b"zero", true);
    queue.data(8, b"more", false);
    queue.update(4, stream_state::RECV_RESET_RECVD, 7);
    // Events come first in a real socket; here the order does not matter.
    let accepted: Vec<i64> = (0..4).map(|_| accept(&demux, &queue).unwrap()).collect();
    assert_eq!(accepted, [8, 2, 0, 4]);
    assert!(matches!(accept(&demux, &queue), Err(Error::Timeout(_))));
    assert_eq!(read(&demux, &queue, 8, 100).unwrap(), b"eightmore");
    assert_eq!(read(&demux, &queue, 2, 100).unwrap(), b"");
    assert_eq!(read(&demux, &queue, 0, 3).unwrap(), b"zer");
    assert_eq!(read(&demux, &queue, 0, 3).unwrap(), b"o");
    assert_eq!(read(&demux, &queue, 0, 3).unwrap(), b"");
    assert!(matches!(read(&demux, &queue, 4, 3), Err(Error::Reset(7))));
}

#[test]
fn a_stream_that_is_over_does_not_come_back() {
    let (demux, queue) = server(1 << 20);
    queue.data(4, b"x", true);
    assert_eq!(accept(&demux, &queue).unwrap(), 4);
    assert_eq!(read(&demux, &queue, 4, 10).unwrap(), b"x");
    assert!(!demux.forget(StreamId(4)));
    queue.update(4, stream_state::RECV_RESET_RECVD, 7);
    assert!(accept(&demux, &queue).is_err());
    // Stream 0 was opened by the opening of 4, and is not over.
    queue.data(0, b"y", false);
    assert_eq!(accept(&demux, &queue).unwrap(), 0);
}

#[test]
fn a_large_buffer_is_filled_without_a_detour() {
    let (demux, queue) = server(1 << 20);
    demux.opened(StreamId(1));
    let bytes: Vec<u8> = (0..20_000_u32).map(|nr| nr as u8).collect();
    queue.data(1, &bytes, false);
    queue.data(5, b"ignored: never opened", false);
    queue.data(0, b"for another", false);
    queue.data(1, b"", true);
    assert_eq!(read(&demux, &queue, 1, 1 << 16).unwrap(), bytes);
    assert_eq!(read(&demux, &queue, 1, 1 << 16).unwrap(), b"");
    assert_eq!(read(&demux, &queue, 1, 1 << 16).unwrap(), b"");
    assert_eq!(accept(&demux, &queue).unwrap(), 0);
    assert_eq!(read(&demux, &queue, 0, 1 << 16).unwrap(), b"for another");
}

#[test]
fn what_has_arrived_of_a_stream_is_read_before_the_error_of_its_reset() {
    for size in [10, 1 << 16] {
        let (demux, queue) = server(1 << 20);
        queue.data(0, b"before", false);
        assert_eq!(accept(&demux, &queue).unwrap(), 0);
        // Events come first: what the peer has promised to deliver is still in the queue.
        queue.update(0, stream_state::RECV_RESET_RECVD, 99);
        queue.data(4, b"next", false);
        assert_eq!(accept(&demux, &queue).unwrap(), 4);
        queue.data(0, b"promised", false);
        assert_eq!(read(&demux, &queue, 0, 6).unwrap(), b"before");
        assert_eq!(read(&demux, &queue, 0, size).unwrap(), b"promised");
        assert!(matches!(
            read(&demux, &queue, 0, size),
            Err(Error::Reset(99))
        ));
        assert!(matches!(
            read(&demux, &queue, 0, size),
            Err(Error::Reset(99))
        ));
        assert_eq!(read(&demux, &queue, 4, size).unwrap(), b"next");
    }
}

#[test]
fn a_reset_is_told_without_waiting_for_anything_else() {
    let (demux, queue) = server(1 << 20);
    queue.update(0, stream_state::RECV_RESET_RECVD, 5);
    assert_eq!(accept(&demux, &queue).unwrap(), 0);
    // A reader that would wait for ever.
    let mut buf = [0; 4];
    let result = demux.read(&queue, StreamId(0), &mut buf, Patience::Until(None));
    assert!(matches!(result, Err(Error::Reset(5))));
}

#[test]
fn at_the_limit_only_events_and_the_readers_own_data_are_received() {
    let (demux, queue) = server(1000);
    queue.data(0, &[1; 600], false);
    queue.data(4, &[2; 1000], false);
    queue.data(0, &[3; 600], false);
    queue.data(4, &[4; 600], false);
    queue.update(0, stream_state::SEND_RECVD, 0);
    assert_eq!(accept(&demux, &queue).unwrap(), 0);
    assert_eq!(accept(&demux, &queue).unwrap(), 4);
    assert_eq!(read(&demux, &queue, 0, 600).unwrap(), [1; 600]);
    // 1000 bytes of stream 4 wait: the head of the queue is for stream 0, which may have it.
    assert_eq!(read(&demux, &queue, 0, 600).unwrap(), [3; 600]);
    // The head is for stream 4: a reader of stream 0 has to wait, and takes nothing.
    assert!(matches!(
        read(&demux, &queue, 0, 600),
        Err(Error::Timeout(_))
    ));
    assert_eq!(queue.len(), 2);
    assert_eq!(read(&demux, &queue, 4, 1000).unwrap(), [2; 1000]);
    assert_eq!(read(&demux, &queue, 4, 1000).unwrap(), [4; 600]);
}

#[test]
fn empty_streams_count_towards_the_limit() {
    let (demux, queue) = server(100_000);
    for nr in 0..1000 {
        queue.data(nr * 4 + 2, b"", true);
    }
    assert!(
        read(&demux, &queue, 1, 10).is_ok(),
        "an unknown stream is at its end"
    );
    demux.opened(StreamId(1));
    assert!(matches!(
        read(&demux, &queue, 1, 10),
        Err(Error::Timeout(_))
    ));
    assert!(queue.len() > 700, "{}", queue.len());
}

#[test]
fn a_dropped_reader_makes_room() {
    let (demux, queue) = server(1000);
    queue.data(0, &[0; 1500], false);
    queue.data(0, &[0; 1500], false);
    queue.data(4, b"x", false);
    assert_eq!(accept(&demux, &queue).unwrap(), 0);
    assert!(matches!(accept(&demux, &queue), Err(Error::Timeout(_))));
    assert!(demux.forget(StreamId(0)), "the peer has to be told");
    assert_eq!(accept(&demux, &queue).unwrap(), 4);
    assert!(!demux.forget(StreamId(0)), "the peer is told once");
}

#[test]
fn acknowledgements_and_stops_are_seen_by_writers() {
    let (demux, queue) = server(1 << 20);
    let (one, five) = (StreamId(1), StreamId(5));
    demux.writer_comes(five);
    demux.sending_ends(one);
    demux.sending_ends(five);
    let delivered = |id| {
        demux.wait(&queue, soon(), "ack", |inbox| {
            inbox.is_delivered(id).then_some(Ok(()))
        })
    };
    assert!(delivered(Some(one)).is_err());
    queue.update(1, stream_state::SEND_RECVD, 0);
    assert!(delivered(Some(one)).is_ok());
    assert!(delivered(None).is_err());
    queue.update(5, stream_state::SEND_RESET_SENT, 3);
    assert!(delivered(None).is_ok());
    assert_eq!(demux.stopped(five), Some(3));
    queue.update(1, stream_state::SEND_RESET_SENT, 4);
    assert!(accept(&demux, &queue).is_err());
    assert_eq!(demux.stopped(one), None, "nobody writes to it any more");
    demux.writer_goes(five);
    assert_eq!(demux.stopped(five), None);
}

#[test]
fn what_was_received_can_be_read_after_the_end() {
    let (demux, queue) = server(1 << 20);
    queue.data(0, b"abc", false);
    queue.close();
    assert_eq!(accept(&demux, &queue).unwrap(), 0);
    assert_eq!(read(&demux, &queue, 0, 2).unwrap(), b"ab");
    assert!(matches!(accept(&demux, &queue), Err(Error::Closed(_))));
    assert_eq!(read(&demux, &queue, 0, 2).unwrap(), b"c");
    assert!(matches!(read(&demux, &queue, 0, 2), Err(Error::Closed(_))));
}

#[test]
fn old_datagrams_give_way() {
    let (demux, queue) = server(1 << 20);
    let flags = MSG_QUIC_DATAGRAM;
    for nr in 0..2000_u32 {
        queue.push(
            Received {
                flags,
                ..Received::default()
            },
            &nr.to_ne_bytes(),
        );
    }
    assert!(accept(&demux, &queue).is_err());
    let first = demux.wait(&queue, soon(), "datagram", |inbox| {
        inbox.pop_datagram().map(Ok)
    });
    assert_eq!(first.unwrap(), 976_u32.to_ne_bytes());
}

#[test]
fn readers_in_many_threads_get_their_own_bytes_in_order() {
    const STREAMS: i64 = 8;
    const ITEMS: u32 = 500;
    let demux = Arc::new(Demux::new(true, 20_000));
    demux.release();
    let queue = Arc::new(Queue::default());
    thread::scope(|scope| {
        let readers: Vec<_> = (0..STREAMS)
            .map(|nr| {
                let (demux, queue) = (&demux, &queue);
                demux.opened(StreamId(nr * 4 + 1));
                scope.spawn(move || {
                    // Large buffers read directly, small ones through the leader's.
                    let room = if nr % 2 == 0 { 100 } else { 40_000 };
                    let (mut got, mut buf) = (Vec::new(), vec![0; room]);
                    let end = Patience::Until(Some(Instant::now() + Duration::from_secs(30)));
                    loop {
                        let len = demux
                            .read(&**queue, StreamId(nr * 4 + 1), &mut buf, end)
                            .unwrap();
                        if len == 0 {
                            return got;
                        }
                        got.extend_from_slice(&buf[..len]);
                    }
                })
            })
            .collect();
        // A fixed sequence that looks random.
        let (mut seed, mut sent) = (0x2545_f491_u32, vec![Vec::new(); STREAMS as usize]);
        for nr in 0..ITEMS * STREAMS as u32 {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let stream = (seed % STREAMS as u32) as usize;
            let bytes = vec![nr as u8; (seed >> 8) as usize % 300 + 1];
            sent[stream].extend_from_slice(&bytes);
            queue.data(stream as i64 * 4 + 1, &bytes, false);
        }
        for stream in 0..STREAMS {
            queue.data(stream * 4 + 1, b"", true);
        }
        for (reader, sent) in readers.into_iter().zip(sent) {
            assert!(reader.join().unwrap() == sent);
        }
    });
}

#[test]
fn readers_wait_while_the_handshake_receives() {
    let (demux, queue) = (Demux::new(true, 1000), Queue::default());
    queue.data(0, b"early", false);
    assert!(matches!(accept(&demux, &queue), Err(Error::Timeout(_))));
    assert_eq!(queue.len(), 1);
    demux.release();
    assert_eq!(accept(&demux, &queue).unwrap(), 0);
}

#[test]
fn without_patience_only_what_has_arrived_is_taken() {
    let (demux, queue) = server(1000);
    let accept = || {
        demux.wait(&queue, Patience::None, "", |inbox| {
            inbox.accept().map(|id| Ok(id.0))
        })
    };
    let read = |id, room| {
        let mut buf = vec![0; room];
        let len = demux.read(&queue, StreamId(id), &mut buf, Patience::None)?;
        Ok::<_, Error>(buf[..len].to_vec())
    };
    assert!(matches!(accept(), Err(Error::Timeout(_))));
    queue.data(0, b"abc", false);
    queue.data(4, &[7; 2000], true);
    assert_eq!(accept().unwrap(), 0);
    assert_eq!(read(0, 10).unwrap(), b"abc");
    // Everything that has arrived was sorted in by this.
    assert!(matches!(read(0, 10), Err(Error::Timeout(_))));
    assert_eq!(queue.len(), 0);
    queue.data(0, b"def", false);
    queue.data(8, b"x", false);
    // At the limit, what is for others stays in the socket.
    assert_eq!(read(0, 10).unwrap(), b"def");
    assert!(matches!(read(0, 10), Err(Error::Timeout(_))));
    assert_eq!(queue.len(), 1);
    assert_eq!(accept().unwrap(), 4);
    assert_eq!(read(4, 5000).unwrap(), [7; 2000]);
    assert_eq!(read(4, 5000).unwrap(), b"");
    assert_eq!(accept().unwrap(), 8);
}
