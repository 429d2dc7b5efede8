// SPDX-License-Identifier: GPL-2.0

//! What the user chose for a socket, before and beside its connection.
//!
//! Kept in terms of the user interface (microseconds, bytes), with zero standing for "not chosen"
//! as there. Accepted sockets inherit a copy from their listener.

#![forbid(unsafe_code)]

use kernel::{
    prelude::*,
    sync::Arc, //
};

use crate::uapi::{
    self,
    take,
    Config,
    TransportParam,
    CLOSE_SIZE,
    PHRASE_SIZE, //
};

/// Own limits when nothing was chosen.
const DEFAULT_MAX_DATA: u64 = 65535 * 32;
const DEFAULT_MAX_STREAM_DATA: u64 = 65535 * 16;
const DEFAULT_MAX_STREAMS: u16 = 100;

/// The code and phrase of CONNECTION_CLOSE: the user's before, the cause after the end.
#[derive(Clone, Copy)]
pub(crate) struct Close {
    pub(crate) errcode: u32,
    pub(crate) frame: u8,
    pub(crate) phrase: [u8; PHRASE_SIZE],
    /// Whether the user chose it.
    pub(crate) chosen: bool,
}

impl Close {
    /// Takes the user's structure apart; the phrase ends at its first NUL, or at 63 bytes.
    pub(crate) fn decode(bytes: &[u8; CLOSE_SIZE]) -> Self {
        let head = uapi::CloseHead::decode(bytes);
        let mut phrase: [u8; PHRASE_SIZE] = take(bytes, uapi::CloseHead::SIZE);
        if let Some(last) = phrase.last_mut() {
            *last = 0;
        }
        let mut ended = false;
        for byte in &mut phrase {
            ended |= *byte == 0;
            if ended {
                *byte = 0;
            }
        }
        Self {
            errcode: head.errcode,
            frame: 0,
            phrase,
            chosen: true,
        }
    }

    /// The user's structure.
    pub(crate) fn encode(&self) -> [u8; CLOSE_SIZE] {
        let head = uapi::CloseHead {
            errcode: self.errcode,
            frame: self.frame,
        };
        let mut bytes = [0; CLOSE_SIZE];
        uapi::put(&mut bytes, 0, &head.encode());
        uapi::put(&mut bytes, uapi::CloseHead::SIZE, &self.phrase);
        bytes
    }

    /// The phrase without its NUL.
    pub(crate) fn phrase(&self) -> &[u8] {
        self.phrase.split(|b| *b == 0).next().unwrap_or_default()
    }
}

/// The user's choices.
pub(crate) struct Options {
    /// Events wanted: bit n for type n.
    pub(crate) events: u16,
    pub(crate) config: Config,
    /// Own transport parameters.
    pub(crate) local: TransportParam,
    /// The peer's, remembered from an earlier connection for 0-RTT.
    pub(crate) remembered: Option<TransportParam>,
    /// Names of application protocols, joined by commas.
    pub(crate) alpn: Arc<KVec<u8>>,
    /// Names of the servers that a listener speaks for, joined by commas.
    pub(crate) servers: Arc<KVec<u8>>,
    /// Resumption data on a client, the ticket key on a server.
    pub(crate) ticket: KVec<u8>,
    /// Address validation token for the next connection, or the latest one received.
    pub(crate) token: KVec<u8>,
    pub(crate) close: Close,
    /// Seals the address validation tokens of a listener.
    pub(crate) token_key: [u8; 32],
}

impl Options {
    /// Nothing chosen.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            events: 0,
            config: Config {
                initial_smoothed_rtt: 333_000,
                ..Config::default()
            },
            local: default_params(),
            remembered: None,
            alpn: Arc::new(KVec::new(), GFP_KERNEL)?,
            servers: Arc::new(KVec::new(), GFP_KERNEL)?,
            ticket: KVec::new(),
            token: KVec::new(),
            close: Close {
                errcode: 0,
                frame: 0,
                phrase: [0; PHRASE_SIZE],
                chosen: false,
            },
            token_key: [0; 32],
        })
    }

    /// What an accepted socket starts with.
    pub(crate) fn inherit(&self) -> Result<Self> {
        let mut child = Self::new()?;
        child.events = self.events;
        child.config = self.config;
        child.local = self.local;
        child.alpn = self.alpn.clone();
        child.servers = self.servers.clone();
        child.token_key = self.token_key;
        child.ticket.extend_from_slice(&self.ticket, GFP_KERNEL)?;
        Ok(child)
    }
}

fn default_params() -> TransportParam {
    TransportParam {
        active_connection_id_limit: 7,
        ack_delay_exponent: 3,
        max_udp_payload_size: 65527,
        max_idle_timeout: 30_000_000,
        max_ack_delay: 25_000,
        max_streams_bidi: DEFAULT_MAX_STREAMS,
        max_streams_uni: DEFAULT_MAX_STREAMS,
        max_data: DEFAULT_MAX_DATA,
        max_stream_data_bidi_local: DEFAULT_MAX_STREAM_DATA,
        max_stream_data_bidi_remote: DEFAULT_MAX_STREAM_DATA,
        max_stream_data_uni: DEFAULT_MAX_STREAM_DATA,
        ..TransportParam::default()
    }
}

/// Largest stream count that is kept, own or remote.
const MAX_STREAMS: u16 = 4096;
/// `max_data` sets the receive buffer to four times itself, which is an `int`.
const MAX_OWN_DATA: u64 = i32::MAX as u64 / 4;
const MAX_OWN_STREAM_DATA: u64 = i32::MAX as u64 / 8;

