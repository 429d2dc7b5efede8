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
    options::{
        normalize_alpn,
        Options, //
    },
    server_name,
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
    replace(sk, normalize_alpn(&read_all(value)?)?, |o| &mut o.alpn)
}

/// Puts a new list in the place of the old one. A listener's is fixed.
fn replace(
    sk: &Sock<Quic>,
    list: KVec<u8>,
    place: impl FnOnce(&mut Options) -> &mut Arc<KVec<u8>>,
) -> Result {
    let list = Arc::new(list, GFP_KERNEL)?;
    let mut sk = sk.lock();
    if matches!(sk.role, Role::Listener(_)) {
        return Err(EINVAL);
    }
    let old = core::mem::replace(place(&mut sk.options), list);
    drop(sk);
    drop(old);
    Ok(())
}

/// The servers that a listener will speak for; no value takes the names away.
pub(super) fn set_servers(sk: &Sock<Quic>, value: &OptIn) -> Result {
    if value.len() > server_name::MAX_LIST {
        return Err(EINVAL);
    }
    let list = match value.is_empty() {
        true => KVec::new(),
        false => server_name::normalize(&read_all(value)?)?,
    };
    replace(sk, list, |o| &mut o.servers)
}

pub(super) fn get_servers(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let list = sk.lock().options.servers.clone();
    value.write_all(&list)
}

pub(super) fn get(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let list = sk.lock().options.alpn.clone();
    // Room for a terminating NUL is asked for, though none is written.
    if !list.is_empty() && value.len() <= list.len() {
        return Err(EINVAL);
    }
    value.write(&list)
}
