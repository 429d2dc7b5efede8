// SPDX-License-Identifier: LGPL-2.1-or-later
//! Version negotiation, and somebody on the path who interferes with it.

use std::{
    io::{
        Read,
        Write, //
    },
    thread, //
};

use quic::{
    ClientConfigBuilder,
    Connection,
    Error,
    Listener,
    PeerStream,
    SocketConfig,
    Version, //
};

use super::{
    client,
    server,
    LONG, //
};

use super::middlebox::{
    behind_version_1,
    ignore_other_versions, //
};

/// A client that would rather speak version 2.
fn version_2(config: ClientConfigBuilder) -> ClientConfigBuilder {
    let mut socket = SocketConfig::default();
    socket.version = Some(Version::V2);
    config.socket(socket)
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_client_starts_anew_in_the_version_of_a_server_that_speaks_no_other() {
    let listener = Listener::bind("127.0.0.1:0", &server().build().unwrap()).unwrap();
    ignore_other_versions(&listener);
    let config = version_2(client()).build().unwrap();
    behind_version_1(listener.local_addr().unwrap(), |addr| {
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                let server = listener.accept_timeout(Some(LONG))?.handshake()?;
                let mut stream = server.open_bi()?;
                stream.write_all(b"version 1").unwrap();
                stream.finish().unwrap();
                // Until it has arrived.
                let _ = server.wait_closed(Some(LONG));
                Ok::<(), Error>(())
            });
            let client = Connection::connect(addr, "server.test", &config).unwrap();
            assert_eq!(client.info().version, Version::V1);
            let PeerStream::Bi(mut stream) = client.accept_stream().unwrap() else {
                panic!("not bidirectional");
            };
            let mut got = [0; 9];
            stream.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"version 1");
            client.close(0, "").unwrap();
            server.join().unwrap().unwrap();
        });
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_version_that_somebody_has_talked_a_client_out_of_is_found_out() {
    // This server speaks version 2 and says so.
    let listener = Listener::bind("127.0.0.1:0", &server().build().unwrap()).unwrap();
    let config = version_2(client()).build().unwrap();
    behind_version_1(listener.local_addr().unwrap(), |addr| {
        thread::scope(|scope| {
            let server = scope.spawn(|| listener.accept_timeout(Some(LONG))?.handshake());
            let err = Connection::connect(addr, "server.test", &config).unwrap_err();
            assert!(
                matches!(&err, Error::Closed(reason) if reason.code == 0x11),
                "{err}"
            );
            assert!(server.join().unwrap().is_err());
        });
    });
}
