// SPDX-License-Identifier: GPL-2.0

//! Frames (RFC 9000 section 19, RFC 9221 and the drafts on acknowledgement frequency and reliable
//! stream resets): borrowed values, their decoder, their encoder, and the rules of the table in
//! RFC 9000 section 12.4.
//!
//! A frame that was parsed is well-formed: what the RFCs call a FRAME_ENCODING_ERROR cannot be
//! represented.  Whether it is legal in the state of a stream or connection is for others to say.

#![forbid(unsafe_code)]

pub mod ack;
mod encode;
mod parse;
mod rules;
#[cfg(test)]
mod tests;

pub use ack::{
    encode_ack,
    AckFrame,
    AckRanges,
    EcnCounts, //
};

pub use encode::stream_type;

use crate::common::{
    ConnectionId,
    Dir,
    ErrorCode,
    StreamId, //
};

/// Frame types.
pub struct FrameType(());

#[expect(missing_docs, reason = "the names are those of the RFCs")]
impl FrameType {
    pub const PADDING: u64 = 0x00;
    pub const PING: u64 = 0x01;
    pub const ACK: u64 = 0x02;
    pub const ACK_ECN: u64 = 0x03;
    pub const RESET_STREAM: u64 = 0x04;
    pub const STOP_SENDING: u64 = 0x05;
    pub const CRYPTO: u64 = 0x06;
    pub const NEW_TOKEN: u64 = 0x07;
    /// The first of the eight types; the flags are in the low bits.
    pub const STREAM: u64 = 0x08;
    pub const STREAM_FIN: u64 = 0x01;
    pub const STREAM_LEN: u64 = 0x02;
    pub const STREAM_OFF: u64 = 0x04;
    pub const MAX_DATA: u64 = 0x10;
    pub const MAX_STREAM_DATA: u64 = 0x11;
    pub const MAX_STREAMS_BIDI: u64 = 0x12;
    pub const MAX_STREAMS_UNI: u64 = 0x13;
    pub const DATA_BLOCKED: u64 = 0x14;
    pub const STREAM_DATA_BLOCKED: u64 = 0x15;
    pub const STREAMS_BLOCKED_BIDI: u64 = 0x16;
    pub const STREAMS_BLOCKED_UNI: u64 = 0x17;
    pub const NEW_CONNECTION_ID: u64 = 0x18;
    pub const RETIRE_CONNECTION_ID: u64 = 0x19;
    pub const PATH_CHALLENGE: u64 = 0x1a;
    pub const PATH_RESPONSE: u64 = 0x1b;
    pub const CONNECTION_CLOSE: u64 = 0x1c;
    pub const CONNECTION_CLOSE_APP: u64 = 0x1d;
    pub const HANDSHAKE_DONE: u64 = 0x1e;
    pub const IMMEDIATE_ACK: u64 = 0x1f;
    pub const RESET_STREAM_AT: u64 = 0x24;
    pub const DATAGRAM: u64 = 0x30;
    pub const DATAGRAM_LEN: u64 = 0x31;
    pub const ACK_FREQUENCY: u64 = 0xaf;
}

