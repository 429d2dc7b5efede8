// SPDX-License-Identifier: LGPL-2.1-or-later
//! The C interface, `<netinet/quic.h>`. The header has the contracts.
//!
//! Functions here turn pointers into references and back; what they do is in the submodules.

use std::{
    ffi::CStr,
    mem::ManuallyDrop,
    os::fd::{
        FromRawFd,
        OwnedFd, //
    },
    slice, //
};

use libc::{
    c_char,
    c_int,
    c_void,
    size_t,
    ssize_t, //
};

use crate::{
    error::{
        Error,
        Result, //
    },
    socket::Socket,
    sys::gnutls::{
        ffi::Session,
        SessionRef, //
    },
};

mod credentials;
mod handshake;
mod report;
mod resumption;
mod step;

use report::result;
use step::PublicStep;

/// `int quic_client_handshake(int, const char *, const char *, const char *)`
///
/// # Safety
/// `sockfd` must be open, and the texts NULL or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn quic_client_handshake(
    sockfd: c_int,
    pkey_file: *const c_char,
    hostname: *const c_char,
    alpns: *const c_char,
) -> c_int {
    // SAFETY: as the caller promises, for all three.
    let pkey_file = unsafe { text(pkey_file) };
    // SAFETY: as above.
    let hostname = unsafe { text(hostname) };
    // SAFETY: as above.
    let alpns = unsafe { text(alpns) };
    // SAFETY: as the caller promises.
    let socket = unsafe { borrow_socket(sockfd) };
    result(handshake::client(socket, pkey_file, hostname, alpns))
}

/// `int quic_server_handshake(int, const char *, const char *, const char *)`
///
/// # Safety
/// `sockfd` must be open, and the texts NULL or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn quic_server_handshake(
    sockfd: c_int,
    pkey_file: *const c_char,
    cert_file: *const c_char,
    alpns: *const c_char,
) -> c_int {
    // SAFETY: as the caller promises, for all three.
    let pkey_file = unsafe { text(pkey_file) };
    // SAFETY: as above.
    let cert_file = unsafe { text(cert_file) };
    // SAFETY: as above.
    let alpns = unsafe { text(alpns) };
    // SAFETY: as the caller promises.
    let socket = unsafe { borrow_socket(sockfd) };
    result(handshake::server(socket, pkey_file, cert_file, alpns))
}

/// `int quic_handshake(gnutls_session_t)`
///
/// # Safety
/// `session` must be valid and in use by no other thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn quic_handshake(session: Session) -> c_int {
    // SAFETY: as the caller promises.
    result(unsafe { borrow_session(session) }.and_then(|session| {
        // SAFETY: a session's descriptor stays open while the session is used.
        let socket = unsafe { borrow_socket(session.transport_fd()) };
        handshake::whole(socket, session)
    }))
}

/// `int quic_handshake_init(gnutls_session_t, struct quic_handshake_step **)`
///
/// # Safety
/// `session` must be valid and in use by no other thread, `pstep` NULL or good for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn quic_handshake_init(
    session: Session,
    pstep: *mut *mut PublicStep,
) -> c_int {
    // SAFETY: as the caller promises.
    let Some(pstep) = (unsafe { pstep.as_mut() }) else {
        return result(Err(null()));
    };
    if !pstep.is_null() {
        return result(Err(Error::Config("*pstep is not NULL".into())));
    }
    // SAFETY: as the caller promises.
    let first = unsafe { borrow_session(session) }.and_then(|session| {
        // SAFETY: a session's descriptor stays open while the session is used.
        let socket = unsafe { borrow_socket(session.transport_fd()) };
        step::init(socket, session)
    });
    result(first.map(|first| *pstep = first))
}

/// `int quic_handshake_step(gnutls_session_t, struct quic_handshake_step **)`
///
/// # Safety
/// `session` must be valid and in use by no other thread, `pstep` NULL or good for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn quic_handshake_step(
    session: Session,
    pstep: *mut *mut PublicStep,
) -> c_int {
    // SAFETY: as the caller promises.
    let Some(pstep) = (unsafe { pstep.as_mut() }) else {
        return result(Err(null()));
    };
    // SAFETY: as the caller promises.
    let next = unsafe { borrow_session(session) }.and_then(|session| step::step(session, *pstep));
    result(next.map(|next| *pstep = next))
}

