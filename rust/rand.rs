// SPDX-License-Identifier: GPL-2.0

//! Random numbers, fit for keys, from the kernel's generator; any context.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h)

use crate::linux::bindings;

/// Fills `out` with random bytes.
pub fn fill(out: &mut [u8]) {
    // SAFETY: `out` is valid for writes of its length.
    unsafe { bindings::get_random_bytes(out.as_mut_ptr().cast(), out.len()) }
}

/// Returns a random number.
pub fn u64() -> u64 {
    // SAFETY: The function has no preconditions.
    unsafe { bindings::get_random_u64() }
}
