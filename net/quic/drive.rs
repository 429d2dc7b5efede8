// SPDX-License-Identifier: GPL-2.0

//! The one place where the core's output is carried out.

#![forbid(unsafe_code)]

use crate::{
    linux::net::{
        skb::SkBuff,
        sock::Held, //
    },
    socket::Quic, //
};

/// A packet that waited while a process owned the socket.
pub(crate) fn backlog(_sk: &mut Held<'_, Quic>, skb: SkBuff) {
    drop(skb);
}

/// A process gives up the lock.
pub(crate) fn release(sk: &mut Held<'_, Quic>) {
    let _bits = sk.sk().shared().take_deferred();
}

/// The timer expired.
pub(crate) fn timer(_sk: &mut Held<'_, Quic>) {}
