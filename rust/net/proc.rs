// SPDX-License-Identifier: GPL-2.0

//! What a protocol keeps and shows per network namespace: `struct pernet_operations` and files
//! below `/proc/net`.
//!
//! C headers: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h),
//! [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use core::{
    mem::zeroed,
    ptr, //
};

use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    seq_file::SeqFile, //
};

use super::{
    netns::{
        Net,
        NetId, //
    },
    sock::{
        Protocol,
        Sock, //
    }, //
};
use crate::linux::bindings;

/// A file that is printed anew whenever it is read. Process context.
pub trait File: 'static {
    /// Its name.
    const NAME: &'static CStr;

    /// Prints it for one namespace.
    fn show(net: NetId, out: &SeqFile);
}

/// A protocol's part of every network namespace.
pub trait PerNet: 'static {
    /// Name of its folder in `/proc/net`.
    const DIR: &'static CStr;
    /// The files in it.
    type Files: FileList;

    /// A namespace comes up, or was there when the protocol was registered. Process context.
    fn init(net: NetId) -> Result;
    /// A namespace goes away: no socket of a user is left in it.
    fn exit(net: NetId);
}

/// A fixed list of files.
pub trait FileList {
    /// Calls `add` with the name and the callback of each file.
    fn for_each(add: &mut dyn FnMut(&'static CStr, Show));
}

/// The C callback that prints a file.
pub type Show = unsafe extern "C" fn(*mut bindings::seq_file, *mut kernel::ffi::c_void) -> i32;

impl<A: File, B: File, C: File> FileList for (A, B, C) {
    fn for_each(add: &mut dyn FnMut(&'static CStr, Show)) {
        add(A::NAME, show::<A>);
        add(B::NAME, show::<B>);
        add(C::NAME, show::<C>);
    }
}

/// A registered [`PerNet`]. Dropping it calls `exit` for all namespaces.
pub struct Registration {
    ops: KBox<bindings::pernet_operations>,
}

// SAFETY: only touched by registration and its reverse.
unsafe impl Send for Registration {}
// SAFETY: as above.
unsafe impl Sync for Registration {}

impl Registration {
    /// Registers for all namespaces, present and future. Sleeps.
    pub fn new<T: PerNet>() -> Result<Self> {
        // SAFETY: all fields are pointers, integers and optional functions: zero is valid.
        let mut ops: bindings::pernet_operations = unsafe { zeroed() };
        ops.init = Some(init::<T>);
        ops.exit = Some(exit::<T>);
        let mut ops = KBox::new(ops, GFP_KERNEL)?;
        // SAFETY: pinned in its box until it is unregistered.
        to_result(unsafe { bindings::register_pernet_subsys(&mut *ops) })?;
        Ok(Self { ops })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: registered by `new`.
        unsafe { bindings::unregister_pernet_subsys(&mut *self.ops) };
    }
}

/// # Safety
///
/// For `pernet_operations.init` only.
unsafe extern "C" fn init<T: PerNet>(net: *mut bindings::net) -> i32 {
    from_result(|| {
        // SAFETY: the namespace is valid for this call.
        let id = unsafe { Net::from_ptr(net) }.id();
        T::init(id)?;
        // SAFETY: as above; the name is a constant string.
        let dir = unsafe { bindings::proc_net_dir(net, T::DIR.as_char_ptr()) };
        if dir.is_null() {
            T::exit(id);
            return Err(ENOMEM);
        }
        T::Files::for_each(&mut |name, show| {
            // A file that cannot be made is missing; everything else works without it.
            // SAFETY: a valid folder; the callback lives as long as the module.
            unsafe {
                bindings::proc_create_net_single(
                    name.as_char_ptr(),
                    0o444,
                    dir,
                    Some(show),
                    ptr::null_mut(),
                )
            };
        });
        Ok(0)
    })
}

/// # Safety
///
/// For `pernet_operations.exit` only.
unsafe extern "C" fn exit<T: PerNet>(net: *mut bindings::net) {
    // SAFETY: made by `init`.
    unsafe { bindings::proc_net_remove(net, T::DIR.as_char_ptr()) };
    // SAFETY: the namespace is valid for this call.
    T::exit(unsafe { Net::from_ptr(net) }.id());
}

/// # Safety
///
/// For `proc_create_net_single` only.
unsafe extern "C" fn show<F: File>(
    m: *mut bindings::seq_file,
    _v: *mut kernel::ffi::c_void,
) -> i32 {
    // SAFETY: a single file of a namespace, open, which keeps the namespace alive.
    let net = unsafe { Net::from_ptr(bindings::seq_single_net(m)) };
    // SAFETY: valid for this call.
    F::show(net.id(), unsafe { SeqFile::from_raw(m) });
    0
}

impl<P: Protocol> Sock<P> {
    /// Prints the socket's address, hidden from those who may not know it.
    pub fn show_pointer(&self, out: &SeqFile) {
        // SAFETY: a valid file; the pointer is printed only.
        unsafe {
            bindings::seq_put_pointer(ptr::from_ref(out).cast_mut().cast(), self.as_ptr().cast())
        };
    }
}
