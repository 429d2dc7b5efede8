// SPDX-License-Identifier: GPL-2.0

//! The UDP socket of a tunnel: how it is made, and how its queue is emptied.
//!
//! C header: [`include/net/udp_tunnel.h`](srctree/include/net/udp_tunnel.h)

use core::{
    net::SocketAddr,
    ptr::NonNull, //
};

use kernel::{
    prelude::*,
    sync::atomic::Atomic,
    types::Opaque, //
};

use super::{
    addr::{
        be32,
        AF_INET,
        AF_INET6, //
    },
    icmp::TooBig,
    inet::check,
    skb::SkBuff,
    sock::RawSock,
    udp_tunnel::{
        Key,
        Receiver,
        Tunnel, //
    }, //
};
use crate::linux::bindings;

/// Any number other than those of `UDP_ENCAP_…`: errors shall be offered to us, packets not.
const ENCAP_TYPE: u8 = 0x51;
/// Receive queue, bytes. It is emptied at once; this only has to hold one burst.
const RCVBUF: i32 = 4 << 20;

#[expect(
    clippy::field_reassign_with_default,
    reason = "bit fields have setters only"
)]
/// Makes and binds the UDP socket of a tunnel; port 0 picks a free one. `stands_beside` lets others have
/// the port too for which [`share_port`] was called. Sleeps.
pub(super) fn open<R: Receiver>(
    sk: &RawSock,
    mut key: Key,
    stands_beside: bool,
    receiver: R,
) -> Result<KBox<Tunnel<R>>> {
    let mut cfg = bindings::udp_port_cfg::default();
    cfg.bind_ifindex = key.device;
    cfg.local_udp_port = key.addr.port().to_be();
    cfg.set_ipv6_v6only(u32::from(key.v6only));
    let net = sk.net().as_ptr();
    let mut socket = core::ptr::null_mut();
    match key.addr {
        SocketAddr::V4(addr) => {
            cfg.family = AF_INET as u8;
            cfg.__bindgen_anon_1.bindgen_union_field = [be32(addr.ip()), 0, 0, 0];
        }
        SocketAddr::V6(addr) => {
            cfg.family = AF_INET6 as u8;
            cfg.__bindgen_anon_1.bindgen_union_field = words(&addr.ip().octets());
            if addr.scope_id() != 0 {
                cfg.bind_ifindex = i32::try_from(addr.scope_id()).map_err(|_| EINVAL)?;
            }
        }
    }
    // SAFETY: a valid namespace; `cfg` is read, `socket` written.
    check(unsafe { bindings::udp_create(net, &cfg, stands_beside, &mut socket) })?;
    let socket = NonNull::new(socket).ok_or(ENOMEM)?;
    // SAFETY: a new kernel socket.
    let sk = NonNull::new(unsafe { (*socket.as_ptr()).sk.cast::<bindings::sock>() });
    let sk = sk.ok_or(ENOMEM)?;
    let usk = sk.as_ptr();
    // SAFETY: a valid UDP socket.
    key.addr.set_port(unsafe { bindings::inet_num(usk) });
    let tunnel = KBox::new(
        Tunnel {
            key,
            sk,
            receiver,
            free: Opaque::uninit(),
            users: Atomic::new(0),
        },
        GFP_KERNEL,
    );
    let Ok(tunnel) = tunnel else {
        // SAFETY: ours, and nobody knows it.
        unsafe { bindings::udp_sock_close(usk) };
        return Err(ENOMEM);
    };
    set_up::<R>(net, usk, &tunnel);
    Ok(tunnel)
}

/// Lets a socket made by [`open`] stand beside it on one port, or no longer. Whoever opens one holds
/// the lock of all tunnels.
pub(super) fn share_port(usk: &RawSock, yes: bool) {
    // SAFETY: a valid UDP socket of ours; nobody else changes what this does.
    unsafe { bindings::udp_share_port(usk.as_ptr(), yes) };
}

/// The bytes of an address as the 32-bit words of C's union.
fn words(bytes: &[u8; 16]) -> [u32; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = bytes.first_chunk().map_or(0, |b| u32::from_ne_bytes(*b));
    }
    words
}

