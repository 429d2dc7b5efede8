// SPDX-License-Identifier: GPL-2.0

//! Datagrams of RFC 9221 (uapi 5.2): one call, one DATAGRAM frame, all or nothing.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    buf::Chunk,
    errno::errno,
    linux::net::{
        msg::MsgHdr,
        sock::Owned, //
    },
    sendmsg::{
        may_queue,
        space,
        wait,
        wait_for_memory,
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
    wait_for_room(sk, call.len, &mut timeout)?;
    while !may_queue(sk, call.len) {
        wait_for_memory(sk, call.len, &mut timeout)?;
        wait_for_room(sk, call.len, &mut timeout)?;
    }
    let chunk = Chunk::try_from_iter(msg.source(), call.len)?;
    let Role::Connection(at) = &mut sk.role else {
        return Err(EPIPE);
    };
    at.core
        .send_datagram(chunk)
        .map(|()| call.len)
        .map_err(|(e, _)| errno(e))
}

/// Waits until a datagram of `len` bytes finds room. Until then the socket is not writable: poll
/// must not promise what a second attempt would not find, and what comes back is seen as new.
fn wait_for_room(sk: &mut Owned<'_, Quic>, len: usize, timeout: &mut isize) -> Result {
    if has_room(sk, len) {
        return Ok(());
    }
    if let Role::Connection(at) = &mut sk.role {
        at.refused = len;
    }
    wait(sk, timeout, |sk| has_room(sk, len).then_some(Ok(())))
}

/// Whether a datagram of `len` bytes can be queued.
fn has_room(sk: &Owned<'_, Quic>, len: usize) -> bool {
    let is_full = matches!(&sk.role, Role::Connection(at) if at.core.datagrams_are_full());
    !is_full && space(sk) >= len
}
