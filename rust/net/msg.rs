// SPDX-License-Identifier: GPL-2.0

//! `struct msghdr`: the data, flags and control messages of `sendmsg(2)` and `recvmsg(2)`.
//!
//! C header: [`include/linux/socket.h`](srctree/include/linux/socket.h)

use core::{
    marker::PhantomData,
    slice, //
};

use kernel::{
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
};

use crate::linux::bindings;

/// Size of `struct cmsghdr` on a 64-bit kernel.
const CMSG_HDR: usize = core::mem::size_of::<bindings::cmsghdr>();
const CMSG_ALIGN: usize = core::mem::size_of::<usize>();

/// The message of a running system call.
///
/// # Invariants
///
/// `ptr` is valid for `'a` and used by nobody else meanwhile.
pub struct MsgHdr<'a> {
    ptr: *mut bindings::msghdr,
    _p: PhantomData<&'a mut bindings::msghdr>,
}

impl<'a> MsgHdr<'a> {
    /// # Safety
    ///
    /// `ptr` must satisfy the type invariant.
    pub(super) unsafe fn from_raw(ptr: *mut bindings::msghdr) -> Self {
        Self {
            ptr,
            _p: PhantomData,
        }
    }

    /// The `MSG_` flags of the call.
    pub fn flags(&self) -> u32 {
        // SAFETY: valid by the type invariant.
        unsafe { (*self.ptr).msg_flags }
    }

    /// Adds flags to those that the caller gets back.
    pub fn add_flags(&mut self, flags: u32) {
        // SAFETY: valid by the type invariant.
        unsafe { (*self.ptr).msg_flags |= flags };
    }

    /// The data to send.
    pub fn source(&mut self) -> &mut IovIterSource<'a> {
        // SAFETY: valid by the type invariant; `sendmsg` gives a source iterator.
        unsafe { IovIterSource::from_raw(&raw mut (*self.ptr).msg_iter) }
    }

    /// The memory to receive into.
    pub fn dest(&mut self) -> &mut IovIterDest<'a> {
        // SAFETY: valid by the type invariant; `recvmsg` gives a destination iterator.
        unsafe { IovIterDest::from_raw(&raw mut (*self.ptr).msg_iter) }
    }

    /// The control messages of `sendmsg`.
    pub fn control(&self) -> CmsgIter<'_> {
        // SAFETY: valid by the type invariant.
        let len = unsafe { (*self.ptr).msg_controllen };
        // SAFETY: as above; the kernel's socket layer has copied user control data for `sendmsg`.
        let ptr = unsafe { (*self.ptr).__bindgen_anon_1.msg_control };
        if ptr.is_null() || len == 0 {
            return CmsgIter(&[]);
        }
        // SAFETY: `msg_control` has `msg_controllen` bytes in kernel memory.
        CmsgIter(unsafe { slice::from_raw_parts(ptr.cast::<u8>(), len) })
    }

    /// Appends a control message for `recvmsg`. Returns whether it fitted; sets `MSG_CTRUNC` if not.
    pub fn put_cmsg(&mut self, level: i32, ty: i32, data: &[u8]) -> bool {
        let Ok(len) = i32::try_from(data.len()) else {
            return false;
        };
        // SAFETY: valid by the type invariant; `data` has `len` bytes and is only read.
        let ret = unsafe {
            bindings::put_cmsg(self.ptr, level, ty, len, data.as_ptr().cast_mut().cast())
        };
        ret == 0 && self.flags() & bindings::MSG_CTRUNC == 0
    }
}

/// One control message.
pub struct Cmsg<'a> {
    /// `cmsg_level`.
    pub level: i32,
    /// `cmsg_type`.
    pub ty: i32,
    /// The payload, possibly shorter than the structure that it should be.
    pub data: &'a [u8],
}

/// Walks over control messages. A malformed one ends the walk with `EINVAL`.
pub struct CmsgIter<'a>(&'a [u8]);

impl<'a> Iterator for CmsgIter<'a> {
    type Item = Result<Cmsg<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let head = self.0.get(..CMSG_HDR)?;
        let len = usize::from_ne_bytes(*head.first_chunk()?);
        let level = i32::from_ne_bytes(*head.get(8..)?.first_chunk()?);
        let ty = i32::from_ne_bytes(*head.get(12..)?.first_chunk()?);
        let Some(data) = self.0.get(CMSG_HDR..len) else {
            self.0 = &[];
            return Some(Err(EINVAL));
        };
        let step = len.checked_next_multiple_of(CMSG_ALIGN).unwrap_or(len);
        self.0 = self.0.get(step..).unwrap_or_default();
        Some(Ok(Cmsg { level, ty, data }))
    }
}
