// SPDX-License-Identifier: GPL-2.0

//! `listen(2)`, and what a listener keeps.

#![forbid(unsafe_code)]

use kernel::{
    prelude::*,
    sync::Arc, //
};

use crate::{
    bind, family,
    linux::{
        net::{
            inet,
            sock::Owned, //
        },
        rand, //
    },
    lookup::{
        Listening,
        PortKey, //
    },
    poll,
    requests::Requests,
    socket::{
        Quic,
        Role, //
    },
};

/// What a listening socket keeps.
pub(crate) struct Listener {
    key: PortKey,
    /// Clients that wait to be accepted.
    pub(crate) requests: Requests,
}

impl Listener {
    /// Whether a request waits to be accepted.
    pub(crate) fn has_pending(&self) -> bool {
        !self.requests.is_empty()
    }
}

/// Starts to listen, or changes the backlog, or (backlog 0) stops.
pub(crate) fn listen(sk: &mut Owned<'_, Quic>, backlog: i32) -> Result {
    let backlog = u32::try_from(backlog).unwrap_or(0);
    match (&sk.role, backlog) {
        (Role::Listener(_), 0) => {
            stop(sk);
            Ok(())
        }
        (Role::Listener(_), _) => {
            sk.backlog = backlog;
            Ok(())
        }
        (Role::Idle, 1..) => start(sk, backlog),
        _ => Err(EINVAL),
    }
}

fn start(sk: &mut Owned<'_, Quic>, backlog: u32) -> Result {
    let raw = sk.sk().raw();
    let bound_here = sk.local.is_none();
    if bound_here {
        bind::bind_to(sk, family::any(raw))?;
    }
    let result = publish(sk, backlog);
    if result.is_err() && bound_here {
        bind::unbind(sk);
    }
    result
}

fn publish(sk: &mut Owned<'_, Quic>, backlog: u32) -> Result {
    let raw = sk.sk().raw();
    let addr = sk.local.ok_or(EINVAL)?;
    let key = PortKey {
        net: raw.net().id(),
        port: addr.port(),
    };
    let entry = Listening {
        addr,
        device: raw.device(),
        alpn: sk.options.alpn.clone(),
        reuseport: raw.reuseport(),
        sk: sk.sk().to_ref(),
    };
    let (device, reuseport, alpn) = (entry.device, entry.reuseport, entry.alpn.clone());
    let tables = &sk.sk().shared().globals.tables;
    tables.listeners.insert(key, entry, |other| {
        other.addr == addr
            && other.device == device
            && !(other.reuseport && reuseport && other.alpn.as_slice() == alpn.as_slice())
            && shares_name(&other.alpn, &alpn)
    })?;
    rand::fill(&mut sk.options.token_key);
    sk.backlog = backlog;
    sk.role = Role::Listener(Listener {
        key,
        requests: Requests::new(),
    });
    raw.set_state(inet::LISTEN);
    poll::publish(sk);
    Ok(())
}

/// Whether two lists have a name in common. Two empty lists have; an empty one may stand beside
/// any other.
fn shares_name(a: &Arc<KVec<u8>>, b: &Arc<KVec<u8>>) -> bool {
    let names = |list: &'_ Arc<KVec<u8>>| list.is_empty();
    if names(a) || names(b) {
        return names(a) && names(b);
    }
    a.split(|c| *c == b',')
        .any(|name| b.split(|c| *c == b',').any(|other| other == name))
}

/// Leaves the listening state and drops what waits.
pub(crate) fn stop(sk: &mut Owned<'_, Quic>) {
    if let Role::Listener(mut listener) = core::mem::replace(&mut sk.role, Role::Idle) {
        let sock = sk.sk();
        let tables = &sock.shared().globals.tables;
        let entry = tables.listeners.remove_if(&listener.key, |l| l.sk.is(sock));
        drop(entry);
        listener.requests.forget(sock);
        drop(listener);
        sock.raw().set_state(inet::CLOSE);
        sk.backlog = 0;
        poll::publish(sk);
        sock.raw().wake_all();
    }
}
