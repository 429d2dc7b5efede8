// SPDX-License-Identifier: GPL-2.0

//! The account of batches: socket buffers that hold many datagrams.
//!
//! One datagram that is kept keeps the whole batch, so that its share says nothing about the memory
//! that is held. Hence a batch is charged by itself: in whole when the first part of it is kept, until
//! the last one is gone. Any context.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use core::{
    fmt,
    ptr, //
};

use kernel::sync::{
    atomic::{
        Atomic,
        Relaxed, //
    },
    Arc, //
};

use crate::{
    linux::{
        bindings,
        net::skb::SkBuff, //
    },
    mem::{
        AllocError,
        Gfp, //
    }, //
};

/// Bytes of memory in batches of which one owner keeps something.
#[derive(Clone)]
pub struct Pinned(Arc<Account>);

struct Account {
    bytes: Atomic<usize>,
    limit: Atomic<usize>,
}

impl Pinned {
    /// Nothing yet, and no limit.
    pub fn try_new() -> Result<Pinned, AllocError> {
        let account = Account {
            bytes: Atomic::new(0),
            limit: Atomic::new(usize::MAX),
        };
        Ok(Pinned(Arc::new(account, Gfp::atomic().flags())?))
    }

    /// Bytes of memory, to be charged to the owner.
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Relaxed)
    }

    /// No further batch is kept from `bytes` of memory on: what is kept of it is copied then.
    pub fn set_limit(&self, bytes: usize) {
        self.0.limit.store(bytes, Relaxed);
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pinned({})", self.bytes())
    }
}

/// What the control block of a batch holds.
struct Batch {
    owner: Pinned,
    truesize: usize,
    is_charged: Atomic<bool>,
}

const _: () = assert!(size_of::<Batch>() <= 48 && align_of::<Batch>() <= 8);

/// Makes a buffer a batch whose memory counts for `owner`.
///
/// # Safety
///
/// The data of the buffer is reached by its owner only, and the buffer is given to nobody who uses the
/// control block or the destructor.
pub(super) unsafe fn attach(skb: &SkBuff, owner: &Pinned) {
    let batch = Batch {
        owner: owner.clone(),
        truesize: skb.truesize(),
        is_charged: Atomic::new(false),
    };
    // SAFETY: The control block has room for it, and nobody else uses it.
    unsafe { batch_of(skb.as_ptr()).write(batch) };
    // SAFETY: The buffer is valid, and has no destructor that the caller wants.
    unsafe { bindings::skb_set_destructor(skb.as_ptr(), Some(release)) };
}

/// Charges a batch to its owner if it is not yet. Returns false, and does nothing, if the owner's
/// limit is reached.
///
/// # Safety
///
/// The buffer is a batch by [`attach`].
pub(super) unsafe fn charge(skb: &SkBuff) -> bool {
    // SAFETY: `attach` has put it there, and it stays until the buffer goes.
    let batch = unsafe { &*batch_of(skb.as_ptr()) };
    if batch.is_charged.load(Relaxed) {
        return true;
    }
    let account = &batch.owner.0;
    if account.bytes.load(Relaxed) >= account.limit.load(Relaxed) {
        return false;
    }
    if !batch.is_charged.xchg(true, Relaxed) {
        account.bytes.add(batch.truesize, Relaxed);
    }
    true
}

fn batch_of(skb: *mut bindings::sk_buff) -> *mut Batch {
    // SAFETY: The callers have a valid buffer.
    unsafe { (&raw mut (*skb).cb).cast() }
}

/// The last reference on a batch is gone.
///
/// # Safety
///
/// Only as the destructor of a batch by [`attach`].
unsafe extern "C" fn release(skb: *mut bindings::sk_buff) {
    // SAFETY: `attach` has put it there, and nobody will look at it any more.
    let batch = unsafe { ptr::read(batch_of(skb)) };
    if batch.is_charged.load(Relaxed) {
        batch.owner.0.bytes.fetch_sub(batch.truesize, Relaxed);
    }
}
