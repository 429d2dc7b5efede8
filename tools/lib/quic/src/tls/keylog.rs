// SPDX-License-Identifier: LGPL-2.1-or-later
//! The key log: TLS secrets in the format of SSLKEYLOGFILE, with which Wireshark can read
//! captures.

use std::{
    fmt::Write as _,
    fs::File,
    io::Write as _,
    os::unix::fs::OpenOptionsExt,
    path::Path, //
};

use crate::error::{
    Error,
    Result, //
};

/// An open key log. Lines are appended by one write each, so several processes may share a file.
#[derive(Debug)]
pub(crate) struct KeyLog(File);

impl KeyLog {
    /// Opens a file for appending; a new one is readable by its owner only.
    pub(crate) fn open(path: &Path) -> Result<KeyLog> {
        File::options()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map(KeyLog)
            .map_err(|err| Error::Config(format!("cannot open {}: {err}", path.display())))
    }

    /// Appends one secret. A key log is a means of debugging: failing to write it fails nothing.
    pub(crate) fn log(&self, label: &str, random: &[u8], secret: &[u8]) {
        let line = format!("{label} {} {}\n", hex(random), hex(secret));
        let _ = (&self.0).write_all(line.as_bytes());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
