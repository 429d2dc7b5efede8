// SPDX-License-Identifier: GPL-2.0

//! A datagram has found its socket: what the socket does with it.

#![forbid(unsafe_code)]

use crate::{
    common::memory::Memory,
    drive,
    linux::net::{
        skb::SkBuff,
        sock::{
            BhLock,
            Held,
            Sock,
            SockRef, //
        }, //
    },
    requests,
    socket::{
        Quic,
        Role, //
    }, //
};

/// Bytes that may wait for a process that owns the socket, beside what is charged already. They are
/// charged to nobody, so that this does not follow the windows, as the limit of TCP's backlog does.
const BACKLOG: u32 = 4 << 20;

/// Gives a packet to a socket, or leaves it to the process that owns it. Softirq context, or the
/// backlog of another socket.
pub(crate) fn deliver(sk: &Sock<Quic>, skb: SkBuff) {
    let Some((owner, skb)) = offer(sk, skb) else {
        return;
    };
    // The lock of the first one is free again: two listeners must never wait for each other.
    if offer(&owner, skb).is_some() {
        owner.shared().counters.count_drop();
    }
}

/// Gives a packet to a socket. Hands it back with its owner if that is another one by now.
fn offer(sk: &Sock<Quic>, skb: SkBuff) -> Option<(SockRef<Quic>, SkBuff)> {
    match sk.lock_bh() {
        BhLock::Free(mut bh) => {
            let elsewhere = handle(&mut bh, skb, false);
            if matches!(bh.role, Role::Connection(_)) {
                drive::drive(&mut bh);
            }
            elsewhere
        }
        BhLock::Busy(busy) => {
            let charged = u32::try_from(sk.raw().rmem()).unwrap_or(u32::MAX);
            if let Err(skb) = busy.add_backlog(skb, charged.saturating_add(BACKLOG)) {
                sk.shared().counters.count_drop();
                drop(skb);
            }
            None
        }
    }
}

/// Processes a packet under the lock. A connection is to be driven afterwards. Hands the packet of
/// a request back with the connection's socket if it has been accepted.
pub(crate) fn handle(
    sk: &mut Held<'_, Quic>,
    skb: SkBuff,
    waited: bool,
) -> Option<(SockRef<Quic>, SkBuff)> {
    let meta = skb.udp_meta();
    let memory = memory(sk, skb.truesize());
    match &mut sk.role {
        Role::Connection(at) => {
            let count = if waited {
                &mut at.stats.pkt_rcv_backlogs
            } else {
                &mut at.stats.pkt_rcv_fastpaths
            };
            *count = count.wrapping_add(1);
            at.core.set_memory(memory);
            drive::receive(at, skb, &meta);
            None
        }
        Role::Listener(_) => requests::handle(sk, skb, &meta),
        Role::Idle => {
            sk.sk().shared().counters.count_drop();
            None
        }
    }
}

/// Memory that there is for a packet of this size, which is reserved if it is there.
fn memory(sk: &mut Held<'_, Quic>, truesize: usize) -> Memory {
    if !matches!(sk.role, Role::Connection(_)) {
        // A listener asks when it keeps one.
        Memory::Plenty
    } else if !sk.may_keep(truesize) {
        Memory::Exhausted
    } else if sk.sk().raw().under_memory_pressure() {
        Memory::Scarce
    } else {
        Memory::Plenty
    }
}
