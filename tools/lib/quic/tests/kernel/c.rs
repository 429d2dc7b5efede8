// SPDX-License-Identifier: LGPL-2.1-or-later
//! The C interface: its examples and the program that tries all of it.

use std::{
    process::Command,
    thread,
    time::Duration, //
};

use super::{
    common,
    data, //
};

#[test]
#[ignore = "needs a kernel with QUIC"]
fn the_examples_in_c_talk_to_each_other() {
    let server = common::compiled("examples/c/server.c", "libquic-example-server");
    let client = common::compiled("examples/c/client.c", "libquic-example-client");
    let keys = std::env::temp_dir().join(format!("libquic-keys-{}", std::process::id()));
    std::fs::write(&keys, "me:000102030405060708090a0b0c0d0e0f\n").unwrap();
    let port = "5433";
    let mut server = Command::new(server).arg(port).arg(&keys).spawn().unwrap();
    let answer = (0..50).find_map(|_| {
        let mut client = Command::new(&client);
        let output = client
            .args(["127.0.0.1", port])
            .arg(&keys)
            .arg("text")
            .output()
            .unwrap();
        // The server may not listen yet.
        let good = output.status.success();
        thread::sleep(Duration::from_millis(if good { 0 } else { 200 }));
        good.then_some(output.stdout)
    });
    server.kill().unwrap();
    server.wait().unwrap();
    std::fs::remove_file(&keys).unwrap();
    assert_eq!(answer.as_deref(), Some(&b"text\n"[..]));
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn the_tour_of_the_manual_page_finds_what_the_page_says() {
    let program = common::compiled("examples/c/tour.c", "libquic-example-tour");
    let keys = std::env::temp_dir().join(format!("libquic-tour-{}", std::process::id()));
    std::fs::write(&keys, "me:000102030405060708090a0b0c0d0e0f\n").unwrap();
    let output = Command::new(program).arg(&keys).output().unwrap();
    std::fs::remove_file(&keys).unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("server: has had a content client"), "{out}");
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn the_whole_c_interface_keeps_its_promises() {
    let program = common::compiled("tests/c/sockets.c", "libquic-test-sockets");
    // A trust store of the system's that has the tests' authority, if it may be mounted.
    let store = "/etc/ssl/certs/ca-certificates.crt";
    let merged = std::env::temp_dir().join(format!("libquic-store-{}", std::process::id()));
    let mut authorities = std::fs::read(store).unwrap_or_default();
    authorities.extend(std::fs::read(data("ca.pem")).unwrap());
    std::fs::write(&merged, authorities).unwrap();
    let mounted = Command::new("mount")
        .args(["--bind", merged.to_str().unwrap(), store])
        .status()
        .unwrap();
    assert!(mounted.success());
    let output = Command::new(program)
        .arg(data(""))
        .arg(store)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    print!("{out}");
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(
        out.lines().filter(|line| line.starts_with("ok ")).count(),
        17
    );
    std::fs::remove_file(&merged).unwrap();
}
