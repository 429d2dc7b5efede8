// SPDX-License-Identifier: GPL-2.0

//! System calls on sockets, continued: the callbacks of `struct proto` that the tables of
//! [`super::ops`] lead to.
//!
//! C header: [`include/net/sock.h`](srctree/include/net/sock.h)

use core::ptr;

use kernel::{
    error::from_result,
    prelude::*, //
};

use super::{
    msg::MsgHdr,
    sock::{
        Protocol,
        Sock,
        SockRef, //
    },
    sockopt::{
        OptIn,
        OptOut, //
    }, //
};
use crate::linux::bindings;

/// `proto.accept`.
///
/// # Safety
///
/// - Called by the socket layer with a `sk` of this protocol and its own arguments.
pub(super) unsafe extern "C" fn accept_sock<P: Protocol>(
    sk: *mut bindings::sock,
    arg: *mut bindings::proto_accept_arg,
) -> *mut bindings::sock {
    // SAFETY: `proto.accept` gets a socket of this protocol and a valid argument.
    let (sock, arg) = unsafe { (Sock::<P>::from_ptr(sk), &mut *arg) };
    // CAST: bits of an int.
    let nonblock = arg.flags as u32 & bindings::O_NONBLOCK != 0;
    let result = P::accept(&mut sock.lock(), arg.kern, nonblock);
    match result {
        Ok(new) => {
            arg.err = 0;
            SockRef::into_raw(new).as_ptr().cast()
        }
        Err(e) => {
            arg.err = e.to_errno();
            ptr::null_mut()
        }
    }
}

/// `proto.ioctl`.
///
/// # Safety
///
/// - Called by the socket layer with a `sk` of this protocol and its own arguments.
pub(super) unsafe extern "C" fn ioctl_sock<P: Protocol>(
    sk: *mut bindings::sock,
    cmd: i32,
    arg: *mut i32,
) -> i32 {
    from_result(|| {
        // SAFETY: `proto.ioctl` gets a socket of this protocol.
        let sock = unsafe { Sock::<P>::from_ptr(sk) };
        // CAST: commands are bit patterns.
        let value = P::ioctl(&mut sock.lock(), cmd as u32)?;
        // SAFETY: `sk_ioctl` gives room for an int.
        unsafe { *arg = value };
        Ok(0)
    })
}

/// `proto.setsockopt`.
///
/// # Safety
///
/// - Called by the socket layer with a `sk` of this protocol and its own arguments.
pub(super) unsafe extern "C" fn setsockopt_sock<P: Protocol>(
    sk: *mut bindings::sock,
    level: i32,
    name: i32,
    value: bindings::sockptr_t,
    len: u32,
) -> i32 {
    // SAFETY: `proto.setsockopt` gets a socket of this protocol.
    let sock = unsafe { Sock::<P>::from_ptr(sk) };
    if level != P::LEVEL {
        // SAFETY: arguments of the socket layer passed on.
        return unsafe {
            if sock.is_v6() {
                bindings::ipv6_setsockopt(sk, level, name, value, len)
            } else {
                bindings::ip_setsockopt(sk, level, name, value, len)
            }
        };
    }
    from_result(|| {
        // SAFETY: the socket layer promises `len` bytes behind a kernel pointer.
        P::setsockopt(sock, name, unsafe { OptIn::new(value, len) })?;
        Ok(0)
    })
}

/// `proto.getsockopt`.
///
/// # Safety
///
/// - Called by the socket layer with a `sk` of this protocol and its own arguments.
pub(super) unsafe extern "C" fn getsockopt_sock<P: Protocol>(
    sk: *mut bindings::sock,
    level: i32,
    name: i32,
    value: *mut u8,
    len: *mut i32,
) -> i32 {
    // SAFETY: `proto.getsockopt` gets a socket of this protocol.
    let sock = unsafe { Sock::<P>::from_ptr(sk) };
    if level != P::LEVEL {
        // SAFETY: arguments of the socket layer passed on.
        return unsafe {
            if sock.is_v6() {
                bindings::ipv6_getsockopt(sk, level, name, value, len)
            } else {
                bindings::ip_getsockopt(sk, level, name, value, len)
            }
        };
    }
    // SAFETY: no precondition: user pointers are checked when they are used.
    let (value, len) = unsafe {
        (
            bindings::user_sockptr(value.cast()),
            bindings::user_sockptr(len.cast()),
        )
    };
    // SAFETY: a socket of this protocol; both are user pointers.
    unsafe { getsockopt_own::<P>(sk, name, value, len) }
}

/// `getsockopt` at the protocol's own level, for programs and for the kernel.
///
/// # Safety
///
/// - `sk` is a socket of this protocol.
/// - A kernel pointer `len` is that of an `int`, and a kernel pointer `value` has as many bytes.
pub(super) unsafe extern "C" fn getsockopt_own<P: Protocol>(
    sk: *mut bindings::sock,
    name: i32,
    value: bindings::sockptr_t,
    len: bindings::sockptr_t,
) -> i32 {
    from_result(|| {
        // SAFETY: by the caller's promise.
        let (sock, out) = unsafe { (Sock::<P>::from_ptr(sk), OptOut::new(value, len)?) };
        P::getsockopt(sock, name, out)
    })
}

/// `proto.sendmsg`.
///
/// # Safety
///
/// - Called by the socket layer with a `sk` of this protocol and its own arguments.
pub(super) unsafe extern "C" fn sendmsg_sock<P: Protocol>(
    sk: *mut bindings::sock,
    msg: *mut bindings::msghdr,
    len: usize,
) -> i32 {
    from_result(|| {
        // SAFETY: `proto.sendmsg` gets a socket of this protocol.
        let sock = unsafe { Sock::<P>::from_ptr(sk) };
        // SAFETY: the message belongs to this call.
        let mut msg = unsafe { MsgHdr::from_raw(msg) };
        let sent = P::sendmsg(&mut sock.lock(), &mut msg, len)?;
        i32::try_from(sent).map_err(|_| EMSGSIZE)
    })
}

/// `proto.recvmsg`.
///
/// # Safety
///
/// - Called by the socket layer with a `sk` of this protocol and its own arguments.
pub(super) unsafe extern "C" fn recvmsg_sock<P: Protocol>(
    sk: *mut bindings::sock,
    msg: *mut bindings::msghdr,
    len: usize,
    flags: i32,
) -> i32 {
    from_result(|| {
        // SAFETY: `proto.recvmsg` gets a socket of this protocol.
        let sock = unsafe { Sock::<P>::from_ptr(sk) };
        // SAFETY: the message belongs to this call.
        let mut msg = unsafe { MsgHdr::from_raw(msg) };
        let len = P::recvmsg(&mut sock.lock(), &mut msg, len, flags)?;
        i32::try_from(len).map_err(|_| EMSGSIZE)
    })
}
