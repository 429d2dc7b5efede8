// SPDX-License-Identifier: LGPL-2.1-or-later
//! Settings that clients and servers share: whom to trust, what to announce, how long to wait.

use std::{
    fmt,
    path::PathBuf,
    time::Duration, //
};

use crate::uapi::{
    Reader,
    Writer, //
};

/// Default time for a handshake.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Default time for the peer to acknowledge the last bytes in [`crate::Connection::close`].
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Default bound of received data that waits for its reader.
pub(crate) const RECEIVE_BUFFER: usize = 4 << 20;

/// Whose signature on the peer's certificate is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The system's certificate authorities.
    #[default]
    System,
    /// The certificates in this PEM file.
    File(PathBuf),
    /// Anybody's. The connection is encrypted but the peer may be an impostor.
    InsecureNoVerification,
}

/// What a server wants of its clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// No certificate is asked for.
    #[default]
    None,
    /// A certificate is asked for; a client without one is accepted, a bad one is refused.
    Request(Trust),
    /// A certificate is required.
    Require(Trust),
}

/// Cipher of a connection's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cipher {
    /// TLS_AES_128_GCM_SHA256
    Aes128Gcm,
    /// TLS_AES_256_GCM_SHA384
    Aes256Gcm,
    /// TLS_AES_128_CCM_SHA256
    Aes128Ccm,
    /// TLS_CHACHA20_POLY1305_SHA256
    ChaCha20Poly1305,
}

impl Cipher {
    /// All ciphers, in the order in which a client offers them by default.
    pub const ALL: [Cipher; 4] = [
        Cipher::Aes128Gcm,
        Cipher::Aes256Gcm,
        Cipher::ChaCha20Poly1305,
        Cipher::Aes128Ccm,
    ];

    /// Name in GnuTLS's priority strings, also for display.
    pub fn name(self) -> &'static str {
        match self {
            Cipher::Aes128Gcm => "AES-128-GCM",
            Cipher::Aes256Gcm => "AES-256-GCM",
            Cipher::Aes128Ccm => "AES-128-CCM",
            Cipher::ChaCha20Poly1305 => "CHACHA20-POLY1305",
        }
    }

    /// Number in `<linux/tls.h>`, as the socket options use it.
    pub(crate) fn number(self) -> u32 {
        match self {
            Cipher::Aes128Gcm => 51,
            Cipher::Aes256Gcm => 52,
            Cipher::Aes128Ccm => 53,
            Cipher::ChaCha20Poly1305 => 54,
        }
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Version of QUIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub u32);

impl Version {
    /// RFC 9000.
    pub const V1: Version = Version(1);
    /// RFC 9369.
    pub const V2: Version = Version(0x6b33_43cf);
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Version::V1 => f.write_str("QUICv1"),
            Version::V2 => f.write_str("QUICv2"),
            Version(other) => write!(f, "QUIC version {other:#x}"),
        }
    }
}

/// Congestion control algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Congestion {
    /// NewReno, RFC 9002 7.
    Reno,
    /// CUBIC, RFC 9438.
    Cubic,
}

/// Transport parameters to announce (option TRANSPORT_PARAM). `None` and `false` leave the
/// kernel's default; the kernel refuses values out of its ranges with EINVAL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportParams {
    /// Bytes that the peer may send on the whole connection before this side has read any.
    pub max_data: Option<u64>,
    /// The same for each bidirectional stream that this side opens.
    pub max_stream_data_bidi_local: Option<u64>,
    /// The same for each bidirectional stream that the peer opens.
    pub max_stream_data_bidi_remote: Option<u64>,
    /// The same for each unidirectional stream that the peer opens.
    pub max_stream_data_uni: Option<u64>,
    /// Bidirectional streams that the peer may have open at once.
    pub max_streams_bidi: Option<u16>,
    /// Unidirectional streams that the peer may have open at once.
    pub max_streams_uni: Option<u16>,
    /// Silence after which the connection is given up.
    pub max_idle_timeout: Option<Duration>,
    /// Longest delay of an acknowledgement.
    pub max_ack_delay: Option<Duration>,
    /// Largest datagram of RFC 9221 that is accepted; `None` means that none are.
    pub max_datagram_frame_size: Option<u16>,
    /// Largest UDP payload that is accepted.
    pub max_udp_payload_size: Option<u16>,
    /// Asks the peer to stay at its address.
    pub disable_active_migration: bool,
    /// Permits the peer to send a random fixed bit, RFC 9287.
    pub grease_quic_bit: bool,
}

