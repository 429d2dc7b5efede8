// SPDX-License-Identifier: GPL-2.0

//! Frames out: what each component has to say, written into a packet through its builder.

#![forbid(unsafe_code)]

use super::{
    assemble::{
        Purpose,
        Room, //
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
        token::Token, //
    },
    frame::{
        AckFrequency,
        DatagramFrame,
        Frame,
        NewConnectionId, //
    },
    packet::PacketBuilder,
    path::{
        widen,
        Slot, //
    },
};

impl Connection {
    pub(super) fn write_frames(
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
                    self.write_ack_request(level.space(), builder);
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
        if builder.write_ack(acks.unknown(), delay, acks.ecn_counts()) {
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
            // RFC 9221 3: the server may take shorter ones, or none, when its parameters come than
            // those by which the datagram was queued.
            let is_taken = widen(len) <= self.peer.max_datagram_frame_size;
            if is_taken && !builder.write_frame(&frame, Some(Token::Datagram)) {
                // A datagram that fits no packet of this path any more is lost.
                if len <= self.largest_datagram_frame(Level::App) {
                    return;
                }
            }
            self.datagrams.pop_sent();
            // No acknowledgement gives this room back: it is now that whoever waits for it can go on.
            self.events.wake_writable();
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

    /// A side that only acknowledges asks now and then for an answer, so that its ACK frames do not
    /// grow for ever.
    // RFC 9000 13.2.4
    fn write_ack_request(&mut self, space: Space, builder: &mut PacketBuilder<'_>) {
        let is_bare = !builder.is_empty() && !builder.ack_eliciting();
        if is_bare && self.spaces.acks_mut(space).take_ping() {
            let _ = builder.write_frame(&Frame::Ping, Some(Token::Ping));
        }
    }

    fn write_path_frames(
        &mut self,
        cx: &mut Cx<'_>,
        builder: &mut PacketBuilder<'_>,
        slot: Slot,
        full_size: bool,
    ) {
        let times = self.challenge_times();
        while let Some(data) = self.paths.next_response(slot) {
            let frame = Frame::PathResponse { data };
            if !builder.write_frame(&frame, Some(Token::PathResponse)) {
                return;
            }
            self.paths.on_response_sent(slot);
        }
        let Some(path) = self.paths.get_mut(slot) else {
            return;
        };
        // RFC 9000 8.2.1 #2
        if path.challenge.is_pending() {
            let data = path.challenge.data(cx.rng);
            if builder.write_frame(&Frame::PathChallenge { data }, Some(Token::PathChallenge)) {
                path.challenge.on_sent(data, full_size, cx.now, times);
                self.paths.on_challenge_sent();
            }
        }
        // RFC 9000 9.3.3 #2
        if slot == Slot::Active {
            let _ = builder.write_frame(&Frame::Ping, Some(Token::Ping));
        }
    }
}
