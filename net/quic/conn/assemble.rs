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
    Connection, //
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
        token::Token, //
    },
    frame::{
        AckFrequency,
        DatagramFrame,
        Frame,
        NewConnectionId, //
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

/// How long sending rests when there was no memory to remember a packet.
const STARVED: Duration = Duration::from_millis(10);

/// A datagram that falls short of a full one by no more than this is padded if there is more to
/// send, so that a batch of equal datagrams can go on.
const MAX_FILL: usize = 48;

impl Connection {
    /// Which levels have something to send, in the order of [`LEVELS`]; with `data`, frames other
    /// than ACK may be sent.
    pub(super) fn levels_to_send(&self, now: Instant, data: bool) -> [bool; 4] {
        LEVELS.map(|level| {
            let space = level.space();
            self.may_send(level)
                && (self.spaces.probes(space) > 0
                    || (level != Level::Early && self.spaces.acks(space).is_due(now))
                    || (data && self.has_data(level)))
        })
    }

    /// Whether packets of the level may be sent. Early data keeps to what is remembered of the
    /// server: once its new parameters are known, streams are within limits that are no longer
    /// those, and wait for the 1-RTT keys, which come with the same flight of the server.
    // RFC 9000 7.4.1 #10
    // RFC 9000 7.4.1 #11
    fn may_send(&self, level: Level) -> bool {
        let is_early = level == Level::Early;
        self.spaces.has_send_keys(level) && !(is_early && self.handshake.has_peer_params)
    }

    /// Whether the level has frames other than ACK to send.
    fn has_data(&self, level: Level) -> bool {
        match level {
            Level::Initial | Level::Handshake => self.spaces.crypto(level.space()).has_pending(),
            Level::Early => self.streams.has_pending() || self.datagrams.has_pending(),
            Level::App => {
                self.has_app_control()
                    || self.datagrams.has_pending()
                    || (self.streams.has_data() && !self.is_held_back())
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
    fn is_held_back(&self) -> bool {
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
            version: self.version,
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

    fn write_frames(
        &mut self,
        cx: &mut Cx<'_>,
        level: Level,
        builder: &mut PacketBuilder<'_>,
        room: &Room,
    ) {
        match room.purpose {
            Purpose::Path { full_size } => {
                self.write_path_frames(cx, builder, room.slot, full_size);
            }
            Purpose::Probe(size) => {
                let token = Token::MtuProbe { size };
                let _ = builder.write_frame(&Frame::Ping, Some(token));
            }
            Purpose::Ordinary { .. } => {
                self.write_ack(cx, level, builder, room.data);
                if room.data {
                    self.write_data(cx, level, builder);
                    self.write_probe(level.space(), builder);
                }
            }
        }
    }

    /// ACK, if one is due or goes along with something else.
    // RFC 9000 13.2 #1
    // RFC 9000 13.2.1 #5
    // RFC 9000 13.2.6 #1
    fn write_ack(
        &mut self,
        cx: &Cx<'_>,
        level: Level,
        builder: &mut PacketBuilder<'_>,
        data: bool,
    ) {
        // RFC 9000 13.2.6 #3
        if level == Level::Early {
            return;
        }
        let space = level.space();
        let goes_along = data && (self.has_data(level) || self.spaces.probes(space) > 0);
        let exponent = match space {
            Space::Data => self.local.ack_delay_exponent,
            // RFC 9000 18.2: the parameter is unknown to the peer in the other spaces.
            Space::Initial | Space::Handshake => 3,
        };
        let acks = self.spaces.acks_mut(space);
        let is_wanted = acks.is_due(cx.now) || (goes_along && acks.is_useful());
        if !is_wanted {
            return;
        }
        let delay = acks.ack_delay(cx.now).as_micros();
        let delay = delay.checked_shr(u32::from(exponent)).unwrap_or(0);
        if builder.write_ack(acks.ranges(), delay, acks.ecn_counts()) {
            acks.on_ack_sent();
        }
    }

    // RFC 9001 4.9 #1
    fn write_data(&mut self, cx: &mut Cx<'_>, level: Level, builder: &mut PacketBuilder<'_>) {
        if level != Level::Early {
            self.spaces.crypto_mut(level.space()).write_frames(builder);
        }
        if level == Level::App {
            self.write_app_control(cx, builder);
        }
        // RFC 9000 12.5 #5
        if matches!(level, Level::App | Level::Early) {
            self.streams.write_control(builder);
            self.write_datagrams(builder);
            if level == Level::Early || !self.is_held_back() {
                self.streams.write_data(builder);
            }
        }
    }

    fn write_app_control(&mut self, cx: &mut Cx<'_>, builder: &mut PacketBuilder<'_>) {
        if self.handshake.done.is_pending()
            && builder.write_frame(&Frame::HandshakeDone, Some(Token::HandshakeDone))
        {
            self.handshake.done.on_sent();
        }
        while let Some(seq) = self.remote_ids.next_retirement() {
            let frame = Frame::RetireConnectionId { seq };
            if !builder.write_frame(&frame, Some(Token::RetireConnectionId { seq })) {
                return;
            }
            self.remote_ids.on_retirement_sent(seq);
        }
        while let Some(new) = self.local_ids.next_announcement() {
            let frame = Frame::NewConnectionId(NewConnectionId {
                seq: new.seq,
                retire_prior_to: new.retire_prior_to,
                id: new.cid,
                token: new.token,
            });
            if !builder.write_frame(&frame, Some(Token::NewConnectionId { seq: new.seq })) {
                return;
            }
            self.local_ids.on_announced(new.seq);
        }
        self.write_new_token(cx, builder);
        self.write_frequency(cx, builder);
    }

    /// ACK_FREQUENCY, when the peer takes it and should acknowledge more or less often.
    fn write_frequency(&mut self, cx: &Cx<'_>, builder: &mut PacketBuilder<'_>) {
        let window = self.recovery.congestion().window();
        let mtu = u64::from(self.paths.active().mtu.current());
        let rtt = self.recovery.rtt().smoothed();
        let Some(frequency) = self.spaces.frequency.as_mut() else {
            return;
        };
        let Some(request) = frequency.poll(cx.now, window, mtu, rtt) else {
            return;
        };
        let seq = request.sequence;
        let frame = Frame::AckFrequency(AckFrequency {
            seq,
            threshold: request.eliciting_threshold,
            max_ack_delay: request.max_ack_delay.as_micros(),
            reordering_threshold: request.reordering_threshold,
        });
        if builder.write_frame(&frame, Some(Token::AckFrequency { seq })) {
            frequency.on_sent(cx.now, request);
            let delay = frequency.max_ack_delay();
            self.recovery.set_max_ack_delay(delay);
        }
    }

    fn write_datagrams(&mut self, builder: &mut PacketBuilder<'_>) {
        while let Some(data) = self.datagrams.front() {
            let frame = Frame::Datagram(DatagramFrame { data, at: 0 });
            let len = frame.encoded_len();
            if !builder.write_frame(&frame, Some(Token::Datagram)) {
                // A datagram that fits no packet of this path any more is lost.
                if len > self.largest_datagram_frame() {
                    self.datagrams.pop_sent();
                    continue;
                }
                return;
            }
            self.datagrams.pop_sent();
        }
    }

    /// A probe elicits an acknowledgement even if there is nothing to repeat.
    fn write_probe(&mut self, space: Space, builder: &mut PacketBuilder<'_>) {
        if self.spaces.probes(space) == 0 {
            return;
        }
        if !builder.ack_eliciting() && !builder.write_frame(&Frame::Ping, Some(Token::Ping)) {
            return;
        }
        self.spaces.on_probe_sent(space);
    }

    fn write_path_frames(
        &mut self,
        cx: &mut Cx<'_>,
        builder: &mut PacketBuilder<'_>,
        slot: Slot,
        full_size: bool,
    ) {
        let times = self.challenge_times();
        let Some(path) = self.paths.get_mut(slot) else {
            return;
        };
        while let Some(data) = path.responses.front() {
            let frame = Frame::PathResponse { data };
            if !builder.write_frame(&frame, Some(Token::PathResponse)) {
                return;
            }
            path.responses.pop();
        }
        // RFC 9000 8.2.1 #2
        if path.challenge.is_pending() {
            let data = path.challenge.data(cx.rng);
            if builder.write_frame(&Frame::PathChallenge { data }, Some(Token::PathChallenge)) {
                path.challenge.on_sent(data, full_size, cx.now, times);
            }
        }
        // RFC 9000 9.3.3 #2
        if slot == Slot::Active {
            let _ = builder.write_frame(&Frame::Ping, Some(Token::Ping));
        }
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
