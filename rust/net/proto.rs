// SPDX-License-Identifier: GPL-2.0

//! Registration of a transport protocol: `struct proto` and its callbacks.
//!
//! The tables live in the [`Registration`]; sockets point to them, and every socket pins the
//! module, so that the registration cannot be dropped before the last socket is gone.
//! [`protosw`](super::protosw) then offers the protocol to `socket()`.
//!
//! C headers: [`include/net/sock.h`](srctree/include/net/sock.h),
//! [`include/net/protocol.h`](srctree/include/net/protocol.h)

use core::{
    mem::{
        size_of,
        zeroed, //
    },
    ptr, //
};

use kernel::{
    error::{
        from_result,
        to_result, //
    },
    page::PAGE_SIZE,
    prelude::*,
    ThisModule, //
};

use super::{
    calls,
    lock::Held,
    ops,
    skb::SkBuff,
    sock::{
        self,
        Layout4,
        Layout6,
        Protocol,
        Sock, //
    }, //
};
use crate::linux::bindings;

/// What the kernel needs to know of a protocol besides its code.
pub struct Info {
    /// Number of the protocol, `IPPROTO_…`.
    pub number: u16,
    /// Name in `/proc/net/protocols` of the IPv4 side.
    pub name4: &'static CStr,
    /// Name of the IPv6 side.
    pub name6: &'static CStr,
}

/// Counters and limits of the memory that all sockets of a protocol share.
#[repr(C)]
pub(super) struct Accounting {
    allocated: bindings::atomic_long_t,
    pressure: usize,
    sockets: bindings::percpu_counter,
    per_cpu: *mut i32,
    /// Pages: minimum, pressure, maximum.
    pub(super) mem: [i64; 3],
    /// Bytes: minimum, default, maximum.
    pub(super) rmem: [i32; 3],
    /// Bytes: minimum, default, maximum.
    pub(super) wmem: [i32; 3],
}

pub(super) struct Tables {
    pub(super) number: u16,
    pub(super) proto4: bindings::proto,
    pub(super) proto6: bindings::proto,
    pub(super) ops4: bindings::proto_ops,
    pub(super) ops6: bindings::proto_ops,
    accounting: Accounting,
}

/// A registered protocol. Dropping it takes the protocol away.
pub struct Registration {
    tables: KBox<Tables>,
}

// SAFETY: after registration the tables are only touched by the kernel's own rules.
unsafe impl Send for Registration {}
// SAFETY: as above; `&self` gives nothing mutable.
unsafe impl Sync for Registration {}

impl Registration {
    /// Registers the protocol for both address families. No socket can be made of it yet.
    pub fn new<P: Protocol>(module: &'static ThisModule, info: &Info) -> Result<Self> {
        let mut tables = KBox::new(
            Tables {
                number: info.number,
                // SAFETY: all fields are pointers, integers and optional functions: zero is valid.
                proto4: unsafe { zeroed() },
                // SAFETY: as above.
                proto6: unsafe { zeroed() },
                ops4: ops::table::<P>(module, bindings::AF_INET),
                ops6: ops::table::<P>(module, bindings::AF_INET6),
                // SAFETY: as above; made below, in its final place.
                accounting: unsafe { zeroed() },
            },
            GFP_KERNEL,
        )?;
        let t = &mut *tables;
        t.accounting.init()?;
        (t.accounting.mem, t.accounting.rmem, t.accounting.wmem) = default_limits();
        fill::<P>(&mut t.proto4, module, info.name4, &mut t.accounting);
        t.proto4.obj_size = u32_size::<Layout4<P>>();
        fill::<P>(&mut t.proto6, module, info.name6, &mut t.accounting);
        t.proto6.obj_size = u32_size::<Layout6<P>>();
        // CAST: an offset within a structure of a few kilobytes.
        t.proto6.ipv6_pinfo_offset = Layout6::<P>::PINFO as u32;
        // SAFETY: a function of this module, as its caller is.
        unsafe { bindings::set_getsockopt(Some(calls::getsockopt_own::<P>)) };
        register(t)?;
        Ok(Self { tables })
    }
}

