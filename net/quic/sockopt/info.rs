// SPDX-License-Identifier: GPL-2.0

//! INFO: the state and the counters of a connection.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    attached::Attached,
    common::{
        cx::Stats,
        time::Duration, //
    },
    conn::{
        event::{
            CloseInfo,
            CloseKind, //
        },
        Info, //
    },
    linux::net::{
        sock::Sock,
        sockopt::OptOut, //
    },
    settings,
    socket::Quic,
    uapi, //
};

pub(super) fn get(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let mut sk = sk.lock();
    let at = sk.attached().ok_or(ENOTCONN)?;
    let mut total = at.total;
    total.add(&at.stats);
    let bytes = describe(at, &at.core.info(), &total).encode();
    drop(sk);
    value.write(&bytes)
}

fn describe(at: &Attached, info: &Info, total: &Stats) -> uapi::Info {
    let streams = at.core.streams();
    uapi::Info {
        version: info.version,
        cipher_type: at.cipher,
        key_phase: u32::from(info.key_phase),
        congestion_control_algo: settings::algorithm_number(info.algorithm),
        mtu: u32::from(info.mtu),
        streams_open: u32::try_from(info.streams).unwrap_or(u32::MAX),
        smoothed_rtt: micros(info.smoothed_rtt),
        rttvar: micros(info.rtt_var),
        min_rtt: micros(info.min_rtt),
        latest_rtt: micros(info.latest_rtt),
        cwnd: info.cwnd,
        ssthresh: info.ssthresh,
        bytes_in_flight: info.bytes_in_flight,
        bytes_sent: info.bytes_sent,
        bytes_received: info.bytes_received,
        packets_sent: info.packets_sent,
        packets_received: total.pkt_in,
        packets_lost: info.packets_lost,
        packets_spuriously_lost: info.packets_spurious,
        frames_retransmitted: total.frm_retrans,
        bytes_lost: total.bytes_lost,
        pto: micros(info.pto),
        flags: flags(at, info),
        path: info.path,
        key_updates: u32::try_from(total.key_update).unwrap_or(u32::MAX),
        pacing_rate: info.pacing_rate,
        delivery_rate: info.delivery_rate,
        packets_acked: info.packets_acked,
        probe_timeouts: info.timeouts,
        bytes_unsent: streams.unsent_bytes(),
        send_credit: streams.connection_credit(),
    }
}

fn flags(at: &Attached, info: &Info) -> u32 {
    let close = at.core.close_info();
    let ended = |by: &[CloseKind]| close.is_some_and(|close| by.contains(&close.kind));
    [
        (!at.core.is_client(), uapi::QUIC_INFO_SERVER),
        (info.is_confirmed, uapi::QUIC_INFO_CONFIRMED),
        (info.is_validated, uapi::QUIC_INFO_VALIDATED),
        (info.is_ecn_capable, uapi::QUIC_INFO_ECN),
        (info.is_in_slow_start, uapi::QUIC_INFO_SLOW_START),
        (ended(&[CloseKind::IdleTimeout]), uapi::QUIC_INFO_TIMED_OUT),
        (
            close.is_some_and(CloseInfo::is_application),
            uapi::QUIC_INFO_APP_CLOSED,
        ),
        (
            ended(&[CloseKind::PeerApplication, CloseKind::PeerTransport]),
            uapi::QUIC_INFO_PEER_CLOSED,
        ),
        (ended(&[CloseKind::StatelessReset]), uapi::QUIC_INFO_RESET),
    ]
    .into_iter()
    .filter(|(holds, _)| *holds)
    .fold(0, |bits, (_, bit)| bits | bit)
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
