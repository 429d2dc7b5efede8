// SPDX-License-Identifier: GPL-2.0

//! How a connection ends, and the CONNECTION_CLOSE that says so (RFC 9000 10, 11).

#![forbid(unsafe_code)]

use super::{
    close::on_wire,
    event::{
        CloseInfo,
        CloseKind,
        Event, //
    },
    transmit::{
        Transmit,
        Written,
        LEVELS, //
    },
    Connection,
    State, //
};
use crate::{
    common::{
        cx::Cx,
        error::{
            ErrorCode,
            TransportError, //
        },
        id::{
            Level,
            Side, //
        },
        token::Token, //
    },
    frame::{
        CloseFrame,
        Frame, //
    },
    packet::{
        OutHeader,
        PacketBuilder, //
    },
    path::{
        Ecn,
        Slot,
        MIN_DATAGRAM, //
    },
    recovery::SentPacket,
};

impl Connection {
    /// Ends the connection from this side. The drive loop sends the stream data that the window
    /// admits, then the CONNECTION_CLOSE; nothing is sent again.
    ///
    /// With `is_app` the code is the application's; before the handshake is complete the peer then
    /// learns APPLICATION_ERROR only. Without, `code` is a transport code, for instance that of a
    /// TLS alert. Closing a closed connection changes nothing.
    pub fn close(&mut self, cx: &mut Cx<'_>, is_app: bool, code: u64, reason: &[u8]) {
        let kind = if is_app {
            CloseKind::LocalApplication
        } else {
            CloseKind::LocalTransport
        };
        let info = CloseInfo::new(kind, code, 0, reason);
        // Nobody has heard of a connection that has sent nothing.
        let state = if self.has_sent || self.side == Side::Server {
            State::Closing
        } else {
            State::Closed
        };
        self.is_flushing = is_app && self.state == State::Established;
        if self.is_flushing {
            self.streams.uncork();
        }
        self.finish(cx, info, state);
    }

    /// Ends the connection because of an error found on this side.
    // RFC 9000 10.3 #2
    pub(super) fn fail(&mut self, cx: &mut Cx<'_>, error: TransportError) {
        if error == TransportError::from(crate::mem::AllocError) {
            cx.stats.no_memory = cx.stats.no_memory.wrapping_add(1);
        }
        let reason = error.reason.as_bytes();
        let info = CloseInfo::new(CloseKind::LocalTransport, error.code.0, error.frame, reason);
        self.finish(cx, info, State::Closing);
    }

    /// The one place where a connection leaves the open states.
    // RFC 9000 10.2 #1
    pub(super) fn finish(&mut self, cx: &mut Cx<'_>, info: CloseInfo, state: State) {
        if !self.state.is_open() {
            return;
        }
        let deadline = cx.now.saturating_add(self.three_pto());
        self.closing.start(info, state == State::Closing, deadline);
        self.state = state;
        self.early.clear();
        // What the user did himself is no news to him.
        if info.kind != CloseKind::LocalApplication {
            self.events.push(Event::Closed(info));
        }
        self.events.wake_readable();
        self.events.wake_writable();
        self.events.wake_streams();
        self.events.wake_state();
    }

    /// Ends the connection without a word, neither to the peer nor later.
    // RFC 9000 9.3.2 #2
    // RFC 9000 12.3 #3
    pub(super) fn vanish(&mut self) {
        if self.state.is_open() {
            let info = CloseInfo::new(CloseKind::LocalTransport, 0, 0, b"");
            self.closing
                .start(info, false, crate::common::time::Instant::ZERO);
            self.state = State::Closed;
            self.events.push(Event::Closed(info));
            self.events.wake_readable();
            self.events.wake_writable();
            self.events.wake_streams();
            self.events.wake_state();
        }
    }

    // RFC 9000 10.3.1 #5
    pub(super) fn on_stateless_reset(&mut self, cx: &mut Cx<'_>) {
        // The user interface knows a stateless reset by the base of the TLS alerts (uapi 9).
        let info = CloseInfo::new(CloseKind::StatelessReset, 0x100, 0, b"");
        self.finish(cx, info, State::Draining);
    }

    /// Why the connection ended, once it has.
    pub fn close_info(&self) -> Option<&CloseInfo> {
        self.closing.info()
    }

