// SPDX-License-Identifier: GPL-2.0

//! Deferred work in process context: a workqueue of the module's own, work of a socket, and work that
//! is done after a while.
//!
//! The kernel crate's work items cannot be flushed; a queue of one's own can be drained, which is
//! what dropping a [`Queue`] does, so that no work outlives the module's code.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::{
    ops::Deref,
    ptr::NonNull, //
};

use kernel::{
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

use super::sock::{
    Ext,
    Protocol,
    Sock, //
};
use crate::linux::bindings;

/// A workqueue. Dropping it runs what is queued to the end first.
pub struct Queue(NonNull<bindings::workqueue_struct>);

// SAFETY: workqueues are used from any thread.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    /// Makes a queue that is not bound to a CPU.
    pub fn new(name: &'static CStr) -> Result<Self> {
        let flags = bindings::wq_flags_WQ_UNBOUND | bindings::wq_flags_WQ_MEM_RECLAIM;
        // SAFETY: the format has no directives; no further arguments are read.
        let ptr = unsafe { bindings::alloc_workqueue_noprof(name.as_char_ptr(), flags, 0) };
        NonNull::new(ptr.cast()).map(Self).ok_or(ENOMEM)
    }

    /// Waits until everything queued so far has run.
    pub fn flush(&self) {
        // SAFETY: a valid workqueue; process context by the contract of this method.
        unsafe { bindings::__flush_workqueue(self.0.as_ptr().cast()) };
    }

    /// As [`Self::flush`], and waits for what a grace period keeps back, too. Nobody may queue more
    /// meanwhile.
    pub fn drain(&self) {
        self.flush();
        // SAFETY: process context by the contract of this method.
        unsafe { bindings::rcu_barrier() };
        self.flush();
    }

    /// Queues a work item once a grace period has passed.
    ///
    /// # Safety
    ///
    /// `work` must be initialised, not queued, and stay valid until it has run.
    pub(super) unsafe fn queue_rcu(&self, work: *mut bindings::rcu_work) {
        // SAFETY: by the caller's promise.
        unsafe { bindings::queue_rcu_work(self.0.as_ptr(), work) };
    }

    /// Queues a work item. False if it is queued already.
    ///
    /// # Safety
    ///
    /// `work` must be initialised and stay valid until it has run.
    pub(super) unsafe fn queue(&self, work: *mut bindings::work_struct) -> bool {
        // SAFETY: by the caller's promise. CAST: the "any CPU" constant is a small number.
        unsafe {
            bindings::queue_work_on(
                bindings::wq_misc_consts_WORK_CPU_UNBOUND as i32,
                self.0.as_ptr().cast(),
                work,
            )
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: made by `new`; nobody queues any more. Drains.
        unsafe { bindings::destroy_workqueue(self.0.as_ptr().cast()) };
    }
}

/// Work of something that is put off for a while. Process context.
pub trait Later: Send + Sync {
    /// Does it. Returns the milliseconds after which there is more to do, if there is.
    fn run(&self) -> Option<u32>;
}

/// Something with work to be done [`Later`]. It is dropped in process context, which waits for work
/// that is running and prevents what was put off.
#[pin_data(PinnedDrop)]
pub struct Delayed<T: Later> {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    queue: Arc<Queue>,
    #[pin]
    inner: T,
}

// SAFETY: the work item is used by the workqueue's own rules; the rest is `Send`.
unsafe impl<T: Later> Send for Delayed<T> {}
// SAFETY: as above.
unsafe impl<T: Later> Sync for Delayed<T> {}

impl<T: Later> Delayed<T> {
    /// Nothing is put off yet. Work runs in `queue`.
    pub fn new(queue: Arc<Queue>, inner: impl PinInit<T, Error>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            work <- Opaque::ffi_init(|work| {
                // SAFETY: in its final place, as the structure is pinned.
                unsafe { bindings::init_delayed_work(work, Some(run_later::<T>)) }
            }),
            queue,
            inner <- inner,
        })
    }

    /// Lets [`Later::run`] run after `ms` milliseconds, or earlier if that was asked for before. Any
    /// context.
    pub fn run_within(&self, ms: u32) {
        // SAFETY: both are initialised, and the work is ended before they go.
        unsafe { bindings::queue_delayed_work(self.queue.0.as_ptr().cast(), self.work.get(), ms) };
    }
}

impl<T: Later> Deref for Delayed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

#[pinned_drop]
impl<T: Later> PinnedDrop for Delayed<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: initialised; process context. Prevents what the work itself has put off, too.
        unsafe { bindings::cancel_delayed_work_sync(self.work.get()) };
    }
}

/// # Safety
///
/// Only for work items that [`Delayed::new`] made.
unsafe extern "C" fn run_later<T: Later>(work: *mut bindings::work_struct) {
    let offset = core::mem::offset_of!(Delayed<T>, work)
        .wrapping_add(core::mem::offset_of!(bindings::delayed_work, work));
    let this = work.cast::<u8>().wrapping_sub(offset).cast::<Delayed<T>>();
    // SAFETY: it waits for this function when it is dropped.
    let this = unsafe { &*this };
    if let Some(ms) = this.inner.run() {
        this.run_within(ms);
    }
}

impl<P: Protocol> Sock<P> {
    /// Lets [`Protocol::work`] run soon in process context. Any context.
    pub fn queue_work(&self, queue: &Queue) {
        // SAFETY: a valid socket.
        unsafe { bindings::sock_hold(self.as_ptr()) };
        // SAFETY: initialised; kept valid by the reference just taken.
        if !unsafe { queue.queue(self.ext().work.get()) } {
            // SAFETY: not queued, so the reference is still ours.
            unsafe { bindings::sock_put(self.as_ptr()) };
        }
    }
}

/// # Safety
///
/// `ext` must be the pinned [`Ext`] of a new socket.
pub(super) unsafe fn setup_sock<P: Protocol>(ext: *mut Ext<P>) {
    // SAFETY: valid by the caller's promise.
    let work = Opaque::cast_into(unsafe { &raw const (*ext).work });
    // SAFETY: the work item is in its final place.
    unsafe { init_work(work, run_sock::<P>) };
}

/// Makes a work item that runs `func`.
///
/// # Safety
///
/// `work` must be valid for writes and in its final place.
pub(super) unsafe fn init_work(
    work: *mut bindings::work_struct,
    func: unsafe extern "C" fn(*mut bindings::work_struct),
) {
    // SAFETY: by the caller's promise.
    unsafe { bindings::init_work(work, Some(func)) };
}

/// Makes a work item that runs `func` a grace period after it is queued.
///
/// # Safety
///
/// `work` must be valid for writes and in its final place.
pub(super) unsafe fn init_rcu_work(
    work: *mut bindings::rcu_work,
    func: unsafe extern "C" fn(*mut bindings::work_struct),
) {
    // SAFETY: by the caller's promise.
    unsafe { bindings::init_rcu_work(work, Some(func)) };
}

/// # Safety
///
/// Only for work items that [`setup_sock`] made.
unsafe extern "C" fn run_sock<P: Protocol>(work: *mut bindings::work_struct) {
    let offset = core::mem::offset_of!(Ext<P>, work);
    let ext = work.cast::<u8>().wrapping_sub(offset).cast::<Ext<P>>();
    // SAFETY: the `Ext` lies in a socket of `P`, kept alive by the work's reference.
    let sk = unsafe { Sock::<P>::from_ext(ext) };
    P::work(&mut sk.lock());
    // SAFETY: the reference of the work item.
    unsafe { bindings::sock_put(sk.as_ptr()) };
}
