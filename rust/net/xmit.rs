// SPDX-License-Identifier: GPL-2.0

//! Sending datagrams through a UDP tunnel.
//!
//! C header: [`include/net/udp_tunnel.h`](srctree/include/net/udp_tunnel.h)

use core::net::SocketAddr;

use super::{
    addr::{
        be32,
        in6, //
    },
    route::Route,
    skb::SkBuff,
    sock::RawSock, //
};
use crate::linux::bindings;

/// Room to leave before the payload for the UDP, IP and link headers, bytes. The largest link
/// header of the kernel's devices is counted by `LL_MAX_HEADER`, at most 128 with tunnels.
pub const HEADROOM: usize = 8 + 40 + 128;

/// IP and UDP header of a datagram, bytes.
pub fn overhead(remote: &SocketAddr) -> usize {
    match remote {
        SocketAddr::V4(_) => 20 + 8,
        SocketAddr::V6(_) => 40 + 8,
    }
}

/// Sends `skb`, whose data is the UDP payload, along `route`. `tos` is the traffic class with its
/// ECN bits; hop limit, mark and priority are those of the socket. The packet is never fragmented.
/// Any context but hard interrupt; losses are silent.
pub fn send(sk: &RawSock, route: &Route, skb: SkBuff, tos: u8) {
    // SAFETY: both are valid.
    unsafe { bindings::skb_set_marks(skb.as_ptr(), sk.as_ptr()) };
    // The transmit path counts recursion per CPU and must not change it meanwhile.
    // SAFETY: no precondition.
    unsafe { bindings::local_bh_disable() };
    match (route.local(), route.remote()) {
        (SocketAddr::V4(local), SocketAddr::V4(remote)) => {
            let ttl = sk.ttl(false).unwrap_or_else(|| {
                // SAFETY: a valid route of IPv4. CAST: a byte by contract.
                unsafe { bindings::ip4_dst_hoplimit(route.dst()) as u8 }
            });
            let df = IP_DF.to_be();
            let rt = route.hold();
            // SAFETY: a valid socket; the references of `rt` and `skb` pass to the function; `skb`
            // has headroom. A route for IPv4 begins with its `dst_entry`.
            unsafe {
                bindings::udp_tunnel_xmit_skb(
                    rt.cast(),
                    sk.as_ptr(),
                    skb.into_raw().as_ptr(),
                    be32(local.ip()),
                    be32(remote.ip()),
                    tos,
                    ttl,
                    df,
                    local.port().to_be(),
                    remote.port().to_be(),
                    false,
                    false,
                    0,
                )
            };
        }
        (SocketAddr::V6(local), SocketAddr::V6(remote)) => {
            let ttl = sk.ttl(true).unwrap_or_else(|| {
                // SAFETY: a valid route of IPv6. CAST: a byte by contract.
                unsafe { bindings::ip6_dst_hoplimit(route.dst()) as u8 }
            });
            let dst = route.hold();
            // SAFETY: as above; the addresses are only read.
            unsafe {
                bindings::udp6_xmit(
                    dst,
                    sk.as_ptr(),
                    skb.into_raw().as_ptr(),
                    &in6(local.ip()),
                    &in6(remote.ip()),
                    tos,
                    ttl,
                    local.port().to_be(),
                    remote.port().to_be(),
                )
            };
        }
        _ => {}
    }
    // SAFETY: disabled above.
    unsafe { bindings::local_bh_enable() };
}

/// "Don't fragment" in the fragment field of an IPv4 header.
const IP_DF: u16 = 0x4000;
