// SPDX-License-Identifier: GPL-2.0

//! `close(2)`, `shutdown(2)`, and what remains to be done after them.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    linux::net::sock::Owned,
    listen,
    socket::{
        Quic,
        Role, //
    },
};

/// The last descriptor is gone.
pub(crate) fn close(sk: &mut Owned<'_, Quic>) {
    if matches!(sk.role, Role::Listener(_)) {
        listen::stop(sk);
    }
    sk.tunnel = None;
}

/// Ends the connection; `SHUT_RD` does so silently.
pub(crate) fn shutdown(_sk: &mut Owned<'_, Quic>, _how: i32) -> Result {
    Ok(())
}

/// Deferred work.
pub(crate) fn work(_sk: &mut Owned<'_, Quic>) {}
