// SPDX-License-Identifier: GPL-2.0

//! `sendmsg(2)`: handshake messages, datagrams and stream data.
//!
//! The checks come in the order that programs know (uapi 5): flags, state, control messages, and
//! then those of the kind of message.

#![forbid(unsafe_code)]

use kernel::{
    prelude::*,
    time::msecs_to_jiffies, //
};

use crate::{
    buf::Chunk,
    drive,
    linux::net::{
        msg::MsgHdr,
        sock::Owned, //
    },
    send_crypto, send_datagram, send_stream,
    socket::{
        Quic,
        Role, //
    },
    uapi::{
        StreamInfo,
        MSG_BATCH,
        MSG_DONTWAIT,
        MSG_MORE,
        MSG_NOSIGNAL,
        MSG_QUIC_DATAGRAM,
        MSG_QUIC_STREAM_DONTWAIT,
        MSG_QUIC_STREAM_FIN,
        MSG_QUIC_STREAM_NEW,
        MSG_QUIC_STREAM_SNDBLOCK,
        MSG_QUIC_STREAM_UNI,
        MSG_WAITALL,
        QUIC_HANDSHAKE_INFO,
        QUIC_STREAM_INFO,
        SOL_QUIC, //
    },
};

/// The flags that a control message may carry.
pub(crate) const STREAM_FLAGS: u32 = MSG_QUIC_STREAM_NEW
    | MSG_QUIC_STREAM_FIN
    | MSG_QUIC_STREAM_UNI
    | MSG_QUIC_STREAM_DONTWAIT
    | MSG_QUIC_STREAM_SNDBLOCK;

/// `MSG_SPLICE_PAGES`, set by `sendfile(2)` and `splice(2)`: the pages are copied.
const MSG_SPLICE_PAGES: u32 = 0x0800_0000;

/// `MSG_CMSG_COMPAT`, set for 32-bit programs: the socket layer has converted what needs it.
pub(crate) const MSG_CMSG_COMPAT: u32 = 0x8000_0000;

const FLAGS: u32 = STREAM_FLAGS
    | MSG_BATCH
    | MSG_MORE
    | MSG_DONTWAIT
    | MSG_NOSIGNAL
    | MSG_WAITALL
    | MSG_QUIC_DATAGRAM
    | MSG_SPLICE_PAGES
    | MSG_CMSG_COMPAT;

/// How long a sender waits before it asks for memory again, milliseconds, as in TCP.
const MEMORY_NAP: u32 = 200;

/// How a call wants to be treated.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    /// Bytes to send.
    pub(crate) len: usize,
    /// The call's flags.
    pub(crate) flags: u32,
    /// How long it may wait, jiffies.
    pub(crate) timeout: isize,
}

impl Call {
    /// More of the same is announced. From sendfile(2) and splice(2) that says only that it is in
    /// the file or the pipe: a whole buffer would be filled before anything is sent.
    pub(crate) fn more(&self) -> bool {
        self.flags & (MSG_MORE | MSG_SPLICE_PAGES) == MSG_MORE
    }

    /// It must not wait.
    pub(crate) fn nonblock(&self) -> bool {
        self.timeout == 0
    }
}

/// What the control messages say.
#[derive(Default)]
struct Control {
    level: Option<u8>,
    stream: Option<StreamInfo>,
}

/// Sends one message, or a part of it. Returns the number of bytes queued.
pub(crate) fn sendmsg(sk: &mut Owned<'_, Quic>, msg: &mut MsgHdr<'_>, len: usize) -> Result<usize> {
    let flags = msg.flags();
    let result = dispatch(sk, msg, len, flags);
    let quiet = flags & (MSG_NOSIGNAL | MSG_QUIC_DATAGRAM) != 0;
    match result {
        // Of handshake messages and datagrams an error is just an error.
        Err((e, Kind::Stream)) if e == EPIPE && !quiet => {
            crate::linux::net::wake::raise_sigpipe();
            Err(e)
        }
        Err((e, _)) => Err(e),
        Ok(n) => Ok(n),
    }
}

/// Whose error it is.
#[derive(Clone, Copy)]
enum Kind {
    Stream,
    Other,
}

