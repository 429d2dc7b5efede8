// SPDX-License-Identifier: GPL-2.0

//! The clock.
//!
//! The core reads no clock: the glue asks here once per batch of events and hands the answer down.
//!
//! C header: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h)

use crate::linux::bindings;

/// Nanoseconds of the monotonic clock since boot; any context but NMI.
#[inline]
pub fn monotonic_nanos() -> u64 {
    // SAFETY: `ktime_get()` may be called in any context but NMI, which runs nothing of ours.
    let now = unsafe { bindings::ktime_get() };
    // CAST: The monotonic clock starts at zero and never runs backwards.
    now as u64
}
