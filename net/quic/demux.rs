// SPDX-License-Identifier: GPL-2.0

//! From the UDP socket to the QUIC socket: softirq context.
//!
//! A batch of datagrams goes to one socket with one lookup, if all of them carry the same
//! connection id, which they nearly always do; else it is taken apart.

#![forbid(unsafe_code)]

use kernel::sync::Arc;

use crate::{
    common::id::ConnectionId,
    connid::LOCAL_LEN,
    counters::Counters,
    dispatch::{
        self,
        Verdict, //
    },
    globals::Globals,
    input,
    linux::{
        net::{
            icmp::TooBig,
            skb::{
                SkBuff,
                UdpMeta, //
            },
            sock::SockRef,
            udp_tunnel::{
                Receiver,
                Tunnel, //
            }, //
        },
        sync::without_bh, //
    },
    lookup::{
        InitialKey,
        ResetKey, //
    },
    mem::Vec,
    packet::Packet,
    requests::Request,
    socket::Quic,
    stateless, //
};

/// Shortest datagram that may be a stateless reset (RFC 9000 10.3).
const MIN_RESET: usize = 21;

/// Distributes the datagrams of all tunnels.
#[derive(Clone)]
pub(crate) struct Demux {
    pub(crate) globals: Arc<Globals>,
    pub(crate) counters: Arc<Counters>,
}

impl Demux {
    /// A distributor for a new tunnel.
    pub(crate) fn new(globals: Arc<Globals>, counters: Arc<Counters>) -> Self {
        Self { globals, counters }
    }

    /// The socket for a datagram.
    fn find(&self, tunnel: &Tunnel<Self>, meta: &UdpMeta, bytes: &[u8]) -> Option<SockRef<Quic>> {
        let net = tunnel.net();
        let dcid = Packet::destination(bytes, LOCAL_LEN).and_then(ConnectionId::new)?;
        let tables = &self.globals.tables;
        if dcid.as_slice().len() == LOCAL_LEN {
            if let Some(sk) = tables.by_cid(net, dcid) {
                return Some(sk);
            }
        }
        if !is_long(bytes) {
            return None;
        }
        let key = InitialKey {
            net,
            local: meta.local,
            remote: meta.remote,
            cid: dcid,
        };
        tables.by_initial(&key).map(|initial| initial.sk)
    }

    /// The connection that a datagram to no known connection id resets, if it is a stateless reset:
    /// it looks like any packet, but for the token at its end.
    // RFC 9000 10.3.1 #2
    fn find_reset(
        &self,
        tunnel: &Tunnel<Self>,
        meta: &UdpMeta,
        bytes: &[u8],
    ) -> Option<SockRef<Quic>> {
        let token = *bytes.last_chunk().filter(|_| bytes.len() >= MIN_RESET)?;
        self.globals.tables.by_reset(&ResetKey {
            net: tunnel.net(),
            remote: meta.remote,
            token,
        })
    }

    /// Finds the socket for one datagram and gives it there.
    fn dispatch(&self, tunnel: &Tunnel<Self>, skb: SkBuff) {
        let meta = skb.udp_meta();
        if let Some(sk) = self.find(tunnel, &meta, skb.data()) {
            input::deliver(&sk, skb);
            return;
        }
        if is_long(skb.data()) {
            self.dispatch_new(tunnel, skb, &meta);
            return;
        }
        let tables = &self.globals.tables;
        if let Some(sk) = self.find_reset(tunnel, &meta, skb.data()) {
            input::deliver(&sk, skb);
            return;
        }
        if tables.has_listener(tunnel, &meta) {
            let key = &self.globals.reset_key;
            stateless::reset(key, &self.counters, tunnel.raw(), &skb, &meta);
        }
        self.counters.count_drop();
    }

    /// Gives a packet that may begin a connection to a listener.
    fn dispatch_new(&self, tunnel: &Tunnel<Self>, skb: SkBuff, meta: &UdpMeta) {
        match dispatch::judge(self, tunnel, skb, meta) {
            Verdict::Deliver(sk, earlier, skb) => deliver_all(&sk, earlier, skb),
            Verdict::Kept => {}
            Verdict::Retry(incoming) => {
                let key = self.globals.retry_key(tunnel.net());
                stateless::retry(&self.counters, tunnel.raw(), meta, &incoming, &key);
            }
            Verdict::Refuse(incoming, error) => {
                stateless::refuse(tunnel.raw(), meta, &incoming, &error);
                self.counters.count_drop();
            }
            Verdict::Drop => self.counters.count_drop(),
        }
    }
}

impl Demux {
    /// Gives what a client sent to a listener that has ended to another one. Process context.
    pub(crate) fn hand_over(&self, tunnel: &Tunnel<Self>, request: Request) {
        for skb in request.packets {
            // The client is not refused: the listener that it wants may be on its way.
            without_bh(|| match dispatch::judge(self, tunnel, skb, &request.meta) {
                Verdict::Deliver(sk, earlier, skb) => deliver_all(&sk, earlier, skb),
                Verdict::Kept => {}
                Verdict::Retry(_) | Verdict::Refuse(..) | Verdict::Drop => {
                    self.counters.count_drop();
                }
            });
        }
    }
}

/// Gives a listener the packets of a client that were kept, and the one that completed them.
fn deliver_all(sk: &SockRef<Quic>, earlier: Vec<SkBuff>, skb: SkBuff) {
    for skb in earlier {
        input::deliver(sk, skb);
    }
    input::deliver(sk, skb);
}

impl Receiver for Demux {
    fn receive(&self, tunnel: &Tunnel<Self>, mut skb: SkBuff) {
        // UDP hands out what is sent to many. No connection begins so, and no answer could come from
        // the address that it was sent to.
        if !skb.is_to_host() {
            self.counters.count_drop();
            return;
        }
        if skb.make_writable().is_err() {
            self.counters.count_drop();
            return;
        }
        let Some(size) = skb.gso_size().filter(|size| *size < skb.len()) else {
            self.dispatch(tunnel, skb);
            return;
        };
        let uniform = is_uniform(skb.data(), size);
        if uniform {
            self.dispatch(tunnel, skb);
            return;
        }
        let mut at = 0usize;
        while at < skb.len() {
            let len = size.min(skb.len().saturating_sub(at));
            match skb.copy_part(at, len) {
                Ok(part) => self.dispatch(tunnel, part),
                Err(_) => self.counters.count_drop(),
            }
            at = at.saturating_add(size);
        }
    }

    fn too_big(&self, tunnel: &Tunnel<Self>, message: &TooBig) -> bool {
        let is_ours = self.globals.tables.quotes.deliver(tunnel.net(), message);
        if !is_ours {
            self.counters.count_icmp_ignored();
        }
        is_ours
    }
}

/// Whether all datagrams of a batch go to the same connection id.
fn is_uniform(data: &[u8], size: usize) -> bool {
    let mut ids = data
        .chunks(size.max(1))
        .map(|bytes| Packet::destination(bytes, LOCAL_LEN));
    match ids.next() {
        Some(Some(first)) => ids.all(|id| id == Some(first)),
        _ => false,
    }
}

/// Whether the first packet has a long header (RFC 8999 5.1).
pub(crate) fn is_long(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|b| b & 0x80 != 0)
}
