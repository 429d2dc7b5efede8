// SPDX-License-Identifier: GPL-2.0

//! The decoder of transport parameters.

#![forbid(unsafe_code)]

use super::{
    Id,
    PreferredAddress,
    TransportParams,
    VersionInformation, //
};
use crate::common::{
    ConnectionId,
    Duration,
    Reader,
    Side,
    StreamId,
    TransportError,
    Truncated, //
};
use core::net::{
    Ipv4Addr,
    Ipv6Addr,
    SocketAddrV4,
    SocketAddrV6, //
};

impl TransportParams {
    /// Parses the parameters that an endpoint on side `sender` sent.
    ///
    /// Parameters that are not known are skipped.  The connection ids are compared by
    /// [`TransportParams::authenticate`].
    // RFC 9000 7.4 #1, RFC 9000 7.4 #3, RFC 9000 7.4.2 #1
    pub fn parse(bytes: &[u8], sender: Side) -> Result<TransportParams, TransportError> {
        let mut params = TransportParams::default();
        let mut reader = Reader::new(bytes);
        let mut seen = 0u32;
        while !reader.is_empty() {
            let id = reader.varint().map_err(truncated)?;
            let value = reader.varint_bytes().map_err(truncated)?;
            let bit = Id::bit(id);
            if seen & bit != 0 {
                return Err(bad("duplicate transport parameter"));
            }
            seen |= bit;
            if sender.is_client() && is_server_only(id) {
                // RFC 9000 18.2 #11
                return Err(bad("transport parameter of a server"));
            }
            params.set(id, value, sender)?;
        }
        params.check()?;
        Ok(params)
    }

    fn set(&mut self, id: u64, value: &[u8], sender: Side) -> Result<(), TransportError> {
        match id {
            Id::ORIGINAL_DESTINATION_CONNECTION_ID => {
                self.original_destination_connection_id = Some(connection_id(value)?);
            }
            Id::INITIAL_SOURCE_CONNECTION_ID => {
                self.initial_source_connection_id = Some(connection_id(value)?);
            }
            Id::RETRY_SOURCE_CONNECTION_ID => {
                self.retry_source_connection_id = Some(connection_id(value)?);
            }
            Id::STATELESS_RESET_TOKEN => {
                let token = value.try_into();
                self.stateless_reset_token =
                    Some(token.map_err(|_| bad("stateless_reset_token length"))?);
            }
            Id::PREFERRED_ADDRESS => self.preferred_address = Some(preferred_address(value)?),
            Id::VERSION_INFORMATION => {
                self.version_information = Some(VersionInformation::parse(value, sender)?);
            }
            Id::DISABLE_ACTIVE_MIGRATION => self.disable_active_migration = flag(value)?,
            Id::GREASE_QUIC_BIT => self.grease_quic_bit = flag(value)?,
            Id::RESET_STREAM_AT => self.reset_stream_at = flag(value)?,
            Id::DISABLE_1RTT_ENCRYPTION => self.disable_1rtt_encryption = flag(value)?,
            // What remains are integers; an unknown one is not looked at.
            _ if Id::bit(id) != 0 => self.set_int(id, int(value)?)?,
            _ => {}
        }
        Ok(())
    }