/// A frame, borrowed from the packet it came in or from what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A run of PADDING frames.
    Padding {
        /// How many.
        len: usize,
    },
    /// PING.
    Ping,
    /// ACK, of either type.
    Ack(AckFrame<'a>),
    /// RESET_STREAM.
    ResetStream {
        /// The stream.
        id: StreamId,
        /// The application's error code.
        code: u64,
        /// The final size in bytes.
        final_size: u64,
    },
    /// RESET_STREAM_AT.
    ResetStreamAt {
        /// The stream.
        id: StreamId,
        /// The application's error code.
        code: u64,
        /// The final size in bytes.
        final_size: u64,
        /// Bytes to be delivered nevertheless; at most the final size.
        reliable_size: u64,
    },
    /// STOP_SENDING.
    StopSending {
        /// The stream.
        id: StreamId,
        /// The application's error code.
        code: u64,
    },
    /// CRYPTO.
    Crypto(CryptoFrame<'a>),
    /// NEW_TOKEN.
    NewToken {
        /// Not empty.
        token: &'a [u8],
    },
    /// STREAM, of any of the eight types.
    Stream(StreamFrame<'a>),
    /// MAX_DATA.
    MaxData {
        /// The limit in bytes.
        max: u64,
    },
    /// MAX_STREAM_DATA.
    MaxStreamData {
        /// The stream.
        id: StreamId,
        /// The limit in bytes.
        max: u64,
    },
    /// MAX_STREAMS, of either type.
    MaxStreams {
        /// The kind of stream.
        dir: Dir,
        /// The limit as a count, at most 2^60.
        max: u64,
    },
    /// DATA_BLOCKED.
    DataBlocked {
        /// The limit that blocks.
        limit: u64,
    },
    /// STREAM_DATA_BLOCKED.
    StreamDataBlocked {
        /// The stream.
        id: StreamId,
        /// The limit that blocks.
        limit: u64,
    },
    /// STREAMS_BLOCKED, of either type.
    StreamsBlocked {
        /// The kind of stream.
        dir: Dir,
        /// The limit that blocks, at most 2^60.
        limit: u64,
    },
    /// NEW_CONNECTION_ID.
    NewConnectionId(NewConnectionId),
    /// RETIRE_CONNECTION_ID.
    RetireConnectionId {
        /// The sequence number.
        seq: u64,
    },
    /// PATH_CHALLENGE.
    PathChallenge {
        /// What the response must repeat.
        data: [u8; 8],
    },
    /// PATH_RESPONSE.
    PathResponse {
        /// What the challenge said.
        data: [u8; 8],
    },
    /// CONNECTION_CLOSE, of either type.
    ConnectionClose(CloseFrame<'a>),
    /// HANDSHAKE_DONE.
    HandshakeDone,
    /// DATAGRAM, of either type.
    Datagram(DatagramFrame<'a>),
    /// ACK_FREQUENCY.
    AckFrequency(AckFrequency),
    /// IMMEDIATE_ACK.
    ImmediateAck,
}

/// CRYPTO (RFC 9000 section 19.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CryptoFrame<'a> {
    /// Offset of the first byte; the end is at most 2^62 - 1.
    pub offset: u64,
    /// The bytes.
    pub data: &'a [u8],
    /// Where the bytes are in what the reader was made over, so that they can be retained.
    pub at: usize,
}

/// STREAM (RFC 9000 section 19.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamFrame<'a> {
    /// The stream.
    pub id: StreamId,
    /// Offset of the first byte; the end is at most 2^62 - 1.
    pub offset: u64,
    /// The stream ends behind these bytes.
    pub fin: bool,
    /// The bytes.
    pub data: &'a [u8],
    /// Where the bytes are in what the reader was made over, so that they can be retained.
    pub at: usize,
}

/// NEW_CONNECTION_ID (RFC 9000 section 19.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewConnectionId {
    /// Sequence number.
    pub seq: u64,
    /// Connection ids below this are to be retired; at most `seq`.
    pub retire_prior_to: u64,
    /// 1 to 20 bytes.
    pub id: ConnectionId,
    /// The stateless reset token.
    pub token: [u8; 16],
}

/// CONNECTION_CLOSE (RFC 9000 section 19.19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// The error code; the application's when `app` is set.
    pub code: ErrorCode,
    /// Sent by the application (type 0x1d).
    pub app: bool,
    /// The type of the frame that caused the error; zero when unknown or from the application.
    pub frame: u64,
    /// A phrase for people, most likely UTF-8.
    pub reason: &'a [u8],
}

/// DATAGRAM (RFC 9221 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramFrame<'a> {
    /// The application's bytes.
    pub data: &'a [u8],
    /// Where the bytes are in what the reader was made over, so that they can be retained.
    pub at: usize,
}

/// ACK_FREQUENCY (draft-ietf-quic-ack-frequency section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckFrequency {
    /// Sequence number; an older frame is ignored.
    pub seq: u64,
    /// Ack-eliciting packets that may arrive without an answer.
    pub threshold: u64,
    /// The requested max_ack_delay in microseconds.
    pub max_ack_delay: u64,
    /// Packets out of order that ask for an immediate answer.
    pub reordering_threshold: u64,
}
