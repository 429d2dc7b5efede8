// SPDX-License-Identifier: GPL-2.0

//! Packet buffers.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use core::{
    net::{
        IpAddr,
        SocketAddr, //
    },
    ptr::NonNull,
    slice, //
};

use kernel::prelude::*;

use crate::linux::bindings;

const UDP_HLEN: usize = 8;
const IPV4_HLEN: usize = 20;
const IPV6_HLEN: usize = 40;

/// An owned packet buffer.
///
/// # Invariants
///
/// `0` is a valid `sk_buff` to which this object has a reference.
pub struct SkBuff(NonNull<bindings::sk_buff>);

// SAFETY: an sk_buff is not tied to a thread.
unsafe impl Send for SkBuff {}
// SAFETY: shared references give read access only.
unsafe impl Sync for SkBuff {}

impl SkBuff {
    /// # Safety
    ///
    /// `ptr` must be a valid buffer and the caller's reference to it passes to the result.
    pub(in crate::linux) unsafe fn from_raw(ptr: NonNull<bindings::sk_buff>) -> Self {
        Self(ptr)
    }

    /// Gives up the reference.
    pub(in crate::linux) fn into_raw(self) -> NonNull<bindings::sk_buff> {
        let ptr = self.0;
        core::mem::forget(self);
        ptr
    }

    /// The C object.
    pub(in crate::linux) fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// A linear buffer with `headroom` bytes before its data and room for `size` bytes of it.
    /// Any context.
    pub fn alloc(headroom: usize, size: usize) -> Result<Self> {
        let total = headroom.checked_add(size).ok_or(ENOMEM)?;
        let len = u32::try_from(total).map_err(|_| ENOMEM)?;
        let gfp = bindings::GFP_ATOMIC | bindings::__GFP_NOWARN;
        // SAFETY: no precondition.
        let ptr = unsafe { bindings::alloc_skb(len, gfp) };
        let skb = Self(NonNull::new(ptr).ok_or(ENOMEM)?);
        // CAST: `headroom` is not above `len`, which fits in 31 bits as `alloc_skb` succeeded.
        // SAFETY: a new buffer with at least `headroom` bytes of tail room.
        unsafe { bindings::skb_reserve(skb.as_ptr(), headroom as i32) };
        Ok(skb)
    }

    /// Bytes of data.
    pub fn len(&self) -> usize {
        // SAFETY: valid by the type invariant.
        unsafe { (*self.as_ptr()).len as usize }
    }

    /// Whether there is no data.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory that this buffer holds, bytes.
    pub fn truesize(&self) -> usize {
        // SAFETY: valid by the type invariant.
        unsafe { (*self.as_ptr()).truesize as usize }
    }

    /// The linear data.
    pub fn data(&self) -> &[u8] {
        // SAFETY: valid by the type invariant.
        let len = unsafe { bindings::skb_headlen(self.as_ptr()) } as usize;
        // SAFETY: valid by the type invariant.
        let data = unsafe { (*self.as_ptr()).data };
        // SAFETY: the linear part has `len` initialised bytes from `data`.
        unsafe { slice::from_raw_parts(data, len) }
    }

    /// The free room behind the data, to be filled before [`SkBuff::grow`].
    ///
    /// It may hold anything: nobody zeroes it, and only what was written may be grown into.
    pub fn tailroom_mut(&mut self, len: usize) -> Option<&mut [u8]> {
        // SAFETY: valid by the type invariant.
        let room = unsafe { bindings::skb_tailroom(self.as_ptr()) };
        if len > usize::try_from(room).ok()? {
            return None;
        }
        // SAFETY: valid by the type invariant.
        let tail = unsafe { bindings::skb_tail_pointer(self.as_ptr()) };
        // SAFETY: `tail` has `room` bytes, which the allocator handed over from C: whatever they hold
        // are valid bytes. `self` is borrowed mutably.
        Some(unsafe { slice::from_raw_parts_mut(tail, len) })
    }

    /// Makes the first `len` bytes of the tail room part of the data.
    pub fn grow(&mut self, len: usize) {
        // SAFETY: valid by the type invariant.
        let room = unsafe { bindings::skb_tailroom(self.as_ptr()) };
        if usize::try_from(room).is_ok_and(|room| len <= room) {
            // CAST: not above `room`, an i32.
            // SAFETY: there is room.
            unsafe { bindings::skb_put(self.as_ptr(), len as u32) };
        }
    }

    /// Makes all data linear and private to this buffer, so that it may be written. Any context.
    pub fn make_writable(&mut self) -> Result {
        // SAFETY: valid by the type invariant.
        if unsafe { bindings::skb_linearize_cow(self.as_ptr()) } != 0 {
            return Err(ENOMEM);
        }
        Ok(())
    }

    /// A copy of the buffer with its headers, whose data is `len` bytes from `at` on: one datagram of
    /// a batch. Any context.
    pub fn copy_part(&self, at: usize, len: usize) -> Result<Self> {
        let copy = self.copy(at, len)?;
        // SAFETY: a valid buffer.
        unsafe { bindings::skb_clear_gso(copy.as_ptr()) };
        Ok(copy)
    }

    /// The same packets in a buffer that fits them, if this one is more than half empty and there is
    /// memory: what is kept for long should not hold more than it needs. Any context.
    pub fn into_compact(self) -> Self {
        if self.truesize() / 2 <= self.len() {
            return self;
        }
        match self.copy(0, self.len()) {
            Ok(copy) if copy.truesize() < self.truesize() => copy,
            _ => self,
        }
    }

