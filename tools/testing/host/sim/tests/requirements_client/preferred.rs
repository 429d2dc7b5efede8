// SPDX-License-Identifier: GPL-2.0

//! The server's preferred address, at the client.

use super::*;

fn preferred() -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 2], 4433))
}

#[test]
fn a_client_only_probes_a_preferred_address_that_does_not_answer() {
    // RFC 9000 9.6.2 #1 test, RFC 9000 21.5.3 #1 test, RFC 9000 9.6.3 #2 test,
    // RFC 9000 9.5 #3 test
    let mut client = Setup::default();
    client.plan.streams = vec![(Dir::Uni, 100_000)];
    for is_silent in [true, false] {
        let mut wire = Wire::new(&client, Setup::default());
        wire.server.preferred = vec![preferred()];
        wire.server.add_addr(preferred());
        let (mut there, mut elsewhere) = (HashSet::new(), HashSet::new());
        let (mut probes, mut last) = (0, None);
        for _ in 0..400 {
            let packets = wire.up();
            for packet in &packets {
                last = Some(packet.dst);
                if packet.bytes[0] & 0x80 != 0 {
                    continue;
                }
                let id = packet.bytes[1..9].to_vec();
                if packet.dst != preferred() {
                    elsewhere.insert(id);
                    continue;
                }
                there.insert(id);
                let kinds = forge::app_kinds(Side::Client, &packet.bytes);
                let is_probing = kinds.iter().all(|kind| [0x18, 0x1a, 0x1b].contains(kind));
                probes += u32::from(is_probing);
                assert!(is_probing || !is_silent, "{kinds:x?}");
            }
            let (to_new, to_old) = packets
                .into_iter()
                .partition(|packet| packet.dst == preferred());
            wire.give_server(to_old);
            if !is_silent {
                wire.give_server(to_new);
            }
            let packets = wire.down();
            wire.give_client(packets);
            wire.tick();
            if wire.now.as_nanos() > 10_000_000_000 {
                break;
            }
        }
        assert!(probes > 0);
        // One id leads to one address.
        assert!(there.is_disjoint(&elsewhere));
        let expected = if is_silent {
            forge::addr(Side::Server)
        } else {
            preferred()
        };
        assert_eq!(wire.client.peer.remote(), expected);
        assert_eq!(last, Some(expected));
        assert_eq!(wire.server.peers[0].app.bytes(), 100_000);
    }
}

#[test]
fn of_two_preferred_addresses_the_one_of_the_clients_family_is_tried() {
    // RFC 9000 9.6.3 #6 test
    let six = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 2], 4433));
    let mut wire = Wire::new(&Setup::default(), Setup::default());
    wire.server.preferred = vec![six, preferred()];
    for addr in [six, preferred()] {
        wire.server.add_addr(addr);
    }
    let mut seen = HashSet::new();
    for _ in 0..10 {
        let packets = wire.up();
        seen.extend(packets.iter().map(|packet| packet.dst));
        wire.give_server(packets);
        let packets = wire.down();
        wire.give_client(packets);
        wire.tick();
    }
    assert_eq!(wire.client.peer.remote(), preferred());
    assert!(!seen.contains(&six));
}
