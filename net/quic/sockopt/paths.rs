// SPDX-License-Identifier: GPL-2.0

//! CONNECTION_ID, CONNECTION_MIGRATION and KEY_UPDATE: what the peer sees on the wire.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use kernel::prelude::*;

use crate::{
    bind,
    common::error::Error as CoreError,
    demux::Demux,
    drive,
    errno::errno,
    family,
    linux::net::{
        addr::{
            may_bind_port,
            RawAddr, //
        },
        inet,
        sock::{
            Owned,
            Sock, //
        },
        sockopt::{
            OptIn,
            OptOut, //
        },
        udp_tunnel::TunnelRef, //
    },
    sendmsg::is_open,
    socket::Quic,
    uapi::ConnectionIdInfo, //
};

/// Size of `struct sockaddr_in6`, the longest address.
const MAX_ADDR: usize = 28;

pub(super) fn set_ids(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let info = ConnectionIdInfo::decode(&value.read_array::<{ ConnectionIdInfo::SIZE }>()?);
    let mut sk = sk.lock();
    if sk.sk().raw().state() != inet::ESTABLISHED || info.dest > 1 {
        return Err(EINVAL);
    }
    let at = sk.attached().ok_or(EINVAL)?;
    let (active, prior_to) = (u64::from(info.active), u64::from(info.prior_to));
    let result = at
        .call(|core, cx| core.set_cids(cx, info.dest == 1, active, prior_to))
        .map_err(again);
    drive::drive(&mut sk);
    result
}

pub(super) fn get_ids(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let mut info = ConnectionIdInfo::decode(&value.read_array::<{ ConnectionIdInfo::SIZE }>()?);
    let mut sk = sk.lock();
    if sk.sk().raw().state() != inet::ESTABLISHED || info.dest > 1 {
        return Err(EINVAL);
    }
    let at = sk.attached().ok_or(EINVAL)?;
    let (active, prior_to) = at.core.cid_info(info.dest == 1);
    info.active = u32::try_from(active).unwrap_or(u32::MAX);
    info.prior_to = u32::try_from(prior_to).unwrap_or(u32::MAX);
    drop(sk);
    value.write(&info.encode())
}

/// "Busy" is `EAGAIN` for these options.
fn again(e: CoreError) -> Error {
    match e {
        CoreError::Busy => EAGAIN,
        CoreError::NotConnected => EINVAL,
        other => errno(other),
    }
}

pub(super) fn migrate(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let bytes = value.read_array::<MAX_ADDR>()?;
    let bytes = bytes.get(..value.len()).unwrap_or(&bytes);
    let mut sk = sk.lock();
    if !is_open(&sk) {
        return Err(EPIPE);
    }
    let addr = family::check(sk.sk().raw(), RawAddr::new(bytes))?;
    if addr.port() == 0 || addr.ip().is_unspecified() || sk.local == Some(addr) {
        return Err(EINVAL);
    }
    let result = if sk.sk().raw().state() == inet::ESTABLISHED {
        migrate_to(&mut sk, addr)
    } else {
        let server = sk.is_server();
        prefer(&mut sk, addr, server)
    };
    drive::drive(&mut sk);
    result
}

/// A UDP socket for a new address, beside that of the present one. The one it replaces, of an
/// address that was tried before or left, is given back. The address must be one that `bind` would
/// take: a tunnel of all addresses is shared, and nothing below this refuses a source of another
/// host. The port that the socket has already needs no privilege.
fn open_tunnel(sk: &mut Owned<'_, Quic>, addr: SocketAddr) -> Result {
    if sk.local.map(|local| local.port()) != Some(addr.port()) {
        may_bind_port(sk.sk().raw(), addr.port())?;
    }
    let tunnel = bind::open_tunnel(sk.sk(), addr)?;
    if let Some(replaced) = other(sk, &addr).replace(tunnel) {
        replaced.release();
    }
    Ok(())
}

/// The place beside the present tunnel for an address of this family.
fn other<'a>(sk: &'a mut Owned<'_, Quic>, addr: &SocketAddr) -> &'a mut Option<TunnelRef<Demux>> {
    let [v4, v6] = &mut sk.other_tunnels;
    if addr.is_ipv4() {
        v4
    } else {
        v6
    }
}

fn migrate_to(sk: &mut Owned<'_, Quic>, addr: SocketAddr) -> Result {
    let present = sk.local.ok_or(EINVAL)?;
    if present.is_ipv4() != addr.is_ipv4() {
        return Err(EINVAL);
    }
    let at = sk.attached().ok_or(EINVAL)?;
    at.core.may_migrate(addr).map_err(again)?;
    open_tunnel(sk, addr)?;
    let at = sk.attached().ok_or(EINVAL)?;
    at.call(|core, cx| core.migrate(cx, addr)).map_err(again)
}

/// Announces `addr` as the server's preferred address.
fn prefer(sk: &mut Owned<'_, Quic>, addr: SocketAddr, server: bool) -> Result {
    if !server {
        return Err(EINVAL);
    }
    open_tunnel(sk, addr)?;
    let at = sk.attached().ok_or(EINVAL)?;
    let result = at
        .call(|core, cx| core.set_preferred_address(cx, addr))
        .map_err(again);
    if result.is_err() {
        if let Some(tunnel) = other(sk, &addr).take() {
            tunnel.release();
        }
    }
    result
}

pub(super) fn key_update(sk: &Sock<Quic>) -> Result {
    let mut sk = sk.lock();
    if sk.sk().raw().state() != inet::ESTABLISHED {
        return Err(EPIPE);
    }
    let at = sk.attached().ok_or(EPIPE)?;
    let result = at.call(|core, cx| core.key_update(cx)).map_err(again);
    drive::drive(&mut sk);
    result
}
