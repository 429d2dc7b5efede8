// SPDX-License-Identifier: GPL-2.0

//! From the core's errors to errno values; the only place that maps them.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::common::error::Error as CoreError;

/// The errno of an error of the core.
pub(crate) fn errno(error: CoreError) -> Error {
    match error {
        CoreError::Invalid => EINVAL,
        CoreError::WouldBlock => EAGAIN,
        CoreError::NoCredit => ENOSPC,
        CoreError::Released => ENOSTR,
        CoreError::Closed => EPIPE,
        CoreError::NotConnected => ENOTCONN,
        CoreError::MsgSize => EMSGSIZE,
        CoreError::NoMemory => ENOMEM,
        CoreError::Busy => EBUSY,
        CoreError::Unsupported => EOPNOTSUPP,
    }
}