fn set_up<R: Receiver>(net: *mut bindings::net, usk: *mut bindings::sock, tunnel: &Tunnel<R>) {
    let mut cfg = bindings::udp_tunnel_sock_cfg {
        sk_user_data: core::ptr::from_ref(tunnel).cast_mut().cast(),
        encap_type: ENCAP_TYPE,
        encap_err_lookup: Some(err_lookup::<R>),
        ..Default::default()
    };
    // SAFETY: a valid UDP socket of ours; `cfg` is read only.
    unsafe { bindings::setup_udp_tunnel_sock(net, usk, &mut cfg) };
    // SAFETY: as above.
    unsafe { bindings::udp_accept_batches(usk) };
    // Nothing in a message of ICMP proves that it is about a packet of this host, and a route that
    // believes one would keep all packets back. What it says goes to the connection alone, which
    // can tell a forged one, and finds out by itself what the path carries.
    // SAFETY: as above.
    unsafe { bindings::udp_ignore_pmtu(usk) };
    // The queue is emptied in softirq, where nobody may poll a device (net.core.busy_read).
    // SAFETY: as above.
    unsafe { bindings::sk_no_busy_poll(usk) };
    // SAFETY: as above; read without a lock elsewhere.
    unsafe { (&raw mut (*usk).sk_rcvbuf).write_volatile(RCVBUF) };
    // SAFETY: as above.
    unsafe { (&raw mut (*usk).sk_data_ready).write_volatile(Some(data_ready::<R>)) };
}

/// # Safety
///
/// Only for `sk_data_ready` of the UDP sockets that [`open`] makes.
unsafe extern "C" fn data_ready<R: Receiver>(usk: *mut bindings::sock) {
    // SAFETY: no precondition.
    unsafe { bindings::rcu_read_lock() };
    // SAFETY: a valid socket, within an RCU read section.
    let tunnel = unsafe { bindings::sk_user_data(usk) }.cast::<Tunnel<R>>();
    if !tunnel.is_null() {
        // SAFETY: set by `set_up`; freed a grace period after it is taken away.
        let tunnel = unsafe { &*tunnel };
        while let Some(skb) = next_skb(usk) {
            tunnel.receiver.receive(tunnel, skb);
        }
    }
    // SAFETY: taken above.
    unsafe { bindings::rcu_read_unlock() };
}

/// Shows a message of ICMP about a packet of the socket to its receiver. Other messages than those
/// about packets too big are not for anybody: a connection does not end because of one.
///
/// # Safety
///
/// Only for `encap_err_lookup` of the UDP sockets that [`open`] makes.
unsafe extern "C" fn err_lookup<R: Receiver>(
    usk: *mut bindings::sock,
    skb: *mut bindings::sk_buff,
) -> i32 {
    // SAFETY: a valid socket; the UDP layer is within an RCU read section.
    let tunnel = unsafe { bindings::sk_user_data(usk) }.cast::<Tunnel<R>>();
    let (Some(tunnel), Some(skb)) = (NonNull::new(tunnel), NonNull::new(skb)) else {
        return 0;
    };
    // SAFETY: the buffer that the callback got.
    let Some(message) = (unsafe { TooBig::read(skb) }) else {
        return 0;
    };
    // SAFETY: set by `set_up`; freed a grace period after it is taken away.
    let tunnel = unsafe { tunnel.as_ref() };
    if tunnel.receiver.too_big(tunnel, &message) {
        0
    } else {
        ENOENT.to_errno()
    }
}

/// Takes the next datagram with a good checksum out of the queue.
fn next_skb(usk: *mut bindings::sock) -> Option<SkBuff> {
    loop {
        let (mut off, mut err) = (0, 0);
        // SAFETY: a valid UDP socket; does not wait.
        let skb =
            unsafe { bindings::__skb_recv_udp(usk, bindings::MSG_DONTWAIT, &mut off, &mut err) };
        // SAFETY: the queue's reference passes to us.
        let skb = unsafe { SkBuff::from_raw(NonNull::new(skb)?) };
        // The UDP layer keeps notes in the place of the device pointer.
        // SAFETY: ours alone.
        unsafe { bindings::skb_clear_dev(skb.as_ptr()) };
        // SAFETY: as above.
        unsafe { bindings::skb_orphan(skb.as_ptr()) };
        // SAFETY: as above.
        unsafe { bindings::skb_dst_drop(skb.as_ptr()) };
        // SAFETY: as above.
        if !unsafe { bindings::skb_csum_bad(skb.as_ptr()) } {
            return Some(skb);
        }
        skb.drop_reason(bindings::skb_drop_reason_SKB_DROP_REASON_UDP_CSUM);
    }
}
