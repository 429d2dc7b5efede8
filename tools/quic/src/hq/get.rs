// SPDX-License-Identifier: GPL-2.0
//! `quic get`.

use std::{
    collections::HashSet,
    fs::File,
    io::{
        self,
        Read,
        Write, //
    },
    iter,
    path::{
        Path,
        PathBuf, //
    },
    time::{
        Duration,
        Instant, //
    },
};

use quic::{
    BiStream,
    Connection,
    Error, //
};
use serde::Serialize;

use super::{
    midway::Midway,
    request,
    session,
    CHUNK, //
};
use crate::{
    cleanup::Partial,
    cli::{
        Get,
        Output, //
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
    target::{
        Target,
        Url, //
    },
    workers,
};

#[derive(Serialize)]
struct FileReport {
    path: String,
    file: String,
    size: u64,
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

pub fn run(args: &Get, output: Output) -> Result<()> {
    if args.output.is_some() && args.urls.len() > 1 {
        return Err(Failure::new(
            "--output takes one file; use --dir for several",
        ));
    }
    let mut servers = Vec::new();
    let mut files = HashSet::new();
    for (target, paths) in by_server(&args.urls) {
        let jobs = paths
            .into_iter()
            .map(|path| Ok((path.to_owned(), destination(args, path)?)))
            .collect::<Result<Jobs>>()?;
        distinct(&jobs, &mut files)?;
        servers.push((target, jobs));
    }
    for (target, jobs) in servers {
        from_server(args, target, jobs, output)?;
    }
    Ok(())
}

/// Paths and where they go; `None` is standard output.
type Jobs = Vec<(String, Option<PathBuf>)>;

/// Refuses to write two answers into one file. `files` are those that others write.
fn distinct(jobs: &Jobs, files: &mut HashSet<PathBuf>) -> Result<()> {
    for file in jobs.iter().filter_map(|(_, file)| file.as_ref()) {
        if !files.insert(file.clone()) {
            let twice = format!("two of the files would be stored as {}", file.display());
            return Err(Failure::new(twice).hint("fetch them one by one, with --output or --dir"));
        }
    }
    Ok(())
}

/// Groups what is wanted by server, in the order in which the servers were named.
fn by_server(urls: &[Url]) -> Vec<(&Target, Vec<&str>)> {
    let mut servers: Vec<(&Target, Vec<&str>)> = Vec::new();
    for url in urls {
        match servers
            .iter_mut()
            .find(|(target, _)| **target == url.target)
        {
            Some((_, paths)) => paths.push(&url.path),
            None => servers.push((&url.target, vec![&url.path])),
        }
    }
    servers
}

/// Where a path goes; `None` is standard output.
fn destination(args: &Get, path: &str) -> Result<Option<PathBuf>> {
    match &args.output {
        Some(file) if file.as_os_str() == "-" => Ok(None),
        Some(file) => Ok(Some(file.clone())),
        None => match request::file_name(path) {
            Some(name) => Ok(Some(args.dir.join(name))),
            None => Err(
                Failure::new(format!("{path} does not end in a name of a file"))
                    .hint("name the file yourself: --output FILE"),
            ),
        },
    }
}

fn from_server(args: &Get, target: &Target, jobs: Jobs, output: Output) -> Result<()> {
    let options = &args.client;
    let client = Client::new(
        target,
        &args.alpn,
        &options.trust,
        &options.own,
        &options.transport,
    )?;
    let started = Instant::now();
    let (conn, asked) = connect(args, &client, &jobs)?;
    let bar = output.spinner();
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    let asked = asked
        .into_iter()
        .map(Some)
        .chain(iter::repeat_with(|| None));
    let jobs = jobs.into_iter().zip(asked).collect();
    let midway = Midway::new(&args.midway);
    let on_bytes = |bytes| {
        bar.inc(bytes);
        midway.on_received(&conn, bytes);
    };
    let results = workers::each(usize::from(args.jobs), jobs, |((path, file), asked)| {
        fetch(&conn, asked, &path, file.as_deref(), &on_bytes)
            .map_err(|failure| failure.during(path))
    });
    let time = started.elapsed();
    bar.finish_and_clear();
    let connection = ConnectionReport::of(&conn);
    let saved = match &args.session.session {
        Some(file) if results.iter().all(Result::is_ok) => session::save(&conn, file),
        _ => Ok(()),
    };
    // The server has nothing more to say, and this side has everything.
    let _ = conn.abort(0, "done");
    let files = results.into_iter().collect::<Result<Vec<FileReport>>>()?;
    saved?;
    midway.finish()?;
    let bytes = files
        .iter()
        .fold(0u64, |sum, file| sum.saturating_add(file.size));
    let report = Report {
        bytes,
        seconds: time.as_secs_f64(),
        throughput_mbit_s: human::mbit_s(bytes, time),
        connection,
        files,
    };
    if !to_stdout {
        output.result(&report, &lines(&report, time));
    }
    Ok(())
}

/// Connects. With --early the first requests have been made on the streams that come with it.
fn connect(
    args: &Get,
    client: &Client,
    jobs: &[(String, Option<PathBuf>)],
) -> Result<(Connection, Vec<BiStream>)> {
    let ticket = match &args.session.session {
        Some(file) => session::load(file)?,
        None => None,
    };
    let Some(ticket) = ticket else {
        return Ok((client.connect()?, Vec::new()));
    };
    if !args.session.early {
        return Ok((client.resume(&ticket)?, Vec::new()));
    }
    let first = jobs.iter().take(usize::from(args.jobs));
    client.resume_early(&ticket, |early| {
        first.map(|(path, _)| ask(early.open_bi()?, path)).collect()
    })
}

fn ask(mut stream: BiStream, path: &str) -> quic::Result<BiStream> {
    stream.send.write_last(request::encode(path).as_bytes())?;
    Ok(stream)
}

fn lines(report: &Report, time: Duration) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    if report.files.len() <= 10 {
        lines.extend(
            report
                .files
                .iter()
                .map(|file| format!("{}  {}", human::bytes(file.size), file.file)),
        );
    }
    lines.push(format!(
        "fetched {}",
        report::total(report.files.len(), report.bytes, time)
    ));
    lines.extend(report.connection.client_lines());
    lines
}

/// Fetches a path, on a stream on which it was asked for already or on a new one.
fn fetch(
    conn: &Connection,
    asked: Option<BiStream>,
    path: &str,
    file: Option<&Path>,
    on_bytes: &impl Fn(u64),
) -> Result<FileReport> {
    let started = Instant::now();
    let mut stream = match asked {
        Some(stream) => stream,
        None => ask(conn.open_bi()?, path)?,
    };
    let size = match file {
        None => copy(&mut stream.recv, &mut io::stdout().lock(), on_bytes)?,
        Some(file) => {
            let partial = Partial::of(file);
            let open = |err: &io::Error| Failure::io(partial.path().display(), err);
            let mut out = File::create(partial.path()).map_err(|err| open(&err))?;
            let size = copy(&mut stream.recv, &mut out, on_bytes)?;
            std::fs::rename(partial.path(), file).map_err(|err| open(&err))?;
            partial.keep();
            size
        }
    };
    Ok(FileReport {
        path: path.into(),
        file: file.map_or("-".into(), |file| file.display().to_string()),
        size,
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn copy(from: &mut impl Read, to: &mut impl Write, on_bytes: &impl Fn(u64)) -> Result<u64> {
    let mut buf = vec![0; CHUNK];
    let mut total: u64 = 0;
    loop {
        let len = match from.read(&mut buf) {
            Ok(0) => return Ok(total),
            Ok(len) => len,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
            Err(err) => return Err(not_answered(&err)),
        };
        to.write_all(buf.get(..len).unwrap_or_default())
            .map_err(|err| Failure::io("writing", &err))?;
        total = total.saturating_add(len as u64);
        on_bytes(len as u64);
    }
}

fn not_answered(err: &io::Error) -> Failure {
    let failure = Failure::io("the server's answer", err);
    match Error::from_io(err) {
        Some(Error::Reset(_)) => failure.hint("the server has no such file, or does not give it"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_answers_go_into_one_file() {
        let job = |path: &str, file: Option<&str>| (path.to_owned(), file.map(PathBuf::from));
        let mut files = HashSet::new();
        let first = vec![
            job("/a/1", Some("1")),
            job("/2", Some("2")),
            job("/3", None),
        ];
        distinct(&first, &mut files).unwrap();
        distinct(&vec![job("/3", None)], &mut files).unwrap();
        let failure = distinct(&vec![job("/b/1", Some("1"))], &mut files).unwrap_err();
        assert!(failure.to_string().ends_with("stored as 1"), "{failure}");
    }

    #[test]
    fn what_is_wanted_is_grouped_by_server_in_the_order_given() {
        let urls: Vec<Url> = ["b/1", "a/2", "b/3", "b:99/4"]
            .into_iter()
            .map(|url| url.parse().unwrap())
            .collect();
        let groups: Vec<(String, Vec<&str>)> = by_server(&urls)
            .into_iter()
            .map(|(target, paths)| (target.to_string(), paths))
            .collect();
        let want = [
            ("b:4433".to_string(), vec!["/1", "/3"]),
            ("a:4433".to_string(), vec!["/2"]),
            ("b:99".to_string(), vec!["/4"]),
        ];
        assert_eq!(groups, want);
    }
}
