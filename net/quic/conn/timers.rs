// SPDX-License-Identifier: GPL-2.0

//! Deadlines: the earliest of those of the parts, and what happens when they pass.

#![forbid(unsafe_code)]

use super::{
    event::{
        CloseInfo,
        CloseKind, //
    },
    fates::Owners,
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
    path::{
        Slot,
        MIN_DATAGRAM, //
    },
    recovery::{
        Recovery,
        Timeout,
        TimerContext, //
    },
};

impl Connection {
    /// When [`Self::handle_timeout`] has to be called next, or `None` for never. It changes with
    /// every other call.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Closed => return None,
            State::Closing | State::Draining => return self.closing.deadline(),
            State::Establishing | State::Established => {}
        }
        // This runs after every call: no list is made.
        let mut next = Earliest(self.starved_until);
        next.add(self.recovery.deadline(&self.timer_context()));
        next.add(self.ack_deadline());
        next.add(self.idle.deadline(self.three_pto()));
        next.add(self.keep_alive_deadline());
        next.add(self.blocked_deadline());
        next.add(self.refusing_deadline());
        next.add(self.spaces.one_rtt.deadline());
        next.add(self.early_until);
        next.add(self.mtu_deadline());
        next.add(self.pacing_release);
        next.add(self.rest_deadline());
        for slot in Slot::ALL {
            next.add(self.paths.get(slot).and_then(|p| p.challenge.deadline()));
        }
        // What is due but cannot be sent for want of memory must not wake us at once again.
        next.0.map(|at| at.max(self.starved_until.unwrap_or(at)))
    }

    /// Acts on whatever is due at `cx.now`. Being called too early does no harm.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) {
        match self.state {
            State::Closed => return,
            State::Closing | State::Draining => {
                if self.closing.deadline().is_none_or(|at| at <= cx.now) {
                    self.state = State::Closed;
                    self.events.wake_state();
                }
                return;
            }
            State::Establishing | State::Established => {}
        }
        if is_due(self.idle.deadline(self.three_pto()), cx.now) {
            cx.stats.idle_timeout = cx.stats.idle_timeout.wrapping_add(1);
            let info = CloseInfo::new(CloseKind::IdleTimeout, 0, 0, b"");
            self.finish(cx, info, State::Closed);
            return;
        }
        if is_due(self.starved_until, cx.now) {
            // Whoever called sends now.
            self.starved_until = None;
        }
        if is_due(self.keep_alive_deadline(), cx.now) || is_due(self.refusing_deadline(), cx.now) {
            self.spaces.data.probes = self.spaces.data.probes.max(1);
        }
        if is_due(self.blocked_deadline(), cx.now) {
            self.streams.resignal_blocked();
        }
        self.spaces.one_rtt.on_timeout(cx.now);
        if is_due(self.early_until, cx.now) {
            self.end_early(cx);
        }
        self.handle_loss_timeout(cx);
        if is_due(self.rest_deadline(), cx.now) {
            self.recovery.shrink();
            drop(self.streams.take_spare());
            self.idle.on_rest();
        }
        if let Err(error) = self.expire_paths(cx) {
            self.fail(cx, error);
        }
    }

    /// Whether the connection has given up its memory for packets to come, and needed none since:
    /// whoever keeps some for it can do the same when a timer finds that.
    pub fn is_resting(&self) -> bool {
        self.idle.rest_deadline().is_none()
    }

    /// Not before everything that was sent is known to have arrived.
    fn rest_deadline(&self) -> Option<Instant> {
        let is_quiet = !Space::ALL
            .into_iter()
            .any(|space| self.recovery.has_eliciting(space));
        is_quiet.then(|| self.idle.rest_deadline()).flatten()
    }

    /// Loss detection and probe time-outs.
    fn handle_loss_timeout(&mut self, cx: &mut Cx<'_>) {
        let context = self.timer_context();
        if !is_due(self.recovery.deadline(&context), cx.now) {
            return;
        }
        let (recovery, mut owners) = self.split();
        let timeout = recovery.on_timeout(cx.now, &context, &mut |fate, space, pn, packet| {
            owners.on_fate(fate, space, pn, packet);
        });
        let outcome = owners.outcome;
        self.apply(cx, &outcome);
        if let Timeout::Probe { space, count } = timeout {
            cx.stats.pto = cx.stats.pto.wrapping_add(1);
            self.prepare_probe(space, count);
            self.probe_other_spaces(space);
        }
    }

    /// A probe takes along what waits in the other spaces. Without application data a client whose
    /// address changed before it has heard that the handshake is confirmed would be unreachable:
    /// the server takes nothing else from it any more.
    // RFC 9002 6.2.4 #4
    fn probe_other_spaces(&mut self, space: Space) {
        let has_app_keys = self.spaces.has_send_keys(Level::App);
        for other in Space::ALL {
            let may_probe = other != Space::Data || has_app_keys;
            if other != space && may_probe && self.recovery.has_eliciting(other) {
                self.prepare_probe(other, 1);
            }
        }
    }

    /// Asks for probe packets and, so that they are of use, for the oldest data to be repeated.
    /// With nothing to repeat a probe carries new data, or a PING.
    // RFC 9002 6.2.4 #5
    // RFC 9002 6.2.4 #8
    fn prepare_probe(&mut self, space: Space, count: u8) {
        let mtu = &mut self.paths.active_mut().mtu;
        if mtu.on_timeouts(self.recovery.pto_count()) {
            let size = mtu.current();
            self.recovery.on_mtu_changed(size);
        }
        let limit = usize::from(count);
        let (recovery, mut owners) = self.split();
        recovery.for_each_oldest(space, limit, &mut |_, packet| {
            if !packet.mtu_probe {
                owners.on_lost(space, packet);
            }
        });
        self.spaces.get_mut(space).probes = count;
    }

    /// Borrows recovery and everything that sent packets may concern, side by side.
    pub(super) fn split(&mut self) -> (&mut Recovery, Owners<'_>) {
        let owners = Owners {
            streams: &mut self.streams,
            spaces: &mut self.spaces,
            handshake: &mut self.handshake,
            local_ids: &mut self.local_ids,
            remote_ids: &mut self.remote_ids,
            paths: &mut self.paths,
            events: &mut self.events,
            outcome: Default::default(),
        };
        (&mut self.recovery, owners)
    }

    /// Three times the PTO: least idle time-out, closing period, lifetime of old keys.
    pub(super) fn three_pto(&self) -> Duration {
        self.recovery.pto_base(Space::Data).saturating_mul(3)
    }

    fn timer_context(&self) -> TimerContext {
        // A probe in an Initial packet needs a datagram of full size.
        let needs_full = self.spaces.has_send_keys(Level::Initial);
        let path = self.paths.active();
        TimerContext {
            has_handshake_keys: self.spaces.has_send_keys(Level::Handshake),
            is_amplification_limited: path.is_blocked()
                || (needs_full && path.budget() < MIN_DATAGRAM),
        }
    }

    /// An ACK frame that cannot be sent is no reason to wake up.
    fn ack_deadline(&self) -> Option<Instant> {
        let path = self.paths.active();
        let can_send = !path.is_blocked() && self.remote_ids.get(path.dcid).is_some();
        can_send.then(|| self.spaces.ack_deadline()).flatten()
    }

    fn keep_alive_deadline(&self) -> Option<Instant> {
        if self.state != State::Established || self.recovery.has_eliciting(Space::Data) {
            return None;
        }
        if self.spaces.data.probes > 0 {
            return None;
        }
        self.idle.keep_alive_deadline()
    }

    /// When a sender that flow control has stopped says so again: only while nothing else is under
    /// way.
    // RFC 9000 4.1 #5
    fn blocked_deadline(&self) -> Option<Instant> {
        let is_quiet = self.state == State::Established
            && self.streams.may_be_blocked()
            && !self.streams.has_pending()
            && !self.recovery.has_eliciting(Space::Data);
        is_quiet
            .then(|| self.idle.blocked_deadline(self.three_pto()))
            .flatten()
    }

    /// When a side that has refused data for want of memory shows that it is still there: the peer
    /// sends that data ever more rarely.
    fn refusing_deadline(&self) -> Option<Instant> {
        let is_quiet = self.state == State::Established
            && self.streams.is_refusing()
            && self.spaces.data.probes == 0
            && !self.recovery.has_eliciting(Space::Data);
        is_quiet
            .then(|| self.idle.blocked_deadline(self.three_pto()))
            .flatten()
    }

    fn mtu_deadline(&self) -> Option<Instant> {
        let active = self.paths.active();
        let may_probe =
            self.handshake.is_confirmed && active.is_validated() && !active.challenge.is_running();
        may_probe.then(|| active.mtu.deadline()).flatten()
    }
}

/// The earliest of several deadlines.
struct Earliest(Option<Instant>);

impl Earliest {
    fn add(&mut self, deadline: Option<Instant>) {
        self.0 = match (self.0, deadline) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

fn is_due(deadline: Option<Instant>, now: Instant) -> bool {
    deadline.is_some_and(|at| at <= now)
}
