// SPDX-License-Identifier: GPL-2.0

//! STREAM frames out.

#![forbid(unsafe_code)]

use super::{
    send_buffer::SendBuffer,
    Streams, //
};
use crate::{
    common::id::StreamId,
    packet::builder::{
        PacketBuilder,
        StreamSource, //
    }, //
};

/// Chunks that a packet's payload may be sealed from without copying. Data in smaller pieces is
/// copied: gathering it would cost more than the copy.
pub const MAX_SEGMENTS: usize = 4;

/// Below this length copying is cheaper than gathering.
const COPY_BELOW: usize = 256;

impl StreamSource for SendBuffer {
    fn copy(&self, offset: u64, out: &mut [u8]) {
        let complete = self.copy_to(offset, out);
        // What is sent is what `next_range` gave, and that is held.
        debug_assert!(complete);
    }

    fn in_place(&self, offset: u64, len: usize) -> bool {
        // CAST: a length fits into 64 bits.
        let range = offset..offset.saturating_add(len as u64);
        len >= COPY_BELOW && self.segment_count(&range, MAX_SEGMENTS) <= MAX_SEGMENTS
    }
}

impl Streams {
    /// Whether there is anything to send now: data or control frames.
    pub fn has_pending(&self) -> bool {
        self.has_control() || self.has_data()
    }

    /// Whether there is stream data to send now.
    pub fn has_data(&self) -> bool {
        !self.schedule.is_empty()
    }

    /// Whether all there is to send is less than `packet` bytes that were never sent, without an
    /// end of a stream: what Nagle's algorithm holds back while data is in flight (uapi 5.3).
    pub fn is_small(&self, packet: u64) -> bool {
        let urgent = self
            .schedule
            .front()
            .and_then(|id| self.table.get(id)?.send.as_ref())
            .is_some_and(|send| {
                send.buffer().has_lost() || send.is_fin_pending() || send.is_reset_pending()
            });
        !urgent && self.unsent_bytes() < packet
    }

    /// Writes STREAM frames, as many as fit, in the order of the streams' priorities.
    pub fn write_data(&mut self, builder: &mut PacketBuilder<'_>) {
        while let Some(id) = self.schedule.front() {
            match self.write_segment(id, builder) {
                Some(true) => {}
                Some(false) => self.schedule.remove(&mut self.table, id),
                None => return,
            }
        }
    }

    /// Lends the bytes of a sent frame as slices, to be sealed from where they are. Returns how
    /// many of `out` were filled; [`MAX_SEGMENTS`] are enough. None if the bytes are not held.
    pub fn segments<'a>(
        &'a self,
        id: StreamId,
        offset: u64,
        len: usize,
        out: &mut [&'a [u8]],
    ) -> usize {
        // CAST: a length fits into 64 bits.
        let range = offset..offset.saturating_add(len as u64);
        self.table
            .get(id)
            .and_then(|stream| stream.send.as_ref())
            .and_then(|send| send.buffer().segments(&range, out))
            .unwrap_or(0)
    }

    /// Writes one frame of a stream. Returns whether the stream has more to send, or `None` if the
    /// packet has no room.
    fn write_segment(&mut self, id: StreamId, builder: &mut PacketBuilder<'_>) -> Option<bool> {
        let fresh = self.fresh_credit();
        let Some(send) = super::credit_input::send_mut(&mut self.table, id) else {
            return Some(false);
        };
        let Some(mut segment) = send.next_segment(fresh) else {
            self.parked |= send.can_send(u64::MAX);
            return Some(false);
        };
        let start = segment.range.start;
        let len = segment.range.end.saturating_sub(start);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let count = builder.write_stream(id, start, len, segment.fin, send.buffer())?;
        // CAST: a length fits into 64 bits.
        segment.range.end = start.saturating_add(count as u64);
        segment.fin &= count == len;
        let sent = send.on_sent(&segment);
        let has_more = send.can_send(fresh.saturating_sub(sent));
        // What the connection's limit stops, which has fallen, waits for it to rise.
        self.parked |= !has_more && send.can_send(u64::MAX);
        let is_reset_due = send.is_reset_pending() && send.reset_to_send().is_some();
        self.fresh_sent = self.fresh_sent.saturating_add(sent);
        if let (true, Some(stream)) = (is_reset_due, self.table.get_mut(id)) {
            stream.control.reset = true;
            self.schedule_control(id);
        }
        if has_more {
            self.schedule
                .on_sent(&mut self.table, id, segment.range.end.saturating_sub(start));
        }
        Some(has_more)
    }
}
