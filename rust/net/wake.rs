// SPDX-License-Identifier: GPL-2.0

//! Waiting in system calls, waking the waiters, and the socket's memory accounts.
//!
//! C header: [`include/net/sock.h`](srctree/include/net/sock.h)

use kernel::{
    error::Error,
    prelude::*, //
};

use super::sock::{
    Held,
    Owned,
    Protocol,
    RawSock,
    Sock, //
};
use crate::linux::bindings;

const POLL_IN: u32 = bindings::POLLIN | bindings::POLLRDNORM | bindings::POLLRDBAND;
const POLL_OUT: u32 = bindings::POLLOUT | bindings::POLLWRNORM | bindings::POLLWRBAND;
// From <asm-generic/siginfo.h>, where they are too complex for bindgen.
const SOCK_WAKE_WAITD: i32 = 1;
const SOCK_WAKE_SPACE: i32 = 2;
const SI_POLL_IN: i32 = 0x2_0001;
const SI_POLL_OUT: i32 = 0x2_0002;

/// Sets the callbacks by which waiters are woken. Those of `sock_init_data()` go by the datagrams
/// that wait in the device, which say nothing about the space for streams; for the same reason
/// datagrams that have left wake nobody (`SOCK_USE_WRITE_QUEUE`, as for TCP).
///
/// # Safety
///
/// `sk` must be a new socket after `sock_init_data()`, not yet visible to anybody else.
pub(super) unsafe fn set_callbacks(sk: *mut bindings::sock) {
    // SAFETY: the socket is the caller's alone.
    unsafe { (*sk).sk_data_ready = Some(data_ready) };
    // SAFETY: as above.
    unsafe { (*sk).sk_write_space = Some(write_space) };
    // SAFETY: as above.
    unsafe { bindings::sock_set_flag(sk, bindings::sock_flags_SOCK_USE_WRITE_QUEUE) };
    // SAFETY: as above.
    unsafe { (*sk).sk_error_report = Some(error_report) };
}

/// # Safety
///
/// Only for `sk_data_ready`.
unsafe extern "C" fn data_ready(sk: *mut bindings::sock) {
    // SAFETY: a valid socket.
    unsafe { bindings::sk_wake(sk, POLL_IN, SOCK_WAKE_WAITD, SI_POLL_IN) };
}

/// # Safety
///
/// Only for `sk_write_space`.
unsafe extern "C" fn write_space(sk: *mut bindings::sock) {
    // SAFETY: a valid socket.
    unsafe { bindings::sk_wake(sk, POLL_OUT, SOCK_WAKE_SPACE, SI_POLL_OUT) };
}

/// An error of a single packet was queued, which `SO_TXTIME` and `IP_RECVERR` ask for. Nobody can read
/// it, `MSG_ERRQUEUE` being a flag of QUIC's own, and so it does not stay. It is not one of the
/// connection: nobody is woken.
///
/// # Safety
///
/// Only for `sk_error_report`.
unsafe extern "C" fn error_report(sk: *mut bindings::sock) {
    // SAFETY: a valid socket.
    unsafe { bindings::sk_purge_errors(sk) };
}

impl<P: Protocol> Owned<'_, P> {
    /// Sleeps until `ready` returns something, `timeout` jiffies passed (`EAGAIN`), or a signal
    /// came (`EINTR` or `ERESTARTSYS`). The lock is given up while sleeping and held when `ready`
    /// runs and on return.
    pub fn wait<T>(
        &mut self,
        mut timeout: isize,
        ready: impl FnMut(&mut Self) -> Option<T>,
    ) -> Result<T> {
        self.wait_left(&mut timeout, ready)
    }

    /// As [`Self::wait`], and leaves in `timeout` what is left of it.
    pub fn wait_left<T>(
        &mut self,
        timeout: &mut isize,
        mut ready: impl FnMut(&mut Self) -> Option<T>,
    ) -> Result<T> {
        loop {
            if let Some(value) = ready(self) {
                return Ok(value);
            }
            if *timeout == 0 {
                return Err(EAGAIN);
            }
            // SAFETY: no precondition.
            if unsafe { bindings::task_signal_pending() } {
                // SAFETY: no precondition.
                return Err(Error::from_errno(unsafe {
                    bindings::sock_intr_errno(*timeout)
                }));
            }
            // SAFETY: the lock is held by this process; it is given up and taken again inside.
            *timeout = unsafe { bindings::sk_wait_once(self.sk().as_ptr(), *timeout) };
        }
    }
}

impl RawSock {
    /// How long a receiving call may wait, jiffies.
    pub fn receive_timeout(&self, nonblock: bool) -> isize {
        // SAFETY: a valid socket.
        unsafe { bindings::sock_rcvtimeo(self.as_ptr(), nonblock) }
    }

