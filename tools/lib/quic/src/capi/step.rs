// SPDX-License-Identifier: LGPL-2.1-or-later
//! The handshake in steps: the caller does all I/O, as `struct quic_handshake_step` tells it.

use std::{
    io,
    mem::ManuallyDrop,
    ptr,
    sync::Arc, //
};

use libc::{
    c_int,
    ssize_t, //
};

use super::handshake::{
    setup,
    CallersSocket, //
};
use crate::{
    error::{
        Error,
        Result, //
    },
    handshake::{
        close_for,
        ended,
        Kernel,
        Machine,
        Step, //
    },
    socket::Socket,
    sys::{
        gnutls::SessionRef,
        sock, //
    },
    uapi::Level, //
};

/// `QUIC_HANDSHAKE_STEP_OP_SENDMSG`
const OP_SENDMSG: c_int = 1;
/// `QUIC_HANDSHAKE_STEP_OP_RECVMSG`
const OP_RECVMSG: c_int = 2;

/// Largest handshake message piece received at once.
const MESSAGE_LEN: usize = 64 << 10;
/// Room for one control message of one byte.
const CONTROL_LEN: usize = 24;

/// `struct quic_handshake_step`. Both members of its union have this layout.
#[repr(C)]
pub struct PublicStep {
    op: c_int,
    msg: *mut libc::msghdr,
    flags: c_int,
    retval: ssize_t,
}

/// A step with all that its pointers lead to. Stays where it is: the caller has its address.
#[repr(C)]
struct PinnedStep {
    public: PublicStep,
    msg: libc::msghdr,
    iov: libc::iovec,
    control: Control,
    data: Vec<u8>,
    /// Only a ticket is being sent, of which a client that has closed already has no use.
    is_ticket: bool,
}

#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

/// What is left with a session between two steps.
struct Context {
    machine: Machine,
    socket: Arc<CallersSocket>,
    step: *mut PinnedStep,
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the step was made by `Box::into_raw` in `init`, and is freed only here.
        drop(unsafe { Box::from_raw(self.step) });
    }
}

/// Starts a handshake.
pub(super) fn init(
    socket: ManuallyDrop<Socket>,
    session: SessionRef<'_>,
) -> Result<*mut PublicStep> {
    let setup = setup(&socket, session);
    let socket = Arc::new(CallersSocket(socket));
    let kernel = Arc::clone(&socket) as Arc<dyn Kernel>;
    let machine = Machine::start(session, kernel, setup)?;
    let mut context = Box::new(Context {
        machine,
        socket,
        step: Box::into_raw(Box::new(PinnedStep::empty())),
    });
    let first = context.next();
    session.leave(context);
    Ok(first)
}

/// Takes the result of a step.
pub(super) fn step(session: SessionRef<'_>, done: *mut PublicStep) -> Result<*mut PublicStep> {
    let misuse = || Error::Config("no handshake of this session waits for this step".into());
    let luggage = session.take().ok_or_else(misuse)?;
    let mut context = luggage.downcast::<Context>().map_err(|_| misuse())?;
    let result = match done == context.step.cast() {
        true => context.finish(session),
        false => Err(misuse()),
    };
    let result = result.map(|again| match again {
        Progress::Again => done,
        Progress::Next => context.next(),
    });
    if let Err(err) = &result {
        if let Some((code, phrase)) = close_for(err) {
            // A socket that is closed already has told the peer.
            let _ = context.socket.0.set_close(code, &phrase);
        }
    }
    session.leave(context);
    result
}

enum Progress {
    /// The step has not been done; it stands.
    Again,
    Next,
}

impl Context {
    /// Prepares the next step; NULL at the end.
    fn next(&mut self) -> *mut PublicStep {
        // SAFETY: the step is valid while the context lives, and the caller does not use it now.
        let step = unsafe { &mut *self.step };
        match self.machine.next() {
            Step::Done => return ptr::null_mut(),
            Step::Send { level, bytes, more } => step.send(level, bytes, more),
            Step::Receive => step.receive(),
        }
        self.step.cast()
    }