/// `void quic_handshake_deinit(gnutls_session_t)`
///
/// # Safety
/// `session` must be NULL, or valid and in use by no other thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn quic_handshake_deinit(session: Session) {
    // SAFETY: as the caller promises.
    if let Ok(session) = unsafe { borrow_session(session) } {
        session.detach();
    }
}

/// `int quic_session_get_data(gnutls_session_t, void *, size_t *)`
///
/// # Safety
/// `session` must be valid and in use by no other thread, `size` good for reading and writing,
/// and `data` good for writing `*size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn quic_session_get_data(
    session: Session,
    data: *mut c_void,
    size: *mut size_t,
) -> c_int {
    // SAFETY: as the caller promises.
    let found = unsafe { borrow_session(session) }.and_then(|session| {
        // SAFETY: a session's descriptor stays open while the session is used.
        let socket = unsafe { borrow_socket(session.transport_fd()) };
        resumption::data(&socket, session)
    });
    // SAFETY: as the caller promises.
    result(found.and_then(|bytes| unsafe { hand_out(&bytes, data, size) }))
}

/// `int quic_session_set_data(gnutls_session_t, const void *, size_t)`
///
/// # Safety
/// `session` must be valid and in use by no other thread, `data` good for reading `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn quic_session_set_data(
    session: Session,
    data: *const c_void,
    size: size_t,
) -> c_int {
    // SAFETY: as the caller promises.
    let data = unsafe { bytes(data, size) };
    // SAFETY: as the caller promises.
    let session = unsafe { borrow_session(session) };
    result(session.and_then(|session| {
        // SAFETY: a session's descriptor stays open while the session is used.
        let socket = unsafe { borrow_socket(session.transport_fd()) };
        resumption::resume(&socket, session, data)
    }))
}

/// `int quic_session_get_alpn(gnutls_session_t, void *, size_t *)`
///
/// # Safety
/// As for [`quic_session_get_data`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn quic_session_get_alpn(
    session: Session,
    alpn: *mut c_void,
    size: *mut size_t,
) -> c_int {
    // SAFETY: as the caller promises.
    let found = unsafe { borrow_session(session) }.map(|session| session.alpn());
    // SAFETY: as the caller promises.
    result(found.and_then(|name| unsafe { hand_out(&name.unwrap_or_default(), alpn, size) }))
}

/// `int quic_session_set_alpn(gnutls_session_t, const void *, size_t)`
///
/// # Safety
/// `session` must be valid and in use by no other thread, `alpns` good for reading `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn quic_session_set_alpn(
    session: Session,
    alpns: *const c_void,
    size: size_t,
) -> c_int {
    // SAFETY: as the caller promises.
    let alpns = unsafe { bytes(alpns, size) };
    // SAFETY: as the caller promises.
    let session = unsafe { borrow_session(session) };
    result(session.and_then(|session| handshake::set_alpn(session, alpns)))
}

/// `ssize_t quic_sendmsg(int, const void *, size_t, int64_t, uint32_t)`
///
/// # Safety
/// `sockfd` must be open, and `msg` good for reading `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn quic_sendmsg(
    sockfd: c_int,
    msg: *const c_void,
    len: size_t,
    sid: i64,
    flags: u32,
) -> ssize_t {
    // SAFETY: as the caller promises.
    let socket = unsafe { borrow_socket(sockfd) };
    // SAFETY: as the caller promises.
    let data = unsafe { bytes(msg, len) };
    report::count(socket.send_as_asked(data, sid, flags))
}

