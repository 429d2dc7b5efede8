// SPDX-License-Identifier: GPL-2.0

//! Output: which datagram goes out next, on which path.
//!
//! ```text
//!  poll_transmit -> path -> datagram (here) -> packet number space -> packet (assemble.rs)
//! ```
//!
//! A call fills the buffer with as many datagrams of equal size as it may hold, for one
//! segmented send; only the last one may be shorter. Datagrams with a purpose of their own, path
//! validation, MTU probes and the close, go alone.

#![forbid(unsafe_code)]

use super::{
    assemble::{
        Purpose,
        Room,
        STARVED, //
    },
    Connection,
    State, //
};
use crate::{
    common::{
        cx::Cx,
        id::{
            Level,
            Side,
            Space, //
        },
        time::Instant, //
    },
    path::{
        widen,
        Ecn,
        PathAddr,
        Slot,
        MIN_DATAGRAM, //
    },
};

/// Datagrams to send: `buf[..len]` of the call that returned it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Transmit {
    /// Where from and where to.
    pub path: PathAddr,
    /// Bytes in the buffer.
    pub len: usize,
    /// With several datagrams: the size of each but the last, which may be shorter.
    pub segment_size: Option<usize>,
    /// The mark of every datagram.
    pub ecn: Ecn,
    /// Not to leave before this time; none for at once.
    pub earliest: Option<Instant>,
}

/// What a datagram that was written is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    pub len: usize,
    pub ack_eliciting: bool,
}

/// The order of packets in a datagram: a short header comes last, since it has no length.
pub(super) const LEVELS: [Level; 4] = [Level::Initial, Level::Early, Level::Handshake, Level::App];

/// Room that must be left behind a packet for another one to be coalesced.
pub(super) const MIN_COALESCED: usize = 128;

impl Connection {
    /// Writes what there is to send now into `buf`, at most `max_segments` datagrams, and returns
    /// where it goes. To be called until it returns `None`.
    ///
    /// `buf` should hold at least 1500 bytes; with less, nothing may fit.
    pub fn poll_transmit(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &mut [u8],
        max_segments: usize,
    ) -> Option<Transmit> {
        if !self.wants_transmit(cx) {
            return None;
        }
        self.transmit(cx, buf, max_segments)
    }

    /// As [`Self::poll_transmit`], right after [`Self::wants_transmit`] has said yes.
    pub fn transmit(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &mut [u8],
        max_segments: usize,
    ) -> Option<Transmit> {
        let transmit = match self.state {
            State::Closed | State::Draining => None,
            State::Closing => self
                .transmit_rest(cx, buf, max_segments)
                .or_else(|| self.transmit_close(cx, buf)),
            State::Establishing | State::Established => Slot::ALL
                .into_iter()
                .find_map(|slot| self.transmit_path(cx, buf, slot))
                .or_else(|| self.transmit_probe(cx, buf))
                .or_else(|| self.transmit_batch(cx, buf, max_segments)),
        };
        self.check_sealing(cx);
        if transmit.is_none() {
            self.note_idle_window();
        }
        transmit
    }

    /// There was no buffer to call [`Self::poll_transmit`] with: [`Self::next_timeout`] says when to
    /// try again, whether or not anything else is due.
    pub fn on_no_buffer(&mut self, now: Instant) {
        self.starved_until = Some(now.saturating_add(STARVED));
    }

    /// What was written before the user closed, as far as the window goes.
    fn transmit_rest(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &mut [u8],
        max_segments: usize,
    ) -> Option<Transmit> {
        let may_go_on = self.is_flushing && self.streams.has_pending();
        let transmit = may_go_on
            .then(|| self.transmit_batch(cx, buf, max_segments))
            .flatten();
        self.is_flushing = transmit.is_some();
        transmit
    }

    /// There is nothing to send although there could be.
    pub(super) fn note_idle_window(&mut self) {
        let size = u64::from(self.paths.active().mtu.current());
        if self.pacing_release.is_none() && self.recovery.can_send(size) {
            self.recovery.on_app_limited();
        }
    }

    /// A datagram for the sake of a path: challenges and answers to them.
    fn transmit_path(&mut self, cx: &mut Cx<'_>, buf: &mut [u8], slot: Slot) -> Option<Transmit> {
        if !self.paths.has_pending(slot) || !self.spaces.has_send_keys(Level::App) {
            return None;
        }
        let path = self.paths.get(slot)?;
        // RFC 9000 8.2.1 #5
        // RFC 9000 8.2.2 #6
        let budget = path.budget();
        let size = MIN_DATAGRAM.min(budget);
        let out = buf.get_mut(..size)?;
        let purpose = Purpose::Path {
            full_size: budget >= MIN_DATAGRAM,
        };
        let room = Room {
            slot,
            data: true,
            purpose,
            ecn: Ecn::NotEct,
            pad_to: size,
        };
        let written = self.write_packet(cx, Level::App, out, &room)?;
        self.sent_datagram(cx, slot, &written, Ecn::NotEct, None)
    }

    /// A probe for a larger datagram size.
    fn transmit_probe(&mut self, cx: &mut Cx<'_>, buf: &mut [u8]) -> Option<Transmit> {
        let active = self.paths.active();
        if !active.mtu.wants_probe(cx.now)
            || !active.is_validated()
            || active.challenge.is_running()
        {
            return None;
        }
        if !self.handshake.is_confirmed {
            return None;
        }
        let size = self.paths.active_mut().mtu.poll_probe(cx.now)?;
        if !self.recovery.can_send(u64::from(size)) {
            return None;
        }
        let out = buf.get_mut(..usize::from(size))?;
        let ecn = self.recovery.ecn_mark();
        let room = Room {
            slot: Slot::Active,
            data: true,
            purpose: Purpose::Probe(size),
            ecn,
            pad_to: usize::from(size),
        };
        let written = self.write_packet(cx, Level::App, out, &room)?;
        self.paths.active_mut().mtu.on_probe_sent(size);
        self.sent_datagram(cx, Slot::Active, &written, ecn, None)
    }

