// SPDX-License-Identifier: GPL-2.0
//! A file on its way in: a partial file beside its future name, moved there when it is complete.

use std::{
    fs::{
        self,
        File,
        OpenOptions, //
    },
    io::{
        self,
        Read,
        Write, //
    },
    os::unix::fs::OpenOptionsExt,
    path::{
        Path,
        PathBuf, //
    },
    sync::atomic::{
        AtomicU64,
        Ordering, //
    },
};

use sha2::{
    Digest as _,
    Sha256, //
};

use super::{
    name::sanitise,
    wire::{
        read_array,
        Digest,
        Header, //
    },
    CHUNK,
};
use crate::cleanup::Partial;

/// Distinguishes partial files of this process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Where received files go.
#[derive(Clone, Debug)]
pub struct Store {
    pub dir: PathBuf,
    pub overwrite: bool,
}

/// Why a file was not stored. The text is told to the sender, so it names no local path.
#[derive(Debug)]
pub enum Refusal {
    /// The sender's file is not wanted, or is broken.
    Told(String),
    /// The stream broke: nobody is there to be told.
    Lost(io::Error),
}

impl Store {
    /// Receives the rest of a stream whose header has been read. Tells `progress` of every piece.
    pub fn receive(
        &self,
        header: &Header,
        from: &mut impl Read,
        mut progress: impl FnMut(u64),
    ) -> Result<(PathBuf, Digest), Refusal> {
        let name = sanitise(&header.name)
            .map_err(|why| Refusal::Told(format!("the name is not acceptable: {why}")))?;
        let path = self.dir.join(name);
        if !self.overwrite && fs::symlink_metadata(&path).is_ok() {
            return Err(exists());
        }
        let partial = Partial::new(self.partial_path());
        let mut file = create(partial.path(), header.mode).map_err(disk)?;
        let digest = copy(header.size, from, &mut file, &mut progress)?;
        file.sync_all().map_err(disk)?;
        self.publish(partial, &path)?;
        Ok((path, digest))
    }

    fn partial_path(&self) -> PathBuf {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.dir
            .join(format!(".quic-recv-{}-{number}.part", std::process::id()))
    }

    /// Gives the complete file its name.
    fn publish(&self, partial: Partial, path: &Path) -> Result<(), Refusal> {
        if self.overwrite {
            fs::rename(partial.path(), path).map_err(disk)?;
            partial.keep();
            return Ok(());
        }
        // A link, unlike a rename, does not replace what appeared meanwhile.
        match fs::hard_link(partial.path(), path) {
            Ok(()) => Ok(()),
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
            // Some file systems have no links.
            Err(_) if fs::symlink_metadata(path).is_err() => {
                fs::rename(partial.path(), path).map_err(disk)?;
                partial.keep();
                Ok(())
            }
            Err(_) => Err(exists()),
        }
    }
}

/// Permissions are taken from the sender as far as they are harmless and the umask allows.
fn create(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode & 0o777 | 0o600)
        .open(path)
}

fn copy(
    size: u64,
    from: &mut impl Read,
    to: &mut impl Write,
    progress: &mut impl FnMut(u64),
) -> Result<Digest, Refusal> {
    let mut hash = Sha256::new();
    let mut buf = vec![0; CHUNK];
    let mut left = size;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let Some(room) = buf.get_mut(..most) else {
            break;
        };
        let len = match from.read(room) {
            Ok(0) => return Err(Refusal::Lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(len) => len,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
            Err(err) => return Err(Refusal::Lost(err)),
        };
        let data = room.get(..len).unwrap_or_default();
        to.write_all(data).map_err(disk)?;
        hash.update(data);
        left = left.saturating_sub(len as u64);
        progress(len as u64);
    }
    let wanted: Digest = read_array(from).map_err(Refusal::Lost)?;
    if from.read(&mut [0]).map_err(Refusal::Lost)? != 0 {
        return Err(Refusal::Told("there are more bytes than announced".into()));
    }
    let digest: Digest = hash.finalize().into();
    if digest == wanted {
        Ok(digest)
    } else {
        Err(Refusal::Told("the checksum is wrong".into()))
    }
}

fn exists() -> Refusal {
    Refusal::Told("a file of that name exists; the receiver may allow --overwrite".into())
}

fn disk(err: io::Error) -> Refusal {
    Refusal::Told(format!("the receiver cannot write the file: {err}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn stream(data: &[u8]) -> Vec<u8> {
        let mut out = data.to_vec();
        out.extend_from_slice(&Sha256::digest(data));
        out
    }

    fn header(name: &str, size: usize) -> Header {
        Header {
            name: name.into(),
            size: size as u64,
            mode: 0o100_755,
        }
    }

    fn store(overwrite: bool) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store {
            dir: dir.path().into(),
            overwrite,
        };
        (dir, store)
    }

    fn files(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_complete_file_appears_with_its_bytes_and_mode() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let (dir, store) = store(false);
            let data: Vec<u8> = (0..size).map(|i| (i * 7) as u8).collect();
            let mut seen = 0;
            let (path, digest) = store
                .receive(&header("f", size), &mut &stream(&data)[..], |len| {
                    seen += len
                })
                .unwrap();
            assert_eq!(fs::read(&path).unwrap(), data);
            assert_eq!(digest[..], Sha256::digest(&data)[..]);
            assert_eq!(seen, size as u64);
            assert_eq!(files(dir.path()), ["f"]);
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o7700, 0o700);
        }
    }

    #[test]
    fn whatever_is_wrong_leaves_no_file() {
        let good = stream(b"0123456789");
        let mut flipped = good.clone();
        flipped[3] ^= 1;
        let mut longer = good.clone();
        longer.push(0);
        for (what, name, size, bytes) in [
            ("cut in the file", "f", 10, &good[..5]),
            ("cut in the checksum", "f", 10, &good[..20]),
            ("wrong byte", "f", 10, &flipped[..]),
            ("more bytes", "f", 10, &longer[..]),
            ("smaller size", "f", 9, &good[..]),
            ("bad name", "../f", 10, &good[..]),
        ] {
            let (dir, store) = store(false);
            let result = store.receive(&header(name, size), &mut &bytes[..], |_| ());
            assert!(result.is_err(), "{what}");
            assert!(files(dir.path()).is_empty(), "{what}");
        }
    }

    #[test]
    fn an_existing_file_is_replaced_only_if_that_is_allowed() {
        for overwrite in [false, true] {
            let (dir, store) = store(overwrite);
            fs::write(dir.path().join("f"), "old").unwrap();
            let result = store.receive(&header("f", 3), &mut &stream(b"new")[..], |_| ());
            assert_eq!(result.is_ok(), overwrite);
            let want = if overwrite { "new" } else { "old" };
            assert_eq!(fs::read_to_string(dir.path().join("f")).unwrap(), want);
            assert_eq!(files(dir.path()), ["f"]);
        }
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let (dir, store) = store(true);
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("f")).unwrap();
        store
            .receive(&header("f", 3), &mut &stream(b"new")[..], |_| ())
            .unwrap();
        assert_eq!(fs::read(outside.path()).unwrap(), b"");
        assert!(fs::symlink_metadata(dir.path().join("f"))
            .unwrap()
            .is_file());
    }
}
