// SPDX-License-Identifier: GPL-2.0
//! `quic serve`.

use std::{
    fs::File,
    io::{
        Read,
        Write, //
    },
    path::Path,
    thread,
    time::{
        Duration,
        Instant, //
    },
};

use quic::{
    BiStream,
    Connection,
    PeerStream,
    ServerConfigBuilder, //
};
use serde::Serialize;

use super::{
    request::{
        self,
        Bad, //
    },
    CHUNK,
};
use crate::{
    cli::{
        Output,
        Serve, //
    },
    failure::{
        Failure,
        Result, //
    },
    human,
    report::ConnectionReport,
    serving, setup,
};

/// How long a client may take between opening a stream and the end of its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What scripts read, one object a line.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Listening {
        address: String,
    },
    Served {
        path: String,
        size: u64,
        seconds: f64,
        peer: String,
    },
    Refused {
        path: String,
        reason: &'static str,
        peer: String,
    },
    Client {
        #[serde(flatten)]
        connection: ConnectionReport,
        end: String,
    },
}

impl Bad {
    /// Application error code of the reset, modelled on the status codes of HTTP.
    fn code(self) -> u32 {
        match self {
            Bad::Request => 400,
            Bad::Outside => 403,
            Bad::Missing => 404,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Bad::Request => "not a request",
            Bad::Outside => "outside the directory",
            Bad::Missing => "no such file",
        }
    }
}

pub fn run(args: &Serve, output: Output) -> Result<()> {
    let root = args
        .dir
        .canonicalize()
        .map_err(|err| Failure::io(args.dir.display(), &err))?;
    if !root.is_dir() {
        return Err(Failure::new(format!(
            "{} is not a directory",
            args.dir.display()
        )));
    }
    let server = &args.server;
    let listener = setup::listen_with(
        "serve",
        &args.alpn,
        &server.listen,
        &server.own,
        &server.transport,
        |builder| {
            let builder = builder.early_data(args.early);
            let announce = |builder: ServerConfigBuilder, addr| builder.preferred_address(addr);
            args.preferred.iter().copied().fold(builder, announce)
        },
    )?;
    let address = listener.local_addr()?.to_string();
    let line = format!("serving {} at {address}", root.display());
    output.note(&Event::Listening { address }, &line);
    loop {
        let incoming = serving::next_client(&listener, output)?;
        let root = root.clone();
        let serve = move || {
            let peer = incoming.peer_addr();
            match incoming.handshake() {
                Ok(conn) => {
                    serve_client(&conn, &root, output);
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

fn serve_client(conn: &Connection, root: &Path, output: Output) {
    let end = thread::scope(|scope| loop {
        match conn.accept_stream_timeout(None) {
            Ok(PeerStream::Bi(stream)) => {
                serving::in_scope(scope, output, move || answer(stream, conn, root, output));
            }
            // Dropping it asks the client to stop; some clients open streams of HTTP/3.
            Ok(PeerStream::Uni(_)) => {}
            Err(end) => return end,
        }
    });
    let connection = ConnectionReport::of(conn);
    let end = end.to_string();
    let mut lines = vec![format!("client {} has gone: {end}", connection.peer)];
    lines.extend(connection.server_lines());
    output.note(&Event::Client { connection, end }, &lines.join("\n"));
}

fn answer(mut stream: BiStream, conn: &Connection, root: &Path, output: Output) {
    let started = Instant::now();
    let peer = conn.info().peer.to_string();
    stream.recv.set_read_timeout(Some(REQUEST_TIMEOUT));
    let path = match request::read(&mut stream.recv) {
        Ok(Ok(path)) => path,
        Ok(Err(bad)) => return refuse(&mut stream, String::new(), bad, peer, output),
        // The connection has ended, or the client takes too long and is told to stop.
        Err(_) => return,
    };
    let file =
        request::locate(root, &path).and_then(|file| File::open(file).map_err(|_| Bad::Missing));
    let mut file = match file {
        Ok(file) => file,
        Err(bad) => return refuse(&mut stream, path, bad, peer, output),
    };
    match copy(&mut file, &mut stream) {
        Ok(size) => {
            let time = started.elapsed();
            let line = format!("{}  {}  to {peer}", human::bytes(size), path.escape_debug());
            let event = Event::Served {
                path,
                size,
                seconds: time.as_secs_f64(),
                peer,
            };
            output.note(&event, &line);
        }
        Err(err) => output.error(&Failure::io(
            format!("{} to {peer}", path.escape_debug()),
            &err,
        )),
    }
}

fn refuse(stream: &mut BiStream, path: String, bad: Bad, peer: String, output: Output) {
    // The connection may have ended, in which case nobody waits for the answer.
    let _ = stream.send.reset(bad.code());
    let line = format!("refused {path:?} to {peer}: {}", bad.text());
    let reason = bad.text();
    output.note(&Event::Refused { path, reason, peer }, &line);
}

fn copy(from: &mut File, stream: &mut BiStream) -> std::io::Result<u64> {
    let mut buf = vec![0; CHUNK];
    let mut total: u64 = 0;
    loop {
        let len = from.read(&mut buf)?;
        if len == 0 {
            stream.finish()?;
            return Ok(total);
        }
        stream.write_all(buf.get(..len).unwrap_or_default())?;
        total = total.saturating_add(len as u64);
    }
}
