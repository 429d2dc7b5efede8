// SPDX-License-Identifier: GPL-2.0

//! Datagrams of RFC 9221 (uapi 5.2): one call, one DATAGRAM frame, all or nothing.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    buf::Chunk,
    common::error::Error as CoreError,
    errno::errno,
    linux::net::{
        msg::MsgHdr,
        sock::Owned, //
    },
    sendmsg::{
        space,
        wait,
        Call, //
    },
    socket::{
        Quic,
        Role, //
    },
};

/// Queues one datagram.
pub(crate) fn send(sk: &mut Owned<'_, Quic>, msg: &mut MsgHdr<'_>, call: &Call) -> Result<usize> {
    let Role::Connection(at) = &sk.role else {
        return Err(EPIPE);
    };
    let max = at.core.max_datagram_len().ok_or(EINVAL)?;
    if call.len == 0 || call.len > max || call.len > sk.sk().raw().sndbuf() {
        return Err(EMSGSIZE);
    }
    let mut timeout = call.timeout;
    let mut chunk = None;
    loop {
        if space(sk) < call.len {
            wait(sk, &mut timeout, |sk| {
                (space(sk) >= call.len).then_some(Ok(()))
            })?;
        }
        let full = match chunk.take() {
            Some(chunk) => chunk,
            None => Chunk::try_from_iter(msg.source(), call.len)?,
        };
        let Role::Connection(at) = &mut sk.role else {
            return Err(EPIPE);
        };
        match at.core.send_datagram(full) {
            Ok(()) => return Ok(call.len),
            Err((CoreError::WouldBlock, back)) => chunk = Some(back),
            Err((e, _)) => return Err(errno(e)),
        }
        // The queue of datagrams is full: something has to leave first.
        let mut first = true;
        wait(sk, &mut timeout, |_| {
            (!core::mem::take(&mut first)).then_some(Ok(()))
        })?;
    }
}
