// SPDX-License-Identifier: GPL-2.0

//! A place for what the whole module shares, found by callbacks that get no pointer to it.
//!
//! Filled when the module is ready, emptied when it goes away. Whoever found the value keeps it by
//! a reference.

use core::{
    mem::forget,
    ptr::null_mut, //
};

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full, //
        },
        rcu,
        Arc, //
    },
};

/// An optional `Arc<T>` in a static. Any context but where noted.
pub struct Slot<T>(Atomic<*mut T>);

// SAFETY: gives out `Arc<T>` only.
unsafe impl<T: Send + Sync> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// An empty slot.
    #[expect(clippy::new_without_default, reason = "for statics")]
    pub const fn new() -> Self {
        Self(Atomic::new(null_mut()))
    }

    /// Fills the slot, until the result is dropped. Sleeps.
    pub fn fill(&'static self, value: Arc<T>) -> Result<Filled<T>> {
        let ptr = Arc::into_raw(value).cast_mut();
        if self.0.cmpxchg(null_mut(), ptr, Full).is_err() {
            // SAFETY: the reference from above.
            drop(unsafe { Arc::from_raw(ptr) });
            return Err(EBUSY);
        }
        Ok(Filled(self))
    }

    /// The value, if the slot is filled.
    pub fn get(&self) -> Option<Arc<T>> {
        let _guard = rcu::read_lock();
        let ptr = self.0.load(Acquire);
        if ptr.is_null() {
            return None;
        }
        // SAFETY: the slot's reference is kept at least until the end of this RCU read section.
        let owned = unsafe { Arc::from_raw(ptr) };
        let copy = owned.clone();
        // The slot's reference stays in the slot.
        forget(owned);
        Some(copy)
    }
}

/// The duty to empty a [`Slot`]. Dropping it waits for a grace period.
pub struct Filled<T: 'static>(&'static Slot<T>);

impl<T> Drop for Filled<T> {
    fn drop(&mut self) {
        let ptr = self.0 .0.xchg(null_mut(), Full);
        rcu::synchronize_rcu();
        // SAFETY: the slot's reference; nobody looks at it any more.
        drop(unsafe { Arc::from_raw(ptr) });
    }
}
