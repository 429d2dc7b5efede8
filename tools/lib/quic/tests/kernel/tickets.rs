// SPDX-License-Identifier: LGPL-2.1-or-later
//! Session tickets and QUIC versions (RFC 9369 5).

use std::thread;

use quic::{
    ClientConfig,
    Connection,
    Error,
    Listener,
    SessionTicket,
    SocketConfig,
    Version, //
};

use super::{
    client,
    resumption::welcomed,
    server,
    LONG, //
};

/// A configuration that begins in this version, or a server's that would rather have it.
fn in_version(version: Version) -> SocketConfig {
    let mut socket = SocketConfig::default();
    socket.version = Some(version);
    socket
}

/// What a server has found out about its connections, in order.
type Served = Vec<(Version, bool)>;

/// Serves so many clients one after another.
fn serve(listener: &Listener, count: usize) -> Served {
    let serve_one = |_| {
        let incoming = listener.accept_timeout(Some(LONG)).unwrap();
        let conn = incoming.handshake().unwrap();
        // A client that closes at once may be gone before the server is done.
        conn.open_uni().unwrap().write_last(b"welcome").unwrap();
        conn.wait_closed(Some(LONG)).unwrap();
        (conn.info().version, conn.info().resumed)
    };
    (0..count).map(serve_one).collect()
}

/// Ends a connection; says what it was, and what it can be continued by.
fn conclude(conn: Connection) -> ((Version, bool), SessionTicket) {
    welcomed(&conn);
    let ticket = conn.session_ticket(LONG).unwrap().unwrap();
    assert_eq!(ticket.version(), conn.info().version);
    let found = (conn.info().version, conn.info().resumed);
    conn.close(0, "").unwrap();
    (
        found,
        SessionTicket::from_bytes(&ticket.to_bytes()).unwrap(),
    )
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_ticket_continues_connections_of_its_version_only() {
    let listener = Listener::bind("127.0.0.1:0", &server().build().unwrap()).unwrap();
    let addr = listener.local_addr().unwrap();
    let any = client().build().unwrap();
    let v1 = client().socket(in_version(Version::V1)).build().unwrap();
    let v2 = client().socket(in_version(Version::V2)).build().unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| serve(&listener, 4));
        let resume = |config: &ClientConfig, ticket: &SessionTicket| {
            conclude(Connection::connect_resuming(addr, "server.test", config, ticket).unwrap()).0
        };
        let first = Connection::connect(addr, "server.test", &v2).unwrap();
        let (found, ticket) = conclude(first);
        assert_eq!(found, (Version::V2, false));
        // It begins in the ticket's version, unless told otherwise.
        assert_eq!(resume(&any, &ticket), (Version::V2, true));
        assert_eq!(resume(&v1, &ticket), (Version::V1, false));
        let early = Connection::connect_early(addr, "server.test", &v1, &ticket);
        assert!(matches!(early, Err(Error::Config(_))));
        // A client that has lost the version is refused by the server.
        let stored = ticket.to_bytes();
        let ticket = SessionTicket::from_bytes(&stored[..stored.len() - 16]).unwrap();
        assert_eq!(ticket.version(), Version::V1);
        assert_eq!(resume(&any, &ticket), (Version::V1, false));
        let (v1, v2) = (Version::V1, Version::V2);
        let all = [(v2, false), (v2, true), (v1, false), (v1, false)];
        assert_eq!(server.join().unwrap(), all);
    });
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_ticket_is_of_the_version_that_was_negotiated() {
    let config = server().socket(in_version(Version::V2)).build().unwrap();
    let listener = Listener::bind("127.0.0.1:0", &config).unwrap();
    let addr = listener.local_addr().unwrap();
    let config = client().build().unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| serve(&listener, 2));
        let first = Connection::connect(addr, "server.test", &config).unwrap();
        let (found, ticket) = conclude(first);
        assert_eq!(found, (Version::V2, false));
        let second = Connection::connect_resuming(addr, "server.test", &config, &ticket);
        assert_eq!(conclude(second.unwrap()).0, (Version::V2, true));
        let all = [(Version::V2, false), (Version::V2, true)];
        assert_eq!(server.join().unwrap(), all);
    });
}
