// SPDX-License-Identifier: GPL-2.0
//! Sessions of `quic get` in files, for resumption and early data.

use std::{
    fs::{
        self,
        OpenOptions, //
    },
    io::{
        ErrorKind,
        Write, //
    },
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration, //
};

use quic::{
    Connection,
    SessionTicket, //
};

use crate::failure::{
    Failure,
    Result, //
};

/// A server sends its ticket right behind the handshake; this is for a bad network.
const TICKET_TIME: Duration = Duration::from_secs(5);

/// The session kept in a file; `None` if there is no file.
pub fn load(file: &Path) -> Result<Option<SessionTicket>> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(Failure::io(file.display(), &err)),
    };
    match SessionTicket::from_bytes(&bytes) {
        Ok(ticket) => Ok(Some(ticket)),
        Err(err) => Err(Failure::from(err)
            .during(file.display().to_string())
            .hint("remove the file to begin a new session")),
    }
}

/// Keeps the session of a connection in a file that only its owner can read. A server that gives
/// no ticket leaves the file as it was.
pub fn save(conn: &Connection, file: &Path) -> Result<()> {
    let Some(ticket) = conn.session_ticket(TICKET_TIME)? else {
        return Ok(());
    };
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600);
    opened
        .open(file)
        .and_then(|mut out| out.write_all(&ticket.to_bytes()))
        .map_err(|err| Failure::io(file.display(), &err))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_no_session_and_a_broken_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("session");
        assert!(load(&file).unwrap().is_none());
        fs::write(&file, "nonsense").unwrap();
        let failure = load(&file).unwrap_err();
        assert!(failure.to_string().contains("session"), "{failure}");
        assert!(failure.hints().iter().any(|hint| hint.contains("remove")));
    }
}
