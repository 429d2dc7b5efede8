// SPDX-License-Identifier: GPL-2.0

//! System calls on sockets: `struct proto_ops` and the callbacks of `struct proto` behind it.
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
    ops.accept = Some(accept);
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

/// `proto_ops.accept`.
///
/// # Safety
///
/// - Called by the socket layer with a socket of this protocol and its own arguments.
unsafe extern "C" fn accept(
    sock: *mut bindings::socket,
    new: *mut bindings::socket,
    arg: *mut kernel::bindings::proto_accept_arg,
) -> i32 {
    // SAFETY: arguments of the socket layer passed on.
    unsafe { bindings::inet_accept(sock, new, arg.cast()) }
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
