// SPDX-License-Identifier: GPL-2.0

//! The timer of a socket: one high-resolution timer, and one reference to the socket for it, from its
//! first arming to its end in process context.
//!
//! Arming is lazy. A deadline later than the one armed changes nothing: the timer fires early, the
//! protocol finds nothing due and arms it anew. A busy connection moves its deadlines with every
//! packet, and this makes that free.
//!
//! The reference belongs to the timer, not to each arming. A callback that waits for the lock can
//! neither be cancelled nor told from one that is done with the lock, and the timer may be queued
//! again behind it any number of times: nobody could tell how many armings it stands for. So a
//! socket that has armed its timer must come to [`Owned::end_timer`], or it is never freed.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)

use kernel::types::Opaque;

use super::sock::{
    BhLock,
    Ext,
    Held,
    Owned,
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
        // SAFETY: as above.
        if !unsafe { ext.timer_ref.get().replace(true) } {
            // SAFETY: a valid socket.
            unsafe { bindings::sock_hold(sk.as_ptr()) };
        }
        // SAFETY: the timer was set up, and the socket outlives it by the reference.
        unsafe { bindings::hrtimer_start_range_ns(ext.timer.get(), deadline, 0, MODE) };
    }

    /// Takes the timer out of the queue. Its callback may be running already and will find out.
    pub fn stop_timer(&mut self) {
        let ext = self.sk().ext();
        // SAFETY: protected by the lock, which is held.
        unsafe { *ext.armed.get() = i64::MAX };
        // SAFETY: the timer was set up.
        unsafe { bindings::hrtimer_try_to_cancel(ext.timer.get()) };
    }

    /// The timer fired, now or while a process owned the lock: in that case for whoever takes the
    /// mark that [`Protocol::timer_deferred`] left. The protocol arms it again as it needs.
    pub fn run_timer(&mut self) {
        // SAFETY: protected by the lock, which is held.
        unsafe { *self.sk().ext().armed.get() = i64::MAX };
        P::timer(self);
    }
}

impl<P: Protocol> Owned<'_, P> {
    /// Stops the timer, waits for a callback that is running, and gives up the timer's reference.
    /// The caller has one of its own. Callbacks find the lock owned meanwhile and do not wait.
    pub fn end_timer(&mut self) {
        let sk = self.sk();
        let ext = sk.ext();
        // SAFETY: protected by the lock, which is held.
        unsafe { *ext.armed.get() = i64::MAX };
        // SAFETY: the timer was set up, and its callback does not sleep on what this context holds.
        unsafe { bindings::hrtimer_cancel(ext.timer.get()) };
        // SAFETY: protected by the lock, which is held.
        if unsafe { ext.timer_ref.get().replace(false) } {
            // SAFETY: taken by `arm_timer`; neither queued nor running, nothing needs it any more.
            unsafe { bindings::sock_put(sk.as_ptr()) };
        }
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
    // SAFETY: the `Ext` lies in a socket of `P`, kept alive by the timer's reference, which is given
    // up only when this callback has returned.
    let sk = unsafe { Sock::<P>::from_ext(ext) };
    match sk.lock_bh() {
        BhLock::Free(mut bh) => bh.run_timer(),
        BhLock::Busy(_busy) => P::timer_deferred(sk),
    }
    NORESTART
}
