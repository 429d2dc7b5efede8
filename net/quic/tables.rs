// SPDX-License-Identifier: GPL-2.0

//! Keeps the lookup tables in step with what the connection issues and retires.

#![forbid(unsafe_code)]

use core::net::SocketAddr;

use crate::{
    attached::Attached,
    common::id::ConnectionId,
    conn::CidOp,
    linux::net::sock::Sock,
    lookup::{
        CidKey,
        Initial,
        ResetKey, //
    },
    socket::Quic, //
};

/// Carries out the pending changes. Any context, socket lock held.
pub(crate) fn sync(sk: &Sock<Quic>, at: &mut Attached) {
    while let Some(op) = at.core.poll_cid_op() {
        match op {
            CidOp::Add { cid, .. } => add(sk, at, cid),
            CidOp::Remove { cid } => remove(sk, at, &cid),
            CidOp::AddReset { token, remote } => add_reset(sk, at, token, remote),
            CidOp::RemoveReset { token, remote } => remove_reset(sk, at, token, remote),
        }
    }
}

/// A table without memory, or the unlikely collision of random ids, leaves the id unknown: packets
/// to it are lost, and the peer uses another one.
fn add(sk: &Sock<Quic>, at: &mut Attached, cid: ConnectionId) {
    let tables = &sk.shared().globals.tables;
    if let Some(key) = at.original.filter(|key| key.cid == cid) {
        let sk = sk.to_ref();
        let initial = Initial { sk, request: 0 };
        let _ = tables.initials.insert(key, initial, |_, _| true);
        return;
    }
    let key = CidKey {
        net: sk.raw().net().id(),
        cid,
    };
    if at.cids.try_reserve(1).is_err() {
        return;
    }
    if tables.cids.insert(key, sk.to_ref(), |_, _| true).is_ok() {
        let _ = at.cids.push_within_capacity(cid);
    }
}

fn remove(sk: &Sock<Quic>, at: &mut Attached, cid: &ConnectionId) {
    let tables = &sk.shared().globals.tables;
    if let Some(key) = at.original.filter(|key| key.cid == *cid) {
        at.original = None;
        drop(tables.initials.remove_if(&key, |other| other.sk.is(sk)));
        return;
    }
    if let Some(at_cid) = at.cids.iter().position(|known| known == cid) {
        at.cids.remove(at_cid);
    }
    let key = CidKey {
        net: sk.raw().net().id(),
        cid: *cid,
    };
    drop(tables.cids.remove_if(&key, |other| other.is(sk)));
}

/// Without memory the token stays unknown: the connection would end by its idle time-out instead.
fn add_reset(sk: &Sock<Quic>, at: &mut Attached, token: [u8; 16], remote: SocketAddr) {
    let tables = &sk.shared().globals.tables;
    let net = sk.raw().net().id();
    let key = ResetKey { net, remote, token };
    if at.resets.try_reserve(1).is_err() {
        return;
    }
    if tables.resets.insert(key, sk.to_ref(), |_, _| true).is_ok() {
        let _ = at.resets.push_within_capacity(key);
    }
}

fn remove_reset(sk: &Sock<Quic>, at: &mut Attached, token: [u8; 16], remote: SocketAddr) {
    let net = sk.raw().net().id();
    let key = ResetKey { net, remote, token };
    if let Some(place) = at.resets.iter().position(|known| *known == key) {
        at.resets.remove(place);
        let tables = &sk.shared().globals.tables;
        drop(tables.resets.remove_if(&key, |other| other.is(sk)));
    }
}

/// Takes everything of this connection out of the tables.
pub(crate) fn clear(sk: &Sock<Quic>, at: &mut Attached) {
    let tables = &sk.shared().globals.tables;
    let net = sk.raw().net().id();
    tables.quotes.clear(sk, at);
    while let Some(cid) = at.cids.pop() {
        let key = CidKey { net, cid };
        drop(tables.cids.remove_if(&key, |other| other.is(sk)));
    }
    while let Some(key) = at.resets.pop() {
        drop(tables.resets.remove_if(&key, |other| other.is(sk)));
    }
    if let Some(key) = at.original.take() {
        drop(tables.initials.remove_if(&key, |other| other.sk.is(sk)));
    }
}
