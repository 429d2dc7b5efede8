// SPDX-License-Identifier: LGPL-2.1-or-later
//! A TLS session.

use std::{
    any::Any,
    ffi::CString,
    fmt,
    marker::PhantomData,
    net::IpAddr,
    ptr,
    sync::Arc, //
};

use libc::{
    c_int,
    c_uint, //
};

use super::{
    borrow_datum,
    check,
    datum,
    ffi,
    hooks,
    level_to_gnutls,
    AntiReplay,
    CertificateCredentials,
    ClientPskCredentials,
    Code,
    Hooks,
    ServerPskCredentials, //
};
use crate::{
    config::Cipher,
    uapi::Level, //
};

/// Longest list of application protocols.
const MOST_ALPNS: usize = 16;
/// Longest name that a client can ask for.
const SERVER_NAME_LEN: usize = 256;
/// Purposes of certificates, RFC 5280 4.2.1.12.
const SERVER_PURPOSE: &[u8] = b"1.3.6.1.5.5.7.3.1\0";
const CLIENT_PURPOSE: &[u8] = b"1.3.6.1.5.5.7.3.2\0";

/// Whom the peer's certificate must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeerName {
    /// A server of this name.
    Dns(CString),
    /// A server at this address.
    Ip(IpAddr),
    /// A server of any name.
    AnyServer,
    /// A client, of any name.
    AnyClient,
}

/// A session that somebody owns.
#[derive(Clone, Copy)]
pub(crate) struct SessionRef<'a> {
    raw: ffi::Session,
    life: PhantomData<&'a ()>,
}

/// An own session, with all that it uses.
pub(crate) struct Session {
    raw: ffi::Session,
    /// Kept alive for the session; never read.
    _uses: Vec<Arc<dyn Send + Sync>>,
    /// GnuTLS keeps the address of what it shall compare the certificate with.
    _name: Option<Box<VerifyData>>,
}

/// Arguments of gnutls_session_set_verify_cert2() with the bytes that they point to.
struct VerifyData {
    name: Vec<u8>,
    vdata: Vec<ffi::TypedVdata>,
}

