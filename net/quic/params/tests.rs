// SPDX-License-Identifier: GPL-2.0

//! Transport parameters as bytes.

#![forbid(unsafe_code)]

use super::*;
use crate::common::{
    ErrorCode,
    Side,
    TransportError,
    VarInt,
    Version,
    Writer, //
};
use proptest::prelude::*;

fn encoded(params: &TransportParams, side: Side) -> Vec<u8> {
    let mut buffer = [0; 512];
    let mut writer = Writer::new(&mut buffer);
    params.encode(side, &mut writer).unwrap();
    writer.written().to_vec()
}

fn id(byte: u8, len: usize) -> ConnectionId {
    ConnectionId::new(&vec![byte; len]).unwrap()
}

/// Everything set that a server may send, with the longest values it would have in practice.
fn full() -> TransportParams {
    TransportParams {
        original_destination_connection_id: Some(id(1, 20)),
        max_idle_timeout: Duration::from_millis(30_000),
        stateless_reset_token: Some([2; 16]),
        max_udp_payload_size: 1_452,
        initial_max_data: 1 << 30,
        initial_max_stream_data_bidi_local: 1 << 30,
        initial_max_stream_data_bidi_remote: 1 << 30,
        initial_max_stream_data_uni: 1 << 30,
        initial_max_streams_bidi: 100,
        initial_max_streams_uni: 4_096,
        ack_delay_exponent: 20,
        max_ack_delay: Duration::from_millis(16_383),
        disable_active_migration: true,
        preferred_address: Some(PreferredAddress {
            v4: "192.0.2.1:443".parse().unwrap(),
            v6: "[2001:db8::1]:444".parse().unwrap(),
            connection_id: id(3, 8),
            stateless_reset_token: [4; 16],
        }),
        active_connection_id_limit: 8,
        initial_source_connection_id: Some(id(5, 8)),
        retry_source_connection_id: Some(id(6, 8)),
        version_information: Some(VersionInformation::new(
            Version::V2,
            &[Version::V2, Version::V1],
        )),
        max_datagram_frame_size: 65_535,
        grease_quic_bit: true,
        min_ack_delay: Some(Duration::from_micros(1_000)),
        reset_stream_at: true,
        disable_1rtt_encryption: true,
        grease: None,
    }
}

#[test]
fn what_one_side_sends_the_other_reads() {
    // RFC 9000 7.4 #2 test
    let params = full();
    let bytes = encoded(&params, Side::Server);
    assert_eq!(
        TransportParams::parse(&bytes, Side::Server),
        Ok(params.clone())
    );
    assert!(encoded(&TransportParams::default(), Side::Server).is_empty());
    assert_eq!(
        TransportParams::parse(&[], Side::Client),
        Ok(TransportParams::default())
    );
    // Nothing is written when it does not fit.
    for room in 0..bytes.len() {
        let mut buffer = vec![0; room];
        let mut writer = Writer::new(&mut buffer);
        assert!(params.encode(Side::Server, &mut writer).is_err());
        assert_eq!(writer.position(), 0);
    }
}

#[test]
fn a_limit_of_connection_ids_below_two_is_not_sent() {
    // RFC 9000 18.2 #8 test
    for limit in 0..3 {
        let params = TransportParams {
            active_connection_id_limit: limit,
            ..TransportParams::default()
        };
        assert!(encoded(&params, Side::Client).is_empty());
    }
}

#[test]
fn usual_parameters_fit_the_256_bytes_of_existing_programs() {
    let params = TransportParams {
        grease: Some(u64::MAX),
        disable_1rtt_encryption: false,
        ..full()
    };
    let len = encoded(&params, Side::Server).len();
    assert!(len < 256, "{len} bytes");
}

#[test]
fn a_client_sends_nothing_of_a_server() {
    // RFC 9000 18.2 #1 test, RFC 9000 18.2 #10 test
    let bytes = encoded(&full(), Side::Client);
    let read = TransportParams::parse(&bytes, Side::Client).unwrap();
    assert_eq!(read.original_destination_connection_id, None);
    assert_eq!(read.stateless_reset_token, None);
    assert_eq!(read.retry_source_connection_id, None);
    assert_eq!(read.preferred_address, None);
    assert_eq!(read.initial_max_data, 1 << 30);
}

