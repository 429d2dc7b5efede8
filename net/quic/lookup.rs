// SPDX-License-Identifier: GPL-2.0

//! How a datagram finds its socket.
//!
//! Five tables, for all network namespaces together: connections by the connection ids that they
//! issued, server connections by the id that their client chose for its first packets (together
//! with both addresses, as anybody may choose any id), listeners by port, connections by the
//! tokens by which their peers would reset them, since a stateless reset names no connection id,
//! and connections by the ids of their peers, which is what a message of ICMP quotes. The tables
//! hold references; a socket is taken out before its connection is dropped.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use crate::{
    common::id::ConnectionId,
    counters::Counters,
    hellos::Hellos,
    linux::net::{
        hash::{
            Hasher,
            Key,
            Size,
            Table, //
        },
        netns::NetId,
        sock::SockRef,
        work::{
            Delayed,
            Queue, //
        }, //
    },
    listening::Listening,
    quotes::Quotes,
    socket::Quic, //
};

/// A connection id in its network namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct CidKey {
    pub(crate) net: NetId,
    pub(crate) cid: ConnectionId,
}

impl Key for CidKey {
    fn with_bytes<R>(&self, hash: impl FnOnce(&[u8]) -> R) -> R {
        let mut bytes = Bytes::<32>::new();
        bytes.push(&self.net.to_bytes());
        bytes.push(self.cid.as_slice());
        hash(bytes.as_slice())
    }
}

/// The id that a client chose for the server, with the addresses of both.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct InitialKey {
    pub(crate) net: NetId,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) cid: ConnectionId,
}

impl Key for InitialKey {
    fn with_bytes<R>(&self, hash: impl FnOnce(&[u8]) -> R) -> R {
        let mut bytes = Bytes::<80>::new();
        bytes.push(&self.net.to_bytes());
        bytes.push_addr(&self.local);
        bytes.push_addr(&self.remote);
        bytes.push(self.cid.as_slice());
        hash(bytes.as_slice())
    }
}

/// Whose a client's first packets are.
#[derive(Clone)]
pub(crate) struct Initial {
    /// The connection, or the listener that the client waits at.
    pub(crate) sk: SockRef<Quic>,
    /// The number of its request, at a listener.
    pub(crate) request: u64,
}

/// A stateless reset token and the address that it is believed from. The hash is keyed, so the
/// time of a lookup tells nothing of how near a guess was (RFC 9000 10.3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResetKey {
    pub(crate) net: NetId,
    pub(crate) remote: SocketAddr,
    pub(crate) token: [u8; 16],
}

impl Key for ResetKey {
    fn with_bytes<R>(&self, hash: impl FnOnce(&[u8]) -> R) -> R {
        let mut bytes = Bytes::<48>::new();
        bytes.push(&self.net.to_bytes());
        bytes.push_addr(&self.remote);
        bytes.push(&self.token);
        hash(bytes.as_slice())
    }
}

/// The id of a peer that packets go to now, its address, and the port that they come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuoteKey {
    pub(crate) net: NetId,
    pub(crate) port: u16,
    pub(crate) remote: SocketAddr,
    pub(crate) cid: ConnectionId,
}

impl Key for QuoteKey {
    fn with_bytes<R>(&self, hash: impl FnOnce(&[u8]) -> R) -> R {
        let mut bytes = Bytes::<48>::new();
        bytes.push(&self.net.to_bytes());
        bytes.push(&self.port.to_ne_bytes());
        bytes.push_addr(&self.remote);
        bytes.push(self.cid.as_slice());
        hash(bytes.as_slice())
    }
}

/// A network namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NetKey(pub(crate) NetId);

impl Key for NetKey {
    fn with_bytes<R>(&self, hash: impl FnOnce(&[u8]) -> R) -> R {
        hash(&self.0.to_bytes())
    }
}

/// A port in its network namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PortKey {
    pub(crate) net: NetId,
    pub(crate) port: u16,
}

impl Key for PortKey {
    fn with_bytes<R>(&self, hash: impl FnOnce(&[u8]) -> R) -> R {
        let mut bytes = Bytes::<16>::new();
        bytes.push(&self.net.to_bytes());
        bytes.push(&self.port.to_ne_bytes());
        hash(bytes.as_slice())
    }
}

/// The tables.
#[pin_data]
pub(crate) struct Tables {
    pub(crate) cids: Table<CidKey, SockRef<Quic>>,
    pub(crate) initials: Table<InitialKey, Initial>,
    pub(crate) resets: Table<ResetKey, SockRef<Quic>>,
    pub(crate) quotes: Quotes,
    pub(crate) listeners: Table<PortKey, Listening>,
    /// Shares clients out among the listeners of a group.
    pub(crate) sharing: Hasher,
    #[pin]
    pub(crate) hellos: Delayed<Hellos>,
    pub(crate) nets: Table<NetKey, Arc<Counters>>,
}

impl Tables {
    /// Empty tables. What is to be done later runs in `queue`.
    pub(crate) fn new(queue: Arc<Queue>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            cids: Table::new(Size::Memory)?,
            initials: Table::new(Size::Memory)?,
            resets: Table::new(Size::Memory)?,
            quotes: Quotes::new()?,
            listeners: Table::new(Size::Memory)?,
            sharing: Hasher::new(),
            hellos <- Delayed::new(queue, Hellos::new()),
            nets: Table::new(Size::Small)?,
        })
    }

    /// The counters of a network namespace.
    pub(crate) fn counters(&self, net: NetId) -> Option<Arc<Counters>> {
        self.nets.find(&NetKey(net), |c| Some(c.clone()))
    }

    /// The connection that issued `cid`.
    pub(crate) fn by_cid(&self, net: NetId, cid: ConnectionId) -> Option<SockRef<Quic>> {
        self.cids.find(&CidKey { net, cid }, |sk| Some(sk.clone()))
    }

    /// The server connection or the listener whose client still uses the id that it chose itself.
    pub(crate) fn by_initial(&self, key: &InitialKey) -> Option<Initial> {
        self.initials.find(key, |initial| Some(initial.clone()))
    }

    /// The connection that a datagram would reset.
    pub(crate) fn by_reset(&self, key: &ResetKey) -> Option<SockRef<Quic>> {
        self.resets.find(key, |sk| Some(sk.clone()))
    }
}

/// Bytes of a key, gathered to be hashed. What does not fit is left out, which is only unkind to
/// the distribution; the sizes above are large enough.
struct Bytes<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Bytes<N> {
    fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let to = self.bytes.get_mut(self.len..).unwrap_or_default();
        for (to, from) in to.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.len = self.len.saturating_add(bytes.len()).min(N);
    }

    fn push_addr(&mut self, addr: &SocketAddr) {
        match addr {
            SocketAddr::V4(a) => self.push(&a.ip().octets()),
            SocketAddr::V6(a) => self.push(&a.ip().octets()),
        }
        self.push(&addr.port().to_ne_bytes());
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
