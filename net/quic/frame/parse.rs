// SPDX-License-Identifier: GPL-2.0

//! The decoder of frames.

#![forbid(unsafe_code)]

use super::{
    AckFrame,
    AckFrequency,
    CloseFrame,
    CryptoFrame,
    DatagramFrame,
    Frame,
    FrameType,
    NewConnectionId,
    StreamFrame, //
};
use crate::common::{
    varint,
    ConnectionId,
    Dir,
    ErrorCode,
    Reader,
    StreamId,
    TransportError,
    Truncated,
    VarInt, //
};

impl<'a> Frame<'a> {
    /// Parses the next frame of a packet's payload; the reader is not empty.
    ///
    /// Errors name the type of the frame.  A run of PADDING is one frame here.
    #[inline]
    pub fn parse(reader: &mut Reader<'a>) -> Result<Frame<'a>, TransportError> {
        let ty = frame_type(reader)?;
        // Almost every frame is one of stream data: no detour for it.
        let result = if ty & !7 == FrameType::STREAM {
            stream(reader, ty)
        } else {
            body(reader, ty)
        };
        result.map_err(|error| error.in_frame(ty))
    }
}

// What is cut short is badly formatted.
impl From<Truncated> for TransportError {
    fn from(_: Truncated) -> Self {
        TransportError::frame_encoding("truncated frame")
    }
}

/// Reads the type, which is to be in its shortest form.
fn frame_type(reader: &mut Reader<'_>) -> Result<u64, TransportError> {
    let before = reader.remaining();
    let ty = reader.varint()?;
    // RFC 9000 12.4 #5, RFC 9000 12.4 #6
    if before.saturating_sub(reader.remaining()) != varint::size(ty) {
        return Err(
            TransportError::protocol_violation("frame type not in its shortest form").in_frame(ty),
        );
    }
    Ok(ty)
}

fn body<'a>(reader: &mut Reader<'a>, ty: u64) -> Result<Frame<'a>, TransportError> {
    Ok(match ty {
        FrameType::PADDING => Frame::Padding {
            len: reader.skip_zeros().saturating_add(1),
        },
        FrameType::PING => Frame::Ping,
        FrameType::ACK => Frame::Ack(AckFrame::parse(reader, false)?),
        FrameType::ACK_ECN => Frame::Ack(AckFrame::parse(reader, true)?),
        FrameType::RESET_STREAM => Frame::ResetStream {
            id: stream_id(reader)?,
            code: reader.varint()?,
            final_size: reader.varint()?,
        },
        FrameType::STOP_SENDING => Frame::StopSending {
            id: stream_id(reader)?,
            code: reader.varint()?,
        },
        FrameType::CRYPTO => crypto(reader)?,
        FrameType::NEW_TOKEN => new_token(reader)?,
        FrameType::CONNECTION_CLOSE | FrameType::CONNECTION_CLOSE_APP => close(reader, ty)?,
        FrameType::HANDSHAKE_DONE => Frame::HandshakeDone,
        FrameType::MAX_DATA..=FrameType::STREAMS_BLOCKED_UNI => flow_control(reader, ty)?,
        FrameType::NEW_CONNECTION_ID => new_connection_id(reader)?,
        FrameType::RETIRE_CONNECTION_ID => Frame::RetireConnectionId {
            seq: reader.varint()?,
        },
        FrameType::PATH_CHALLENGE => Frame::PathChallenge {
            data: reader.array()?,
        },
        FrameType::PATH_RESPONSE => Frame::PathResponse {
            data: reader.array()?,
        },
        FrameType::DATAGRAM | FrameType::DATAGRAM_LEN => datagram(reader, ty)?,
        FrameType::RESET_STREAM_AT => reset_stream_at(reader)?,
        FrameType::IMMEDIATE_ACK => Frame::ImmediateAck,
        FrameType::ACK_FREQUENCY => Frame::AckFrequency(AckFrequency {
            seq: reader.varint()?,
            threshold: reader.varint()?,
            max_ack_delay: reader.varint()?,
            reordering_threshold: reader.varint()?,
        }),
        // RFC 9000 12.4 #4
        _ => return Err(TransportError::frame_encoding("unknown frame type")),
    })
}

fn flow_control<'a>(reader: &mut Reader<'a>, ty: u64) -> Result<Frame<'a>, TransportError> {
    Ok(match ty {
        FrameType::MAX_DATA => Frame::MaxData {
            max: reader.varint()?,
        },
        FrameType::MAX_STREAM_DATA => Frame::MaxStreamData {
            id: stream_id(reader)?,
            max: reader.varint()?,
        },
        FrameType::MAX_STREAMS_BIDI | FrameType::MAX_STREAMS_UNI => Frame::MaxStreams {
            dir: dir(ty),
            max: stream_count(reader)?,
        },
        FrameType::DATA_BLOCKED => Frame::DataBlocked {
            limit: reader.varint()?,
        },
        FrameType::STREAM_DATA_BLOCKED => Frame::StreamDataBlocked {
            id: stream_id(reader)?,
            limit: reader.varint()?,
        },
        _ => Frame::StreamsBlocked {
            dir: dir(ty),
            limit: stream_count(reader)?,
        },
    })
}

