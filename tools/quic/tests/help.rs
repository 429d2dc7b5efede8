// SPDX-License-Identifier: GPL-2.0
//! What a person reads in `--help`, compared with files. After a change that is meant, run the
//! tests with UPDATE_SNAPSHOTS=1 and look at the difference.

use std::{
    env,
    fs,
    path::Path,
    process::Command, //
};

fn quic(args: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_quic"))
        .args(args)
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_help_texts_are_as_agreed() {
    for command in ["", "send", "recv", "perf", "get", "serve"] {
        let mut args = vec![command, "--help"];
        args.retain(|arg| !arg.is_empty());
        let (ok, text, _) = quic(&args);
        assert!(ok, "{command}");
        let name = if command.is_empty() { "quic" } else { command };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"));
        // The editor of this file and clap differ on spaces at the end of empty lines.
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        let text = lines.join(
            "
",
        ) + "
";
        if env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let want = fs::read_to_string(&path).unwrap();
        assert!(
            text == want,
            "{} differs; now it is:\n{text}",
            path.display()
        );
    }
}

#[test]
fn no_line_of_help_is_wider_than_a_terminal() {
    for command in ["send", "recv", "perf", "get", "serve"] {
        let (_, text, _) = quic(&[command, "--help"]);
        for line in text.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}

#[test]
fn errors_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    let file = file.to_str().unwrap();
    for (args, message, hint) in [
        (
            &["recv", "--dir", "/nonexistent"][..],
            "/nonexistent",
            "mkdir",
        ),
        (
            &["recv", "--listen", "127.0.0.1:0"],
            "needs a certificate",
            "--cert FILE --key FILE",
        ),
        (&["serve", "."], "needs a certificate", "quic serve --cert"),
        (
            &["perf", "--server"],
            "needs a certificate",
            "quic perf --server --cert",
        ),
        (&["send", "/nonexistent", "host"], "/nonexistent", ""),
        (&["send", "/", "host"], "is not a file", "tar"),
        (&["send", file, "host:x"], "is not a port", "HOST:PORT"),
        (
            &["send", "--ca", "/nonexistent", file, "127.0.0.1"],
            "/nonexistent",
            "",
        ),
        (&["get", "-o", "x", "host/a", "host/b"], "--output", "--dir"),
    ] {
        let (ok, out, err) = quic(args);
        assert!(!ok && out.is_empty(), "{args:?}: {out}");
        assert!(err.starts_with("quic: "), "{args:?}: {err}");
        assert!(
            err.contains(message) && err.contains(hint),
            "{args:?}: {err}"
        );
    }
}
