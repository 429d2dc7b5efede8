// SPDX-License-Identifier: LGPL-2.1-or-later
//! Compiling C programs against the header and the shared library.

use std::{
    path::{
        Path,
        PathBuf, //
    },
    process::Command,
    sync::Once, //
};

/// The folder with `libquic.so`, where this test is, too.
pub fn library_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().to_owned()
}

/// A file of this crate.
pub fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compiles a C program with all warnings as errors.
pub fn compile(program: &str, name: &str) -> PathBuf {
    link_soname();
    let folder = library_folder();
    let output = folder.join(name);
    let status = Command::new("cc")
        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-g", "-o"])
        .arg(&output)
        .arg(source(program))
        .arg("-I")
        .arg(source("include"))
        // The uapi header: of this tree, not of the system.
        .arg("-I")
        .arg(source("../../../include/uapi"))
        .arg("-L")
        .arg(&folder)
        // Beside the program, wherever the folder is mounted.
        .arg("-Wl,-rpath,$ORIGIN")
        .args(["-lquic", "-lgnutls"])
        .status()
        .unwrap();
    assert!(status.success(), "{program}");
    output
}

/// The same, unless it was compiled before: in a guest that takes its time.
#[allow(dead_code, reason = "not all tests need it")]
pub fn compiled(program: &str, name: &str) -> PathBuf {
    let time = |file: &Path| file.metadata().and_then(|data| data.modified()).ok();
    let output = library_folder().join(name);
    match (time(&output), time(&source(program))) {
        (Some(output_time), Some(source_time)) if output_time > source_time => output,
        _ => compile(program, name),
    }
}

/// Gives the library its soname, by which programs look for it.
fn link_soname() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let link = library_folder().join("libquic.so.1");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink("libquic.so", link).unwrap();
    });
}
