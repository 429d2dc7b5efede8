// SPDX-License-Identifier: GPL-2.0

//! `sendmsg(2)`.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    linux::net::{
        msg::MsgHdr,
        sock::Owned, //
    },
    socket::Quic, //
};

/// Sends.
pub(crate) fn sendmsg(_sk: &mut Owned<'_, Quic>, _msg: &mut MsgHdr<'_>, _len: usize) -> Result<usize> {
    Err(EPIPE)
}
