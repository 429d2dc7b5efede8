// SPDX-License-Identifier: LGPL-2.1-or-later
//! A server's session tickets, each good for one QUIC version (RFC 9369 5).
//!
//! The socket has a key for each version. GnuTLS takes one key in a session's life, so it gets that
//! of the negotiated version, when the client's parameters have brought that about and before the
//! client's tickets are looked at. A ticket of another version cannot be read by it: the handshake
//! is a full one.

use super::Answers;
use crate::sys::gnutls::SessionRef;

/// Who makes a server's tickets possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tickets {
    /// Nobody: none are sent or taken.
    #[default]
    None,
    /// The handshake, with the socket's key.
    Ours,
    /// The session's owner, if at all, with the key that the socket had before the handshake.
    Owners,
}

impl Answers {
    /// The key by which an owner of the session may have made tickets possible.
    pub(super) fn offered_key(&self) -> Option<Vec<u8>> {
        match self.setup.tickets {
            Tickets::Owners => self.kernel.ticket_key(),
            Tickets::None | Tickets::Ours => None,
        }
    }

    /// To be called when the version is settled.
    pub(super) fn make_tickets_possible(&self, session: SessionRef<'_>, offered: Option<Vec<u8>>) {
        let has_tickets = match self.setup.tickets {
            Tickets::None => false,
            Tickets::Ours => {
                let key = self.kernel.ticket_key();
                key.is_some_and(|key| session.enable_tickets(&key).is_ok())
            }
            // A ticket protected by the key of another version would be taken there.
            Tickets::Owners => self.kernel.ticket_key() == offered,
        };
        self.lock().has_tickets = has_tickets;
    }

    /// Sends a ticket if that is possible. A connection is as good without one.
    pub(super) fn send_ticket(&self, session: SessionRef<'_>) {
        if self.lock().has_tickets {
            // Fails without harm if the session's owner has not made tickets possible.
            let _ = session.send_ticket();
        }
    }
}
