// SPDX-License-Identifier: GPL-2.0

//! The socket lock.
//!
//! It is had in two ways. [`Owned`] is process context: its holder may sleep, and softirqs queue
//! their packets to the backlog meanwhile. [`Bh`] is softirq context, possible only while no process
//! owns the lock. Both dereference to [`Held`], which gives access to the protocol's state.
//!
//! C header: [`include/net/sock.h`](srctree/include/net/sock.h)

use core::ops::{
    Deref,
    DerefMut, //
};

use kernel::types::NotThreadSafe;

use super::{
    skb::SkBuff,
    sock::{
        Protocol,
        Sock, //
    }, //
};
use crate::linux::bindings;

/// The class of a lock taken within another of the same kind, for lockdep.
const SINGLE_DEPTH_NESTING: i32 = 1;

impl<P: Protocol> Sock<P> {
    /// Takes the socket lock in process context. Sleeps.
    pub fn lock(&self) -> Owned<'_, P> {
        // SAFETY: a valid socket; the callers are in process context by the contract of this type.
        unsafe { bindings::lock_sock(self.as_ptr()) };
        Owned(Held::new(self))
    }

    /// Takes the lock of a socket made by this call, while that of its listener is held. Sleeps.
    pub fn lock_child(&self) -> Owned<'_, P> {
        // SAFETY: a valid socket; process context as for `lock`.
        unsafe { bindings::lock_sock_nested(self.as_ptr(), SINGLE_DEPTH_NESTING) };
        Owned(Held::new(self))
    }

    /// Takes the spin lock of the socket lock, with softirqs off: in one, or from a backlog.
    pub fn lock_bh(&self) -> BhLock<'_, P> {
        // SAFETY: a valid socket.
        unsafe { bindings::bh_lock_sock(self.as_ptr()) };
        // SAFETY: a valid socket whose spin lock is held.
        if unsafe { bindings::sock_owned_by_user(self.as_ptr()) } {
            BhLock::Busy(Busy(self, NotThreadSafe))
        } else {
            BhLock::Free(Bh(Held::new(self)))
        }
    }
}

/// The socket lock is held, in whichever way.
pub struct Held<'a, P: Protocol> {
    sk: &'a Sock<P>,
    _not_send: NotThreadSafe,
}

impl<'a, P: Protocol> Held<'a, P> {
    /// The caller holds the lock, and no other `Held` of this socket is in use.
    pub(super) fn new(sk: &'a Sock<P>) -> Self {
        Self {
            sk,
            _not_send: NotThreadSafe,
        }
    }

    /// The socket.
    pub fn sk(&self) -> &'a Sock<P> {
        self.sk
    }
}

impl<P: Protocol> Deref for Held<'_, P> {
    type Target = P::State;

    fn deref(&self) -> &P::State {
        // SAFETY: the lock is held, and `self` is its only guard.
        unsafe { &*self.sk.ext().state.get() }
    }
}

impl<P: Protocol> DerefMut for Held<'_, P> {
    fn deref_mut(&mut self) -> &mut P::State {
        // SAFETY: the lock is held, and `self` is its only guard.
        unsafe { &mut *self.sk.ext().state.get() }
    }
}

/// The socket lock taken by a process. Released on drop.
#[must_use]
pub struct Owned<'a, P: Protocol>(pub(super) Held<'a, P>);

impl<'a, P: Protocol> Deref for Owned<'a, P> {
    type Target = Held<'a, P>;

    fn deref(&self) -> &Held<'a, P> {
        &self.0
    }
}

impl<P: Protocol> DerefMut for Owned<'_, P> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<P: Protocol> Drop for Owned<'_, P> {
    fn drop(&mut self) {
        // SAFETY: taken by `lock_sock`.
        unsafe { bindings::release_sock(self.0.sk.as_ptr()) };
    }
}

/// What a softirq finds at the socket lock.
pub enum BhLock<'a, P: Protocol> {
    /// Free: the state may be used.
    Free(Bh<'a, P>),
    /// A process owns it: leave the work behind.
    Busy(Busy<'a, P>),
}

/// The socket lock taken by a softirq. Released on drop.
#[must_use]
pub struct Bh<'a, P: Protocol>(Held<'a, P>);

impl<'a, P: Protocol> Deref for Bh<'a, P> {
    type Target = Held<'a, P>;

    fn deref(&self) -> &Held<'a, P> {
        &self.0
    }
}

impl<P: Protocol> DerefMut for Bh<'_, P> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<P: Protocol> Drop for Bh<'_, P> {
    fn drop(&mut self) {
        // SAFETY: taken by `bh_lock_sock`.
        unsafe { bindings::bh_unlock_sock(self.0.sk.as_ptr()) };
    }
}

/// The spin lock of the socket lock, while a process owns the socket. Released on drop.
#[must_use]
pub struct Busy<'a, P: Protocol>(&'a Sock<P>, NotThreadSafe);

impl<P: Protocol> Busy<'_, P> {
    /// What the owner will find when it gives up the lock.
    pub fn deferred(&mut self) -> &mut P::Deferred {
        // SAFETY: protected by the spin lock, which is held, and `self` is its only guard.
        unsafe { &mut *self.0.ext().deferred.get() }
    }

    /// Queues a packet for the owner. Gives it back when more than `limit` bytes wait already.
    pub fn add_backlog(&self, skb: SkBuff, limit: u32) -> Result<(), SkBuff> {
        let ptr = skb.into_raw();
        // SAFETY: the spin lock is held and a process owns the socket; `ptr` is ours to give away.
        if unsafe { bindings::sk_add_backlog(self.0.as_ptr(), ptr.as_ptr(), limit) } == 0 {
            Ok(())
        } else {
            // SAFETY: a refused packet stays ours.
            Err(unsafe { SkBuff::from_raw(ptr) })
        }
    }
}

impl<P: Protocol> Drop for Busy<'_, P> {
    fn drop(&mut self) {
        // SAFETY: taken by `bh_lock_sock`.
        unsafe { bindings::bh_unlock_sock(self.0.as_ptr()) };
    }
}
