// SPDX-License-Identifier: GPL-2.0

//! TOKEN and SESSION_TICKET: what a client keeps for its next connection.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use super::read_all;
use crate::{
    linux::net::{
        inet,
        sock::Sock,
        sockopt::{
            OptIn,
            OptOut, //
        }, //
    },
    socket::Quic, //
};

/// Longest address validation token that a client may set, bytes.
const MAX_TOKEN: usize = 120;
/// Bounds of a session ticket or its key, bytes.
const TICKET: core::ops::RangeInclusive<usize> = 64..=4096;

pub(super) fn set_token(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let bytes = read_all(value)?;
    let mut sk = sk.lock();
    if sk.is_server() {
        return sk.issue_token(&bytes);
    }
    if !(1..=MAX_TOKEN).contains(&bytes.len()) {
        return Err(EINVAL);
    }
    sk.options.token = bytes;
    Ok(())
}

/// A server's socket is told by the failure, which the handshake library relies on.
pub(super) fn get_token(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let sk = sk.lock();
    if sk.is_server() {
        return Err(EINVAL);
    }
    let token = copy(&sk.options.token)?;
    drop(sk);
    value.write_all(&token)
}

pub(super) fn set_ticket(sk: &Sock<Quic>, value: &OptIn) -> Result {
    if !TICKET.contains(&value.len()) {
        return Err(EINVAL);
    }
    let bytes = read_all(value)?;
    sk.lock().options.ticket = bytes;
    Ok(())
}

pub(super) fn get_ticket(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let sk = sk.lock();
    match sk.sk().raw().state() {
        inet::LISTEN => return Err(EPIPE),
        inet::CLOSE if sk.is_server() => return Err(EPIPE),
        _ => {}
    }
    let ticket = if sk.is_server() && sk.options.ticket.is_empty() {
        sk.derived_ticket_key()?
    } else {
        copy(&sk.options.ticket)?
    };
    drop(sk);
    value.write_all(&ticket)
}

fn copy(bytes: &[u8]) -> Result<KVec<u8>> {
    let mut out = KVec::with_capacity(bytes.len(), GFP_KERNEL)?;
    out.extend_from_slice(bytes, GFP_KERNEL)?;
    Ok(out)
}