    /// Looks at what the caller has done.
    fn finish(&mut self, session: SessionRef<'_>) -> Result<Progress> {
        // SAFETY: as in `next`.
        let step = unsafe { &mut *self.step };
        let retval = step.public.retval;
        let again = ssize_t::try_from(-libc::EAGAIN).unwrap_or(-1);
        let len = match usize::try_from(retval) {
            Ok(len) => len,
            Err(_) if step.is_ticket && retval != again => return Ok(Progress::Next),
            Err(_) => {
                let errno = c_int::try_from(retval.unsigned_abs()).unwrap_or(libc::EIO);
                return self.failed(errno);
            }
        };
        if step.public.op == OP_SENDMSG {
            return match len == step.data.len() {
                true => Ok(Progress::Next),
                false => Err(os_error("sending a handshake message", libc::EMSGSIZE)),
            };
        }
        let what = "receiving a handshake message";
        if len == 0 {
            return self.failed(libc::ECONNRESET);
        }
        let cut = libc::MSG_CTRUNC | libc::MSG_TRUNC;
        let level = step.received_level();
        let (Some(level), 0) = (level, step.msg.msg_flags & cut) else {
            return Err(os_error(what, libc::EBADMSG));
        };
        let bytes = step
            .data
            .get(..len)
            .ok_or_else(|| os_error(what, libc::EINVAL))?;
        self.machine.on_received(session, level, bytes)?;
        Ok(Progress::Next)
    }

    /// What a failed system call of the caller means.
    fn failed(&self, errno: c_int) -> Result<Progress> {
        match errno {
            libc::EAGAIN | libc::EINTR => Ok(Progress::Again),
            libc::ENOTCONN | libc::EPIPE | libc::ECONNRESET => {
                Err(ended(self.socket.close_reason().unwrap_or_default()))
            }
            _ => Err(os_error("a step of the handshake", errno)),
        }
    }
}

impl PinnedStep {
    fn empty() -> PinnedStep {
        PinnedStep {
            public: PublicStep {
                op: 0,
                msg: ptr::null_mut(),
                flags: 0,
                retval: 0,
            },
            msg: sock::empty_msghdr(),
            iov: libc::iovec {
                iov_base: ptr::null_mut(),
                iov_len: 0,
            },
            control: Control([0; CONTROL_LEN]),
            data: Vec::new(),
            is_ticket: false,
        }
    }

    fn send(&mut self, level: Level, bytes: Vec<u8>, more: bool) {
        self.data = bytes;
        self.is_ticket = level == Level::App;
        self.control = Control(sock::handshake_control(level as u8));
        let more = if more { libc::MSG_MORE } else { 0 };
        self.point(OP_SENDMSG, libc::MSG_NOSIGNAL | more);
    }

    fn receive(&mut self) {
        self.is_ticket = false;
        self.data.clear();
        self.data.resize(MESSAGE_LEN, 0);
        self.control = Control([0; CONTROL_LEN]);
        self.point(OP_RECVMSG, libc::MSG_DONTWAIT);
    }

    /// Sets all pointers.
    fn point(&mut self, op: c_int, flags: c_int) {
        self.iov.iov_base = self.data.as_mut_ptr().cast();
        self.iov.iov_len = self.data.len();
        self.msg = sock::empty_msghdr();
        self.msg.msg_iov = &mut self.iov;
        self.msg.msg_iovlen = 1;
        self.msg.msg_control = self.control.0.as_mut_ptr().cast();
        self.msg.msg_controllen = CONTROL_LEN;
        self.public.op = op;
        self.public.msg = &mut self.msg;
        self.public.flags = flags;
        // A caller that forgets to store the result gets the same step again.
        self.public.retval = ssize_t::try_from(-libc::EAGAIN).unwrap_or(-1);
    }

    /// The level in the control message that the caller has received.
    fn received_level(&self) -> Option<Level> {
        let len = CONTROL_LEN.min(self.msg.msg_controllen);
        let bytes = self.control.0.get(..len)?;
        sock::handshake_level(bytes).and_then(Level::from_u8)
    }
}

fn os_error(what: &'static str, errno: c_int) -> Error {
    Error::Io(what, io::Error::from_raw_os_error(errno))
}
