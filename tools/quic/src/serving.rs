// SPDX-License-Identifier: GPL-2.0
//! Serving clients in threads. Neither one client nor a shortage that many bring about ends the
//! program.

use std::{
    io,
    thread::{
        self,
        Scope, //
    },
    time::Duration, //
};

use quic::{
    Error,
    Incoming,
    Listener, //
};

use crate::{
    cli::Output,
    failure::{
        Failure,
        Result, //
    },
};

/// How long to wait for clients to go when there are too many.
const PAUSE: Duration = Duration::from_millis(250);

/// The next client. Those that come while descriptors or memory are short wait for others to go.
pub fn next_client(listener: &Listener, output: Output) -> Result<Incoming> {
    let accept = || listener.accept();
    next(accept, |err| {
        output.error(&Failure::from(err).during("a client has to wait"));
        thread::sleep(PAUSE);
    })
}

fn next<T>(
    mut accept: impl FnMut() -> quic::Result<T>,
    mut on_shortage: impl FnMut(&Error),
) -> Result<T> {
    loop {
        match accept() {
            Err(err) if is_shortage(&err) => on_shortage(&err),
            other => return Ok(other?),
        }
    }
}

/// Whether an error passes. That a client has gone again is one of those.
fn is_shortage(err: &Error) -> bool {
    const PASSING: [i32; 5] = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOBUFS,
        libc::ENOMEM,
        libc::ECONNABORTED,
    ];
    match err {
        Error::Io(_, err) => err.raw_os_error().is_some_and(|nr| PASSING.contains(&nr)),
        _ => false,
    }
}

/// Serves a client in a thread of its own; without one it is refused.
pub fn in_thread(output: Output, serve: impl FnOnce() + Send + 'static) {
    told(output, thread::Builder::new().spawn(serve));
}

/// Serves a stream in a thread of its own; without one it is given up.
pub fn in_scope<'scope>(
    scope: &'scope Scope<'scope, '_>,
    output: Output,
    serve: impl FnOnce() + Send + 'scope,
) {
    told(output, thread::Builder::new().spawn_scoped(scope, serve));
}

fn told<T>(output: Output, started: io::Result<T>) {
    if let Err(err) = started {
        output.error(&Failure::io("starting a thread", &err));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_is_waited_out_and_other_errors_end_the_server() {
        let failed = |nr| Err(Error::Io("accept", io::Error::from_raw_os_error(nr)));
        for nr in [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ECONNABORTED] {
            let mut results = [failed(nr), failed(nr), Ok(7)].into_iter();
            let mut waits = 0;
            let got = next(|| results.next().unwrap(), |_| waits += 1);
            assert_eq!((got, waits), (Ok(7), 2), "{nr}");
        }
        for nr in [libc::EBADF, libc::EINVAL, libc::EPIPE] {
            let mut results = [failed(nr), Ok(7)].into_iter();
            let got = next(|| results.next().unwrap(), |_| panic!("not a shortage"));
            assert!(got.is_err(), "{nr}");
        }
    }
}
