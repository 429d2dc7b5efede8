// SPDX-License-Identifier: LGPL-2.1-or-later
//! Socket addresses in the layout of the system.

use std::{
    mem,
    net::{
        Ipv4Addr,
        Ipv6Addr,
        SocketAddr,
        SocketAddrV4,
        SocketAddrV6, //
    },
};

use libc::socklen_t;

/// Room for an address of either family.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) union RawAddr {
    family: libc::sa_family_t,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl RawAddr {
    /// All zero, for the kernel to fill.
    pub(super) fn empty() -> RawAddr {
        // SAFETY: both members consist of integers, for which all-zero is a valid value.
        unsafe { mem::zeroed() }
    }

    pub(super) fn new(addr: &SocketAddr) -> RawAddr {
        let mut raw = RawAddr::empty();
        match addr {
            SocketAddr::V4(addr) => {
                raw.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: addr.port().to_be(),
                    sin_addr: libc::in_addr {
                        s_addr: u32::from_ne_bytes(addr.ip().octets()),
                    },
                    sin_zero: [0; 8],
                };
            }
            SocketAddr::V6(addr) => {
                raw.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: addr.port().to_be(),
                    sin6_flowinfo: addr.flowinfo(),
                    sin6_addr: libc::in6_addr {
                        s6_addr: addr.ip().octets(),
                    },
                    sin6_scope_id: addr.scope_id(),
                };
            }
        }
        raw
    }

    /// The address, if it is of a known family.
    pub(super) fn decode(&self) -> Option<SocketAddr> {
        // SAFETY: every member starts with the family, and all bytes are initialised.
        match i32::from(unsafe { self.family }) {
            libc::AF_INET => {
                // SAFETY: any bytes make a valid sockaddr_in.
                let raw = unsafe { self.v4 };
                let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
                let port = u16::from_be(raw.sin_port);
                Some(SocketAddrV4::new(ip, port).into())
            }
            libc::AF_INET6 => {
                // SAFETY: any bytes make a valid sockaddr_in6.
                let raw = unsafe { self.v6 };
                let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
                let port = u16::from_be(raw.sin6_port);
                Some(SocketAddrV6::new(ip, port, raw.sin6_flowinfo, raw.sin6_scope_id).into())
            }
            _ => None,
        }
    }

    pub(super) fn as_ptr(&self) -> *const libc::sockaddr {
        std::ptr::from_ref(self).cast()
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::sockaddr {
        std::ptr::from_mut(self).cast()
    }

    /// Length for the kernel: of the family's structure, or of the union if there is none yet.
    pub(super) fn len(&self) -> socklen_t {
        // SAFETY: every member starts with the family, and all bytes are initialised.
        let len = match i32::from(unsafe { self.family }) {
            libc::AF_INET => mem::size_of::<libc::sockaddr_in>(),
            _ => mem::size_of::<RawAddr>(),
        };
        len as socklen_t
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_system_layout() {
        for text in [
            "10.9.0.1:443",
            "[2001:db8::7]:1",
            "[fe80::1%3]:65535",
            "[::ffff:1.2.3.4]:9",
        ] {
            let addr: SocketAddr = text.parse().unwrap();
            assert_eq!(RawAddr::new(&addr).decode(), Some(addr));
        }
        assert_eq!(RawAddr::empty().decode(), None);
    }
}
