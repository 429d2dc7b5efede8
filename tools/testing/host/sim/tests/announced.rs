// SPDX-License-Identifier: GPL-2.0

//! What a side has told its peer in a TLS message holds, whatever its program asks for later.

use quic_core::common::error::Error;
use quic_core::common::id::Dir;
use quic_core::common::time::Duration;
use quic_core::conn::Connection;
use quic_core::params::TransportParams;
use quic_sim::net::Link;
use quic_sim::node::Setup;
use quic_sim::pair::Pair;

fn setups() -> (Setup, Setup) {
    let (mut client, mut server) = (Setup::default(), Setup::default());
    client.plan.streams = vec![(Dir::Bidi, 100_000)];
    server.plan.reply = Some(100_000);
    (client, server)
}

/// Asks for less than was announced, and looks at the parameters with too little room for them.
fn change_its_mind(connection: &mut Connection) {
    let before = connection.local_params().clone();
    let less = TransportParams {
        initial_max_data: 1_200,
        max_datagram_frame_size: 0,
        min_ack_delay: None,
        ..before.clone()
    };
    assert_eq!(connection.set_local_params(&less), Ok(()));
    let mut room = [0; 512];
    let len = connection.encode_params(&mut room).unwrap();
    for short in (0..len).rev() {
        // The reserved parameter says nothing and may go.
        match connection.encode_params(room.get_mut(..short).unwrap()) {
            Ok(written) => assert!(len - written < 20, "{written} of {len}"),
            Err(error) => assert_eq!(error, Error::Invalid),
        }
    }
    assert_eq!(*connection.local_params(), before);
}

#[test]
fn a_client_keeps_to_what_its_client_hello_said() {
    let (client, server) = setups();
    let mut pair = Pair::new(1, Link::default(), &client, server);
    pair.wait(Duration::from_millis(1));
    change_its_mind(&mut pair.client.borrow_mut().peer.connection);
    assert!(pair.transfer(10, 1, 1));
}

#[test]
fn a_server_keeps_to_what_its_encrypted_extensions_said() {
    let (client, server) = setups();
    let mut pair = Pair::new(2, Link::lossy(50, 0), &client, server);
    pair.wait(Duration::from_millis(60));
    change_its_mind(&mut pair.server.borrow_mut().peers[0].connection);
    assert!(pair.transfer(10, 1, 1));
}
