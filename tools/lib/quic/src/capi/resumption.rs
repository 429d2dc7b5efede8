// SPDX-License-Identifier: LGPL-2.1-or-later
//! Continuing earlier sessions.

use super::report;
use crate::{
    config::Version,
    error::{
        Error,
        Result, //
    },
    session_data::SessionData,
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
    let version = socket
        .version()
        .map_err(|err| Error::Io("reading the version", err))?;
    let data = SessionData::export(session, version).map_err(tls_error)?;
    Ok(data.to_bytes())
}

/// Continues the session of these data, if it was of the version in which this one is to begin.
pub(super) fn resume(socket: &Socket, session: SessionRef<'_>, data: &[u8]) -> Result<()> {
    // A caller who gives the session its socket later wants the usual version.
    let version = socket.version().unwrap_or(Version::V1);
    let data = SessionData::from_bytes(data);
    if !data.apply(session, version).map_err(tls_error)? {
        report::debug("the session to continue was of another QUIC version: a new one begins");
    }
    Ok(())
}

fn tls_error(code: Code) -> Error {
    Error::Tls {
        alert: None,
        reason: format!("cannot continue the session: {}", code.text()),
    }
}
