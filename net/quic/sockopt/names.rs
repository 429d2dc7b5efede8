// SPDX-License-Identifier: GPL-2.0

//! ALPN: names of application protocols.

#![forbid(unsafe_code)]

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::read_all;
use crate::{
    linux::net::{
        sock::Sock,
        sockopt::{
            OptIn,
            OptOut, //
        }, //
    },
    options::normalize_alpn,
    socket::{
        Quic,
        Role, //
    }, //
};

/// Longest list, bytes.
const MAX_LEN: usize = 128;

pub(super) fn set(sk: &Sock<Quic>, value: &OptIn) -> Result {
    if value.is_empty() || value.len() > MAX_LEN {
        return Err(EINVAL);
    }
    let list = Arc::new(normalize_alpn(&read_all(value)?)?, GFP_KERNEL)?;
    let mut sk = sk.lock();
    if matches!(sk.role, Role::Listener(_)) {
        return Err(EINVAL);
    }
    let old = core::mem::replace(&mut sk.options.alpn, list);
    drop(sk);
    drop(old);
    Ok(())
}

pub(super) fn get(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let list = sk.lock().options.alpn.clone();
    // Room for a terminating NUL is asked for, though none is written.
    if !list.is_empty() && value.len() <= list.len() {
        return Err(EINVAL);
    }
    value.write(&list)
}
