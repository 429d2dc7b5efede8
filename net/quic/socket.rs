// SPDX-License-Identifier: GPL-2.0

//! The socket: what it holds, and which file answers which call.
//!
//! A socket is in one [`Role`] at a time. All of [`State`] is protected by the socket lock; what
//! `poll(2)` and softirqs need without it is in [`Flags`].

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed, //
        },
        Arc, //
    },
};

use crate::{
    accept,
    attached::Attached,
    bind,
    close,
    connect,
    counters::Counters,
    demux::Demux,
    drive,
    globals::{
        self,
        Globals, //
    },
    ioctl,
    linux::net::{
        addr::{
            NameBuf,
            RawAddr, //
        },
        inet,
        msg::MsgHdr,
        skb::SkBuff,
        sock::{
            Held,
            Owned,
            Protocol,
            RawSock,
            Sock,
            SockRef, //
        },
        sockopt::{
            OptIn,
            OptOut, //
        },
        udp_tunnel::TunnelRef, //
    },
    listen::{
        self,
        Listener, //
    },
    options::Options,
    poll,
    quotes::Deferred,
    recvmsg,
    sendmsg,
    sockopt,
    uapi, //
};

/// The protocol.
pub(crate) struct Quic;

/// What a socket is at the moment.
pub(crate) enum Role {
    /// New, or bound.
    Idle,
    /// Between `listen(2)` and close.
    Listener(Listener),
    /// From `connect(2)` or `accept(2)` on, also after the connection has ended.
    Connection(Attached),
}

/// What the socket lock protects.
pub(crate) struct State {
    pub(crate) role: Role,
    /// What the user chose.
    pub(crate) options: Options,
    /// Local address once bound, IPv4-mapped addresses as IPv4.
    pub(crate) local: Option<SocketAddr>,
    /// The peer's address once connected.
    pub(crate) remote: Option<SocketAddr>,
    /// The UDP socket below, once bound.
    pub(crate) tunnel: Option<TunnelRef<Demux>>,
    /// Others, for addresses that are tried, announced or were left: one for each family.
    pub(crate) other_tunnels: [Option<TunnelRef<Demux>>; 2],
    /// Limit of pending requests; not 0 makes this a server's socket.
    pub(crate) backlog: u32,
}

impl State {
    /// Makes the UDP socket of the local address the present one, after a migration.
    pub(crate) fn choose_tunnel(&mut self) {
        let Some(local) = self.local else {
            return;
        };
        let serves = |tunnel: &Option<TunnelRef<Demux>>| {
            tunnel.as_ref().is_some_and(|tunnel| {
                let (port, ip) = (tunnel.addr().port(), tunnel.addr().ip());
                port == local.port() && (ip == local.ip() || ip.is_unspecified())
            })
        };
        if serves(&self.tunnel) {
            return;
        }
        if let Some(other) = self.other_tunnels.iter_mut().find(|other| serves(other)) {
            core::mem::swap(other, &mut self.tunnel);
        }
    }

    /// Whether this socket plays the server's part.
    pub(crate) fn is_server(&self) -> bool {
        self.backlog != 0
    }
}

/// What is used without the socket lock.
pub(crate) struct Flags {
    pub(crate) globals: Arc<Globals>,
    /// Those of the network namespace.
    pub(crate) counters: Arc<Counters>,
    /// The poll mask.
    ready: Atomic<u32>,
    /// Work that softirqs left for the owner of the lock: bits `DEFER_…`.
    deferred: Atomic<u32>,
}

/// The timer expired.
pub(crate) const DEFER_TIMER: u32 = 1;

impl Flags {
    /// The poll mask.
    pub(crate) fn ready(&self) -> u32 {
        self.ready.load(Acquire)
    }

    /// Publishes a new poll mask. Returns the bits that were not there before.
    pub(crate) fn set_ready(&self, mask: u32) -> u32 {
        let old = self.ready.xchg(mask, Full);
        mask & !old
    }

