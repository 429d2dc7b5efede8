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
const INFO_LEN: usize = 128;

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
}

impl Statistics {
    /// Reads `struct quic_info`; an older kernel's may be shorter.
    fn decode(bytes: &[u8]) -> Statistics {
        let bytes = Reader(bytes);
        let micros = |offset| Duration::from_micros(bytes.u32(offset).into());
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

    #[test]
    fn each_counter_is_read_from_its_own_place() {
        // Every 32-bit word holds its own offset, every 64-bit word the lower one.
        let mut bytes = [0; INFO_LEN];
        for (index, word) in bytes[..40].chunks_exact_mut(4).enumerate() {
            word.copy_from_slice(&(index as u32 * 4).to_ne_bytes());
        }
        for (index, word) in bytes[40..].chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(&(index as u64 * 8 + 40).to_ne_bytes());
        }
        let got = Statistics::decode(&bytes);
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
    fn a_shorter_structure_leaves_the_rest_zero() {
        let got = Statistics::decode(&[0xff; 64]);
        assert_eq!(got.bytes_in_flight, u64::MAX);
        assert_eq!(got.slow_start_threshold, None);
        assert_eq!(got.bytes_sent, 0);
    }
}
