// SPDX-License-Identifier: GPL-2.0

//! The protocol switch: `struct inet_protosw`, in which `socket()` looks protocols up.
//!
//! C header: [`include/net/protocol.h`](srctree/include/net/protocol.h)

use core::mem::zeroed;

use kernel::prelude::*;

use super::proto;
use crate::linux::bindings;

/// The entries of a protocol. While they are there,
/// `socket(AF_INET | AF_INET6, SOCK_STREAM | SOCK_DGRAM, N)` works.
///
/// Sockets can be made from the first entry on, even before the module's `init` is done; and a
/// module whose `init` fails is freed whoever holds it. So this is the last thing that `init`
/// makes: nothing may fail after it. It is the first to be dropped, before the registration to
/// which the entries point.
///
/// Between the time when a module is told to go and this is dropped, `socket()` finds the entry but
/// no reference to the module: then the kernel answers `ENOMEM` (IPv4) or `ENOBUFS` (IPv6).
pub struct Registration {
    entries: KBox<[bindings::inet_protosw; ENTRIES]>,
}

/// Two families, two types.
const ENTRIES: usize = 4;

// SAFETY: only touched by registration and its reverse.
unsafe impl Send for Registration {}
// SAFETY: as above.
unsafe impl Sync for Registration {}

impl Registration {
    /// Offers `protocol` for both address families and both socket types.
    pub fn new(protocol: &proto::Registration) -> Result<Self> {
        // SAFETY: all fields are pointers, integers and list heads that are set when they are
        // registered: zero is valid.
        let entries: [bindings::inet_protosw; ENTRIES] = unsafe { zeroed() };
        let mut entries = KBox::new(entries, GFP_KERNEL)?;
        for (i, entry) in entries.iter_mut().enumerate() {
            fill(entry, protocol, is_v6(i), i & 2 != 0);
            if is_v6(i) {
                // Fails for permanent overlaps only, which the number of the protocol, unused in
                // the kernel, excludes.
                // SAFETY: pinned in its box until it is unregistered.
                let _ = unsafe { bindings::inet6_register_protosw(entry) };
            } else {
                // SAFETY: as above.
                unsafe { bindings::inet_register_protosw(entry) };
            }
        }
        Ok(Self { entries })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        for (i, entry) in self.entries.iter_mut().enumerate() {
            if is_v6(i) {
                // SAFETY: registered by `new`.
                unsafe { bindings::inet6_unregister_protosw(entry) };
            } else {
                // SAFETY: as above.
                unsafe { bindings::inet_unregister_protosw(entry) };
            }
        }
    }
}

/// Families alternate.
fn is_v6(i: usize) -> bool {
    i & 1 != 0
}

fn fill(
    entry: &mut bindings::inet_protosw,
    protocol: &proto::Registration,
    v6: bool,
    stream: bool,
) {
    let tables = protocol.tables();
    // CAST: constants of a few bits.
    entry.type_ = if stream {
        bindings::sock_type_SOCK_STREAM
    } else {
        bindings::sock_type_SOCK_DGRAM
    } as u16;
    // SAFETY: the tables live as long as the registration, which outlives the entries.
    entry.protocol = unsafe { (*tables).number };
    (entry.prot, entry.ops) = if v6 {
        // SAFETY: as above.
        unsafe { (&raw mut (*tables).proto6, &raw const (*tables).ops6) }
    } else {
        // SAFETY: as above.
        unsafe { (&raw mut (*tables).proto4, &raw const (*tables).ops4) }
    };
}