    /// The datagram that tells the peer, with a packet of every level that the peer may be able to
    /// open.
    // RFC 9000 10.2.3 #1
    // RFC 9000 10.2.3 #3
    // RFC 9000 10.2.3 #4
    // RFC 9000 10.2.3 #5
    pub(super) fn transmit_close(&mut self, cx: &mut Cx<'_>, buf: &mut [u8]) -> Option<Transmit> {
        if !self.closing.is_pending() {
            return None;
        }
        let info = *self.closing.info()?;
        // RFC 9000 10.2.1 #7
        let size = MIN_DATAGRAM.min(self.paths.active().budget());
        let out = buf.get_mut(..size)?;
        let mut len: usize = 0;
        let mut has_initial = false;
        for level in LEVELS {
            let last = level == Level::App || !self.has_send_keys_after(level);
            let pad = if last && has_initial | (level == Level::Initial) {
                size.saturating_sub(len)
            } else {
                0
            };
            let rest = out.get_mut(len..).unwrap_or_default();
            if let Some(written) = self.write_close(cx, level, rest, &info, pad) {
                len = len.saturating_add(written);
                has_initial |= level == Level::Initial;
            }
        }
        // Also when nothing could be written: there will be no better moment.
        self.closing.on_sent();
        if len == 0 {
            return None;
        }
        cx.stats.frm_out_closes = cx.stats.frm_out_closes.wrapping_add(1);
        let written = Written {
            len,
            ack_eliciting: false,
        };
        self.sent_datagram(cx, Slot::Active, &written, Ecn::NotEct, None)
    }

    fn has_send_keys_after(&self, level: Level) -> bool {
        LEVELS
            .into_iter()
            .filter(|other| *other > level && *other != Level::Early)
            .any(|other| self.spaces.has_send_keys(other))
    }

    fn write_close(
        &mut self,
        cx: &mut Cx<'_>,
        level: Level,
        out: &mut [u8],
        info: &CloseInfo,
        pad: usize,
    ) -> Option<usize> {
        if level == Level::Early || !self.spaces.has_send_keys(level) {
            return None;
        }
        let space = level.space();
        let pn = self.recovery.next_packet_number(space, cx.rng).ok()?;
        let spin = self.next_spin(cx, level, Slot::Active);
        let path = self.paths.active();
        let epoch = path.epoch;
        let dcid = self.remote_ids.get(path.dcid)?;
        let scid = self.local_ids.first();
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
            fixed_bit: true,
        };
        let mut builder = PacketBuilder::new(out, &header)?;
        if !builder.write_frame(&close_frame(info, level), Some(Token::Close)) {
            return None;
        }
        builder.pad_to(pad);
        let sealed = self.spaces.seal(level, builder.finish(), &[]).ok()?;
        let len = sealed.len;
        let packet = SentPacket {
            time: cx.now,
            size: u16::try_from(len).unwrap_or(u16::MAX),
            ack_eliciting: false,
            in_flight: false,
            ecn: false,
            mtu_probe: false,
            path: epoch,
            tokens: sealed.tokens,
            snapshot: Default::default(),
            episode: 0,
        };
        self.recovery.on_sent(space, sealed.pn, packet);
        Some(len)
    }

    /// A packet could not be protected: the connection cannot go on.
    pub(super) fn check_sealing(&mut self, cx: &mut Cx<'_>) {
        if core::mem::take(&mut self.seal_failed) {
            cx.stats.pkt_enc_drop = cx.stats.pkt_enc_drop.wrapping_add(1);
            self.fail(cx, TransportError::internal("packet protection failed"));
        }
    }
}

/// The frame for a packet of `level`: the application's words are for the application only.
// RFC 9000 10.2.3 #6
// RFC 9000 10.2.3 #7
// RFC 9000 12.5 #3
fn close_frame(info: &CloseInfo, level: Level) -> Frame<'_> {
    let (app, code, frame) = on_wire(info);
    if app && level != Level::App {
        return Frame::ConnectionClose(CloseFrame {
            code: ErrorCode::APPLICATION_ERROR,
            app: false,
            frame: 0,
            reason: &[],
        });
    }
    Frame::ConnectionClose(CloseFrame {
        code: ErrorCode(code),
        app,
        frame,
        reason: info.reason(),
    })
}
