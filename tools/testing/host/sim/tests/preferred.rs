// SPDX-License-Identifier: GPL-2.0

//! Rules about the server's preferred address, at the server.

mod forge;

use std::net::SocketAddr;

use forge::Lab;
use quic_core::common::{
    Duration,
    Reader,
    Side, //
};
use quic_core::frame::Frame;
use quic_sim::net::Packet;

fn preferred() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 2], 4433))
}

/// The data of the challenge in a packet of the server.
fn challenge(lab: &Lab, packet: &Packet) -> Option<[u8; 8]> {
    let payload = lab.open(Side::Server, &packet.bytes);
    let mut reader = Reader::new(&payload);
    while !reader.is_empty() {
        if let Ok(Frame::PathChallenge { data }) = Frame::parse(&mut reader) {
            return Some(data);
        }
    }
    None
}

/// Whether a packet of the server has nothing but probing frames.
fn is_probing(lab: &Lab, packet: &Packet) -> bool {
    let payload = lab.open(Side::Server, &packet.bytes);
    let mut reader = Reader::new(&payload);
    let mut is_probing = true;
    while !reader.is_empty() {
        is_probing &= Frame::parse(&mut reader).is_ok_and(|frame| frame.is_probing());
    }
    is_probing
}

/// Packets of the server, as those from its original and those from its preferred address.
fn drive(lab: &mut Lab) -> [Vec<Packet>; 2] {
    let packets = lab.drive(Side::Server);
    let (old, new) = packets
        .into_iter()
        .partition(|packet| packet.src == forge::addr(Side::Server));
    [old, new]
}

#[test]
fn the_server_moves_when_its_client_has_moved_and_the_path_is_validated() {
    // RFC 9000 9.6.2 #2 test, RFC 9000 9.6.2 #3 test, RFC 9000 9.6.2 #4 test
    let mut lab = Lab::new(1);
    // PING, at the preferred address: enough bytes for a challenge of full size.
    lab.inject_at(preferred(), &[&[1][..], &[0; 600]].concat());
    let [_, new] = drive(&mut lab);
    let data = new.iter().find_map(|packet| challenge(&lab, packet));
    let data = data.expect("a challenge from the preferred address");
    assert!(new.iter().all(|packet| is_probing(&lab, packet)));
    // Everything else still leaves from the original address.
    for _ in 0..4 {
        lab.inject_at(preferred(), &[1, 0, 0, 0]);
        lab.inject_at(preferred(), &[1, 0, 0, 0]);
        let [old, new] = drive(&mut lab);
        assert!(old.iter().any(|packet| !is_probing(&lab, packet)));
        assert!(new.iter().all(|packet| is_probing(&lab, packet)));
    }
    lab.inject_at(preferred(), &[&[0x1b][..], &data].concat());
    lab.inject_at(preferred(), &[1, 0, 0, 0]);
    lab.inject_at(preferred(), &[1, 0, 0, 0]);
    let [old, new] = drive(&mut lab);
    assert!(new.iter().any(|packet| !is_probing(&lab, packet)));
    assert!(old.iter().all(|packet| is_probing(&lab, packet)));
    // What is sent to the old address from now on is not looked at: it would be an error.
    lab.inject(Side::Client, &[0x21]);
    assert!(lab.state(Side::Server).is_open());
    lab.inject_at(preferred(), &[0x21]);
    assert!(!lab.state(Side::Server).is_open());
}

#[test]
fn a_validated_preferred_address_is_not_used_before_the_client_does() {
    // RFC 9000 9.6.2 #2 test, RFC 9000 9.6.3 #5 test
    let mut lab = Lab::new(1);
    let probe = [&[0x1a][..], &[9; 8], &[0; 600]].concat();
    lab.inject_at(preferred(), &probe);
    let [_, new] = drive(&mut lab);
    let data = new.iter().find_map(|packet| challenge(&lab, packet));
    let data = data.expect("a challenge in answer to the probe");
    lab.inject_at(preferred(), &[&[0x1b][..], &data].concat());
    for _ in 0..3 {
        lab.inject(Side::Client, &[1, 0, 0, 0]);
        lab.inject(Side::Client, &[1, 0, 0, 0]);
        let [old, new] = drive(&mut lab);
        assert!(!old.is_empty() && new.is_empty());
    }
    lab.inject_at(preferred(), &[1, 0, 0, 0]);
    lab.inject_at(preferred(), &[1, 0, 0, 0]);
    let [old, new] = drive(&mut lab);
    assert!(!new.is_empty());
    assert!(old.iter().all(|packet| is_probing(&lab, packet)));
}

#[test]
fn a_preferred_address_from_which_no_answer_comes_back_is_given_up() {
    // RFC 9000 9.6.2 #2 test
    let mut lab = Lab::new(1);
    lab.inject_at(preferred(), &[&[1][..], &[0; 600]].concat());
    let end = lab.now().saturating_add(Duration::from_secs(4));
    while lab.now() < end {
        let [_, new] = drive(&mut lab);
        assert!(new.iter().all(|packet| is_probing(&lab, packet)));
        lab.expire(Side::Server);
    }
    assert!(lab.state(Side::Server).is_open());
    for _ in 0..2 {
        lab.inject(Side::Client, &[1, 0, 0, 0]);
    }
    let [old, new] = drive(&mut lab);
    assert!(!old.is_empty() && new.is_empty());
}
