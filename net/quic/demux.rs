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
    globals::Globals,
    input,
    linux::net::{
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
    lookup::InitialKey,
    packet::Packet,
    socket::Quic,
    stateless, //
};

/// Distributes the datagrams of all tunnels.
#[derive(Clone)]
pub(crate) struct Demux {
    globals: Arc<Globals>,
}

impl Demux {
    /// A distributor for a new tunnel.
    pub(crate) fn new(globals: Arc<Globals>) -> Self {
        Self { globals }
    }

    /// The socket for a datagram.
    fn find(
        &self,
        tunnel: &Tunnel<Self>,
        meta: &UdpMeta,
        bytes: &[u8],
    ) -> Option<SockRef<Quic>> {
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
        tables.by_initial(&key)
    }

    /// Finds the socket for one datagram and gives it there.
    fn dispatch(&self, tunnel: &Tunnel<Self>, skb: SkBuff) {
        let meta = skb.udp_meta();
        if let Some(sk) = self.find(tunnel, &meta, skb.data()) {
            input::deliver(&sk, skb);
            return;
        }
        let listener = self.globals.tables.listener(tunnel, &meta.local, |_| true);
        match listener {
            Some(sk) if is_long(skb.data()) => input::deliver(&sk, skb),
            Some(_) => stateless::reset(&self.globals, tunnel.raw(), &skb, &meta),
            None => self.globals.counters.count_drop(),
        }
    }
}

impl Receiver for Demux {
    fn receive(&self, tunnel: &Tunnel<Self>, mut skb: SkBuff) {
        if skb.make_writable().is_err() {
            self.globals.counters.count_drop();
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
                Err(_) => self.globals.counters.count_drop(),
            }
            at = at.saturating_add(size);
        }
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
