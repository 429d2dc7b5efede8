// SPDX-License-Identifier: GPL-2.0

//! What became of the frames that were sent: acknowledged or lost (RFC 9000 13.3).
//!
//! Neither can be refused and neither needs memory it might not get. Tokens of streams that are
//! over, and of frames that are not of streams, change nothing.

#![forbid(unsafe_code)]

use super::{
    credit_input::{
        send_mut,
        send_update, //
    },
    input::recv_mut,
    recv::Stop,
    Streams, //
};
use crate::{
    common::{
        id::StreamId,
        token::Token, //
    },
    conn::event::Events,
};
use core::ops::Range;

impl Streams {
    /// Notes that the packet with this frame was acknowledged.
    pub fn on_acked(&mut self, token: &Token, events: &mut Events) {
        match *token {
            Token::Stream { id, off, len, fin } => {
                let range = off..off.saturating_add(u64::from(len));
                self.on_data_acked(id, &range, fin, events);
            }
            Token::ResetStream { id, reliable } => self.on_reset_acked(id, reliable, events),
            Token::StopSending { id } => {
                if let Some(recv) = recv_mut(&mut self.table, id) {
                    if recv.stop() == Stop::Sent {
                        recv.set_stop(Stop::Acked);
                    }
                }
            }
            _ => {}
        }
    }

    /// Notes that the packet with this frame was lost, and sends it again where that still makes
    /// sense.
    pub fn on_lost(&mut self, token: &Token) {
        match *token {
            Token::Stream { id, off, len, fin } => {
                let range = off..off.saturating_add(u64::from(len));
                self.on_data_lost(id, &range, fin);
            }
            Token::ResetStream { id, reliable } => {
                let again =
                    send_mut(&mut self.table, id).is_some_and(|send| send.on_reset_lost(reliable));
                self.ask_again(id, again, |control| &mut control.reset);
            }
            Token::StopSending { id } => self.on_stop_lost(id),
            Token::MaxStreamData { id, max } => {
                let again = recv_mut(&mut self.table, id)
                    .is_some_and(|recv| recv.may_grant() && recv.credit().is_newest(max));
                self.ask_again(id, again, |control| &mut control.max_data);
            }
            Token::StreamDataBlocked { id, limit } => {
                let again = send_mut(&mut self.table, id)
                    .is_some_and(|send| send.is_writable() && send.credit().is_blocked_at(limit));
                self.ask_again(id, again, |control| &mut control.blocked);
            }
            _ => self.on_connection_frame_lost(token),
        }
    }

    fn on_connection_frame_lost(&mut self, token: &Token) {
        match *token {
            Token::MaxData { max } => self.pending.max_data |= self.recv_credit.is_newest(max),
            Token::MaxStreams { dir, max } => {
                let is_newest = max >= self.granted.get(dir).limit();
                *self.pending.max_streams.get_mut(dir) |= is_newest;
            }
            Token::DataBlocked { limit } => {
                self.pending.data_blocked |= self.send_credit.is_blocked_at(limit);
            }
            Token::StreamsBlocked { dir, limit } => {
                let is_blocked = self.allowed.get(dir).is_blocked_at(limit);
                *self.pending.streams_blocked.get_mut(dir) |= is_blocked;
            }
            _ => {}
        }
    }

    fn on_data_acked(&mut self, id: StreamId, range: &Range<u64>, fin: bool, events: &mut Events) {
        let Some(send) = send_mut(&mut self.table, id) else {
            return;
        };
        let before = send.buffer().truesize();
        let is_over = send.on_acked(range, fin, &mut self.spare);
        let after = send.buffer().truesize();
        if is_over {
            events.push(send_update(id, send));
        }
        self.account_send(before, after);
        if after < before {
            events.wake_writable();
        }
        if is_over {
            self.release_if_finished(id);
        }
    }

    fn on_reset_acked(&mut self, id: StreamId, reliable: u64, events: &mut Events) {
        let Some(send) = send_mut(&mut self.table, id) else {
            return;
        };
        if send.on_reset_acked(reliable) {
            events.push(send_update(id, send));
            if let Some(stream) = self.table.get_mut(id) {
                stream.control.reset = false;
            }
            self.release_if_finished(id);
        }
    }

    fn on_data_lost(&mut self, id: StreamId, range: &Range<u64>, fin: bool) {
        let Some(send) = send_mut(&mut self.table, id) else {
            return;
        };
        send.on_lost(range, fin);
        let again = send.buffer().has_lost() || send.is_fin_pending();
        if again && self.is_allowed(id) {
            // RFC 9000 13.3 #4
            self.schedule.add_first(&mut self.table, id);
        } else {
            self.schedule_data(id);
        }
    }

    fn on_stop_lost(&mut self, id: StreamId) {
        let Some(recv) = recv_mut(&mut self.table, id) else {
            return;
        };
        // RFC 9000 3.5: needless once all data or a reset has arrived.
        let again = recv.stop() == Stop::Sent && recv.state().is_receiving();
        if again {
            recv.set_stop(Stop::Pending);
        }
        self.ask_again(id, again, |control| &mut control.stop);
    }

    fn ask_again(
        &mut self,
        id: StreamId,
        again: bool,
        flag: impl FnOnce(&mut super::table::Control) -> &mut bool,
    ) {
        if !again {
            return;
        }
        if let Some(stream) = self.table.get_mut(id) {
            *flag(&mut stream.control) = true;
        }
        self.schedule_control(id);
    }
}
