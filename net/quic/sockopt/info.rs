// SPDX-License-Identifier: GPL-2.0

//! INFO: figures of the connection, extensible by size like `tcp_info`.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    common::time::Duration,
    linux::net::{
        sock::Sock,
        sockopt::OptOut, //
    },
    socket::Quic,
    uapi::put, //
};

/// Size of `struct quic_info`: ten 32-bit fields, then eleven of 64 bits.
const SIZE: usize = 128;

pub(super) fn get(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let mut sk = sk.lock();
    let algorithm = u32::from(sk.options.config.congestion_control_algo);
    let at = sk.attached().ok_or(ENOTCONN)?;
    let (info, total, cipher) = (at.core.info(), at.total, at.cipher);
    drop(sk);
    let micros = |d: Duration| fit(d.as_micros());
    let narrow = [
        info.version,
        cipher,
        u32::from(info.key_phase),
        algorithm,
        u32::from(info.mtu),
        fit(info.streams as u64),
        micros(info.smoothed_rtt),
        micros(info.rtt_var),
        micros(info.min_rtt),
        micros(info.latest_rtt),
    ];
    let wide = [
        info.cwnd,
        info.ssthresh,
        info.bytes_in_flight,
        info.bytes_sent,
        info.bytes_received,
        info.packets_sent,
        total.pkt_in,
        info.packets_lost,
        info.packets_spurious,
        total.frm_retrans,
        total.pkt_lost.saturating_mul(u64::from(info.mtu)),
    ];
    let mut bytes = [0; SIZE];
    for (i, field) in narrow.iter().enumerate() {
        put(&mut bytes, i.saturating_mul(4), &field.to_ne_bytes());
    }
    for (i, field) in wide.iter().enumerate() {
        let at = i.saturating_mul(8).saturating_add(40);
        put(&mut bytes, at, &field.to_ne_bytes());
    }
    value.write(&bytes)
}

fn fit(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
