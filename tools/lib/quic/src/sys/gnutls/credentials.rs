// SPDX-License-Identifier: LGPL-2.1-or-later
//! Credentials, which sessions share once they are complete.

use std::{
    collections::HashMap,
    ffi::CString,
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr,
    sync::{
        Mutex,
        PoisonError, //
    },
    time::{
        Duration,
        SystemTime, //
    },
};

use libc::{
    c_int,
    time_t, //
};

use super::{
    borrow_datum,
    check,
    datum,
    ffi,
    hooks,
    Code, //
};

/// Certificates, keys and trusted authorities. Changed only while nobody shares it (`&mut`).
#[derive(Debug)]
pub(crate) struct CertificateCredentials(ffi::Opaque);

// SAFETY: GnuTLS documents that credentials may be used from several threads at once as long as
// nobody changes them, which needs `&mut` here.
unsafe impl Send for CertificateCredentials {}
// SAFETY: as above.
unsafe impl Sync for CertificateCredentials {}

impl CertificateCredentials {
    pub(crate) fn new() -> Result<Self, Code> {
        let mut cred = ptr::null_mut();
        // SAFETY: `cred` is good for writing one pointer.
        check(unsafe { ffi::gnutls_certificate_allocate_credentials(&mut cred) })?;
        Ok(CertificateCredentials(cred))
    }

    /// Trusts the system's authorities; returns how many there are.
    pub(crate) fn trust_system(&mut self) -> Result<i32, Code> {
        // SAFETY: the credentials are valid by construction.
        check(unsafe { ffi::gnutls_certificate_set_x509_system_trust(self.0) })
    }

    /// Trusts the certificates in a PEM file; returns how many there are.
    pub(crate) fn trust_file(&mut self, file: &Path) -> Result<i32, Code> {
        let file = c_path(file)?;
        let format = ffi::X509_FMT_PEM;
        // SAFETY: the credentials are valid and `file` is NUL-terminated.
        check(unsafe { ffi::gnutls_certificate_set_x509_trust_file(self.0, file.as_ptr(), format) })
    }

    /// Adds a certificate with its chain, and its key, from PEM files.
    pub(crate) fn add_key(&mut self, chain: &Path, key: &Path) -> Result<(), Code> {
        let chain = c_path(chain)?;
        let key = c_path(key)?;
        let format = ffi::X509_FMT_PEM;
        // SAFETY: the credentials are valid and both names are NUL-terminated.
        check(unsafe {
            ffi::gnutls_certificate_set_x509_key_file(self.0, chain.as_ptr(), key.as_ptr(), format)
        })
        .map(drop)
    }

    /// Adds a certificate and its key; both PEM, with the chain, or both DER.
    pub(crate) fn add_key_bytes(&mut self, chain: &[u8], key: &[u8]) -> Result<(), Code> {
        let is_pem = chain.starts_with(b"-----BEGIN");
        let format = if is_pem {
            ffi::X509_FMT_PEM
        } else {
            ffi::X509_FMT_DER
        };
        let (chain, key) = (datum(chain), datum(key));
        // SAFETY: the credentials are valid, and so are both data, which are copied.
        check(unsafe { ffi::gnutls_certificate_set_x509_key_mem(self.0, &chain, &key, format) })
            .map(drop)
    }

    pub(super) fn as_ptr(&self) -> ffi::Opaque {
        self.0
    }
}

impl Drop for CertificateCredentials {
    fn drop(&mut self) {
        // SAFETY: the credentials are valid, and sessions that use them hold a reference.
        unsafe { ffi::gnutls_certificate_free_credentials(self.0) }
    }
}

/// A client's pre-shared key.
#[derive(Debug)]
pub(crate) struct ClientPskCredentials(ffi::Opaque);

// SAFETY: as for CertificateCredentials; nothing changes them after construction.
unsafe impl Send for ClientPskCredentials {}
// SAFETY: as above.
unsafe impl Sync for ClientPskCredentials {}

impl ClientPskCredentials {
    pub(crate) fn new(identity: &[u8], key: &[u8]) -> Result<Self, Code> {
        let mut cred = ptr::null_mut();
        // SAFETY: `cred` is good for writing one pointer.
        check(unsafe { ffi::gnutls_psk_allocate_client_credentials(&mut cred) })?;
        let this = ClientPskCredentials(cred);
        let (identity, key) = (datum(identity), datum(key));
        let kind = ffi::PSK_KEY_RAW;
        // SAFETY: both data are valid; GnuTLS copies them.
        check(unsafe { ffi::gnutls_psk_set_client_credentials2(this.0, &identity, &key, kind) })?;
        Ok(this)
    }

