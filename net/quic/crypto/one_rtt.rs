// SPDX-License-Identifier: GPL-2.0

//! 1-RTT keys with their key phases (RFC 9001 section 6).
//!
//! ```text
//!  generation:        n-1            n            n+1
//!  receiving:      [previous]    [current]      [next]     three sets, two phases
//!                   for 3 PTO                  made ahead
//!  sending:                       one set, at the receiving generation or one ahead of it
//! ```
//!
//! All transforms are allocated when the secrets arrive, in process context.  An update only puts
//! other keys into them, so that it can happen in any context and cannot run out of memory.

#![forbid(unsafe_code)]

use super::{
    keys::{
        Secret,
        TxKeys, //
    },
    limits, //
};
use crate::{
    aead::{
        KeyError,
        Suite, //
    },
    common::{
        Duration,
        Error,
        Instant,
        TransportError,
        Version, //
    },
    packet::{
        protect::{
            unmask,
            OpenError,
            Opened, //
        },
        Protected,
        Sealed,
        Unsealed, //
    },
};
use phase::{
    is_odd,
    Choice,
    Rx,
    Tx, //
};

mod phase;

/// The 1-RTT keys of a connection; either direction may come before the other.
#[derive(Debug, Default)]
pub struct OneRtt {
    tx: Option<Tx>,
    rx: Option<Rx>,
    /// Packets that failed to open, of any level.
    failures: u64,
}

/// A 1-RTT packet that is authentic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedOneRtt {
    /// The number and the payload.
    pub opened: Opened,
    /// How many updates its keys are old, counted from the first; for [`OneRtt::on_acked`].
    pub generation: u64,
    /// It brought a key update of the peer, or the answer to ours.
    pub updated: bool,
    /// It was the peer's, and the keys for sending have followed.
    pub followed: bool,
}

impl OneRtt {
    /// Installs the secret for sending.  May sleep in the kernel.
    pub fn install_tx(&mut self, version: Version, secret: Secret) -> Result<(), KeyError> {
        self.tx = Some(Tx {
            keys: TxKeys::new(version, &secret)?,
            version,
            secret,
            generation: 0,
            first: None,
            acked: None,
        });
        Ok(())
    }

    /// Installs the secret for receiving.  May sleep in the kernel.
    pub fn install_rx(&mut self, version: Version, secret: &Secret) -> Result<(), KeyError> {
        let next_secret = secret.next(version);
        self.rx = Some(Rx {
            header: secret.header_key(version)?,
            // Only its memory counts until the first update.
            previous: secret.packet_key(version)?,
            current: secret.packet_key(version)?,
            next: next_secret.packet_key(version)?,
            version,
            next_secret,
            generation: 0,
            lowest: 0,
            highest_previous: None,
            previous_until: None,
        });
        Ok(())
    }

    /// True when packets can be sealed.
    pub const fn has_tx(&self) -> bool {
        self.tx.is_some()
    }

    /// True when packets can be opened.
    pub const fn has_rx(&self) -> bool {
        self.rx.is_some()
    }

    /// The key phase of the next packet to be sent.
    pub fn key_phase(&self) -> bool {
        self.tx.as_ref().is_some_and(|tx| is_odd(tx.generation))
    }

    /// Seals a packet that was built with [`OneRtt::key_phase`].
    pub fn seal(&mut self, packet: Unsealed<'_>, tail: &[&[u8]]) -> Result<Sealed, KeyError> {
        let tx = self.tx.as_mut().ok_or(KeyError::Unsupported)?;
        let sealed = tx.keys.seal(packet, tail)?;
        tx.first.get_or_insert(sealed.pn);
        Ok(sealed)
    }

    /// True when the keys for sending should be updated soon for their number of uses.
    // RFC 9001 5.3 #3, RFC 9001 6.6 #3
    pub fn wants_update(&self) -> bool {
        let due = |tx: &Tx| tx.keys.sealed() >= limits::update_after(tx.keys.limit());
        self.tx.as_ref().is_some_and(due)
    }

    /// The error to close with when no further packet may be sealed.  One is left for the close
    /// itself.
    // RFC 9001 6.6 #4, RFC 9001 6.6 #5
    pub fn check_limit(&self) -> Result<(), TransportError> {
        match &self.tx {
            Some(tx) if tx.keys.sealed() >= tx.keys.limit().saturating_sub(1) => Err(
                TransportError::aead_limit_reached("confidentiality limit of the AEAD"),
            ),
            _ => Ok(()),
        }
    }

    /// Counts a packet of any level that failed to open with a key of `suite`.
    // RFC 9001 6.6 #6, RFC 9001 6.6 #7
    pub fn on_open_failed(&mut self, suite: Suite) -> Result<(), TransportError> {
        self.failures = self.failures.saturating_add(1);
        // What TLS has chosen for the connection, once it is known here.
        let chosen = self.rx.as_ref().map(|rx| rx.next_secret.suite());
        let limit = limits::integrity(chosen.unwrap_or(suite));
        match self.failures > limit {
            true => Err(TransportError::aead_limit_reached(
                "integrity limit of the AEAD",
            )),
            false => Ok(()),
        }
    }

