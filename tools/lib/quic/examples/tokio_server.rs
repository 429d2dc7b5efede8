// SPDX-License-Identifier: LGPL-2.1-or-later
//! The first server on tokio: sends back what it gets, all clients and streams in one thread.
//!
//! `cargo run --features tokio --example tokio_server -- [::]:4433 CHAIN.pem KEY.pem`

use std::{
    env,
    error::Error, //
};

use quic::{
    tokio::{
        Incoming,
        Listener,
        PeerStream, //
    },
    ServerConfig, //
};
use tokio::io::AsyncWriteExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [addr, chain, key] = args.as_slice() else {
        return Err("usage: tokio_server ADDRESS:PORT CHAIN.pem KEY.pem".into());
    };

    let config = ServerConfig::builder()
        .certificate(chain, key)
        .alpn(["echo"])
        .build()?;
    let listener = Listener::bind(addr.as_str(), &config).await?;
    println!("listening on {}", listener.local_addr()?);

    loop {
        let incoming = listener.accept().await?;
        tokio::spawn(async move {
            let peer = incoming.peer_addr();
            match serve(incoming).await {
                Ok(()) => println!("{peer}: done"),
                Err(err) => eprintln!("{peer}: {err}"),
            }
        });
    }
}

async fn serve(incoming: Incoming) -> quic::Result<()> {
    let conn = incoming.handshake().await?;
    loop {
        match conn.accept_stream().await {
            Ok(PeerStream::Bi(stream)) => {
                tokio::spawn(async move {
                    let (mut send, mut recv) = stream.split();
                    tokio::io::copy(&mut recv, &mut send).await?;
                    send.shutdown().await
                });
            }
            // Nothing can be sent back: dropping it tells the client to stop.
            Ok(PeerStream::Uni(_)) => {}
            // The client has closed, as it should.
            Err(quic::Error::Closed(reason)) if reason.code == 0 => return Ok(()),
            Err(err) => return Err(err),
        }
    }
}
