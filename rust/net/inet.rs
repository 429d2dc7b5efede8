// SPDX-License-Identifier: GPL-2.0

//! Fields of an internet socket: addresses, state, options that `setsockopt(2)` at other levels set.
//!
//! C header: [`include/net/inet_sock.h`](srctree/include/net/inet_sock.h)

use core::net::SocketAddr;

use kernel::{
    error::to_result,
    prelude::*, //
};

use super::{
    addr::{
        be32,
        in6, //
    },
    netns::Net,
    sock::{
        Protocol,
        RawSock,
        Sock,
        SockRef, //
    }, //
};
use crate::linux::bindings;

/// `sk_state` as `/proc` shows it: open both ways.
pub const ESTABLISHED: u8 = 1;
/// A handshake is under way.
pub const SYN_RECV: u8 = 3;
/// Not connected.
pub const CLOSE: u8 = 7;
/// Waiting for connections.
pub const LISTEN: u8 = 10;

/// A user, told apart from all others whatever user namespace they are of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct User(u32);

impl User {
    /// As bytes, to be hashed.
    pub fn to_bytes(self) -> [u8; 4] {
        self.0.to_ne_bytes()
    }
}

impl RawSock {
    /// The network namespace.
    pub fn net(&self) -> Net<'_> {
        // SAFETY: a valid socket; its namespace lives as long as it does.
        unsafe { Net::from_ptr(bindings::sock_net(self.as_ptr())) }
    }

    /// Whether the network namespace works as long as the socket lives. Sockets of the kernel's own do
    /// not see to that; they must do nothing more once they are closed.
    pub fn keeps_net(&self) -> bool {
        // SAFETY: a valid socket.
        unsafe { bindings::sk_keeps_net(self.as_ptr()) }
    }

    /// Whether the socket is of `AF_INET6`.
    pub fn is_v6(&self) -> bool {
        // SAFETY: a valid socket. CAST: a small constant.
        unsafe { (*self.as_ptr()).__sk_common.skc_family == bindings::AF_INET6 as u16 }
    }

    /// `IPV6_V6ONLY`.
    pub fn v6only(&self) -> bool {
        // SAFETY: a valid socket.
        unsafe { bindings::ipv6_only_sock(self.as_ptr()) }
    }

    /// The state shown in `/proc`.
    pub fn state(&self) -> u8 {
        // SAFETY: a valid socket; the field may change at any time.
        unsafe { (&raw const (*self.as_ptr()).__sk_common.skc_state).read_volatile() }
    }

    /// Sets the state shown in `/proc`. Under the lock.
    pub fn set_state(&self, state: u8) {
        // SAFETY: a valid socket.
        unsafe { bindings::inet_sk_set_state(self.as_ptr(), i32::from(state)) };
    }

    /// Index of the device the socket is bound to, 0 for none.
    pub fn device(&self) -> i32 {
        // SAFETY: a valid socket.
        unsafe { bindings::sk_bound_dev_if(self.as_ptr()) }
    }

    /// `SO_REUSEPORT`.
    pub fn reuseport(&self) -> bool {
        // SAFETY: a valid socket.
        unsafe { bindings::sk_reuseport(self.as_ptr()) }
    }

    /// `SO_MARK`.
    pub fn mark(&self) -> u32 {
        // SAFETY: a valid socket; the field may change at any time.
        unsafe { (&raw const (*self.as_ptr()).sk_mark).read_volatile() }
    }

    /// `SO_MAX_PACING_RATE`, bytes a second; the largest number means no limit.
    pub fn max_pacing_rate(&self) -> u64 {
        // SAFETY: a valid socket; the field may change at any time.
        let rate = unsafe { (&raw const (*self.as_ptr()).sk_max_pacing_rate).read_volatile() };
        // CAST: usize is 64 bits wide.
        rate as u64
    }

    /// `IP_TOS` or `IPV6_TCLASS`, by the family of the remote address.
    pub fn tos(&self, v6: bool) -> u8 {
        // SAFETY: a valid socket, of IPv6 if `v6` as only such a one talks to IPv6 addresses.
        unsafe {
            if v6 {
                bindings::sk_tclass(self.as_ptr())
            } else {
                bindings::sk_tos(self.as_ptr())
            }
        }
    }

    /// `IP_TTL` or `IPV6_UNICAST_HOPS`, by the family of the remote address; `None` leaves it to
    /// the route.
    pub fn ttl(&self, v6: bool) -> Option<u8> {
        // SAFETY: a valid socket, of IPv6 if `v6`.
        u8::try_from(unsafe { bindings::sk_ttl(self.as_ptr(), v6) }).ok()
    }

    /// The owner, in terms of the namespace's own user namespace.
    pub fn uid(&self) -> u32 {
        // SAFETY: a valid socket.
        unsafe { bindings::sk_uid(self.as_ptr()) }
    }

    /// The owner, as the whole host knows it.
    pub fn user(&self) -> User {
        // SAFETY: a valid socket.
        User(unsafe { bindings::sk_kuid(self.as_ptr()) })
    }

    /// The inode of the descriptor, 0 for none.
    pub fn inode(&self) -> u64 {
        // SAFETY: a valid socket. CAST: usize is 64 bits wide.
        unsafe { bindings::sock_i_ino(self.as_ptr()) as u64 }
    }

    /// Whether the last descriptor was closed.
    pub fn is_dead(&self) -> bool {
        // SAFETY: a valid socket.
        unsafe { bindings::sock_flag(self.as_ptr(), bindings::sock_flags_SOCK_DEAD) }
    }

    /// Gives up the IPsec policies of the socket (`IP_XFRM_POLICY`). In process context, once no
    /// softirq finds the socket any more: one that looks for a route waits for the policy to be gone.
    pub fn free_policies(&self) {
        // SAFETY: a valid socket.
        unsafe { bindings::xfrm_sk_free_policy(self.as_ptr()) };
    }

    /// Tells the C side the local address. Under the lock.
    pub fn set_local(&self, addr: &SocketAddr) {
        let port = addr.port().to_be();
        match (addr, self.is_v6()) {
            // SAFETY: a valid IPv4 socket.
            (SocketAddr::V4(a), false) => unsafe {
                bindings::sk_set_local4(self.as_ptr(), be32(a.ip()), port)
            },
            (SocketAddr::V4(a), true) => {
                let ip = in6(&a.ip().to_ipv6_mapped());
                // SAFETY: a valid IPv6 socket.
                unsafe { bindings::sk_set_local6(self.as_ptr(), &ip, port) }
            }
            (SocketAddr::V6(a), true) => {
                // SAFETY: a valid IPv6 socket.
                unsafe { bindings::sk_set_local6(self.as_ptr(), &in6(a.ip()), port) }
            }
            (SocketAddr::V6(_), false) => {}
        }
    }

    /// Tells the C side the peer's address. Under the lock.
    pub fn set_remote(&self, addr: &SocketAddr) {
        let port = addr.port().to_be();
        match (addr, self.is_v6()) {
            // SAFETY: a valid IPv4 socket.
            (SocketAddr::V4(a), false) => unsafe {
                bindings::sk_set_remote4(self.as_ptr(), be32(a.ip()), port)
            },
            (SocketAddr::V4(a), true) => {
                let ip = in6(&a.ip().to_ipv6_mapped());
                // SAFETY: a valid IPv6 socket.
                unsafe { bindings::sk_set_remote6(self.as_ptr(), &ip, port) }
            }
            (SocketAddr::V6(a), true) => {
                // SAFETY: a valid IPv6 socket.
                unsafe { bindings::sk_set_remote6(self.as_ptr(), &in6(a.ip()), port) }
            }
            (SocketAddr::V6(_), false) => {}
        }
    }
}