#[test]
fn the_order_is_the_one_programs_know() {
    let bytes = encoded(&full(), Side::Server);
    let mut reader = crate::common::Reader::new(&bytes);
    let mut order = vec![];
    while let Ok(id) = reader.varint() {
        reader.varint_bytes().unwrap();
        order.push(id);
    }
    let known = [
        0x00, 0x02, 0x10, 0x0d, 0x0f, 0x05, 0x06, 0x07, 0x04, 0x08, 0x09, 0x03, 0x0a, 0x0c, 0xbaad,
        0x11, 0x2ab2, 0x0b, 0x01, 0x0e, 0x20,
    ];
    assert_eq!(order[..known.len()], known);
}

#[test]
fn a_server_without_connection_ids_offers_no_other_address() {
    // RFC 9000 18.2 #5 test, RFC 9000 18.2 #6 test
    let without = TransportParams {
        initial_source_connection_id: Some(ConnectionId::EMPTY),
        ..full()
    };
    let read = TransportParams::parse(&encoded(&without, Side::Server), Side::Server).unwrap();
    assert_eq!(read.preferred_address, None);
    let mut empty = full();
    empty.preferred_address.as_mut().unwrap().connection_id = ConnectionId::EMPTY;
    let read = TransportParams::parse(&encoded(&empty, Side::Server), Side::Server).unwrap();
    assert_eq!(read.preferred_address, None);
}

#[test]
fn a_reserved_parameter_is_ignored() {
    // RFC 9000 7.4.2 #1 test
    for random in [0, 1 << 61, 0x1234_5678_9abc_def0, u64::MAX] {
        let params = TransportParams {
            grease: Some(random),
            ..full()
        };
        let bytes = encoded(&params, Side::Server);
        let without = encoded(&full(), Side::Server);
        assert!(bytes.len() > without.len());
        assert_eq!(TransportParams::parse(&bytes, Side::Server), Ok(full()));
        // It is the first to go when there is little room.
        for room in without.len()..bytes.len() {
            let mut buffer = vec![0; room];
            let mut writer = Writer::new(&mut buffer);
            assert!(params.encode(Side::Server, &mut writer).is_ok());
            assert_eq!(writer.written(), without);
        }
    }
}

#[test]
fn no_parameter_that_is_known_is_reserved() {
    // The reserved ones are 31 * N + 27, N of 24 bits.
    let reserved = (0..1u64 << 24).map(|n| 31 * n + 27);
    assert_eq!(reserved.filter(|id| Id::bit(*id) != 0).count(), 0);
}

/// One parameter.
fn param(id: u64, value: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 256];
    let mut writer = Writer::new(&mut buffer);
    writer.put_varint(id).unwrap();
    writer.put_varint_bytes(value).unwrap();
    writer.written().to_vec()
}

fn int(id: u64, value: u64) -> Vec<u8> {
    let mut buffer = [0; 8];
    let mut writer = Writer::new(&mut buffer);
    writer.put_varint(value).unwrap();
    param(id, writer.written())
}

