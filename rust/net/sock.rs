// SPDX-License-Identifier: GPL-2.0

//! Sockets: references, the socket lock, and the protocol's own state.
//!
//! A [`Sock<P>`] is a `struct sock` made by the protocol `P` (see [`super::proto`]). Behind the C
//! part lies an [`Ext`], made in `proto.init` and dropped in `sk_destruct`: the protocol's state,
//! protected by the socket lock, and a part shared without it.
//!
//! The socket lock and its guards are in [`super::lock`].
//!
//! C header: [`include/net/sock.h`](srctree/include/net/sock.h)

use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::{
        offset_of,
        MaybeUninit, //
    },
    ptr::{
        self,
        NonNull, //
    },
};

use kernel::{
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::Opaque, //
};

pub use super::lock::{
    Bh,
    BhLock,
    Busy,
    Held,
    Owned, //
};
use crate::linux::{
    bindings,
    net::{
        addr::RawAddr,
        msg::MsgHdr,
        skb::SkBuff,
        sockopt::{
            OptIn,
            OptOut, //
        }, //
    },
};

/// A transport protocol: what its sockets hold and how they answer.
///
/// All calls with an [`Owned`] come from process context with the socket lock taken.
pub trait Protocol: Sized + Send + Sync + 'static {
    /// What the socket lock protects.
    type State: Send;
    /// What is used without the lock.
    type Shared: Send + Sync;
    /// What softirqs leave behind for the process that owns the lock.
    type Deferred: Send + Default;

    /// Level of its socket options, `SOL_…`.
    const LEVEL: i32;

    /// Makes the protocol's part of a new socket. Process context, nobody else sees the socket yet.
    fn init(sk: &RawSock) -> Result<(Self::State, Self::Shared)>;
    /// The last descriptor is gone. The caller drops the user's reference after this returns.
    fn close(sk: &mut Owned<'_, Self>);
    /// `bind(2)`.
    fn bind(sk: &mut Owned<'_, Self>, addr: RawAddr<'_>) -> Result;
    /// `connect(2)`.
    fn connect(sk: &mut Owned<'_, Self>, addr: RawAddr<'_>, flags: i32) -> Result;
    /// `listen(2)`.
    fn listen(sk: &mut Owned<'_, Self>, backlog: i32) -> Result;
    /// `accept(2)`: the socket of the new connection, not yet attached to a descriptor.
    fn accept(sk: &mut Owned<'_, Self>, kern: bool, nonblock: bool) -> Result<SockRef<Self>>;
    /// `getsockname(2)` and `getpeername(2)`: writes the address, returns its length.
    fn getname(sk: &mut Owned<'_, Self>, peer: bool) -> Result<super::addr::NameBuf>;
    /// The poll mask. Called without the lock.
    fn poll(sk: &Sock<Self>) -> u32;
    /// `ioctl(2)` of this protocol.
    fn ioctl(sk: &mut Owned<'_, Self>, cmd: u32) -> Result<i32>;
    /// `shutdown(2)`; `how` is one of `SHUT_RD`, `SHUT_WR`, `SHUT_RDWR`.
    fn shutdown(sk: &mut Owned<'_, Self>, how: i32) -> Result;
    /// `setsockopt(2)` at the protocol's own level. Called without the lock.
    fn setsockopt(sk: &Sock<Self>, name: i32, value: OptIn) -> Result;
    /// `getsockopt(2)` at the protocol's own level. Called without the lock.
    fn getsockopt(sk: &Sock<Self>, name: i32, value: OptOut) -> Result<i32>;
    /// `sendmsg(2)`.
    fn sendmsg(sk: &mut Owned<'_, Self>, msg: &mut MsgHdr<'_>, len: usize) -> Result<usize>;
    /// `recvmsg(2)`.
    fn recvmsg(
        sk: &mut Owned<'_, Self>,
        msg: &mut MsgHdr<'_>,
        len: usize,
        flags: i32,
    ) -> Result<usize>;
    /// A packet that waited in the backlog while a process owned the lock.
    fn backlog(sk: &mut Held<'_, Self>, skb: SkBuff);
    /// A process is about to give up the lock: work put off by softirqs meanwhile. Softirq rules.
    fn release(sk: &mut Held<'_, Self>, deferred: &mut Self::Deferred);
    /// The socket's timer expired. Softirq, lock taken.
    fn timer(sk: &mut Held<'_, Self>);
    /// The socket's timer expired while a process owned the lock; called under the spin lock.
    fn timer_deferred(sk: &Sock<Self>);
    /// Deferred work, in process context.
    fn work(sk: &mut Owned<'_, Self>);
}

/// A socket of which only the C part is used.
#[repr(transparent)]
pub struct RawSock(Opaque<bindings::sock>);

impl RawSock {
    /// # Safety
    ///
    /// `ptr` must be a valid socket for as long as the result is used.
    pub(super) unsafe fn from_ptr<'a>(ptr: *mut bindings::sock) -> &'a Self {
        // SAFETY: the type is transparent over `sock`, and the caller gives a valid one.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(in crate::linux) fn as_ptr(&self) -> *mut bindings::sock {
        self.0.get()
    }
}

/// A socket of protocol `P`.
///
/// # Invariants
///
/// The C object is a valid `struct sock` made through the `struct proto` of `P`, and its [`Ext`] is
/// initialised.
#[repr(transparent)]
pub struct Sock<P: Protocol> {
    raw: RawSock,
    _p: PhantomData<P>,
}

/// A counted reference to a socket.
pub type SockRef<P> = ARef<Sock<P>>;

// SAFETY: everything reachable without the lock is atomic or `Sync`; the state is `Send` and only
// reached through a guard of the lock.
unsafe impl<P: Protocol> Send for Sock<P> {}
// SAFETY: as above.
unsafe impl<P: Protocol> Sync for Sock<P> {}

// SAFETY: `sock_hold` and `sock_put` count the references of `struct sock`.
unsafe impl<P: Protocol> AlwaysRefCounted for Sock<P> {
    fn inc_ref(&self) {
        // SAFETY: valid by the type invariant; a shared reference means that the count is not 0.
        unsafe { bindings::sock_hold(self.as_ptr()) }
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: the caller gives up a reference that it owns.
        unsafe { bindings::sock_put(obj.as_ptr().cast()) }
    }
}

/// The protocol's part of a socket.
#[repr(C)]
pub(super) struct Ext<P: Protocol> {
    /// The destructor that the address family had set.
    pub(super) destruct: Option<unsafe extern "C" fn(*mut bindings::sock)>,
    pub(super) timer: Opaque<bindings::hrtimer>,
    /// When the timer fires, nanoseconds; `i64::MAX` if it is not armed. Under the lock.
    pub(super) armed: UnsafeCell<i64>,
    /// A reference is held for the timer. Under the lock.
    pub(super) timer_ref: UnsafeCell<bool>,
    /// What [`Held::settle_objects`] has charged, bytes. Under the lock.
    pub(super) objects: UnsafeCell<i32>,
    pub(super) work: Opaque<bindings::work_struct>,
    /// What [`Held::settle_rmem`] has put in the receive account, bytes. Under the lock.
    pub(super) rmem: UnsafeCell<i32>,
    pub(super) shared: P::Shared,
    /// Under the spin lock of the socket lock.
    pub(super) deferred: UnsafeCell<P::Deferred>,
    pub(super) state: UnsafeCell<P::State>,
}

/// Memory layout of an IPv4 socket of protocol `P`.
#[repr(C)]
pub(super) struct Layout4<P: Protocol> {
    inet: bindings::inet_sock,
    ext: MaybeUninit<Ext<P>>,
}

/// Memory layout of an IPv6 socket: the IPv4 one and the IPv6 part.
#[repr(C)]
pub(super) struct Layout6<P: Protocol> {
    base: Layout4<P>,
    np: bindings::ipv6_pinfo,
}

impl<P: Protocol> Layout6<P> {
    /// For `proto.ipv6_pinfo_offset`.
    pub(super) const PINFO: usize = offset_of!(Self, np);
}

impl<P: Protocol> Sock<P> {
    /// # Safety
    ///
    /// `ptr` must satisfy the type invariant for as long as the result is used.
    pub(super) unsafe fn from_ptr<'a>(ptr: *mut bindings::sock) -> &'a Self {
        // SAFETY: the type is transparent over `sock`; the rest is the caller's promise.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(in crate::linux) fn as_ptr(&self) -> *mut bindings::sock {
        self.raw.as_ptr()
    }

    /// The C part, for calls that do not depend on the protocol.
    pub fn raw(&self) -> &RawSock {
        &self.raw
    }

    /// Where the [`Ext`] of the socket at `ptr` is.
    pub(super) fn ext_ptr(ptr: *mut bindings::sock) -> *mut Ext<P> {
        ptr.cast::<u8>()
            .wrapping_add(offset_of!(Layout4<P>, ext))
            .cast()
    }

    /// The socket around an [`Ext`].
    ///
    /// # Safety
    ///
    /// `ext` must be the one of a socket that satisfies the type invariant.
    pub(super) unsafe fn from_ext<'a>(ext: *mut Ext<P>) -> &'a Self {
        let sk = ext.cast::<u8>().wrapping_sub(offset_of!(Layout4<P>, ext));
        // SAFETY: by the caller's promise.
        unsafe { Self::from_ptr(sk.cast()) }
    }

    pub(super) fn ext(&self) -> &Ext<P> {
        // SAFETY: initialised by the type invariant.
        unsafe { &*Self::ext_ptr(self.as_ptr()) }
    }

    /// What is used without the lock.
    pub fn shared(&self) -> &P::Shared {
        &self.ext().shared
    }

    /// A counted reference to this socket.
    pub fn to_ref(&self) -> SockRef<P> {
        self.into()
    }

    /// Whether both are the same socket.
    pub fn is(&self, other: &Self) -> bool {
        ptr::eq(self, other)
    }
}

/// Makes the [`Ext`] of a new socket and takes over its destructor.
///
/// # Safety
///
/// `sk` must be a new socket allocated through the `struct proto` of `P`, not yet visible to
/// anybody else.
pub(super) unsafe fn init<P: Protocol>(sk: *mut bindings::sock) -> Result {
    // SAFETY: a valid socket by the caller's promise.
    let (state, shared) = P::init(unsafe { RawSock::from_ptr(sk) })?;
    // SAFETY: the socket is ours alone.
    let destruct = unsafe { (*sk).sk_destruct };
    let ext = Sock::<P>::ext_ptr(sk);
    // SAFETY: `ext` points into the object, which has the size of `Layout4<P>` or `Layout6<P>`.
    unsafe {
        ext.write(Ext {
            destruct,
            timer: Opaque::uninit(),
            armed: UnsafeCell::new(i64::MAX),
            timer_ref: UnsafeCell::new(false),
            objects: UnsafeCell::new(0),
            work: Opaque::uninit(),
            rmem: UnsafeCell::new(0),
            shared,
            deferred: UnsafeCell::new(P::Deferred::default()),
            state: UnsafeCell::new(state),
        })
    };
    // SAFETY: the `Ext` stays where it is until the socket is freed.
    unsafe { super::timer::setup::<P>(ext) };
    // SAFETY: as above.
    unsafe { super::work::setup_sock::<P>(ext) };
    // SAFETY: the socket is ours alone.
    unsafe { (*sk).sk_destruct = Some(destruct_callback::<P>) };
    // SAFETY: as above; `sock_init_data()` was called by the family, or for the child of a listener.
    unsafe { super::wake::set_callbacks(sk) };
    // SAFETY: a valid socket; undone by the destructor.
    unsafe { bindings::count_sock(sk) };
    Ok(())
}

/// # Safety
///
/// Only for `sk_destruct` of a socket that [`init`] prepared.
unsafe extern "C" fn destruct_callback<P: Protocol>(sk: *mut bindings::sock) {
    let ext = Sock::<P>::ext_ptr(sk);
    // SAFETY: initialised by `init`; this is the last user.
    let destruct = unsafe { (*ext).destruct };
    // SAFETY: as above.
    let mut held = Held::new(unsafe { Sock::<P>::from_ptr(sk) });
    held.settle_rmem(0);
    held.settle_wmem(0);
    held.sk().raw().set_state(super::inet::CLOSE);
    // SAFETY: as above; nothing uses it afterwards.
    unsafe { ptr::drop_in_place(ext) };
    // SAFETY: a valid socket; counted by `init`.
    unsafe { bindings::uncount_sock(sk) };
    if let Some(destruct) = destruct {
        // SAFETY: the destructor that the family had set for this socket.
        unsafe { destruct(sk) };
    }
}