impl TransportParams {
    /// `struct quic_transport_param` for `setsockopt`.
    pub(crate) fn encode(&self) -> [u8; 56] {
        let mut out = Writer::<56>::default();
        out.put(1, &[u8::from(self.disable_active_migration)]);
        out.put(2, &[u8::from(self.grease_quic_bit)]);
        out.put(8, &self.max_datagram_frame_size.unwrap_or(0).to_ne_bytes());
        out.put(10, &self.max_udp_payload_size.unwrap_or(0).to_ne_bytes());
        out.put(12, &micros(self.max_idle_timeout).to_ne_bytes());
        out.put(16, &micros(self.max_ack_delay).to_ne_bytes());
        out.put(20, &self.max_streams_bidi.unwrap_or(0).to_ne_bytes());
        out.put(22, &self.max_streams_uni.unwrap_or(0).to_ne_bytes());
        out.put(24, &self.max_data.unwrap_or(0).to_ne_bytes());
        let limits = [
            self.max_stream_data_bidi_local,
            self.max_stream_data_bidi_remote,
            self.max_stream_data_uni,
        ];
        for (offset, limit) in [32, 40, 48].into_iter().zip(limits) {
            out.put(offset, &limit.unwrap_or(0).to_ne_bytes());
        }
        out.0
    }

    /// Reads `struct quic_transport_param` from `getsockopt`.
    pub(crate) fn decode(bytes: &[u8]) -> TransportParams {
        let bytes = Reader(bytes);
        TransportParams {
            max_data: Some(bytes.u64(24)),
            max_stream_data_bidi_local: Some(bytes.u64(32)),
            max_stream_data_bidi_remote: Some(bytes.u64(40)),
            max_stream_data_uni: Some(bytes.u64(48)),
            max_streams_bidi: Some(bytes.u16(20)),
            max_streams_uni: Some(bytes.u16(22)),
            max_idle_timeout: Some(Duration::from_micros(bytes.u32(12).into())),
            max_ack_delay: Some(Duration::from_micros(bytes.u32(16).into())),
            max_datagram_frame_size: Some(bytes.u16(8)),
            max_udp_payload_size: Some(bytes.u16(10)),
            disable_active_migration: bytes.u8(1) != 0,
            grease_quic_bit: bytes.u8(2) != 0,
        }
    }
}

/// Local settings of a socket (option CONFIG). `None` and `false` leave the kernel's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketConfig {
    /// Client: version of the first packet. Server: version preferred.
    pub version: Option<Version>,
    /// Congestion control algorithm.
    pub congestion: Option<Congestion>,
    /// Interval of probes for a larger packet size (RFC 8899); `None` means no probes.
    pub plpmtud_probe_interval: Option<Duration>,
    /// Round-trip time assumed before the first sample.
    pub initial_rtt: Option<Duration>,
    /// Interval of PINGs on an idle connection; `None` means no PINGs.
    pub keepalive_interval: Option<Duration>,
    /// Server: demand a Retry from every client, which proves its address.
    pub validate_peer_address: bool,
    /// Send small pieces at once instead of waiting for acknowledgements.
    pub nodelay: bool,
}

