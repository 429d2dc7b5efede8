// SPDX-License-Identifier: GPL-2.0

//! Loss detection and congestion control: RFC 9002, with the ECN of RFC 9000 section 13.4 and the
//! delayed acknowledgements of its section 13.2.
//!
//! [`Recovery`] is the sending half: it gives out packet numbers, remembers what was sent, learns
//! from ACK frames and timers what became of it, and says how much may be sent when. What a packet
//! carried comes back to its owner through a sink, as tokens. [`ack::AckTracker`] is the receiving
//! half, one for each packet number space.
//!
//! Everything here runs under the connection's lock, in any context. It reads no clock: the time
//! is an argument, and timers are deadlines that the caller asks for. The only allocation is made
//! by [`Recovery::next_packet_number`], before anything was written or sent.

#![forbid(unsafe_code)]

pub mod ack;
mod block;
pub mod ecn;
pub mod feedback;
pub mod freq;
mod in_flight;
mod info;
pub mod loss;
pub mod numbers;
pub mod pacing;
pub mod path;
pub mod persistent;
pub mod pto;
pub mod rate;
pub mod rtt;
mod send;
pub mod sent;
mod space;
mod tally;

#[cfg(test)]
pub(crate) mod tests;

use crate::{
    common::{
        id::{
            Side,
            Space, //
        },
        time::{
            Duration,
            Instant, //
        },
    },
    cong::{
        Algorithm,
        Congestion, //
    },
};

use self::{
    ecn::EcnPath,
    in_flight::InFlight,
    loss::{
        Episode,
        Reordering, //
    },
    pacing::Pacer,
    persistent::LossRun,
    rate::RateSampler,
    space::Spaces, //
};
pub use self::{
    ecn::{
        Ecn,
        EcnCounts,
        EcnState, //
    },
    feedback::AckSummary,
    pto::{
        Timeout, //
        TimerContext,
    },
    rtt::Rtt,
    send::NumberError,
    sent::SentPacket,
};

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The peer acknowledged it.
    Acked,
    /// It was declared lost: what it carried is to be sent again.
    Lost,
    /// It had been declared lost and was acknowledged after all: what it carried arrived, and
    /// need not be sent again where that has not happened yet.
    Spurious,
}

/// Receives the fate of packets: `(fate, space, packet number, packet)`.
pub type Sink<'a> = &'a mut dyn FnMut(Fate, Space, u64, &SentPacket);

/// Parameters of a connection's recovery.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Which end this is: a server knows that the client has validated its address.
    pub side: Side,
    /// RTT assumed before the first sample.
    pub initial_rtt: Duration,
    /// The maximum datagram size at the start, in bytes.
    pub mtu: u16,
    /// Congestion control algorithm.
    pub algorithm: Algorithm,
    /// Whether to test paths for ECN and mark packets.
    pub ecn: bool,
}

/// Counters for the user's statistics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets sent.
    pub sent: u64,
    /// Packets acknowledged.
    pub acked: u64,
    /// Packets declared lost.
    pub lost: u64,
    /// Packets declared lost that were acknowledged later.
    pub spurious: u64,
    /// Probe time-outs.
    pub timeouts: u64,
    /// Times that persistent congestion was established.
    pub persistent: u64,
}

/// The sending half of recovery, for all packet number spaces and the active path.
#[derive(Debug)]
pub struct Recovery {
    config: Config,
    spaces: Spaces,
    rtt: Rtt,
    pto_count: u32,
    /// `max_ack_delay` of the peer for timers, RFC 9000 18.2.
    max_ack_delay: Duration,
    ack_delay_exponent: u8,
    is_confirmed: bool,
    /// `PeerCompletedAddressValidation` of RFC 9002 A.8.
    is_peer_validated: bool,
    /// When the last thing happened from which an anti-deadlock timer counts; nothing was sent
    /// yet if there is none.
    progress: Option<Instant>,

    in_flight: InFlight,

    // State of the active path.
    mtu: u64,
    congestion: Congestion,
    pacer: Pacer,
    /// Bytes per second that the user allows.
    max_pacing_rate: u64,
    rate: RateSampler,
    ecn: EcnPath,
    /// When the window was last in full use; nothing sent later enlarges it.
    limited_at: Option<Instant>,
    /// RFC 9002 7.3.2: one packet may be sent when recovery begins, whatever the window.
    has_allowance: bool,

    run: LossRun,
    episode: Episode,
    reordering: Reordering,
    counters: Counters,
}

impl Recovery {
    /// Recovery of a new connection on path 0. Allocates nothing.
    pub fn new(config: Config) -> Self {
        let mtu = u64::from(config.mtu);
        let mut recovery = Self {
            spaces: Spaces::new(),
            rtt: Rtt::new(config.initial_rtt),
            pto_count: 0,
            max_ack_delay: Duration::from_millis(25),
            ack_delay_exponent: 3,
            is_confirmed: false,
            is_peer_validated: config.side == Side::Server,
            progress: None,
            in_flight: InFlight::default(),
            mtu,
            congestion: Congestion::new(config.algorithm, mtu),
            pacer: Pacer::new(1, mtu),
            max_pacing_rate: u64::MAX,
            rate: RateSampler::default(),
            ecn: EcnPath::new(config.ecn),
            limited_at: None,
            has_allowance: false,
            run: LossRun::default(),
            episode: Episode::default(),
            reordering: Reordering::default(),
            counters: Counters::default(),
            config,
        };
        recovery.update_pacer();
        recovery
    }

    /// The peer's transport parameters: the exponent of its ACK Delay fields and the longest time
    /// that it holds back an acknowledgement.
    pub fn set_peer_ack_params(&mut self, exponent: u8, max_ack_delay: Duration) {
        self.ack_delay_exponent = exponent;
        self.max_ack_delay = max_ack_delay;
    }

    /// The peer's `max_ack_delay` changed by ACK_FREQUENCY: the larger of the current and all
    /// values in flight.
    pub fn set_max_ack_delay(&mut self, max_ack_delay: Duration) {
        self.max_ack_delay = max_ack_delay;
    }

    /// Gives up memory that is kept for packets to come. To be called now and then, when a timer
    /// fires for instance, so that an idle connection has none.
    pub fn shrink(&mut self) {
        for space in Space::ALL {
            self.spaces.get_mut(space).sent.shrink();
        }
    }

    /// The handshake is confirmed (RFC 9001 4.1.2).
    pub fn on_handshake_confirmed(&mut self) {
        self.is_confirmed = true;
        self.is_peer_validated = true;
    }

    fn update_pacer(&mut self) {
        // Slow start doubles the window in a round trip, so the rate is twice the window's; in
        // congestion avoidance RFC 9002 7.7 suggests 1.25.
        let (num, den) = if self.congestion.is_doubling() {
            (2, 1)
        } else {
            (5, 4)
        };
        let window = self.congestion.window();
        let rate = pacing::rate_for(window, self.rtt.smoothed(), num, den);
        self.pacer.set_rate(rate, self.mtu);
    }
}
