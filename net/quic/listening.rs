// SPDX-License-Identifier: GPL-2.0

//! Which of several listeners on an address and port is a client's.
//!
//! A listener may name application protocols and servers. A client that asks for a server goes to
//! a listener that names it, else to one that names none; among these, to the one with the
//! protocol that the client likes best, else to one that leaves the protocol open; among these, to
//! the one with the most specific address; and among the listeners of a `SO_REUSEPORT` group to
//! the one that a hash of addresses and connection id picks.

#![forbid(unsafe_code)]

use core::{
    cmp::Reverse,
    net::SocketAddr, //
};

use kernel::{
    prelude::*,
    sync::Arc, //
};

use crate::{
    conn::client_hello::ClientHello,
    demux::Demux,
    linux::net::{
        hash::Key,
        inet::User,
        skb::UdpMeta,
        sock::SockRef,
        udp_tunnel::Tunnel, //
    },
    listen::UsedTokens,
    lookup::{
        InitialKey,
        PortKey,
        Tables, //
    },
    server_name::{
        self,
        Match, //
    },
    socket::Quic, //
};

/// A listening socket and what it listens for.
pub(crate) struct Listening {
    /// Its local address; the unspecified one stands for all.
    pub(crate) addr: SocketAddr,
    /// `IPV6_V6ONLY`.
    pub(crate) v6only: bool,
    /// The device, 0 for all.
    pub(crate) device: i32,
    /// Its protocols of the application, joined by commas; empty for any.
    pub(crate) alpn: Arc<KVec<u8>>,
    /// The servers it speaks for, joined by commas; empty for any.
    pub(crate) servers: Arc<KVec<u8>>,
    /// Whether others that say so too may have the same key.
    pub(crate) reuseport: bool,
    /// The user: nobody else may join the group or take a part of its clients.
    pub(crate) user: User,
    /// Tells the listeners of a group apart when clients are shared out.
    pub(crate) id: u64,
    /// The tokens of its own, or of the group, that clients have used. None only until it is known
    /// whether there is a group to join.
    pub(crate) used: Option<Arc<UsedTokens>>,
    /// The socket.
    pub(crate) sk: SockRef<Quic>,
}

/// How well a listener fits a client, larger is better; compared from the first field on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    server: Match,
    /// Place in the client's list; the last one of all for a listener without list.
    protocol: Reverse<usize>,
    address: u8,
    share: u64,
}

/// Protocols of a client that are looked at; the list may be long, and is searched under a lock.
const MAX_PROTOCOLS: usize = 32;

impl Listening {
    /// Whether both belong to the same `SO_REUSEPORT` group, given that their addresses agree.
    fn is_grouped_with(&self, other: &Self) -> bool {
        self.reuseport
            && other.reuseport
            && self.user == other.user
            && self.names_exactly(&other.alpn, &other.servers)
    }

    /// Whether these are its protocols and servers.
    fn names_exactly(&self, alpn: &[u8], servers: &[u8]) -> bool {
        self.alpn.as_slice() == alpn && self.servers.as_slice() == servers
    }

    /// The tokens used at this listener, if `other` is of its group and has them to share.
    pub(crate) fn used_with(&self, other: &Self) -> Option<Arc<UsedTokens>> {
        let is_same = self.addr == other.addr && self.device == other.device;
        self.used
            .as_ref()
            .filter(|_| is_same && self.is_grouped_with(other))
            .cloned()
    }

    /// Whether both cannot listen on the same port at a time.
    pub(crate) fn conflicts(&self, other: &Self) -> bool {
        if self.user != other.user {
            // Whatever would decide between them, one would take clients of the other.
            return self.meets(other)
                && may_meet(&self.alpn, &other.alpn, |a, b| a == b)
                && may_meet(&self.servers, &other.servers, server_name::meet);
        }
        self.addr == other.addr
            && self.device == other.device
            && shares_name(&self.alpn, &other.alpn)
            && shares_name(&self.servers, &other.servers)
            && !self.is_grouped_with(other)
    }

    /// Whether there are datagrams that fit the addresses and devices of both.
    fn meets(&self, other: &Self) -> bool {
        let (a, b) = (self.device, other.device);
        (a == 0 || b == 0 || a == b)
            && (self.addr == other.addr || self.spans(&other.addr) || other.spans(&self.addr))
    }

    /// Whether this listens on all addresses, `addr` among them.
    fn spans(&self, addr: &SocketAddr) -> bool {
        self.addr.ip().is_unspecified()
            && (self.addr.is_ipv6() == addr.is_ipv6() || (self.addr.is_ipv6() && !self.v6only))
    }

    /// How well this listener's address fits the destination of a datagram.
    fn fits_address(&self, tunnel: &Tunnel<Demux>, meta: &UdpMeta) -> Option<u8> {
        if self.device != 0 && self.device != tunnel.device() {
            return None;
        }
        // UDP does not ask when another listener's tunnel is that of the VRF.
        if self.device == 0 && meta.vrf != 0 && !tunnel.takes_vrfs() {
            return None;
        }
        let addr = &meta.local;
        let bound = u8::from(self.device != 0);
        if self.addr.ip() == addr.ip() {
            return Some(8 | bound);
        }
        let is_own_family = self.addr.is_ipv6() == addr.is_ipv6();
        let fit = if is_own_family { 4 } else { 2 };
        self.spans(addr).then_some(fit | bound)
    }