// SAFETY: a session may move between threads as long as one at a time uses it, which `&mut` and
// ownership ensure; the pointers in VerifyData point to what moves along.
unsafe impl Send for Session {}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn client(early_data: bool) -> Result<Session, Code> {
        let early = if early_data {
            ffi::ENABLE_EARLY_DATA
        } else {
            0
        };
        Session::new(ffi::CLIENT | early)
    }

    pub(crate) fn server(early_data: bool) -> Result<Session, Code> {
        let early = if early_data {
            ffi::ENABLE_EARLY_DATA
        } else {
            0
        };
        // The driver sends the ticket itself, once the handshake is complete.
        Session::new(ffi::SERVER | ffi::NO_AUTO_SEND_TICKET | early)
    }

    fn new(flags: c_uint) -> Result<Session, Code> {
        let mut raw = ptr::null_mut();
        // QUIC has no EndOfEarlyData message.
        // RFC 9001 8.3 #1
        let flags = flags | ffi::NONBLOCK | ffi::NO_END_OF_EARLY_DATA;
        // SAFETY: `raw` is good for writing one pointer.
        check(unsafe { ffi::gnutls_init(&mut raw, flags) })?;
        Ok(Session {
            raw,
            _uses: Vec::new(),
            _name: None,
        })
    }

    /// The session for calls that an owner and a borrower can make.
    pub(crate) fn as_ref(&mut self) -> SessionRef<'_> {
        SessionRef {
            raw: self.raw,
            life: PhantomData,
        }
    }

    /// Uses certificates.
    pub(crate) fn use_certificates(
        &mut self,
        cred: &Arc<CertificateCredentials>,
    ) -> Result<(), Code> {
        self.set_credentials(ffi::CRD_CERTIFICATE, cred.as_ptr(), Arc::clone(cred) as _)
    }

    /// Uses a client's pre-shared key.
    pub(crate) fn use_client_psk(&mut self, cred: &Arc<ClientPskCredentials>) -> Result<(), Code> {
        self.set_credentials(ffi::CRD_PSK, cred.as_ptr(), Arc::clone(cred) as _)
    }

    /// Asks the hooks for pre-shared keys.
    pub(crate) fn use_server_psk(&mut self, cred: &Arc<ServerPskCredentials>) -> Result<(), Code> {
        self.set_credentials(ffi::CRD_PSK, cred.as_ptr(), Arc::clone(cred) as _)
    }

    fn set_credentials(
        &mut self,
        kind: c_int,
        cred: ffi::Opaque,
        keep: Arc<dyn Send + Sync>,
    ) -> Result<(), Code> {
        // SAFETY: the session is valid, and so are the credentials, which are kept alive.
        check(unsafe { ffi::gnutls_credentials_set(self.raw, kind, cred) })?;
        self._uses.push(keep);
        Ok(())
    }

    /// Refuses early data that was seen before.
    pub(crate) fn use_anti_replay(&mut self, replay: &Arc<AntiReplay>) {
        // SAFETY: the session is valid, and so is the object, which is kept alive.
        unsafe { ffi::gnutls_anti_replay_enable(self.raw, replay.as_ptr()) };
        self._uses.push(Arc::clone(replay) as _);
    }

    /// Verifies the peer's certificate during the handshake.
    pub(crate) fn verify(&mut self, name: &PeerName) {
        let (kind, bytes, purpose) = match name {
            PeerName::Dns(name) => {
                let bytes = name.to_bytes_with_nul().to_vec();
                (Some(ffi::DT_DNS_HOSTNAME), bytes, SERVER_PURPOSE)
            }
            PeerName::Ip(IpAddr::V4(ip)) => (
                Some(ffi::DT_IP_ADDRESS),
                ip.octets().to_vec(),
                SERVER_PURPOSE,
            ),
            PeerName::Ip(IpAddr::V6(ip)) => (
                Some(ffi::DT_IP_ADDRESS),
                ip.octets().to_vec(),
                SERVER_PURPOSE,
            ),
            PeerName::AnyServer => (None, Vec::new(), SERVER_PURPOSE),
            PeerName::AnyClient => (None, Vec::new(), CLIENT_PURPOSE),
        };
        let mut data = Box::new(VerifyData {
            name: bytes,
            vdata: Vec::new(),
        });
        if let Some(kind) = kind {
            // The length of a text is taken from its terminator.
            let size = match kind {
                ffi::DT_IP_ADDRESS => u32::try_from(data.name.len()).unwrap_or(0),
                _ => 0,
            };
            let entry = ffi::TypedVdata {
                kind,
                data: data.name.as_mut_ptr(),
                size,
            };
            data.vdata.push(entry);
        }
        data.vdata.push(ffi::TypedVdata {
            kind: ffi::DT_KEY_PURPOSE_OID,
            data: purpose.as_ptr().cast_mut(),
            size: 0,
        });
        let count = u32::try_from(data.vdata.len()).unwrap_or(0);
        let list = data.vdata.as_mut_ptr();
        // SAFETY: the session is valid; list and bytes live in `data`, which is kept alive and
        // not changed any more.
        unsafe { ffi::gnutls_session_set_verify_cert2(self.raw, list, count, 0) };
        self._name = Some(data);
    }

    /// Server: verifies the client's certificate if there is one. (GnuTLS's own verification
    /// takes a missing certificate for a bad one.)
    pub(crate) fn verify_if_shown(&mut self) {
        // SAFETY: the session is valid and the function has the right signature.
        unsafe { ffi::gnutls_session_set_verify_function(self.raw, hooks::verify_client) }
    }

    /// Server: asks the client for a certificate.
    pub(crate) fn request_certificate(&mut self, required: bool) {
        let how = if required {
            ffi::CERT_REQUIRE
        } else {
            ffi::CERT_REQUEST
        };
        // SAFETY: the session is valid.
        unsafe { ffi::gnutls_certificate_server_set_request(self.raw, how) }
    }

    /// Client: sends the name asked for (SNI).
    pub(crate) fn set_server_name(&mut self, name: &[u8]) -> Result<(), Code> {
        let (data, len) = (name.as_ptr().cast(), name.len());
        // SAFETY: the session is valid and `data` is good for `len` bytes, which are copied.
        check(unsafe { ffi::gnutls_server_name_set(self.raw, ffi::NAME_DNS, data, len) }).map(drop)
    }

    /// Server: makes tickets possible, protected by this key of 64 bytes.
    pub(crate) fn enable_tickets(&mut self, key: &[u8]) -> Result<(), Code> {
        let key = datum(key);
        // SAFETY: the session is valid, and so is the datum, which is copied.
        check(unsafe { ffi::gnutls_session_ticket_enable_server(self.raw, &key) })?;
        // QUIC has its own limits for early data.
        // RFC 9001 4.6.1 #1
        let most = 0xffff_ffff;
        // SAFETY: the session is valid.
        check(unsafe { ffi::gnutls_record_set_max_early_data_size(self.raw, most) }).map(drop)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the session is valid and nobody uses it after its owner.
        unsafe { ffi::gnutls_deinit(self.raw) }
    }
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
        hooks::attach(self, hooks)
    }

    /// Takes the hooks off again.
    pub(crate) fn detach(self) {
        hooks::detach(self);
    }

    /// Leaves something with the session, which needs hooks.
    pub(crate) fn leave(self, luggage: Box<dyn Any>) {
        hooks::leave(self, luggage);
    }

    /// Takes what was left with the session.
    pub(crate) fn take(self) -> Option<Box<dyn Any>> {
        hooks::take(self)
    }

    /// Server: refuses early data that was seen before. For sessions of others, whose life this
    /// crate does not know.
    pub(crate) fn use_static_anti_replay(self, replay: &'static AntiReplay) {
        // SAFETY: the session is valid, and so is the object for ever.
        unsafe { ffi::gnutls_anti_replay_enable(self.raw, replay.as_ptr()) };
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

    /// Whether the peer has shown a certificate.
    pub(crate) fn has_peer_certificate(self) -> bool {
        let mut count = 0;
        // SAFETY: the session is valid and `count` is good for writing.
        let list = unsafe { ffi::gnutls_certificate_get_peers(self.raw, &mut count) };
        !list.is_null() && count > 0
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
