// SPDX-License-Identifier: GPL-2.0

//! TOKEN and SESSION_TICKET: what a client keeps for its next connection.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use super::read_all;
use crate::{
    linux::net::{
        inet,
        sock::{
            Owned,
            Sock, //
        },
        sockopt::{
            OptIn,
            OptOut, //
        }, //
    },
    mem::Vec as CoreVec,
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
    sk.apply_token();
    Ok(())
}

/// A server's socket is told by the failure, which the handshake library relies on.
pub(super) fn get_token(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let mut sk = sk.lock();
    if sk.is_server() {
        return Err(EINVAL);
    }
    let received = sk.attached().map(|at| copy(at.core.token())).transpose()?;
    let token = match received.filter(|t| !t.is_empty()) {
        Some(token) => token,
        None => copy(&sk.options.token)?,
    };
    drop(sk);
    value.write_all(&token)
}

pub(super) fn set_ticket(sk: &Sock<Quic>, value: &OptIn) -> Result {
    if !TICKET.contains(&value.len()) {
        return Err(EINVAL);
    }
    let bytes = read_all(value)?;
    let mut copy = CoreVec::new();
    copy.try_extend_from_slice(&bytes).map_err(|_| ENOMEM)?;
    let mut sk = sk.lock();
    sk.options.ticket = bytes;
    if let Some(at) = sk.attached() {
        at.core.set_session_ticket(copy);
    }
    Ok(())
}

pub(super) fn get_ticket(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let mut sk = sk.lock();
    match sk.sk().raw().state() {
        inet::LISTEN => return Err(EPIPE),
        inet::CLOSE if sk.is_server() => return Err(EPIPE),
        _ => {}
    }
    let ticket = match sk.is_server() {
        true => sk.ticket_key()?,
        false => client_ticket(&mut sk)?,
    };
    drop(sk);
    value.write_all(&ticket)
}

/// What the connection received, or what the user stored.
fn client_ticket(sk: &mut Owned<'_, Quic>) -> Result<KVec<u8>> {
    let received = sk
        .attached()
        .map(|at| copy(at.core.session_ticket()))
        .transpose()?;
    match received.filter(|ticket| !ticket.is_empty()) {
        Some(ticket) => Ok(ticket),
        None => copy(&sk.options.ticket),
    }
}

fn copy(bytes: &[u8]) -> Result<KVec<u8>> {
    let mut out = KVec::with_capacity(bytes.len(), GFP_KERNEL)?;
    out.extend_from_slice(bytes, GFP_KERNEL)?;
    Ok(out)
}
