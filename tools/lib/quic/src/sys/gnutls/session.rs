// SPDX-License-Identifier: LGPL-2.1-or-later
//! A TLS session.

use std::{
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
    check,
    ffi,
    hooks,
    AntiReplay,
    CertificateCredentials,
    ClientPskCredentials,
    Code,
    ServerPskCredentials, //
};
mod borrowed;

pub(crate) use borrowed::SessionRef;

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
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the session is valid and nobody uses it after its owner.
        unsafe { ffi::gnutls_deinit(self.raw) }
    }
}
