// SPDX-License-Identifier: GPL-2.0

//! Addresses: which ones a socket takes, and how it names itself.
//!
//! Inside, an IPv4-mapped address is an IPv4 address, whatever the family of the socket.

#![forbid(unsafe_code)]

use core::net::{
    IpAddr,
    Ipv4Addr,
    Ipv6Addr,
    SocketAddr, //
};

use kernel::prelude::*;

use crate::linux::net::{
    addr::{
        dev_exists,
        unmapped,
        RawAddr, //
    },
    sock::RawSock, //
};

/// Checks an address given by the user and brings it into the form used inside.
///
/// IPv4 sockets take IPv4 addresses, IPv6 sockets both unless they are `IPV6_V6ONLY`. Multicast
/// addresses and link-local ones without a device are refused. Everything wrong is `EINVAL`.
pub(crate) fn check(sk: &RawSock, addr: RawAddr<'_>) -> Result<SocketAddr> {
    let addr = addr.parse().ok_or(EINVAL)?;
    let plain = unmapped(addr);
    if !sk.is_v6() && !addr.is_ipv4() {
        return Err(EINVAL);
    }
    if sk.v6only() && plain.is_ipv4() {
        return Err(EINVAL);
    }
    match plain {
        SocketAddr::V4(a) if a.ip().is_multicast() || a.ip().is_broadcast() => Err(EINVAL),
        SocketAddr::V4(_) => Ok(plain),
        SocketAddr::V6(mut a) => {
            if a.ip().is_multicast() {
                return Err(EINVAL);
            }
            a.set_flowinfo(0);
            if !a.ip().is_unicast_link_local() {
                a.set_scope_id(0);
            } else if a.scope_id() == 0 {
                let device = u32::try_from(sk.device()).unwrap_or(0);
                a.set_scope_id(device);
            }
            if a.ip().is_unicast_link_local() && !dev_exists(sk, a.scope_id()) {
                return Err(EINVAL);
            }
            Ok(SocketAddr::V6(a))
        }
    }
}

/// The unspecified address of the socket's family.
pub(crate) fn any(sk: &RawSock) -> SocketAddr {
    let ip = if sk.is_v6() {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    };
    SocketAddr::new(ip, 0)
}

/// The unspecified address of the family of `addr`.
pub(crate) fn any_like(addr: &SocketAddr) -> SocketAddr {
    let ip = match addr {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 0)
}