    /// The place of the first of the client's protocols that this listener has.
    fn fits_protocol(&self, hello: &ClientHello<'_>) -> Option<usize> {
        if self.alpn.is_empty() {
            return Some(usize::MAX);
        }
        hello
            .alpns()
            .take(MAX_PROTOCOLS)
            .position(|name| names(&self.alpn).any(|own| own == name))
    }

    /// How well this listener fits a client, except for its share. Without a ClientHello all
    /// protocols and servers do.
    fn rank(
        &self,
        tunnel: &Tunnel<Demux>,
        meta: &UdpMeta,
        hello: Option<&ClientHello<'_>>,
    ) -> Option<Rank> {
        let address = self.fits_address(tunnel, meta)?;
        let (server, protocol) = match hello {
            Some(hello) => (
                server_name::find(&self.servers, hello.server_name())?,
                self.fits_protocol(hello)?,
            ),
            None => (Match::Any, 0),
        };
        Some(Rank {
            server,
            protocol: Reverse(protocol),
            address,
            share: 0,
        })
    }
}

/// The names of a list joined by commas.
fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|c| *c == b',')
}

/// Whether two lists have a name in common. Two empty lists have; an empty one may stand beside
/// any other.
fn shares_name(a: &[u8], b: &[u8]) -> bool {
    if a.is_empty() || b.is_empty() {
        return a.is_empty() && b.is_empty();
    }
    names(a).any(|name| names(b).any(|other| other == name))
}

/// Whether a client may ask for something that both lists stand for. An empty one stands for all.
fn may_meet(a: &[u8], b: &[u8], meet: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    a.is_empty() || b.is_empty() || names(a).any(|name| names(b).any(|other| meet(name, other)))
}

impl Tables {
    fn port_key(tunnel: &Tunnel<Demux>, addr: &SocketAddr) -> PortKey {
        PortKey {
            net: tunnel.net(),
            port: addr.port(),
        }
    }

    /// Whether anybody listens for a datagram that came by `tunnel`.
    pub(crate) fn has_listener(&self, tunnel: &Tunnel<Demux>, meta: &UdpMeta) -> bool {
        self.listeners
            .find(&Self::port_key(tunnel, &meta.local), |l| {
                l.fits_address(tunnel, meta).map(|_| ())
            })
            .is_some()
    }

    /// Whether the ClientHello has to be read to choose among the listeners for a datagram.
    pub(crate) fn needs_hello(&self, tunnel: &Tunnel<Demux>, meta: &UdpMeta) -> bool {
        self.listeners
            .find(&Self::port_key(tunnel, &meta.local), |l| {
                let chooses = !l.alpn.is_empty() || !l.servers.is_empty();
                (chooses && l.fits_address(tunnel, meta).is_some()).then_some(())
            })
            .is_some()
    }

    /// Whether all listeners for a datagram, if there are several, want the same clients: then no
    /// ClientHello is needed to choose.
    pub(crate) fn want_the_same(&self, tunnel: &Tunnel<Demux>, meta: &UdpMeta) -> bool {
        let mut first: Option<[Arc<KVec<u8>>; 2]> = None;
        let mut same = true;
        self.listeners
            .for_each(&Self::port_key(tunnel, &meta.local), |l| {
                if l.fits_address(tunnel, meta).is_none() {
                    return;
                }
                let [alpn, servers] =
                    first.get_or_insert_with(|| [l.alpn.clone(), l.servers.clone()]);
                same &= l.names_exactly(alpn, servers);
            });
        same
    }

    /// Whether a listener for a datagram has one of the client's protocols, whatever servers it names.
    pub(crate) fn has_protocol(
        &self,
        tunnel: &Tunnel<Demux>,
        meta: &UdpMeta,
        hello: &ClientHello<'_>,
    ) -> bool {
        self.listeners
            .find(&Self::port_key(tunnel, &meta.local), |l| {
                l.fits_address(tunnel, meta)?;
                l.fits_protocol(hello).map(|_| ())
            })
            .is_some()
    }

    /// The listener for the client that `key` names, one of whose datagrams came by `tunnel`.
    pub(crate) fn listener(
        &self,
        tunnel: &Tunnel<Demux>,
        meta: &UdpMeta,
        key: &InitialKey,
        hello: Option<&ClientHello<'_>>,
    ) -> Option<SockRef<Quic>> {
        let client = key.with_bytes(|bytes| self.sharing.hash(bytes));
        let mut best: Option<(Rank, SockRef<Quic>)> = None;
        self.listeners
            .for_each(&Self::port_key(tunnel, &key.local), |l| {
                let Some(mut rank) = l.rank(tunnel, meta, hello) else {
                    return;
                };
                if l.reuseport {
                    rank.share = self.sharing.hash(&(client ^ l.id).to_ne_bytes());
                }
                if best.as_ref().is_none_or(|(other, _)| rank > *other) {
                    best = Some((rank, l.sk.clone()));
                }
            });
        best.map(|(_, sk)| sk)
    }
}