impl Registration {
    /// The limits which sysctls show and change.
    pub(super) fn limits(&self) -> *mut Accounting {
        ptr::from_ref(&self.tables.accounting).cast_mut()
    }

    /// What sockets point to. The kernel writes to it by its own rules.
    pub(super) fn tables(&self) -> *mut Tables {
        ptr::from_ref(&*self.tables).cast_mut()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let t = &mut *self.tables;
        // SAFETY: registered; no socket is left, as each pins the module.
        unsafe { bindings::proto_unregister(&mut t.proto6) };
        // SAFETY: as above.
        unsafe { bindings::proto_unregister(&mut t.proto4) };
    }
}

fn register(t: &mut Tables) -> Result {
    // SAFETY: the tables are pinned in their box until `Registration` is dropped.
    to_result(unsafe { bindings::proto_register(&mut t.proto4, 1) })?;
    // SAFETY: as above.
    if let Err(e) = to_result(unsafe { bindings::proto_register(&mut t.proto6, 1) }) {
        // SAFETY: just registered.
        unsafe { bindings::proto_unregister(&mut t.proto4) };
        return Err(e);
    }
    Ok(())
}

fn fill<P: Protocol>(
    proto: &mut bindings::proto,
    module: &'static ThisModule,
    name: &CStr,
    accounting: &mut Accounting,
) {
    for (to, from) in proto.name.iter_mut().zip(name.to_bytes().iter().take(31)) {
        *to = *from;
    }
    proto.owner = module.as_ptr();
    proto.no_autobind = true;
    proto.close = Some(close::<P>);
    proto.init = Some(init::<P>);
    proto.destroy = Some(destroy);
    proto.accept = Some(calls::accept_sock::<P>);
    proto.ioctl = Some(calls::ioctl_sock::<P>);
    proto.setsockopt = Some(calls::setsockopt_sock::<P>);
    proto.getsockopt = Some(calls::getsockopt_sock::<P>);
    proto.sendmsg = Some(calls::sendmsg_sock::<P>);
    proto.recvmsg = Some(calls::recvmsg_sock::<P>);
    proto.backlog_rcv = Some(backlog_rcv::<P>);
    proto.release_cb = Some(release_cb::<P>);
    proto.unhash = Some(unhash);
    proto.hash = Some(hash);
    proto.memory_allocated = &mut accounting.allocated;
    proto.memory_pressure = ptr::from_mut(&mut accounting.pressure).cast();
    proto.sockets_allocated = &mut accounting.sockets;
    proto.per_cpu_fw_alloc = accounting.per_cpu;
    proto.sysctl_mem = accounting.mem.as_mut_ptr().cast();
    proto.sysctl_rmem = accounting.rmem.as_mut_ptr();
    proto.sysctl_wmem = accounting.wmem.as_mut_ptr();
    proto.enter_memory_pressure = Some(bindings::enter_memory_pressure);
}

impl Accounting {
    /// Must be called in the final place: the kernel links the counter into a list.
    fn init(&mut self) -> Result {
        // SAFETY: zeroed memory that does not move until it is dropped.
        to_result(unsafe { bindings::percpu_counter_init(&mut self.sockets, 0) })?;
        // SAFETY: no precondition.
        self.per_cpu = unsafe { bindings::alloc_percpu_int() };
        if self.per_cpu.is_null() {
            return Err(ENOMEM);
        }
        Ok(())
    }
}

impl Drop for Accounting {
    fn drop(&mut self) {
        // SAFETY: made by `init`, or zeroed, which is destroyed already.
        unsafe { bindings::percpu_counter_destroy(&mut self.sockets) };
        // SAFETY: allocated by `init`, or null.
        unsafe { bindings::free_percpu(self.per_cpu.cast()) };
    }
}

