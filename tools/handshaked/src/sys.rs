// SPDX-License-Identifier: GPL-2.0
//! System calls: descriptors received, keys of keyrings, names of addresses. The only place with
//! `unsafe`.

use std::{
    ffi::{
        CStr,
        CString, //
    },
    io,
    os::fd::{
        FromRawFd,
        OwnedFd, //
    },
    ptr,
};

use libc::{
    c_int,
    c_long,
    c_ulong, //
};

/// Longest key or description that is read.
const KEY_LEN: usize = 64 << 10;
/// How many times a key may grow while it is read.
const TRIES: usize = 4;

/// Takes the descriptor that the kernel has opened in this process for a request.
pub(crate) fn own_received(fd: c_int) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the kernel has just opened the descriptor for whoever accepts the request.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The payload of a key.
pub(crate) fn read_key(serial: i32) -> io::Result<Vec<u8>> {
    read_keyctl(libc::KEYCTL_READ, serial)
}

/// The type and the description of a key.
pub(crate) fn describe_key(serial: i32) -> io::Result<(String, String)> {
    let bytes = read_keyctl(libc::KEYCTL_DESCRIBE, serial)?;
    let text = String::from_utf8_lossy(&bytes);
    // type;uid;gid;permissions;description
    let mut fields = text.trim_end_matches('\0').splitn(5, ';');
    let kind = fields.next().unwrap_or_default().to_owned();
    let description = fields.nth(3).unwrap_or_default().to_owned();
    Ok((kind, description))
}

/// Adds a key to a keyring, or replaces the one of that name, and returns its serial number.
pub(crate) fn add_key(kind: &CStr, name: &str, bytes: &[u8], keyring: i32) -> io::Result<i32> {
    let name = CString::new(name)?;
    // SAFETY: both texts are NUL-terminated, and `bytes` is good for its length.
    let ret = unsafe {
        libc::syscall(
            libc::SYS_add_key,
            kind.as_ptr(),
            name.as_ptr(),
            bytes.as_ptr(),
            bytes.len(),
            c_long::from(keyring),
        )
    };
    serial(ret)
}

/// The name of an address, by reverse lookup.
pub(crate) fn host_name(addr: &std::net::SocketAddr) -> Option<String> {
    let mut host = [0; 1025];
    let (raw, len) = raw_addr(addr);
    // SAFETY: `raw` is an address of `len` bytes, `host` is good for its length, and no service
    // name is asked for.
    let ret = unsafe {
        libc::getnameinfo(
            ptr::from_ref(&raw).cast(),
            len,
            host.as_mut_ptr(),
            1025,
            ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if ret != 0 {
        return None;
    }
    // SAFETY: getnameinfo() has put a NUL-terminated name there.
    let name = unsafe { CStr::from_ptr(host.as_ptr()) };
    name.to_str().ok().map(str::to_owned)
}

fn raw_addr(addr: &std::net::SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: a sockaddr_storage consists of integers, for which all-zero is a valid value.
    let mut raw: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let place = ptr::from_mut(&mut raw);
    let len = match addr {
        std::net::SocketAddr::V4(addr) => {
            let value = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: addr.port().to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes(addr.ip().octets()),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: a sockaddr_storage has room for every address and is aligned for it.
            unsafe { place.cast::<libc::sockaddr_in>().write(value) };
            size_of::<libc::sockaddr_in>()
        }
        std::net::SocketAddr::V6(addr) => {
            let value = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: addr.port().to_be(),
                sin6_flowinfo: addr.flowinfo(),
                sin6_addr: libc::in6_addr {
                    s6_addr: addr.ip().octets(),
                },
                sin6_scope_id: addr.scope_id(),
            };
            // SAFETY: as above.
            unsafe { place.cast::<libc::sockaddr_in6>().write(value) };
            size_of::<libc::sockaddr_in6>()
        }
    };
    (raw, len as libc::socklen_t)
}

/// A keyctl() that fills a buffer and returns how long the value is.
fn read_keyctl(operation: u32, key: i32) -> io::Result<Vec<u8>> {
    let mut buf = vec![0u8; 1024];
    for _ in 0..TRIES {
        // SAFETY: `buf` is good for writing its length.
        let ret = unsafe {
            libc::syscall(
                libc::SYS_keyctl,
                c_ulong::from(operation),
                c_long::from(key),
                buf.as_mut_ptr(),
                buf.len(),
            )
        };
        let len = usize::try_from(ret).map_err(|_| io::Error::last_os_error())?;
        if len <= buf.len() {
            buf.truncate(len);
            return Ok(buf);
        }
        if len > KEY_LEN {
            break;
        }
        buf.resize(len, 0);
    }
    Err(io::Error::from_raw_os_error(libc::EFBIG))
}

fn serial(ret: c_long) -> io::Result<i32> {
    if ret < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(ret).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))
}
