// SPDX-License-Identifier: GPL-2.0

//! Frames in: what an opened packet says, given to whom it concerns.

#![forbid(unsafe_code)]

use super::{
    event::{
        CloseInfo,
        CloseKind,
        Event, //
    },
    spaces::Arrived,
    Connection,
    State, //
};
use crate::{
    buf::Datagram,
    common::{
        cursor::Reader,
        cx::Cx,
        error::TransportError,
        id::Side,
        time::Duration, //
    },
    frame::{
        CloseFrame,
        Frame, //
    },
    recovery::ack::Frequency,
};

/// What a packet's frames were, taken together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Digest {
    /// The peer wants an acknowledgement.
    pub ack_eliciting: bool,
    /// At least one frame is no probing frame.
    pub is_non_probing: bool,
    /// Stream or handshake data arrived.
    pub has_data: bool,
}

impl Connection {
    /// Processes the frames of `packet`, whose payload lies open in `datagram`.
    ///
    /// Stops at the first error; what was processed before stays, since the connection ends.
    // RFC 9000 5.2 #2
    pub(super) fn handle_frames(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Arrived,
        datagram: &Datagram,
    ) -> Result<Digest, TransportError> {
        let payload = datagram
            .bytes()
            .get(packet.payload.clone())
            .unwrap_or_default();
        // RFC 9000 12.4 #1
        // RFC 9000 12.4 #2
        if payload.is_empty() {
            return Err(TransportError::protocol_violation("packet without frames"));
        }
        let mut digest = Digest::default();
        let mut reader = Reader::new(payload);
        while !reader.is_empty() {
            let frame = Frame::parse(&mut reader)?;
            let kind = frame.frame_type();
            // RFC 9000 12.4 #3
            if !frame.allowed_in(packet.level) {
                let error = TransportError::protocol_violation("frame in a wrong packet");
                return Err(error.in_frame(kind));
            }
            digest.ack_eliciting |= frame.is_ack_eliciting();
            digest.is_non_probing |= !frame.is_probing();
            digest.has_data |= matches!(frame, Frame::Stream(_) | Frame::Crypto(_));
            self.handle_frame(cx, packet, datagram, frame)
                .map_err(|error| error.in_frame(kind))?;
            if !self.state.is_open() {
                break;
            }
        }
        Ok(digest)
    }

    fn handle_frame(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Arrived,
        datagram: &Datagram,
        frame: Frame<'_>,
    ) -> Result<(), TransportError> {
        match frame {
            Frame::Padding { .. } | Frame::Ping => Ok(()),
            Frame::Ack(ack) => self.handle_ack(cx, packet, &ack),
            Frame::Crypto(crypto) => self.handle_crypto(packet, datagram, &crypto),
            Frame::Stream(stream) => self.streams.on_stream(
                cx,
                &stream,
                datagram,
                packet.payload.start,
                &mut self.events,
            ),
            Frame::Datagram(frame) => {
                let at = packet.payload.start.saturating_add(frame.at);
                self.handle_datagram_frame(datagram, at, frame.data.len())
            }
            Frame::ConnectionClose(close) => {
                self.handle_close(cx, &close);
                Ok(())
            }
            Frame::HandshakeDone => self.handle_handshake_done(cx),
            Frame::NewToken { token } => self.handle_new_token(token),
            Frame::NewConnectionId(_)
            | Frame::RetireConnectionId { .. }
            | Frame::PathChallenge { .. }
            | Frame::PathResponse { .. } => self.handle_path_frame(cx, packet, frame),
            Frame::AckFrequency(_) | Frame::ImmediateAck => self.handle_frequency(frame),
            _ => self.handle_stream_control(frame),
        }
    }

    /// Frames about streams other than their data.
    fn handle_stream_control(&mut self, frame: Frame<'_>) -> Result<(), TransportError> {
        let Self {
            streams,
            events,
            local,
            ..
        } = self;
        match frame {
            Frame::ResetStream {
                id,
                code,
                final_size,
            } => streams.on_reset_stream(id, code, final_size, events),
            // draft-ietf-quic-reliable-stream-reset 3: unknown to a side that has not offered it.
            Frame::ResetStreamAt { .. } if !local.reset_stream_at => {
                Err(TransportError::frame_encoding("extension not negotiated"))
            }
            Frame::ResetStreamAt {
                id,
                code,
                final_size,
                reliable_size,
            } => streams.on_reset_stream_at(id, code, final_size, reliable_size, events),
            Frame::StopSending { id, code } => streams.on_stop_sending(id, code, events),
            Frame::MaxData { max } => {
                streams.on_max_data(max, events);
                Ok(())
            }
            Frame::MaxStreamData { id, max } => streams.on_max_stream_data(id, max, events),
            Frame::MaxStreams { dir, max } => streams.on_max_streams(dir, max, events),
            Frame::DataBlocked { limit } => {
                streams.on_data_blocked(limit);
                Ok(())
            }
            Frame::StreamDataBlocked { id, limit } => {
                streams.on_stream_data_blocked(id, limit, events)
            }
            Frame::StreamsBlocked { dir, limit } => streams.on_streams_blocked(dir, limit),
            _ => Ok(()),
        }
    }

