// SPDX-License-Identifier: GPL-2.0

//! UDP sockets of the kernel's own, below a protocol that travels in UDP.
//!
//! All users of the same network namespace, local address, port and device share one [`Tunnel`].
//! Datagrams are taken from the UDP socket's queue in its `sk_data_ready` callback and not by
//! `encap_rcv`: only so do batches (GRO) arrive whole.
//!
//! A tunnel is released in process context, by a work item, when its last user is gone. Datagrams
//! may be delivered until then; afterwards an RCU grace period has passed.
//!
//! C header: [`include/net/udp_tunnel.h`](srctree/include/net/udp_tunnel.h)

use core::{
    net::SocketAddr,
    ops::Deref,
    ptr::NonNull, //
};

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    types::Opaque, //
};

use super::{
    addr::{
        be32,
        AF_INET,
        AF_INET6, //
    },
    inet::check,
    netns::NetId,
    skb::SkBuff,
    sock::RawSock,
    work::{
        init_work,
        Queue, //
    }, //
};
use crate::{
    linux::bindings,
    mem::{
        Gfp,
        Vec, //
    }, //
};

/// Any number other than those of `UDP_ENCAP_…`: errors shall be offered to us, packets not.
const ENCAP_TYPE: u8 = 0x51;
/// Receive queue, bytes. It is emptied at once; this only has to hold one burst.
const RCVBUF: i32 = 4 << 20;

/// What a tunnel does with datagrams. Softirq context.
pub trait Receiver: Sized + Clone + Send + Sync + 'static {
    /// A datagram, or a batch of them, arrived. The data begins at the UDP payload.
    fn receive(&self, tunnel: &Tunnel<Self>, skb: SkBuff);
}

/// What users of one tunnel have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    net: NetId,
    addr: SocketAddr,
    v6only: bool,
    device: i32,
}

impl Key {
    /// Whether the tunnel of this key gets the datagrams of `other`: it is the same, or has the
    /// unspecified address. UDP would not let both be there.
    fn covers(&self, other: &Key) -> bool {
        let is_alike = self.net == other.net
            && self.device == other.device
            && self.addr.port() == other.addr.port();
        let is_above = self.addr.ip().is_unspecified()
            && !other.addr.ip().is_unspecified()
            && (self.addr.is_ipv4() == other.addr.is_ipv4()
                || (self.addr.is_ipv6() && !self.v6only));
        self == other || (is_alike && is_above)
    }
}

/// A UDP socket of the kernel.
pub struct Tunnel<R: Receiver> {
    key: Key,
    socket: NonNull<bindings::socket>,
    receiver: R,
    /// Shares given out. Raised from 0 under the table's lock only.
    users: Atomic<i32>,
}

// SAFETY: the socket is used under its own locks only.
unsafe impl<R: Receiver> Send for Tunnel<R> {}
// SAFETY: as above.
unsafe impl<R: Receiver> Sync for Tunnel<R> {}

impl<R: Receiver> Tunnel<R> {
    /// The network namespace.
    pub fn net(&self) -> NetId {
        self.key.net
    }

    /// The local address, with its port.
    pub fn addr(&self) -> SocketAddr {
        self.key.addr
    }

    /// The device it is bound to, 0 for none.
    pub fn device(&self) -> i32 {
        self.key.device
    }

    /// The UDP socket, to send stateless answers through.
    pub fn raw(&self) -> &RawSock {
        // SAFETY: the socket lives as long as the tunnel.
        unsafe { RawSock::from_ptr((*self.socket.as_ptr()).sk.cast()) }
    }
}

/// A user's share of a tunnel.
///
/// # Invariants
///
/// `tunnel` is valid: `Tunnels` keeps it while `users`, in which this share is counted, is not 0.
pub struct TunnelRef<R: Receiver> {
    tunnel: NonNull<Tunnel<R>>,
    owner: Arc<Tunnels<R>>,
}

// SAFETY: a counted reference to something `Send` and `Sync`.
unsafe impl<R: Receiver> Send for TunnelRef<R> {}
// SAFETY: as above.
unsafe impl<R: Receiver> Sync for TunnelRef<R> {}

