// SPDX-License-Identifier: GPL-2.0

//! Socket addresses between C and `core::net::SocketAddr`.
//!
//! C headers: [`include/uapi/linux/in.h`](srctree/include/uapi/linux/in.h),
//! [`include/uapi/linux/in6.h`](srctree/include/uapi/linux/in6.h)

use core::net::{
    IpAddr,
    Ipv4Addr,
    Ipv6Addr,
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6, //
};

use kernel::prelude::*;

use crate::linux::bindings;

/// `AF_INET` as it stands in the first field of an address.
pub const AF_INET: u16 = bindings::AF_INET as u16;
/// `AF_INET6`.
pub const AF_INET6: u16 = bindings::AF_INET6 as u16;

const SOCKADDR_IN: usize = 16;
const SOCKADDR_IN6: usize = 28;

/// An address as the system call gave it, already in kernel memory.
#[derive(Clone, Copy)]
pub struct RawAddr<'a>(pub(super) &'a [u8]);

impl<'a> RawAddr<'a> {
    /// An address that came by other ways than an address argument (a socket option).
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The address family, if the address is long enough to have one.
    pub fn family(&self) -> Option<u16> {
        self.array::<2>(0).map(u16::from_ne_bytes)
    }

    /// The address, if it is a complete one of IPv4 or IPv6.
    pub fn parse(&self) -> Option<SocketAddr> {
        let port = u16::from_be_bytes(self.array(2)?);
        match self.family()? {
            AF_INET if self.0.len() >= SOCKADDR_IN => {
                let ip = Ipv4Addr::from(self.array::<4>(4)?);
                Some(SocketAddr::V4(SocketAddrV4::new(ip, port)))
            }
            // The scope id came last into the structure: `SIN6_LEN_RFC2133` is still legal.
            AF_INET6 if self.0.len() >= SOCKADDR_IN6 - 4 => {
                let flow = u32::from_be_bytes(self.array(4)?);
                let ip = Ipv6Addr::from(self.array::<16>(8)?);
                let scope = self.array(24).map_or(0, u32::from_ne_bytes);
                Some(SocketAddr::V6(SocketAddrV6::new(ip, port, flow, scope)))
            }
            _ => None,
        }
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }
}

/// An address in the form in which system calls return it.
pub struct NameBuf {
    bytes: [u8; SOCKADDR_IN6],
    len: usize,
}

impl NameBuf {
    /// `sockaddr_in` or `sockaddr_in6` of `addr`.
    pub fn new(addr: &SocketAddr) -> Self {
        let mut name = Self {
            bytes: [0; SOCKADDR_IN6],
            len: 0,
        };
        match addr {
            SocketAddr::V4(v4) => {
                name.push(&AF_INET.to_ne_bytes());
                name.push(&v4.port().to_be_bytes());
                name.push(&v4.ip().octets());
                name.push(&[0; 8]);
            }
            SocketAddr::V6(v6) => {
                name.push(&AF_INET6.to_ne_bytes());
                name.push(&v6.port().to_be_bytes());
                name.push(&v6.flowinfo().to_be_bytes());
                name.push(&v6.ip().octets());
                name.push(&v6.scope_id().to_ne_bytes());
            }
        }
        name
    }

    /// The bytes of the structure.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) {
        let to = self.bytes.get_mut(self.len..).unwrap_or_default();
        for (to, from) in to.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.len = self.len.saturating_add(bytes.len()).min(SOCKADDR_IN6);
    }
}

/// `addr` with an IPv4 address instead of an IPv4-mapped one.
pub fn unmapped(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(ip) => SocketAddr::V4(SocketAddrV4::new(ip, v6.port())),
            None => addr,
        },
        SocketAddr::V4(_) => addr,
    }
}

/// An IPv4 address as C keeps it: in network order in memory.
pub(super) fn be32(ip: &Ipv4Addr) -> u32 {
    u32::from_ne_bytes(ip.octets())
}

/// The reverse of [`be32`].
pub(super) fn from_be32(addr: u32) -> Ipv4Addr {
    Ipv4Addr::from(addr.to_ne_bytes())
}

/// An IPv6 address as C keeps it.
pub(super) fn in6(ip: &Ipv6Addr) -> bindings::in6_addr {
    let mut addr = bindings::in6_addr::default();
    addr.in6_u.u6_addr8 = ip.octets();
    addr
}

/// The reverse of [`in6`].
pub(super) fn from_in6(addr: &bindings::in6_addr) -> Ipv6Addr {
    // SAFETY: all members of the union are plain data of the same 16 bytes.
    Ipv6Addr::from(unsafe { addr.in6_u.u6_addr8 })
}

/// Whether `addr` is an address that a socket of this network namespace may bind.
pub fn is_local(sk: &super::sock::RawSock, ip: &IpAddr, scope: u32) -> bool {
    let net = sk.net().as_ptr();
    match ip {
        // SAFETY: a valid socket and its network namespace.
        IpAddr::V4(ip) => unsafe {
            bindings::inet_addr_valid_or_nonlocal(net, sk.as_ptr(), be32(ip))
        },
        IpAddr::V6(ip) if ip.is_unspecified() => true,
        IpAddr::V6(ip) => {
            let addr = in6(ip);
            if scope != 0 && !dev_exists(sk, scope) {
                return false;
            }
            // SAFETY: a valid socket and its network namespace.
            let any = unsafe { bindings::inet6_can_nonlocal_bind(net, sk.as_ptr()) };
            // SAFETY: as above.
            any || unsafe { bindings::inet6_addr_is_local(net, sk.as_ptr(), &addr) }
        }
    }
}

/// Whether the network namespace of `sk` has a device of this index.
pub fn dev_exists(sk: &super::sock::RawSock, ifindex: u32) -> bool {
    i32::try_from(ifindex).is_ok_and(|index| {
        // SAFETY: a valid network namespace.
        unsafe { bindings::dev_exists(sk.net().as_ptr(), index) }
    })
}

/// Whether this process may bind `port` in the network namespace of `sk`.
pub fn may_bind_port(sk: &super::sock::RawSock, port: u16) -> Result {
    let net = sk.net().as_ptr();
    // SAFETY: a valid network namespace.
    let reserved = port != 0 && unsafe { bindings::inet_port_requires_bind_service(net, port) };
    // SAFETY: a valid network namespace.
    if reserved && !unsafe { bindings::net_bind_capable(net) } {
        return Err(EACCES);
    }
    Ok(())
}
