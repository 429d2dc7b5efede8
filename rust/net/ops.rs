// SPDX-License-Identifier: GPL-2.0

//! System calls on sockets: `struct proto_ops`. The callbacks of `struct proto`, to which some
//! of them lead, are in [`super::calls`].
//!
//! Each callback turns C arguments into safe types, takes the socket lock where the protocol wants
//! it taken, calls the [`Protocol`], and turns the result into an errno.
//!
//! C header: [`include/linux/net.h`](srctree/include/linux/net.h)

use core::{
    mem::zeroed,
    ptr,
    slice, //
};

use kernel::{
    error::from_result,
    prelude::*,
    ThisModule, //
};

use super::{
    addr::RawAddr,
    calls::{
        accept_sock,
        recvmsg_sock, //
    },
    sock::{
        Protocol,
        Sock, //
    }, //
};
use crate::linux::bindings;

/// The table for one address family.
pub(super) fn table<P: Protocol>(module: &'static ThisModule, family: u32) -> bindings::proto_ops {
    // SAFETY: all fields are pointers, integers and optional functions: zero is valid.
    let mut ops: bindings::proto_ops = unsafe { zeroed() };
    let v6 = family == bindings::AF_INET6;
    // CAST: a small constant.
    ops.family = family as i32;
    ops.owner = module.as_ptr();
    ops.release = Some(if v6 {
        bindings::inet6_release
    } else {
        bindings::inet_release
    });
    ops.bind = Some(bind::<P>);
    ops.connect = Some(connect::<P>);
    ops.socketpair = Some(bindings::sock_no_socketpair);
    ops.accept = Some(accept::<P>);
    ops.getname = Some(getname::<P>);
    ops.poll = Some(poll::<P>);
    ops.ioctl = Some(if v6 {
        bindings::inet6_ioctl
    } else {
        bindings::inet_ioctl
    });
    ops.gettstamp = Some(bindings::sock_gettstamp);
    ops.listen = Some(listen::<P>);
    ops.shutdown = Some(shutdown::<P>);
    ops.setsockopt = Some(bindings::sock_common_setsockopt);
    ops.getsockopt = Some(bindings::sock_common_getsockopt);
    ops.sendmsg = Some(bindings::inet_sendmsg);
    ops.recvmsg = Some(recvmsg::<P>);
    ops.mmap = Some(bindings::sock_no_mmap);
    ops
}

/// # Safety
///
/// `sock` must be a socket of protocol `P` with its `sk` set.
unsafe fn sock_of<'a, P: Protocol>(sock: *mut bindings::socket) -> &'a Sock<P> {
    // SAFETY: by the caller's promise.
    unsafe { Sock::from_ptr((*sock).sk.cast()) }
}

/// # Safety
///
/// `addr` must have `len` readable bytes if `len` is positive.
unsafe fn raw_addr<'a>(addr: *const bindings::sockaddr_unsized, len: i32) -> RawAddr<'a> {
    let len = usize::try_from(len).unwrap_or(0);
    // SAFETY: by the caller's promise.
    RawAddr(unsafe { slice::from_raw_parts(addr.cast::<u8>(), len) })
}

/// `proto_ops.bind`.
///
/// # Safety
///
/// - Called by the socket layer with a socket of this protocol and its own arguments.
unsafe extern "C" fn bind<P: Protocol>(
    sock: *mut bindings::socket,
    addr: *mut bindings::sockaddr_unsized,
    len: i32,
) -> i32 {
    from_result(|| {
        // SAFETY: the socket layer calls with a socket of this protocol.
        let sk = unsafe { sock_of::<P>(sock) };
        // SAFETY: the socket layer copied `len` bytes.
        let addr = unsafe { raw_addr(addr, len) };
        P::bind(&mut sk.lock(), addr)?;
        Ok(0)
    })
}

/// `proto_ops.connect`.
///
/// # Safety
///
/// - Called by the socket layer with a socket of this protocol and its own arguments.
unsafe extern "C" fn connect<P: Protocol>(
    sock: *mut bindings::socket,
    addr: *mut bindings::sockaddr_unsized,
    len: i32,
    flags: i32,
) -> i32 {
    from_result(|| {
        // SAFETY: the socket layer calls with a socket of this protocol.
        let sk = unsafe { sock_of::<P>(sock) };
        // SAFETY: the socket layer copied `len` bytes.
        let addr = unsafe { raw_addr(addr, len) };
        let mut owned = sk.lock();
        P::connect(&mut owned, addr, flags)?;
        // SAFETY: a valid socket, lock held. CAST: a small constant.
        unsafe { (*sock).state = bindings::socket_state_SS_CONNECTED };
        Ok(0)
    })
}

