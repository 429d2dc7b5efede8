// SPDX-License-Identifier: GPL-2.0

//! The encoder of transport parameters: only what differs from its default, in the order that
//! programs written for the C module have seen, and less than 256 bytes, which is the buffer of
//! some of them.

#![forbid(unsafe_code)]

use super::{
    Id,
    PreferredAddress,
    TransportParams, //
};
use crate::common::{
    varint,
    ConnectionId,
    NoSpace,
    Side,
    Writer, //
};

impl TransportParams {
    /// Writes the parameters of an endpoint on `side`, or nothing when they do not fit.
    // RFC 9000 7.4 #2, RFC 9000 18.2 #1, RFC 9000 18.2 #10
    pub fn encode(&self, side: Side, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        let start = writer.position();
        self.put(side, writer).inspect_err(|_| writer.rewind(start))
    }

    fn put(&self, side: Side, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        if side.is_server() {
            self.put_server(writer)?;
        }
        put_id(
            writer,
            Id::INITIAL_SOURCE_CONNECTION_ID,
            &self.initial_source_connection_id,
        )?;
        self.put_limits(writer)?;
        put_int(
            writer,
            Id::ACK_DELAY_EXPONENT,
            self.ack_delay_exponent.into(),
            3,
        )?;
        put_flag(
            writer,
            Id::DISABLE_ACTIVE_MIGRATION,
            self.disable_active_migration,
        )?;
        put_flag(
            writer,
            Id::DISABLE_1RTT_ENCRYPTION,
            self.disable_1rtt_encryption,
        )?;
        if let Some(versions) = &self.version_information {
            let mut bytes = [0; super::VersionInformation::MAX_BYTES];
            let mut value = Writer::new(&mut bytes);
            versions.encode(&mut value)?;
            put_bytes(writer, Id::VERSION_INFORMATION, value.written())?;
        }
        put_flag(writer, Id::GREASE_QUIC_BIT, self.grease_quic_bit)?;
        put_int(
            writer,
            Id::MAX_ACK_DELAY,
            self.max_ack_delay.as_millis(),
            25,
        )?;
        put_int(
            writer,
            Id::MAX_IDLE_TIMEOUT,
            self.max_idle_timeout.as_millis(),
            0,
        )?;
        put_int(
            writer,
            Id::ACTIVE_CONNECTION_ID_LIMIT,
            // RFC 9000 18.2 #8
            self.active_connection_id_limit.max(2),
            2,
        )?;
        put_int(
            writer,
            Id::MAX_DATAGRAM_FRAME_SIZE,
            self.max_datagram_frame_size,
            0,
        )?;
        if let Some(delay) = self.min_ack_delay {
            put_int(writer, Id::MIN_ACK_DELAY, delay.as_micros(), u64::MAX)?;
        }
        put_flag(writer, Id::RESET_STREAM_AT, self.reset_stream_at)?;
        // What means nothing shall not be the reason why the rest does not fit.
        let end = writer.position();
        let _ = self.put_grease(writer).inspect_err(|_| writer.rewind(end));
        Ok(())
    }

    fn put_server(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        put_id(
            writer,
            Id::ORIGINAL_DESTINATION_CONNECTION_ID,
            &self.original_destination_connection_id,
        )?;
        if let Some(token) = &self.stateless_reset_token {
            put_bytes(writer, Id::STATELESS_RESET_TOKEN, token)?;
        }
        put_id(
            writer,
            Id::RETRY_SOURCE_CONNECTION_ID,
            &self.retry_source_connection_id,
        )?;
        // RFC 9000 18.2 #5, RFC 9000 18.2 #6
        let own = self.initial_source_connection_id;
        match &self.preferred_address {
            Some(address) if !address.connection_id.is_empty() => match own {
                Some(id) if id.is_empty() => Ok(()),
                _ => put_preferred(writer, address),
            },
            _ => Ok(()),
        }
    }

    fn put_limits(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        let table = [
            (
                Id::INITIAL_MAX_STREAM_DATA_BIDI_LOCAL,
                self.initial_max_stream_data_bidi_local,
            ),
            (
                Id::INITIAL_MAX_STREAM_DATA_BIDI_REMOTE,
                self.initial_max_stream_data_bidi_remote,
            ),
            (
                Id::INITIAL_MAX_STREAM_DATA_UNI,
                self.initial_max_stream_data_uni,
            ),
            (Id::INITIAL_MAX_DATA, self.initial_max_data),
            (Id::INITIAL_MAX_STREAMS_BIDI, self.initial_max_streams_bidi),
            (Id::INITIAL_MAX_STREAMS_UNI, self.initial_max_streams_uni),
        ];
        for (id, value) in table {
            put_int(writer, id, value, 0)?;
        }
        put_int(
            writer,
            Id::MAX_UDP_PAYLOAD_SIZE,
            self.max_udp_payload_size,
            65_527,
        )
    }

    /// A parameter of the form 31 * N + 27 means nothing (RFC 9000 section 18.1).
    fn put_grease(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        let Some(random) = self.grease else {
            return Ok(());
        };
        let bytes = random.to_be_bytes();
        let id = (random & 0xff_ffff).saturating_mul(31).saturating_add(27);
        // CAST: 0 to 7.
        let len = (random >> 61) as usize;
        put_bytes(writer, id, bytes.get(..len).unwrap_or_default())
    }
}

fn put_bytes(writer: &mut Writer<'_>, id: u64, bytes: &[u8]) -> Result<(), NoSpace> {
    writer.put_varint(id)?;
    writer.put_varint_bytes(bytes)
}

fn put_flag(writer: &mut Writer<'_>, id: u64, set: bool) -> Result<(), NoSpace> {
    match set {
        true => put_bytes(writer, id, &[]),
        false => Ok(()),
    }
}

fn put_id(writer: &mut Writer<'_>, id: u64, value: &Option<ConnectionId>) -> Result<(), NoSpace> {
    match value {
        Some(value) => put_bytes(writer, id, value.as_slice()),
        None => Ok(()),
    }
}

fn put_int(writer: &mut Writer<'_>, id: u64, value: u64, default: u64) -> Result<(), NoSpace> {
    if value == default {
        return Ok(());
    }
    writer.put_varint(id)?;
    // CAST: at most 8.
    writer.put_varint(varint::size(value) as u64)?;
    writer.put_varint(value)
}

fn put_preferred(writer: &mut Writer<'_>, address: &PreferredAddress) -> Result<(), NoSpace> {
    let mut bytes = [0; PREFERRED_FIXED + ConnectionId::MAX_LEN];
    let mut value = Writer::new(&mut bytes);
    value.put_bytes(&address.v4.ip().octets())?;
    value.put_u16(address.v4.port())?;
    value.put_bytes(&address.v6.ip().octets())?;
    value.put_u16(address.v6.port())?;
    // CAST: at most 20.
    value.put_u8(address.connection_id.len() as u8)?;
    value.put_bytes(address.connection_id.as_slice())?;
    value.put_bytes(&address.stateless_reset_token)?;
    put_bytes(writer, Id::PREFERRED_ADDRESS, value.written())
}

/// Bytes of a preferred address besides the connection id.
const PREFERRED_FIXED: usize = 4 + 2 + 16 + 2 + 1 + 16;
