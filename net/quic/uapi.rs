// SPDX-License-Identifier: GPL-2.0

//! The structures of the user interface, taken apart and put together by field.
//!
//! Programs are built with several versions of the header: every structure may come shorter or
//! longer than it is here. It is read zero-extended and written cut to the room there is
//! (`linux::net::sockopt`), so decoding never fails.

#![forbid(unsafe_code)]

pub(crate) use crate::linux::uapi::*;

/// Declares a structure with the offsets of its fields, in bytes, as the C header has them.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident: $size:literal { $($field:ident: $ty:ty = $at:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, Debug)]
        pub(crate) struct $name {
            $(pub(crate) $field: $ty,)*
        }

        #[allow(dead_code, reason = "most structures go one way only")]
        impl $name {
            /// Size of the C structure.
            pub(crate) const SIZE: usize = $size;

            /// Takes the C structure apart. Missing bytes at the end are zeroes.
            pub(crate) fn decode(bytes: &[u8]) -> Self {
                Self {
                    $($field: <$ty>::from_ne_bytes(take(bytes, $at)),)*
                }
            }

            /// Puts the C structure together; padding and reserved fields are zero.
            pub(crate) fn encode(&self) -> [u8; $size] {
                let mut bytes = [0; $size];
                $(put(&mut bytes, $at, &self.$field.to_ne_bytes());)*
                bytes
            }
        }
    };
}

record! {
    /// `struct quic_stream_info`.
    StreamInfo: 16 {
        stream_id: i64 = 0,
        stream_flags: u32 = 8,
    }
}

record! {
    /// `struct quic_errinfo`.
    ErrInfo: 16 {
        stream_id: i64 = 0,
        errcode: u32 = 8,
    }
}

record! {
    /// `struct quic_stream_reset_at`.
    StreamResetAt: 24 {
        stream_id: i64 = 0,
        reliable_size: u64 = 8,
        errcode: u32 = 16,
    }
}

record! {
    /// `struct quic_stream_priority`.
    StreamPriority: 16 {
        stream_id: i64 = 0,
        urgency: u8 = 8,
        incremental: u8 = 9,
    }
}

record! {
    /// `struct quic_transport_param`.
    TransportParam: 56 {
        remote: u8 = 0,
        disable_active_migration: u8 = 1,
        grease_quic_bit: u8 = 2,
        stateless_reset: u8 = 3,
        disable_1rtt_encryption: u8 = 4,
        disable_compatible_version: u8 = 5,
        active_connection_id_limit: u8 = 6,
        ack_delay_exponent: u8 = 7,
        max_datagram_frame_size: u16 = 8,
        max_udp_payload_size: u16 = 10,
        max_idle_timeout: u32 = 12,
        max_ack_delay: u32 = 16,
        max_streams_bidi: u16 = 20,
        max_streams_uni: u16 = 22,
        max_data: u64 = 24,
        max_stream_data_bidi_local: u64 = 32,
        max_stream_data_bidi_remote: u64 = 40,
        max_stream_data_uni: u64 = 48,
    }
}

record! {
    /// `struct quic_config`.
    Config: 28 {
        version: u32 = 0,
        plpmtud_probe_interval: u32 = 4,
        initial_smoothed_rtt: u32 = 8,
        payload_cipher_type: u32 = 12,
        congestion_control_algo: u8 = 16,
        validate_peer_address: u8 = 17,
        stream_data_nodelay: u8 = 18,
        receive_session_ticket: u8 = 19,
        certificate_request: u8 = 20,
        negotiation: u8 = 21,
        keepalive_probe_interval: u32 = 24,
    }
}

record! {
    /// `struct quic_crypto_secret` up to the secret itself.
    SecretHead: 8 {
        send: u8 = 0,
        level: u8 = 1,
        cipher: u32 = 4,
    }
}

record! {
    /// `struct quic_connection_id_info`.
    ConnectionIdInfo: 12 {
        dest: u8 = 0,
        active: u32 = 4,
        prior_to: u32 = 8,
    }
}

record! {
    /// `struct quic_event_option`.
    EventOption: 2 {
        kind: u8 = 0,
        on: u8 = 1,
    }
}

record! {
    /// `struct quic_stream_update`.
    StreamUpdate: 24 {
        id: i64 = 0,
        state: u8 = 8,
        errcode: u32 = 12,
        finalsz: u64 = 16,
    }
}

record! {
    /// `struct quic_stream_max_data`.
    StreamMaxData: 16 {
        id: i64 = 0,
        max_data: u64 = 8,
    }
}

record! {
    /// `struct quic_connection_close` up to the phrase.
    CloseHead: 8 {
        errcode: u32 = 0,
        frame: u8 = 4,
    }
}

record! {
    /// `struct quic_info`.
    Info: 192 {
        version: u32 = 0,
        cipher_type: u32 = 4,
        key_phase: u32 = 8,
        congestion_control_algo: u32 = 12,
        mtu: u32 = 16,
        streams_open: u32 = 20,
        smoothed_rtt: u32 = 24,
        rttvar: u32 = 28,
        min_rtt: u32 = 32,
        latest_rtt: u32 = 36,
        cwnd: u64 = 40,
        ssthresh: u64 = 48,
        bytes_in_flight: u64 = 56,
        bytes_sent: u64 = 64,
        bytes_received: u64 = 72,
        packets_sent: u64 = 80,
        packets_received: u64 = 88,
        packets_lost: u64 = 96,
        packets_spuriously_lost: u64 = 104,
        frames_retransmitted: u64 = 112,
        bytes_lost: u64 = 120,
        pto: u32 = 128,
        flags: u32 = 132,
        path: u32 = 136,
        key_updates: u32 = 140,
        pacing_rate: u64 = 144,
        delivery_rate: u64 = 152,
        packets_acked: u64 = 160,
        probe_timeouts: u64 = 168,
        bytes_unsent: u64 = 176,
        send_credit: u64 = 184,
    }
}

impl StreamInfo {
    /// Size without the padding at the end.
    pub(crate) const UNPADDED: usize = 12;
}

/// Size of `struct quic_connection_close`.
pub(crate) const CLOSE_SIZE: usize = 72;
/// Room for the phrase, with its NUL.
pub(crate) const PHRASE_SIZE: usize = 64;
/// Size of `struct quic_crypto_secret`.
pub(crate) const SECRET_SIZE: usize = 56;

/// Levels of handshake data and secrets (`enum quic_crypto_level`).
pub(crate) mod level {
    pub(crate) const APP: u8 = 0;
    pub(crate) const INITIAL: u8 = 1;
    pub(crate) const HANDSHAKE: u8 = 2;
    pub(crate) const EARLY: u8 = 3;
}

/// What a client does when the server asks for another version, `QUIC_NEGOTIATION_*`.
pub(crate) mod negotiation {
    pub(crate) const RESTART: u8 = 1;
    pub(crate) const RESTARTED: u8 = 2;
}

/// `N` bytes from `at` on, zero-extended.
pub(crate) fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    let from = bytes.get(at..).unwrap_or_default();
    for (to, from) in out.iter_mut().zip(from) {
        *to = *from;
    }
    out
}

/// Writes `field` at `at`, as far as there is room.
pub(crate) fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    let to = bytes.get_mut(at..).unwrap_or_default();
    for (to, from) in to.iter_mut().zip(field) {
        *to = *from;
    }
}