fn dispatch(
    sk: &mut Owned<'_, Quic>,
    msg: &mut MsgHdr<'_>,
    len: usize,
    flags: u32,
) -> Result<usize, (Error, Kind)> {
    if flags & !FLAGS != 0 {
        return Err((EINVAL, Kind::Other));
    }
    let control = parse_control(msg);
    if !is_open(sk) {
        let kind = match control {
            Ok(Control { level: Some(_), .. }) => Kind::Other,
            _ => Kind::Stream,
        };
        return Err((EPIPE, kind));
    }
    let control = control.map_err(|e| (e, Kind::Other))?;
    let call = Call {
        len,
        flags,
        timeout: sk.sk().raw().send_timeout(flags & MSG_DONTWAIT != 0),
    };
    let (result, kind) = if let Some(level) = control.level {
        (send_crypto::send(sk, msg, &call, level), Kind::Other)
    } else if flags & MSG_QUIC_DATAGRAM != 0 {
        (send_datagram::send(sk, msg, &call), Kind::Other)
    } else {
        (
            send_stream::send(sk, msg, &call, control.stream),
            Kind::Stream,
        )
    };
    drive::drive(sk);
    result.map_err(|e| (e, kind))
}

fn parse_control(msg: &MsgHdr<'_>) -> Result<Control> {
    let mut control = Control::default();
    for cmsg in msg.control() {
        let cmsg = cmsg?;
        if cmsg.level != SOL_QUIC {
            continue;
        }
        match cmsg.ty {
            QUIC_STREAM_INFO => {
                let info = StreamInfo::decode(cmsg.data);
                if info.stream_flags & !STREAM_FLAGS != 0 {
                    return Err(EINVAL);
                }
                control.stream = Some(info);
            }
            QUIC_HANDSHAKE_INFO => control.level = Some(cmsg.data.first().copied().unwrap_or(0)),
            _ => return Err(EINVAL),
        }
    }
    Ok(control)
}

/// Whether there is a connection that takes data.
pub(crate) fn is_open(sk: &Owned<'_, Quic>) -> bool {
    matches!(&sk.role, Role::Connection(at) if at.is_open())
}

/// Bytes of send buffer that are free.
pub(crate) fn space(sk: &Owned<'_, Quic>) -> usize {
    let raw = sk.sk().raw();
    raw.sndbuf().saturating_sub(raw.wmem())
}

/// Whether there is memory to queue `len` bytes, which is then reserved. With nothing queued there
/// always is, so that every connection gets on.
pub(crate) fn may_queue(sk: &mut Owned<'_, Quic>, len: usize) -> bool {
    let raw = sk.sk().raw();
    let queued = raw.wmem();
    // What cannot leave soon must not take the memory by which receivers let it go.
    let is_enough = queued > 0 && raw.under_memory_pressure() && queued >= useful(sk);
    queued == 0 || (!is_enough && sk.may_queue(Chunk::truesize_of(len)))
}

/// Bytes in the send buffer beyond which more of them do not make the connection faster.
fn useful(sk: &Owned<'_, Quic>) -> usize {
    let window = match &sk.role {
        Role::Connection(at) => at.core.info().cwnd,
        _ => 0,
    };
    usize::try_from(window)
        .unwrap_or(usize::MAX)
        .saturating_mul(2)
        .max(Chunk::MAX)
}

/// Waits after [`may_queue`] was false for `len` bytes, until it is worth another look (`EAGAIN` if
/// the time is over). Meanwhile others may have used the room.
pub(crate) fn wait_for_memory(sk: &mut Owned<'_, Quic>, len: usize, timeout: &mut isize) -> Result {
    let queued = sk.sk().raw().wmem();
    if let Role::Connection(at) = &mut sk.role {
        at.starved = queued;
    }
    // Whoever frees memory does not know who waits for it.
    let nap = isize::try_from(msecs_to_jiffies(MEMORY_NAP)).unwrap_or(isize::MAX);
    let nap = nap.min(*timeout);
    let mut left = nap;
    let result = wait(sk, &mut left, |sk| may_queue(sk, len).then_some(Ok(())));
    if *timeout != isize::MAX {
        *timeout = timeout.saturating_sub(nap.saturating_sub(left));
    }
    match result {
        Err(e) if e == EAGAIN && *timeout > 0 => Ok(()),
        other => other,
    }
}

/// Waits until `ready` gives something, the connection ends (`EPIPE`), or the time is over
/// (`EAGAIN`). What was queued leaves before.
pub(crate) fn wait<T>(
    sk: &mut Owned<'_, Quic>,
    timeout: &mut isize,
    mut ready: impl FnMut(&mut Owned<'_, Quic>) -> Option<Result<T>>,
) -> Result<T> {
    drive::drive(sk);
    sk.wait_left(timeout, |sk| {
        if !is_open(sk) {
            return Some(Err(EPIPE));
        }
        ready(sk)
    })?
}
