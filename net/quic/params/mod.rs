// SPDX-License-Identifier: GPL-2.0

//! Transport parameters (RFC 9000 sections 7.4 and 18, with those of RFC 9221, RFC 9287, RFC 9368
//! and the drafts on acknowledgement frequency and reliable stream resets).
//!
//! The values of one endpoint are one [`TransportParams`]; a parameter that is absent on the wire
//! has its default here.  Parsed values are in the ranges of the RFCs: what they call a
//! TRANSPORT_PARAMETER_ERROR cannot be represented.

#![forbid(unsafe_code)]

mod encode;
mod ids;
mod parse;
mod resume;
#[cfg(test)]
mod tests;
mod versions;

pub use ids::HandshakeIds;
pub use versions::VersionInformation;

use crate::common::{
    ConnectionId,
    Duration, //
};
use core::net::{
    SocketAddrV4,
    SocketAddrV6, //
};

/// The transport parameters of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportParams {
    /// Destination Connection ID of the client's first packet; of a server.
    pub original_destination_connection_id: Option<ConnectionId>,
    /// Idle timeout in whole milliseconds; zero means none.
    pub max_idle_timeout: Duration,
    /// Token for the connection id of the handshake; of a server.
    pub stateless_reset_token: Option<[u8; 16]>,
    /// Largest UDP payload the endpoint takes, in bytes; at least 1200.
    pub max_udp_payload_size: u64,
    /// Connection-level limit in bytes.
    pub initial_max_data: u64,
    /// Limit in bytes of bidirectional streams that the sender of the parameters opens.
    pub initial_max_stream_data_bidi_local: u64,
    /// Limit in bytes of bidirectional streams that the other side opens.
    pub initial_max_stream_data_bidi_remote: u64,
    /// Limit in bytes of unidirectional streams that the other side opens.
    pub initial_max_stream_data_uni: u64,
    /// Bidirectional streams that the other side may open; at most 2^60.
    pub initial_max_streams_bidi: u64,
    /// Unidirectional streams that the other side may open; at most 2^60.
    pub initial_max_streams_uni: u64,
    /// Exponent of the ACK Delay field; at most 20.
    pub ack_delay_exponent: u8,
    /// Longest delay of an acknowledgement in whole milliseconds; below 2^14 of them.
    pub max_ack_delay: Duration,
    /// The address of the handshake must not be left actively.
    pub disable_active_migration: bool,
    /// Where the server would rather be; of a server.
    pub preferred_address: Option<PreferredAddress>,
    /// Connection ids the endpoint stores; at least 2.
    pub active_connection_id_limit: u64,
    /// Source Connection ID of the endpoint's first packet.
    pub initial_source_connection_id: Option<ConnectionId>,
    /// Source Connection ID of the Retry packet; of a server.
    pub retry_source_connection_id: Option<ConnectionId>,
    /// Versions (RFC 9368).
    pub version_information: Option<VersionInformation>,
    /// Largest DATAGRAM frame the endpoint takes, in bytes; zero for none (RFC 9221).
    pub max_datagram_frame_size: u64,
    /// The fixed bit may be anything (RFC 9287).
    pub grease_quic_bit: bool,
    /// ACK_FREQUENCY frames are understood, down to this delay in whole microseconds; at most
    /// `max_ack_delay`.
    pub min_ack_delay: Option<Duration>,
    /// RESET_STREAM_AT frames are understood.
    pub reset_stream_at: bool,
    /// The endpoint would do without 1-RTT encryption.  Private to the C module's API; never done.
    pub disable_1rtt_encryption: bool,
    /// Random bits for a reserved parameter to be sent, which the other side has to ignore
    /// (RFC 9000 section 18.1), if there is room for it.  Not set by parsing.
    pub grease: Option<u64>,
}

/// A server's preferred address (RFC 9000 section 9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreferredAddress {
    /// All zero for none.
    pub v4: SocketAddrV4,
    /// All zero for none.
    pub v6: SocketAddrV6,
    /// The connection id of sequence number 1, not empty.
    pub connection_id: ConnectionId,
    /// Its token.
    pub stateless_reset_token: [u8; 16],
}

impl Default for TransportParams {
    /// The values of an endpoint that sends no parameter.
    fn default() -> Self {
        Self {
            original_destination_connection_id: None,
            max_idle_timeout: Duration::ZERO,
            stateless_reset_token: None,
            max_udp_payload_size: 65_527,
            initial_max_data: 0,
            initial_max_stream_data_bidi_local: 0,
            initial_max_stream_data_bidi_remote: 0,
            initial_max_stream_data_uni: 0,
            initial_max_streams_bidi: 0,
            initial_max_streams_uni: 0,
            ack_delay_exponent: 3,
            max_ack_delay: Duration::from_millis(25),
            disable_active_migration: false,
            preferred_address: None,
            active_connection_id_limit: 2,
            initial_source_connection_id: None,
            retry_source_connection_id: None,
            version_information: None,
            max_datagram_frame_size: 0,
            grease_quic_bit: false,
            min_ack_delay: None,
            reset_stream_at: false,
            disable_1rtt_encryption: false,
            grease: None,
        }
    }
}

/// Declares the parameter identifiers, and a bit for each so that duplicates are noticed.
macro_rules! ids {
    ($($name:ident = $id:literal,)*) => {
        #[expect(non_camel_case_types, reason = "only the positions are used")]
        enum Position { $($name,)* }

        /// Parameter identifiers.
        pub(crate) struct Id(());

        impl Id {
            $(pub(crate) const $name: u64 = $id;)*

            /// A bit for a known parameter, zero for any other.
            const fn bit(id: u64) -> u32 {
                match id {
                    $($id => 1 << Position::$name as u32,)*
                    _ => 0,
                }
            }
        }
    };
}

ids! {
    ORIGINAL_DESTINATION_CONNECTION_ID = 0x00,
    MAX_IDLE_TIMEOUT = 0x01,
    STATELESS_RESET_TOKEN = 0x02,
    MAX_UDP_PAYLOAD_SIZE = 0x03,
    INITIAL_MAX_DATA = 0x04,
    INITIAL_MAX_STREAM_DATA_BIDI_LOCAL = 0x05,
    INITIAL_MAX_STREAM_DATA_BIDI_REMOTE = 0x06,
    INITIAL_MAX_STREAM_DATA_UNI = 0x07,
    INITIAL_MAX_STREAMS_BIDI = 0x08,
    INITIAL_MAX_STREAMS_UNI = 0x09,
    ACK_DELAY_EXPONENT = 0x0a,
    MAX_ACK_DELAY = 0x0b,
    DISABLE_ACTIVE_MIGRATION = 0x0c,
    PREFERRED_ADDRESS = 0x0d,
    ACTIVE_CONNECTION_ID_LIMIT = 0x0e,
    INITIAL_SOURCE_CONNECTION_ID = 0x0f,
    RETRY_SOURCE_CONNECTION_ID = 0x10,
    VERSION_INFORMATION = 0x11,
    RESET_STREAM_AT = 0x1d,
    MAX_DATAGRAM_FRAME_SIZE = 0x20,
    GREASE_QUIC_BIT = 0x2ab2,
    DISABLE_1RTT_ENCRYPTION = 0xbaad,
    MIN_ACK_DELAY = 0xff04_de1b,
}
