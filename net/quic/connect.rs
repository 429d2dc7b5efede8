// SPDX-License-Identifier: GPL-2.0

//! `connect(2)`: the client's connection. Sends nothing and never blocks.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use kernel::prelude::*;

use crate::{
    attached::{
        with_cx,
        Attached, //
    },
    bind,
    common::cx::Stats,
    conn::{
        Connection,
        PathAddr, //
    },
    drive,
    errno::errno,
    family,
    linux::net::{
        addr::RawAddr,
        route::Route,
        sock::Owned, //
    },
    settings,
    socket::{
        Quic,
        Role, //
    },
};

/// Connects the socket, once.
pub(crate) fn connect(sk: &mut Owned<'_, Quic>, addr: RawAddr<'_>) -> Result {
    let raw = sk.sk().raw();
    if !matches!(sk.role, Role::Idle) {
        return Err(EINVAL);
    }
    let remote = family::check(raw, addr)?;
    if remote.ip().is_unspecified() || remote.port() == 0 {
        return Err(EINVAL);
    }
    let from = source(sk, &remote)?;
    let route = Route::find(raw, from, remote, raw.tos(remote.is_ipv6()))?;
    let bound_here = sk.local.is_none();
    let bound = sk.local;
    if bound_here {
        bind::bind_to(sk, family::any_like(&remote))?;
    }
    let result = attach(sk, route, remote);
    if result.is_err() {
        sk.remote = None;
        if bound_here {
            bind::unbind(sk);
        } else {
            sk.local = bound;
        }
    }
    result
}

/// The local address to ask the routing table for.
fn source(sk: &Owned<'_, Quic>, remote: &SocketAddr) -> Result<SocketAddr> {
    match sk.local {
        Some(local) if local.is_ipv4() == remote.is_ipv4() => Ok(local),
        Some(local) if !local.ip().is_unspecified() => Err(EINVAL),
        Some(local) => {
            let mut any = family::any_like(remote);
            any.set_port(local.port());
            Ok(any)
        }
        None => Ok(family::any_like(remote)),
    }
}

fn attach(sk: &mut Owned<'_, Quic>, route: Route, remote: SocketAddr) -> Result {
    let mut local = route.local();
    local.set_port(sk.local.ok_or(EINVAL)?.port());
    let path = PathAddr { local, remote };
    let config = settings::config(sk, &path)?;
    let params = settings::params(&sk.options);
    let mut stats = Stats::default();
    let token = &sk.options.token;
    let core = with_cx(&mut stats, |cx| {
        Connection::client(cx, &config, &params, path, token)
    })
    .map_err(errno)?;
    sk.role = Role::Connection(Attached::new(core, stats));
    drive::drive(sk);
    Ok(())
}
