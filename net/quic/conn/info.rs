// SPDX-License-Identifier: GPL-2.0

//! What a connection tells about itself.

#![forbid(unsafe_code)]

use super::{
    Connection,
    State, //
};
use crate::{
    common::{
        id::Space,
        time::Duration, //
    },
    cong::Algorithm,
    recovery::EcnState,
};

/// A snapshot of a connection, for statistics. Sizes are bytes, rates bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// Where the connection is in its life.
    pub state: State,
    /// Version in use.
    pub version: u32,
    /// Smoothed round-trip time.
    pub smoothed_rtt: Duration,
    /// Its mean deviation.
    pub rtt_var: Duration,
    /// The smallest seen on the path.
    pub min_rtt: Duration,
    /// The newest sample.
    pub latest_rtt: Duration,
    /// Probe time-out of the data space without backoff.
    pub pto: Duration,
    /// Congestion control algorithm in use.
    pub algorithm: Algorithm,
    /// Congestion window.
    pub cwnd: u64,
    /// Slow start threshold, `u64::MAX` before the first congestion.
    pub ssthresh: u64,
    /// The window is below the threshold.
    pub is_in_slow_start: bool,
    /// Bytes in flight.
    pub bytes_in_flight: u64,
    /// What pacing lets go.
    pub pacing_rate: u64,
    /// What the path delivers.
    pub delivery_rate: u64,
    /// Datagram size in use.
    pub mtu: u16,
    /// Number of the path in use, 0 for the first one.
    pub path: u32,
    /// The peer's address is validated.
    pub is_validated: bool,
    /// UDP payload received in datagrams with an authentic packet, on all paths.
    pub bytes_received: u64,
    /// UDP payload sent, on all paths.
    pub bytes_sent: u64,
    /// Packets sent.
    pub packets_sent: u64,
    /// Packets acknowledged.
    pub packets_acked: u64,
    /// Packets declared lost.
    pub packets_lost: u64,
    /// Packets declared lost that had arrived.
    pub packets_spurious: u64,
    /// Probe time-outs.
    pub timeouts: u64,
    /// Streams that exist.
    pub streams: usize,
    /// The path carries ECN marks and they are used.
    pub is_ecn_capable: bool,
    /// Key phase in use for sending.
    pub key_phase: bool,
    /// The handshake is confirmed.
    pub is_confirmed: bool,
}

impl Connection {
    /// A snapshot of the connection.
    pub fn info(&self) -> Info {
        let rtt = self.recovery.rtt();
        let counters = self.recovery.counters();
        let congestion = self.recovery.congestion();
        let path = self.paths.active();
        let (bytes_received, bytes_sent) = self.bytes;
        Info {
            state: self.state,
            version: self.version.0,
            smoothed_rtt: rtt.smoothed(),
            rtt_var: rtt.var(),
            min_rtt: rtt.min(),
            latest_rtt: rtt.latest(),
            pto: self.recovery.pto_base(Space::Data),
            algorithm: congestion.algorithm(),
            cwnd: congestion.window(),
            ssthresh: congestion.ssthresh(),
            is_in_slow_start: congestion.is_in_slow_start(),
            bytes_in_flight: self.recovery.bytes_in_flight(),
            pacing_rate: self.recovery.pacing_rate(),
            delivery_rate: self.recovery.delivery_rate(),
            mtu: path.mtu.current(),
            path: path.epoch,
            is_validated: path.is_validated(),
            bytes_received,
            bytes_sent,
            packets_sent: counters.sent,
            packets_acked: counters.acked,
            packets_lost: counters.lost,
            packets_spurious: counters.spurious,
            timeouts: counters.timeouts,
            streams: self.streams.len(),
            is_ecn_capable: self.recovery.ecn_state() == EcnState::Capable,
            key_phase: self.spaces.key_phase(),
            is_confirmed: self.handshake.is_confirmed,
        }
    }
}
