// SPDX-License-Identifier: GPL-2.0

//! The packet number spaces: their keys, what was received in them, their handshake bytes.

#![forbid(unsafe_code)]

use core::ops::Range;

use crate::{
    aead::KeyError,
    common::{
        id::{
            Level,
            Space,
            Version, //
        },
        time::{
            Duration,
            Instant, //
        },
    },
    crypto::{
        keys::{
            RxKeys,
            SpaceKeys, //
        },
        OneRtt, //
    },
    packet::{
        Sealed,
        Unsealed, //
    },
    path::{
        Ecn,
        PathAddr,
        Slot, //
    },
    recovery::{
        ack::AckTracker,
        freq::AckFrequency, //
    },
    stream::crypto::CryptoStream,
};

/// A packet that was opened and whose frames are about to be processed.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    /// Level of its keys.
    pub level: Level,
    /// Its number.
    pub pn: u64,
    /// Where the path it came on was when it came, if that is one.
    pub slot: Option<Slot>,
    /// The addresses of that path, by which it is found again.
    pub path: Option<PathAddr>,
    /// Sequence number of the own id it was sent to; none for the original destination id.
    pub carrier: Option<u64>,
    /// Where its frames lie in the datagram.
    pub payload: Range<usize>,
    /// Key generation it was opened with.
    pub generation: u64,
    /// Its mark.
    pub ecn: Ecn,
    /// When it came.
    pub received: Instant,
}

/// One packet number space.
#[derive(Debug)]
pub(super) struct SpaceState {
    /// Keys of the long-header levels; in the data space those of 0-RTT.
    pub keys: SpaceKeys,
    /// Packets received.
    pub acks: AckTracker,
    /// Handshake bytes.
    pub crypto: CryptoStream,
    /// Packets to send whatever congestion control says.
    pub probes: u8,
    /// The keys were thrown away; packets of the space are dropped.
    pub is_discarded: bool,
}

/// How late a timer may commonly fire: a high-resolution one whose softirq has to wait its turn.
const ALARM_DELAY: Duration = Duration::from_millis(1);

/// How long acknowledgements are held back so that they leave within `max_ack_delay`.
// RFC 9000 18.2 #2
fn hold_back(max_ack_delay: Duration) -> Duration {
    max_ack_delay.saturating_sub(ALARM_DELAY)
}

impl SpaceState {
    fn new(space: Space, max_ack_delay: Duration) -> Self {
        Self {
            keys: SpaceKeys::default(),
            acks: AckTracker::new(space, max_ack_delay),
            crypto: CryptoStream::new(),
            probes: 0,
            is_discarded: false,
        }
    }
}

/// All three.
#[derive(Debug)]
pub(super) struct Spaces {
    pub initial: SpaceState,
    pub handshake: SpaceState,
    pub data: SpaceState,
    pub one_rtt: OneRtt,
    /// Keys of the other version for Initial packets during compatible version negotiation.
    pub other_initial: Option<(Version, RxKeys)>,
    /// Set when the peer takes ACK_FREQUENCY.
    pub frequency: Option<AckFrequency>,
}

impl Spaces {
    /// No keys, nothing received. `max_ack_delay` is what this side announces.
    pub(super) fn new(max_ack_delay: Duration) -> Self {
        let delay = hold_back(max_ack_delay);
        Self {
            initial: SpaceState::new(Space::Initial, delay),
            handshake: SpaceState::new(Space::Handshake, delay),
            data: SpaceState::new(Space::Data, delay),
            one_rtt: OneRtt::default(),
            other_initial: None,
            frequency: None,
        }
    }

    /// This side announces another `max_ack_delay`.
    pub(super) fn set_max_ack_delay(&mut self, max_ack_delay: Duration) {
        self.data.acks.set_max_ack_delay(hold_back(max_ack_delay));
    }

    pub(super) fn get(&self, space: Space) -> &SpaceState {
        match space {
            Space::Initial => &self.initial,
            Space::Handshake => &self.handshake,
            Space::Data => &self.data,
        }
    }

    pub(super) fn get_mut(&mut self, space: Space) -> &mut SpaceState {
        match space {
            Space::Initial => &mut self.initial,
            Space::Handshake => &mut self.handshake,
            Space::Data => &mut self.data,
        }
    }

    pub(super) fn crypto(&self, space: Space) -> &CryptoStream {
        &self.get(space).crypto
    }

    pub(super) fn crypto_mut(&mut self, space: Space) -> &mut CryptoStream {
        &mut self.get_mut(space).crypto
    }

    pub(super) fn acks(&self, space: Space) -> &AckTracker {
        &self.get(space).acks
    }

    pub(super) fn acks_mut(&mut self, space: Space) -> &mut AckTracker {
        &mut self.get_mut(space).acks
    }

    /// Packets that a probe time-out has asked for.
    pub(super) fn probes(&self, space: Space) -> u8 {
        self.get(space).probes
    }

    pub(super) fn on_probe_sent(&mut self, space: Space) {
        let state = self.get_mut(space);
        state.probes = state.probes.saturating_sub(1);
    }

    /// Whether packets of the level can be sealed.
    pub(super) fn has_send_keys(&self, level: Level) -> bool {
        match level {
            Level::App => self.one_rtt.has_tx(),
            level => self.get(level.space()).keys.tx.is_some(),
        }
    }

    /// Whether packets of the level can be opened.
    pub(super) fn has_recv_keys(&self, level: Level) -> bool {
        match level {
            Level::App => self.one_rtt.has_rx(),
            level => self.get(level.space()).keys.rx.is_some(),
        }
    }

    /// The key phase of the next 1-RTT packet.
    pub(super) fn key_phase(&self) -> bool {
        self.one_rtt.key_phase()
    }

    /// Protects a packet of `level`.
    pub(super) fn seal(
        &mut self,
        level: Level,
        packet: Unsealed<'_>,
        tail: &[&[u8]],
    ) -> Result<Sealed, KeyError> {
        match level {
            Level::App => self.one_rtt.seal(packet, tail),
            level => {
                let keys = self.get_mut(level.space()).keys.tx.as_mut();
                keys.ok_or(KeyError::Unsupported)?.seal(packet, tail)
            }
        }
    }

    /// Throws away what belongs to a space whose keys are no longer needed.
    pub(super) fn discard(&mut self, space: Space) {
        let state = self.get_mut(space);
        state.keys = SpaceKeys::default();
        state.crypto = CryptoStream::new();
        state.acks = AckTracker::new(space, Duration::ZERO);
        state.probes = 0;
        state.is_discarded = true;
        if space == Space::Initial {
            self.other_initial = None;
        }
    }

    /// When an ACK frame that may wait has to go.
    pub(super) fn ack_deadline(&self) -> Option<Instant> {
        Space::ALL
            .into_iter()
            .filter(|space| self.can_ack(*space))
            .filter_map(|space| self.acks(space).deadline())
            .min()
    }

    fn can_ack(&self, space: Space) -> bool {
        match space {
            Space::Initial => self.has_send_keys(Level::Initial),
            Space::Handshake => self.has_send_keys(Level::Handshake),
            Space::Data => self.has_send_keys(Level::App),
        }
    }
}
