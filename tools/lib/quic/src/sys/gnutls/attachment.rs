// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where a session keeps the object that answers it.
//!
//! It is private data of the transport-parameters extension. The session's user pointer stays
//! free for the C interface's callers, and GnuTLS itself drops the object with the session.

use std::{
    any::Any,
    cell::RefCell,
    sync::Arc, //
};

use libc::c_int;

use super::{
    check,
    ffi,
    hooks,
    session::SessionRef,
    Code,
    Hooks, //
};

/// The TLS extension quic_transport_parameters.
// RFC 9001 8.2 #1
const TRANSPORT_PARAMETERS: u32 = 0x39;

/// Hangs `answers` on the session and registers all functions.
pub(super) fn attach(session: SessionRef<'_>, answers: Arc<dyn Hooks>) -> Result<(), Code> {
    let raw = session.as_ptr();
    let name = c"QUIC transport parameters";
    // A server reads extensions of this kind before all those about tickets, for whose key it has
    // to know the version that its parameters bring about.
    let kind = ffi::EXT_APPLICATION;
    let flags = ffi::EXT_FLAG_TLS | ffi::EXT_FLAG_CLIENT_HELLO | ffi::EXT_FLAG_EE;
    // SAFETY: the session is valid, the name static, and the functions have the right signatures.
    let ret = unsafe {
        ffi::gnutls_session_ext_register(
            raw,
            name.as_ptr(),
            TRANSPORT_PARAMETERS as c_int,
            kind,
            hooks::recv_params,
            hooks::send_params,
            Some(free_hooks),
            None,
            None,
            flags,
        )
    };
    // A session may be used again after quic_handshake_deinit().
    if ret != ffi::E_ALREADY_REGISTERED {
        check(ret)?;
    }
    let data = Attachment::into_raw(answers);
    // SAFETY: the session is valid; `data` is what `free_hooks` and `attachment_of` expect.
    unsafe { ffi::gnutls_ext_set_data(raw, TRANSPORT_PARAMETERS, data) };
    // SAFETY: the session is valid and the function has the right signature.
    unsafe { ffi::gnutls_handshake_set_secret_function(raw, hooks::on_secrets) };
    // SAFETY: the session is valid and the function has the right signature.
    unsafe { ffi::gnutls_handshake_set_read_function(raw, hooks::on_message) };
    // SAFETY: the session is valid and the function has the right signature.
    unsafe { ffi::gnutls_alert_set_read_function(raw, hooks::on_alert) };
    // TLS has no record layer here, so GnuTLS must not touch the descriptor that callers of the
    // C interface have given it.
    // SAFETY: the session is valid and the function has the right signature.
    unsafe { ffi::gnutls_transport_set_pull_function(raw, hooks::pull_nothing) };
    // SAFETY: the session is valid and the function has the right signature.
    unsafe { ffi::gnutls_transport_set_pull_timeout_function(raw, hooks::pull_timeout) };
    // SAFETY: the session is valid and the function has the right signature.
    unsafe { ffi::gnutls_transport_set_push_function(raw, hooks::push_nothing) };
    Ok(())
}

/// Takes the object off the session again, and drops what was left with it.
pub(super) fn detach(session: SessionRef<'_>) {
    if attachment_of(session.as_ptr()).is_none() {
        return;
    }
    let data = Attachment::into_raw(Arc::new(hooks::Nobody));
    // SAFETY: the session is valid; GnuTLS frees the former data by `free_hooks`.
    unsafe { ffi::gnutls_ext_set_data(session.as_ptr(), TRANSPORT_PARAMETERS, data) };
}

/// Leaves something with the session until [`take`] or [`detach`].
pub(super) fn leave(session: SessionRef<'_>, luggage: Box<dyn Any>) {
    if let Some(attachment) = attachment_of(session.as_ptr()) {
        attachment.luggage.replace(Some(luggage));
    }
}

/// Takes what was left with the session.
pub(super) fn take(session: SessionRef<'_>) -> Option<Box<dyn Any>> {
    attachment_of(session.as_ptr())?.luggage.take()
}

/// What hangs on a session.
struct Attachment {
    hooks: Arc<dyn Hooks>,
    /// Something of the caller's.
    luggage: RefCell<Option<Box<dyn Any>>>,
}

impl Attachment {
    /// On the heap, for GnuTLS to keep until `free_hooks`.
    fn into_raw(hooks: Arc<dyn Hooks>) -> ffi::Opaque {
        let attachment = Attachment {
            hooks,
            luggage: RefCell::new(None),
        };
        Box::into_raw(Box::new(attachment)).cast()
    }
}

/// What hangs on the session. Its life ends when the session replaces or drops it, so it must not
/// be used across a call of [`detach`].
fn attachment_of<'a>(session: ffi::Session) -> Option<&'a Attachment> {
    let mut data = std::ptr::null_mut();
    // SAFETY: the session is valid and `data` is good for writing one pointer.
    let ret = unsafe { ffi::gnutls_ext_get_data(session, TRANSPORT_PARAMETERS, &mut data) };
    if ret < 0 || data.is_null() {
        return None;
    }
    // SAFETY: the extension's data is set by `attach` and `detach` only, to a box of this type,
    // and the users below are done with it before either is called again.
    Some(unsafe { &*data.cast::<Attachment>() })
}

/// What answers the session.
pub(super) fn hooks_of(session: ffi::Session) -> Option<Arc<dyn Hooks>> {
    attachment_of(session).map(|attachment| Arc::clone(&attachment.hooks))
}

unsafe extern "C" fn free_hooks(data: ffi::Opaque) {
    // SAFETY: GnuTLS gives back once what `attach` or `detach` has given it.
    drop(unsafe { Box::from_raw(data.cast::<Attachment>()) });
}
