// SPDX-License-Identifier: GPL-2.0

//! Which connection an ICMP message about a packet too big is for, and how it gets there.
//!
//! A message quotes the beginning of the packet, and so the id that the packet was sent to. The
//! connection is looked up by that id, which an attacker off the path does not know, by the own
//! port and the peer's address: a forged message costs a few lookups and finds nobody. Softirq context.

#![forbid(unsafe_code)]

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

use crate::{
    attached::Attached,
    common::{
        cx::Stats,
        id::ConnectionId, //
    },
    conn::{
        too_big::destination,
        PacketTooBig,
        PathAddr, //
    },
    drive,
    linux::net::{
        hash::{
            Size,
            Table, //
        },
        icmp::TooBig,
        netns::NetId,
        sock::{
            BhLock,
            Held,
            Sock,
            SockRef, //
        }, //
    },
    lookup::QuoteKey,
    socket::Quic, //
};

/// Connections by what a message about their packets quotes.
pub(crate) struct Quotes {
    table: Table<QuoteKey, SockRef<Quic>>,
    /// Entries by the length of their ids, which a short header does not tell: each length in use
    /// is a lookup for a message, at most 20.
    lengths: [Atomic<i32>; ConnectionId::MAX_LEN + 1],
}

impl Quotes {
    /// None.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            table: Table::new(Size::Memory)?,
            lengths: [const { Atomic::new(0) }; ConnectionId::MAX_LEN + 1],
        })
    }

    /// The connection whose packet a message quotes.
    fn find(&self, net: NetId, message: &TooBig) -> Option<SockRef<Quic>> {
        let lengths = self.lengths.iter().enumerate();
        let mut in_use = lengths.filter(|(_, entries)| entries.load(Relaxed) > 0);
        in_use.find_map(|(len, _)| {
            let id = destination(message.quoted(), len).filter(|id| id.len() == len)?;
            let key = QuoteKey {
                net,
                port: message.local.port(),
                remote: message.remote,
                cid: ConnectionId::new(id)?,
            };
            self.table.find(&key, |sk| Some(sk.clone()))
        })
    }

    /// Brings the entry of a connection up to date. Without memory it is missing: then the loss of
    /// packets tells what the messages would have told; and so it is for all but one of those
    /// connections that a message does not tell apart. Socket lock held.
    pub(crate) fn sync(&self, sk: &Sock<Quic>, at: &mut Attached) {
        let wanted = at.core.quotable().map(|(port, remote, cid)| QuoteKey {
            net: sk.raw().net().id(),
            port,
            remote,
            cid,
        });
        if wanted == at.quoted {
            return;
        }
        self.clear(sk, at);
        let Some(key) = wanted else {
            return;
        };
        // Tried again with the next id only, whatever comes of it.
        at.quoted = Some(key);
        // The peer chooses the ids: it must not be able to make a chain of equal keys.
        let result = self.table.insert(key, sk.to_ref(), |_, _| true);
        if let (Ok(()), Some(entries)) = (result, self.lengths.get(key.cid.len())) {
            entries.fetch_add(1, Relaxed);
        }
    }

    /// Takes the entry of a connection out.
    pub(crate) fn clear(&self, sk: &Sock<Quic>, at: &mut Attached) {
        let Some(key) = at.quoted.take() else {
            return;
        };
        let removed = self.table.remove_if(&key, |other| other.is(sk));
        if let (Some(_), Some(entries)) = (&removed, self.lengths.get(key.cid.len())) {
            entries.fetch_sub(1, Relaxed);
        }
    }

    /// Gives a message to the connection that it is for. Returns whether there is one.
    pub(crate) fn deliver(&self, net: NetId, message: &TooBig) -> bool {
        let Some(sk) = self.find(net, message) else {
            return false;
        };
        match sk.lock_bh() {
            BhLock::Free(mut bh) => {
                take(&mut bh, message);
                drive::drive(&mut bh);
            }
            // The newest one says most.
            BhLock::Busy(mut busy) => busy.deferred().too_big = Some(*message),
        }
        true
    }
}

/// What a process that owns the socket lock finds when it gives it up.
#[derive(Default)]
pub(crate) struct Deferred {
    /// The last message of ICMP that came meanwhile.
    pub(crate) too_big: Option<TooBig>,
}

/// Tells the connection of a message. It is to be driven afterwards.
pub(crate) fn take(sk: &mut Held<'_, Quic>, message: &TooBig) {
    let Some(at) = sk.attached() else {
        return;
    };
    let message = PacketTooBig {
        path: PathAddr {
            local: message.local,
            remote: message.remote,
        },
        max_payload: message.max_payload,
        payload: message.payload,
        quoted: message.quoted(),
    };
    let Stats {
        icmp_too_big,
        icmp_ignored,
        ..
    } = &mut at.stats;
    let count = if at.core.handle_packet_too_big(&message) {
        icmp_too_big
    } else {
        icmp_ignored
    };
    *count = count.wrapping_add(1);
    at.dirty = true;
}
