// SPDX-License-Identifier: GPL-2.0

//! Handshake messages (uapi 5.1).

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    buf::Chunk,
    common::id::Level,
    errno::errno,
    linux::net::{
        msg::MsgHdr,
        sock::Owned, //
    },
    output,
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
    uapi::level, //
};

/// Bytes of handshake messages that are queued even without memory: the messages of a flight wait for
/// each other, so that the first ones would never leave and make room. A flight with a certificate
/// chain of a reasonable length fits. It is what any socket may queue in that case, and no more: there
/// may be many that do not get further.
const FLIGHT: usize = Chunk::MAX;

/// The level of handshake messages that the user names so.
fn level_of(number: u8) -> Result<Level> {
    match number {
        level::APP => Ok(Level::App),
        level::INITIAL => Ok(Level::Initial),
        level::HANDSHAKE => Ok(Level::Handshake),
        _ => Err(EINVAL),
    }
}

/// Queues one handshake message, or a part of it.
pub(crate) fn send(
    sk: &mut Owned<'_, Quic>,
    msg: &mut MsgHdr<'_>,
    call: &Call,
    number: u8,
) -> Result<usize> {
    let level = level_of(number)?;
    let sock = sk.sk();
    let Role::Connection(at) = &mut sk.role else {
        return Err(EPIPE);
    };
    if !at.core.can_write_crypto(level) {
        return Err(EINVAL);
    }
    if !output::has_route(sock, at) {
        return Err(ENETUNREACH);
    }
    if call.len == 0 {
        return Err(EMSGSIZE);
    }
    let mut timeout = call.timeout;
    let mut done = 0;
    while done < call.len {
        match step(
            sk,
            msg,
            call,
            level,
            call.len.saturating_sub(done),
            &mut timeout,
        ) {
            Ok(n) => done = done.saturating_add(n),
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}

fn step(
    sk: &mut Owned<'_, Quic>,
    msg: &mut MsgHdr<'_>,
    call: &Call,
    level: Level,
    left: usize,
    timeout: &mut isize,
) -> Result<usize> {
    let wanted = loop {
        if space(sk) == 0 {
            wait(sk, timeout, |sk| (space(sk) > 0).then_some(Ok(())))?;
        }
        let wanted = left.min(space(sk));
        let queued = sk.sk().raw().wmem();
        if queued.saturating_add(wanted) <= FLIGHT || may_queue(sk, wanted) {
            break wanted;
        }
        wait_for_memory(sk, wanted, timeout)?;
    };
    let chunk = Chunk::try_from_iter(msg.source(), wanted)?;
    let len = chunk.len();
    let more = call.more() || len < left;
    let Role::Connection(at) = &mut sk.role else {
        return Err(EPIPE);
    };
    at.call(|core, cx| core.write_crypto(cx, level, chunk, more))
        .map_err(|(e, _)| errno(e))?;
    let charged = at.core.send_truesize();
    sk.settle_wmem(charged);
    Ok(len)
}
