// SPDX-License-Identifier: GPL-2.0

//! Numbers of the user interface, from `include/uapi/linux/quic.h` and the kernel's own headers.
//!
//! They come through bindgen, so that the header stays the only place that defines them.

#![allow(unreachable_pub, reason = "one list for the whole crate")]

use super::bindings;

pub use super::bindings::{
    MSG_BATCH,
    MSG_DONTWAIT,
    MSG_EOR,
    MSG_MORE,
    MSG_NOSIGNAL,
    MSG_PEEK,
    MSG_QUIC_DATAGRAM,
    MSG_QUIC_NOTIFICATION,
    MSG_QUIC_STREAM_DONTWAIT,
    MSG_QUIC_STREAM_FIN,
    MSG_QUIC_STREAM_NEW,
    MSG_QUIC_STREAM_SNDBLOCK,
    MSG_QUIC_STREAM_UNI,
    MSG_WAITALL,
    QUIC_INFO_APP_CLOSED,
    QUIC_INFO_CONFIRMED,
    QUIC_INFO_ECN,
    QUIC_INFO_PEER_CLOSED,
    QUIC_INFO_RESET,
    QUIC_INFO_SERVER,
    QUIC_INFO_SLOW_START,
    QUIC_INFO_TIMED_OUT,
    QUIC_INFO_VALIDATED, //
};

macro_rules! signed {
    ($($name:ident),* $(,)?) => {
        $(
            /// As in the C header.
            // CAST: small constants, of C's `int` where they are used.
            pub const $name: i32 = bindings::$name as i32;
        )*
    };
}

signed! {
    SOL_QUIC,
    QUIC_SOCKOPT_EVENT,
    QUIC_SOCKOPT_STREAM_OPEN,
    QUIC_SOCKOPT_STREAM_RESET,
    QUIC_SOCKOPT_STREAM_STOP_SENDING,
    QUIC_SOCKOPT_CONNECTION_ID,
    QUIC_SOCKOPT_CONNECTION_CLOSE,
    QUIC_SOCKOPT_CONNECTION_MIGRATION,
    QUIC_SOCKOPT_KEY_UPDATE,
    QUIC_SOCKOPT_TRANSPORT_PARAM,
    QUIC_SOCKOPT_CONFIG,
    QUIC_SOCKOPT_TOKEN,
    QUIC_SOCKOPT_ALPN,
    QUIC_SOCKOPT_SESSION_TICKET,
    QUIC_SOCKOPT_CRYPTO_SECRET,
    QUIC_SOCKOPT_TRANSPORT_PARAM_EXT,
    QUIC_SOCKOPT_INFO,
    QUIC_SOCKOPT_SERVER_NAME,
    QUIC_SOCKOPT_STREAM_RESET_AT,
    QUIC_SOCKOPT_STREAM_PRIORITY,
}

/// Control message with a stream's id and flags.
pub const QUIC_STREAM_INFO: i32 = bindings::quic_cmsg_type_QUIC_STREAM_INFO as i32;
/// Control message with the level of handshake data.
pub const QUIC_HANDSHAKE_INFO: i32 = bindings::quic_cmsg_type_QUIC_HANDSHAKE_INFO as i32;

/// `IPPROTO_QUIC`.
pub const IPPROTO_QUIC: u16 = bindings::IPPROTO_QUIC as u16;

/// Bits of the poll mask.
pub mod poll {
    pub use super::bindings::{
        POLLERR,
        POLLHUP,
        POLLIN,
        POLLOUT,
        POLLRDHUP,
        POLLRDNORM,
        POLLWRNORM, //
    };
}

/// `SHUT_RD`, an enumerator in a private kernel header.
pub const SHUT_RD: i32 = 0;