#[test]
fn bad_values_are_transport_parameter_errors() {
    // RFC 9000 4.6 #1 test, RFC 9000 7.4 #1 test, RFC 9000 7.4 #3 test, RFC 9000 18.2 #7 test,
    // RFC 9000 18.2 #8 test, RFC 9000 18.2 #9 test, RFC 9000 18.2 #11 test
    let server = Side::Server;
    let preferred = |len: u8, extra: usize| {
        let mut value = vec![1; 24];
        value.push(len);
        value.extend(vec![2; len as usize + 16 + extra]);
        param(0x0d, &value)
    };
    let versions = |list: &[u32]| {
        let bytes: Vec<u8> = list.iter().flat_map(|v| v.to_be_bytes()).collect();
        param(0x11, &bytes)
    };
    let with_empty_source = [param(0x0f, &[]), preferred(4, 0)].concat();
    let cases: Vec<(&str, Side, Vec<u8>)> = vec![
        ("payload below 1200", server, int(0x03, 1_199)),
        ("streams", server, int(0x08, (1 << 60) + 1)),
        ("streams", server, int(0x09, (1 << 60) + 1)),
        ("exponent", server, int(0x0a, 21)),
        ("exponent of two bytes", server, int(0x0a, 256)),
        ("ack delay", server, int(0x0b, 1 << 14)),
        ("id limit", server, int(0x0e, 1)),
        ("id limit", server, int(0x0e, 0)),
        ("integer cut short", server, param(0x04, &[0x40])),
        ("integer with more", server, param(0x04, &[1, 0])),
        ("integer absent", server, param(0x04, &[])),
        ("flag with a value", server, param(0x0c, &[1])),
        ("flag with a value", server, param(0x2ab2, &[0])),
        ("flag with a value", server, param(0x1d, &[0])),
        ("token", server, param(0x02, &[0; 15])),
        ("token", server, param(0x02, &[0; 17])),
        ("connection id", server, param(0x0f, &[0; 21])),
        ("preferred address without id", server, preferred(0, 0)),
        ("preferred address with a long id", server, preferred(21, 0)),
        ("preferred address with more", server, preferred(4, 1)),
        (
            "preferred address of a server without ids",
            server,
            with_empty_source,
        ),
        ("duplicate", server, [int(0x04, 1), int(0x04, 1)].concat()),
        (
            "duplicate flag",
            server,
            [param(0x2ab2, &[]), param(0x2ab2, &[])].concat(),
        ),
        ("min_ack_delay", server, int(0xff04_de1b, 25_001)),
        ("no version", server, versions(&[])),
        ("half a version", server, param(0x11, &[0, 0, 0, 1, 0])),
        ("version zero", server, versions(&[0, 1])),
        ("version zero listed", server, versions(&[1, 1, 0])),
        ("chosen version not listed", Side::Client, versions(&[1, 2])),
        ("of a server", Side::Client, param(0x00, &[1; 8])),
        ("of a server", Side::Client, param(0x02, &[1; 16])),
        ("of a server", Side::Client, preferred(4, 0)),
        ("of a server", Side::Client, param(0x10, &[1; 8])),
        ("longer than there is", server, vec![0x55, 3, 1]),
        ("id cut short", server, vec![0x80]),
        ("no length", server, vec![0x04]),
    ];
    for (what, sender, bytes) in cases {
        let error = TransportParams::parse(&bytes, sender).unwrap_err();
        assert_eq!(error.code, ErrorCode::TRANSPORT_PARAMETER_ERROR, "{what}");
    }
}

#[test]
fn the_extremes_that_are_legal_are_accepted() {
    let cases = [
        int(0x03, 1_200),
        int(0x03, VarInt::MAX),
        int(0x08, 1 << 60),
        int(0x0a, 20),
        int(0x0b, (1 << 14) - 1),
        int(0x0e, 2),
        int(0x0e, VarInt::MAX),
        int(0x01, 1),
        int(0x01, VarInt::MAX),
        int(0x20, 1),
        [int(0x0b, 1), int(0xff04_de1b, 1_000)].concat(),
        param(0x11, &[0, 0, 0, 1]),
        param(0x11, &[1; 4 * 30]),
        [param(0x77, &[]), param(0x77, &[])].concat(),
    ];
    for bytes in cases {
        let parsed = TransportParams::parse(&bytes, Side::Server);
        assert!(parsed.is_ok(), "{bytes:x?} {parsed:?}");
    }
    let many = TransportParams::parse(&param(0x11, &[1; 4 * 30]), Side::Server).unwrap();
    assert_eq!(
        many.version_information.unwrap().available().len(),
        VersionInformation::MAX
    );
}

/// A client's list must have the version in use, also when what it lists is cut.
#[test]
fn a_version_in_use_at_the_end_of_a_long_list_is_kept() {
    let mut list: Vec<u8> = vec![0, 0, 0, 1];
    list.extend((2u32..42).flat_map(u32::to_be_bytes));
    list.extend([0, 0, 0, 1]);
    let parsed = TransportParams::parse(&param(0x11, &list), Side::Client).unwrap();
    let versions = parsed.version_information.unwrap();
    assert_eq!(versions.available().len(), VersionInformation::MAX);
    assert_eq!(versions.available().last(), Some(&Version::V1));
    let mut buffer = [0; 256];
    let mut writer = Writer::new(&mut buffer);
    parsed.encode(Side::Client, &mut writer).unwrap();
    let again = TransportParams::parse(writer.written(), Side::Client).unwrap();
    assert_eq!(again.version_information, Some(versions));
}

