// SPDX-License-Identifier: LGPL-2.1-or-later
//! The kernel's counters of a connection, option INFO (`struct quic_info`).

use std::{
    os::fd::AsFd,
    time::Duration, //
};

use crate::{
    conn::Connection,
    error::Result,
    sys::sock,
    uapi::{
        opt,
        Reader,
        SOL_QUIC, //
    },
};

/// Size of `struct quic_info` as far as this crate knows it.
const INFO_LEN: usize = 192;

/// Bits of its field `flags`, `QUIC_INFO_…`.
const CONFIRMED: u32 = 0x02;
const VALIDATED: u32 = 0x04;
const ECN: u32 = 0x08;
const SLOW_START: u32 = 0x10;

/// Counters and state of a connection. What the kernel does not tell is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Bytes of the largest UDP payload sent.
    pub mtu: u32,
    /// Key phase of the packets sent, 0 or 1.
    pub key_phase: u32,
    /// Streams that are not finished.
    pub streams_open: u32,
    /// Smoothed round-trip time, RFC 9002 5.3.
    pub smoothed_rtt: Duration,
    /// Variation of the round-trip time, RFC 9002 5.3.
    pub rtt_variation: Duration,
    /// Shortest round-trip time, RFC 9002 5.2.
    pub min_rtt: Duration,
    /// Last sample of the round-trip time.
    pub latest_rtt: Duration,
    /// Congestion window in bytes.
    pub congestion_window: u64,
    /// Slow start threshold in bytes; `None` before the first congestion.
    pub slow_start_threshold: Option<u64>,
    /// Bytes sent that are neither acknowledged nor lost.
    pub bytes_in_flight: u64,
    /// UDP payload sent.
    pub bytes_sent: u64,
    /// UDP payload received and authenticated.
    pub bytes_received: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets received and authenticated.
    pub packets_received: u64,
    /// Packets declared lost, RFC 9002 6.1.
    pub packets_lost: u64,
    /// Packets acknowledged after they were declared lost.
    pub packets_spuriously_lost: u64,
    /// Frames sent again.
    pub frames_retransmitted: u64,
    /// Bytes of the packets declared lost.
    pub bytes_lost: u64,
    /// Probe time-out without backoff, RFC 9002 6.2.
    pub probe_timeout: Duration,
    /// The handshake is confirmed, RFC 9001 4.1.2.
    pub confirmed: bool,
    /// The peer's address is validated, RFC 9000 8.
    pub address_validated: bool,
    /// The path carries ECN marks and they are used, RFC 9000 13.4.
    pub ecn_capable: bool,
    /// The congestion window is below the slow start threshold.
    pub slow_start: bool,
    /// Number of the path in use: 0 for the first one, larger after each move.
    pub path: u32,
    /// Key updates, whichever side began them.
    pub key_updates: u32,
    /// Bytes per second that pacing lets go.
    pub pacing_rate: u64,
    /// Bytes per second that the path delivers, 0 before the first sample.
    pub delivery_rate: u64,
    /// Packets acknowledged.
    pub packets_acknowledged: u64,
    /// Probe time-outs that passed, RFC 9002 6.2.1.
    pub probe_timeouts: u64,
    /// Bytes of stream data queued that were not sent yet.
    pub bytes_unsent: u64,
    /// Bytes of stream data that the peer still takes in all, RFC 9000 4.1.
    pub send_credit: u64,
}

impl Statistics {
    /// Reads `struct quic_info`; an older kernel's may be shorter.
    fn decode(bytes: &[u8]) -> Statistics {
        let bytes = Reader(bytes);
        let micros = |offset| Duration::from_micros(bytes.u32(offset).into());
        let flag = |bit| bytes.u32(132) & bit != 0;
        Statistics {
            key_phase: bytes.u32(8),
            mtu: bytes.u32(16),
            streams_open: bytes.u32(20),
            smoothed_rtt: micros(24),
            rtt_variation: micros(28),
            min_rtt: micros(32),
            latest_rtt: micros(36),
            congestion_window: bytes.u64(40),
            slow_start_threshold: Some(bytes.u64(48)).filter(|bytes| *bytes != u64::MAX),
            bytes_in_flight: bytes.u64(56),
            bytes_sent: bytes.u64(64),
            bytes_received: bytes.u64(72),
            packets_sent: bytes.u64(80),
            packets_received: bytes.u64(88),
            packets_lost: bytes.u64(96),
            packets_spuriously_lost: bytes.u64(104),
            frames_retransmitted: bytes.u64(112),
            bytes_lost: bytes.u64(120),
            probe_timeout: micros(128),
            confirmed: flag(CONFIRMED),
            address_validated: flag(VALIDATED),
            ecn_capable: flag(ECN),
            slow_start: flag(SLOW_START),
            path: bytes.u32(136),
            key_updates: bytes.u32(140),
            pacing_rate: bytes.u64(144),
            delivery_rate: bytes.u64(152),
            packets_acknowledged: bytes.u64(160),
            probe_timeouts: bytes.u64(168),
            bytes_unsent: bytes.u64(176),
            send_credit: bytes.u64(184),
        }
    }
}

