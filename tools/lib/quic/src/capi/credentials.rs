// SPDX-License-Identifier: LGPL-2.1-or-later
//! Credentials of the simple handshakes, read once and kept for the process.
//!
//! Reading the system's authorities takes longer than all the rest of a handshake.

use std::{
    collections::HashMap,
    ffi::{
        CStr,
        OsStr, //
    },
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::MetadataExt, //
    },
    path::{
        Path,
        PathBuf, //
    },
    sync::{
        Arc,
        LazyLock,
        Mutex,
        PoisonError, //
    },
};

use crate::{
    config::{
        Cipher,
        ClientAuth,
        Trust, //
    },
    error::Result,
    sys::gnutls::AntiReplay,
    tls::{
        ClientTls,
        Psk,
        PskKeys,
        ServerTls, //
    },
};

/// Distinct credentials kept. A program has one or two.
const MOST_KEPT: usize = 64;

/// Which files, and as of when.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key(Vec<(PathBuf, Stamp)>);

/// A file's device, inode, size and time of change: another one if any differs.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

struct Cache<T>(Mutex<HashMap<Key, Arc<T>>>);

static CLIENTS: LazyLock<Cache<ClientTls>> = LazyLock::new(Cache::new);
static SERVERS: LazyLock<Cache<ServerTls>> = LazyLock::new(Cache::new);

/// A client's credentials: a file of pre-shared keys, or the system's trust.
pub(super) fn client(psk_file: Option<&CStr>) -> Result<Arc<ClientTls>> {
    let files: Vec<PathBuf> = psk_file.map(path).into_iter().collect();
    CLIENTS.get(files, |files| match files {
        [file, ..] => ClientTls::with_psk(&Psk::first_of_file(file)?, &Cipher::ALL),
        [] => ClientTls::with_trust(&Trust::System, None, &Cipher::ALL),
    })
}

/// A server's credentials: a certificate and its key, or a file of pre-shared keys.
pub(super) fn server(key_file: &CStr, cert_file: Option<&CStr>) -> Result<Arc<ServerTls>> {
    let files = [Some(key_file), cert_file];
    let files: Vec<PathBuf> = files.into_iter().flatten().map(path).collect();
    SERVERS.get(files, |files| {
        let (certificates, keys) = match files {
            [key, cert] => (vec![(cert.clone(), key.clone())], PskKeys::default()),
            [file, ..] => (Vec::new(), PskKeys::from_file(file)?),
            [] => (Vec::new(), PskKeys::default()),
        };
        ServerTls::new(&certificates, keys, &ClientAuth::None, &Cipher::ALL)
    })
}

/// Protection against replayed early data for sessions of callers.
pub(super) fn anti_replay() -> Option<&'static AntiReplay> {
    static REPLAY: LazyLock<Option<AntiReplay>> = LazyLock::new(|| AntiReplay::new().ok());
    REPLAY.as_ref()
}

impl<T> Cache<T> {
    fn new() -> Self {
        Cache(Mutex::default())
    }

    fn get(
        &self,
        files: Vec<PathBuf>,
        make: impl FnOnce(&[PathBuf]) -> Result<T>,
    ) -> Result<Arc<T>> {
        let stamped = files
            .iter()
            .map(|file| (file.clone(), stamp(file)))
            .collect();
        let key = Key(stamped);
        // Held while reading, so that threads that start together do not all read.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(&key) {
            return Ok(Arc::clone(found));
        }
        let made = Arc::new(make(&files)?);
        // What was read before the files changed is of no use any more.
        kept.retain(|old, _| old.files().ne(key.files()));
        if kept.len() < MOST_KEPT {
            kept.insert(key, Arc::clone(&made));
        }
        Ok(made)
    }
}

impl Key {
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.0.iter().map(|(file, _)| file)
    }
}

fn stamp(file: &Path) -> Stamp {
    let data = fs::metadata(file).ok()?;
    Some((
        data.dev(),
        data.ino(),
        data.size(),
        data.ctime(),
        data.ctime_nsec(),
    ))
}

fn path(text: &CStr) -> PathBuf {
    OsStr::from_bytes(text.to_bytes()).into()
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    #[test]
    fn files_are_read_once_and_again_when_they_change() {
        let file = std::env::temp_dir().join(format!("libquic-psk-{}", std::process::id()));
        let name = CString::new(file.as_os_str().as_bytes()).unwrap();
        assert!(client(Some(&name)).is_err());
        fs::write(&file, "me:00").unwrap();
        let first = client(Some(&name)).unwrap();
        assert!(Arc::ptr_eq(&first, &client(Some(&name)).unwrap()));
        assert!(server(&name, None).is_ok());
        fs::write(&file, "me:0011").unwrap();
        let second = client(Some(&name)).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        fs::write(&file, "nonsense").unwrap();
        assert!(client(Some(&name)).is_err());
        fs::remove_file(&file).unwrap();
    }
}
