// SPDX-License-Identifier: GPL-2.0
//! The server: does on each stream what the client asks.

use std::{
    io::{
        self,
        Read,
        Write, //
    },
    thread, //
};

use quic::{
    BiStream,
    Connection,
    Error,
    PeerStream, //
};
use serde::Serialize;

use super::{
    wire::Request,
    ALPN,
    CHUNK, //
};
use crate::{
    cli::{
        Output,
        Perf, //
    },
    failure::{
        Failure,
        Result, //
    },
    report::ConnectionReport,
    serving, setup,
};

/// What scripts read, one object a line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Listening {
        address: String,
    },
    Client {
        streams: usize,
        #[serde(flatten)]
        connection: ConnectionReport,
    },
}

pub fn run(args: &Perf, output: Output) -> Result<()> {
    let common = &args.common;
    let listener = setup::listen(
        "perf --server",
        ALPN,
        &common.listen,
        &common.own,
        &common.transport,
    )?;
    let address = listener.local_addr()?.to_string();
    let line = format!("measuring with clients at {address}");
    output.note(&Event::Listening { address }, &line);
    loop {
        let incoming = serving::next_client(&listener, output)?;
        serving::in_thread(output, move || {
            let peer = incoming.peer_addr();
            match incoming.handshake() {
                Ok(conn) => serve(&conn, output),
                // A client that measures handshakes may be gone before this side is done.
                Err(Error::Closed(_)) => {}
                Err(err) => output.error(&Failure::from(err).during(format!("client {peer}"))),
            }
        });
    }
}

fn serve(conn: &Connection, output: Output) {
    let mut streams: usize = 0;
    thread::scope(|scope| {
        while let Ok(stream) = conn.accept_stream_timeout(None) {
            if let PeerStream::Bi(mut stream) = stream {
                streams = streams.saturating_add(1);
                serving::in_scope(scope, output, move || {
                    if let Err(err) = answer(&mut stream) {
                        report(&err, output);
                    }
                });
            }
        }
    });
    // A client that measures handshakes comes and goes without a stream, very often.
    if streams > 0 {
        let connection = ConnectionReport::of(conn);
        let mut lines = vec![format!("client {}, {streams} streams", connection.peer)];
        lines.extend(connection.server_lines());
        let event = Event::Client {
            streams,
            connection,
        };
        output.note(&event, &lines.join("\n"));
    }
}

/// That a client has had enough is no error.
fn report(err: &io::Error, output: Output) {
    match Error::from_io(err) {
        Some(Error::Stopped(0) | Error::Reset(0) | Error::Closed(_) | Error::LocallyClosed) => {}
        _ => output.error(&Failure::io("a stream", err)),
    }
}

fn answer(stream: &mut BiStream) -> io::Result<()> {
    match Request::read(&mut stream.recv)? {
        Request::Upload => {
            let total = discard(&mut stream.recv)?;
            stream.send.write_last(&total.to_be_bytes())?;
        }
        Request::Download { bytes } => {
            let chunk = vec![0x55; CHUNK];
            let mut left = bytes;
            while left > 0 {
                let len = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
                let data = chunk.get(..len).unwrap_or_default();
                stream.write_all(data)?;
                left = left.saturating_sub(len as u64);
            }
            stream.finish()?;
        }
        Request::Echo { request, answer } => {
            let mut question = vec![0; request as usize];
            let answer = vec![0x55; answer as usize];
            while read_whole(&mut stream.recv, &mut question)? {
                stream.write_all(&answer)?;
            }
            stream.finish()?;
        }
    }
    Ok(())
}

fn discard(from: &mut impl Read) -> io::Result<u64> {
    let mut buf = vec![0; CHUNK];
    let mut total: u64 = 0;
    loop {
        match from.read(&mut buf)? {
            0 => return Ok(total),
            len => total = total.saturating_add(len as u64),
        }
    }
}

/// Fills the buffer; `false` if the stream ends before its first byte.
fn read_whole(from: &mut impl Read, buf: &mut [u8]) -> io::Result<bool> {
    let Some((first, rest)) = buf.split_first_mut() else {
        return Ok(false);
    };
    if from.read(std::slice::from_mut(first))? == 0 {
        return Ok(false);
    }
    from.read_exact(rest)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_between_messages_is_told_from_one_within() {
        let mut from = &b"abcdef"[..];
        let mut buf = [0; 3];
        assert!(read_whole(&mut from, &mut buf).unwrap());
        assert!(read_whole(&mut from, &mut buf).unwrap());
        assert_eq!(&buf, b"def");
        assert!(!read_whole(&mut from, &mut buf).unwrap());
        assert!(read_whole(&mut &b"ab"[..], &mut buf).is_err());
    }

    #[test]
    fn what_is_uploaded_is_counted() {
        let data = vec![0; 3 * CHUNK + 1];
        assert_eq!(discard(&mut &data[..]).unwrap(), data.len() as u64);
    }
}
