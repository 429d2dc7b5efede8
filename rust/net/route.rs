// SPDX-License-Identifier: GPL-2.0

//! Routes of outgoing datagrams.
//!
//! C headers: [`include/net/route.h`](srctree/include/net/route.h),
//! [`include/net/ip6_route.h`](srctree/include/net/ip6_route.h),
//! [`include/net/dst.h`](srctree/include/net/dst.h)

use core::{
    net::{
        IpAddr,
        SocketAddr, //
    },
    ptr::NonNull, //
};

use kernel::{
    error::from_err_ptr,
    prelude::*, //
};

use super::{
    addr::{
        be32,
        from_be32,
        from_in6,
        in6, //
    },
    sock::RawSock, //
};
use crate::linux::{
    bindings,
    time::monotonic_nanos, //
};

/// A counted reference to a route.
struct Dst(NonNull<bindings::dst_entry>);

// SAFETY: a `dst_entry` is reference-counted and used from any CPU.
unsafe impl Send for Dst {}
// SAFETY: as above.
unsafe impl Sync for Dst {}

impl Drop for Dst {
    fn drop(&mut self) {
        // SAFETY: the reference is ours.
        unsafe { bindings::dst_release(self.0.as_ptr()) };
    }
}

/// How long a route is used before it is looked up anew, nanoseconds. That a route is still valid is
/// not proof that it is still the best: a lookup that ran while an address came up may have found a
/// route that discards, with the cookie of the table after the change (the lookup and the reading of
/// the cookie are two steps). TCP starts over at a retransmission time-out; an end that only
/// acknowledges has none.
const LIFE: u64 = 1_000_000_000;

/// The way from a local to a remote address.
pub struct Route {
    dst: Dst,
    cookie: u32,
    /// When it was found, nanoseconds of the monotonic clock.
    found: u64,
    local: SocketAddr,
    remote: SocketAddr,
    choice: Choice,
}

/// What a route depends on beside the addresses; socket options change it at any time.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Choice {
    tos: u8,
    mark: u32,
    device: i32,
}

impl Choice {
    fn of(sk: &RawSock, tos: u8) -> Self {
        Self {
            tos,
            mark: sk.mark(),
            device: sk.device(),
        }
    }
}

impl Route {
    /// Finds the route from `local` (or from the address that the routing table prefers, if it is
    /// the unspecified one) to `remote`. Any context. `ENETUNREACH` to a broadcast address.
    pub fn find(sk: &RawSock, local: SocketAddr, remote: SocketAddr, tos: u8) -> Result<Self> {
        Self::find_by(sk, sk.device(), local, remote, tos)
    }

    /// As [`Route::find`], for a socket that may be bound to no device, by `device`.
    pub fn find_by(
        sk: &RawSock,
        device: i32,
        local: SocketAddr,
        remote: SocketAddr,
        tos: u8,
    ) -> Result<Self> {
        let choice = Choice {
            tos,
            mark: sk.mark(),
            device,
        };
        match remote {
            SocketAddr::V4(_) => Self::find4(sk, local, remote, choice),
            SocketAddr::V6(_) => Self::find6(sk, local, remote, choice),
        }
    }

    fn find4(sk: &RawSock, local: SocketAddr, remote: SocketAddr, choice: Choice) -> Result<Self> {
        let mut fl = bindings::flowi4::default();
        common(&mut fl.__fl_common, sk, &choice, 0);
        // The two ECN bits are no part of the DSCP.
        fl.__fl_common.flowic_dscp = choice.tos & 0xfc;
        if let (IpAddr::V4(src), IpAddr::V4(dst)) = (local.ip(), remote.ip()) {
            fl.saddr = be32(&src);
            fl.daddr = be32(&dst);
        }
        fl.uli.ports.sport = local.port().to_be();
        fl.uli.ports.dport = remote.port().to_be();
        // SAFETY: a valid namespace, flow and socket.
        let rt = from_err_ptr(unsafe {
            bindings::ip_route_output_flow(sk.net().as_ptr(), &mut fl, sk.as_ptr())
        })?;
        // A route for IPv4 begins with its `dst_entry`.
        let dst = Dst(NonNull::new(rt.cast()).ok_or(EHOSTUNREACH)?);
        // As with TCP: the broadcast address of a network, which only the routing table knows.
        // SAFETY: the route just found, of which `dst` is a reference.
        if !unsafe { bindings::rt_is_unicast(rt) } {
            return Err(ENETUNREACH);
        }
        let from = IpAddr::V4(from_be32(fl.saddr));
        Ok(Self {
            dst,
            cookie: 0,
            found: monotonic_nanos(),
            local: SocketAddr::new(from, local.port()),
            remote,
            choice,
        })
    }

