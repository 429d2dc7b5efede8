// SPDX-License-Identifier: LGPL-2.1-or-later
//! A first server: sends back what it gets, each client in a thread of its own.
//!
//! `cargo run --example server -- [::]:4433 CHAIN.pem KEY.pem`

use std::{
    env,
    error::Error,
    io,
    thread, //
};

use quic::{
    Incoming,
    Listener,
    PeerStream,
    ServerConfig, //
};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [addr, chain, key] = args.as_slice() else {
        return Err("usage: server ADDRESS:PORT CHAIN.pem KEY.pem".into());
    };

    let config = ServerConfig::builder()
        .certificate(chain, key)
        .alpn(["echo"])
        .build()?;
    let listener = Listener::bind(addr.as_str(), &config)?;
    println!("listening on {}", listener.local_addr()?);

    loop {
        let incoming = listener.accept()?;
        thread::spawn(move || {
            let peer = incoming.peer_addr();
            match serve(incoming) {
                Ok(()) => println!("{peer}: done"),
                Err(err) => eprintln!("{peer}: {err}"),
            }
        });
    }
}

fn serve(incoming: Incoming) -> Result<(), Box<dyn Error>> {
    let conn = incoming.handshake()?;
    loop {
        match conn.accept_stream() {
            Ok(PeerStream::Bi(stream)) => {
                let (mut send, mut recv) = stream.split();
                io::copy(&mut recv, &mut send)?;
                send.finish()?;
            }
            // Nothing can be sent back: dropping it tells the client to stop.
            Ok(PeerStream::Uni(_)) => {}
            // The client has closed, as it should.
            Err(quic::Error::Closed(reason)) if reason.code == 0 => return Ok(()),
            Err(err) => return Err(err.into()),
        }
    }
}
