// SPDX-License-Identifier: GPL-2.0

//! From the user's terms (`uapi.rs`) to the core's and back.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    common::time::Duration,
    cong::Algorithm,
    conn::{
        event::EventMask,
        Config,
        PathAddr,
        Restart, //
    },
    linux::net::{
        route::Route,
        sock::{
            Held,
            RawSock, //
        },
        xmit, //
    },
    options::Options,
    params::TransportParams,
    socket::Quic,
    uapi::{
        self,
        TransportParam, //
    },
};

/// Largest UDP payload sent: what a jumbo frame carries. The path's own limit is found by probing.
const MAX_PAYLOAD: u32 = 8952;
/// Smallest one that QUIC needs of any path.
const MIN_PAYLOAD: u32 = 1200;

/// How the connection on `sk` shall behave on `path`.
pub(crate) fn config(sk: &Held<'_, Quic>, path: &PathAddr) -> Result<Config> {
    let raw = sk.sk().raw();
    let options = &sk.options;
    let route = Route::find(raw, path.local, path.remote, raw.tos(path.remote.is_ipv6()))?;
    let overhead = u32::try_from(xmit::overhead(&path.remote)).unwrap_or(0);
    let payload = route.mtu().saturating_sub(overhead);
    Ok(Config {
        max_udp_payload: u16::try_from(payload.clamp(MIN_PAYLOAD, MAX_PAYLOAD)).unwrap_or(u16::MAX),
        max_pacing_rate: pacing_limit(raw),
        events: events(options.events),
        reset_key: sk.sk().shared().globals.reset_key,
        token_key: options.token_key,
        ..chosen(options)
    })
}

/// What the user chose of a connection's behaviour, as far as it may change after `connect(2)`.
pub(crate) fn chosen(options: &Options) -> Config {
    let c = &options.config;
    Config {
        version: c.version,
        initial_rtt: Duration::from_micros(u64::from(c.initial_smoothed_rtt)),
        congestion: algorithm(c.congestion_control_algo),
        keep_alive: micros(c.keepalive_probe_interval),
        pmtud: micros(c.plpmtud_probe_interval).or(Config::default().pmtud),
        nodelay: c.stream_data_nodelay != 0,
        // RFC 9000 17.4 #3
        spin: crate::module_parameters::spin_bit.value() != 0,
        stateless_reset: options.local.stateless_reset != 0,
        compatible_versions: options.local.disable_compatible_version == 0,
        restart: match c.negotiation {
            uapi::negotiation::RESTART => Restart::Owner,
            uapi::negotiation::RESTARTED => Restart::Second,
            _ => Restart::Never,
        },
        ..Config::default()
    }
}

/// `SO_MAX_PACING_RATE` in bytes a second, if there is a limit.
pub(crate) fn pacing_limit(raw: &RawSock) -> Option<u64> {
    Some(raw.max_pacing_rate()).filter(|rate| *rate != u64::MAX)
}

/// The congestion controller of this number.
fn algorithm(number: u8) -> Algorithm {
    match number {
        1 => Algorithm::Cubic,
        _ => Algorithm::NewReno,
    }
}

/// The number of a congestion controller.
pub(crate) fn algorithm_number(algorithm: Algorithm) -> u32 {
    match algorithm {
        Algorithm::NewReno => 0,
        Algorithm::Cubic => 1,
    }
}

/// A time of the user interface; zero means none.
pub(crate) fn micros(value: u32) -> Option<Duration> {
    (value != 0).then(|| Duration::from_micros(u64::from(value)))
}

/// The events wanted, from the bits that the socket keeps.
pub(crate) fn events(bits: u16) -> EventMask {
    let mut mask = EventMask::default();
    for kind in 1..=9u8 {
        mask.set(kind, bits & (1 << kind) != 0);
    }
    mask
}

