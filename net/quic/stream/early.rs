// SPDX-License-Identifier: GPL-2.0

//! The peer's limits, and what early data (0-RTT) does to them (RFC 9000 7.4.1).
//!
//! A client that sends early data works with the limits it remembers. When the server accepts it,
//! its new limits must not be smaller; when it rejects it, all that was sent is to be sent again
//! within the new limits, which may be smaller.

#![forbid(unsafe_code)]

use super::{
    Streams,
    Windows, //
};
use crate::{
    common::{
        error::TransportError,
        id::{
            Dir,
            StreamId, //
        }, //
    },
    params::TransportParams,
};

/// Limits of the peer, as its transport parameters give them.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerLimits {
    max_data: u64,
    streams_bidi: u64,
    streams_uni: u64,
    windows: Windows,
    /// Whether the peer takes RESET_STREAM_AT.
    pub(super) reset_stream_at: bool,
}

impl PeerLimits {
    fn of(params: &TransportParams) -> Self {
        Self {
            max_data: params.initial_max_data,
            streams_bidi: params.initial_max_streams_bidi,
            streams_uni: params.initial_max_streams_uni,
            windows: Windows::of(params),
            reset_stream_at: params.reset_stream_at,
        }
    }

    fn max(&self, other: &Self) -> Self {
        Self {
            max_data: self.max_data.max(other.max_data),
            streams_bidi: self.streams_bidi.max(other.streams_bidi),
            streams_uni: self.streams_uni.max(other.streams_uni),
            windows: Windows {
                bidi_local: self.windows.bidi_local.max(other.windows.bidi_local),
                bidi_remote: self.windows.bidi_remote.max(other.windows.bidi_remote),
                uni: self.windows.uni.max(other.windows.uni),
            },
            reset_stream_at: self.reset_stream_at || other.reset_stream_at,
        }
    }

    fn is_at_least(&self, other: &Self) -> bool {
        self.max_data >= other.max_data
            && self.streams_bidi >= other.streams_bidi
            && self.streams_uni >= other.streams_uni
            && self.windows.bidi_local >= other.windows.bidi_local
            && self.windows.bidi_remote >= other.windows.bidi_remote
            && self.windows.uni >= other.windows.uni
    }
}

impl Streams {
    /// Takes over limits that a client remembers of an earlier connection. They may be set again
    /// until the peer's own are known.
    pub fn set_remembered_params(&mut self, params: &TransportParams) {
        if self.peer_params.is_none() {
            self.raise_to(&PeerLimits::of(params));
        }
    }

    /// Takes over the peer's limits. Limits in use, which are remembered ones, stay where they are
    /// larger: see [`Self::on_0rtt_accepted`] and [`Self::on_0rtt_rejected`].
    pub fn set_peer_params(&mut self, params: &TransportParams) {
        let limits = PeerLimits::of(params);
        self.peer_params = Some(limits);
        self.raise_to(&limits);
    }

    /// Checks that a server that accepted early data keeps to the limits it was sent within.
    pub fn on_0rtt_accepted(&self) -> Result<(), TransportError> {
        // RFC 9000 7.4.1 #5, RFC 9000 7.4.1 #6
        match &self.peer_params {
            Some(limits) if !limits.is_at_least(&self.in_use()) => Err(
                TransportError::protocol_violation("limits below those remembered"),
            ),
            _ => Ok(()),
        }
    }

    /// Makes all data that was sent unsent again, within the peer's new limits, or none if they
    /// are not known yet. The caller reports the tokens of the rejected packets as lost, before or
    /// after, so that control frames are sent again too.
    pub fn on_0rtt_rejected(&mut self) {
        let limits = self.peer_params.unwrap_or(PeerLimits {
            max_data: 0,
            streams_bidi: 0,
            streams_uni: 0,
            windows: Windows::default(),
            reset_stream_at: false,
        });
        self.send_credit.replace(limits.max_data);
        self.allowed.bidi.replace(limits.streams_bidi);
        self.allowed.uni.replace(limits.streams_uni);
        self.peer_windows = limits.windows;
        let side = self.side;
        for (id, stream) in self.table.iter_mut() {
            if let Some(send) = &mut stream.send {
                let own = id.initiator() == side;
                let limit = limits.windows.for_stream(id.dir(), !own);
                send.credit_mut().replace(limit);
                let forgotten = send.forget_sent(!self.has_app_keys);
                self.fresh_sent = self.fresh_sent.saturating_sub(forgotten.sent);
                self.send_credit.give_back(forgotten.given_back);
            }
        }
        self.take_off_lists();
        self.parked = true;
        self.unpark();
    }

    /// Takes all streams off the lists of those with something to send: which of them the new
    /// limits still allow is for [`Self::unpark`] to find out.
    fn take_off_lists(&mut self) {
        let mut at = StreamId::from_raw(0);
        while let Some(id) = at.and_then(|from| self.table.next_id(from)) {
            self.schedule.remove(&mut self.table, id);
            self.control.remove(&mut self.table, id);
            at = id.raw().checked_add(1).and_then(StreamId::from_raw);
        }
    }

    /// The limits in use now.
    fn in_use(&self) -> PeerLimits {
        PeerLimits {
            max_data: self.send_credit.limit(),
            streams_bidi: self.allowed.get(Dir::Bidi).limit(),
            streams_uni: self.allowed.get(Dir::Uni).limit(),
            windows: self.peer_windows,
            reset_stream_at: false,
        }
    }

    /// Raises all limits to at least `limits`, also those of streams that exist.
    fn raise_to(&mut self, limits: &PeerLimits) {
        let limits = limits.max(&self.in_use());
        self.send_credit.raise(limits.max_data);
        self.allowed.bidi.raise(limits.streams_bidi);
        self.allowed.uni.raise(limits.streams_uni);
        self.peer_windows = limits.windows;
        let side = self.side;
        for (id, stream) in self.table.iter_mut() {
            if let Some(send) = &mut stream.send {
                let own = id.initiator() == side;
                let limit = limits.windows.for_stream(id.dir(), !own);
                send.credit_mut().raise(limit);
            }
        }
        self.parked = true;
        self.unpark();
    }
}