/// Whether the user may choose these parameters. Zero in a field means "leave as it is".
pub(crate) fn check_params(p: &TransportParam) -> bool {
    let own = p.remote == 0;
    let flags = [
        p.remote,
        p.disable_active_migration,
        p.grease_quic_bit,
        p.stateless_reset,
        p.disable_1rtt_encryption,
        p.disable_compatible_version,
    ];
    let data = |v: u64, max: u64| v == 0 || (v >= 1200 && (!own || v <= max));
    let streams = |v: u16| !own || v <= MAX_STREAMS;
    flags.iter().all(|f| *f <= 1)
        && matches!(p.active_connection_id_limit, 0 | 2..=8)
        && p.ack_delay_exponent <= 20
        && p.max_ack_delay < 16_384_000
        && matches!(p.max_udp_payload_size, 0 | 1200..=65527)
        && matches!(p.max_datagram_frame_size, 0 | 1200..)
        && matches!(p.max_idle_timeout, 0 | 1_000_000..)
        && data(p.max_data, MAX_OWN_DATA)
        && data(p.max_stream_data_bidi_local, MAX_OWN_STREAM_DATA)
        && data(p.max_stream_data_bidi_remote, MAX_OWN_STREAM_DATA)
        && data(p.max_stream_data_uni, MAX_OWN_STREAM_DATA)
        && streams(p.max_streams_bidi)
        && streams(p.max_streams_uni)
}

/// Takes over the fields of `new` that are not zero.
pub(crate) fn merge_params(to: &mut TransportParam, new: &TransportParam) {
    fn set<T: PartialEq + Default + Copy>(to: &mut T, new: T) {
        if new != T::default() {
            *to = new;
        }
    }
    set(
        &mut to.disable_active_migration,
        new.disable_active_migration,
    );
    set(&mut to.grease_quic_bit, new.grease_quic_bit);
    set(&mut to.stateless_reset, new.stateless_reset);
    set(&mut to.disable_1rtt_encryption, new.disable_1rtt_encryption);
    set(
        &mut to.disable_compatible_version,
        new.disable_compatible_version,
    );
    set(
        &mut to.active_connection_id_limit,
        new.active_connection_id_limit,
    );
    set(&mut to.ack_delay_exponent, new.ack_delay_exponent);
    set(&mut to.max_datagram_frame_size, new.max_datagram_frame_size);
    set(&mut to.max_udp_payload_size, new.max_udp_payload_size);
    set(&mut to.max_idle_timeout, new.max_idle_timeout);
    set(&mut to.max_ack_delay, new.max_ack_delay);
    set(
        &mut to.max_streams_bidi,
        new.max_streams_bidi.min(MAX_STREAMS),
    );
    set(
        &mut to.max_streams_uni,
        new.max_streams_uni.min(MAX_STREAMS),
    );
    set(&mut to.max_data, new.max_data);
    set(
        &mut to.max_stream_data_bidi_local,
        new.max_stream_data_bidi_local,
    );
    set(
        &mut to.max_stream_data_bidi_remote,
        new.max_stream_data_bidi_remote,
    );
    set(&mut to.max_stream_data_uni, new.max_stream_data_uni);
}

/// Whether the user may choose this configuration. Zero in a field means "leave as it is".
pub(crate) fn check_config(c: &Config) -> bool {
    matches!(c.plpmtud_probe_interval, 0 | 5_000_000..=143_165_576)
        && matches!(c.initial_smoothed_rtt, 0 | 1000..=6_000_000)
        && matches!(c.payload_cipher_type, 0 | 51..=54)
        && c.congestion_control_algo < 2
        && c.validate_peer_address <= 1
        && c.stream_data_nodelay <= 1
        && matches!(c.keepalive_probe_interval, 0 | 1_500_000..)
}

/// Takes over the fields of `new` that are not zero.
pub(crate) fn merge_config(to: &mut Config, new: &Config) {
    fn set<T: PartialEq + Default + Copy>(to: &mut T, new: T) {
        if new != T::default() {
            *to = new;
        }
    }
    set(&mut to.version, new.version);
    set(&mut to.plpmtud_probe_interval, new.plpmtud_probe_interval);
    set(&mut to.initial_smoothed_rtt, new.initial_smoothed_rtt);
    set(&mut to.payload_cipher_type, new.payload_cipher_type);
    set(&mut to.congestion_control_algo, new.congestion_control_algo);
    set(&mut to.validate_peer_address, new.validate_peer_address);
    set(&mut to.stream_data_nodelay, new.stream_data_nodelay);
    set(&mut to.receive_session_ticket, new.receive_session_ticket);
    set(&mut to.certificate_request, new.certificate_request);
    // The first of the reserved bytes, in which older programs may have anything.
    if matches!(
        new.negotiation,
        uapi::negotiation::RESTART | uapi::negotiation::RESTARTED
    ) {
        to.negotiation = new.negotiation;
    }
    set(
        &mut to.keepalive_probe_interval,
        new.keepalive_probe_interval,
    );
}

/// Brings a list of names into its canonical form: joined by commas, no space before a name.
/// Everything else in a name is kept, a NUL too. `EINVAL` for an empty name.
pub(crate) fn normalize_alpn(list: &[u8]) -> Result<KVec<u8>> {
    let mut out = KVec::with_capacity(list.len(), GFP_KERNEL)?;
    for name in list.split(|b| *b == b',') {
        let start = name.iter().position(|b| *b != b' ').ok_or(EINVAL)?;
        let name = name.get(start..).unwrap_or_default();
        if name.len() > usize::from(u8::MAX) {
            return Err(EINVAL);
        }
        if !out.is_empty() {
            out.push(b',', GFP_KERNEL)?;
        }
        out.extend_from_slice(name, GFP_KERNEL)?;
    }
    Ok(out)
}