    /// Frames about connection ids and paths.
    fn handle_path_frame(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Arrived,
        frame: Frame<'_>,
    ) -> Result<(), TransportError> {
        match frame {
            Frame::NewConnectionId(new) => {
                let (first, _) = self.remote_ids.bounds();
                self.remote_ids
                    .on_new(new.seq, new.retire_prior_to, new.id, new.token)?;
                self.replace_retired_ids()?;
                if self.remote_ids.bounds().0 > first {
                    self.tell_retired();
                }
                Ok(())
            }
            Frame::RetireConnectionId { seq } => {
                if self.local_ids.on_retire(seq, packet.carrier, cx.rng)? {
                    let (active, prior_to) = self.local_ids.info();
                    self.events.push(Event::ConnectionId {
                        dest: false,
                        active,
                        prior_to,
                    });
                }
                Ok(())
            }
            Frame::PathChallenge { data } => {
                // RFC 9000 8.2.2 #1
                // RFC 9000 8.2.2 #3
                let slot = self.present_slot(packet);
                if let Some(path) = slot.and_then(|slot| self.paths.get_mut(slot)) {
                    path.responses.push(data);
                }
                Ok(())
            }
            Frame::PathResponse { data } => self.handle_path_response(cx, data),
            _ => Ok(()),
        }
    }

    // draft-ietf-quic-ack-frequency 4: legal only if this side offered it.
    fn handle_frequency(&mut self, frame: Frame<'_>) -> Result<(), TransportError> {
        let Some(min_ack_delay) = self.local.min_ack_delay else {
            return Err(TransportError::frame_encoding("extension not negotiated"));
        };
        let acks = &mut self.spaces.data.acks;
        match frame {
            Frame::AckFrequency(wanted) => {
                let frequency = Frequency {
                    eliciting_threshold: wanted.threshold,
                    max_ack_delay: Duration::from_micros(wanted.max_ack_delay),
                    reordering_threshold: wanted.reordering_threshold,
                };
                acks.on_ack_frequency(wanted.seq, frequency, min_ack_delay)?;
            }
            _ => acks.on_immediate_ack(),
        }
        Ok(())
    }

    fn handle_datagram_frame(
        &mut self,
        datagram: &Datagram,
        at: usize,
        len: usize,
    ) -> Result<(), TransportError> {
        // RFC 9221 3: a frame larger than announced, or any if nothing was announced. The type
        // and the longest length field that the announced size allows count as well.
        let limit = usize::try_from(self.local.max_datagram_frame_size).unwrap_or(usize::MAX);
        if limit == 0 || len.saturating_add(1) > limit {
            return Err(TransportError::protocol_violation("datagram not allowed"));
        }
        self.streams
            .on_datagram(datagram, at, len, &mut self.events);
        Ok(())
    }

    fn handle_handshake_done(&mut self, cx: &mut Cx<'_>) -> Result<(), TransportError> {
        // RFC 9000 19.20 #2
        if self.side == Side::Server {
            return Err(TransportError::protocol_violation(
                "HANDSHAKE_DONE from a client",
            ));
        }
        self.confirm_handshake(cx);
        Ok(())
    }

    /// The peer has closed the connection.
    // RFC 9000 10.2.2 #1
    fn handle_close(&mut self, cx: &mut Cx<'_>, close: &CloseFrame<'_>) {
        cx.stats.frm_in_closes = cx.stats.frm_in_closes.wrapping_add(1);
        let kind = if close.app {
            CloseKind::PeerApplication
        } else {
            CloseKind::PeerTransport
        };
        let info = CloseInfo::new(kind, close.code.0, close.frame, close.reason);
        self.finish(cx, info, State::Draining);
    }
}
