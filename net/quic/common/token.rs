// SPDX-License-Identifier: GPL-2.0

//! What a sent packet carried, as small tokens instead of bytes.
//!
//! When a packet is acknowledged or lost, each token goes back to the component that wrote the
//! frame, which decides what to write again (RFC 9000 section 13.3).

#![forbid(unsafe_code)]

use super::{
    id::{
        Dir,
        StreamId, //
    },
    inline::InlineVec,
};

/// One frame of a sent packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// CRYPTO data of the packet's level.
    Crypto {
        /// Offset of the first byte.
        off: u64,
        /// Number of bytes.
        len: u32,
    },
    /// STREAM data.
    Stream {
        /// The stream.
        id: StreamId,
        /// Offset of the first byte.
        off: u64,
        /// Number of bytes.
        len: u32,
        /// The frame ended the stream.
        fin: bool,
    },
    /// RESET_STREAM or RESET_STREAM_AT.
    ResetStream {
        /// The stream.
        id: StreamId,
        /// Bytes delivered nevertheless; 0 for RESET_STREAM.
        reliable: u64,
    },
    /// STOP_SENDING.
    StopSending {
        /// The stream.
        id: StreamId,
    },
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
    /// MAX_STREAMS.
    MaxStreams {
        /// The kind of stream.
        dir: Dir,
        /// The limit as a count of streams.
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
    /// STREAMS_BLOCKED.
    StreamsBlocked {
        /// The kind of stream.
        dir: Dir,
        /// The limit that blocks.
        limit: u64,
    },
    /// NEW_CONNECTION_ID.
    NewConnectionId {
        /// Its sequence number.
        seq: u64,
    },
    /// RETIRE_CONNECTION_ID.
    RetireConnectionId {
        /// The sequence number retired.
        seq: u64,
    },
    /// HANDSHAKE_DONE.
    HandshakeDone,
    /// NEW_TOKEN.
    NewToken,
    /// ACK; when it is acknowledged, packets up to `largest` need no further mention.
    Ack {
        /// Largest Acknowledged of the frame.
        largest: u64,
    },
    /// PATH_CHALLENGE.
    PathChallenge,
    /// PATH_RESPONSE.
    PathResponse,
    /// PING.
    Ping,
    /// DATAGRAM (RFC 9221); never sent again.
    Datagram,
    /// A probe of the path's maximum datagram size (RFC 8899).
    MtuProbe {
        /// Size of the datagram.
        size: u16,
    },
    /// ACK_FREQUENCY.
    AckFrequency {
        /// Its sequence number.
        seq: u64,
    },
    /// CONNECTION_CLOSE.
    Close,
}

/// The tokens of one packet.  Three fit without memory of their own: an ACK, the data of a stream
/// and one control frame.
pub type Tokens = InlineVec<Token, 3>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_at_most_32_bytes() {
        assert!(size_of::<Token>() <= 32);
        assert_eq!(size_of::<Option<Token>>(), size_of::<Token>());
    }
}
