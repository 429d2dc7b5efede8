// SPDX-License-Identifier: GPL-2.0

//! From the core to the wire: memory, segmentation and routes.

#![forbid(unsafe_code)]

use crate::{
    attached::{
        now,
        with_cx,
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
    mem::AllocError,
    socket::Quic, //
};

/// Room for one datagram of an Ethernet's size.
const SMALL: usize = 1536;
/// Room for a batch, at most: what the pages of [`PacketPages`] hold.
const LARGE: usize = 32 << 10;
/// With room for so much a batch does without fresh pages, even if it could be larger.
const ENOUGH: usize = 8 << 10;
/// Stream bytes that make a batch worth its buffer.
const BATCH: usize = 1400;
/// More datagrams than this in a row wait for the next time: the lock is not held for ever. The
/// congestion window ends the loop long before.
const MAX_ROUNDS: usize = 256;

/// Sends what there is to send now. Returns whether that was anything.
pub(crate) fn transmit(sk: &Sock<Quic>, at: &mut Attached) -> bool {
    if at.silent {
        return false;
    }
    for round in 0..MAX_ROUNDS {
        let (now, out) = match write(at) {
            Ok(Some(written)) => written,
            Ok(None) => return round > 0,
            Err(AllocError) => {
                at.call(|core, cx| core.on_no_buffer(cx.now));
                return round > 0;
            }
        };
        // Without memory for it the buffer is lost, as if on the way.
        if let Ok(skb) = at.pages.take(out.len) {
            send(sk.raw(), &mut at.route, skb, &out, now);
        }
    }
    true
}

/// Writes the next datagrams into the pages, if there is anything to say. Without memory nothing is
/// sent now; the caller has the connection's timer try again.
fn write(at: &mut Attached) -> Result<Option<(Instant, Transmit)>, AllocError> {
    let Attached {
        core, stats, pages, ..
    } = at;
    if !with_cx(stats, |cx| core.wants_transmit(cx)) {
        return Ok(None);
    }
    let unsent = usize::try_from(core.streams().unsent_bytes()).unwrap_or(usize::MAX);
    let mut batch = None;
    if unsent >= BATCH {
        // Headers and tags come on top.
        let most = unsent.saturating_add(unsent / 16).saturating_add(256);
        let most = most.min(LARGE);
        batch = pages.room(xmit::HEADROOM, most.min(ENOUGH), most);
    }
    let (buf, max_segments) = match batch {
        Some(buf) => (buf, usize::from(u8::MAX)),
        None => {
            let buf = pages.room(xmit::HEADROOM, SMALL, SMALL);
            (buf.ok_or(AllocError)?, 1)
        }
    };
    let out = with_cx(stats, |cx| {
        let out = core.transmit(cx, buf, max_segments)?;
        Some((cx.now, out))
    });
    Ok(out)
}

/// Whether there is a route for the path in use; finds it.
pub(crate) fn has_route(sk: &Sock<Quic>, at: &mut Attached) -> bool {
    let path = at.core.path();
    route(sk.raw(), &mut at.route, &path, now()).is_some()
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
