// SPDX-License-Identifier: LGPL-2.1-or-later
//! C programs against the header and the shared library, without a kernel that has QUIC.

use std::process::Command;

mod common;

use common::{
    compile,
    library_folder,
    source, //
};

#[test]
fn c_programs_run_handshakes_in_steps() {
    let program = compile("tests/c/steps.c", "libquic-test-steps");
    let keys = std::env::temp_dir().join(format!("libquic-keys-{}", std::process::id()));
    let output = Command::new(program)
        .env("SSLKEYLOGFILE", &keys)
        .arg(source("tests/data/ca.pem"))
        .arg(source("tests/data/server.pem"))
        .arg(source("tests/data/leaf.key"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(output.stdout, b"ok\n", "{stderr}");
    // GnuTLS itself obeys the variable.
    let log = std::fs::read_to_string(&keys).unwrap();
    std::fs::remove_file(&keys).unwrap();
    assert!(log.contains("SERVER_TRAFFIC_SECRET_0 "), "{log}");
}

#[test]
fn the_tests_that_need_a_kernel_compile() {
    compile("tests/c/sockets.c", "libquic-test-sockets");
}

#[test]
fn the_examples_in_c_compile() {
    compile("examples/c/client.c", "libquic-example-client");
    compile("examples/c/server.c", "libquic-example-server");
    compile("examples/c/tour.c", "libquic-example-tour");
}

#[test]
fn the_library_has_its_soname_and_exports_the_c_interface_only() {
    let library = library_folder().join("libquic.so");
    let dynamic = Command::new("readelf")
        .arg("-dW")
        .arg(&library)
        .output()
        .unwrap();
    let dynamic = String::from_utf8_lossy(&dynamic.stdout).into_owned();
    assert!(dynamic.contains("soname: [libquic.so.1]"), "{dynamic}");
    let symbols = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(&library)
        .output()
        .unwrap();
    let symbols = String::from_utf8_lossy(&symbols.stdout).into_owned();
    let mut names: Vec<&str> = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "quic_client_handshake",
            "quic_handshake",
            "quic_handshake_deinit",
            "quic_handshake_init",
            "quic_handshake_step",
            "quic_last_error",
            "quic_recvmsg",
            "quic_sendmsg",
            "quic_server_handshake",
            "quic_session_get_alpn",
            "quic_session_get_data",
            "quic_session_set_alpn",
            "quic_session_set_data",
            "quic_set_log_func",
            "quic_set_log_level",
        ]
    );
}
