// SPDX-License-Identifier: GPL-2.0

//! The sysctls of a protocol's memory limits, in the first network namespace.
//!
//! C header: [`include/linux/sysctl.h`](srctree/include/linux/sysctl.h)

use core::{
    mem::{
        size_of,
        zeroed, //
    },
    ptr::{
        self,
        NonNull, //
    },
};

use kernel::prelude::*;

use super::proto;
use crate::linux::bindings;

/// Smallest size of a buffer, for the limits of rmem and wmem.
static ONE: i32 = 1;

/// Names of the three limits.
pub struct Names {
    /// Folder, for instance `net/quic`.
    pub dir: &'static CStr,
    /// Pages of all sockets: minimum, pressure, maximum.
    pub mem: &'static CStr,
    /// Receive buffer of a socket: minimum, default, maximum.
    pub rmem: &'static CStr,
    /// Send buffer of a socket: minimum, default, maximum.
    pub wmem: &'static CStr,
}

/// Registered sysctls. To be dropped before the protocol's registration, to which they point.
pub struct Registration {
    header: NonNull<bindings::ctl_table_header>,
    _table: KBox<[bindings::ctl_table; 3]>,
}

// SAFETY: only touched by registration and its reverse.
unsafe impl Send for Registration {}
// SAFETY: as above.
unsafe impl Sync for Registration {}

impl Registration {
    /// Shows the limits of `protocol`.
    pub fn new(protocol: &proto::Registration, names: &Names) -> Result<Self> {
        let limits = protocol.limits();
        // SAFETY: the limits live as long as the registration, which outlives this object.
        let (mem, rmem, wmem) = unsafe {
            (
                &raw mut (*limits).mem,
                &raw mut (*limits).rmem,
                &raw mut (*limits).wmem,
            )
        };
        let bytes = bindings::proc_dointvec_minmax;
        let table = [
            entry::<i64>(names.mem, mem.cast(), bindings::proc_doulongvec_minmax),
            entry::<i32>(names.rmem, rmem.cast(), bytes),
            entry::<i32>(names.wmem, wmem.cast(), bytes),
        ];
        let mut table = KBox::new(table, GFP_KERNEL)?;
        // SAFETY: the table stays in its box until it is unregistered.
        let header = unsafe {
            bindings::register_net_sysctl_sz(
                &raw mut bindings::init_net,
                names.dir.as_char_ptr(),
                table.as_mut_ptr(),
                table.len(),
            )
        };
        Ok(Self {
            header: NonNull::new(header).ok_or(ENOMEM)?,
            _table: table,
        })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: registered by `new`.
        unsafe { bindings::unregister_net_sysctl_table(self.header.as_ptr()) };
    }
}

type Handler = unsafe extern "C" fn(
    *const bindings::ctl_table,
    i32,
    *mut kernel::ffi::c_void,
    *mut usize,
    *mut bindings::loff_t,
) -> i32;

/// An entry for three numbers of type `T`.
fn entry<T>(
    name: &'static CStr,
    data: *mut kernel::ffi::c_void,
    handler: Handler,
) -> bindings::ctl_table {
    // SAFETY: all fields are pointers, integers and an optional function: zero is valid.
    let mut entry: bindings::ctl_table = unsafe { zeroed() };
    entry.procname = name.as_char_ptr();
    entry.data = data;
    // CAST: a few bytes.
    entry.maxlen = (3 * size_of::<T>()) as i32;
    entry.mode = 0o644;
    entry.proc_handler = Some(handler);
    if size_of::<T>() == size_of::<i32>() {
        entry.extra1 = ptr::from_ref(&ONE).cast_mut().cast();
    }
    entry
}
