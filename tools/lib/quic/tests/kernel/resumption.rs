// SPDX-License-Identifier: LGPL-2.1-or-later
//! Session tickets and early data.

use std::{
    io::{
        Read,
        Write, //
    },
    net::SocketAddr,
    thread, //
};

use quic::{
    Connection,
    Error,
    Listener,
    PeerStream,
    SessionTicket, //
};

use super::{
    client,
    server,
    LONG, //
};

pub(crate) fn welcomed(client: &Connection) {
    let mut text = String::new();
    let mut stream = client.accept_stream().unwrap();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "welcome");
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn a_ticket_continues_a_connection_without_a_certificate() {
    let listener = Listener::bind("127.0.0.1:0", &server().build().unwrap()).unwrap();
    let addr: SocketAddr = listener.local_addr().unwrap();
    let config = client().build().unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut resumed = Vec::new();
            for _ in 0..2 {
                let conn = listener
                    .accept_timeout(Some(LONG))
                    .unwrap()
                    .handshake()
                    .unwrap();
                resumed.push(conn.info().resumed);
                // A client that closes at once may be gone before the server is done.
                conn.open_uni().unwrap().write_last(b"welcome").unwrap();
                conn.wait_closed(Some(LONG)).unwrap();
            }
            resumed
        });
        let first = Connection::connect(addr, "server.test", &config).unwrap();
        welcomed(&first);
        let ticket = first.session_ticket(LONG).unwrap().unwrap();
        first.close(0, "").unwrap();
        let ticket = SessionTicket::from_bytes(&ticket.to_bytes()).unwrap();
        let second = Connection::connect_resuming(addr, "server.test", &config, &ticket).unwrap();
        assert!(second.info().resumed);
        welcomed(&second);
        second.close(0, "").unwrap();
        assert_eq!(server.join().unwrap(), [false, true]);
    });
    // A ticket of a server named "x" is not used for another.
    let foreign = [&b"\x02\x01\x01x"[..], &[0; 56], b"data"].concat();
    let foreign = SessionTicket::from_bytes(&foreign).unwrap();
    let err = Connection::connect_resuming(addr, "server.test", &config, &foreign).unwrap_err();
    assert!(matches!(err, Error::Config(_)), "{err}");
}

#[test]
#[ignore = "needs a kernel with QUIC"]
fn early_data_arrives_whether_or_not_the_server_takes_it_early() {
    for takes in [true, false] {
        let config = server().early_data(takes).build().unwrap();
        let listener = Listener::bind("127.0.0.1:0", &config).unwrap();
        let addr = listener.local_addr().unwrap();
        let config = client().build().unwrap();
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                let first = listener
                    .accept_timeout(Some(LONG))
                    .unwrap()
                    .handshake()
                    .unwrap();
                first.open_uni().unwrap().write_last(b"welcome").unwrap();
                first.wait_closed(Some(LONG)).unwrap();
                let second = listener
                    .accept_timeout(Some(LONG))
                    .unwrap()
                    .handshake()
                    .unwrap();
                let PeerStream::Bi(mut stream) = second.accept_stream().unwrap() else {
                    panic!("not bidirectional");
                };
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                stream
                    .send
                    .write_last(text.to_uppercase().as_bytes())
                    .unwrap();
                second.wait_closed(Some(LONG)).unwrap();
                second.info().early_data
            });
            let first = Connection::connect(addr, "server.test", &config).unwrap();
            welcomed(&first);
            let ticket = first.session_ticket(LONG).unwrap().unwrap();
            first.close(0, "").unwrap();
            let ticket = SessionTicket::from_bytes(&ticket.to_bytes()).unwrap();
            let early = Connection::connect_early(addr, "server.test", &config, &ticket).unwrap();
            let mut stream = early.open_bi().unwrap();
            stream.write_all(b"early").unwrap();
            stream.finish().unwrap();
            let second = early.handshake().unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            assert_eq!(text, "EARLY");
            assert!(second.info().resumed);
            assert_eq!(second.info().early_data, takes);
            second.close(0, "").unwrap();
            assert_eq!(server.join().unwrap(), takes);
        });
    }
}
