// SPDX-License-Identifier: GPL-2.0

//! STREAM_OPEN, STREAM_RESET, STREAM_RESET_AT, STREAM_STOP_SENDING and STREAM_PRIORITY.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    common::{
        error::Error as CoreError,
        id::StreamId, //
    },
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
    send_stream,
    sendmsg::{
        is_open,
        STREAM_FLAGS, //
    },
    socket::Quic,
    stream::Streams,
    uapi::{
        ErrInfo,
        StreamInfo,
        StreamPriority,
        StreamResetAt,
        MSG_QUIC_STREAM_DONTWAIT,
        MSG_QUIC_STREAM_NEW, //
    },
};

/// Where `reserved` of `struct quic_stream_priority` begins.
const RESERVED: usize = 10;

pub(super) fn open(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let mut info = StreamInfo::decode(&value.read_array::<{ StreamInfo::SIZE }>()?);
    let mut sk = sk.lock();
    if !is_open(&sk) {
        return Err(EPIPE);
    }
    if info.stream_flags & !STREAM_FLAGS != 0 {
        return Err(EINVAL);
    }
    info.stream_flags |= MSG_QUIC_STREAM_NEW;
    let nonblock = info.stream_flags & MSG_QUIC_STREAM_DONTWAIT != 0;
    let mut timeout = sk.sk().raw().send_timeout(nonblock);
    let id = if info.stream_id == -1 {
        send_stream::open_next(&mut sk, info.stream_flags, &mut timeout)
    } else {
        send_stream::find(&mut sk, info.stream_id, info.stream_flags, &mut timeout)
    };
    drive::drive(&mut sk);
    drop(sk);
    info.stream_id = i64::try_from(id?.raw()).map_err(|_| EINVAL)?;
    value.write(&info.encode())
}

/// Runs `f` on an established connection and its stream of this number.
fn with_stream<T>(
    sk: &Sock<Quic>,
    id: i64,
    f: impl FnOnce(&mut Streams, StreamId) -> Result<T, CoreError>,
) -> Result<T> {
    let id = u64::try_from(id)
        .ok()
        .and_then(StreamId::from_raw)
        .ok_or(EINVAL)?;
    let mut sk = sk.lock();
    if sk.sk().raw().state() != inet::ESTABLISHED {
        return Err(EINVAL);
    }
    let at = sk.attached().ok_or(EINVAL)?;
    let result = f(at.core.streams_mut(), id).map_err(errno);
    drive::drive(&mut sk);
    result
}

pub(super) fn reset(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let info = ErrInfo::decode(&value.read_array::<{ ErrInfo::SIZE }>()?);
    let code = u64::from(info.errcode);
    with_stream(sk, info.stream_id, |streams, id| streams.reset(id, code))
}

pub(super) fn reset_at(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let info = StreamResetAt::decode(&value.read_array::<{ StreamResetAt::SIZE }>()?);
    let code = u64::from(info.errcode);
    with_stream(sk, info.stream_id, |streams, id| {
        streams.reset_at(id, code, info.reliable_size)
    })
}

pub(super) fn stop_sending(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let info = ErrInfo::decode(&value.read_array::<{ ErrInfo::SIZE }>()?);
    let code = u64::from(info.errcode);
    with_stream(sk, info.stream_id, |streams, id| {
        streams.stop_sending(id, code)
    })
}

pub(super) fn set_priority(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let bytes = value.read_array::<{ StreamPriority::SIZE }>()?;
    let info = StreamPriority::decode(&bytes);
    let reserved = bytes.get(RESERVED..).unwrap_or_default();
    if info.incremental > 1 || reserved.iter().any(|byte| *byte != 0) {
        return Err(EINVAL);
    }
    with_stream(sk, info.stream_id, |streams, id| {
        streams.set_priority(id, info.urgency, info.incremental != 0)
    })
}

pub(super) fn get_priority(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let mut info = StreamPriority::decode(&value.read_array::<{ StreamPriority::SIZE }>()?);
    let found = with_stream(sk, info.stream_id, |streams, id| streams.priority(id))?;
    info.urgency = found.0;
    info.incremental = u8::from(found.1);
    value.write(&info.encode())
}
