// SPDX-License-Identifier: GPL-2.0

//! UDP sockets of the kernel's own, below a protocol that travels in UDP.
//!
//! All users of the same network namespace, local address, port and device share one [`Tunnel`].
//! Datagrams are taken from the UDP socket's queue in its `sk_data_ready` callback and not by
//! `encap_rcv`: only so do batches (GRO) arrive whole.
//!
//! When its last user is gone a tunnel's UDP socket is closed in process context, by whoever gave up
//! the last share or by a work item. Its memory goes after an RCU grace period, for which nobody
//! waits: callbacks that have found the tunnel may still use it.
//!
//! C header: [`include/net/udp_tunnel.h`](srctree/include/net/udp_tunnel.h)

use core::{
    mem::{
        offset_of,
        ManuallyDrop, //
    },
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
    hash::Hasher,
    icmp::TooBig,
    netns::NetId,
    skb::SkBuff,
    sock::RawSock,
    udp_socket::{
        open,
        share_port, //
    },
    work::{
        init_rcu_work,
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

/// What a tunnel does with datagrams and messages about them. Softirq context.
pub trait Receiver: Sized + Clone + Send + Sync + 'static {
    /// A datagram, or a batch of them, arrived. The data begins at the UDP payload.
    fn receive(&self, tunnel: &Tunnel<Self>, skb: SkBuff);
    /// The network says that a packet was too big. Returns whether it was one that somebody here
    /// may have sent; else the kernel counts the message as an error.
    fn too_big(&self, tunnel: &Tunnel<Self>, message: &TooBig) -> bool;
}

/// What users of one tunnel have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    net: NetId,
    pub(super) addr: SocketAddr,
    pub(super) v6only: bool,
    pub(super) device: i32,
}

impl Key {
    /// Whether the tunnel of this key gets the datagrams of `other`: it is the same, or has the
    /// unspecified address.
    fn covers(&self, other: &Key) -> bool {
        self.neighbours(other)
            && self.device == other.device
            && (self == other || (self.addr.ip().is_unspecified() && self.spans(other)))
    }

    /// Whether the addresses of `other` are among those that the unspecified one stands for here.
    fn spans(&self, other: &Key) -> bool {
        match (self.addr.is_ipv6(), other.addr.is_ipv6()) {
            (true, true) => !self.v6only || other.v6only || !other.addr.ip().is_unspecified(),
            (true, false) => !self.v6only,
            (false, v6) => !v6,
        }
    }

    /// Whether both are of the same port and network namespace.
    fn neighbours(&self, other: &Key) -> bool {
        self.net == other.net && self.addr.port() == other.addr.port()
    }
}

/// A UDP socket of the kernel.
pub struct Tunnel<R: Receiver> {
    pub(super) key: Key,
    /// Valid until a grace period after the socket was closed.
    pub(super) sk: NonNull<bindings::sock>,
    pub(super) receiver: R,
    /// Frees the tunnel in the end.
    pub(super) free: Opaque<bindings::rcu_work>,
    /// Shares given out. Raised from 0 under the table's lock only.
    pub(super) users: Atomic<i32>,
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

    /// Whether users of no device take what comes by a VRF (`net.ipv4.udp_l3mdev_accept`).
    pub fn takes_vrfs(&self) -> bool {
        // SAFETY: a valid socket.
        unsafe { bindings::udp_takes_vrfs(self.raw().as_ptr()) }
    }

