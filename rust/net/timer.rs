// SPDX-License-Identifier: GPL-2.0

//! The timer of a socket: one high-resolution timer, holding a reference while it is armed.
//!
//! Arming is lazy. A deadline later than the one armed changes nothing: the timer fires early, the
//! protocol finds nothing due and arms it anew. A busy connection moves its deadlines with every
//! packet, and this makes that free.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)

use kernel::types::Opaque;

use super::sock::{
    BhLock,
    Ext,
    Held,
    Protocol,
    Sock, //
};
use crate::linux::bindings;

/// `HRTIMER_NORESTART`.
const NORESTART: bindings::hrtimer_restart = bindings::hrtimer_restart(0);
const CLOCK_MONOTONIC: i32 = 1;
const MODE: u32 = bindings::hrtimer_mode_HRTIMER_MODE_ABS_SOFT;

impl<P: Protocol> Held<'_, P> {
    /// Lets [`Protocol::timer`] run at `deadline`, nanoseconds of the monotonic clock, or somewhat
    /// before it. Replaces a later deadline only.
    pub fn arm_timer(&mut self, deadline: u64) {
        let sk = self.sk();
        let ext = sk.ext();
        let deadline = i64::try_from(deadline).unwrap_or(i64::MAX - 1);
        // SAFETY: protected by the lock, which is held.
        if deadline >= unsafe { *ext.armed.get() } {
            return;
        }
        // SAFETY: as above.
        unsafe { *ext.armed.get() = deadline };
        let timer = ext.timer.get();
        // A timer taken out of the queue hands its reference to the next arming. One whose callback
        // is about to run keeps its own.
        // SAFETY: the timer was set up.
        if unsafe { bindings::hrtimer_try_to_cancel(timer) } != 1 {
            // SAFETY: a valid socket.
            unsafe { bindings::sock_hold(sk.as_ptr()) };
        }
        // SAFETY: the timer was set up, and the socket outlives it by the reference.
        unsafe { bindings::hrtimer_start_range_ns(timer, deadline, 0, MODE) };
    }

    /// Takes the timer out of the queue. Its callback may be running already and will find out.
    pub fn stop_timer(&mut self) {
        let sk = self.sk();
        let ext = sk.ext();
        // SAFETY: protected by the lock, which is held.
        unsafe { *ext.armed.get() = i64::MAX };
        // SAFETY: the timer was set up.
        if unsafe { bindings::hrtimer_try_to_cancel(ext.timer.get()) } == 1 {
            // SAFETY: the reference of the timer; the caller has one of its own.
            unsafe { bindings::sock_put(sk.as_ptr()) };
        }
    }

    /// To be called first by whoever handles an expiry: the timer is not armed any more.
    pub fn timer_fired(&mut self) {
        // SAFETY: protected by the lock, which is held.
        unsafe { *self.sk().ext().armed.get() = i64::MAX };
    }
}

/// # Safety
///
/// `ext` must be the pinned [`Ext`] of a new socket.
pub(super) unsafe fn setup<P: Protocol>(ext: *mut Ext<P>) {
    // SAFETY: valid by the caller's promise.
    let timer = Opaque::cast_into(unsafe { &raw const (*ext).timer });
    // SAFETY: the timer is in its final place.
    unsafe { bindings::hrtimer_setup(timer, Some(expired::<P>), CLOCK_MONOTONIC, MODE) };
}

/// # Safety
///
/// Only for timers that [`setup`] made.
unsafe extern "C" fn expired<P: Protocol>(
    timer: *mut bindings::hrtimer,
) -> bindings::hrtimer_restart {
    let offset = core::mem::offset_of!(Ext<P>, timer);
    let ext = timer.cast::<u8>().wrapping_sub(offset).cast::<Ext<P>>();
    // SAFETY: the `Ext` lies in a socket of `P`, kept alive by the timer's reference.
    let sk = unsafe { Sock::<P>::from_ext(ext) };
    match sk.lock_bh() {
        BhLock::Free(mut bh) => {
            bh.timer_fired();
            P::timer(&mut bh);
        }
        BhLock::Busy(_busy) => P::timer_deferred(sk),
    }
    // SAFETY: the reference of the timer.
    unsafe { bindings::sock_put(sk.as_ptr()) };
    NORESTART
}