    /// How long a sending call may wait, jiffies.
    pub fn send_timeout(&self, nonblock: bool) -> isize {
        // SAFETY: a valid socket.
        unsafe { bindings::sock_sndtimeo(self.as_ptr(), nonblock) }
    }

    /// Wakes those who wait to receive, through the callback: users in the kernel have their own.
    pub fn wake_readers(&self) {
        // SAFETY: a valid socket; the pointer may change at any time, and is never invalid.
        let ready = unsafe { (&raw const (*self.as_ptr()).sk_data_ready).read_volatile() };
        if let Some(ready) = ready {
            // SAFETY: softirq, or the lock is owned, as whoever sets the callback expects.
            unsafe { ready(self.as_ptr()) };
        }
    }

    /// Wakes those who wait to send, through the callback as well.
    pub fn wake_writers(&self) {
        // SAFETY: a valid socket; the pointer may change at any time, and is never invalid.
        let space = unsafe { (&raw const (*self.as_ptr()).sk_write_space).read_volatile() };
        if let Some(space) = space {
            // SAFETY: softirq, or the lock is owned, as whoever sets the callback expects.
            unsafe { space(self.as_ptr()) };
        }
    }

    /// Wakes everybody: the socket's state has changed.
    pub fn wake_all(&self) {
        self.wake_readers();
        self.wake_writers();
        // SAFETY: a valid socket; set by `sock_init_data`.
        if let Some(change) = unsafe { (*self.as_ptr()).sk_state_change } {
            // SAFETY: as above.
            unsafe { change(self.as_ptr()) };
        }
    }

    /// `SO_SNDBUF`, bytes.
    pub fn sndbuf(&self) -> usize {
        // SAFETY: a valid socket; the field may change at any time.
        let value = unsafe { (&raw const (*self.as_ptr()).sk_sndbuf).read_volatile() };
        usize::try_from(value).unwrap_or(0)
    }

    /// The most that the send buffer may grow to by itself, bytes.
    pub fn max_sndbuf(&self) -> usize {
        // SAFETY: a valid socket.
        let value = unsafe { bindings::sk_max_sndbuf(self.as_ptr()) };
        usize::try_from(value).unwrap_or(0)
    }

    /// `SO_RCVBUF`, bytes.
    pub fn rcvbuf(&self) -> usize {
        // SAFETY: a valid socket; the field may change at any time.
        let value = unsafe { (&raw const (*self.as_ptr()).sk_rcvbuf).read_volatile() };
        usize::try_from(value).unwrap_or(0)
    }

    /// Whether the memory of the protocol or of the control group is becoming scarce.
    pub fn under_memory_pressure(&self) -> bool {
        // SAFETY: a valid socket.
        unsafe { bindings::sk_under_pressure(self.as_ptr()) }
    }

    /// Bytes charged for data that waits to be read.
    pub fn rmem(&self) -> usize {
        // SAFETY: a valid socket; the field may change at any time.
        let value =
            unsafe { (&raw const (*self.as_ptr()).sk_backlog.rmem_alloc.counter).read_volatile() };
        usize::try_from(value).unwrap_or(0)
    }

    /// Bytes charged for data that was not acknowledged yet.
    pub fn wmem(&self) -> usize {
        // SAFETY: a valid socket; the field may change at any time.
        let value = unsafe { (&raw const (*self.as_ptr()).sk_wmem_queued).read_volatile() };
        usize::try_from(value).unwrap_or(0)
    }
}

impl<P: Protocol> Sock<P> {
    /// Whether `SO_SNDBUF` was set by the user and must not be changed.
    pub fn sndbuf_locked(&self) -> bool {
        // SAFETY: a valid socket.
        let locks = unsafe { (&raw const (*self.as_ptr()).sk_userlocks).read_volatile() };
        // CAST: a flag of 8 bits.
        locks & bindings::SOCK_SNDBUF_LOCK as u8 != 0
    }
}