    /// The UDP socket, to send stateless answers through.
    pub fn raw(&self) -> &RawSock {
        // SAFETY: UDP frees its sockets a grace period after they are closed, as the tunnel is.
        unsafe { RawSock::from_ptr(self.sk.as_ptr()) }
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
        let this = ManuallyDrop::new(self);
        // SAFETY: read once, as `this` is not dropped.
        let owner = unsafe { core::ptr::read(&this.owner) };
        let place = owner.place(&this.key);
        // After this the tunnel may be gone.
        if this.users.fetch_sub(1, Full) == 1 {
            owner.release_unused(place);
        }
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

/// Buckets of the table. Nearly every tunnel has a port of its own, of which there are 65535.
const BUCKETS: usize = 1024;

/// Tunnels whose network namespace and port have one hash: those of all addresses of a port.
type Bucket<R> = Vec<KBox<Tunnel<R>>>;

/// All tunnels of the module.
///
/// Nobody waits for a grace period with the table locked: sockets of all users and namespaces are
/// bound and closed under this one lock.
#[pin_data]
pub struct Tunnels<R: Receiver> {
    hasher: Hasher,
    #[pin]
    table: Mutex<Vec<Bucket<R>>>,
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
        let mut buckets = Vec::try_with_capacity_in(BUCKETS, Gfp::KERNEL)?;
        for _ in 0..BUCKETS {
            buckets
                .push_within_capacity(Vec::new())
                .map_err(|_| ENOMEM)?;
        }
        Arc::pin_init(
            pin_init!(Self {
                hasher: Hasher::new(),
                table <- new_mutex!(buckets),
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
            v6only: addr.is_ipv6() && addr.ip().is_unspecified() && sk.v6only(),
            device: sk.device(),
        };
        let mut table = self.table.lock();
        let has_port = addr.port() != 0;
        let bucket = table.get(self.place(&key)).ok_or(EINVAL)?;
        if let Some(t) = bucket.iter().find(|t| has_port && t.key.covers(&key)) {
            return Ok(self.share(t));
        }
        // UDP would not let two sockets of one port be there whose addresses overlap. Here it does not
        // matter by which of them a datagram comes: its destination decides.
        let neighbours = || bucket.iter().filter(|t| has_port && t.key.neighbours(&key));
        let stands_beside = neighbours().next().is_some();
        neighbours().for_each(|t| share_port(t.raw(), true));
        let opened = open(sk, key, stands_beside, receiver);
        neighbours().for_each(|t| share_port(t.raw(), false));
        let t = opened?;
        let bucket = table.get_mut(self.place(&t.key)).ok_or(EINVAL)?;
        if bucket.try_reserve_in(1, Gfp::KERNEL).is_err() {
            self.close(t);
            return Err(ENOMEM);
        }
        let share = self.share(&t);
        bucket.push_within_capacity(t).map_err(|_| ENOMEM)?;
        Ok(share)
    }

    /// The bucket of a tunnel, which its port decides: wildcard addresses cover others.
    fn place(&self, key: &Key) -> usize {
        let [a, b, c, d, e, f, g, h] = key.net.to_bytes();
        let [high, low] = key.addr.port().to_be_bytes();
        let hash = self.hasher.hash(&[a, b, c, d, e, f, g, h, high, low]);
        // CAST: reduced modulo a small number.
        (hash % BUCKETS as u64) as usize
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

    /// Releases the tunnels of a bucket that nobody uses.
    fn release_unused(&self, place: usize) {
        let mut table = self.table.lock();
        let Some(bucket) = table.get_mut(place) else {
            return;
        };
        while let Some(at) = bucket.iter().position(|t| t.users.load(Acquire) == 0) {
            let Some(unused) = bucket.remove(at) else {
                return;
            };
            // Under the lock, so that whoever binds the port next finds it free.
            self.close(unused);
        }
    }

    /// Closes the UDP socket of a tunnel that is in no table any more, and lets the tunnel go when
    /// callbacks that have found it are over.
    fn close(&self, tunnel: KBox<Tunnel<R>>) {
        // SAFETY: a valid UDP socket; process context. Afterwards nobody finds the tunnel.
        unsafe { bindings::udp_sock_close(tunnel.sk.as_ptr()) };
        let tunnel = KBox::into_raw(tunnel);
        // SAFETY: valid, and ours alone but for readers who do not look at this field.
        let work = Opaque::cast_into(unsafe { &raw const (*tunnel).free });
        // SAFETY: in its final place, valid until it has run.
        unsafe { init_rcu_work(work, free_tunnel::<R>) };
        // SAFETY: as above; only this call queues it.
        unsafe { self.queue.queue_rcu(work) };
    }
}

/// Frees a tunnel.
///
/// # Safety
///
/// - `work` is the work item of a [`Tunnel`] that [`Tunnels::close`] has given away.
unsafe extern "C" fn free_tunnel<R: Receiver>(work: *mut bindings::work_struct) {
    let offset = offset_of!(Tunnel<R>, free) + offset_of!(bindings::rcu_work, work);
    let tunnel = work.cast::<u8>().wrapping_sub(offset).cast::<Tunnel<R>>();
    // SAFETY: given away by `close`; a grace period has passed since.
    drop(unsafe { KBox::from_raw(tunnel) });
}

/// Runs [`Tunnels::release_unused`] in process context.
///
/// # Safety
///
/// - `work` is the work item of [`Tunnels`] which [`Tunnels::sweep`] queued, with a reference.
unsafe extern "C" fn sweep_work<R: Receiver>(work: *mut bindings::work_struct) {
    let offset = offset_of!(Tunnels<R>, work);
    let this = work.cast::<u8>().wrapping_sub(offset).cast::<Tunnels<R>>();
    // SAFETY: the reference that `sweep` left with the work item.
    let this = unsafe { Arc::from_raw(this.cast_const()) };
    for place in 0..BUCKETS {
        this.release_unused(place);
    }
}