    fn find6(sk: &RawSock, local: SocketAddr, remote: SocketAddr, choice: Choice) -> Result<Self> {
        let mut fl = bindings::flowi6::default();
        let scope = match (local, remote) {
            (_, SocketAddr::V6(r)) if r.scope_id() != 0 => r.scope_id(),
            (SocketAddr::V6(l), _) => l.scope_id(),
            _ => 0,
        };
        common(&mut fl.__fl_common, sk, &choice, scope);
        fl.flowlabel = (u32::from(choice.tos) << 20).to_be();
        if let (IpAddr::V6(src), IpAddr::V6(dst)) = (local.ip(), remote.ip()) {
            fl.saddr = in6(&src);
            fl.daddr = in6(&dst);
        }
        fl.uli.ports.sport = local.port().to_be();
        fl.uli.ports.dport = remote.port().to_be();
        // SAFETY: a valid namespace, flow and socket; no final destination.
        let dst = from_err_ptr(unsafe {
            bindings::ip6_dst_lookup_flow(
                sk.net().as_ptr(),
                sk.as_ptr(),
                &mut fl,
                core::ptr::null(),
            )
        })?;
        let dst = Dst(NonNull::new(dst).ok_or(EHOSTUNREACH)?);
        // SAFETY: a valid route of IPv6.
        let cookie = unsafe { bindings::dst_cookie6(dst.0.as_ptr()) };
        let mut from = local;
        from.set_ip(IpAddr::V6(from_in6(&fl.saddr)));
        Ok(Self {
            dst,
            cookie,
            found: monotonic_nanos(),
            local: from,
            remote,
            choice,
        })
    }

    /// Whether this is still the way that `sk` takes from `local` to `remote`; no after a second, so
    /// that it is looked up anew. `now` is nanoseconds of the monotonic clock.
    pub fn serves(
        &self,
        sk: &RawSock,
        local: &SocketAddr,
        remote: &SocketAddr,
        tos: u8,
        now: u64,
    ) -> bool {
        (local.ip().is_unspecified() || self.local == *local)
            && self.remote == *remote
            && self.choice == Choice::of(sk, tos)
            && now.saturating_sub(self.found) < LIFE
            // SAFETY: a valid route with the cookie that belongs to it.
            && unsafe { bindings::dst_check(self.dst.0.as_ptr(), self.cookie) }
    }

    /// The local address, filled in by the routing table where it was unspecified.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The remote address.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Largest IP packet that the path takes, bytes, as far as it is known.
    pub fn mtu(&self) -> u32 {
        // SAFETY: a valid route.
        unsafe { bindings::dst_mtu(self.dst.0.as_ptr()) }
    }

    pub(super) fn dst(&self) -> *mut bindings::dst_entry {
        self.dst.0.as_ptr()
    }

    /// A further reference, for a packet to consume.
    pub(super) fn hold(&self) -> *mut bindings::dst_entry {
        // SAFETY: a valid route of which we have a reference.
        unsafe { bindings::dst_hold(self.dst.0.as_ptr()) };
        self.dst.0.as_ptr()
    }
}

fn common(fl: &mut bindings::flowi_common, sk: &RawSock, choice: &Choice, scope: u32) {
    fl.flowic_oif = match (choice.device, i32::try_from(scope)) {
        (0, Ok(scope)) => scope,
        (device, _) => device,
    };
    fl.flowic_mark = choice.mark;
    // CAST: a small constant.
    fl.flowic_proto = bindings::IPPROTO_UDP as u8;
    // SAFETY: a valid socket.
    fl.flowic_uid = unsafe { (*sk.as_ptr()).sk_uid };
}