    /// Leaves work behind.
    pub(crate) fn defer(&self, bits: u32) {
        // Under the spin lock of the socket lock, as the taker is: no bit can be lost.
        let old = self.deferred.load(Relaxed);
        self.deferred.store(old | bits, Relaxed);
    }

    /// Takes the work left behind.
    pub(crate) fn take_deferred(&self) -> u32 {
        let bits = self.deferred.load(Relaxed);
        if bits != 0 {
            self.deferred.store(0, Relaxed);
        }
        bits
    }
}

impl Protocol for Quic {
    type State = State;
    type Shared = Flags;
    type Deferred = Deferred;

    const LEVEL: i32 = uapi::SOL_QUIC;

    fn init(sk: &RawSock) -> Result<(State, Flags)> {
        sk.set_state(inet::CLOSE);
        let state = State {
            role: Role::Idle,
            options: Options::new()?,
            local: None,
            remote: None,
            tunnel: None,
            other_tunnels: [None, None],
            backlog: 0,
        };
        let globals = globals::get()?;
        let counters = globals.tables.counters(sk.net().id()).ok_or(ENODEV)?;
        let flags = Flags {
            globals,
            counters,
            ready: Atomic::new(poll::CLOSED),
            deferred: Atomic::new(0),
        };
        Ok((state, flags))
    }

    fn close(sk: &mut Owned<'_, Self>) {
        close::close(sk);
    }

    fn bind(sk: &mut Owned<'_, Self>, addr: RawAddr<'_>) -> Result {
        bind::bind(sk, addr)
    }

    fn connect(sk: &mut Owned<'_, Self>, addr: RawAddr<'_>, _flags: i32) -> Result {
        connect::connect(sk, addr)
    }

    fn listen(sk: &mut Owned<'_, Self>, backlog: i32) -> Result {
        listen::listen(sk, backlog)
    }

    fn accept(sk: &mut Owned<'_, Self>, kern: bool, nonblock: bool) -> Result<SockRef<Self>> {
        accept::accept(sk, kern, nonblock)
    }

    fn getname(sk: &mut Owned<'_, Self>, peer: bool) -> Result<NameBuf> {
        bind::name(sk, peer)
    }

    fn poll(sk: &Sock<Self>) -> u32 {
        sk.shared().ready()
    }

    fn ioctl(sk: &mut Owned<'_, Self>, cmd: u32) -> Result<i32> {
        ioctl::ioctl(sk, cmd)
    }

    fn shutdown(sk: &mut Owned<'_, Self>, how: i32) -> Result {
        close::shutdown(sk, how)
    }

    fn setsockopt(sk: &Sock<Self>, name: i32, value: OptIn) -> Result {
        sockopt::set(sk, name, &value)
    }

    fn getsockopt(sk: &Sock<Self>, name: i32, value: OptOut) -> Result<i32> {
        sockopt::get(sk, name, &value)
    }

    fn sendmsg(sk: &mut Owned<'_, Self>, msg: &mut MsgHdr<'_>, len: usize) -> Result<usize> {
        sendmsg::sendmsg(sk, msg, len)
    }

    fn recvmsg(
        sk: &mut Owned<'_, Self>,
        msg: &mut MsgHdr<'_>,
        len: usize,
        flags: i32,
    ) -> Result<usize> {
        recvmsg::recvmsg(sk, msg, len, flags)
    }

    fn backlog(sk: &mut Held<'_, Self>, skb: SkBuff) {
        drive::backlog(sk, skb);
    }

    fn release(sk: &mut Held<'_, Self>, deferred: &mut Deferred) {
        drive::release(sk, deferred);
    }

    fn timer(sk: &mut Held<'_, Self>) {
        drive::timer(sk);
    }

    fn timer_deferred(sk: &Sock<Self>) {
        sk.shared().defer(DEFER_TIMER);
    }

    fn work(sk: &mut Owned<'_, Self>) {
        drive::work(sk);
    }
}
