// SPDX-License-Identifier: GPL-2.0

//! Answers that need no connection: Version Negotiation, Retry, stateless reset, refusal.
//!
//! Softirq or process context. Every answer is smaller than, or as large as, what it answers.

#![forbid(unsafe_code)]

use crate::{
    attached::{
        now,
        KernelRng, //
    },
    common::{
        cx::Stats,
        error::TransportError,
        id::{
            ConnectionId,
            Version, //
        }, //
    },
    conn::accept::Incoming,
    connid::LOCAL_LEN,
    counters::Counters,
    linux::net::{
        route::Route,
        skb::{
            SkBuff,
            UdpMeta, //
        },
        sock::RawSock,
        xmit, //
    },
    packet::{
        stateless::{
            reset_token,
            write_initial_close,
            write_retry,
            write_stateless_reset,
            write_version_negotiation, //
        },
        token::{
            Claims,
            TokenKey,
            TokenKind,
            MAX_TOKEN_LEN, //
        },
        Packet,
        UnknownVersion, //
    },
};

/// Room for any answer, bytes.
const ROOM: usize = 1200;

/// Writes an answer with `write` and sends it back, by the VRF that the question came by. Returns
/// whether anything was sent.
fn answer(sk: &RawSock, meta: &UdpMeta, write: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
    let Ok(mut skb) = SkBuff::alloc(xmit::HEADROOM, ROOM) else {
        return false;
    };
    let Some(buf) = skb.tailroom_mut(ROOM) else {
        return false;
    };
    let Some(len) = write(buf) else {
        return false;
    };
    skb.grow(len);
    let tos = sk.tos(meta.remote.is_ipv6());
    let device = match sk.device() {
        0 => meta.vrf,
        device => device,
    };
    let Ok(route) = Route::find_by(sk, device, meta.local, meta.remote, tos) else {
        return false;
    };
    xmit::send(sk, &route, skb, tos & !3);
    true
}

/// Answers a packet to a connection that is not there any more.
pub(crate) fn reset(
    key: &[u8; 32],
    counters: &Counters,
    sk: &RawSock,
    skb: &SkBuff,
    meta: &UdpMeta,
) {
    let bytes = skb.data();
    let dcid = Packet::destination(bytes, LOCAL_LEN).and_then(ConnectionId::new);
    let Some(dcid) = dcid else {
        counters.count_drop();
        return;
    };
    let len = skb.gso_size().unwrap_or(bytes.len());
    let token = reset_token(key, &dcid);
    let sent = answer(sk, meta, |buf| {
        write_stateless_reset(buf, len, &token, &mut KernelRng)
    });
    if sent {
        counters.add(&Stats {
            stateless_reset_out: 1,
            ..Stats::default()
        });
    }
}

/// Answers a packet of a version that is not spoken here.
pub(crate) fn negotiate(
    counters: &Counters,
    sk: &RawSock,
    meta: &UdpMeta,
    unknown: &UnknownVersion<'_>,
) {
    let versions = [Version::V1, Version::V2];
    let sent = answer(sk, meta, |buf| {
        write_version_negotiation(buf, unknown.dcid, unknown.scid, &versions, &mut KernelRng).ok()
    });
    if sent {
        counters.add(&Stats {
            version_negotiation_out: 1,
            ..Stats::default()
        });
    }
}

/// Asks the client to prove its address.
// RFC 9000 8.1.2 #1
pub(crate) fn retry(
    counters: &Counters,
    sk: &RawSock,
    meta: &UdpMeta,
    incoming: &Incoming,
    key: &TokenKey,
) {
    let scid = ConnectionId::random(&mut KernelRng, LOCAL_LEN);
    let claims = Claims {
        kind: TokenKind::Retry,
        version: incoming.version,
        issued: now(),
        original_dcid: incoming.dcid,
        retry_scid: scid,
    };
    let mut token = [0; MAX_TOKEN_LEN];
    let Ok(len) = key.seal(&claims, meta.remote, &mut KernelRng, &mut token) else {
        return;
    };
    let token = token.get(..len).unwrap_or_default();
    let sent = answer(sk, meta, |buf| {
        write_retry(
            buf,
            incoming.version,
            &incoming.scid,
            &incoming.dcid,
            &scid,
            token,
            &mut KernelRng,
        )
        .ok()
    });
    if sent {
        counters.add(&Stats {
            retry_out: 1,
            ..Stats::default()
        });
    }
}

/// Refuses a connection.
// RFC 9000 5.2.2 #5
pub(crate) fn refuse(sk: &RawSock, meta: &UdpMeta, incoming: &Incoming, error: &TransportError) {
    answer(sk, meta, |buf| {
        let (version, scid) = (incoming.version, &incoming.scid);
        write_initial_close(buf, version, scid, &incoming.dcid, error).ok()
    });
}
