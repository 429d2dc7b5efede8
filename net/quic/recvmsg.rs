// SPDX-License-Identifier: GPL-2.0

//! `recvmsg(2)`: handshake messages first, then events, then stream data and datagrams (uapi 6).

#![forbid(unsafe_code)]

use kernel::{
    iov::IovIterDest,
    prelude::*, //
};

use crate::{
    attached::{
        now,
        Attached,
        Pending, //
    },
    common::{
        error::Error as CoreError,
        id::Level, //
    },
    drive,
    errno::errno,
    event_bytes,
    inqueue::Readable,
    linux::net::{
        msg::MsgHdr,
        sock::Owned, //
    },
    sendmsg::MSG_CMSG_COMPAT,
    socket::{
        Quic,
        Role, //
    },
    uapi::{
        level,
        StreamInfo,
        MSG_DONTWAIT,
        MSG_EOR,
        MSG_PEEK,
        MSG_QUIC_DATAGRAM,
        MSG_QUIC_NOTIFICATION,
        MSG_QUIC_STREAM_FIN,
        QUIC_HANDSHAKE_INFO,
        QUIC_STREAM_INFO,
        SOL_QUIC, //
    },
};

/// Receives items of one kind. Flags other than `MSG_DONTWAIT` and `MSG_PEEK` are ignored: programs
/// feed back those of the last receive.
pub(crate) fn recvmsg(
    sk: &mut Owned<'_, Quic>,
    msg: &mut MsgHdr<'_>,
    _len: usize,
    flags: i32,
) -> Result<usize> {
    // CAST: flags are bits.
    let flags = flags as u32;
    if matches!(sk.role, Role::Listener(_)) {
        return Err(ENOTCONN);
    }
    let timeout = sk.sk().raw().receive_timeout(flags & MSG_DONTWAIT != 0);
    if !is_ready(sk)? {
        // Whoever changed something has driven the connection: nothing has to leave first.
        sk.wait(timeout, |sk| match is_ready(sk) {
            Ok(false) => None,
            other => Some(other),
        })??;
    }
    let Role::Connection(at) = &mut sk.role else {
        return Err(ENOTCONN);
    };
    let peek = flags & MSG_PEEK != 0;
    let result = if at.core.next_crypto().is_some() {
        read_crypto(at, msg, peek)
    } else if at.event.is_some() || !at.core.events().is_empty() {
        read_event(at, msg, peek)
    } else {
        let result = read_data(at, msg, peek);
        drive::after_read(sk);
        return result;
    };
    // Reading gives credit back to the peer.
    drive::drive(sk);
    result
}

/// Whether something can be read; `ENOTCONN` if nothing ever will.
fn is_ready(sk: &mut Owned<'_, Quic>) -> Result<bool> {
    match &mut sk.role {
        Role::Connection(at) => match (at.is_readable(), at.is_open()) {
            (true, _) => Ok(true),
            (false, true) => Ok(false),
            (false, false) => Err(ENOTCONN),
        },
        _ => Err(ENOTCONN),
    }
}

/// Copies to the user; a page that cannot be written ends the copy.
fn copy_out(to: &mut IovIterDest<'_>, bytes: &[u8]) -> Result<usize, CoreError> {
    let done = to.copy_to_iter(bytes);
    if done == 0 && !bytes.is_empty() {
        return Err(CoreError::Invalid);
    }
    Ok(done)
}

/// An error while copying is a bad address, whatever the core calls it.
fn copy_error(e: CoreError) -> Error {
    match e {
        CoreError::Invalid => EFAULT,
        other => errno(other),
    }
}

fn read_crypto(at: &mut Attached, msg: &mut MsgHdr<'_>, peek: bool) -> Result<usize> {
    let room = msg.dest().len() as u64;
    let to = msg.dest();
    let read = at
        .core
        .read_crypto(room, peek, &mut |bytes| copy_out(to, bytes))
        .map_err(copy_error)?;
    let number = match read.level {
        Level::Initial => level::INITIAL,
        Level::Handshake => level::HANDSHAKE,
        Level::Early => level::EARLY,
        Level::App => level::APP,
    };
    msg.put_cmsg(SOL_QUIC, QUIC_HANDSHAKE_INFO, &[number]);
    if read.eor {
        msg.add_flags(MSG_EOR);
    }
    usize::try_from(read.bytes).map_err(|_| EINVAL)
}

fn read_event(at: &mut Attached, msg: &mut MsgHdr<'_>, peek: bool) -> Result<usize> {
    let mut pending = match at.event.take() {
        Some(pending) => pending,
        None => {
            let event = at.core.events().front().ok_or(EAGAIN)?;
            let bytes = event_bytes::encode(event)?;
            at.core.events().pop();
            Pending { bytes, read: 0 }
        }
    };
    let rest = pending.bytes.get(pending.read..).unwrap_or_default();
    let (len, want) = (rest.len(), rest.len().min(msg.dest().len()));
    let done = msg.dest().copy_to_iter(rest);
    if done < want {
        at.event = Some(pending);
        return Err(EFAULT);
    }
    msg.add_flags(MSG_QUIC_NOTIFICATION);
    let complete = done == len;
    if complete {
        msg.add_flags(MSG_EOR);
    }
    if peek {
        at.event = Some(pending);
    } else if !complete {
        pending.read = pending.read.saturating_add(done);
        at.event = Some(pending);
    }
    Ok(done)
}

fn read_data(at: &mut Attached, msg: &mut MsgHdr<'_>, peek: bool) -> Result<usize> {
    let room = msg.dest().len() as u64;
    let to = msg.dest();
    let mut sink = |bytes: &[u8]| copy_out(to, bytes);
    let streams = at.core.streams_mut();
    let outcome = if peek {
        streams.peek(room, &mut sink)
    } else {
        streams.read(now(), room, &mut sink)
    }
    .map_err(copy_error)?;
    match outcome.what {
        Readable::Datagram => {
            msg.add_flags(MSG_QUIC_DATAGRAM);
            if outcome.is_end {
                msg.add_flags(MSG_EOR);
            }
        }
        Readable::Stream { id } => {
            let info = StreamInfo {
                stream_id: i64::try_from(id.raw()).unwrap_or(i64::MAX),
                stream_flags: if outcome.is_end {
                    MSG_QUIC_STREAM_FIN
                } else {
                    0
                },
            };
            let bytes = info.encode();
            // The structure ends without padding where 64-bit numbers are aligned to 4 (i386).
            let len = if msg.flags() & MSG_CMSG_COMPAT != 0 {
                StreamInfo::UNPADDED
            } else {
                StreamInfo::SIZE
            };
            let bytes = bytes.get(..len).unwrap_or(&bytes);
            if !msg.put_cmsg(SOL_QUIC, QUIC_STREAM_INFO, bytes) {
                msg.add_flags(info.stream_flags);
            }
        }
    }
    usize::try_from(outcome.bytes).map_err(|_| EINVAL)
}
