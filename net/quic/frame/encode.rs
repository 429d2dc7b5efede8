// SPDX-License-Identifier: GPL-2.0

//! The encoder of frames: every field in its shortest form.

#![forbid(unsafe_code)]

use super::{
    CloseFrame,
    Frame,
    FrameType,
    NewConnectionId, //
};
use crate::common::{
    varint,
    Dir,
    NoSpace,
    Writer, //
};

impl Frame<'_> {
    /// The type as written.  STREAM and DATAGRAM frames always carry their length.
    pub fn frame_type(&self) -> u64 {
        match self {
            Frame::Padding { .. } => FrameType::PADDING,
            Frame::Ping => FrameType::PING,
            Frame::Ack(ack) => ack.frame_type(),
            Frame::ResetStream { .. } => FrameType::RESET_STREAM,
            Frame::ResetStreamAt { .. } => FrameType::RESET_STREAM_AT,
            Frame::StopSending { .. } => FrameType::STOP_SENDING,
            Frame::Crypto(_) => FrameType::CRYPTO,
            Frame::NewToken { .. } => FrameType::NEW_TOKEN,
            Frame::Stream(frame) => stream_type(frame.offset, frame.fin, true),
            Frame::MaxData { .. } => FrameType::MAX_DATA,
            Frame::MaxStreamData { .. } => FrameType::MAX_STREAM_DATA,
            Frame::MaxStreams { dir: Dir::Bidi, .. } => FrameType::MAX_STREAMS_BIDI,
            Frame::MaxStreams { dir: Dir::Uni, .. } => FrameType::MAX_STREAMS_UNI,
            Frame::DataBlocked { .. } => FrameType::DATA_BLOCKED,
            Frame::StreamDataBlocked { .. } => FrameType::STREAM_DATA_BLOCKED,
            Frame::StreamsBlocked { dir: Dir::Bidi, .. } => FrameType::STREAMS_BLOCKED_BIDI,
            Frame::StreamsBlocked { dir: Dir::Uni, .. } => FrameType::STREAMS_BLOCKED_UNI,
            Frame::NewConnectionId(_) => FrameType::NEW_CONNECTION_ID,
            Frame::RetireConnectionId { .. } => FrameType::RETIRE_CONNECTION_ID,
            Frame::PathChallenge { .. } => FrameType::PATH_CHALLENGE,
            Frame::PathResponse { .. } => FrameType::PATH_RESPONSE,
            Frame::ConnectionClose(CloseFrame { app: false, .. }) => FrameType::CONNECTION_CLOSE,
            Frame::ConnectionClose(CloseFrame { app: true, .. }) => FrameType::CONNECTION_CLOSE_APP,
            Frame::HandshakeDone => FrameType::HANDSHAKE_DONE,
            Frame::Datagram(_) => FrameType::DATAGRAM_LEN,
            Frame::AckFrequency(_) => FrameType::ACK_FREQUENCY,
            Frame::ImmediateAck => FrameType::IMMEDIATE_ACK,
        }
    }

    /// Bytes that [`Frame::encode`] writes.
    pub fn encoded_len(&self) -> usize {
        if let Frame::Padding { len } = self {
            return *len;
        }
        let body = match self {
            Frame::Ack(ack) => ack.encoded_len(),
            Frame::NewConnectionId(frame) => new_connection_id_len(frame),
            Frame::PathChallenge { data } | Frame::PathResponse { data } => data.len(),
            _ => {
                let (fields, bytes) = self.fields();
                let fields = fields.iter().flatten().map(|field| varint::size(*field));
                // CAST: a length fits into 64 bits.
                let bytes = bytes.map_or(0, |bytes| {
                    varint::size(bytes.len() as u64).saturating_add(bytes.len())
                });
                fields.fold(bytes, usize::saturating_add)
            }
        };
        varint::size(self.frame_type()).saturating_add(body)
    }

    /// Writes the frame, or nothing when it does not fit.
    pub fn encode(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        let start = writer.position();
        self.put(writer).inspect_err(|_| writer.rewind(start))
    }

    fn put(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        if let Frame::Padding { len } = self {
            return writer.put_fill(0, *len);
        }
        writer.put_varint(self.frame_type())?;
        match self {
            Frame::Ack(ack) => ack.encode(writer),
            Frame::NewConnectionId(frame) => put_new_connection_id(frame, writer),
            Frame::PathChallenge { data } | Frame::PathResponse { data } => writer.put_bytes(data),
            _ => {
                let (fields, bytes) = self.fields();
                for field in fields.into_iter().flatten() {
                    writer.put_varint(field)?;
                }
                match bytes {
                    Some(bytes) => writer.put_varint_bytes(bytes),
                    None => Ok(()),
                }
            }
        }
    }

    /// The frames that are a few integers, and perhaps bytes with their length behind them.
    fn fields(&self) -> ([Option<u64>; 4], Option<&[u8]>) {
        let none = [None; 4];
        match *self {
            Frame::ResetStream {
                id,
                code,
                final_size,
            } => ([Some(id.raw()), Some(code), Some(final_size), None], None),
            Frame::ResetStreamAt {
                id,
                code,
                final_size,
                reliable_size,
            } => (
                [
                    Some(id.raw()),
                    Some(code),
                    Some(final_size),
                    Some(reliable_size),
                ],
                None,
            ),
            Frame::StopSending { id, code } => (two(id.raw(), code), None),
            Frame::Crypto(frame) => (one(frame.offset), Some(frame.data)),
            Frame::NewToken { token } => (none, Some(token)),
            Frame::Stream(frame) => {
                let offset = (frame.offset != 0).then_some(frame.offset);
                ([Some(frame.id.raw()), offset, None, None], Some(frame.data))
            }
            Frame::MaxData { max } | Frame::MaxStreams { max, .. } => (one(max), None),
            Frame::MaxStreamData { id, max } => (two(id.raw(), max), None),
            Frame::DataBlocked { limit } | Frame::StreamsBlocked { limit, .. } => {
                (one(limit), None)
            }
            Frame::StreamDataBlocked { id, limit } => (two(id.raw(), limit), None),
            Frame::RetireConnectionId { seq } => (one(seq), None),
            Frame::ConnectionClose(frame) => {
                let frame_type = (!frame.app).then_some(frame.frame);
                (
                    [Some(frame.code.0), frame_type, None, None],
                    Some(frame.reason),
                )
            }
            Frame::Datagram(frame) => (none, Some(frame.data)),
            Frame::AckFrequency(frame) => (
                [
                    Some(frame.seq),
                    Some(frame.threshold),
                    Some(frame.max_ack_delay),
                    Some(frame.reordering_threshold),
                ],
                None,
            ),
            Frame::Padding { .. }
            | Frame::Ping
            | Frame::Ack(_)
            | Frame::NewConnectionId(_)
            | Frame::PathChallenge { .. }
            | Frame::PathResponse { .. }
            | Frame::HandshakeDone
            | Frame::ImmediateAck => (none, None),
        }
    }
}