impl Connection {
    /// The kernel's counters of this connection; `None` if the kernel's QUIC does not tell them.
    pub fn statistics(&self) -> Result<Option<Statistics>> {
        let mut value = [0; INFO_LEN];
        let socket = self.shared.socket.as_fd();
        match sock::getsockopt(socket, SOL_QUIC, opt::INFO, &mut value) {
            Ok(len) => Ok(Some(Statistics::decode(value.get(..len).unwrap_or(&value)))),
            Err(err) if err.raw_os_error() == Some(libc::ENOPROTOOPT) => Ok(None),
            Err(err) => Err(self
                .shared
                .explain("reading the connection's counters", err)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 32-bit word holds its own offset, every 64-bit word the lower one.
    fn numbered() -> [u8; INFO_LEN] {
        let mut bytes = [0; INFO_LEN];
        for (index, word) in bytes.chunks_exact_mut(4).enumerate() {
            word.copy_from_slice(&(index as u32 * 4).to_ne_bytes());
        }
        for wide in [40..128, 144..INFO_LEN] {
            let first = wide.start as u64;
            for (index, word) in bytes[wide].chunks_exact_mut(8).enumerate() {
                word.copy_from_slice(&(index as u64 * 8 + first).to_ne_bytes());
            }
        }
        bytes
    }

    #[test]
    fn each_counter_is_read_from_its_own_place() {
        let got = Statistics::decode(&numbered());
        assert_eq!((got.key_phase, got.mtu, got.streams_open), (8, 16, 20));
        assert_eq!(got.smoothed_rtt, Duration::from_micros(24));
        assert_eq!(got.latest_rtt, Duration::from_micros(36));
        assert_eq!(
            (got.congestion_window, got.slow_start_threshold),
            (40, Some(48))
        );
        assert_eq!((got.packets_sent, got.packets_received), (80, 88));
        assert_eq!((got.packets_lost, got.packets_spuriously_lost), (96, 104));
        assert_eq!((got.frames_retransmitted, got.bytes_lost), (112, 120));
    }

    #[test]
    fn the_fields_added_later_are_read_too() {
        let mut bytes = numbered();
        let got = Statistics::decode(&bytes);
        assert_eq!(got.probe_timeout, Duration::from_micros(128));
        assert_eq!((got.path, got.key_updates), (136, 140));
        assert_eq!((got.pacing_rate, got.delivery_rate), (144, 152));
        assert_eq!((got.packets_acknowledged, got.probe_timeouts), (160, 168));
        assert_eq!((got.bytes_unsent, got.send_credit), (176, 184));
        for bit in 0..6 {
            bytes[132..136].copy_from_slice(&(1u32 << bit).to_ne_bytes());
            let got = Statistics::decode(&bytes);
            let flags = [
                got.confirmed,
                got.address_validated,
                got.ecn_capable,
                got.slow_start,
            ];
            let wanted: Vec<bool> = (1..5).map(|own| own == bit).collect();
            assert_eq!(flags.as_slice(), wanted, "bit {bit}");
        }
    }

    #[test]
    fn a_shorter_structure_leaves_the_rest_zero() {
        let got = Statistics::decode(&[0xff; 64]);
        assert_eq!(got.bytes_in_flight, u64::MAX);
        assert_eq!(got.slow_start_threshold, None);
        assert_eq!(got.bytes_sent, 0);
        assert!(!got.confirmed);
        // The structure as it was first.
        let got = Statistics::decode(&[0xff; 128]);
        assert_eq!((got.bytes_lost, got.send_credit), (u64::MAX, 0));
    }
}
