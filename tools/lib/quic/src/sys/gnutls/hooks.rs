// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a session asks and tells while the handshake runs.
//!
//! GnuTLS calls the functions here, which find the session's [`Hooks`] and ask them.

use std::ffi::CStr;

use libc::{
    c_char,
    c_int,
    c_uchar,
    c_uint,
    c_void,
    size_t,
    ssize_t, //
};

use super::{
    attachment::hooks_of,
    borrow_bytes,
    borrow_datum,
    ffi,
    level_from_gnutls,
    session::SessionRef, //
};
use crate::uapi::Level;

/// Answers a session. Called within [`SessionRef::handshake`] only.
pub(crate) trait Hooks: Send + Sync {
    /// New secrets. An error ends the handshake.
    fn on_secrets(
        &self,
        session: SessionRef<'_>,
        level: Level,
        read: Option<&[u8]>,
        write: Option<&[u8]>,
    ) -> Result<(), ()>;
    /// A handshake message for the peer.
    fn on_message(&self, level: Level, message: &[u8]);
    /// The session wants to send EndOfEarlyData, which QUIC has no place for.
    fn on_end_of_early_data(&self);
    /// The client's certificate was refused for these reasons.
    fn on_refused(&self, status: u32);
    /// The session wants this alert sent.
    fn on_alert(&self, alert: u8);
    /// This side's encoded transport parameters.
    fn local_params(&self) -> Option<Vec<u8>>;
    /// The peer's encoded transport parameters. An error ends the handshake.
    fn on_peer_params(&self, session: SessionRef<'_>, params: &[u8]) -> Result<(), ()>;
    /// The pre-shared key of an identity.
    fn psk(&self, identity: &[u8]) -> Option<Vec<u8>>;
    /// A secret for the key log, with the client's random value.
    fn on_key_log(&self, label: &str, random: &[u8], secret: &[u8]);
}

/// Sends secrets for the key log to the hooks instead of to the file of SSLKEYLOGFILE.
pub(super) fn log_keys(session: SessionRef<'_>) {
    // SAFETY: the session is valid and the function has the right signature.
    unsafe { ffi::gnutls_session_set_keylog_function(session.as_ptr(), on_key_log) };
}

pub(super) unsafe extern "C" fn on_secrets(
    session: ffi::Session,
    level: c_int,
    read: *const c_void,
    write: *const c_void,
    len: size_t,
) -> c_int {
    let (Some(hooks), Some(level)) = (hooks_of(session), level_from_gnutls(level)) else {
        return ffi::E_INTERNAL_ERROR;
    };
    // SAFETY: GnuTLS passes null or `len` bytes that live until this function returns.
    let read_secret = unsafe { borrow_bytes(read, len) };
    // SAFETY: as above.
    let write_secret = unsafe { borrow_bytes(write, len) };
    // SAFETY: GnuTLS passes the session, valid until this function returns.
    let session = unsafe { SessionRef::from_raw(session) };
    let read_secret = Some(read_secret).filter(|secret| !secret.is_empty());
    let write_secret = Some(write_secret).filter(|secret| !secret.is_empty());
    match hooks.on_secrets(session, level, read_secret, write_secret) {
        Ok(()) => 0,
        Err(()) => ffi::E_INTERNAL_ERROR,
    }
}

pub(super) unsafe extern "C" fn on_message(
    session: ffi::Session,
    level: c_int,
    htype: c_int,
    data: *const c_void,
    len: size_t,
) -> c_int {
    // Belongs to the middlebox compatibility of TLS 1.3, for which QUIC has no room.
    const CHANGE_CIPHER_SPEC: c_int = 254;
    const END_OF_EARLY_DATA: c_int = 5;
    if htype == CHANGE_CIPHER_SPEC {
        return 0;
    }
    let (Some(hooks), Some(level)) = (hooks_of(session), level_from_gnutls(level)) else {
        return ffi::E_INTERNAL_ERROR;
    };
    // RFC 9001 8.3 #1: a session of the caller's may be made otherwise. Without the message the
    // transcripts of both sides differ, so that the handshake cannot go on.
    if htype == END_OF_EARLY_DATA {
        hooks.on_end_of_early_data();
        return ffi::E_INTERNAL_ERROR;
    }
    // SAFETY: GnuTLS passes `len` bytes that live until this function returns.
    hooks.on_message(level, unsafe { borrow_bytes(data, len) });
    0
}

pub(super) unsafe extern "C" fn on_alert(
    session: ffi::Session,
    _level: c_int,
    _alert_level: c_int,
    alert: c_int,
) -> c_int {
    if let (Some(hooks), Ok(alert)) = (hooks_of(session), u8::try_from(alert)) {
        hooks.on_alert(alert);
    }
    0
}

pub(super) unsafe extern "C" fn recv_params(
    session: ffi::Session,
    data: *const c_uchar,
    len: size_t,
) -> c_int {
    let Some(hooks) = hooks_of(session) else {
        return ffi::E_INTERNAL_ERROR;
    };
    // SAFETY: GnuTLS passes `len` bytes that live until this function returns.
    let params = unsafe { borrow_bytes(data.cast(), len) };
    // SAFETY: GnuTLS passes the session, valid until this function returns.
    let session = unsafe { SessionRef::from_raw(session) };
    match hooks.on_peer_params(session, params) {
        Ok(()) => 0,
        Err(()) => ffi::E_INTERNAL_ERROR,
    }
}

pub(super) unsafe extern "C" fn send_params(session: ffi::Session, out: ffi::Opaque) -> c_int {
    let Some(params) = hooks_of(session).and_then(|hooks| hooks.local_params()) else {
        return ffi::E_INTERNAL_ERROR;
    };
    // SAFETY: GnuTLS passes a valid buffer and copies the bytes into it.
    let ret = unsafe { ffi::gnutls_buffer_append_data(out, params.as_ptr().cast(), params.len()) };
    match ret {
        // The length tells GnuTLS that there is something to send.
        0 => c_int::try_from(params.len()).unwrap_or(c_int::MAX),
        err => err,
    }
}

/// Registered by [`super::ServerPskCredentials`].
pub(super) unsafe extern "C" fn psk_key(
    session: ffi::Session,
    identity: *const ffi::Datum,
    key: *mut ffi::Datum,
) -> c_int {
    // SAFETY: GnuTLS passes a valid datum.
    let identity = unsafe { &*identity };
    // SAFETY: the datum's bytes live until this function returns.
    let identity = unsafe { borrow_datum(identity) };
    let Some(secret) = hooks_of(session).and_then(|hooks| hooks.psk(identity)) else {
        return -1;
    };
    // SAFETY: gnutls_malloc is a function pointer that the library has set.
    let malloc = unsafe { ffi::gnutls_malloc };
    // SAFETY: malloc takes any length.
    let copy = unsafe { malloc(secret.len()) }.cast::<u8>();
    if copy.is_null() {
        return ffi::E_MEMORY_ERROR;
    }
    // SAFETY: `copy` is new and good for the length of `secret`.
    unsafe { std::ptr::copy_nonoverlapping(secret.as_ptr(), copy, secret.len()) };
    let new = ffi::Datum {
        data: copy,
        size: u32::try_from(secret.len()).unwrap_or(0),
    };
    // SAFETY: GnuTLS passes a datum to write to, and frees what is put there.
    unsafe { key.write(new) };
    0
}

/// Registered by [`super::Session::verify_if_shown`].
pub(super) unsafe extern "C" fn verify_client(session: ffi::Session) -> c_int {
    let Some(hooks) = hooks_of(session) else {
        return ffi::E_INTERNAL_ERROR;
    };
    // SAFETY: GnuTLS passes the session, valid until this function returns.
    let session = unsafe { SessionRef::from_raw(session) };
    if !session.has_peer_certificate() {
        return 0;
    }
    match session.verify_client() {
        Ok(0) => 0,
        Ok(status) => {
            hooks.on_refused(status);
            ffi::E_CERTIFICATE_VERIFICATION_ERROR
        }
        Err(code) => code.0,
    }
}

unsafe extern "C" fn on_key_log(
    session: ffi::Session,
    label: *const c_char,
    secret: *const ffi::Datum,
) -> c_int {
    let Some(hooks) = hooks_of(session) else {
        return 0;
    };
    // SAFETY: GnuTLS passes a NUL-terminated string.
    let label = unsafe { CStr::from_ptr(label) }.to_string_lossy();
    // SAFETY: GnuTLS passes a valid datum.
    let secret = unsafe { &*secret };
    // SAFETY: the datum's bytes live until this function returns.
    let secret = unsafe { borrow_datum(secret) };
    // SAFETY: GnuTLS passes the session, valid until this function returns.
    let session = unsafe { SessionRef::from_raw(session) };
    hooks.on_key_log(&label, &session.client_random(), secret);
    0
}

pub(super) unsafe extern "C" fn pull_nothing(_: ffi::Opaque, _: *mut c_void, _: size_t) -> ssize_t {
    // SAFETY: the location of errno is valid in every thread.
    unsafe { *libc::__errno_location() = libc::EAGAIN };
    -1
}

pub(super) unsafe extern "C" fn pull_timeout(_: ffi::Opaque, _: c_uint) -> c_int {
    0
}

pub(super) unsafe extern "C" fn push_nothing(
    _: ffi::Opaque,
    _: *const c_void,
    len: size_t,
) -> ssize_t {
    ssize_t::try_from(len).unwrap_or(ssize_t::MAX)
}

/// Answers a session whose handshake was given up.
pub(super) struct Nobody;

impl Hooks for Nobody {
    fn on_secrets(
        &self,
        _: SessionRef<'_>,
        _: Level,
        _: Option<&[u8]>,
        _: Option<&[u8]>,
    ) -> Result<(), ()> {
        Err(())
    }
    fn on_message(&self, _: Level, _: &[u8]) {}
    fn on_end_of_early_data(&self) {}
    fn on_refused(&self, _: u32) {}
    fn on_alert(&self, _: u8) {}
    fn local_params(&self) -> Option<Vec<u8>> {
        None
    }
    fn on_peer_params(&self, _: SessionRef<'_>, _: &[u8]) -> Result<(), ()> {
        Err(())
    }
    fn psk(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
    fn on_key_log(&self, _: &str, _: &[u8], _: &[u8]) {}
}