impl<P: Protocol> Held<'_, P> {
    /// Raises or sets `SO_RCVBUF`.
    pub fn set_rcvbuf(&mut self, bytes: usize) {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        // SAFETY: a valid socket, lock held; read without it elsewhere.
        unsafe { (&raw mut (*self.sk().as_ptr()).sk_rcvbuf).write_volatile(bytes) };
    }

    /// Raises or sets `SO_SNDBUF`.
    pub fn set_sndbuf(&mut self, bytes: usize) {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        // SAFETY: a valid socket, lock held; read without it elsewhere.
        unsafe { (&raw mut (*self.sk().as_ptr()).sk_sndbuf).write_volatile(bytes) };
    }

    /// Whether `bytes` more of send memory may be had, within the limits of the protocol and of the
    /// control group; if so they are reserved. Else `SO_SNDBUF` may have shrunk, as TCP's does.
    pub fn may_queue(&mut self, bytes: usize) -> bool {
        let Ok(bytes) = i32::try_from(bytes) else {
            return false;
        };
        // SAFETY: a valid socket, lock held.
        unsafe { bindings::sk_wmem_schedule(self.sk().as_ptr(), bytes) }
    }

    /// Whether `bytes` more of received data may be kept, within the same limits; if so they are
    /// reserved. Never sleeps.
    pub fn may_keep(&mut self, bytes: usize) -> bool {
        let Ok(bytes) = i32::try_from(bytes) else {
            return false;
        };
        // SAFETY: a valid socket, lock held.
        unsafe { bindings::sk_may_keep(self.sk().as_ptr(), bytes) }
    }

    /// Gives back what is reserved and not in use.
    pub fn reclaim(&mut self) {
        // SAFETY: a valid socket, lock held.
        unsafe { bindings::sk_mem_reclaim(self.sk().as_ptr()) };
    }

    /// Makes the send account equal to `bytes`: the memory that the connection keeps.
    pub fn settle_wmem(&mut self, bytes: usize) {
        let sk = self.sk().as_ptr();
        let new = i32::try_from(bytes).unwrap_or(i32::MAX);
        // SAFETY: a valid socket, lock held.
        let old = unsafe { (*sk).sk_wmem_queued };
        let Some(delta) = new.checked_sub(old).filter(|d| *d != 0) else {
            return;
        };
        // SAFETY: as above; read without the lock elsewhere.
        unsafe { (&raw mut (*sk).sk_wmem_queued).write_volatile(new) };
        charge(sk, delta, |sk, n| {
            // SAFETY: a valid socket, lock held.
            unsafe { bindings::sk_wmem_schedule(sk, n) };
        });
    }

    /// Makes the receive account equal to `bytes`. Besides them, it may hold what the error queue has,
    /// which the kernel adds and takes off at any time, and charges to nobody.
    pub fn settle_rmem(&mut self, bytes: usize) {
        let sk = self.sk().as_ptr();
        // SAFETY: protected by the lock, which is held.
        let charged = unsafe { &mut *self.sk().ext().rmem.get() };
        let Some(delta) = change(charged, bytes) else {
            return;
        };
        // SAFETY: a valid socket.
        unsafe { bindings::sk_rmem_add(sk, delta) };
        charge(sk, delta, schedule_rmem);
    }

    /// Makes the charge for what the socket needs besides data equal to `bytes`: it counts for the
    /// limits of the protocol and of the control group, but not for the socket's buffers.
    pub fn settle_objects(&mut self, bytes: usize) {
        // SAFETY: protected by the lock, which is held.
        let charged = unsafe { &mut *self.sk().ext().objects.get() };
        if let Some(delta) = change(charged, bytes) {
            charge(self.sk().as_ptr(), delta, schedule_rmem);
        }
    }
}

/// Sends `SIGPIPE` to the running process.
pub fn raise_sigpipe() {
    // SAFETY: no precondition in process context.
    unsafe { bindings::raise_sigpipe() };
}

/// Makes an account equal to `bytes`; returns by how much it changed, if it did.
fn change(account: &mut i32, bytes: usize) -> Option<i32> {
    let new = i32::try_from(bytes).unwrap_or(i32::MAX);
    let delta = new.checked_sub(*account).filter(|d| *d != 0)?;
    *account = new;
    Some(delta)
}

fn schedule_rmem(sk: *mut bindings::sock, bytes: i32) {
    // SAFETY: the callers of `charge()` hold the lock of a valid socket.
    unsafe { bindings::sk_rmem_schedule(sk, bytes) };
}

/// Charges or gives back `delta` bytes. What is in use is charged even beyond the limits, which
/// [`Held::may_queue`] and [`Held::may_keep`] keep: a packet that had to pass, or more than was
/// reserved for it, leaves a debt that the next reservation pays.
fn charge(sk: *mut bindings::sock, delta: i32, reserve: impl Fn(*mut bindings::sock, i32)) {
    if delta > 0 {
        reserve(sk, delta);
        // SAFETY: the callers hold the lock of a valid socket.
        unsafe { bindings::sk_mem_charge(sk, delta) };
    } else {
        // SAFETY: as above; so much was charged before.
        unsafe { bindings::sk_mem_uncharge(sk, delta.saturating_neg()) };
    }
}
