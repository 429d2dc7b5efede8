// SPDX-License-Identifier: GPL-2.0

//! `accept(2)`: from a pending request to a socket with a connection.
//!
//! Process context, with the listener locked: packets that come meanwhile wait in its backlog and
//! find the new connection afterwards.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    attached::{
        with_cx,
        Attached, //
    },
    common::cx::Stats,
    conn::{
        Connection,
        PathAddr, //
    },
    drive,
    errno::errno,
    linux::net::sock::{
        Owned,
        Sock,
        SockRef, //
    },
    poll,
    requests::{
        self,
        Request, //
    },
    settings,
    socket::{
        Quic,
        Role, //
    },
};

/// Waits for a request and makes its connection. Requests of clients that cannot be reached are passed
/// over: accept(2) tells of the listener, not of them.
pub(crate) fn accept(
    sk: &mut Owned<'_, Quic>,
    kern: bool,
    nonblock: bool,
) -> Result<SockRef<Quic>> {
    if !matches!(sk.role, Role::Listener(_)) {
        return Err(EINVAL);
    }
    let mut timeout = sk.sk().raw().receive_timeout(nonblock);
    loop {
        let request = next(sk, &mut timeout)?;
        let child = sk.sk().new_child(kern)?;
        match set_up(sk, &child, request) {
            Ok(true) => return Ok(child),
            Ok(false) => {
                Sock::discard(child);
                sk.sk().shared().counters.count_drop();
            }
            Err(e) => {
                Sock::discard(child);
                return Err(e);
            }
        }
    }
}

/// Waits for a request and takes it.
fn next(sk: &mut Owned<'_, Quic>, timeout: &mut isize) -> Result<Request> {
    let request = sk.wait_left(timeout, |sk| match &mut sk.role {
        Role::Listener(listener) => listener.requests.pop().map(Ok),
        _ => Some(Err(EINVAL)),
    })??;
    requests::charge(sk);
    poll::publish(sk);
    // From here on nobody else finds the request.
    request.forget(sk.sk());
    Ok(request)
}

/// Makes the connection of `request` on the new socket and replays its packets. Returns whether there
/// is a way to the client.
fn set_up(parent: &mut Owned<'_, Quic>, child: &Sock<Quic>, request: Request) -> Result<bool> {
    let options = parent.options.inherit()?;
    let tunnel = parent.tunnel.clone();
    let mut sk = child.lock_child();
    // As of TCP: what came by a VRF is answered by it.
    if child.raw().device() == 0 {
        child.set_device(request.meta.vrf);
    }
    sk.options = options;
    sk.backlog = parent.backlog;
    sk.tunnel = tunnel;
    let path = PathAddr {
        local: request.meta.local,
        remote: request.meta.remote,
    };
    let config = match settings::config(&sk, &path) {
        Ok(config) => config,
        Err(e) if e == ENOMEM || e == ENOBUFS => return Err(e),
        Err(_) => return Ok(false),
    };
    let params = settings::params(&sk.options);
    let mut stats = Stats::default();
    let core = with_cx(&mut stats, |cx| {
        Connection::server(cx, &config, &params, &request.incoming, path)
    })
    .map_err(errno)?;
    let mut at = Attached::new(core, stats);
    at.original = Some(request.key);
    sk.role = Role::Connection(at);
    for skb in request.packets {
        if let Role::Connection(at) = &mut sk.role {
            drive::receive(at, skb, &request.meta);
        }
    }
    drive::drive(&mut sk);
    Ok(true)
}
