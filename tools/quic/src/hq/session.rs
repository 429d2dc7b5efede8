// SPDX-License-Identifier: GPL-2.0
//! Sessions of `quic get` in files, for resumption and early data.

use std::{
    fs::{
        self,
        OpenOptions, //
    },
    io::{
        self,
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

use crate::{
    cleanup::Partial,
    failure::{
        Failure,
        Result, //
    },
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
    write_private(file, &ticket.to_bytes()).map_err(|err| Failure::io(file.display(), &err))
}

/// Replaces a file by one that only its owner can read, whoever could read the old one.
fn write_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = Partial::of(file);
    // One that was left behind has its own permissions.
    let _ = fs::remove_file(partial.path());
    let mut options = OpenOptions::new();
    let mut out = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(partial.path())?;
    out.write_all(bytes)?;
    fs::rename(partial.path(), file)?;
    partial.keep();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_session_can_be_read_by_its_owner_only_even_if_the_file_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("session");
        for _ in 0..2 {
            write_private(&file, b"secret").unwrap();
            assert_eq!(fs::read(&file).unwrap(), b"secret");
            let mode = fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        let count = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(count, 1, "nothing is left beside it");
    }

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
