// SPDX-License-Identifier: GPL-2.0

//! One packet out: header, the frames each component has to say, protection.
//!
//! Every frame goes through the packet builder, and what was sent is remembered by recovery as
//! tokens. The bytes of the stream frame that fills a packet are sealed from the chunks the
//! application's data is retained in, so that encryption is the copy.

#![forbid(unsafe_code)]

use super::{
    transmit::{
        Written,
        LEVELS,
        MIN_COALESCED, //
    },
    Connection,
    State, //
};
use crate::{
    common::{
        cx::Cx,
        id::{
            Level,
            Space, //
        },
        time::{
            Duration,
            Instant, //
        },
    },
    packet::{
        OutHeader,
        PacketBuilder,
        Sealed,
        Unsealed, //
    },
    path::{
        Ecn,
        Slot,
        MIN_DATAGRAM, //
    },
    recovery::{
        NumberError,
        SentPacket, //
    },
    stream::MAX_SEGMENTS,
};

/// Why a packet is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Whatever there is to say.
    Ordinary {
        /// A packet of a later space is to follow in the datagram.
        has_more: bool,
    },
    /// Path validation.
    Path {
        /// The datagram has the size that every path must carry.
        full_size: bool,
    },
    /// A probe for a larger datagram of this size.
    Probe(u16),
}

/// Where a packet goes and what it may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub slot: Slot,
    /// Ack-eliciting frames are allowed; without, an ACK frame at most.
    pub data: bool,
    pub purpose: Purpose,
    pub ecn: Ecn,
    /// Length the packet is to be padded to if no other follows it in the datagram.
    pub pad_to: usize,
}

/// How long sending rests when there was no memory to remember or to hold a packet.
pub(super) const STARVED: Duration = Duration::from_millis(10);

/// A datagram that falls short of a full one by no more than this is padded if there is more to
/// send, so that a batch of equal datagrams can go on.
const MAX_FILL: usize = 48;

impl Connection {
    /// Whether there may be something to send: if not, [`Self::transmit`] needs no buffer.
    pub fn wants_transmit(&mut self, cx: &mut Cx<'_>) -> bool {
        // Pacing holds nothing back, and needs no timer, while there is nothing to send.
        self.pacing_release = None;
        self.starved_until = None;
        self.check_key_use(cx);
        let wants = match self.state {
            State::Closed | State::Draining => false,
            State::Closing => true,
            State::Establishing | State::Established => {
                self.levels_to_send(cx.now, true).contains(&true)
                    || self.paths.active().mtu.wants_probe(cx.now)
                    || Slot::ALL
                        .into_iter()
                        .any(|slot| self.paths.has_pending(slot))
            }
        };
        if !wants {
            self.note_idle_window();
        }
        wants
    }

    /// Which levels have something to send, in the order of [`LEVELS`]; with `data`, frames other
    /// than ACK may be sent.
    pub(super) fn levels_to_send(&self, now: Instant, data: bool) -> [bool; 4] {
        LEVELS.map(|level| self.wants(now, level, || data && self.has_data(level)))
    }

    /// Whether any of the levels behind the one at `index` is sure to have its packet written into
    /// what is left of the datagram. A DATAGRAM frame is not: it is never split.
    pub(super) fn is_followed(&self, now: Instant, data: bool, index: usize) -> bool {
        let mut behind = LEVELS.into_iter().skip(index.saturating_add(1));
        behind.any(|level| self.wants(now, level, || data && self.has_divisible(level)))
    }

    /// Whether the level has something to send, given how to find out whether it has frames other than
    /// ACK: asked only of a level that has keys.
    fn wants(&self, now: Instant, level: Level, has_frames: impl Fn() -> bool) -> bool {
        let space = level.space();
        self.may_send(level)
            && (self.spaces.probes(space) > 0
                || (level != Level::Early && self.spaces.acks(space).is_due(now))
                || has_frames())
    }

    /// Whether packets of the level may be sent. Early data keeps to what is remembered of the
    /// server: once its new parameters are known, streams are within limits that are no longer
    /// those, and wait for the 1-RTT keys, which come with the same flight of the server.
    /// Nor does a client send any once it has seen that the server negotiates another version
    /// (RFC 9369 4.1).
    // RFC 9000 7.4.1 #10
    // RFC 9000 7.4.1 #11
    fn may_send(&self, level: Level) -> bool {
        let is_early = level == Level::Early;
        let is_original = self.version == self.handshake.first_version;
        let may_early = self.has_begun() && is_original && !self.handshake.has_peer_params;
        self.spaces.has_send_keys(level) && (!is_early || may_early)
    }

    /// Whether the ClientHello went out, or is about to in the same datagram. Early data ahead of
    /// it would arrive where nobody has a key for it, nor knows whose it is.
    fn has_begun(&self) -> bool {
        self.has_sent || self.spaces.crypto(Space::Initial).has_pending()
    }

    /// Whether the level has frames other than ACK to send.
    pub(super) fn has_data(&self, level: Level) -> bool {
        let is_app = matches!(level, Level::Early | Level::App);
        (is_app && self.datagrams.has_pending()) || self.has_divisible(level)
    }

    /// Whether the level has frames other than ACK that fit any room, DATAGRAM frames not.
    fn has_divisible(&self, level: Level) -> bool {
        match level {
            Level::Initial | Level::Handshake => self.spaces.crypto(level.space()).has_pending(),
            Level::Early => self.streams.has_pending(),
            Level::App => {
                self.has_app_control() || (self.streams.has_data() && !self.is_held_back())
            }
        }
    }