/// Own parameters. The ids are the connection's to fill in.
pub(crate) fn params(options: &Options) -> TransportParams {
    TransportParams {
        reset_stream_at: true,
        ..from_user(&options.local)
    }
}

/// Parameters in the core's terms.
pub(crate) fn from_user(p: &TransportParam) -> TransportParams {
    TransportParams {
        max_idle_timeout: Duration::from_micros(u64::from(p.max_idle_timeout)),
        max_udp_payload_size: u64::from(p.max_udp_payload_size),
        initial_max_data: p.max_data,
        initial_max_stream_data_bidi_local: p.max_stream_data_bidi_local,
        initial_max_stream_data_bidi_remote: p.max_stream_data_bidi_remote,
        initial_max_stream_data_uni: p.max_stream_data_uni,
        initial_max_streams_bidi: u64::from(p.max_streams_bidi),
        initial_max_streams_uni: u64::from(p.max_streams_uni),
        ack_delay_exponent: p.ack_delay_exponent,
        max_ack_delay: Duration::from_micros(u64::from(p.max_ack_delay)),
        disable_active_migration: p.disable_active_migration != 0,
        active_connection_id_limit: u64::from(p.active_connection_id_limit),
        max_datagram_frame_size: u64::from(p.max_datagram_frame_size),
        grease_quic_bit: p.grease_quic_bit != 0,
        disable_1rtt_encryption: p.disable_1rtt_encryption != 0,
        ..TransportParams::default()
    }
}

/// Parameters in the user's terms; what does not fit a field is the field's largest value.
pub(crate) fn to_user(p: &TransportParams) -> TransportParam {
    fn fit<T: TryFrom<u64>>(value: u64, max: T) -> T {
        T::try_from(value).unwrap_or(max)
    }
    TransportParam {
        remote: 0,
        disable_active_migration: u8::from(p.disable_active_migration),
        grease_quic_bit: u8::from(p.grease_quic_bit),
        stateless_reset: u8::from(p.stateless_reset_token.is_some()),
        disable_1rtt_encryption: u8::from(p.disable_1rtt_encryption),
        disable_compatible_version: u8::from(p.version_information.is_none()),
        active_connection_id_limit: fit(p.active_connection_id_limit, u8::MAX),
        ack_delay_exponent: p.ack_delay_exponent,
        max_datagram_frame_size: fit(p.max_datagram_frame_size, u16::MAX),
        max_udp_payload_size: fit(p.max_udp_payload_size, u16::MAX),
        max_idle_timeout: fit(p.max_idle_timeout.as_micros(), u32::MAX),
        max_ack_delay: fit(p.max_ack_delay.as_micros(), u32::MAX),
        max_streams_bidi: fit(p.initial_max_streams_bidi, u16::MAX),
        max_streams_uni: fit(p.initial_max_streams_uni, u16::MAX),
        max_data: p.initial_max_data,
        max_stream_data_bidi_local: p.initial_max_stream_data_bidi_local,
        max_stream_data_bidi_remote: p.initial_max_stream_data_bidi_remote,
        max_stream_data_uni: p.initial_max_stream_data_uni,
    }
}

/// The suite that the user names by its number in `linux/tls.h`.
pub(crate) fn suite(number: u32) -> Option<crate::aead::Suite> {
    use crate::aead::Suite;
    match number {
        51 => Some(Suite::Aes128Gcm),
        52 => Some(Suite::Aes256Gcm),
        53 => Some(Suite::Aes128Ccm),
        54 => Some(Suite::ChaCha20Poly1305),
        _ => None,
    }
}

/// The level of a secret that the user names so; Initial secrets are derived inside.
pub(crate) fn secret_level(number: u8) -> Option<crate::common::id::Level> {
    use crate::common::id::Level;
    match number {
        uapi::level::APP => Some(Level::App),
        uapi::level::HANDSHAKE => Some(Level::Handshake),
        uapi::level::EARLY => Some(Level::Early),
        _ => None,
    }
}
