// SPDX-License-Identifier: GPL-2.0

//! Stream data (uapi 5.3).

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    buf::Chunk,
    common::{
        error::Error as CoreError,
        id::{
            Dir,
            StreamId, //
        }, //
    },
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
        Call,
        STREAM_FLAGS, //
    },
    socket::{
        Quic,
        Role, //
    },
    stream::Streams,
    uapi::{
        StreamInfo,
        MSG_QUIC_STREAM_DONTWAIT,
        MSG_QUIC_STREAM_FIN,
        MSG_QUIC_STREAM_NEW,
        MSG_QUIC_STREAM_SNDBLOCK,
        MSG_QUIC_STREAM_UNI, //
    },
};

/// Data is sent off after this much was queued, so that it travels while the rest is copied.
const DRIVE_EVERY: usize = 64 << 10;

/// Queues data of a stream.
pub(crate) fn send(
    sk: &mut Owned<'_, Quic>,
    msg: &mut MsgHdr<'_>,
    call: &Call,
    info: Option<StreamInfo>,
) -> Result<usize> {
    let flags = match info {
        Some(info) => info.stream_flags,
        None => call.flags & STREAM_FLAGS,
    };
    let wanted = info.map_or(-1, |info| info.stream_id);
    let mut timeout = call.timeout;
    let id = find(sk, wanted, flags, &mut timeout)?;
    let fin = flags & MSG_QUIC_STREAM_FIN != 0;
    if call.len == 0 && !fin {
        return Err(EMSGSIZE);
    }
    let plan = Plan {
        id,
        fin,
        explicit: info.is_some(),
        tell: flags & MSG_QUIC_STREAM_SNDBLOCK != 0,
    };
    streams(sk)?.set_corked(id, call.more());
    let result = queue_all(sk, msg, call, &plan, &mut timeout);
    // A caller that waits for room would wait for what is held back here.
    let fits = |sk: &mut _| room(sk, id).is_ok_and(|room| room > 0);
    let corked = call.more() && result == Ok(call.len) && fits(sk);
    if let Ok(streams) = streams(sk) {
        streams.set_corked(id, corked);
    }
    result
}

/// What is to be done with the data.
struct Plan {
    id: StreamId,
    fin: bool,
    /// The stream was named in a control message.
    explicit: bool,
    /// The peer is to be told when its limits block.
    tell: bool,
}

fn streams<'a>(sk: &'a mut Owned<'_, Quic>) -> Result<&'a mut Streams> {
    match &mut sk.role {
        Role::Connection(at) => Ok(at.core.streams_mut()),
        _ => Err(EPIPE),
    }
}

/// The stream that `wanted` and `flags` name; -1 stands for the active one or the next. Opens it if
/// asked to, waiting for the peer's limit if need be.
pub(crate) fn find(
    sk: &mut Owned<'_, Quic>,
    wanted: i64,
    flags: u32,
    timeout: &mut isize,
) -> Result<StreamId> {
    let dir = if flags & MSG_QUIC_STREAM_UNI != 0 {
        Dir::Uni
    } else {
        Dir::Bidi
    };
    let new = flags & MSG_QUIC_STREAM_NEW != 0;
    let id = match u64::try_from(wanted) {
        Ok(number) => StreamId::from_raw(number).ok_or(EINVAL)?,
        Err(_) if wanted == -1 => streams(sk)?.send_target(dir),
        Err(_) => return Err(EINVAL),
    };
    open(sk, id, new, flags, timeout)?;
    Ok(id)
}

/// Opens the next stream of this side.
pub(crate) fn open_next(
    sk: &mut Owned<'_, Quic>,
    flags: u32,
    timeout: &mut isize,
) -> Result<StreamId> {
    let dir = if flags & MSG_QUIC_STREAM_UNI != 0 {
        Dir::Uni
    } else {
        Dir::Bidi
    };
    let id = streams(sk)?.next_id(dir);
    open(sk, id, true, flags, timeout)?;
    Ok(id)
}

