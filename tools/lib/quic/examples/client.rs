// SPDX-License-Identifier: LGPL-2.1-or-later
//! A first client: sends a line, prints the answer.
//!
//! `cargo run --example client -- HOST:PORT NAME CA.pem [TEXT]`

use std::{
    env,
    error::Error,
    io::{
        Read,
        Write, //
    },
};

use quic::{
    ClientConfig,
    Connection,
    Trust, //
};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [addr, name, ca, rest @ ..] = args.as_slice() else {
        return Err("usage: client HOST:PORT NAME CA.pem [TEXT]".into());
    };
    let text = rest.first().map_or("hello", String::as_str);

    // Made once: it reads the file with the authorities to trust.
    let config = ClientConfig::builder()
        .trust(Trust::File(ca.into()))
        .alpn(["echo"])
        .build()?;

    let conn = Connection::connect(addr.as_str(), name, &config)?;
    let info = conn.info();
    println!(
        "connected to {} in {:.1} ms: {}, {}",
        info.peer,
        info.handshake_time.as_secs_f64() * 1000.0,
        info.version,
        info.cipher
    );

    let mut stream = conn.open_bi()?;
    stream.write_all(text.as_bytes())?;
    stream.finish()?;

    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    println!("{answer}");

    // Waits until the server has everything, which dropping the connection would not.
    conn.close(0, "done")?;
    Ok(())
}
