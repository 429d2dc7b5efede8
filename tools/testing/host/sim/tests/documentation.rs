// SPDX-License-Identifier: GPL-2.0

//! The hardening table names tests; each of them exists, and each class has one.

use std::fs;
use std::path::{
    Path,
    PathBuf, //
};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../..")
}

/// The file that a test's name begins with.
fn file_of(name: &str) -> Option<PathBuf> {
    let (folder, rest) = name.split_once('/')?;
    // A program of tests may be a folder.
    let sim = top().join("tools/testing/host/sim/tests").join(rest);
    let path = match folder {
        "sim" if sim.is_dir() => return Some(sim.join("main.rs")),
        "sim" => return Some(sim.with_extension("rs")),
        "core" => format!("net/quic/{rest}.rs"),
        "selftests" => format!("tools/testing/selftests/net/quic/{rest}.c"),
        _ => return None,
    };
    Some(top().join(path))
}

/// Whether the file defines the test.
fn defines(text: &str, name: &str) -> bool {
    let is_rust = text.contains(&format!("#[test]\nfn {name}("))
        || text
            .lines()
            .any(|line| line.trim() == format!("fn {name}() {{"));
    is_rust || text.contains(&format!(", {name})")) || text.contains(&format!(", {name},"))
}

#[test]
fn every_test_that_the_hardening_table_names_exists() {
    let table = top().join("Documentation/networking/quic-hardening.rst");
    let table = fs::read_to_string(table).expect("the table");
    let mut named = 0;
    let quoted = table.split("``").skip(1).step_by(2);
    for test in quoted.filter(|quoted| quoted.contains("::")) {
        let (file, name) = test.split_once("::").expect("a file and a name");
        let path = file_of(file).unwrap_or_else(|| panic!("{test}: which folder?"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert!(defines(&text, name), "{test} is not there");
        named += 1;
    }
    assert!(named > 70, "{named} tests");
    // A row for each class, with a test in it.
    let rows: Vec<&str> = table.split("\n   * - ").skip(2).collect();
    assert_eq!(rows.len(), 24);
    for (index, row) in rows.iter().enumerate() {
        assert!(row.starts_with(&format!("{}\n", index + 1)), "{row}");
        assert!(row.contains("::"), "{row}");
    }
}
