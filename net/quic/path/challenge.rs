// SPDX-License-Identifier: GPL-2.0

//! Path validation: PATH_CHALLENGE out, PATH_RESPONSE in, and the reverse (RFC 9000 8.2).

#![forbid(unsafe_code)]

use crate::common::{
    rng::Rng,
    time::{
        Duration,
        Instant, //
    },
};

/// Challenges of one validation. With intervals that double, more than these do not fit into the
/// time after which a path is given up, three seconds or nine PTOs, for a PTO of 25 ms or more,
/// which the usual delay of acknowledgements makes it.
const MAX_TRIES: u8 = 8;

/// What a PATH_RESPONSE meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It answers no challenge of this path.
    Unknown,
    /// The peer receives at the address, but the datagram was too small to prove the path's MTU.
    /// Another challenge is pending.
    AddressOnly,
    /// The path is validated.
    Validated,
}

/// What the timer of a validation meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Not yet.
    Waiting,
    /// Another challenge is pending.
    Again,
    /// The validation failed.
    Failed,
}

/// A validation under way, or none.
#[derive(Debug, Default)]
pub struct Challenge {
    running: bool,
    pending: bool,
    tries: u8,
    /// When the next challenge, or the end, is due.
    deadline: Option<Instant>,
    /// When the validation fails.
    end: Option<Instant>,
    /// Payloads of the challenges sent, and whether the datagram was of full size.
    sent: [Option<([u8; 8], bool)>; MAX_TRIES as usize],
}

impl Challenge {
    /// Starts a validation. One under way goes on as it is.
    pub fn start(&mut self) {
        if !self.running {
            *self = Self {
                running: true,
                pending: true,
                ..Self::default()
            };
        }
    }

    /// Ends a validation without a verdict.
    pub fn stop(&mut self) {
        *self = Self::default();
    }

    /// Whether a validation is under way.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Whether a PATH_CHALLENGE has to be sent now.
    pub fn is_pending(&self) -> bool {
        self.pending
    }

    /// Random data for the next challenge; it counts once [`Self::on_sent`] is called.
    // RFC 9000 8.2.1 #4
    pub fn data(&self, rng: &mut dyn Rng) -> [u8; 8] {
        rng.u64().to_be_bytes()
    }

    /// A challenge went out. The next one follows after `pto`, doubled for each one before, and the
    /// validation fails `limit` after its first challenge.
    // RFC 9000 8.2.4 #1
    // RFC 9000 8.2.4 #2
    pub fn on_sent(
        &mut self,
        data: [u8; 8],
        full_size: bool,
        now: Instant,
        (pto, limit): (Duration, Duration),
    ) {
        if let Some(slot) = self.sent.get_mut(usize::from(self.tries)) {
            *slot = Some((data, full_size));
        }
        let end = *self.end.get_or_insert(now.saturating_add(limit));
        let interval = pto.saturating_shl(u32::from(self.tries));
        self.tries = self.tries.saturating_add(1);
        self.pending = false;
        self.deadline = Some(now.saturating_add(interval).min(end));
    }

    /// A PATH_RESPONSE arrived, on whatever path.
    // RFC 9000 8.2.2 #4
    pub fn on_response(&mut self, data: [u8; 8]) -> Verdict {
        let found = self.sent.iter().flatten().find(|(known, _)| *known == data);
        match found {
            None => Verdict::Unknown,
            Some((_, true)) => {
                self.stop();
                Verdict::Validated
            }
            // RFC 9000 8.2.1 #6
            // RFC 9000 8.2.3 #1
            Some((_, false)) => {
                self.stop();
                self.start();
                Verdict::AddressOnly
            }
        }
    }

    /// When [`Self::on_timeout`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let due = if self.pending {
            self.end
        } else {
            self.deadline
        };
        due.filter(|_| self.running)
    }

    /// Looks at the clock.
    // RFC 9000 8.2.1 #3
    pub fn on_timeout(&mut self, now: Instant) -> Expiry {
        // A challenge that cannot be sent does not keep the validation from failing.
        let due = if self.pending {
            self.end
        } else {
            self.deadline()
        };
        if due.is_none_or(|due| now < due) {
            return Expiry::Waiting;
        }
        if self.end.is_some_and(|end| now >= end) {
            self.stop();
            return Expiry::Failed;
        }
        if self.tries >= MAX_TRIES {
            self.deadline = self.end;
            return Expiry::Waiting;
        }
        self.pending = true;
        Expiry::Again
    }
}

/// Answers owed to a peer, the newest few.
///
/// A peer that sends challenges while it withholds acknowledgements must not make us queue its
/// data: more than [`Responses::MAX`] unanswered challenges of one path overwrite the oldest.
#[derive(Debug, Default)]
pub struct Responses {
    waiting: [Option<[u8; 8]>; Responses::MAX],
}

impl Responses {
    /// Challenges of one path that wait for their answers. A peer sends one at a time; four
    /// survive a burst after an outage.
    pub const MAX: usize = 4;

    /// A PATH_CHALLENGE arrived.
    // RFC 9000 8.2.2 #1
    pub fn push(&mut self, data: [u8; 8]) {
        if let Some(free) = self.waiting.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(data);
            return;
        }
        self.waiting.rotate_left(1);
        if let Some(last) = self.waiting.last_mut() {
            *last = Some(data);
        }
    }

    /// The answer to send next.
    pub fn front(&self) -> Option<[u8; 8]> {
        self.waiting.iter().flatten().next().copied()
    }

    /// The answer [`Self::front`] gave was sent. It is never sent again.
    // RFC 9000 8.2.2 #7
    pub fn pop(&mut self) {
        if let Some(slot) = self.waiting.iter_mut().find(|slot| slot.is_some()) {
            *slot = None;
        }
        self.compact();
    }

    /// Keeps the order of arrival: the free slots are the last ones.
    fn compact(&mut self) {
        let mut kept = [None; Self::MAX];
        for (to, from) in kept.iter_mut().zip(self.waiting.iter().flatten()) {
            *to = Some(*from);
        }
        self.waiting = kept;
    }
}
