// SPDX-License-Identifier: GPL-2.0

//! Generations of 1-RTT keys: which one a packet is tried with, and how they move on.

#![forbid(unsafe_code)]

use super::super::keys::{
    Secret,
    TxKeys, //
};
use crate::{
    aead::{
        HeaderKey,
        KeyError,
        PacketKey, //
    },
    common::{
        Duration,
        Instant,
        TransportError,
        Version, //
    },
};
use core::mem::swap;

/// The keys for sending, of one generation.
#[derive(Debug)]
pub(super) struct Tx {
    pub(super) keys: TxKeys,
    pub(super) version: Version,
    pub(super) secret: Secret,
    pub(super) generation: u64,
    /// The first packet number of the generation.
    pub(super) first: Option<u64>,
    /// When a packet of the generation was acknowledged.
    pub(super) acked: Option<Instant>,
}

/// The keys for receiving, of three generations.
#[derive(Debug)]
pub(super) struct Rx {
    pub(super) header: HeaderKey,
    pub(super) previous: PacketKey,
    pub(super) current: PacketKey,
    pub(super) next: PacketKey,
    pub(super) version: Version,
    /// The secret of `next`.
    pub(super) next_secret: Secret,
    pub(super) generation: u64,
    /// The lowest packet number received in the generation.
    pub(super) lowest: u64,
    /// The highest packet number opened with `previous`.
    pub(super) highest_previous: Option<u64>,
    /// How long `previous` may be used; never in generation zero.
    pub(super) previous_until: Option<Instant>,
}

/// Which keys a packet is tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Previous,
    Current,
    Next,
}

impl Rx {
    /// Decides by the phase and the number alone, so that every packet is tried exactly once.
    // RFC 9001 5.5 #1. By section 6.3 a lower number than those of the current phase is of the previous one.
    pub(super) fn choose(&self, phase: bool, pn: u64, now: Instant) -> Choice {
        if phase == is_odd(self.generation) {
            Choice::Current
        } else if pn < self.lowest && self.previous_until.is_some_and(|until| now < until) {
            Choice::Previous
        } else {
            Choice::Next
        }
    }

    pub(super) fn generation_of(&self, choice: Choice) -> u64 {
        match choice {
            Choice::Previous => self.generation.saturating_sub(1),
            Choice::Current => self.generation,
            Choice::Next => self.generation.saturating_add(1),
        }
    }

    /// Checks that newer keys go with higher numbers, once a packet is authentic.
    // RFC 9001 6.4 #1, RFC 9001 6.4 #2
    pub(super) fn note(&mut self, choice: Choice, pn: u64) -> Result<(), TransportError> {
        let in_order = match choice {
            Choice::Previous => {
                self.highest_previous = self.highest_previous.max(Some(pn));
                true
            }
            Choice::Current => {
                self.lowest = self.lowest.min(pn);
                self.highest_previous.is_none_or(|highest| highest < pn)
            }
            Choice::Next => pn >= self.lowest,
        };
        match in_order {
            true => Ok(()),
            false => Err(TransportError::key_update("old keys after new ones")),
        }
    }

    /// Makes the next keys the current ones, and derives those after them.
    // RFC 9001 6.1 #3, RFC 9001 6.1 #4, RFC 9001 6.3 #4, RFC 9001 9.5 #3
    pub(super) fn update(&mut self, pn: u64, now: Instant, pto: Duration) -> Result<(), KeyError> {
        swap(&mut self.previous, &mut self.current);
        swap(&mut self.current, &mut self.next);
        self.next_secret = self.next_secret.next(self.version);
        self.next_secret.rekey(self.version, &mut self.next)?;
        self.generation = self.generation.saturating_add(1);
        self.lowest = pn;
        self.highest_previous = None;
        self.previous_until = Some(now.saturating_add(pto.saturating_mul(3)));
        Ok(())
    }
}

impl Tx {
    pub(super) fn update(&mut self) -> Result<(), KeyError> {
        let secret = self.secret.next(self.version);
        self.keys.rekey(self.version, &secret)?;
        self.secret = secret;
        self.generation = self.generation.saturating_add(1);
        self.first = None;
        self.acked = None;
        Ok(())
    }
}

pub(super) const fn is_odd(generation: u64) -> bool {
    generation & 1 != 0
}
