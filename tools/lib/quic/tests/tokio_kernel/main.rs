// SPDX-License-Identifier: LGPL-2.1-or-later
//! Clients and servers on tokio over loopback, on a kernel that has QUIC sockets.
//!
//! Ignored elsewhere; in a guest:
//! `cargo test -p libquic --features tokio --test tokio_kernel -- --ignored`.

mod connections;
#[path = "../common/loopback.rs"]
mod loopback;
#[path = "../common/middlebox.rs"]
mod middlebox;
mod streams;

use std::future::Future;

use quic::{
    tokio::{
        BiStream,
        Connection,
        Listener,
        PeerStream, //
    },
    ClientConfigBuilder,
    Result,
    ServerConfigBuilder, //
};

use tokio::{
    io::AsyncWriteExt,
    task::JoinSet,
    time::timeout, //
};

use loopback::{
    client,
    data,
    server,
    LONG, //
};

/// Runs a test on both kinds of runtime, and fails when it hangs.
fn on_tokio<F: Future<Output = ()>>(test: impl Fn() -> F) {
    let one = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    one.unwrap().block_on(async { limit(test()).await });
    let several = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(3)
        .enable_all()
        .build();
    several.unwrap().block_on(async { limit(test()).await });
}

async fn limit<T>(future: impl Future<Output = T>) -> T {
    timeout(2 * LONG, future).await.expect("it hangs")
}

async fn meet_as(
    name: &str,
    client: ClientConfigBuilder,
    server: ServerConfigBuilder,
) -> (Result<Connection>, Result<Connection>) {
    let listener = Listener::bind("127.0.0.1:0", &server.build().unwrap())
        .await
        .unwrap();
    let addr = listener.local_addr().unwrap();
    let client = client.build().unwrap();
    tokio::join!(Connection::connect(addr, name, &client), async {
        listener.accept().await?.handshake().await
    })
}

async fn meet(
    client: ClientConfigBuilder,
    server: ServerConfigBuilder,
) -> (Connection, Connection) {
    let (client, server) = meet_as("server.test", client, server).await;
    (client.unwrap(), server.unwrap())
}

/// Bytes that depend on their place and on a seed.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|nr| (nr * 31 + (nr >> 8) * 7 + seed) as u8)
        .collect()
}

/// Sends back what comes, each stream in a task of its own, until the connection ends.
async fn echo(conn: Connection) {
    let mut streams = JoinSet::new();
    while let Ok(stream) = conn.accept_stream().await {
        if let PeerStream::Bi(stream) = stream {
            streams.spawn(async move {
                let (mut send, mut recv) = stream.split();
                tokio::io::copy(&mut recv, &mut send).await.unwrap();
                send.shutdown().await.unwrap();
            });
        }
    }
    streams.join_all().await;
}

/// Asks on so many streams of `client` at a time, and closes it.
async fn ask_at_once(client: Connection, server: Connection, streams: usize, len: usize) {
    let echo = tokio::spawn(echo(server));
    let mut asking = JoinSet::new();
    for nr in 0..streams {
        let client = client.clone();
        asking.spawn(async move { ask(client.open_bi().await.unwrap(), nr, len).await });
    }
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }
    client.close(0, "").await.unwrap();
    echo.await.unwrap();
}

/// Writes and reads at once; what comes back must be what was sent.
async fn ask(stream: BiStream, seed: usize, len: usize) {
    let (mut send, mut recv) = stream.split();
    let sent = pattern(seed, len);
    let write = async {
        send.write_all(&sent).await.unwrap();
        send.finish().await.unwrap();
    };
    let (_, got) = tokio::join!(write, recv.read_to_limit(len));
    assert!(got.unwrap() == sent, "stream {seed}");
}
