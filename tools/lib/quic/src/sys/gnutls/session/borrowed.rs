// SPDX-License-Identifier: LGPL-2.1-or-later
//! What can be done with a session, whoever owns it.

use std::{
    any::Any,
    ffi::CString,
    marker::PhantomData,
    ptr,
    sync::Arc, //
};

use libc::c_int;

use super::{
    super::{
        attachment,
        borrow_datum,
        check,
        datum,
        ffi,
        hooks,
        level_to_gnutls,
        AntiReplay,
        Code,
        Hooks, //
    },
    CLIENT_PURPOSE, //
};
use crate::{
    config::Cipher,
    uapi::Level, //
};

/// Longest list of application protocols.
const MOST_ALPNS: usize = 16;
/// Longest name that a client can ask for.
const SERVER_NAME_LEN: usize = 256;

/// A session that somebody owns.
#[derive(Clone, Copy)]
pub(crate) struct SessionRef<'a> {
    pub(super) raw: ffi::Session,
    pub(super) life: PhantomData<&'a ()>,
}

impl<'a> SessionRef<'a> {
    /// Borrows a session of somebody else.
    ///
    /// # Safety
    /// `raw` must be a valid session for `'a`, used by no other thread meanwhile.
    pub(crate) unsafe fn from_raw(raw: ffi::Session) -> SessionRef<'a> {
        SessionRef {
            raw,
            life: PhantomData,
        }
    }

    pub(crate) fn as_ptr(self) -> ffi::Session {
        self.raw
    }

    /// Lets `hooks` answer the session.
    pub(crate) fn attach(self, hooks: Arc<dyn Hooks>) -> Result<(), Code> {
        attachment::attach(self, hooks)
    }

    /// Takes the hooks off again.
    pub(crate) fn detach(self) {
        attachment::detach(self);
    }

    /// Leaves something with the session, which needs hooks.
    pub(crate) fn leave(self, luggage: Box<dyn Any>) {
        attachment::leave(self, luggage);
    }

    /// Takes what was left with the session.
    pub(crate) fn take(self) -> Option<Box<dyn Any>> {
        attachment::take(self)
    }

    /// Server: refuses early data that was seen before. For sessions of others, whose life this
    /// crate does not know.
    pub(crate) fn use_static_anti_replay(self, replay: &'static AntiReplay) {
        // SAFETY: the session is valid, and so is the object for ever.
        unsafe { ffi::gnutls_anti_replay_enable(self.raw, replay.as_ptr()) };
    }

    /// Server: makes tickets possible, protected by this key of 64 bytes. It can be set once.
    pub(crate) fn enable_tickets(self, key: &[u8]) -> Result<(), Code> {
        let key = datum(key);
        // SAFETY: the session is valid, and so is the datum, which is copied.
        check(unsafe { ffi::gnutls_session_ticket_enable_server(self.raw, &key) })?;
        self.lift_early_data_limit();
        Ok(())
    }

    /// Server: tickets say what QUIC demands of them about early data, which has limits of its own.
    // RFC 9001 4.6.1 #1
    pub(crate) fn lift_early_data_limit(self) {
        // Refused only before TLS 1.3, where there are no such tickets.
        // SAFETY: the session is valid.
        let _ = unsafe { ffi::gnutls_record_set_max_early_data_size(self.raw, 0xffff_ffff) };
    }

    /// Sends secrets for the key log to the hooks.
    pub(crate) fn log_keys(self) {
        hooks::log_keys(self);
    }

    /// Goes on with the handshake as far as it can.
    pub(crate) fn handshake(self) -> Result<(), Code> {
        // SAFETY: the session is valid.
        check(unsafe { ffi::gnutls_handshake(self.raw) }).map(drop)
    }

    /// Feeds handshake bytes from the peer.
    pub(crate) fn feed(self, level: Level, bytes: &[u8]) -> Result<(), Code> {
        let (data, len) = (bytes.as_ptr().cast(), bytes.len());
        let level = level_to_gnutls(level);
        // SAFETY: the session is valid and `data` is good for `len` bytes, which are copied.
        check(unsafe { ffi::gnutls_handshake_write(self.raw, level, data, len) }).map(drop)
    }

    pub(crate) fn set_priority(self, priority: &str) -> Result<(), Code> {
        let priority = CString::new(priority).map_err(|_| Code(ffi::E_INTERNAL_ERROR))?;
        let text = priority.as_ptr();
        // SAFETY: the session is valid, the text is NUL-terminated, and the position is optional.
        check(unsafe { ffi::gnutls_priority_set_direct(self.raw, text, ptr::null_mut()) }).map(drop)
    }

    /// Offers or accepts these application protocols and no connection without one.
    pub(crate) fn set_alpn(self, names: &[&[u8]]) -> Result<(), Code> {
        let list: Vec<ffi::Datum> = names
            .iter()
            .take(MOST_ALPNS)
            .map(|name| datum(name))
            .collect();
        let count = u32::try_from(list.len()).unwrap_or(0);
        let flags = ffi::ALPN_MANDATORY;
        // SAFETY: the session is valid, and so is the list, which is copied.
        check(unsafe { ffi::gnutls_alpn_set_protocols(self.raw, list.as_ptr(), count, flags) })
            .map(drop)
    }

    /// The application protocol agreed on.
    pub(crate) fn alpn(self) -> Option<Vec<u8>> {
        let mut name = datum(&[]);
        // SAFETY: the session is valid and `name` is good for writing.
        let ret = unsafe { ffi::gnutls_alpn_get_selected_protocol(self.raw, &mut name) };
        if ret < 0 {
            return None;
        }
        // SAFETY: the bytes belong to the session and are copied at once.
        Some(unsafe { borrow_datum(&name) }.to_vec())
    }

    /// The cipher agreed on, or with `early` the one of the early data.
    pub(crate) fn cipher(self, early: bool) -> Option<Cipher> {
        let number = if early {
            // SAFETY: the session is valid.
            unsafe { ffi::gnutls_early_cipher_get(self.raw) }
        } else {
            // SAFETY: the session is valid.
            unsafe { ffi::gnutls_cipher_get(self.raw) }
        };
        match number {
            10 => Some(Cipher::Aes128Gcm),
            11 => Some(Cipher::Aes256Gcm),
            19 => Some(Cipher::Aes128Ccm),
            23 => Some(Cipher::ChaCha20Poly1305),
            _ => None,
        }
    }

    /// Server: the name that the client asked for.
    pub(crate) fn server_name(self) -> Option<String> {
        let mut name = vec![0; SERVER_NAME_LEN];
        let mut len = name.len();
        let mut kind = 0;
        let data = name.as_mut_ptr().cast();
        // SAFETY: the session is valid and `data` is good for writing `len` bytes.
        let ret = unsafe { ffi::gnutls_server_name_get(self.raw, data, &mut len, &mut kind, 0) };
        if ret < 0 {
            return None;
        }
        name.truncate(len);
        String::from_utf8(name).ok()
    }

    /// Whether the session continues an earlier one.
    pub(crate) fn is_resumed(self) -> bool {
        // SAFETY: the session is valid.
        unsafe { ffi::gnutls_session_is_resumed(self.raw) != 0 }
    }

    /// Whether the server has taken early data.
    pub(crate) fn has_early_data(self) -> bool {
        // SAFETY: the session is valid.
        let flags = unsafe { ffi::gnutls_session_get_flags(self.raw) };
        flags & ffi::SFLAGS_EARLY_DATA != 0
    }

    /// Whether the peer has shown a certificate.
    pub(crate) fn has_peer_certificate(self) -> bool {
        let mut count = 0;
        // SAFETY: the session is valid and `count` is good for writing.
        let list = unsafe { ffi::gnutls_certificate_get_peers(self.raw, &mut count) };
        !list.is_null() && count > 0
    }

    /// The certificates that the peer has shown, its own first, in DER.
    pub(crate) fn peer_certificates(self) -> Vec<Vec<u8>> {
        let mut count: u32 = 0;
        // SAFETY: the session is valid and `count` is good for writing.
        let list = unsafe { ffi::gnutls_certificate_get_peers(self.raw, &mut count) };
        if list.is_null() {
            return Vec::new();
        }
        // SAFETY: GnuTLS returns `count` elements that belong to the session.
        let list = unsafe { std::slice::from_raw_parts(list, count as usize) };
        list.iter()
            // SAFETY: the bytes belong to the session and are copied at once.
            .map(|datum| unsafe { borrow_datum(datum) }.to_vec())
            .collect()
    }

    /// What GnuTLS's own verification found wrong.
    pub(crate) fn verify_status(self) -> u32 {
        // SAFETY: the session is valid.
        unsafe { ffi::gnutls_session_get_verify_cert_status(self.raw) }
    }

    /// Verifies the client's certificate; returns what is wrong with it.
    pub(crate) fn verify_client(self) -> Result<u32, Code> {
        let mut purpose = ffi::TypedVdata {
            kind: ffi::DT_KEY_PURPOSE_OID,
            data: CLIENT_PURPOSE.as_ptr().cast_mut(),
            size: 0,
        };
        let mut status = 0;
        // SAFETY: the session is valid, `purpose` is one element, `status` good for writing.
        check(unsafe {
            ffi::gnutls_certificate_verify_peers(self.raw, &mut purpose, 1, &mut status)
        })?;
        Ok(status)
    }

    /// The client's random value, by which a key log names the connection.
    pub(crate) fn client_random(self) -> Vec<u8> {
        let mut client = datum(&[]);
        let mut server = datum(&[]);
        // SAFETY: the session is valid and both are good for writing.
        unsafe { ffi::gnutls_session_get_random(self.raw, &mut client, &mut server) };
        // SAFETY: the bytes belong to the session and are copied at once.
        unsafe { borrow_datum(&client) }.to_vec()
    }

    /// Server: queues one ticket. Fails if tickets were not made possible.
    pub(crate) fn send_ticket(self) -> Result<(), Code> {
        // SAFETY: the session is valid.
        check(unsafe { ffi::gnutls_session_ticket_send(self.raw, 1, 0) }).map(drop)
    }

    /// Client: what a later session needs to continue this one.
    pub(crate) fn resumption_data(self) -> Result<Vec<u8>, Code> {
        let mut len = 0;
        // SAFETY: the session is valid; without a buffer only the length is written.
        let ret = unsafe { ffi::gnutls_session_get_data(self.raw, ptr::null_mut(), &mut len) };
        if ret != ffi::E_SHORT_MEMORY_BUFFER {
            check(ret)?;
        }
        let mut data = vec![0; len];
        let buf = data.as_mut_ptr().cast();
        // SAFETY: the session is valid and `buf` is good for writing `len` bytes.
        check(unsafe { ffi::gnutls_session_get_data(self.raw, buf, &mut len) })?;
        data.truncate(len);
        Ok(data)
    }

    /// Client: continues the session of these data.
    pub(crate) fn resume(self, data: &[u8]) -> Result<(), Code> {
        let (bytes, len) = (data.as_ptr().cast(), data.len());
        // SAFETY: the session is valid and `bytes` is good for `len` bytes, which are copied.
        check(unsafe { ffi::gnutls_session_set_data(self.raw, bytes, len) }).map(drop)
    }

    /// The descriptor that a caller of the C interface has given the session.
    pub(crate) fn transport_fd(self) -> c_int {
        let (mut recv, mut send) = (-1, -1);
        // SAFETY: the session is valid and both are good for writing.
        unsafe { ffi::gnutls_transport_get_int2(self.raw, &mut recv, &mut send) };
        recv
    }
}