impl<P: Protocol> Sock<P> {
    /// Whether the socket is of `AF_INET6`.
    pub fn is_v6(&self) -> bool {
        self.raw().is_v6()
    }

    /// A new socket for a connection that this listener accepted: same family, type, namespace and
    /// options. Sleeps.
    pub fn new_child(&self, kern: bool) -> Result<SockRef<P>> {
        let parent = self.as_ptr();
        // SAFETY: a valid socket; `sk_prot` is the table of `P`.
        let (family, prot) = unsafe {
            (
                i32::from((*parent).__sk_common.skc_family),
                (*parent).__sk_common.skc_prot,
            )
        };
        let net = self.raw().net().as_ptr();
        // SAFETY: arguments of the parent.
        let child = unsafe {
            bindings::sk_alloc(
                net,
                family,
                bindings::GFP_KERNEL,
                prot.cast(),
                i32::from(kern),
            )
        };
        let child = core::ptr::NonNull::new(child).ok_or(ENOMEM)?;
        // SAFETY: a new socket.
        unsafe { bindings::sock_init_data(core::ptr::null_mut(), child.as_ptr()) };
        // SAFETY: both are sockets of this protocol and family, the child a new one.
        unsafe { bindings::sk_inherit(child.as_ptr(), parent) };
        // SAFETY: a new socket of this protocol.
        if let Err(e) = unsafe { super::sock::init::<P>(child.as_ptr()) } {
            // SAFETY: the only reference, given up.
            unsafe { bindings::sk_free(child.as_ptr()) };
            return Err(e);
        }
        // SAFETY: the reference of `sk_alloc` passes to the result.
        Ok(unsafe { SockRef::from_raw(child.cast()) })
    }

    /// Drops a socket that never got a descriptor.
    pub fn discard(child: SockRef<P>) {
        // SAFETY: a valid socket without a descriptor.
        unsafe { bindings::sock_orphan(child.as_ptr()) };
        drop(child);
    }

    /// Binds to a device, as `SO_BINDTODEVICE` does. For an unbound socket under the lock.
    pub fn set_device(&self, ifindex: i32) {
        // SAFETY: a valid socket.
        unsafe { bindings::sk_set_bound_dev_if(self.as_ptr(), ifindex) };
    }
}

/// Turns a C result into a Rust one; for callers of this folder.
pub(super) fn check(ret: i32) -> Result {
    to_result(ret)
}
