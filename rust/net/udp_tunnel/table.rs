// SPDX-License-Identifier: GPL-2.0

//! All tunnels of the module: how they are found and shared, and how they end.
//!
//! When its last user is gone a tunnel's UDP socket is closed in process context, by whoever gave up
//! the last share or by a work item. Its memory goes after an RCU grace period, for which nobody
//! waits: callbacks that have found the tunnel may still use it.

use core::{
    mem::offset_of,
    net::SocketAddr,
    ptr::NonNull, //
};

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    types::Opaque, //
};

use super::{
    Key,
    Receiver,
    Tunnel,
    TunnelRef, //
};
use crate::{
    linux::{
        bindings,
        net::{
            hash::Hasher,
            sock::RawSock,
            udp_socket::{
                open,
                share_port, //
            },
            work::{
                init_rcu_work,
                init_work,
                Queue, //
            },
        },
    },
    mem::{
        Gfp,
        Vec, //
    },
};

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
    pub(super) fn place(&self, key: &Key) -> usize {
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
    pub(super) fn sweep(self: &Arc<Self>) {
        let this = Arc::into_raw(self.clone());
        // SAFETY: initialised; kept valid by the reference just taken.
        if !unsafe { self.queue.queue(self.work.get()) } {
            // SAFETY: the reference from above.
            drop(unsafe { Arc::from_raw(this) });
        }
    }

    /// Releases the tunnels of a bucket that nobody uses.
    pub(super) fn release_unused(&self, place: usize) {
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
