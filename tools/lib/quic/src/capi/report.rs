// SPDX-License-Identifier: LGPL-2.1-or-later
//! Errors and log messages, as C has them.

use std::{
    cell::RefCell,
    ffi::{
        CStr,
        CString, //
    },
    io,
    sync::{
        atomic::{
            AtomicI32,
            Ordering, //
        },
        Mutex,
        PoisonError, //
    },
};

use libc::{
    c_char,
    c_int,
    ssize_t, //
};

use crate::error::{
    Error,
    Result, //
};

/// `quic_set_log_func_t`
pub type LogFn = unsafe extern "C" fn(c_int, *const c_char);

/// Messages up to this level are given out; -1 for none.
static LEVEL: AtomicI32 = AtomicI32::new(-1);
/// Who gets them; standard error if nobody.
static FUNCTION: Mutex<Option<LogFn>> = Mutex::new(None);

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::new(CString::default());
}

pub(super) fn set_level(level: c_int) -> c_int {
    LEVEL.swap(level, Ordering::Relaxed)
}

pub(super) fn set_function(func: Option<LogFn>) -> Option<LogFn> {
    let mut current = FUNCTION.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *current, func)
}

/// The text of the last failure in this thread; empty if there was none.
pub(super) fn last_error() -> *const c_char {
    const NONE: &CStr = c"";
    // Only a thread that is ending has no such variable any more.
    LAST_ERROR
        .try_with(|text| text.borrow().as_ptr())
        .unwrap_or(NONE.as_ptr())
}

/// 0, or a negative errno with the reason kept and logged.
pub(super) fn result(result: Result<()>) -> c_int {
    let Err(err) = result else {
        return 0;
    };
    let text = c_string(&err.to_string());
    log(libc::LOG_ERR, &text);
    let _ = LAST_ERROR.try_with(|last| last.replace(text));
    errno(&err).saturating_neg()
}

/// A number of bytes, or -1 with `errno` set.
pub(super) fn count(result: io::Result<usize>) -> ssize_t {
    match result {
        Ok(len) => ssize_t::try_from(len).unwrap_or(ssize_t::MAX),
        Err(err) => {
            // SAFETY: the location of errno is valid in every thread.
            unsafe { *libc::__errno_location() = err.raw_os_error().unwrap_or(libc::EIO) };
            -1
        }
    }
}

/// Tells a developer what happens.
pub(super) fn debug(text: &str) {
    if LEVEL.load(Ordering::Relaxed) >= libc::LOG_DEBUG {
        log(libc::LOG_DEBUG, &c_string(text));
    }
}

fn log(level: c_int, text: &CStr) {
    if LEVEL.load(Ordering::Relaxed) < level {
        return;
    }
    let function = *FUNCTION.lock().unwrap_or_else(PoisonError::into_inner);
    match function {
        // SAFETY: the program has given a function of this type; the text is NUL-terminated.
        Some(function) => unsafe { function(level, text.as_ptr()) },
        None => eprintln!("libquic: {}", text.to_string_lossy()),
    }
}

fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\\0")).unwrap_or_default()
}

fn errno(err: &Error) -> c_int {
    match err {
        Error::Unavailable(err) | Error::Io(_, err) => err.raw_os_error().unwrap_or(libc::EIO),
        Error::Config(_) => libc::EINVAL,
        Error::Certificate(_) => libc::EKEYREJECTED,
        Error::Tls { .. } => libc::EPROTO,
        Error::PeerAlert(..) => libc::ECONNREFUSED,
        Error::Closed(_) | Error::LocallyClosed => libc::ECONNRESET,
        Error::Reset(_) | Error::Stopped(_) => libc::ECONNRESET,
        Error::IdleTimeout | Error::Timeout(_) => libc::ETIMEDOUT,
    }
}