/// Limits that go with the size of the machine: pages for all sockets together, bytes for the
/// buffers of one.
fn default_limits() -> ([i64; 3], [i32; 3], [i32; 3]) {
    // SAFETY: no precondition. CAST: a count of pages fits.
    let pages = unsafe { bindings::free_buffer_pages() } as i64;
    let pressure = (pages / 8).max(128);
    let min = pressure / 4 * 3;
    // A single socket gets at most 1/128 of the limit, and never less than is needed to work.
    let share = pressure.saturating_mul(PAGE_SIZE as i64) >> 7;
    let share = i32::try_from(share).unwrap_or(i32::MAX).min(MAX_BUFFER);
    let page = PAGE_SIZE as i32;
    (
        [min, pressure, min.saturating_mul(2)],
        [page, 1 << 20, share.max(1 << 20)],
        [page, 16 << 10, share.max(64 << 10)],
    )
}

/// Upper bound of the default maximum of a buffer, bytes.
const MAX_BUFFER: i32 = 4 << 20;

fn u32_size<T>() -> u32 {
    // CAST: the structures have a few kilobytes.
    size_of::<T>() as u32
}

/// # Safety
///
/// For `proto.init` of `P` only, as the other callbacks below for theirs.
unsafe extern "C" fn init<P: Protocol>(sk: *mut bindings::sock) -> i32 {
    from_result(|| {
        // SAFETY: `proto.init` gets a new socket of this protocol.
        unsafe { sock::init::<P>(sk) }?;
        // Sockets that are accepted inherit both instead.
        // SAFETY: as above.
        unsafe { bindings::sk_default_buffers(sk) };
        // RFC 9000 14.2.1 #1
        // SAFETY: as above.
        unsafe { bindings::sk_probe_pmtu(sk) };
        Ok(0)
    })
}

/// `proto.destroy`.
///
/// # Safety
///
/// - Called by the socket layer with a `sock` of this protocol.
unsafe extern "C" fn destroy(_sk: *mut bindings::sock) {}

/// `proto.hash`.
///
/// # Safety
///
/// - Called by the socket layer with a `sock` of this protocol.
unsafe extern "C" fn hash(_sk: *mut bindings::sock) -> i32 {
    0
}

/// `proto.unhash`.
///
/// # Safety
///
/// - Called by the socket layer with a `sock` of this protocol.
unsafe extern "C" fn unhash(_sk: *mut bindings::sock) {}

/// `proto.close`.
///
/// # Safety
///
/// - Called by the socket layer with a `sock` of this protocol.
unsafe extern "C" fn close<P: Protocol>(sk: *mut bindings::sock, _timeout: isize) {
    // SAFETY: a socket of this protocol.
    let sock = unsafe { Sock::<P>::from_ptr(sk) };
    let mut owned = sock.lock();
    P::close(&mut owned);
    // SAFETY: the lock is held; the descriptor is gone.
    unsafe { bindings::sock_orphan(sk) };
    drop(owned);
    // SAFETY: gives up the reference of the descriptor.
    unsafe { bindings::sock_put(sk) };
}

/// `proto.backlog_rcv`.
///
/// # Safety
///
/// - Called by the socket layer with a `sock` of this protocol.
unsafe extern "C" fn backlog_rcv<P: Protocol>(
    sk: *mut bindings::sock,
    skb: *mut bindings::sk_buff,
) -> i32 {
    // SAFETY: a socket of this protocol.
    let sock = unsafe { Sock::<P>::from_ptr(sk) };
    if let Some(skb) = ptr::NonNull::new(skb) {
        // SAFETY: the backlog's reference passes to us.
        let skb = unsafe { SkBuff::from_raw(skb) };
        // The caller is `release_sock`, whose guard is being dropped and not used any more.
        P::backlog(&mut Held::new(sock), skb);
    }
    0
}

/// `proto.release_cb`.
///
/// # Safety
///
/// - Called by the socket layer with a `sock` of this protocol whose spin lock is held.
unsafe extern "C" fn release_cb<P: Protocol>(sk: *mut bindings::sock) {
    // SAFETY: a socket of this protocol.
    let sock = unsafe { Sock::<P>::from_ptr(sk) };
    // SAFETY: protected by the spin lock, which is held.
    let deferred = unsafe { &mut *sock.ext().deferred.get() };
    P::release(&mut Held::new(sock), deferred);
}
