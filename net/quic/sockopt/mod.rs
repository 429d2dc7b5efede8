// SPDX-License-Identifier: GPL-2.0

//! Socket options at level `SOL_QUIC`.
//!
//! The value is copied from user memory before the socket lock is taken and back after it was
//! given up.

#![forbid(unsafe_code)]

mod close;
mod config;
mod event;
mod info;
mod names;
mod params;
mod paths;
mod secret;
mod streams;
mod tickets;

use kernel::prelude::*;

use crate::{
    linux::net::{
        sock::Sock,
        sockopt::{
            OptIn,
            OptOut, //
        }, //
    },
    socket::Quic,
    uapi::*, //
};

/// Longest value of any option, bytes.
const MAX_LEN: usize = 4096;

/// `setsockopt(2)`.
pub(crate) fn set(sk: &Sock<Quic>, name: i32, value: &OptIn) -> Result {
    if value.len() > MAX_LEN {
        return Err(EINVAL);
    }
    match name {
        QUIC_SOCKOPT_EVENT => event::set(sk, value),
        QUIC_SOCKOPT_STREAM_RESET => streams::reset(sk, value),
        QUIC_SOCKOPT_STREAM_STOP_SENDING => streams::stop_sending(sk, value),
        QUIC_SOCKOPT_CONNECTION_ID => paths::set_ids(sk, value),
        QUIC_SOCKOPT_CONNECTION_MIGRATION => paths::migrate(sk, value),
        QUIC_SOCKOPT_KEY_UPDATE => paths::key_update(sk),
        QUIC_SOCKOPT_CRYPTO_SECRET => secret::set(sk, value),
        QUIC_SOCKOPT_TRANSPORT_PARAM_EXT => params::set_ext(sk, value),
        QUIC_SOCKOPT_CONNECTION_CLOSE => close::set(sk, value),
        QUIC_SOCKOPT_TRANSPORT_PARAM => params::set(sk, value),
        QUIC_SOCKOPT_CONFIG => config::set(sk, value),
        QUIC_SOCKOPT_TOKEN => tickets::set_token(sk, value),
        QUIC_SOCKOPT_ALPN => names::set(sk, value),
        QUIC_SOCKOPT_SESSION_TICKET => tickets::set_ticket(sk, value),
        QUIC_SOCKOPT_SERVER_NAME => names::set_servers(sk, value),
        QUIC_SOCKOPT_STREAM_RESET_AT => streams::reset_at(sk, value),
        QUIC_SOCKOPT_STREAM_PRIORITY => streams::set_priority(sk, value),
        _ => Err(ENOPROTOOPT),
    }
}

/// `getsockopt(2)`.
pub(crate) fn get(sk: &Sock<Quic>, name: i32, value: &OptOut) -> Result<i32> {
    match name {
        QUIC_SOCKOPT_EVENT => event::get(sk, value),
        QUIC_SOCKOPT_STREAM_OPEN => streams::open(sk, value),
        QUIC_SOCKOPT_STREAM_PRIORITY => streams::get_priority(sk, value),
        QUIC_SOCKOPT_CONNECTION_ID => paths::get_ids(sk, value),
        QUIC_SOCKOPT_TRANSPORT_PARAM_EXT => params::get_ext(sk, value),
        QUIC_SOCKOPT_INFO => info::get(sk, value),
        QUIC_SOCKOPT_CONNECTION_CLOSE => close::get(sk, value),
        QUIC_SOCKOPT_TRANSPORT_PARAM => params::get(sk, value),
        QUIC_SOCKOPT_CONFIG => config::get(sk, value),
        QUIC_SOCKOPT_TOKEN => tickets::get_token(sk, value),
        QUIC_SOCKOPT_ALPN => names::get(sk, value),
        QUIC_SOCKOPT_SESSION_TICKET => tickets::get_ticket(sk, value),
        QUIC_SOCKOPT_SERVER_NAME => names::get_servers(sk, value),
        _ => Err(ENOPROTOOPT),
    }?;
    Ok(0)
}

/// The whole value in memory of its own.
fn read_all(value: &OptIn) -> Result<KVec<u8>> {
    let mut bytes = KVec::from_elem(0, value.len(), GFP_KERNEL)?;
    value.read(&mut bytes)?;
    Ok(bytes)
}
