// SPDX-License-Identifier: GPL-2.0

//! From the UDP socket to the QUIC socket: softirq context.

#![forbid(unsafe_code)]

use kernel::sync::Arc;

use crate::{
    globals::Globals,
    linux::net::{
        skb::SkBuff,
        udp_tunnel::{
            Receiver,
            Tunnel, //
        }, //
    },
};

/// Distributes the datagrams of all tunnels.
#[derive(Clone)]
pub(crate) struct Demux {
    globals: Arc<Globals>,
}

impl Demux {
    /// A distributor for a new tunnel.
    pub(crate) fn new(globals: Arc<Globals>) -> Self {
        Self { globals }
    }
}

impl Receiver for Demux {
    fn receive(&self, _tunnel: &Tunnel<Self>, skb: SkBuff) {
        let _ = &self.globals;
        drop(skb);
    }
}
