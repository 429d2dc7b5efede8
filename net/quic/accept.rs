// SPDX-License-Identifier: GPL-2.0

//! `accept(2)`: from a pending request to a socket with a connection.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    linux::net::sock::{
        Owned,
        SockRef, //
    },
    socket::{
        Quic,
        Role, //
    },
};

/// Waits for a request and makes its connection.
pub(crate) fn accept(sk: &mut Owned<'_, Quic>, _kern: bool, nonblock: bool) -> Result<SockRef<Quic>> {
    if !matches!(sk.role, Role::Listener(_)) {
        return Err(EINVAL);
    }
    let timeout = sk.sk().raw().receive_timeout(nonblock);
    sk.wait(timeout, |sk| match &sk.role {
        Role::Listener(_) => None,
        _ => Some(Err(EINVAL)),
    })?
}
