// SPDX-License-Identifier: GPL-2.0

//! The context argument of every call into the core.

#![forbid(unsafe_code)]

use super::{
    rng::Rng,
    time::Instant, //
};

/// What the core may know of the world during one call.
pub struct Cx<'a> {
    /// The time of the call.
    pub now: Instant,
    /// Randomness.
    pub rng: &'a mut dyn Rng,
    /// Counters that the caller adds to those of the network namespace afterwards.
    pub stats: &'a mut Stats,
}

/// Declares the counters with the names that `/proc/net/quic/snmp` shows.
macro_rules! stats {
    ($($(#[$doc:meta])* $field:ident = $name:literal,)*) => {
        /// Events counted since the last [`Stats::drain`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$doc])* pub $field: u64,)*
        }

        impl Stats {
            /// The names of the counters, in the order of [`Stats::values`].
            pub const NAMES: [&'static str; [$($name),*].len()] = [$($name),*];

            /// The counters, in the order of [`Stats::NAMES`].
            pub const fn values(&self) -> [u64; Self::NAMES.len()] {
                [$(self.$field),*]
            }

            /// Adds the counters of `other`.
            pub fn add(&mut self, other: &Stats) {
                $(self.$field = self.$field.wrapping_add(other.$field);)*
            }

            /// Adds the counters to `total` and starts again at zero. Shows those that were not,
            /// with their places in [`Stats::NAMES`]: after most calls they are few.
            pub fn drain(&mut self, total: &mut Stats, f: &mut dyn FnMut(usize, u64)) {
                let mut place = 0usize;
                $(
                    if self.$field != 0 {
                        let count = core::mem::take(&mut self.$field);
                        total.$field = total.$field.wrapping_add(count);
                        f(place, count);
                    }
                    place = place.wrapping_add(1);
                )*
                let _ = place;
            }
        }
    };
}

stats! {
    /// Connections established now; counted up and down by the socket layer.
    conn_current_estabs = "QuicConnCurrentEstabs",
    /// Connections accepted.
    conn_passive_estabs = "QuicConnPassiveEstabs",
    /// Connections opened.
    conn_active_estabs = "QuicConnActiveEstabs",
    /// Packets received in softirq with the lock free.
    pkt_rcv_fastpaths = "QuicPktRcvFastpaths",
    /// Packets opened in softirq.
    pkt_dec_fastpaths = "QuicPktDecFastpaths",
    /// Packets sealed without deferral.
    pkt_enc_fastpaths = "QuicPktEncFastpaths",
    /// Packets received through the backlog.
    pkt_rcv_backlogs = "QuicPktRcvBacklogs",
    /// Packets opened from the backlog.
    pkt_dec_backlogs = "QuicPktDecBacklogs",
    /// Packets sealed from the backlog.
    pkt_enc_backlogs = "QuicPktEncBacklogs",
    /// Packets dropped for their header.
    pkt_inv_hdr_drop = "QuicPktInvHdrDrop",
    /// Packets dropped for their number: duplicates and numbers too old to tell.
    pkt_inv_num_drop = "QuicPktInvNumDrop",
    /// Packets with an invalid frame.
    pkt_inv_frm_drop = "QuicPktInvFrmDrop",
    /// Packets dropped for another reason.
    pkt_rcv_drop = "QuicPktRcvDrop",
    /// Packets that failed authentication.
    pkt_dec_drop = "QuicPktDecDrop",
    /// Packets that could not be sealed.
    pkt_enc_drop = "QuicPktEncDrop",
    /// Frames dropped for want of receive memory.
    frm_rcv_buf_drop = "QuicFrmRcvBufDrop",
    /// Frames sent again.
    frm_retrans = "QuicFrmRetrans",
    /// CONNECTION_CLOSE frames sent.
    frm_out_closes = "QuicFrmOutCloses",
    /// CONNECTION_CLOSE frames received.
    frm_in_closes = "QuicFrmInCloses",
    /// Datagrams received.
    dgram_in = "QuicDgramIn",
    /// Datagrams sent.
    dgram_out = "QuicDgramOut",
    /// Bytes of packets opened.
    bytes_in = "QuicBytesIn",
    /// Bytes of datagrams sent.
    bytes_out = "QuicBytesOut",
    /// Bytes of packets declared lost.
    bytes_lost = "QuicBytesLost",
    /// Packets opened.
    pkt_in = "QuicPktIn",
    /// Packets sealed.
    pkt_out = "QuicPktOut",
    /// Packets declared lost.
    pkt_lost = "QuicPktLost",
    /// Losses that turned out to be none.
    pkt_spurious_lost = "QuicPktSpuriousLost",
    /// Stateless resets sent.
    stateless_reset_out = "QuicStatelessResetOut",
    /// Stateless resets received.
    stateless_reset_in = "QuicStatelessResetIn",
    /// Version Negotiation packets sent.
    version_negotiation_out = "QuicVersionNegotiationOut",
    /// Version Negotiation packets received and acted on.
    version_negotiation_in = "QuicVersionNegotiationIn",
    /// Retry packets sent.
    retry_out = "QuicRetryOut",
    /// Retry packets received and acted on.
    retry_in = "QuicRetryIn",
    /// Memory of incomplete ClientHellos kept now, bytes; counted up and down by the socket layer.
    hello_bytes = "QuicHelloBytes",
    /// Incomplete ClientHellos given up: too old, too large, or too many.
    hello_drop = "QuicHelloDrop",
    /// Tokens that failed validation.
    token_invalid = "QuicTokenInvalid",
    /// Probe timeouts.
    pto = "QuicPto",
    /// Key updates in either direction.
    key_update = "QuicKeyUpdate",
    /// Path validations that succeeded.
    path_validated = "QuicPathValidated",
    /// Migrations of the peer.
    migration_in = "QuicMigrationIn",
    /// ICMP messages about packets too big that a connection took for true.
    icmp_too_big = "QuicIcmpTooBig",
    /// Those that quote no packet of a connection: forged ones, or too short, or too late.
    icmp_ignored = "QuicIcmpIgnored",
    /// Connections ended by the idle timeout.
    idle_timeout = "QuicIdleTimeout",
    /// Allocations that failed in the core.
    no_memory = "QuicNoMemory",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_keep_the_order_of_their_names() {
        let mut stats = Stats {
            conn_current_estabs: 1,
            no_memory: 2,
            ..Stats::default()
        };
        assert_eq!(Stats::NAMES[18], "QuicFrmInCloses");
        assert_eq!(stats.values()[0], 1);
        assert_eq!(stats.values()[Stats::NAMES.len() - 1], 2);
        let mut shown = [(0, 0); 2];
        let mut places = shown.iter_mut();
        let mut total = stats;
        stats.drain(&mut total, &mut |place, count| {
            *places.next().unwrap() = (place, count);
        });
        assert_eq!(shown, [(0, 1), (Stats::NAMES.len() - 1, 2)]);
        assert_eq!(stats, Stats::default());
        assert_eq!(total.no_memory, 4);
        stats.drain(&mut total, &mut |_, _| panic!("nothing was counted"));
        total.add(&total.clone());
        assert_eq!(total.no_memory, 8);
    }
}