/// The type of a STREAM frame.
pub const fn stream_type(offset: u64, fin: bool, with_len: bool) -> u64 {
    let fin = if fin { FrameType::STREAM_FIN } else { 0 };
    let len = if with_len { FrameType::STREAM_LEN } else { 0 };
    let off = if offset == 0 {
        0
    } else {
        FrameType::STREAM_OFF
    };
    FrameType::STREAM | off | len | fin
}

const fn one(field: u64) -> [Option<u64>; 4] {
    [Some(field), None, None, None]
}

const fn two(first: u64, second: u64) -> [Option<u64>; 4] {
    [Some(first), Some(second), None, None]
}

fn new_connection_id_len(frame: &NewConnectionId) -> usize {
    let length_byte = 1usize;
    varint::size(frame.seq)
        .saturating_add(varint::size(frame.retire_prior_to))
        .saturating_add(length_byte)
        .saturating_add(frame.id.len())
        .saturating_add(frame.token.len())
}

fn put_new_connection_id(frame: &NewConnectionId, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
    writer.put_varint(frame.seq)?;
    writer.put_varint(frame.retire_prior_to)?;
    // CAST: at most 20.
    writer.put_u8(frame.id.len() as u8)?;
    writer.put_bytes(frame.id.as_slice())?;
    writer.put_bytes(&frame.token)
}
