// SPDX-License-Identifier: GPL-2.0

//! `connect(2)`: the client's connection. Sends nothing and never blocks.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    bind,
    family,
    linux::net::{
        addr::RawAddr,
        route::Route,
        sock::Owned, //
    },
    socket::{
        Quic,
        Role, //
    },
};

/// Connects the socket, once.
pub(crate) fn connect(sk: &mut Owned<'_, Quic>, addr: RawAddr<'_>) -> Result {
    let raw = sk.sk().raw();
    if !matches!(sk.role, Role::Idle) || sk.remote.is_some() {
        return Err(EINVAL);
    }
    let remote = family::check(raw, addr)?;
    if remote.ip().is_unspecified() || remote.port() == 0 {
        return Err(EINVAL);
    }
    let tos = raw.tos(remote.is_ipv6());
    let from = match sk.local {
        Some(local) if local.is_ipv4() == remote.is_ipv4() => local,
        Some(local) if !local.ip().is_unspecified() => return Err(EINVAL),
        Some(local) => {
            let mut any = family::any_like(&remote);
            any.set_port(local.port());
            any
        }
        None => family::any_like(&remote),
    };
    let _route = Route::find(raw, from, remote, tos)?;
    let bound_here = sk.local.is_none();
    if bound_here {
        bind::bind_to(sk, family::any_like(&remote))?;
    }
    Err(EOPNOTSUPP)
}
