// SPDX-License-Identifier: GPL-2.0
//! `quic send`.

use std::{
    fs::File,
    io::{
        self,
        Read,
        Write, //
    },
    os::unix::fs::MetadataExt,
    path::{
        Path,
        PathBuf, //
    },
    time::{
        Duration,
        Instant, //
    },
};

use indicatif::ProgressBar;
use quic::{
    BiStream,
    Connection,
    Error, //
};
use serde::Serialize;
use sha2::{
    Digest as _,
    Sha256, //
};

use super::{
    wire::{
        Digest,
        Header,
        Reply, //
    },
    ALPN, CHUNK,
};
use crate::{
    cli::{
        Output,
        Send, //
    },
    failure::{
        Failure,
        Result, //
    },
    human,
    report::{
        self,
        ConnectionReport, //
    },
    setup::Client,
    target::Target,
    workers,
};

/// Application error code of a stream that this side gave up.
const GIVEN_UP: u32 = 1;

/// A file that can be sent.
struct Source {
    path: PathBuf,
    file: File,
    header: Header,
}

#[derive(Serialize)]
struct FileReport {
    name: String,
    size: u64,
    sha256: String,
    seconds: f64,
}

#[derive(Serialize)]
struct Report {
    files: Vec<FileReport>,
    bytes: u64,
    seconds: f64,
    throughput_mbit_s: f64,
    #[serde(flatten)]
    connection: ConnectionReport,
}

pub fn run(args: &Send, output: Output) -> Result<()> {
    let Some((target, files)) = args.args.split_last() else {
        return Err(Failure::new("name the files and the receiver"));
    };
    let target: Target = target.parse().map_err(|err| {
        Failure::new(format!("{target}: {err}")).hint("the receiver comes last, as HOST:PORT")
    })?;
    // All files are opened before anything is sent, so that a wrong name costs nothing.
    let sources = files
        .iter()
        .map(|file| Source::open(Path::new(file)))
        .collect::<Result<Vec<Source>>>()?;
    check_names(&sources)?;
    let client = &args.client;
    let client = Client::new(&target, ALPN, &client.trust, &client.own, &client.transport)?;
    let conn = client.connect()?;
    let report = send_all(&conn, sources, usize::from(args.jobs), output)?;
    let closed = conn.close(0, "done");
    let mut lines: Vec<String> = report
        .files
        .iter()
        .map(|file| {
            format!(
                "{}  {}  {}",
                file.sha256,
                human::bytes(file.size),
                file.name
            )
        })
        .collect();
    let time = Duration::from_secs_f64(report.seconds);
    lines.push(format!(
        "sent {}",
        report::total(report.files.len(), report.bytes, time)
    ));
    lines.extend(report.connection.client_lines());
    output.result(&report, &lines);
    // Every file was confirmed; how the connection ended matters no more, except to the curious.
    if let (Err(err), false) = (closed, output.quiet) {
        eprintln!("quic: closing: {err}");
    }
    Ok(())
}

fn send_all(
    conn: &Connection,
    sources: Vec<Source>,
    jobs: usize,
    output: Output,
) -> Result<Report> {
    let total = sources
        .iter()
        .fold(0u64, |sum, source| sum.saturating_add(source.header.size));
    let bar = output.bar(total);
    let started = Instant::now();
    let results = workers::each(jobs, sources, |source| {
        let path = source.path.clone();
        source
            .send(conn, &bar)
            .map_err(|failure| failure.during(path.display()))
    });
    let time = started.elapsed();
    bar.finish_and_clear();
    let connection = ConnectionReport::of(conn);
    let files = results.into_iter().collect::<Result<Vec<FileReport>>>()?;
    Ok(Report {
        files,
        bytes: total,
        seconds: time.as_secs_f64(),
        throughput_mbit_s: human::mbit_s(total, time),
        connection,
    })
}

/// The receiver has one directory: two files of one name would collide there.
fn check_names(sources: &[Source]) -> Result<()> {
    let mut seen = std::collections::BTreeMap::new();
    for source in sources {
        if let Some(other) = seen.insert(&source.header.name, &source.path) {
            return Err(Failure::new(format!(
                "{} and {} would have the same name at the receiver",
                other.display(),
                source.path.display()
            )));
        }
    }
    Ok(())
}