fn stream_id(reader: &mut Reader<'_>) -> Result<StreamId, Truncated> {
    // Any variable-length integer is a stream id.
    StreamId::from_raw(reader.varint()?).ok_or(Truncated)
}

/// The low bit of MAX_STREAMS and STREAMS_BLOCKED.
fn dir(ty: u64) -> Dir {
    match ty & 1 {
        0 => Dir::Bidi,
        _ => Dir::Uni,
    }
}

/// Reads a count of streams; a larger one would lead to stream ids that cannot be written.
// RFC 9000 4.6 #1, RFC 9000 19.11 #1, RFC 9000 19.14 #2
fn stream_count(reader: &mut Reader<'_>) -> Result<u64, TransportError> {
    let count = reader.varint()?;
    if count > StreamId::MAX_STREAMS {
        return Err(TransportError::frame_encoding("more than 2^60 streams"));
    }
    Ok(count)
}

/// Checks that the last byte of data has an offset that can be written.
// RFC 9000 19.6 #1, RFC 9000 19.8 #2
fn check_end(offset: u64, data: &[u8]) -> Result<(), TransportError> {
    // CAST: a length fits into 64 bits.
    match offset.checked_add(data.len() as u64) {
        Some(end) if end <= VarInt::MAX => Ok(()),
        _ => Err(TransportError::frame_encoding("offset beyond 2^62 - 1")),
    }
}

#[inline]
fn stream<'a>(reader: &mut Reader<'a>, ty: u64) -> Result<Frame<'a>, TransportError> {
    let id = stream_id(reader)?;
    let offset = match ty & FrameType::STREAM_OFF {
        0 => 0,
        _ => reader.varint()?,
    };
    let data = match ty & FrameType::STREAM_LEN {
        0 => reader.take_rest(),
        _ => reader.varint_bytes()?,
    };
    check_end(offset, data)?;
    Ok(Frame::Stream(StreamFrame {
        id,
        offset,
        fin: ty & FrameType::STREAM_FIN != 0,
        data,
        at: reader.position().saturating_sub(data.len()),
    }))
}

fn crypto<'a>(reader: &mut Reader<'a>) -> Result<Frame<'a>, TransportError> {
    let offset = reader.varint()?;
    let data = reader.varint_bytes()?;
    check_end(offset, data)?;
    Ok(Frame::Crypto(CryptoFrame {
        offset,
        data,
        at: reader.position().saturating_sub(data.len()),
    }))
}

fn new_token<'a>(reader: &mut Reader<'a>) -> Result<Frame<'a>, TransportError> {
    let token = reader.varint_bytes()?;
    // RFC 9000 19.7 #2
    if token.is_empty() {
        return Err(TransportError::frame_encoding("empty token"));
    }
    Ok(Frame::NewToken { token })
}

fn new_connection_id<'a>(reader: &mut Reader<'a>) -> Result<Frame<'a>, TransportError> {
    let seq = reader.varint()?;
    let retire_prior_to = reader.varint()?;
    // RFC 9000 19.15 #7
    if retire_prior_to > seq {
        return Err(TransportError::frame_encoding(
            "retire_prior_to beyond the sequence number",
        ));
    }
    let len = usize::from(reader.u8()?);
    // RFC 9000 19.15 #1
    let id = match len {
        1..=ConnectionId::MAX_LEN => ConnectionId::new(reader.bytes(len)?),
        _ => None,
    };
    Ok(Frame::NewConnectionId(NewConnectionId {
        seq,
        retire_prior_to,
        id: id.ok_or(TransportError::frame_encoding(
            "length of the connection id",
        ))?,
        token: reader.array()?,
    }))
}

fn close<'a>(reader: &mut Reader<'a>, ty: u64) -> Result<Frame<'a>, TransportError> {
    let app = ty == FrameType::CONNECTION_CLOSE_APP;
    Ok(Frame::ConnectionClose(CloseFrame {
        code: ErrorCode(reader.varint()?),
        app,
        frame: if app { 0 } else { reader.varint()? },
        reason: reader.varint_bytes()?,
    }))
}

fn datagram<'a>(reader: &mut Reader<'a>, ty: u64) -> Result<Frame<'a>, TransportError> {
    let data = match ty {
        FrameType::DATAGRAM_LEN => reader.varint_bytes()?,
        _ => reader.take_rest(),
    };
    Ok(Frame::Datagram(DatagramFrame {
        data,
        at: reader.position().saturating_sub(data.len()),
    }))
}

fn reset_stream_at<'a>(reader: &mut Reader<'a>) -> Result<Frame<'a>, TransportError> {
    let id = stream_id(reader)?;
    let code = reader.varint()?;
    let final_size = reader.varint()?;
    let reliable_size = reader.varint()?;
    if reliable_size > final_size {
        return Err(TransportError::frame_encoding(
            "reliable size beyond the final size",
        ));
    }
    Ok(Frame::ResetStreamAt {
        id,
        code,
        final_size,
        reliable_size,
    })
}