/// `ssize_t quic_recvmsg(int, void *, size_t, int64_t *, uint32_t *)`
///
/// # Safety
/// `sockfd` must be open, `msg` good for writing `len` bytes, and `sid` and `flags` NULL or good
/// for reading and writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn quic_recvmsg(
    sockfd: c_int,
    msg: *mut c_void,
    len: size_t,
    sid: *mut i64,
    flags: *mut u32,
) -> ssize_t {
    // SAFETY: as the caller promises.
    let socket = unsafe { borrow_socket(sockfd) };
    let buf = match msg.is_null() {
        true => &mut [],
        // SAFETY: not null, and good for writing `len` bytes as the caller promises.
        false => unsafe { slice::from_raw_parts_mut(msg.cast::<u8>(), len) },
    };
    // SAFETY: as the caller promises, for both.
    let flags = unsafe { flags.as_mut() };
    // SAFETY: as above.
    let sid = unsafe { sid.as_mut() };
    let asked = flags.as_ref().map_or(0, |flags| **flags);
    let received = socket.recv_as_asked(buf, asked);
    if let Ok(received) = &received {
        let (id, stream_flags) = received.stream.unwrap_or((-1, 0));
        if let (Some(sid), Some(_)) = (sid, received.stream) {
            *sid = id;
        }
        if let Some(flags) = flags {
            *flags = received.flags | stream_flags;
        }
    }
    report::count(received.map(|received| received.len))
}

/// `quic_set_log_func_t quic_set_log_func(quic_set_log_func_t)`
#[unsafe(no_mangle)]
pub extern "C" fn quic_set_log_func(func: Option<report::LogFn>) -> Option<report::LogFn> {
    report::set_function(func)
}

/// `int quic_set_log_level(int)`
#[unsafe(no_mangle)]
pub extern "C" fn quic_set_log_level(level: c_int) -> c_int {
    report::set_level(level)
}

/// `const char *quic_last_error(void)`
#[unsafe(no_mangle)]
pub extern "C" fn quic_last_error() -> *const c_char {
    report::last_error()
}

fn null() -> Error {
    Error::Config("an argument is NULL".into())
}

/// # Safety
/// `text` must be NULL or NUL-terminated, and live as long as `'a`.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a CStr> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and as the caller promises.
    Some(unsafe { CStr::from_ptr(text) })
}

/// # Safety
/// `data` must be NULL or good for reading `len` bytes during `'a`.
unsafe fn bytes<'a>(data: *const c_void, len: size_t) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: not null, and as the caller promises.
    unsafe { slice::from_raw_parts(data.cast(), len) }
}

/// The socket of a caller, who keeps it and closes it.
///
/// # Safety
/// `fd` must be open while the socket is used. (-1 is allowed: its calls fail with EBADF.)
unsafe fn borrow_socket(fd: c_int) -> ManuallyDrop<Socket> {
    // -1 is the one value that an owned descriptor must not have.
    let fd = if fd == -1 { c_int::MAX } else { fd };
    // SAFETY: the descriptor is not closed, for the result is not dropped.
    ManuallyDrop::new(Socket::from_fd(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// # Safety
/// `session` must be NULL, or valid during `'a` and used by no other thread.
unsafe fn borrow_session<'a>(session: Session) -> Result<SessionRef<'a>> {
    if session.is_null() {
        return Err(null());
    }
    // SAFETY: not null, and as the caller promises.
    Ok(unsafe { SessionRef::from_raw(session) })
}

/// Copies bytes to a caller.
///
/// # Safety
/// `size` must be NULL or good for reading and writing, and `data` NULL or good for writing
/// `*size` bytes.
unsafe fn hand_out(bytes: &[u8], data: *mut c_void, size: *mut size_t) -> Result<()> {
    // SAFETY: as the caller promises.
    let size = unsafe { size.as_mut() }.ok_or_else(null)?;
    let room = std::mem::replace(size, bytes.len());
    if bytes.is_empty() {
        return Ok(());
    }
    if bytes.len() > room || data.is_null() {
        let err = std::io::Error::from_raw_os_error(libc::ENOBUFS);
        return Err(Error::Io("copying to the caller", err));
    }
    // SAFETY: `data` is not null, has room for the bytes, and belongs to the caller alone.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast(), bytes.len()) };
    Ok(())
}