#[test]
fn connection_ids_are_compared_with_those_of_the_packets() {
    // RFC 9000 7.3 #1 test, RFC 9000 7.3 #2 test, RFC 9000 7.3 #3 test, RFC 9000 7.3 #4 test
    let seen = HandshakeIds {
        initial_source: id(5, 8),
        original_destination: id(1, 20),
        retry_source: Some(id(6, 8)),
    };
    let check = |params: &TransportParams, sender| params.authenticate(sender, &seen);
    assert_eq!(check(&full(), Side::Server), Ok(()));
    assert_eq!(check(&full(), Side::Client), Ok(()));
    type Change = fn(&mut TransportParams);
    let changes: [(Change, bool); 6] = [
        (|p| p.initial_source_connection_id = None, true),
        (
            |p| p.initial_source_connection_id = Some(ConnectionId::EMPTY),
            true,
        ),
        (|p| p.original_destination_connection_id = None, false),
        (
            |p| p.original_destination_connection_id = p.retry_source_connection_id,
            false,
        ),
        (|p| p.retry_source_connection_id = None, false),
        (
            |p| p.retry_source_connection_id = p.initial_source_connection_id,
            false,
        ),
    ];
    for (change, both) in changes {
        let mut params = full();
        change(&mut params);
        let is_error = |result: Result<(), TransportError>| {
            result.is_err_and(|error| error.code == ErrorCode::TRANSPORT_PARAMETER_ERROR)
        };
        assert!(is_error(check(&params, Side::Server)));
        assert_eq!(is_error(check(&params, Side::Client)), both);
    }
    // A Retry that never was.
    let without = HandshakeIds {
        retry_source: None,
        ..seen
    };
    assert!(full().authenticate(Side::Server, &without).is_err());
}

#[test]
fn remembered_values_leave_out_what_belongs_to_one_connection() {
    // RFC 9000 7.4.1 #2 test, RFC 9000 7.4.1 #4 test
    let kept = full().remembered();
    let defaults = TransportParams::default();
    assert_eq!(kept.ack_delay_exponent, defaults.ack_delay_exponent);
    assert_eq!(kept.max_ack_delay, defaults.max_ack_delay);
    assert_eq!(kept.original_destination_connection_id, None);
    assert_eq!(kept.initial_source_connection_id, None);
    assert_eq!(kept.retry_source_connection_id, None);
    assert_eq!(kept.preferred_address, None);
    assert_eq!(kept.stateless_reset_token, None);
    assert_eq!(kept.min_ack_delay, None);
    assert_eq!(kept.initial_max_data, full().initial_max_data);
    assert_eq!(kept.active_connection_id_limit, 8);
    assert!(kept.reset_stream_at && kept.disable_active_migration);
    assert_eq!(kept.max_datagram_frame_size, 65_535);
}

#[test]
fn a_server_that_accepted_early_data_takes_nothing_back() {
    // RFC 9000 7.4.1 #5 test, RFC 9000 7.4.1 #6 test
    let remembered = full().remembered();
    assert_eq!(full().check_not_reduced(&remembered), Ok(()));
    type Change = fn(&mut TransportParams);
    let changes: [Change; 9] = [
        |p| p.active_connection_id_limit -= 1,
        |p| p.initial_max_data -= 1,
        |p| p.initial_max_stream_data_bidi_local -= 1,
        |p| p.initial_max_stream_data_bidi_remote -= 1,
        |p| p.initial_max_stream_data_uni -= 1,
        |p| p.initial_max_streams_bidi -= 1,
        |p| p.initial_max_streams_uni -= 1,
        |p| p.max_datagram_frame_size -= 1,
        |p| p.reset_stream_at = false,
    ];
    for change in changes {
        let mut params = full();
        change(&mut params);
        let error = params.check_not_reduced(&remembered).unwrap_err();
        assert_eq!(error.code, ErrorCode::PROTOCOL_VIOLATION);
    }
}

proptest! {
    #![proptest_config(crate::common::test_config(4_000))]

    #[test]
    fn random_bytes_give_parameters_that_write_back_or_an_error(
        pieces in proptest::collection::vec(
            (
                prop_oneof![0..0x24u64, Just(0x2ab2), Just(0xff04_de1b), Just(0xbaad)],
                proptest::collection::vec(prop_oneof![0..3u8, any::<u8>()], 0..24),
            ), 0..8
        ),
        cut in 0..200usize,
        client in any::<bool>(),
    ) {
        let mut bytes: Vec<u8> = pieces.iter().flat_map(|(id, value)| param(*id, value)).collect();
        bytes.truncate(cut);
        let side = if client { Side::Client } else { Side::Server };
        if let Ok(params) = TransportParams::parse(&bytes, side) {
            let again = TransportParams::parse(&encoded(&params, side), side);
            // An idle timeout of centuries is cut to the longest span there is.
            if params.max_idle_timeout < Duration::MAX {
                prop_assert_eq!(again, Ok(params));
            }
        }
    }
}
