// SPDX-License-Identifier: GPL-2.0

//! TRANSPORT_PARAM and TRANSPORT_PARAM_EXT: what both sides announce.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use super::read_all;
use crate::{
    drive,
    errno::errno,
    linux::net::{
        inet,
        sock::Sock,
        sockopt::{
            OptIn,
            OptOut, //
        }, //
    },
    options::{
        check_params,
        merge_params, //
    },
    socket::Quic,
    uapi::TransportParam, //
};

pub(super) fn set(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let param = TransportParam::decode(&value.read_array::<{ TransportParam::SIZE }>()?);
    let mut sk = sk.lock();
    let state = sk.sk().raw().state();
    if state == inet::ESTABLISHED || !check_params(&param) {
        return Err(EINVAL);
    }
    if param.remote != 0 {
        if state != inet::SYN_RECV {
            return Err(EINVAL);
        }
        let mut merged = sk.options.remembered.unwrap_or_default();
        merge_params(&mut merged, &param);
        merged.remote = 1;
        sk.options.remembered = Some(merged);
        return sk.apply_remembered(&merged);
    }
    merge_params(&mut sk.options.local, &param);
    if param.max_data != 0 {
        let bytes = usize::try_from(param.max_data.saturating_mul(4)).unwrap_or(usize::MAX);
        sk.set_rcvbuf(bytes);
    }
    sk.apply_params()
}

pub(super) fn get(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let asked = TransportParam::decode(&value.read_array::<{ TransportParam::SIZE }>()?);
    let mut sk = sk.lock();
    let param = match asked.remote {
        0 => sk.options.local,
        1 => sk.peer_params(),
        _ => return Err(EINVAL),
    };
    drop(sk);
    value.write(&param.encode())
}

/// Longest encoding that is taken, bytes.
const MAX_EXT: usize = 512;

/// The peer's parameters, as TLS brought them.
pub(super) fn set_ext(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let bytes = read_all(value)?;
    if bytes.len() > MAX_EXT {
        return Err(EINVAL);
    }
    let mut sk = sk.lock();
    if sk.sk().raw().state() != inet::SYN_RECV {
        return Err(EINVAL);
    }
    let at = sk.attached().ok_or(EINVAL)?;
    let result = at
        .call(|core, cx| core.set_peer_params(cx, &bytes))
        .map_err(errno);
    drive::drive(&mut sk);
    result
}

/// Own parameters, for TLS to carry.
pub(super) fn get_ext(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let mut bytes = [0; MAX_EXT];
    let mut sk = sk.lock();
    if sk.sk().raw().state() != inet::SYN_RECV {
        return Err(EINVAL);
    }
    let at = sk.attached().ok_or(EINVAL)?;
    let room = value.len().min(MAX_EXT);
    let room = bytes.get_mut(..room).unwrap_or_default();
    let len = at.core.encode_params(room).map_err(errno)?;
    drop(sk);
    value.write_all(bytes.get(..len).unwrap_or_default())
}
