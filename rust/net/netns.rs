// SPDX-License-Identifier: GPL-2.0

//! Network namespaces.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use core::marker::PhantomData;

use crate::linux::bindings;

/// A network namespace, borrowed from a socket of it.
#[derive(Clone, Copy)]
pub struct Net<'a> {
    ptr: *mut bindings::net,
    _p: PhantomData<&'a bindings::net>,
}

/// The identity of a network namespace: to compare, never to follow. A namespace that something
/// still counts on keeps its identity to itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NetId(usize);

impl NetId {
    /// As bytes, to be hashed.
    pub fn to_bytes(self) -> [u8; 8] {
        // CAST: usize is 64 bits wide.
        (self.0 as u64).to_ne_bytes()
    }
}

impl Net<'_> {
    /// # Safety
    ///
    /// `ptr` must be a namespace that stays alive for the chosen lifetime.
    pub(super) unsafe fn from_ptr(ptr: *mut bindings::net) -> Self {
        Self {
            ptr,
            _p: PhantomData,
        }
    }

    /// The C object.
    pub(super) fn as_ptr(&self) -> *mut bindings::net {
        self.ptr
    }

    /// Its identity.
    pub fn id(&self) -> NetId {
        NetId(self.ptr as usize)
    }
}