/// `proto_ops.accept`: `inet_accept` without what it does for sockets that were made in a softirq.
/// Ours come from `sk_alloc` in the context of this call: their memory control group is known and
/// charged already, and `inet_accept` would take its reference and charge it a second time.
///
/// # Safety
///
/// - Called by the socket layer with a socket of this protocol and its own arguments.
unsafe extern "C" fn accept<P: Protocol>(
    sock: *mut bindings::socket,
    new: *mut bindings::socket,
    arg: *mut kernel::bindings::proto_accept_arg,
) -> i32 {
    let arg = arg.cast();
    // SAFETY: the socket layer calls with a socket of this protocol; arguments passed on.
    let child = unsafe { accept_sock::<P>((*sock).sk.cast(), arg) };
    if child.is_null() {
        // SAFETY: an argument of the socket layer.
        return unsafe { (*arg).err };
    }
    // SAFETY: the new socket, whose reference passes to `new` below.
    let locked = unsafe { Sock::<P>::from_ptr(child) }.lock();
    // SAFETY: two valid sockets that belong to nobody else yet; the lock is held.
    unsafe { bindings::sock_graft(child, new) };
    // SAFETY: a valid socket. CAST: a small constant.
    unsafe { (*new).state = bindings::socket_state_SS_CONNECTED };
    drop(locked);
    0
}

/// `proto_ops.getname`.
///
/// # Safety
///
/// - Called by the socket layer with a socket of this protocol and its own arguments.
unsafe extern "C" fn getname<P: Protocol>(
    sock: *mut bindings::socket,
    addr: *mut bindings::sockaddr,
    peer: i32,
) -> i32 {
    from_result(|| {
        // SAFETY: the socket layer calls with a socket of this protocol.
        let sk = unsafe { sock_of::<P>(sock) };
        let name = P::getname(&mut sk.lock(), peer != 0)?;
        let bytes = name.as_slice();
        // SAFETY: `addr` has the size of `sockaddr_storage`, more than any `NameBuf`.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), addr.cast(), bytes.len()) };
        i32::try_from(bytes.len()).map_err(|_| EINVAL)
    })
}

/// `proto_ops.poll`.
///
/// # Safety
///
/// - Called by the socket layer with a socket of this protocol and its own arguments.
unsafe extern "C" fn poll<P: Protocol>(
    file: *mut bindings::file,
    sock: *mut bindings::socket,
    wait: *mut bindings::poll_table_struct,
) -> u32 {
    // SAFETY: arguments of the socket layer passed on.
    unsafe { bindings::sock_poll_wait(file, sock, wait) };
    // SAFETY: the socket layer calls with a socket of this protocol.
    P::poll(unsafe { sock_of::<P>(sock) })
}

/// `proto_ops.listen`.
///
/// # Safety
///
/// - Called by the socket layer with a socket of this protocol and its own arguments.
unsafe extern "C" fn listen<P: Protocol>(sock: *mut bindings::socket, backlog: i32) -> i32 {
    from_result(|| {
        // SAFETY: the socket layer calls with a socket of this protocol.
        let sk = unsafe { sock_of::<P>(sock) };
        P::listen(&mut sk.lock(), backlog)?;
        Ok(0)
    })
}

/// `proto_ops.shutdown`.
///
/// # Safety
///
/// - Called by the socket layer with a socket of this protocol and its own arguments.
unsafe extern "C" fn shutdown<P: Protocol>(sock: *mut bindings::socket, how: i32) -> i32 {
    from_result(|| {
        if !(0..=2).contains(&how) {
            return Err(EINVAL);
        }
        // SAFETY: the socket layer calls with a socket of this protocol.
        let sk = unsafe { sock_of::<P>(sock) };
        P::shutdown(&mut sk.lock(), how)?;
        Ok(0)
    })
}

/// `inet_recvmsg` without its receive-flow steering, which an encrypted protocol cannot use.
///
/// # Safety
///
/// - Called by the socket layer with a socket of this protocol and its own arguments.
unsafe extern "C" fn recvmsg<P: Protocol>(
    sock: *mut bindings::socket,
    msg: *mut bindings::msghdr,
    len: usize,
    flags: i32,
) -> i32 {
    // SAFETY: the socket layer calls with a socket of this protocol; arguments passed on.
    unsafe { recvmsg_sock::<P>((*sock).sk.cast(), msg, len, flags) }
}