    fn has_app_control(&self) -> bool {
        self.spaces.crypto(Space::Data).has_pending()
            || self.handshake.done.is_pending()
            || self.handshake.new_token.is_pending()
            || self.local_ids.has_pending()
            || self.remote_ids.has_pending()
            || self.streams.has_control()
    }

    /// Whether little stream data waits for acknowledgements, or for more data, to fill a packet.
    pub(super) fn is_held_back(&self) -> bool {
        let packet = u64::from(self.paths.active().mtu.current());
        !self.config.nodelay
            && !self.is_flushing
            && self.recovery.bytes_in_flight() > 0
            && self.recovery.has_eliciting(Space::Data)
            && self.streams.is_small(packet)
    }

    /// Writes one packet into the beginning of `out`, if it has anything to say.
    pub(super) fn write_packet(
        &mut self,
        cx: &mut Cx<'_>,
        level: Level,
        out: &mut [u8],
        room: &Room,
    ) -> Option<Written> {
        let space = level.space();
        let pn = match self.recovery.next_packet_number(space, cx.rng) {
            Ok(pn) => pn,
            // RFC 9000 12.3 #3
            Err(NumberError::Exhausted) => {
                self.vanish();
                return None;
            }
            Err(NumberError::NoMemory) => {
                self.starved_until = Some(cx.now.saturating_add(STARVED));
                return None;
            }
        };
        let spin = self.next_spin(cx, level, room.slot);
        let path = self.paths.get(room.slot)?;
        let epoch = path.epoch;
        let dcid = self.remote_ids.get(path.dcid)?;
        let scid = self.local_ids.first();
        let size = out.len();
        let header = OutHeader {
            level,
            version: self.version_of(level),
            dcid: &dcid,
            scid: &scid,
            token: self.handshake.token.as_slice(),
            pn,
            largest_acked: self.recovery.largest_acked(space),
            key_phase: self.spaces.key_phase(),
            spin,
            fixed_bit: !self.greases_bit(cx),
        };
        let mut builder = PacketBuilder::new(out, &header)?;
        self.write_frames(cx, level, &mut builder, room);
        if builder.is_empty() {
            return None;
        }
        self.pad(&mut builder, size, room);
        let sealed = self.seal(level, builder.finish())?;
        self.on_packet_sent(cx, space, epoch, room, sealed)
    }

    /// RFC 9287 3.1: towards a peer that takes it, the fixed bit is random once the peer's
    /// parameters are known.
    fn greases_bit(&self, cx: &mut Cx<'_>) -> bool {
        self.peer.grease_quic_bit && self.handshake.has_peer_params && cx.rng.u64() & 1 == 1
    }

    /// The spin bit of the next packet on a path; there is none in a long header.
    pub(super) fn next_spin(&mut self, cx: &mut Cx<'_>, level: Level, slot: Slot) -> bool {
        let allowed = self.config.spin;
        let path = self.paths.get_mut(slot).filter(|_| level == Level::App);
        path.is_some_and(|path| path.spin.next(allowed, cx.rng))
    }

    fn pad(&self, builder: &mut PacketBuilder<'_>, size: usize, room: &Room) {
        let left = size.saturating_sub(builder.len());
        let is_last = match room.purpose {
            Purpose::Ordinary { has_more } => !has_more || left < MIN_COALESCED,
            _ => true,
        };
        if is_last {
            builder.pad_to(room.pad_to.min(size));
        }
        let may_go_on = builder.level() == Level::App && size >= MIN_DATAGRAM;
        if may_go_on && room.data && left <= MAX_FILL && self.streams.has_data() {
            builder.pad_to(size);
        }
    }

    /// Protects a packet; stream data is read from where it is retained.
    fn seal(&mut self, level: Level, packet: Unsealed<'_>) -> Option<Sealed> {
        let mut segments: [&[u8]; MAX_SEGMENTS] = [&[]; MAX_SEGMENTS];
        let mut count = 0;
        if let Some(tail) = packet.tail() {
            count = self
                .streams
                .segments(tail.id, tail.offset, tail.len, &mut segments);
        }
        let tail = segments.get(..count).unwrap_or_default();
        match self.spaces.seal(level, packet, tail) {
            Ok(sealed) => Some(sealed),
            Err(_) => {
                self.seal_failed = true;
                None
            }
        }
    }

    fn on_packet_sent(
        &mut self,
        cx: &mut Cx<'_>,
        space: Space,
        epoch: u32,
        room: &Room,
        sealed: Sealed,
    ) -> Option<Written> {
        cx.stats.pkt_out = cx.stats.pkt_out.wrapping_add(1);
        let written = Written {
            len: sealed.len,
            ack_eliciting: sealed.ack_eliciting,
        };
        let packet = SentPacket {
            time: cx.now,
            size: u16::try_from(sealed.len).unwrap_or(u16::MAX),
            ack_eliciting: sealed.ack_eliciting,
            in_flight: sealed.in_flight,
            ecn: room.ecn == Ecn::Ect0,
            mtu_probe: matches!(room.purpose, Purpose::Probe(_)),
            path: epoch,
            tokens: sealed.tokens,
            snapshot: Default::default(),
            episode: 0,
        };
        self.recovery.on_sent(space, sealed.pn, packet);
        if sealed.level == Level::Early {
            self.handshake.early_end = sealed.pn.saturating_add(1);
        }
        self.after_packet_sent(cx, sealed.level);
        Some(written)
    }
}
