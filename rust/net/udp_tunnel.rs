// SPDX-License-Identifier: GPL-2.0

//! UDP sockets of the kernel's own, below a protocol that travels in UDP.
//!
//! All users of the same network namespace, local address, port and device share one [`Tunnel`].
//! Datagrams are taken from the UDP socket's queue in its `sk_data_ready` callback and not by
//! `encap_rcv`: only so do batches (GRO) arrive whole.
//!
//! C header: [`include/net/udp_tunnel.h`](srctree/include/net/udp_tunnel.h)

mod table;

pub use table::Tunnels;

use core::{
    mem::ManuallyDrop,
    net::SocketAddr,
    ops::Deref,
    ptr::NonNull, //
};

use kernel::{
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc, //
    },
    types::Opaque, //
};

use super::{
    icmp::TooBig,
    netns::NetId,
    skb::SkBuff,
    sock::RawSock, //
};
use crate::linux::bindings;

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
