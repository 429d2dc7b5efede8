// SPDX-License-Identifier: GPL-2.0

//! ICMP messages about packets of a UDP socket that did not fit: "fragmentation needed" (RFC 792,
//! RFC 1191) and "Packet Too Big" (RFC 4443 3.2).
//!
//! The UDP layer shows every message about a packet of an encapsulating socket to its
//! `encap_err_lookup`, before it looks at what the message says. `encap_err_rcv` would not do: with
//! the `IPV6_MTU_DISCOVER` that keeps messages away from routes it never hears of the path's MTU.
//!
//! C headers: [`include/linux/icmp.h`](srctree/include/linux/icmp.h),
//! [`include/linux/icmpv6.h`](srctree/include/linux/icmpv6.h)

use core::{
    net::{
        IpAddr,
        SocketAddr, //
    },
    ptr::NonNull,
    slice, //
};

use super::skb::{
    array,
    with_scope, //
};
use crate::linux::bindings;

/// Bytes of both ICMP headers.
const ICMP_HLEN: usize = 8;
const UDP_HLEN: usize = 8;
const IPV4_HLEN: usize = 20;
const IPV6_HLEN: usize = 40;
/// Bytes kept of what is quoted of a UDP payload: a long header up to the end of the longest id.
const QUOTE: usize = 26;

/// A message that a packet did not fit, with the beginning of that packet. The kernel has checked
/// the message's checksum; nothing in it proves that the packet was one of this host.
#[derive(Clone, Copy)]
pub struct TooBig {
    /// Where the packet came from, as quoted.
    pub local: SocketAddr,
    /// Where it was to go.
    pub remote: SocketAddr,
    /// Bytes of UDP payload that the MTU named has room for behind headers like those quoted.
    pub max_payload: u16,
    /// Bytes of UDP payload that the packet had.
    pub payload: u16,
    quote: [u8; QUOTE],
    len: usize,
}

impl TooBig {
    /// What is quoted of the UDP payload, at most as much as identifies a QUIC connection.
    pub fn quoted(&self) -> &[u8] {
        self.quote.get(..self.len).unwrap_or_default()
    }

    /// Reads the message of which `encap_err_lookup` got the buffer. `None` for other messages.
    ///
    /// # Safety
    ///
    /// `skb` must be as that callback gets it: its data begins at the quoted IP header, right behind
    /// the ICMP header, and its transport header is the quoted UDP header.
    pub(super) unsafe fn read(skb: NonNull<bindings::sk_buff>) -> Option<Self> {
        let skb = Quote(skb.as_ptr());
        // SAFETY: a valid buffer.
        let v6 = unsafe { bindings::skb_is_ipv6(skb.0) };
        let mtu = mtu(&skb.icmp_header()?, v6)?;
        let at = skb.udp_offset()?;
        let udp: [u8; UDP_HLEN] = skb.bytes(at)?;
        let port = |at| u16::from_be_bytes(array(&udp, at));
        let (src, dst) = if v6 {
            let ip: [u8; IPV6_HLEN] = skb.bytes(0)?;
            let addr = |at| IpAddr::from(array::<16>(&ip, at));
            (addr(8), addr(24))
        } else {
            let ip: [u8; IPV4_HLEN] = skb.bytes(0)?;
            let addr = |at| IpAddr::from(array::<4>(&ip, at));
            (addr(12), addr(16))
        };
        // SAFETY: a valid buffer.
        let ifindex = unsafe { bindings::skb_iif(skb.0, v6) };
        let headers = at.checked_add(UDP_HLEN)?;
        let max_payload = usize::try_from(mtu).ok()?.saturating_sub(headers);
        let mut quote = [0; QUOTE];
        let len = skb.copy(headers, &mut quote)?;
        Some(Self {
            local: with_scope(SocketAddr::new(src, port(0)), ifindex),
            remote: with_scope(SocketAddr::new(dst, port(2)), ifindex),
            max_payload: u16::try_from(max_payload).unwrap_or(u16::MAX),
            payload: port(4).saturating_sub(UDP_HLEN as u16),
            quote,
            len,
        })
    }
}

/// The MTU that a message names, if it is one about a packet too big.
fn mtu(icmp: &[u8; ICMP_HLEN], v6: bool) -> Option<u32> {
    let [kind, code, _, _, mtu @ ..] = *icmp;
    let [_, _, low @ ..] = mtu;
    let (kind, code) = (u32::from(kind), u32::from(code));
    if v6 {
        (kind == bindings::ICMPV6_PKT_TOOBIG).then_some(u32::from_be_bytes(mtu))
    } else {
        let is_it = kind == bindings::ICMP_DEST_UNREACH && code == bindings::ICMP_FRAG_NEEDED;
        is_it.then_some(u32::from(u16::from_be_bytes(low)))
    }
}

/// A buffer as [`TooBig::read`] gets it.
struct Quote(*mut bindings::sk_buff);

impl Quote {
    /// Where the data begins.
    fn data(&self) -> *const u8 {
        // SAFETY: valid by the contract of `TooBig::read`.
        unsafe { (*self.0).data }
    }

    /// The ICMP header, from which the data was pulled.
    fn icmp_header(&self) -> Option<[u8; ICMP_HLEN]> {
        // SAFETY: valid by the contract of `TooBig::read`.
        let headroom = unsafe { bindings::skb_headroom(self.0) };
        if usize::try_from(headroom).ok()? < ICMP_HLEN {
            return None;
        }
        let header = self.data().wrapping_sub(ICMP_HLEN);
        // SAFETY: `headroom` bytes before the data belong to the buffer; these held the header.
        let header = unsafe { slice::from_raw_parts(header, ICMP_HLEN) };
        header.first_chunk().copied()
    }

    /// Where the UDP header begins in the data.
    fn udp_offset(&self) -> Option<usize> {
        // SAFETY: valid by the contract of `TooBig::read`, which says that the header is set.
        let udp = unsafe { bindings::skb_transport_header(self.0) };
        udp.addr().checked_sub(self.data().addr())
    }

    /// Copies what there is of the data from `at` on. Returns how much that was. The buffer is not
    /// rearranged: the caller of the callback keeps pointers into it.
    fn copy(&self, at: usize, to: &mut [u8]) -> Option<usize> {
        // SAFETY: valid by the contract of `TooBig::read`.
        let total = unsafe { (*self.0).len } as usize;
        let len = total.checked_sub(at)?.min(to.len());
        let (at, count) = (i32::try_from(at).ok()?, i32::try_from(len).ok()?);
        // SAFETY: `to` has at least `count` bytes.
        let result = unsafe { bindings::skb_copy_bits(self.0, at, to.as_mut_ptr().cast(), count) };
        (result == 0).then_some(len)
    }

    /// `N` bytes of the data from `at` on, if they are there.
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        (self.copy(at, &mut bytes)? == N).then_some(bytes)
    }
}