    /// Opens a packet in place.
    ///
    /// `packet` is exactly the bytes of the one packet and `expected` the number after the largest
    /// received.  When it brings a key update, the keys for sending follow at once, and the
    /// previous ones for receiving stay for three times `pto`.
    // RFC 9001 5.5 #2, RFC 9001 6.3 #1, RFC 9001 6.3 #5, RFC 9001 9.5 #1
    pub fn open(
        &mut self,
        packet: &mut [u8],
        header: &Protected,
        expected: u64,
        now: Instant,
        pto: Duration,
    ) -> Result<OpenedOneRtt, OpenError> {
        let rx = self.rx.as_mut().ok_or(OpenError::Authentication)?;
        let unmasked = unmask(packet, header.pn_offset, &rx.header)?;
        let pn = unmasked.number(expected);
        let choice = rx.choose(unmasked.key_phase(), pn, now);
        let key = match choice {
            Choice::Previous => &mut rx.previous,
            Choice::Current => &mut rx.current,
            Choice::Next => &mut rx.next,
        };
        let Ok(len) = key.open(pn, packet, unmasked.header_len) else {
            let suite = rx.next_secret.suite();
            self.on_open_failed(suite)?;
            return Err(OpenError::Authentication);
        };
        let opened = unmasked.finish(pn, len)?;
        let generation = rx.generation_of(choice);
        rx.note(choice, pn)?;
        let updated = choice == Choice::Next;
        let followed = updated && self.follow(pn, now, pto)?;
        Ok(OpenedOneRtt {
            opened,
            generation,
            updated,
            followed,
        })
    }

    /// Notes that the peer acknowledged packet `largest` in a packet opened with keys of
    /// `generation`.
    ///
    /// A peer that acknowledges a packet of the new keys in one of the old has not followed our
    /// update (RFC 9001 section 6.2).
    // RFC 9001 6.1 #2
    pub fn on_acked(
        &mut self,
        largest: u64,
        generation: u64,
        now: Instant,
    ) -> Result<(), TransportError> {
        let Some(tx) = &mut self.tx else {
            return Ok(());
        };
        if tx.first.is_none_or(|first| largest < first) {
            return Ok(());
        }
        if generation < tx.generation {
            return Err(TransportError::key_update(
                "new keys acknowledged with old ones",
            ));
        }
        tx.acked.get_or_insert(now);
        Ok(())
    }

    /// True while the peer has acknowledged no packet of the present keys for sending.
    pub fn lacks_ack(&self) -> bool {
        self.tx.as_ref().is_some_and(|tx| tx.acked.is_none())
    }

    /// Starts a key update.
    ///
    /// `Invalid` before the handshake is confirmed, while the last update is not acknowledged, and
    /// for three times `pto` afterwards.
    // RFC 9001 6.1 #1, RFC 9001 6.1 #2, RFC 9001 6.5 #3
    pub fn initiate(&mut self, confirmed: bool, now: Instant, pto: Duration) -> Result<(), Error> {
        let (Some(tx), Some(rx)) = (&mut self.tx, &self.rx) else {
            return Err(Error::Invalid);
        };
        let acked = tx.acked.ok_or(Error::Invalid)?;
        let wait = match tx.generation {
            0 => Duration::ZERO,
            _ => pto.saturating_mul(3),
        };
        if !confirmed || tx.generation != rx.generation || now.since(acked) < wait {
            return Err(Error::Invalid);
        }
        tx.update().map_err(|_| Error::Invalid)
    }

    /// When the previous keys for receiving are to be forgotten.
    pub fn deadline(&self) -> Option<Instant> {
        self.rx.as_ref()?.previous_until
    }

    /// Forgets the previous keys for receiving when their time is over.
    // RFC 9001 6.5 #4, RFC 9001 6.5 #5
    pub fn on_timeout(&mut self, now: Instant) {
        if let Some(rx) = &mut self.rx {
            if rx.previous_until.is_some_and(|until| until <= now) {
                rx.previous_until = None;
                // The next secret is no secret of the past; a key from it opens nothing old.
                let _ = rx.next_secret.rekey(rx.version, &mut rx.previous);
            }
        }
    }

    /// Takes over the peer's update (then true), or its answer to ours.
    // RFC 9001 6.2 #1, RFC 9001 6.2 #2
    fn follow(&mut self, pn: u64, now: Instant, pto: Duration) -> Result<bool, TransportError> {
        let (Some(tx), Some(rx)) = (&mut self.tx, &mut self.rx) else {
            return Err(TransportError::key_update("update before the handshake"));
        };
        // The peer may update again only when we have acknowledged a packet of its last update,
        // which we can do only with the keys that followed it.
        if rx.generation > 0 && tx.generation == rx.generation && tx.first.is_none() {
            return Err(TransportError::key_update("second update at once"));
        }
        let internal = |_| TransportError::internal("key update failed");
        rx.update(pn, now, pto).map_err(internal)?;
        let is_behind = tx.generation < rx.generation;
        if is_behind {
            tx.update().map_err(internal)?;
        }
        Ok(is_behind)
    }
}

#[cfg(test)]
mod tests;
