// SPDX-License-Identifier: GPL-2.0
//! `quic recv`.

use std::{
    fs, thread,
    time::{
        Duration,
        Instant, //
    },
};

use indicatif::ProgressBar;
use quic::{
    BiStream,
    Connection,
    Error,
    PeerStream, //
};
use serde::Serialize;

use super::{
    incoming::{
        Refusal,
        Store, //
    },
    send::hex,
    wire::{
        Header,
        Reply, //
    },
    ALPN,
};
use crate::{
    cli::{
        Output,
        Recv, //
    },
    failure::{
        Failure,
        Result, //
    },
    report::{
        self,
        ConnectionReport, //
    },
    serving, setup,
};

/// Application error code with which a file that is not wanted is stopped.
const NOT_WANTED: u32 = 2;
/// How long a sender may take between opening a stream and the end of its header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// What scripts read, one object a line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Listening {
        address: String,
    },
    File {
        name: String,
        path: String,
        size: u64,
        sha256: String,
        seconds: f64,
        throughput_mbit_s: f64,
        peer: String,
    },
    Refused {
        name: String,
        reason: String,
        peer: String,
    },
    Sender {
        #[serde(flatten)]
        connection: ConnectionReport,
        end: String,
    },
}

pub fn run(args: &Recv, output: Output) -> Result<()> {
    let meta = fs::metadata(&args.dir).map_err(|err| {
        Failure::io(args.dir.display(), &err).hint("make the directory first: mkdir DIR")
    })?;
    if !meta.is_dir() {
        return Err(Failure::new(format!(
            "{} is not a directory",
            args.dir.display()
        )));
    }
    let store = Store {
        dir: args.dir.clone(),
        overwrite: args.overwrite,
    };
    let server = &args.server;
    let listener = setup::listen("recv", ALPN, &server.listen, &server.own, &server.transport)?;
    let address = listener.local_addr()?.to_string();
    let line = format!("receiving at {address} into {}", args.dir.display());
    output.note(&Event::Listening { address }, &line);
    loop {
        let incoming = serving::next_client(&listener, output)?;
        let store = store.clone();
        let serve = move || {
            let peer = incoming.peer_addr();
            match incoming.handshake() {
                Ok(conn) => {
                    receive_from(&conn, &store, output);
                    true
                }
                Err(err) => {
                    output.error(&Failure::from(err).during(format!("client {peer}")));
                    false
                }
            }
        };
        if args.once {
            if serve() {
                return Ok(());
            }
        } else {
            serving::in_thread(output, move || {
                let _ = serve();
            });
        }
    }
}

/// Takes streams until the sender has gone; waits for those that are still being written.
fn receive_from(conn: &Connection, store: &Store, output: Output) {
    let bar = output.spinner();
    let end = thread::scope(|scope| loop {
        match conn.accept_stream_timeout(None) {
            Ok(PeerStream::Bi(stream)) => {
                let bar = &bar;
                serving::in_scope(scope, output, move || {
                    receive_one(stream, conn, store, bar, output);
                });
            }
            // Dropping it asks the sender to stop.
            Ok(PeerStream::Uni(_)) => {}
            Err(end) => return end,
        }
    });
    bar.finish_and_clear();
    let end = match end {
        Error::Closed(reason) if reason.code == 0 && reason.frame == 0 => "done".to_owned(),
        other => other.to_string(),
    };
    let connection = ConnectionReport::of(conn);
    let mut lines = vec![format!("sender {} has gone: {end}", connection.peer)];
    lines.extend(connection.server_lines());
    output.note(&Event::Sender { connection, end }, &lines.join("\n"));
}

fn receive_one(
    mut stream: BiStream,
    conn: &Connection,
    store: &Store,
    bar: &ProgressBar,
    output: Output,
) {
    let started = Instant::now();
    let peer = conn.info().peer.to_string();
    stream.recv.set_read_timeout(Some(HEADER_TIMEOUT));
    let header = match Header::read(&mut stream.recv) {
        Ok(header) => header,
        Err(err) => {
            let reason = format!("a header that is not readable: {err}");
            return refuse(&mut stream, String::new(), reason, peer, output);
        }
    };
    stream.recv.set_read_timeout(None);
    bar.set_message(header.name.escape_debug().to_string());
    match store.receive(&header, &mut stream.recv, |len| bar.inc(len)) {
        Ok((path, digest)) => {
            let time = started.elapsed();
            let event = Event::File {
                name: header.name.clone(),
                path: path.display().to_string(),
                size: header.size,
                sha256: hex(&digest),
                seconds: time.as_secs_f64(),
                throughput_mbit_s: crate::human::mbit_s(header.size, time),
                peer,
            };
            let total = report::total(1, header.size, time);
            let line = format!("{}  {}\n  {total}", hex(&digest), path.display());
            bar.suspend(|| output.result(&event, &[line]));
            answer(&mut stream, &Reply::Stored(digest), output);
        }
        Err(Refusal::Told(reason)) => refuse(&mut stream, header.name, reason, peer, output),
        Err(Refusal::Lost(err)) => {
            let what = format!("{} from {peer}", header.name.escape_debug());
            bar.suspend(|| output.error(&Failure::io(what, &err)));
        }
    }
}

fn refuse(stream: &mut BiStream, name: String, reason: String, peer: String, output: Output) {
    let line = format!("refused {:?} from {peer}: {reason}", name);
    answer(stream, &Reply::Refused(reason.clone()), output);
    // It may have arrived completely, and then there is nothing to stop.
    let _ = stream.recv.stop(NOT_WANTED);
    output.result(&Event::Refused { name, reason, peer }, &[line]);
}

fn answer(stream: &mut BiStream, reply: &Reply, output: Output) {
    if let Err(err) = stream.send.write_last(&reply.encode()) {
        output.error(&Failure::from(err).during("answering the sender"));
    }
}
