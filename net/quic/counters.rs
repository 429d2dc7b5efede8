// SPDX-License-Identifier: GPL-2.0

//! Event counters, as `/proc/net/quic/snmp` shows them.

#![forbid(unsafe_code)]

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

use crate::{
    common::cx::Stats,
    linux::net::inet, //
};

const COUNT: usize = Stats::NAMES.len();

/// Counters that many sockets add to.
pub(crate) struct Counters {
    values: [Atomic<u64>; COUNT],
}

impl Counters {
    /// All zero.
    pub(crate) fn new() -> Self {
        Self {
            values: [const { Atomic::new(0) }; COUNT],
        }
    }

    /// Adds what was counted on the side. Any context.
    pub(crate) fn add(&self, stats: &Stats) {
        for (to, from) in self.values.iter().zip(stats.values()) {
            if from != 0 {
                to.add(from, Relaxed);
            }
        }
    }

    /// Adds what was counted on the side, which starts again at zero, here and to `total`.
    pub(crate) fn take_in(&self, stats: &mut Stats, total: &mut Stats) {
        stats.drain(total, &mut |place, count| {
            if let Some(to) = self.values.get(place) {
                to.add(count, Relaxed);
            }
        });
    }

    /// Counts a packet that nobody wanted.
    pub(crate) fn count_drop(&self) {
        self.add(&Stats {
            pkt_rcv_drop: 1,
            ..Stats::default()
        });
    }

    /// Counts an ICMP message that is about no packet of ours.
    pub(crate) fn count_icmp_ignored(&self) {
        self.add(&Stats {
            icmp_ignored: 1,
            ..Stats::default()
        });
    }

    /// Counts memory of incomplete ClientHellos, bytes that came and bytes that went.
    pub(crate) fn count_hello_bytes(&self, more: usize, less: usize) {
        // CAST: usize is 64 bits wide.
        let bytes = (more as u64).wrapping_sub(less as u64);
        self.add(&Stats {
            hello_bytes: bytes,
            ..Stats::default()
        });
    }

    /// Counts an incomplete ClientHello that was given up with its packets.
    pub(crate) fn count_hello_drop(&self, packets: usize) {
        self.add(&Stats {
            hello_drop: 1,
            // CAST: usize is 64 bits wide.
            pkt_rcv_drop: packets as u64,
            ..Stats::default()
        });
    }

    /// Counts a connection coming up or going down.
    pub(crate) fn on_state(&self, server: bool, old: u8, new: u8) {
        let mut stats = Stats::default();
        if new == inet::ESTABLISHED {
            stats.conn_current_estabs = 1;
            if server {
                stats.conn_passive_estabs = 1;
            } else {
                stats.conn_active_estabs = 1;
            }
        } else if old == inet::ESTABLISHED {
            // Down by one.
            stats.conn_current_estabs = u64::MAX;
        }
        self.add(&stats);
    }

    /// Names and present values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let values = self.values.iter().map(|v| v.load(Relaxed));
        Stats::NAMES.into_iter().zip(values)
    }
}
