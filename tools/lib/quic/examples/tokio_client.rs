// SPDX-License-Identifier: LGPL-2.1-or-later
//! The first client on tokio: sends several lines at once, each on a stream of its own.
//!
//! `cargo run --features tokio --example tokio_client -- HOST:PORT NAME CA.pem TEXT…`

use std::{
    env,
    error::Error, //
};

use quic::{
    tokio::Connection,
    ClientConfig,
    Trust, //
};
use tokio::{
    io::{
        AsyncReadExt,
        AsyncWriteExt, //
    },
    task::JoinSet, //
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [addr, name, ca, texts @ ..] = args.as_slice() else {
        return Err("usage: tokio_client HOST:PORT NAME CA.pem TEXT…".into());
    };

    // Made once: it reads the file with the authorities to trust.
    let config = ClientConfig::builder()
        .trust(Trust::File(ca.into()))
        .alpn(["echo"])
        .build()?;
    let conn = Connection::connect(addr.as_str(), name, &config).await?;

    let mut answers = JoinSet::new();
    for text in texts {
        let (conn, text) = (conn.clone(), text.clone());
        answers.spawn(async move {
            let mut stream = conn.open_bi().await?;
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        });
    }
    while let Some(answer) = answers.join_next().await {
        println!("{}", answer??);
    }

    // Waits until the server has everything, which dropping the connection would not.
    conn.close(0, "done").await?;
    Ok(())
}
