// SPDX-License-Identifier: GPL-2.0

//! The lock that the kernel crate lacks: [`SpinLockBh`] protects what softirq and process context
//! share.
//!
//! C headers: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h),
//! [`include/linux/bottom_half.h`](srctree/include/linux/bottom_half.h)

use kernel::sync::lock::{
    Backend,
    Lock, //
};

use crate::linux::bindings;

/// A spinlock whose holder keeps softirqs off this processor.
///
/// It may be taken in softirq and in process context, not in hard interrupts. Make one with
/// `SpinLockBh::new(value, c_str!("name"), static_lock_class!())`.
pub type SpinLockBh<T> = Lock<T, SpinLockBhBackend>;

/// `spin_lock_bh()` and its relatives.
pub struct SpinLockBhBackend;

// SAFETY: The C `spinlock_t` excludes other processors, and softirqs being off excludes those of
// this one. `relock` is the default, which takes the lock in the same way.
unsafe impl Backend for SpinLockBhBackend {
    type State = bindings::spinlock_t;
    type GuardState = ();

    #[inline]
    unsafe fn init(
        ptr: *mut Self::State,
        name: *const kernel::ffi::c_char,
        key: *mut bindings::lock_class_key,
    ) {
        // SAFETY: The caller promises that `ptr` is valid for writes, and that `name` and `key`
        // stay readable for ever.
        unsafe { bindings::__spin_lock_init(ptr, name, key) }
    }

    #[inline]
    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
        // SAFETY: The caller promises that the lock has been initialised.
        unsafe { bindings::spin_lock_bh(ptr) }
    }

    #[inline]
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
        // SAFETY: The caller promises that the lock has been initialised.
        let taken = unsafe { bindings::spin_trylock_bh(ptr) };
        (taken != 0).then_some(())
    }

    #[inline]
    unsafe fn unlock(ptr: *mut Self::State, _state: &Self::GuardState) {
        // SAFETY: The caller promises that it holds the lock.
        unsafe { bindings::spin_unlock_bh(ptr) }
    }

    #[inline]
    unsafe fn assert_is_held(ptr: *mut Self::State) {
        // SAFETY: The caller promises that the lock has been initialised.
        unsafe { bindings::spin_assert_is_held(ptr) }
    }
}

/// Runs `f` with softirqs of this CPU held off, as code that runs in them expects. Process context.
pub fn without_bh<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: no precondition.
    unsafe { bindings::local_bh_disable() };
    let result = f();
    // SAFETY: disabled above.
    unsafe { bindings::local_bh_enable() };
    result
}