    fn copy(&self, at: usize, len: usize) -> Result<Self> {
        let end = at.checked_add(len).filter(|end| *end <= self.data().len());
        end.ok_or(EINVAL)?;
        let gfp = bindings::GFP_ATOMIC | bindings::__GFP_NOWARN;
        // CAST: both are parts of the length of a packet.
        let (at, len) = (at as u32, len as u32);
        // SAFETY: valid by the type invariant; the range lies in the linear data.
        let copy = unsafe { bindings::skb_copy_udp(self.as_ptr(), at, len, gfp) };
        Ok(Self(NonNull::new(copy).ok_or(ENOMEM)?))
    }

    /// Size of the datagrams that are batched in here; `None` if it is a single one.
    pub fn gso_size(&self) -> Option<usize> {
        // SAFETY: valid by the type invariant.
        match unsafe { bindings::skb_gso_size(self.as_ptr()) } {
            0 => None,
            size => Some(size as usize),
        }
    }

    /// Marks the data as a batch of datagrams of `size` bytes for the device to split.
    pub fn set_gso(&mut self, size: u16, segments: u16) {
        // SAFETY: valid by the type invariant; the UDP header will be put in the headroom.
        unsafe { bindings::skb_set_udp_gso(self.as_ptr(), u32::from(size), u32::from(segments)) };
    }

    /// Earliest departure, nanoseconds of the monotonic clock, for a queueing discipline that
    /// knows it.
    pub fn set_departure(&mut self, ns: u64) {
        // SAFETY: valid by the type invariant.
        unsafe { bindings::skb_set_delivery_time(self.as_ptr(), ns) };
    }

    /// Charges the buffer to the send side of `sk` until it is freed.
    pub fn set_owner(&mut self, sk: &super::sock::RawSock) {
        // SAFETY: both are valid; the socket outlives its charge by `sk_wmem_alloc`.
        unsafe { bindings::skb_set_owner_w(self.as_ptr(), sk.as_ptr()) };
    }

    /// Whether a received packet was sent to this host alone: neither its address nor the link layer
    /// says that it is for many.
    pub fn is_to_host(&self) -> bool {
        // SAFETY: valid by the type invariant; the IP layer has checked that its header is there.
        unsafe { bindings::skb_is_to_host(self.as_ptr()) }
    }

    /// Frees the buffer as dropped, which drop monitors see, with the reason.
    pub fn drop_reason(self, reason: bindings::skb_drop_reason) {
        let ptr = self.into_raw();
        // SAFETY: the reference was ours.
        unsafe { bindings::sk_skb_reason_drop(core::ptr::null(), ptr.as_ptr(), reason) };
    }

    /// Addresses, marks and interface of a received UDP packet whose headers are intact.
    pub fn udp_meta(&self) -> UdpMeta {
        // SAFETY: valid by the type invariant.
        let v6 = unsafe { bindings::skb_is_ipv6(self.as_ptr()) };
        // SAFETY: valid by the type invariant.
        let udp = unsafe { bindings::skb_transport_header(self.as_ptr()) };
        // SAFETY: the UDP layer has checked that the header is there.
        let udp = unsafe { slice::from_raw_parts(udp, UDP_HLEN) };
        let port = |at| u16::from_be_bytes(array(udp, at));
        // SAFETY: valid by the type invariant.
        let ip = unsafe { bindings::skb_network_header(self.as_ptr()) };
        let len = if v6 { IPV6_HLEN } else { IPV4_HLEN };
        // SAFETY: the IP layer has checked that the header is there.
        let ip = unsafe { slice::from_raw_parts(ip, len) };
        let (src, dst, tos) = if v6 {
            let head = array::<2>(ip, 0);
            // CAST: the traffic class is the 8 bits in the middle.
            let class = (u16::from_be_bytes(head) >> 4) as u8;
            let addr = |at| IpAddr::from(array::<16>(ip, at));
            (addr(8), addr(24), class)
        } else {
            let [_, tos] = array::<2>(ip, 0);
            let addr = |at| IpAddr::from(array::<4>(ip, at));
            (addr(12), addr(16), tos)
        };
        // SAFETY: valid by the type invariant.
        let ifindex = unsafe { bindings::skb_iif(self.as_ptr(), v6) };
        UdpMeta {
            remote: with_scope(SocketAddr::new(src, port(0)), ifindex),
            local: with_scope(SocketAddr::new(dst, port(2)), ifindex),
            ecn: tos & 3,
            // SAFETY: valid by the type invariant.
            vrf: unsafe { bindings::skb_vrf(self.as_ptr(), v6) },
        }
    }
}

impl Drop for SkBuff {
    fn drop(&mut self) {
        // SAFETY: the reference is ours.
        unsafe { bindings::consume_skb(self.as_ptr()) };
    }
}

/// Where a received datagram came from and went to.
#[derive(Clone, Copy)]
pub struct UdpMeta {
    /// The sender.
    pub remote: SocketAddr,
    /// Its destination: this host.
    pub local: SocketAddr,
    /// The two ECN bits.
    pub ecn: u8,
    /// Index of the VRF that the interface belongs to, 0 for none.
    pub vrf: i32,
}

pub(super) fn array<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    header
        .get(at..)
        .and_then(|b| b.first_chunk().copied())
        .unwrap_or([0; N])
}

/// Link-local addresses mean something only together with the interface.
pub(super) fn with_scope(mut addr: SocketAddr, ifindex: i32) -> SocketAddr {
    if let SocketAddr::V6(v6) = &mut addr {
        if v6.ip().is_unicast_link_local() {
            v6.set_scope_id(u32::try_from(ifindex).unwrap_or(0));
        }
    }
    addr
}