/// Finds or opens stream `id`.
pub(crate) fn open(
    sk: &mut Owned<'_, Quic>,
    id: StreamId,
    new: bool,
    flags: u32,
    timeout: &mut isize,
) -> Result {
    match streams(sk)?.prepare_send(id, new) {
        Ok(()) => return Ok(()),
        Err(CoreError::WouldBlock) => {}
        Err(e) => return Err(errno(e)),
    }
    let dontwait = flags & MSG_QUIC_STREAM_DONTWAIT != 0;
    // RFC 9000 4.6 #5: who waits tells the peer; who does not, only if asked to.
    if dontwait {
        if flags & MSG_QUIC_STREAM_SNDBLOCK != 0 {
            streams(sk)?.note_streams_blocked(id.dir());
        }
        return Err(EAGAIN);
    }
    streams(sk)?.start_wanting(id.dir());
    let result = wait_for_stream(sk, id, new, timeout);
    if let Ok(streams) = streams(sk) {
        streams.stop_wanting(id.dir());
    }
    result
}

fn wait_for_stream(
    sk: &mut Owned<'_, Quic>,
    id: StreamId,
    new: bool,
    timeout: &mut isize,
) -> Result {
    wait(sk, timeout, |sk| {
        let streams = match streams(sk) {
            Ok(streams) => streams,
            Err(e) => return Some(Err(e)),
        };
        match streams.prepare_send(id, new) {
            Ok(()) => Some(Ok(())),
            Err(CoreError::WouldBlock) => None,
            Err(e) => Some(Err(errno(e))),
        }
    })
}

fn queue_all(
    sk: &mut Owned<'_, Quic>,
    msg: &mut MsgHdr<'_>,
    call: &Call,
    plan: &Plan,
    timeout: &mut isize,
) -> Result<usize> {
    if call.len == 0 {
        streams(sk)?.finish(plan.id).map_err(errno)?;
        return Ok(0);
    }
    let mut done = 0usize;
    let mut undriven = 0usize;
    while done < call.len {
        let left = call.len.saturating_sub(done);
        match step(sk, msg, call, plan, left, timeout) {
            Ok(n) => {
                done = done.saturating_add(n);
                undriven = undriven.saturating_add(n);
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
        if undriven >= DRIVE_EVERY {
            undriven = 0;
            crate::drive::drive(sk);
        }
    }
    Ok(done)
}

/// Queues as much as credit and buffer allow, at most one chunk.
fn step(
    sk: &mut Owned<'_, Quic>,
    msg: &mut MsgHdr<'_>,
    call: &Call,
    plan: &Plan,
    left: usize,
    timeout: &mut isize,
) -> Result<usize> {
    let wanted = loop {
        let room = match room(sk, plan.id)? {
            0 => wait_for_room(sk, call, plan, timeout)?,
            room => room,
        };
        let wanted = left.min(room);
        if may_queue(sk, wanted) {
            break wanted;
        }
        // What waits for more of the message must leave, or no memory comes free.
        streams(sk)?.set_corked(plan.id, false);
        wait_for_memory(sk, wanted, timeout)?;
    };
    let spare = streams(sk)?.take_spare();
    let chunk = Chunk::refill(spare, msg.source(), wanted)?;
    let len = chunk.len();
    let fin = plan.fin && len == left;
    let Role::Connection(at) = &mut sk.role else {
        return Err(EPIPE);
    };
    at.core
        .streams_mut()
        .queue(plan.id, chunk, fin)
        .map_err(|(e, _)| errno(e))?;
    let charged = at.core.send_truesize();
    sk.settle_wmem(charged);
    Ok(len)
}

/// Bytes that may be queued on the stream now; `EINVAL` if it is gone.
fn room(sk: &mut Owned<'_, Quic>, id: StreamId) -> Result<usize> {
    let credit = streams(sk)?.sendable(id).map_err(errno)?;
    let credit = usize::try_from(credit).unwrap_or(usize::MAX);
    Ok(credit.min(space(sk)))
}

/// Waits for credit and buffer space.
fn wait_for_room(
    sk: &mut Owned<'_, Quic>,
    call: &Call,
    plan: &Plan,
    timeout: &mut isize,
) -> Result<usize> {
    let id = plan.id;
    // What is queued may leave at once and so make room, even what waits for more of the message.
    streams(sk)?.set_corked(id, false);
    crate::drive::drive(sk);
    let credit = streams(sk)?.sendable(id).map_err(errno)?;
    if credit == 0 && plan.tell {
        streams(sk)?.note_data_blocked(id);
    }
    if call.nonblock() && credit == 0 && plan.explicit && space(sk) > 0 {
        return Err(ENOSPC);
    }
    wait(sk, timeout, |sk| match room(sk, id) {
        Ok(0) => None,
        other => Some(other),
    })
}
