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
        rng::Rng,
        time::{
            Duration,
            Instant, //
        },
    },
    cong::{
        Algorithm,
        Congestion, //
    },
    mem::AllocError,
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

/// Why there is no packet number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberError {
    /// RFC 9000 12.3 #3: the space is used up; the connection ends without a further packet.
    Exhausted,
    /// No memory to remember the packet; nothing was changed, and it may be tried later.
    NoMemory,
}

impl From<AllocError> for NumberError {
    fn from(_: AllocError) -> Self {
        Self::NoMemory
    }
}

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

    /// The handshake is confirmed (RFC 9001 4.1.2).
    pub fn on_handshake_confirmed(&mut self) {
        self.is_confirmed = true;
        self.is_peer_validated = true;
    }

    /// The number for the next packet of `space`, with room to remember the packet. The answer
    /// stays the same until [`Self::on_sent`]. In the application data space numbers are skipped
    /// at random, more rarely as the congestion window grows: RFC 9000 21.4 #1.
    pub fn next_packet_number(
        &mut self,
        space: Space,
        rng: &mut dyn Rng,
    ) -> Result<u64, NumberError> {
        let window = self.congestion.window().checked_div(self.mtu);
        let state = self.spaces.get_mut(space);
        let pn = match space {
            Space::Data => state.numbers.choose(rng, window.unwrap_or(0)),
            Space::Initial | Space::Handshake => state.numbers.peek(),
        };
        let pn = pn.ok_or(NumberError::Exhausted)?;
        state.sent.reserve(pn)?;
        Ok(pn)
    }

    /// Packet `pn` of `space` was sent: RFC 9002 A.5. `pn` is the last answer of
    /// [`Self::next_packet_number`] for the space.
    pub fn on_sent(&mut self, space: Space, pn: u64, mut packet: SentPacket) {
        let now = packet.time;
        let is_active = packet.path == self.in_flight.path();
        let is_counted = packet.in_flight && is_active;
        if is_counted {
            packet.snapshot = self.rate.on_sent(now, self.in_flight.bytes() == 0);
        }
        // RFC 9002 7.5 #2: every packet in flight counts, probes included.
        self.in_flight.on_sent(&packet);
        if is_counted {
            self.use_window(now, u64::from(packet.size));
        }
        let state = self.spaces.get_mut(space);
        if packet.ecn {
            state.ecn.sent = state.ecn.sent.saturating_add(1);
            if is_active {
                self.ecn.on_sent();
            }
        }
        if packet.ack_eliciting {
            state.last_eliciting = Some(now);
            self.progress = Some(now);
        }
        state.numbers.on_sent(pn);
        state.sent.insert(pn, packet);
        self.counters.sent = self.counters.sent.saturating_add(1);
    }

    /// A packet of `size` bytes takes its part of the window and of what pacing lets go.
    fn use_window(&mut self, now: Instant, size: u64) {
        self.pacer.on_sent(now, size);
        self.has_allowance = false;
        if self.is_window_used(now) {
            self.limited_at = Some(now);
        }
    }

    /// Whether the window has no room for another packet. A sender that has to wait for its pacing
    /// uses the window too, if it is not far from full: RFC 9002 7.8 #2.
    fn is_window_used(&self, now: Instant) -> bool {
        let window = self.congestion.window();
        if self.in_flight.bytes().saturating_add(self.mtu) > window {
            return true;
        }
        let is_half_used = self.in_flight.bytes().saturating_mul(2) >= window;
        is_half_used && self.pacer.budget(now) < self.mtu
    }

    /// Bytes that the congestion window still admits: RFC 9002 7 #3. Probe packets after a
    /// time-out are sent without asking: RFC 9002 7.5 #1.
    pub fn window(&self) -> u64 {
        let window = self.congestion.window();
        let free = window.saturating_sub(self.in_flight.bytes());
        // RFC 9002 7.3.2: sending one packet speeds up recovery from the loss.
        if self.has_allowance {
            free.max(self.mtu)
        } else {
            free
        }
    }

    /// Whether a packet of `size` bytes in flight fits the congestion window.
    pub fn can_send(&self, size: u64) -> bool {
        size <= self.window()
    }

    /// Bytes that pacing lets go at `now`, whatever the window says. RFC 9002 7.7 #1
    pub fn pacing_budget(&self, now: Instant) -> u64 {
        self.pacer.budget(now)
    }

    /// When pacing lets `bytes` go; not after `now` means at once. Packets with nothing but ACK
    /// frames are not paced: RFC 9002 7.7 #5.
    pub fn pacing_earliest(&self, now: Instant, bytes: u64) -> Instant {
        self.pacer.earliest(now, bytes)
    }

    /// There was nothing more to send although window and pacing had room. Concerns the delivery
    /// rate alone: whether the window was in use is seen from what is sent (RFC 9002 7.8 #1).
    pub fn on_app_limited(&mut self) {
        self.rate.on_app_limited(self.in_flight.bytes());
    }

    /// The mark for the next packet of the active path.
    pub fn ecn_mark(&self) -> Ecn {
        self.ecn.mark()
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
