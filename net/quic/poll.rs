// SPDX-License-Identifier: GPL-2.0

//! The poll mask and the wake-ups that go with it.
//!
//! `poll(2)` takes no lock: whoever changes the state of a socket publishes the mask it has now,
//! and wakes those who wait for what came new.

#![forbid(unsafe_code)]

use crate::{
    attached::Attached,
    conn::State,
    linux::{
        net::sock::Held,
        uapi::poll::*, //
    },
    socket::{
        Quic,
        Role, //
    },
};

/// Data, an event or a connection can be had.
const READABLE: u32 = POLLIN | POLLRDNORM;
/// There is room to send.
const WRITABLE: u32 = POLLOUT | POLLWRNORM;
/// A socket without a connection: nothing will block.
pub(crate) const CLOSED: u32 = POLLHUP | POLLERR | READABLE | POLLRDHUP | WRITABLE;

/// The poll mask for the state of the socket.
fn mask(sk: &mut Held<'_, Quic>) -> u32 {
    let raw = sk.sk().raw();
    let (sndbuf, used) = (raw.sndbuf(), raw.wmem());
    match &mut sk.role {
        Role::Idle => CLOSED,
        Role::Listener(l) if l.has_pending() => READABLE,
        Role::Listener(_) => 0,
        Role::Connection(at) if !at.is_open() => CLOSED,
        Role::Connection(at) => {
            at.published_sndbuf = sndbuf;
            let mut mask = 0;
            if at.is_readable() {
                mask |= READABLE;
            }
            if has_room(at, sndbuf, used) && has_credit(at) {
                mask |= WRITABLE;
            }
            mask
        }
    }
}

/// Whether the send buffer has room: a byte of it, or as much as a datagram wanted that found too
/// little. That one is forgotten as soon as it would fit. After a want of memory there is room again
/// once some of what was sent is acknowledged.
fn has_room(at: &mut Attached, sndbuf: usize, used: usize) -> bool {
    let space = sndbuf.saturating_sub(used);
    if at.starved > 0 && used >= at.starved {
        return false;
    }
    at.starved = 0;
    if at.refused > 0 && (space < at.refused || at.core.datagrams_are_full()) {
        return false;
    }
    at.refused = 0;
    space > 0
}

/// Whether flow control lets something be sent. Handshake messages are not subject to it (RFC 9000
/// 7.5), and before they are exchanged there is no limit of the peer's: whoever waits to send them
/// waits for the buffer alone. Writers of streams are woken whenever a limit is raised.
fn has_credit(at: &Attached) -> bool {
    at.core.state() == State::Establishing || at.core.streams().connection_credit() > 0
}

/// Publishes the poll mask and wakes those who wait for what is new in it.
pub(crate) fn publish(sk: &mut Held<'_, Quic>) {
    let mask = mask(sk);
    let new = sk.sk().shared().set_ready(mask);
    let raw = sk.sk().raw();
    if new & (POLLHUP | POLLERR) != 0 {
        raw.wake_all();
        return;
    }
    if new & READABLE != 0 {
        raw.wake_readers();
    }
    if new & WRITABLE != 0 {
        raw.wake_writers();
    }
}
