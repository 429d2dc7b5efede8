// SPDX-License-Identifier: GPL-2.0

//! From the core to the wire: buffers, segmentation and routes.

#![forbid(unsafe_code)]

use crate::{
    attached::{
        now,
        Attached, //
    },
    common::time::Instant,
    conn::{
        PathAddr,
        Transmit, //
    },
    linux::net::{
        route::Route,
        skb::SkBuff,
        sock::{
            RawSock,
            Sock, //
        },
        xmit, //
    },
    socket::Quic, //
};

/// Room for one datagram of an Ethernet's size; the buffer comes from a 2 KiB slab.
const SMALL: usize = 1536;
/// Room for a batch: with headroom and the shared info in 32 KiB, which the allocator still gives
/// easily (order 3).
const LARGE: usize = (32 << 10) - xmit::HEADROOM - 512;
/// Stream bytes that make a batch worth its buffer.
const BATCH: u64 = 1400;
/// More datagrams than this in a row wait for the next time: the lock is not held for ever. The
/// congestion window ends the loop long before.
const MAX_ROUNDS: usize = 256;

/// Sends what there is to send now.
pub(crate) fn transmit(sk: &Sock<Quic>, at: &mut Attached) {
    if at.silent {
        return;
    }
    for _ in 0..MAX_ROUNDS {
        let large = at.core.streams().unsent_bytes() >= BATCH;
        let Some(mut skb) = buffer(at, large) else {
            at.call(|core, cx| core.on_no_buffer(cx.now));
            return;
        };
        let room = if large { LARGE } else { SMALL };
        let max_segments = if large { usize::from(u8::MAX) } else { 1 };
        let Some(buf) = skb.tailroom_mut(room) else {
            return;
        };
        let (now, out) = at.call(|core, cx| (cx.now, core.poll_transmit(cx, buf, max_segments)));
        let Some(out) = out else {
            let place = if large {
                &mut at.spare_batch
            } else {
                &mut at.spare
            };
            *place = Some(skb);
            return;
        };
        skb.grow(out.len);
        send(sk.raw(), &mut at.route, skb, &out, now);
    }
}

/// Whether there is a route for the path in use; finds it.
pub(crate) fn has_route(sk: &Sock<Quic>, at: &mut Attached) -> bool {
    let path = at.core.path();
    route(sk.raw(), &mut at.route, &path, now()).is_some()
}

/// A buffer to fill. Without memory nothing is sent now; the caller has the connection's timer try
/// again.
fn buffer(at: &mut Attached, large: bool) -> Option<SkBuff> {
    let (spare, size) = if large {
        (at.spare_batch.take(), LARGE)
    } else {
        (at.spare.take(), SMALL)
    };
    spare.or_else(|| SkBuff::alloc(xmit::HEADROOM, size).ok())
}

/// Sends one buffer. Without a route it is lost, as if on the way.
fn send(sk: &RawSock, cached: &mut Option<Route>, mut skb: SkBuff, out: &Transmit, now: Instant) {
    let Some(route) = route(sk, cached, &out.path, now) else {
        return;
    };
    if let Some(size) = out.segment_size {
        let count = out.len.div_ceil(size.max(1));
        if let (Ok(size), Ok(count)) = (u16::try_from(size), u16::try_from(count)) {
            skb.set_gso(size, count);
        }
    }
    if let Some(earliest) = out.earliest {
        skb.set_departure(earliest.as_nanos());
    }
    // The upper six bits are the user's, the lower two the core's.
    let tos = sk.tos(out.path.remote.is_ipv6()) & !3 | out.ecn as u8;
    skb.set_owner(sk);
    xmit::send(sk, route, skb, tos);
}

/// The route for `path`, looked up anew if the last one will not do.
fn route<'a>(
    sk: &RawSock,
    cached: &'a mut Option<Route>,
    path: &PathAddr,
    now: Instant,
) -> Option<&'a Route> {
    let tos = sk.tos(path.remote.is_ipv6());
    let fits = cached
        .as_ref()
        .is_some_and(|r| r.serves(sk, &path.local, &path.remote, tos, now.as_nanos()));
    if !fits {
        *cached = Route::find(sk, path.local, path.remote, tos).ok();
    }
    cached.as_ref()
}
