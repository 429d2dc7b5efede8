// SPDX-License-Identifier: LGPL-2.1-or-later
//! GnuTLS behind safe functions: sessions, credentials, and the hooks by which a session asks
//! for keys and hands out messages.

use std::ffi::CStr;

mod attachment;
mod credentials;
pub(crate) mod ffi;
mod hooks;
mod session;

pub(crate) use credentials::{
    AntiReplay,
    CertificateCredentials,
    ClientPskCredentials,
    ServerPskCredentials, //
};
pub(crate) use hooks::Hooks;
pub(crate) use session::{
    PeerName,
    Session,
    SessionRef, //
};

use crate::uapi::Level;

/// A negative return value of GnuTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) i32);

impl Code {
    /// GnuTLS's words for it.
    pub(crate) fn text(self) -> String {
        // SAFETY: gnutls_strerror() takes any number and returns a static string.
        let text = unsafe { ffi::gnutls_strerror(self.0) };
        // SAFETY: the string is NUL-terminated and static.
        let text = unsafe { CStr::from_ptr(text) };
        text.to_string_lossy().into_owned()
    }

    /// The alert that fits it.
    pub(crate) fn alert(self) -> Option<u8> {
        let mut level = 0;
        // SAFETY: `level` is good for writing one int.
        let alert = unsafe { ffi::gnutls_error_to_alert(self.0, &mut level) };
        u8::try_from(alert).ok()
    }

    /// Whether the handshake cannot go on.
    pub(crate) fn is_fatal(self) -> bool {
        // SAFETY: gnutls_error_is_fatal() takes any number.
        unsafe { ffi::gnutls_error_is_fatal(self.0) != 0 }
    }

    /// Whether the handshake waits for more input.
    pub(crate) fn is_again(self) -> bool {
        matches!(self.0, ffi::E_AGAIN | ffi::E_INTERRUPTED)
    }
}

/// What is wrong with a certificate, in GnuTLS's words.
pub(crate) fn status_text(status: u32) -> String {
    let mut text = datum(&[]);
    // SAFETY: `text` is good for writing.
    let ret = unsafe {
        ffi::gnutls_certificate_verification_status_print(status, ffi::CRT_X509, &mut text, 0)
    };
    if ret < 0 {
        return String::new();
    }
    // SAFETY: the bytes are ours and are copied at once.
    let words = String::from_utf8_lossy(unsafe { borrow_datum(&text) }).into_owned();
    // SAFETY: gnutls_free is a function pointer that the library has set.
    let free = unsafe { ffi::gnutls_free };
    // SAFETY: the bytes were allocated for us and are used no more.
    unsafe { free(text.data.cast()) };
    words
}

/// Makes a `Result` of a return value.
fn check(ret: i32) -> Result<i32, Code> {
    if ret < 0 {
        return Err(Code(ret));
    }
    Ok(ret)
}

/// `gnutls_record_encryption_level_t`
fn level_to_gnutls(level: Level) -> i32 {
    match level {
        Level::Initial => 0,
        Level::Early => 1,
        Level::Handshake => 2,
        Level::App => 3,
    }
}

fn level_from_gnutls(level: i32) -> Option<Level> {
    match level {
        0 => Some(Level::Initial),
        1 => Some(Level::Early),
        2 => Some(Level::Handshake),
        3 => Some(Level::App),
        _ => None,
    }
}

/// A datum that GnuTLS only reads, although the type says otherwise.
fn datum(bytes: &[u8]) -> ffi::Datum {
    ffi::Datum {
        data: bytes.as_ptr().cast_mut(),
        size: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
    }
}

/// The bytes of a datum that GnuTLS lends.
///
/// # Safety
/// The datum must be null or point to its number of bytes, which must live as long as `'a`.
unsafe fn borrow_datum<'a>(datum: &ffi::Datum) -> &'a [u8] {
    // SAFETY: as the caller promises.
    unsafe { borrow_bytes(datum.data.cast(), datum.size as usize) }
}

/// The bytes at an address that may be null.
///
/// # Safety
/// `data` must be null or point to `len` bytes, which must live as long as `'a`.
unsafe fn borrow_bytes<'a>(data: *const libc::c_void, len: usize) -> &'a [u8] {
    if data.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: not null, and good for `len` bytes as the caller promises.
    unsafe { std::slice::from_raw_parts(data.cast(), len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gnutls_numbers_its_levels_in_another_order() {
        for level in [Level::App, Level::Initial, Level::Handshake, Level::Early] {
            assert_eq!(level_from_gnutls(level_to_gnutls(level)), Some(level));
        }
        assert_eq!(level_from_gnutls(4), None);
    }

    #[test]
    fn codes_speak() {
        assert_eq!(Code(-344).alert(), Some(120));
        assert!(Code(-344).text().contains("application protocol"));
        assert!(Code(ffi::E_AGAIN).is_again() && !Code(ffi::E_AGAIN).is_fatal());
    }
}