impl<R: Receiver> Deref for TunnelRef<R> {
    type Target = Tunnel<R>;

    fn deref(&self) -> &Tunnel<R> {
        // SAFETY: valid by the type invariant.
        unsafe { self.tunnel.as_ref() }
    }
}

impl<R: Receiver> Clone for TunnelRef<R> {
    fn clone(&self) -> Self {
        self.users.fetch_add(1, Relaxed);
        Self {
            tunnel: self.tunnel,
            owner: self.owner.clone(),
        }
    }
}

impl<R: Receiver> TunnelRef<R> {
    /// Gives the share up; if it was the last one the port is free on return. Process context.
    pub fn release(self) {
        let owner = self.owner.clone();
        drop(self);
        owner.release_unused();
    }
}

impl<R: Receiver> Drop for TunnelRef<R> {
    fn drop(&mut self) {
        // Any context. After this the tunnel may be gone.
        if self.users.fetch_sub(1, Full) == 1 {
            self.owner.sweep();
        }
    }
}

/// All tunnels of the module.
#[pin_data]
pub struct Tunnels<R: Receiver> {
    #[pin]
    table: Mutex<Vec<KBox<Tunnel<R>>>>,
    #[pin]
    work: Opaque<bindings::work_struct>,
    queue: Arc<Queue>,
}

// SAFETY: the work item is used by the workqueue's own rules; the rest is `Send`.
unsafe impl<R: Receiver> Send for Tunnels<R> {}
// SAFETY: as above.
unsafe impl<R: Receiver> Sync for Tunnels<R> {}

impl<R: Receiver> Tunnels<R> {
    /// No tunnels yet. Releases run in `queue`.
    pub fn new(queue: Arc<Queue>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                table <- new_mutex!(Vec::new()),
                // SAFETY: in its final place, as the structure is pinned.
                work <- Opaque::ffi_init(|work| unsafe { init_work(work, sweep_work::<R>) }),
                queue,
            }),
            GFP_KERNEL,
        )
    }

    /// The tunnel for `addr`, shared or new; port 0 picks a free one. Sleeps.
    ///
    /// Errors are those of binding a UDP socket.
    pub fn bind(
        self: &Arc<Self>,
        sk: &RawSock,
        addr: SocketAddr,
        receiver: R,
    ) -> Result<TunnelRef<R>> {
        let key = Key {
            net: sk.net().id(),
            addr,
            v6only: addr.is_ipv6() && sk.v6only(),
            device: sk.device(),
        };
        let mut table = self.table.lock();
        let found = table
            .iter()
            .find(|t| addr.port() != 0 && t.key.covers(&key));
        if let Some(t) = found {
            return Ok(self.share(t));
        }
        table.try_reserve_in(1, Gfp::KERNEL)?;
        let t = open(sk, key, receiver)?;
        let share = self.share(&t);
        // Reserved above; the lock was held since.
        table.push_within_capacity(t).map_err(|_| ENOMEM)?;
        Ok(share)
    }

    /// The caller holds the table's lock.
    fn share(self: &Arc<Self>, tunnel: &KBox<Tunnel<R>>) -> TunnelRef<R> {
        tunnel.users.fetch_add(1, Relaxed);
        TunnelRef {
            tunnel: NonNull::from(&**tunnel),
            owner: self.clone(),
        }
    }

    /// Lets unused tunnels be released soon. Any context.
    fn sweep(self: &Arc<Self>) {
        let this = Arc::into_raw(self.clone());
        // SAFETY: initialised; kept valid by the reference just taken.
        if !unsafe { self.queue.queue(self.work.get()) } {
            // SAFETY: the reference from above.
            drop(unsafe { Arc::from_raw(this) });
        }
    }

    fn release_unused(&self) {
        loop {
            let mut table = self.table.lock();
            let Some(at) = table.iter().position(|t| t.users.load(Acquire) == 0) else {
                return;
            };
            let Some(unused) = table.remove(at) else {
                return;
            };
            // Under the lock, so that whoever binds the port next finds it free.
            // SAFETY: a valid UDP socket; process context. Afterwards nobody finds the tunnel.
            unsafe { bindings::udp_tunnel_sock_release(unused.raw().as_ptr()) };
            drop(table);
            // Callbacks that found it before are over after a grace period.
            // SAFETY: process context.
            unsafe { bindings::synchronize_rcu() };
            drop(unused);
        }
    }
}