impl Source {
    fn open(path: &Path) -> Result<Source> {
        let failed = |err: &io::Error| Failure::io(path.display(), err);
        let file = File::open(path).map_err(|err| failed(&err))?;
        let meta = file.metadata().map_err(|err| failed(&err))?;
        if !meta.is_file() {
            return Err(Failure::new(format!("{} is not a file", path.display()))
                .hint("to send a directory: tar -cf dir.tar DIR; quic send dir.tar ..."));
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name else {
            let text = format!("the name of {} is not UTF-8", path.display());
            return Err(Failure::new(text));
        };
        if let Err(why) = super::name::sanitise(name) {
            return Err(Failure::new(format!(
                "a receiver would not accept the name {name:?}: {why}"
            )));
        }
        Ok(Source {
            path: path.into(),
            file,
            header: Header {
                name: name.into(),
                size: meta.len(),
                mode: meta.mode() & 0o777,
            },
        })
    }

    fn send(mut self, conn: &Connection, bar: &ProgressBar) -> Result<FileReport> {
        let started = Instant::now();
        let mut stream = conn.open_bi()?;
        let sent = self.write(&mut stream, bar);
        if let Err(failure) = &sent {
            // A receiver that stopped reading has usually said why.
            return Err(match Reply::read(&mut stream.recv) {
                Ok(Reply::Refused(reason)) => refused(&reason),
                _ => failure.clone(),
            });
        }
        let digest = sent?;
        match Reply::read(&mut stream.recv) {
            Ok(Reply::Stored(stored)) if stored == digest => Ok(FileReport {
                name: self.header.name,
                size: self.header.size,
                sha256: hex(&digest),
                seconds: started.elapsed().as_secs_f64(),
            }),
            Ok(Reply::Stored(_)) => Err(Failure::new("the receiver stored something else")),
            Ok(Reply::Refused(reason)) => Err(refused(&reason)),
            Err(err) => Err(Failure::io("waiting for the receiver's confirmation", &err)),
        }
    }

    fn write(&mut self, stream: &mut BiStream, bar: &ProgressBar) -> Result<Digest> {
        let header = self
            .header
            .encode()
            .map_err(|err| Failure::io("the header", &err))?;
        let sending = |err: &io::Error| Failure::io("sending", err);
        stream.write_all(&header).map_err(|err| sending(&err))?;
        let mut hash = Sha256::new();
        let mut buf = vec![0; CHUNK];
        let mut left = self.header.size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let room = buf.get_mut(..most).unwrap_or_default();
            let len = match self.file.read(room) {
                Ok(0) => {
                    stream.send.reset(GIVEN_UP)?;
                    return Err(Failure::new("the file became shorter while it was sent"));
                }
                Ok(len) => len,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                Err(err) => {
                    stream.send.reset(GIVEN_UP)?;
                    return Err(Failure::io("reading", &err));
                }
            };
            let data = room.get(..len).unwrap_or_default();
            hash.update(data);
            stream.write_all(data).map_err(|err| sending(&err))?;
            left = left.saturating_sub(len as u64);
            bar.inc(len as u64);
        }
        let digest: Digest = hash.finalize().into();
        stream
            .send
            .write_last(&digest)
            .map_err(|err: Error| Failure::from(err))?;
        Ok(digest)
    }
}

/// The reason comes from the peer: it must not steer the terminal.
fn refused(reason: &str) -> Failure {
    Failure::new(format!(
        "the receiver refused it: {}",
        reason.escape_debug()
    ))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_with_acceptable_names_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("good name.txt");
        std::fs::write(&path, "12345").unwrap();
        let source = Source::open(&path).unwrap();
        assert_eq!(
            (source.header.name.as_str(), source.header.size),
            ("good name.txt", 5)
        );
        let hidden = dir.path().join(".hidden");
        std::fs::write(&hidden, "").unwrap();
        for bad in [
            dir.path(),
            &dir.path().join("missing"),
            &hidden,
            Path::new("/dev/null"),
        ] {
            assert!(Source::open(bad).is_err(), "{}", bad.display());
        }
    }

    #[test]
    fn two_files_of_one_name_are_found_before_anything_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let mut sources = Vec::new();
        for sub in ["a", "b"] {
            std::fs::create_dir(dir.path().join(sub)).unwrap();
            let path = dir.path().join(sub).join("same");
            std::fs::write(&path, "").unwrap();
            sources.push(Source::open(&path).unwrap());
        }
        assert!(check_names(&sources).is_err());
        sources.pop();
        assert!(check_names(&sources).is_ok());
    }

    #[test]
    fn bytes_are_written_in_hexadecimal() {
        assert_eq!(hex(&[0x00, 0x9a, 0xff, 0x10]), "009aff10");
    }

    #[test]
    fn a_reason_of_the_peer_cannot_steer_the_terminal() {
        let failure = refused("\x1b[2J");
        assert_eq!(failure.to_string(), "the receiver refused it: \\u{1b}[2J");
    }
}