    pub(super) fn as_ptr(&self) -> ffi::Opaque {
        self.0
    }
}

impl Drop for ClientPskCredentials {
    fn drop(&mut self) {
        // SAFETY: the credentials are valid, and sessions that use them hold a reference.
        unsafe { ffi::gnutls_psk_free_client_credentials(self.0) }
    }
}

/// A server's readiness for pre-shared keys. The keys come from the session's hooks.
#[derive(Debug)]
pub(crate) struct ServerPskCredentials(ffi::Opaque);

// SAFETY: as for CertificateCredentials; nothing changes them after construction.
unsafe impl Send for ServerPskCredentials {}
// SAFETY: as above.
unsafe impl Sync for ServerPskCredentials {}

impl ServerPskCredentials {
    pub(crate) fn new() -> Result<Self, Code> {
        let mut cred = ptr::null_mut();
        // SAFETY: `cred` is good for writing one pointer.
        check(unsafe { ffi::gnutls_psk_allocate_server_credentials(&mut cred) })?;
        // SAFETY: the credentials are valid and the function has the right signature.
        unsafe { ffi::gnutls_psk_set_server_credentials_function2(cred, hooks::psk_key) };
        Ok(ServerPskCredentials(cred))
    }

    pub(super) fn as_ptr(&self) -> ffi::Opaque {
        self.0
    }
}

impl Drop for ServerPskCredentials {
    fn drop(&mut self) {
        // SAFETY: the credentials are valid, and sessions that use them hold a reference.
        unsafe { ffi::gnutls_psk_free_server_credentials(self.0) }
    }
}

/// Memory of the early data seen by a server, so that none is accepted twice (RFC 8446 8.2).
#[derive(Debug)]
pub(crate) struct AntiReplay {
    replay: ffi::Opaque,
    /// Boxed, since GnuTLS keeps its address.
    seen: Box<Seen>,
}

/// Identities of ClientHellos and when they may be forgotten.
type Seen = Mutex<HashMap<Vec<u8>, SystemTime>>;

/// ClientHellos with early data remembered at once. Beyond it, early data is refused, which only
/// costs the client a round trip.
const MOST_SEEN: usize = 65_536;

// SAFETY: GnuTLS only reads the object while handshakes run; the table behind it has a lock.
unsafe impl Send for AntiReplay {}
// SAFETY: as above.
unsafe impl Sync for AntiReplay {}

impl AntiReplay {
    pub(crate) fn new() -> Result<Self, Code> {
        let mut replay = ptr::null_mut();
        // SAFETY: `replay` is good for writing one pointer.
        check(unsafe { ffi::gnutls_anti_replay_init(&mut replay) })?;
        let this = AntiReplay {
            replay,
            seen: Box::default(),
        };
        // SAFETY: the object is valid and the function has the right signature.
        unsafe { ffi::gnutls_anti_replay_set_add_function(this.replay, add_seen) };
        let table = ptr::from_ref(&*this.seen).cast_mut().cast();
        // SAFETY: the object is valid; the table lives in a box that is freed after it.
        unsafe { ffi::gnutls_anti_replay_set_ptr(this.replay, table) };
        Ok(this)
    }

    pub(super) fn as_ptr(&self) -> ffi::Opaque {
        self.replay
    }
}

impl Drop for AntiReplay {
    fn drop(&mut self) {
        // SAFETY: the object is valid, and sessions that use it hold a reference.
        unsafe { ffi::gnutls_anti_replay_deinit(self.replay) }
    }
}

/// Adds an entry; GNUTLS_E_DB_ENTRY_EXISTS if it is there already.
unsafe extern "C" fn add_seen(
    table: ffi::Opaque,
    expires: time_t,
    key: *const ffi::Datum,
    _data: *const ffi::Datum,
) -> c_int {
    // SAFETY: this function is only registered together with a pointer to a `Seen`.
    let seen = unsafe { &*table.cast::<Seen>() };
    // SAFETY: GnuTLS passes a valid datum.
    let key = unsafe { &*key };
    // SAFETY: the datum's bytes live until this function returns.
    let key = unsafe { borrow_datum(key) };
    let expires = Duration::from_secs(u64::try_from(expires).unwrap_or(0));
    let now = SystemTime::now();
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.retain(|_, expires| *expires >= now);
    if seen.contains_key(key) || seen.len() >= MOST_SEEN {
        return ffi::E_DB_ENTRY_EXISTS;
    }
    let expires = SystemTime::UNIX_EPOCH.checked_add(expires).unwrap_or(now);
    seen.insert(key.to_vec(), expires);
    0
}

fn c_path(path: &Path) -> Result<CString, Code> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Code(ffi::E_INTERNAL_ERROR))
}