    fn set_int(&mut self, id: u64, value: u64) -> Result<(), TransportError> {
        match id {
            Id::MAX_IDLE_TIMEOUT => self.max_idle_timeout = Duration::from_millis(value),
            Id::MAX_UDP_PAYLOAD_SIZE if value < 1_200 => {
                return Err(bad("max_udp_payload_size below 1200"));
            }
            Id::MAX_UDP_PAYLOAD_SIZE => self.max_udp_payload_size = value,
            Id::INITIAL_MAX_DATA => self.initial_max_data = value,
            Id::INITIAL_MAX_STREAM_DATA_BIDI_LOCAL => {
                self.initial_max_stream_data_bidi_local = value;
            }
            Id::INITIAL_MAX_STREAM_DATA_BIDI_REMOTE => {
                self.initial_max_stream_data_bidi_remote = value;
            }
            Id::INITIAL_MAX_STREAM_DATA_UNI => self.initial_max_stream_data_uni = value,
            Id::INITIAL_MAX_STREAMS_BIDI => self.initial_max_streams_bidi = stream_count(value)?,
            Id::INITIAL_MAX_STREAMS_UNI => self.initial_max_streams_uni = stream_count(value)?,
            Id::ACK_DELAY_EXPONENT => {
                let exponent = u8::try_from(value).ok().filter(|value| *value <= 20);
                self.ack_delay_exponent = exponent.ok_or(bad("ack_delay_exponent above 20"))?;
            }
            Id::MAX_ACK_DELAY if value >= 1 << 14 => return Err(bad("max_ack_delay of 2^14 ms")),
            Id::MAX_ACK_DELAY => self.max_ack_delay = Duration::from_millis(value),
            // RFC 9000 18.2 #9
            Id::ACTIVE_CONNECTION_ID_LIMIT if value < 2 => {
                return Err(bad("active_connection_id_limit below 2"));
            }
            Id::ACTIVE_CONNECTION_ID_LIMIT => self.active_connection_id_limit = value,
            Id::MAX_DATAGRAM_FRAME_SIZE => self.max_datagram_frame_size = value,
            Id::MIN_ACK_DELAY => self.min_ack_delay = Some(Duration::from_micros(value)),
            _ => {}
        }
        Ok(())
    }

    /// Checks what depends on more than one parameter.
    fn check(&self) -> Result<(), TransportError> {
        if self
            .min_ack_delay
            .is_some_and(|min| min > self.max_ack_delay)
        {
            return Err(bad("min_ack_delay above max_ack_delay"));
        }
        // RFC 9000 18.2 #7
        let without_id = self
            .initial_source_connection_id
            .is_some_and(|id| id.is_empty());
        if without_id && self.preferred_address.is_some() {
            return Err(bad("preferred_address without connection ids"));
        }
        Ok(())
    }
}

const fn is_server_only(id: u64) -> bool {
    matches!(
        id,
        Id::ORIGINAL_DESTINATION_CONNECTION_ID
            | Id::STATELESS_RESET_TOKEN
            | Id::PREFERRED_ADDRESS
            | Id::RETRY_SOURCE_CONNECTION_ID
    )
}

pub(super) const fn bad(reason: &'static str) -> TransportError {
    TransportError::transport_parameter(reason)
}

fn truncated(_: Truncated) -> TransportError {
    bad("truncated transport parameter")
}

fn int(value: &[u8]) -> Result<u64, TransportError> {
    let mut reader = Reader::new(value);
    let int = reader.varint().map_err(truncated)?;
    match reader.is_empty() {
        true => Ok(int),
        false => Err(bad("transport parameter too long")),
    }
}

fn flag(value: &[u8]) -> Result<bool, TransportError> {
    match value.is_empty() {
        true => Ok(true),
        false => Err(bad("transport parameter with a value")),
    }
}

fn connection_id(value: &[u8]) -> Result<ConnectionId, TransportError> {
    ConnectionId::new(value).ok_or(bad("connection id too long"))
}

// RFC 9000 4.6 #1
fn stream_count(value: u64) -> Result<u64, TransportError> {
    match value <= StreamId::MAX_STREAMS {
        true => Ok(value),
        false => Err(bad("more than 2^60 streams")),
    }
}

fn preferred_address(value: &[u8]) -> Result<PreferredAddress, TransportError> {
    let parse = || -> Result<_, Truncated> {
        let mut reader = Reader::new(value);
        let v4 = SocketAddrV4::new(Ipv4Addr::from(reader.array::<4>()?), reader.u16()?);
        let ip = Ipv6Addr::from(reader.array::<16>()?);
        let v6 = SocketAddrV6::new(ip, reader.u16()?, 0, 0);
        let len = usize::from(reader.u8()?);
        let id = reader.bytes(len)?;
        let token = reader.array()?;
        Ok((v4, v6, id, token, reader.is_empty()))
    };
    let (v4, v6, id, stateless_reset_token, at_end) = parse().map_err(truncated)?;
    // RFC 9000 18.2 #7
    if id.is_empty() || !at_end {
        return Err(bad("preferred_address"));
    }
    Ok(PreferredAddress {
        v4,
        v6,
        connection_id: connection_id(id)?,
        stateless_reset_token,
    })
}
