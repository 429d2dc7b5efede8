// SPDX-License-Identifier: GPL-2.0

//! Fallible memory: what the core means by a vector and a box.
//!
//! The core allocates in softirq and under the socket lock, so its containers ask for
//! `GFP_ATOMIC | __GFP_NOWARN`: they never sleep, and a failure is an ordinary result which nobody
//! needs to read about in the log. Process context says [`Gfp::KERNEL`] instead, where it may wait.
//! A call that fails leaves the container as it was.
//!
//! The host's twin is `tools/testing/host/core/src/mem.rs`; both have the same interface.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

#[path = "mem/vec.rs"]
mod vec;

use core::{
    fmt,
    ops::{
        Deref,
        DerefMut, //
    }, //
};

use kernel::{
    alloc::{
        flags,
        Flags, //
    },
    prelude::*, //
};

pub use vec::Vec;

use crate::linux::bindings;

/// How an allocation may behave: the kernel crate's flags and the C value of the same.
///
/// The kernel crate keeps the conversion to itself, so that both are carried side by side.
#[derive(Clone, Copy)]
pub struct Gfp {
    flags: Flags,
    raw: bindings::gfp_t,
}

impl Gfp {
    /// Process context which may sleep and charges the memory to the control group of the caller.
    pub const KERNEL: Gfp = Gfp {
        flags: flags::GFP_KERNEL_ACCOUNT,
        raw: bindings::GFP_KERNEL_ACCOUNT,
    };

    /// Process context which may sleep, for what is charged to a socket, and with it to the socket's
    /// control group: not twice.
    pub const SOCKET: Gfp = Gfp {
        flags: flags::GFP_KERNEL,
        raw: bindings::GFP_KERNEL,
    };

    /// Any context: never sleeps, and fails in silence.
    #[inline]
    pub fn atomic() -> Gfp {
        Gfp {
            flags: flags::GFP_ATOMIC | flags::__GFP_NOWARN,
            raw: bindings::GFP_ATOMIC | bindings::__GFP_NOWARN,
        }
    }

    /// For calls of the kernel crate.
    #[inline]
    pub fn flags(self) -> Flags {
        self.flags
    }

    /// For calls of C functions.
    #[inline]
    pub fn as_raw(self) -> bindings::gfp_t {
        self.raw
    }
}

/// No memory was available; the object is as it was before the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocError;

impl From<kernel::alloc::AllocError> for AllocError {
    fn from(_: kernel::alloc::AllocError) -> Self {
        AllocError
    }
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        ENOMEM
    }
}

/// A value that could not be stored because no memory was available.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PushError<T>(pub T);

impl<T> fmt::Debug for PushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushError")
    }
}

impl<T> From<PushError<T>> for AllocError {
    fn from(_: PushError<T>) -> Self {
        AllocError
    }
}

/// An owned value on the heap.
pub struct Box<T>(KBox<T>);

impl<T> Box<T> {
    /// Moves `value` to the heap.
    pub fn try_new(value: T) -> Result<Box<T>, AllocError> {
        Self::try_new_with(|| value)
    }

    /// Moves the result of `init` to the heap; `init` runs only when there is memory.
    pub fn try_new_with(init: impl FnOnce() -> T) -> Result<Box<T>, AllocError> {
        Self::try_new_in(init, Gfp::atomic())
    }

    /// Like [`Box::try_new_with`], in the given way.
    pub fn try_new_in(init: impl FnOnce() -> T, gfp: Gfp) -> Result<Box<T>, AllocError> {
        let place = KBox::<T>::new_uninit(gfp.flags())?;
        Ok(Box(place.write(init())))
    }
}

impl<T> Deref for Box<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Box<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Box<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
