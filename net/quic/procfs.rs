// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/quic/`: counters, connections and listeners of a network namespace (uapi 13).

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use kernel::{
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::Arc, //
};

use crate::{
    common::id::ConnectionId,
    counters::Counters,
    globals,
    linux::net::{
        netns::NetId,
        proc::{
            File,
            PerNet, //
        },
        sock::{
            Sock,
            SockRef, //
        }, //
    },
    lookup::NetKey,
    mem::Vec,
    socket::{
        Quic,
        Role, //
    },
};

impl PerNet for Quic {
    const DIR: &'static CStr = c"quic";
    type Files = (Snmp, Conns, Eps);

    fn init(net: NetId) -> Result {
        let counters = Arc::new(Counters::new(), GFP_KERNEL)?;
        let tables = &globals::get()?.tables;
        tables.nets.insert(NetKey(net), counters, |_, _| true)
    }

    fn exit(net: NetId) {
        if let Ok(globals) = globals::get() {
            drop(globals.tables.nets.remove_if(&NetKey(net), |_| true));
            globals.tables.hellos.forget(|key| key.net == net);
            // Tunnels of the namespace must be gone before it is.
            globals.queue.flush();
        }
    }
}

/// Counters.
pub(crate) struct Snmp;

impl File for Snmp {
    const NAME: &'static CStr = c"snmp";

    fn show(net: NetId, out: &SeqFile) {
        let counters = globals::get().ok().and_then(|g| g.tables.counters(net));
        if let Some(counters) = counters {
            for (name, value) in counters.iter() {
                seq_print!(out, "{:<32}\t{}\n", name, value);
            }
        }
    }
}

/// Connections.
pub(crate) struct Conns;

impl File for Conns {
    const NAME: &'static CStr = c"conns";

    fn show(net: NetId, out: &SeqFile) {
        seq_print!(
            out,
            "SOCK\tSTATE\tLOCAL_ADDRESS\tREMOTE_ADDRESS\tUDP_ADDRESS\tWINDOW\tMSS\tIN_FLIGHT\t\
             TX_QUEUE\tRX_QUEUE\tSNDBUF\tRCVBUF\tUID\tINODE\n"
        );
        let mut found: Vec<(ConnectionId, SockRef<Quic>)> = Vec::new();
        if let Ok(globals) = globals::get() {
            globals.tables.cids.for_all(|key, sk| {
                if key.net == net {
                    // Without memory the list is shorter.
                    let _ = found.try_push((key.cid, sk.clone()));
                }
            });
        }
        for (cid, sk) in found {
            show_conn(&sk, &cid, out);
        }
    }
}

/// A connection is in the table once for each of its ids; the first one counts.
fn show_conn(sk: &Sock<Quic>, cid: &ConnectionId, out: &SeqFile) {
    let locked = sk.lock();
    let Role::Connection(at) = &locked.role else {
        return;
    };
    if !at.is_open() || at.cids.first() != Some(cid) {
        return;
    }
    let (info, path) = (at.core.info(), at.core.path());
    let udp = locked.tunnel.as_ref().map_or(path.local, |t| t.addr());
    drop(locked);
    let raw = sk.raw();
    sk.show_pointer(out);
    seq_print!(out, "\t{}\t", raw.state());
    show_addr(&path.local, out);
    show_addr(&path.remote, out);
    show_addr(&udp, out);
    seq_print!(
        out,
        "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
        info.cwnd,
        info.mtu,
        info.bytes_in_flight,
        raw.wmem(),
        raw.rmem(),
        raw.sndbuf(),
        raw.rcvbuf(),
        raw.uid(),
        raw.inode()
    );
}

/// Listeners.
pub(crate) struct Eps;

impl File for Eps {
    const NAME: &'static CStr = c"eps";

    fn show(net: NetId, out: &SeqFile) {
        seq_print!(out, "SOCK\tSTATE\tLOCAL_ADDRESS\tUDP_ADDRESS\tUID\tINODE\n");
        let mut found: Vec<(SocketAddr, SockRef<Quic>)> = Vec::new();
        if let Ok(globals) = globals::get() {
            globals.tables.listeners.for_all(|key, l| {
                if key.net == net {
                    let _ = found.try_push((l.addr, l.sk.clone()));
                }
            });
        }
        for (addr, sk) in found {
            let raw = sk.raw();
            sk.show_pointer(out);
            seq_print!(out, "\t{}\t", raw.state());
            show_addr(&addr, out);
            show_addr(&addr, out);
            seq_print!(out, "{}\t{}\n", raw.uid(), raw.inode());
        }
    }
}

/// `a.b.c.d:port` or `x:y::z:port`, and a TAB.
fn show_addr(addr: &SocketAddr, out: &SeqFile) {
    match addr {
        SocketAddr::V4(a) => seq_print!(out, "{:?}:{}\t", a.ip(), a.port()),
        SocketAddr::V6(a) => seq_print!(out, "{:?}:{}\t", a.ip(), a.port()),
    }
}
