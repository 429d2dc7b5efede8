// SPDX-License-Identifier: GPL-2.0
//! Files that must not outlive an interrupted program.

use std::{
    collections::BTreeSet,
    fs,
    path::{
        Path,
        PathBuf, //
    },
    sync::{
        Mutex,
        PoisonError, //
    },
};

/// Exit status of a program that a signal ended, as shells count it.
const INTERRUPTED: i32 = 130;

static PARTIAL: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// On Ctrl-C, SIGTERM and SIGHUP removes what is registered, then ends the program.
pub fn on_interrupt() {
    // Fails only if it is called twice; then the first handler stays.
    let _ = ctrlc::set_handler(|| {
        for path in PARTIAL
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
        {
            let _ = fs::remove_file(path);
        }
        std::process::exit(INTERRUPTED);
    });
}

/// A file that is removed when this is dropped or the program is interrupted, unless kept.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    kept: bool,
}

impl Partial {
    /// Registers a path before the file is made, so that no moment is left in which it could stay.
    pub fn new(path: PathBuf) -> Partial {
        lock().insert(path.clone());
        Partial { path, kept: false }
    }

    /// A file beside `file` that is to get its name when it is complete.
    pub fn of(file: &Path) -> Partial {
        let mut name = file.as_os_str().to_owned();
        name.push(".part");
        Partial::new(name.into())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file is complete, and has its own name by now or is not there any more.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let mut partial = lock();
        if !self.kept {
            // It may never have been made.
            let _ = fs::remove_file(&self.path);
        }
        partial.remove(&self.path);
    }
}

fn lock() -> std::sync::MutexGuard<'static, BTreeSet<PathBuf>> {
    PARTIAL.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_file_goes_unless_it_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        for keep in [false, true] {
            let path = dir.path().join("part");
            let partial = Partial::new(path.clone());
            assert!(lock().contains(&path));
            fs::write(partial.path(), "x").unwrap();
            if keep {
                partial.keep();
            } else {
                drop(partial);
            }
            assert_eq!(path.exists(), keep);
            assert!(!lock().contains(&path));
        }
    }
}
