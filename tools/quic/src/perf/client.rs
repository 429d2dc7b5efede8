// SPDX-License-Identifier: GPL-2.0
//! The client: makes the measurements and prints them.

use std::{
    io::{
        Read,
        Write, //
    },
    time::{
        Duration,
        Instant, //
    },
};

use indicatif::ProgressBar;
use quic::Connection;
use serde::Serialize;

use super::{
    summary::Summary,
    wire::{
        read_number,
        Request, //
    },
    ALPN, CHUNK,
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
    human,
    report::ConnectionReport,
    setup::Client,
    target::Target,
    workers,
};

/// One measurement, one object a line.
#[derive(Serialize)]
#[serde(tag = "measurement", rename_all = "snake_case")]
enum Measurement {
    Up(Throughput),
    Down(Throughput),
    Latency {
        request: u32,
        answer: u32,
        per_second: f64,
        times: Summary,
        #[serde(flatten)]
        connection: ConnectionReport,
    },
    Handshakes {
        clients: u16,
        per_second: f64,
        times: Summary,
    },
}

#[derive(Serialize)]
struct Throughput {
    bytes: u64,
    seconds: f64,
    throughput_mbit_s: f64,
    streams: u16,
    #[serde(flatten)]
    connection: ConnectionReport,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// When a measurement of throughput ends.
#[derive(Clone, Copy)]
enum Until {
    Bytes(u64),
    Time(Instant),
}

pub fn run(target: &Target, args: &Perf, output: Output) -> Result<()> {
    let common = &args.common;
    let client = Client::new(target, ALPN, &common.trust, &common.own, &common.transport)?;
    let all = !(args.up || args.down || args.latency || args.handshakes);
    if all || args.up {
        let result = throughput(&client, args, Direction::Up, output)?;
        let lines = result.lines("up");
        output.result(&Measurement::Up(result), &lines);
    }
    if all || args.down {
        let result = throughput(&client, args, Direction::Down, output)?;
        let lines = result.lines("down");
        output.result(&Measurement::Down(result), &lines);
    }
    if all || args.latency {
        latency(&client, args, output)?;
    }
    if all || args.handshakes {
        handshakes(&client, args, output)?;
    }
    Ok(())
}

impl Throughput {
    fn lines(&self, direction: &str) -> Vec<String> {
        let time = Duration::from_secs_f64(self.seconds);
        let rate = human::rate(self.bytes, time);
        let bytes = human::bytes(self.bytes);
        let mut lines = vec![format!(
            "{direction:<11} {rate}, {bytes} in {}",
            human::duration(time)
        )];
        lines.extend(self.connection.client_lines());
        lines
    }
}

fn throughput(client: &Client, args: &Perf, way: Direction, output: Output) -> Result<Throughput> {
    let conn = client.connect()?;
    let streams = u64::from(args.parallel);
    let bar = args
        .bytes
        .map_or_else(|| output.spinner(), |bytes| output.bar(bytes));
    let started = Instant::now();
    let jobs: Vec<Until> = match args.bytes {
        Some(bytes) => (0..streams)
            .map(|nr| Until::Bytes(share(bytes, streams, nr)))
            .collect(),
        None => vec![Until::Time(end_of(args.time)); usize::from(args.parallel)],
    };
    let results = workers::each(jobs.len(), jobs, |until| match way {
        Direction::Up => upload(&conn, until, &bar),
        Direction::Down => download(&conn, until, &bar),
    });
    let time = started.elapsed();
    bar.finish_and_clear();
    let connection = ConnectionReport::of(&conn);
    let bytes = results.into_iter().try_fold(0u64, |sum, bytes| {
        bytes.map(|bytes| sum.saturating_add(bytes))
    })?;
    conn.abort(0, "measured")?;
    Ok(Throughput {
        bytes,
        seconds: time.as_secs_f64(),
        throughput_mbit_s: human::mbit_s(bytes, time),
        streams: args.parallel,
        connection,
    })
}

/// How many of `bytes` the stream with this number carries; all shares together are `bytes`.
fn share(bytes: u64, streams: u64, number: u64) -> u64 {
    bytes / streams + u64::from(number < bytes % streams)
}

fn end_of(seconds: u32) -> Instant {
    Instant::now() + Duration::from_secs(seconds.into())
}

impl Until {
    /// How much of a chunk is to be moved after `done` bytes.
    fn next(self, done: u64) -> usize {
        match self {
            Until::Bytes(bytes) => usize::try_from(bytes.saturating_sub(done)).unwrap_or(CHUNK),
            Until::Time(end) if Instant::now() >= end => 0,
            Until::Time(_) => CHUNK,
        }
        .min(CHUNK)
    }
}

fn upload(conn: &Connection, until: Until, bar: &ProgressBar) -> Result<u64> {
    let mut stream = conn.open_bi()?;
    let writing = |err: &std::io::Error| Failure::io("uploading", err);
    stream
        .write_all(&Request::Upload.encode())
        .map_err(|err| writing(&err))?;
    let chunk = vec![0x55; CHUNK];
    let mut done: u64 = 0;
    loop {
        let data = chunk.get(..until.next(done)).unwrap_or_default();
        if data.is_empty() {
            break;
        }
        let len = stream.write(data).map_err(|err| writing(&err))?;
        done = done.saturating_add(len as u64);
        bar.inc(len as u64);
    }
    stream.finish()?;
    // The server's count: the time ends when everything has arrived there.
    let counted = read_number(&mut stream.recv).map_err(|err| writing(&err))?;
    if counted != done {
        return Err(Failure::new(format!(
            "{done} bytes were sent, but {counted} arrived"
        )));
    }
    Ok(done)
}

fn download(conn: &Connection, until: Until, bar: &ProgressBar) -> Result<u64> {
    let mut stream = conn.open_bi()?;
    let bytes = match until {
        Until::Bytes(bytes) => bytes,
        Until::Time(_) => u64::MAX,
    };
    stream
        .send
        .write_last(&Request::Download { bytes }.encode())?;
    let mut buf = vec![0; CHUNK];
    let mut done: u64 = 0;
    loop {
        let room = buf.get_mut(..until.next(done)).unwrap_or_default();
        if room.is_empty() {
            // Dropping the stream tells the server to stop.
            return Ok(done);
        }
        match stream
            .read(room)
            .map_err(|err| Failure::io("downloading", &err))?
        {
            0 => return Err(Failure::new(format!("the server ended after {done} bytes"))),
            len => {
                done = done.saturating_add(len as u64);
                bar.inc(len as u64);
            }
        }
    }
}

fn latency(client: &Client, args: &Perf, output: Output) -> Result<()> {
    let conn = client.connect()?;
    let mut stream = conn.open_bi()?;
    let (request, answer) = (args.request, args.answer);
    let failed = |err: &std::io::Error| Failure::io("asking", err);
    stream
        .write_all(&Request::Echo { request, answer }.encode())
        .map_err(|err| failed(&err))?;
    let question = vec![0x55; request as usize];
    let mut reply = vec![0; answer as usize];
    let mut times = Vec::new();
    let (started, end) = (Instant::now(), end_of(args.time));
    while Instant::now() < end {
        let asked = Instant::now();
        stream.write_all(&question).map_err(|err| failed(&err))?;
        stream
            .recv
            .read_exact(&mut reply)
            .map_err(|err| failed(&err))?;
        times.push(micros(asked.elapsed()));
    }
    let seconds = started.elapsed().as_secs_f64();
    stream.finish()?;
    let connection = ConnectionReport::of(&conn);
    conn.abort(0, "measured")?;
    let times = summed(times)?;
    let per_second = times.count as f64 / seconds;
    let mut lines = vec![
        format!("latency     {per_second:.1} requests/s of {request} and {answer} bytes"),
        format!("  {}", times.line()),
    ];
    lines.extend(connection.client_lines());
    let result = Measurement::Latency {
        request,
        answer,
        per_second,
        times,
        connection,
    };
    output.result(&result, &lines);
    Ok(())
}

fn handshakes(client: &Client, args: &Perf, output: Output) -> Result<()> {
    let (started, end) = (Instant::now(), end_of(args.time));
    let clients = vec![(); usize::from(args.parallel)];
    let results = workers::each(clients.len(), clients, |()| {
        let mut times = Vec::new();
        while Instant::now() < end {
            let asked = Instant::now();
            let conn = client.connect()?;
            times.push(micros(asked.elapsed()));
            conn.abort(0, "measured")?;
        }
        Ok(times)
    });
    let seconds = started.elapsed().as_secs_f64();
    let times = results.into_iter().collect::<Result<Vec<Vec<u64>>>>()?;
    let times = summed(times.concat())?;
    let per_second = times.count as f64 / seconds;
    let lines = [
        format!(
            "handshakes  {per_second:.1}/s, {} at a time",
            human::count(usize::from(args.parallel), "client")
        ),
        format!("  {}", times.line()),
    ];
    let result = Measurement::Handshakes {
        clients: args.parallel,
        per_second,
        times,
    };
    output.result(&result, &lines);
    Ok(())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn summed(times: Vec<u64>) -> Result<Summary> {
    Summary::of(times).ok_or_else(|| Failure::new("nothing was measured in the time given"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_never_asks_for_more_than_a_chunk() {
        assert_eq!(Until::Bytes(10).next(4), 6);
        assert_eq!(Until::Bytes(10).next(10), 0);
        assert_eq!(Until::Bytes(10).next(11), 0);
        assert_eq!(Until::Bytes(u64::MAX).next(0), CHUNK);
        assert_eq!(Until::Time(Instant::now()).next(0), 0);
    }

    proptest! {
        #[test]
        fn shares_add_up(bytes: u64, streams in 1u64..64) {
            let sum: u64 = (0..streams).map(|number| share(bytes, streams, number)).sum();
            prop_assert_eq!(sum, bytes);
        }
    }
}