/// Runs [`Tunnels::release_unused`] in process context.
///
/// # Safety
///
/// - `work` is the work item of [`Tunnels`] which [`Tunnels::sweep`] queued, with a reference.
unsafe extern "C" fn sweep_work<R: Receiver>(work: *mut bindings::work_struct) {
    let offset = core::mem::offset_of!(Tunnels<R>, work);
    let this = work.cast::<u8>().wrapping_sub(offset).cast::<Tunnels<R>>();
    // SAFETY: the reference that `sweep` left with the work item.
    let this = unsafe { Arc::from_raw(this.cast_const()) };
    this.release_unused();
}

#[expect(
    clippy::field_reassign_with_default,
    reason = "bit fields have setters only"
)]
fn open<R: Receiver>(sk: &RawSock, mut key: Key, receiver: R) -> Result<KBox<Tunnel<R>>> {
    let mut cfg = bindings::udp_port_cfg::default();
    cfg.bind_ifindex = key.device;
    cfg.local_udp_port = key.addr.port().to_be();
    cfg.set_use_udp_checksums(1);
    cfg.set_use_udp6_tx_checksums(1);
    cfg.set_use_udp6_rx_checksums(1);
    cfg.set_ipv6_v6only(u32::from(key.v6only));
    let net = sk.net().as_ptr();
    let mut socket = core::ptr::null_mut();
    match key.addr {
        SocketAddr::V4(addr) => {
            cfg.family = AF_INET as u8;
            cfg.__bindgen_anon_1.bindgen_union_field = [be32(addr.ip()), 0, 0, 0];
            // SAFETY: a valid namespace; `cfg` is read, `socket` written.
            check(unsafe { bindings::udp_sock_create4(net, &mut cfg, &mut socket) })?;
        }
        SocketAddr::V6(addr) => {
            cfg.family = AF_INET6 as u8;
            cfg.__bindgen_anon_1.bindgen_union_field = words(&addr.ip().octets());
            if addr.scope_id() != 0 {
                cfg.bind_ifindex = i32::try_from(addr.scope_id()).map_err(|_| EINVAL)?;
            }
            // SAFETY: as above.
            check(unsafe { bindings::udp_sock_create6(net, &mut cfg, &mut socket) })?;
        }
    }
    let socket = NonNull::new(socket).ok_or(ENOMEM)?;
    // SAFETY: a new kernel socket.
    let usk: *mut bindings::sock = unsafe { (*socket.as_ptr()).sk.cast() };
    // SAFETY: a valid UDP socket.
    key.addr.set_port(unsafe { bindings::inet_num(usk) });
    let tunnel = KBox::new(
        Tunnel {
            key,
            socket,
            receiver,
            users: Atomic::new(0),
        },
        GFP_KERNEL,
    );
    let Ok(tunnel) = tunnel else {
        // SAFETY: ours, and nobody knows it.
        unsafe { bindings::udp_tunnel_sock_release(usk) };
        return Err(ENOMEM);
    };
    set_up::<R>(net, usk, &tunnel);
    Ok(tunnel)
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
        ..Default::default()
    };
    // SAFETY: a valid UDP socket of ours; `cfg` is read only.
    unsafe { bindings::setup_udp_tunnel_sock(net, usk, &mut cfg) };
    // SAFETY: as above.
    unsafe { bindings::udp_accept_batches(usk) };
    // Nothing in a message of ICMP proves that it is about a packet of this host, and a route that
    // believes one would keep all packets back. QUIC finds out by itself what the path carries.
    // SAFETY: as above.
    unsafe { bindings::udp_ignore_pmtu(usk) };
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
