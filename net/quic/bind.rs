// SPDX-License-Identifier: GPL-2.0

//! `bind(2)`, `getsockname(2)` and `getpeername(2)`.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use kernel::prelude::*;

use crate::{
    demux::Demux,
    family,
    linux::net::{
        addr::{
            is_local,
            may_bind_port,
            NameBuf,
            RawAddr, //
        },
        sock::{
            Owned,
            Sock, //
        },
        udp_tunnel::TunnelRef, //
    },
    socket::{
        Quic,
        Role, //
    },
};

/// Binds the socket, once.
pub(crate) fn bind(sk: &mut Owned<'_, Quic>, addr: RawAddr<'_>) -> Result {
    let raw = sk.sk().raw();
    let addr = family::check(raw, addr)?;
    if sk.local.is_some() || !matches!(sk.role, Role::Idle) {
        return Err(EINVAL);
    }
    may_bind_port(raw, addr.port())?;
    bind_to(sk, addr)
}

/// Binds to an address known to be well-formed; port 0 picks a free one. The socket must not be
/// bound. Its address becomes what was asked for, with the port that it got.
pub(crate) fn bind_to(sk: &mut Owned<'_, Quic>, addr: SocketAddr) -> Result {
    let tunnel = open_tunnel(sk.sk(), addr)?;
    let raw = sk.sk().raw();
    let mut local = addr;
    local.set_port(tunnel.addr().port());
    raw.set_local(&local);
    sk.local = Some(local);
    sk.tunnel = Some(tunnel);
    Ok(())
}

/// The UDP socket of `addr`, made or shared. `EADDRNOTAVAIL` unless the address is one of this host,
/// or the socket may use others (`IP_FREEBIND`, `IP_TRANSPARENT`, `net.ipv4.ip_nonlocal_bind` and
/// their IPv6 counterparts).
pub(crate) fn open_tunnel(sk: &Sock<Quic>, addr: SocketAddr) -> Result<TunnelRef<Demux>> {
    let scope = match addr {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(a) => a.scope_id(),
    };
    if !is_local(sk.raw(), &addr.ip(), scope) {
        return Err(EADDRNOTAVAIL);
    }
    let globals = &sk.shared().globals;
    let receiver = Demux::new(globals.clone(), sk.shared().counters.clone());
    globals.tunnels.bind(sk.raw(), addr, receiver)
}

/// Gives the address up again, after a call that bound the socket by itself failed.
pub(crate) fn unbind(sk: &mut Owned<'_, Quic>) {
    let raw = sk.sk().raw();
    raw.set_local(&family::any(raw));
    sk.local = None;
    if let Some(tunnel) = sk.tunnel.take() {
        tunnel.release();
    }
}

/// The socket's own address, or its peer's.
pub(crate) fn name(sk: &mut Owned<'_, Quic>, peer: bool) -> Result<NameBuf> {
    let addr = if peer {
        sk.remote.ok_or(ENOTCONN)?
    } else {
        sk.local.unwrap_or_else(|| family::any(sk.sk().raw()))
    };
    Ok(NameBuf::new(&addr))
}