    /// Ordinary datagrams on the active path, as many as fit and may leave.
    fn transmit_batch(
        &mut self,
        cx: &mut Cx<'_>,
        buf: &mut [u8],
        max_segments: usize,
    ) -> Option<Transmit> {
        let ecn = self.recovery.ecn_mark();
        let mut size = usize::from(self.paths.active().mtu.current());
        let mut total: usize = 0;
        let mut count: usize = 0;
        while count < max_segments.max(1) {
            // RFC 9000 8 #1
            if self.paths.active().is_blocked() {
                break;
            }
            let room = size.min(self.paths.active().budget());
            let room = room.min(buf.len().saturating_sub(total));
            if count > 0 && room < size {
                break;
            }
            let Some(out) = buf.get_mut(total..total.saturating_add(room)) else {
                break;
            };
            let Some(written) = self.write_datagram(cx, out, ecn) else {
                break;
            };
            self.account_datagram(cx, Slot::Active, &written);
            total = total.saturating_add(written.len);
            count = count.saturating_add(1);
            // Whatever is shorter ends the batch; after a short first one there is nothing more.
            if written.len < size {
                break;
            }
            size = written.len;
        }
        if count == 0 {
            return None;
        }
        Some(Transmit {
            path: self.paths.active().addr,
            len: total,
            segment_size: (count > 1).then_some(size),
            ecn,
            earliest: None,
        })
    }

    /// One datagram with whatever there is to say, packets of several spaces coalesced.
    // RFC 9000 12.2 #2
    // RFC 9000 12.2 #4
    fn write_datagram(&mut self, cx: &mut Cx<'_>, out: &mut [u8], ecn: Ecn) -> Option<Written> {
        // An Initial packet that elicits an acknowledgement needs a datagram of full size.
        let is_cut = out.len() < MIN_DATAGRAM && self.spaces.has_send_keys(Level::Initial);
        let data = !is_cut && self.may_send_data(cx.now);
        let wanted = self.levels_to_send(cx.now, data);
        let mut total = Written::default();
        let mut must_pad = false;
        for (index, level) in LEVELS.into_iter().enumerate() {
            let rest = out.get_mut(total.len..).unwrap_or_default();
            if !wanted.get(index).copied().unwrap_or(false) {
                continue;
            }
            if total.len > 0 && rest.len() < MIN_COALESCED {
                break;
            }
            must_pad |= level == Level::Initial && self.must_pad_initial(data);
            let room = Room {
                slot: Slot::Active,
                data: data || (!is_cut && self.spaces.probes(level.space()) > 0),
                purpose: Purpose::Ordinary {
                    has_more: self.is_followed(cx.now, data, index),
                },
                ecn,
                pad_to: if must_pad {
                    MIN_DATAGRAM.saturating_sub(total.len)
                } else {
                    0
                },
            };
            let Some(written) = self.write_packet(cx, level, rest, &room) else {
                continue;
            };
            total.len = total.len.saturating_add(written.len);
            total.ack_eliciting |= written.ack_eliciting;
        }
        (total.len > 0).then_some(total)
    }

    /// Whether congestion control and pacing let a full datagram go. Notes when pacing does.
    fn may_send_data(&mut self, now: Instant) -> bool {
        let size = u64::from(self.paths.active().mtu.current());
        if !self.recovery.can_send(size) {
            return false;
        }
        if !self.config.pacing || self.is_flushing {
            return true;
        }
        let release = self.recovery.pacing_earliest(now, size);
        if release > now {
            self.pacing_release = Some(release);
            return false;
        }
        true
    }

    /// A datagram with an Initial packet has to be padded by a client always, by a server if the
    /// packet elicits an acknowledgement.
    // RFC 9000 8.1 #4
    // RFC 9000 14.1 #1
    // RFC 9000 14.1 #2
    fn must_pad_initial(&self, data: bool) -> bool {
        let space = Space::Initial;
        let elicits =
            self.spaces.probes(space) > 0 || (data && self.spaces.crypto(space).has_pending());
        self.side == Side::Client || elicits
    }

    /// Accounts one datagram that fills the whole buffer, and describes it.
    pub(super) fn sent_datagram(
        &mut self,
        cx: &mut Cx<'_>,
        slot: Slot,
        written: &Written,
        ecn: Ecn,
        earliest: Option<Instant>,
    ) -> Option<Transmit> {
        self.account_datagram(cx, slot, written);
        Some(Transmit {
            path: self.paths.get(slot)?.addr,
            len: written.len,
            segment_size: None,
            ecn,
            earliest,
        })
    }

    fn account_datagram(&mut self, cx: &mut Cx<'_>, slot: Slot, written: &Written) {
        cx.stats.dgram_out = cx.stats.dgram_out.wrapping_add(1);
        cx.stats.bytes_out = cx
            .stats
            .bytes_out
            .wrapping_add(crate::path::widen(written.len));
        self.has_sent = true;
        self.bytes.1 = self.bytes.1.saturating_add(widen(written.len));
        if let Some(path) = self.paths.get_mut(slot) {
            path.on_sent(written.len);
        }
        if written.ack_eliciting {
            self.idle.on_sent(cx.now);
        }
    }
}
