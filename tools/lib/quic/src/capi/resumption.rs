// SPDX-License-Identifier: LGPL-2.1-or-later
//! Continuing earlier sessions.

use crate::{
    error::{
        Error,
        Result, //
    },
    socket::Socket,
    sys::gnutls::{
        Code,
        SessionRef, //
    },
    uapi::Level, //
};

/// The data by which a later session continues this one; empty if there was no ticket yet.
pub(super) fn data(socket: &Socket, session: SessionRef<'_>) -> Result<Vec<u8>> {
    let ticket = socket
        .session_ticket()
        .map_err(|err| Error::Io("reading the session ticket", err))?;
    if ticket.is_empty() {
        return Ok(Vec::new());
    }
    match session.feed(Level::App, &ticket) {
        Err(code) if code.is_fatal() => return Err(tls_error(code)),
        _ => {}
    }
    session.resumption_data().map_err(tls_error)
}

/// Continues the session of these data.
pub(super) fn resume(session: SessionRef<'_>, data: &[u8]) -> Result<()> {
    session.resume(data).map_err(tls_error)
}

fn tls_error(code: Code) -> Error {
    Error::Tls {
        alert: None,
        reason: format!("cannot continue the session: {}", code.text()),
    }
}
