// SPDX-License-Identifier: GPL-2.0

//! Control frames of streams: which are due, and writing them to packets.
//!
//! What is due is a flag for each kind of frame, at the connection or at a stream; the value of a
//! frame is taken when it is written, so that the newest one is sent. However many frames of a
//! peer ask for an answer, the answers waiting are bounded by the streams that exist.

#![forbid(unsafe_code)]

use super::{
    recv::Stop,
    table::Stream,
    PerDir,
    Streams, //
};
use crate::{
    common::{
        id::{
            Dir,
            StreamId, //
        },
        token::Token, //
    },
    frame::Frame,
    packet::builder::PacketBuilder,
};

/// Control frames of the connection that are due.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) max_data: bool,
    pub(super) data_blocked: bool,
    pub(super) max_streams: PerDir<bool>,
    pub(super) streams_blocked: PerDir<bool>,
}

impl Pending {
    /// Whether any is due.
    pub(super) fn any(&self) -> bool {
        self.max_data
            || self.data_blocked
            || self.max_streams.bidi
            || self.max_streams.uni
            || self.streams_blocked.bidi
            || self.streams_blocked.uni
    }
}

/// The packet has no room left; what is due stays due.
struct Full;

impl Streams {
    /// Whether there are control frames to send.
    pub fn has_control(&self) -> bool {
        self.pending.any() || !self.control.is_empty()
    }

    /// Writes the control frames that are due, as many as fit.
    pub fn write_control(&mut self, builder: &mut PacketBuilder<'_>) {
        if self.pending.any() && self.write_connection(builder).is_err() {
            return;
        }
        while let Some(id) = self.control.front() {
            if self.write_stream_control(id, builder).is_err() {
                return;
            }
            self.control.remove(&mut self.table, id);
            self.release_if_finished(id);
        }
    }

    fn write_connection(&mut self, builder: &mut PacketBuilder<'_>) -> Result<(), Full> {
        if self.pending.max_data {
            // RFC 9000 4.2 #2
            let max = self.recv_credit.next_limit();
            put(builder, &Frame::MaxData { max }, Token::MaxData { max })?;
            self.recv_credit.on_announced(max);
            self.pending.max_data = false;
        }
        for dir in [Dir::Bidi, Dir::Uni] {
            self.write_counts(dir, builder)?;
        }
        if self.pending.data_blocked {
            if let Some(limit) = self.send_credit.blocked() {
                let frame = Frame::DataBlocked { limit };
                put(builder, &frame, Token::DataBlocked { limit })?;
            }
            self.pending.data_blocked = false;
        }
        Ok(())
    }

    fn write_counts(&mut self, dir: Dir, builder: &mut PacketBuilder<'_>) -> Result<(), Full> {
        if *self.pending.max_streams.get(dir) {
            let granted = self.granted.get_mut(dir);
            let max = granted.next_limit();
            let frame = Frame::MaxStreams { dir, max };
            put(builder, &frame, Token::MaxStreams { dir, max })?;
            granted.on_announced(max);
            *self.pending.max_streams.get_mut(dir) = false;
        }
        if *self.pending.streams_blocked.get(dir) {
            if let Some(limit) = self.allowed.get(dir).blocked() {
                let frame = Frame::StreamsBlocked { dir, limit };
                put(builder, &frame, Token::StreamsBlocked { dir, limit })?;
            }
            *self.pending.streams_blocked.get_mut(dir) = false;
        }
        Ok(())
    }

    fn write_stream_control(
        &mut self,
        id: StreamId,
        builder: &mut PacketBuilder<'_>,
    ) -> Result<(), Full> {
        let Some(stream) = self.table.get_mut(id) else {
            return Ok(());
        };
        write_reset(id, stream, builder)?;
        write_stop(id, stream, builder)?;
        write_max_data(id, stream, builder)?;
        write_blocked(id, stream, builder)
    }
}

fn write_reset(
    id: StreamId,
    stream: &mut Stream,
    builder: &mut PacketBuilder<'_>,
) -> Result<(), Full> {
    if !stream.control.reset {
        return Ok(());
    }
    // RFC 9000 13.3 #1: code and final size were fixed when the stream was reset.
    if let Some(reset) = stream.send.as_ref().and_then(|send| send.reset_to_send()) {
        let (code, final_size, reliable) = (reset.code, reset.final_size, reset.reliable);
        let frame = match reliable {
            0 => Frame::ResetStream {
                id,
                code,
                final_size,
            },
            reliable_size => Frame::ResetStreamAt {
                id,
                code,
                final_size,
                reliable_size,
            },
        };
        put(builder, &frame, Token::ResetStream { id, reliable })?;
        if let Some(send) = &mut stream.send {
            send.on_reset_sent();
        }
    }
    stream.control.reset = false;
    Ok(())
}

fn write_stop(
    id: StreamId,
    stream: &mut Stream,
    builder: &mut PacketBuilder<'_>,
) -> Result<(), Full> {
    if !stream.control.stop {
        return Ok(());
    }
    let wanted = |stop: Stop| stop == Stop::Pending;
    if let Some(recv) = stream.recv.as_mut().filter(|recv| wanted(recv.stop())) {
        // RFC 9000 3.5 #7
        if recv.state().is_receiving() {
            let code = recv.stop_code();
            let frame = Frame::StopSending { id, code };
            put(builder, &frame, Token::StopSending { id })?;
            recv.set_stop(Stop::Sent);
            recv.finish_discarding();
        }
    }
    stream.control.stop = false;
    Ok(())
}

fn write_max_data(
    id: StreamId,
    stream: &mut Stream,
    builder: &mut PacketBuilder<'_>,
) -> Result<(), Full> {
    if !stream.control.max_data {
        return Ok(());
    }
    // RFC 9000 13.3 #2
    if let Some(recv) = stream.recv.as_mut().filter(|recv| recv.may_grant()) {
        let max = recv.credit().next_limit();
        let frame = Frame::MaxStreamData { id, max };
        put(builder, &frame, Token::MaxStreamData { id, max })?;
        recv.credit_mut().on_announced(max);
    }
    stream.control.max_data = false;
    Ok(())
}

fn write_blocked(
    id: StreamId,
    stream: &mut Stream,
    builder: &mut PacketBuilder<'_>,
) -> Result<(), Full> {
    if !stream.control.blocked {
        return Ok(());
    }
    // RFC 9000 3.3 #2
    if let Some(send) = stream.send.as_mut().filter(|send| send.is_writable()) {
        if let Some(limit) = send.credit().blocked() {
            let frame = Frame::StreamDataBlocked { id, limit };
            put(builder, &frame, Token::StreamDataBlocked { id, limit })?;
            send.on_blocked_sent();
        }
    }
    stream.control.blocked = false;
    Ok(())
}

fn put(builder: &mut PacketBuilder<'_>, frame: &Frame<'_>, token: Token) -> Result<(), Full> {
    if builder.write_frame(frame, Some(token)) {
        Ok(())
    } else {
        Err(Full)
    }
}
