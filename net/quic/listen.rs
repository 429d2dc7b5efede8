// SPDX-License-Identifier: GPL-2.0

//! `listen(2)`, and what a listener keeps.

#![forbid(unsafe_code)]

use core::net::IpAddr;

use kernel::{
    prelude::*,
    static_lock_class,
    sync::Arc, //
};

use crate::{
    aead::{
        hmac,
        Hash, //
    },
    attached::now,
    bind,
    demux::Demux,
    family,
    globals::Globals,
    linux::{
        net::{
            inet,
            sock::Owned, //
        },
        rand,
        sync::SpinLockBh, //
    },
    listening::Listening,
    lookup::PortKey,
    packet::replay::ReplayFilter,
    poll,
    requests::Requests,
    socket::{
        Quic,
        Role, //
    },
};

/// Which tokens were used already, of a listener or of a whole `SO_REUSEPORT` group.
pub(crate) type UsedTokens = SpinLockBh<ReplayFilter>;

/// What a listening socket keeps.
pub(crate) struct Listener {
    key: PortKey,
    /// Clients that wait to be accepted.
    pub(crate) requests: Requests,
    /// The tokens of NEW_TOKEN frames that clients have come back with.
    pub(crate) used: Arc<UsedTokens>,
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
    let mut entry = Listening {
        addr,
        v6only: raw.v6only(),
        device: raw.device(),
        alpn: sk.options.alpn.clone(),
        servers: sk.options.servers.clone(),
        reuseport: raw.reuseport(),
        user: raw.user(),
        id: rand::u64(),
        used: None,
        sk: sk.sk().to_ref(),
    };
    let globals = &sk.sk().shared().globals;
    let listeners = &globals.tables.listeners;
    let token_key = token_key(globals, &key, &entry);
    // Of two that join at the same moment each may keep its own: a token is good twice then.
    let used = match listeners.find(&key, |l| l.used_with(&entry)) {
        Some(shared) => shared,
        None => used_tokens()?,
    };
    entry.used = Some(used.clone());
    listeners.insert(key, entry, Listening::conflicts)?;
    sk.options.token_key = token_key;
    sk.backlog = backlog;
    sk.role = Role::Listener(Listener {
        key,
        requests: Requests::new(),
        used,
    });
    raw.set_state(inet::LISTEN);
    poll::publish(sk);
    Ok(())
}

/// None used yet. Process context.
fn used_tokens() -> Result<Arc<UsedTokens>> {
    let filter = ReplayFilter::new(now())?;
    let lock = SpinLockBh::new(filter, c"quic_used_tokens", static_lock_class!());
    Arc::pin_init(lock, GFP_KERNEL)
}

/// What seals this listener's address validation tokens and makes its ticket keys: a secret of its
/// own, or of its `SO_REUSEPORT` group. A client's token may come back to another member, and a
/// listener may be replaced by a new one while its clients hold tokens.
fn token_key(globals: &Globals, key: &PortKey, entry: &Listening) -> [u8; 32] {
    let mut out = [0; 32];
    if !entry.reuseport {
        rand::fill(&mut out);
        return out;
    }
    let ip = match entry.addr.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    let parts: [&[u8]; 9] = [
        b"listener",
        &key.net.to_bytes(),
        &key.port.to_be_bytes(),
        &ip,
        &entry.device.to_be_bytes(),
        &entry.user.to_bytes(),
        &entry.alpn,
        // No name holds a NUL followed by this.
        b"\0,servers,",
        &entry.servers,
    ];
    hmac(Hash::Sha256, &globals.group_key, &parts, &mut out);
    out
}

/// Leaves the listening state. Requests that wait go to another listener that takes them, if there
/// is one; else they are dropped, and the clients will try again.
pub(crate) fn stop(sk: &mut Owned<'_, Quic>) {
    let Role::Listener(mut listener) = core::mem::replace(&mut sk.role, Role::Idle) else {
        return;
    };
    let sock = sk.sk();
    let tables = &sock.shared().globals.tables;
    let entry = tables.listeners.remove_if(&listener.key, |l| l.sk.is(sock));
    drop(entry);
    if tables.listeners.find(&listener.key, |_| Some(())).is_none() {
        let port = listener.key;
        tables
            .hellos
            .forget(|key| key.net == port.net && key.local.port() == port.port);
    }
    sock.raw().set_state(inet::CLOSE);
    sk.backlog = 0;
    sk.settle_rmem(0);
    let heirs = Demux::new(
        sock.shared().globals.clone(),
        sock.shared().counters.clone(),
    );
    while let Some(request) = listener.requests.pop() {
        request.forget(sock);
        if let Some(tunnel) = &sk.tunnel {
            heirs.hand_over(tunnel, request);
        }
    }
    poll::publish(sk);
    sock.raw().wake_all();
}