impl SocketConfig {
    /// `struct quic_config` for `setsockopt`.
    pub(crate) fn encode(&self) -> [u8; 28] {
        let mut out = Writer::<28>::default();
        out.put(
            0,
            &self.version.map_or(0, |version| version.0).to_ne_bytes(),
        );
        out.put(4, &micros(self.plpmtud_probe_interval).to_ne_bytes());
        out.put(8, &micros(self.initial_rtt).to_ne_bytes());
        // Zero asks for no change, so Reno, being zero, can only be had by leaving the default.
        out.put(16, &[u8::from(self.congestion == Some(Congestion::Cubic))]);
        out.put(17, &[u8::from(self.validate_peer_address)]);
        out.put(18, &[u8::from(self.nodelay)]);
        out.put(24, &micros(self.keepalive_interval).to_ne_bytes());
        out.0
    }

    /// `struct quic_config` of a client that starts anew where a server asks for another version
    /// than the one that the ClientHello announces.
    pub(crate) fn encode_attempt(attempt: Attempt) -> [u8; 28] {
        let mut out = Writer::<28>::default();
        let (version, negotiation) = match attempt {
            Attempt::First(version) => (version, NEGOTIATION_RESTART),
            Attempt::Again(version) => (version, NEGOTIATION_RESTARTED),
        };
        out.put(0, &version.0.to_ne_bytes());
        out.put(21, &[negotiation]);
        out.0
    }

    /// The version in `struct quic_config` from `getsockopt`; 0 stands for version 1.
    pub(crate) fn read_version(bytes: &[u8]) -> Version {
        match Reader(bytes).u32(0) {
            0 => Version::V1,
            version => Version(version),
        }
    }
}

/// Which attempt of a client to connect it is, and the version that it begins in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    First(Version),
    /// The server has asked for this version.
    Again(Version),
}

/// `QUIC_NEGOTIATION_RESTART`.
const NEGOTIATION_RESTART: u8 = 1;
/// `QUIC_NEGOTIATION_RESTARTED`.
const NEGOTIATION_RESTARTED: u8 = 2;

/// Microseconds as the options take them; too long a time becomes the longest one.
fn micros(time: Option<Duration>) -> u32 {
    time.map_or(0, |time| {
        u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transport_parameters_survive_the_option_layout() {
        let params = TransportParams {
            max_data: Some(1 << 40),
            max_stream_data_bidi_local: Some(2001),
            max_stream_data_bidi_remote: Some(2002),
            max_stream_data_uni: Some(2003),
            max_streams_bidi: Some(11),
            max_streams_uni: Some(12),
            max_idle_timeout: Some(Duration::from_secs(60)),
            max_ack_delay: Some(Duration::from_millis(20)),
            max_datagram_frame_size: Some(1400),
            max_udp_payload_size: Some(1452),
            disable_active_migration: true,
            grease_quic_bit: true,
        };
        assert_eq!(TransportParams::decode(&params.encode()), params);
    }

    #[test]
    fn unset_settings_are_zero_which_the_kernel_reads_as_unchanged() {
        assert_eq!(TransportParams::default().encode(), [0; 56]);
        assert_eq!(SocketConfig::default().encode(), [0; 28]);
    }

    #[test]
    fn a_config_lies_at_the_offsets_of_the_uapi() {
        let config = SocketConfig {
            version: Some(Version::V2),
            congestion: Some(Congestion::Cubic),
            plpmtud_probe_interval: Some(Duration::from_secs(5)),
            initial_rtt: Some(Duration::from_millis(100)),
            keepalive_interval: Some(Duration::from_secs(2)),
            validate_peer_address: true,
            nodelay: true,
        };
        let bytes = config.encode();
        let reader = Reader(&bytes);
        let words = [0, 4, 8, 12, 24].map(|offset| reader.u32(offset));
        assert_eq!(words, [0x6b33_43cf, 5_000_000, 100_000, 0, 2_000_000]);
        assert_eq!(bytes[16..20], [1, 1, 1, 0]);
        assert_eq!(SocketConfig::read_version(&bytes), Version::V2);
        assert_eq!(SocketConfig::read_version(&[]), Version::V1);
    }

    #[test]
    fn times_beyond_the_field_become_the_longest_one() {
        assert_eq!(micros(Some(Duration::from_secs(1 << 40))), u32::MAX);
    }
}
