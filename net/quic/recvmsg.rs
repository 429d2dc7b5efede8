// SPDX-License-Identifier: GPL-2.0

//! `recvmsg(2)`.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    linux::net::{
        msg::MsgHdr,
        sock::Owned, //
    },
    socket::Quic, //
};

/// Receives.
pub(crate) fn recvmsg(
    _sk: &mut Owned<'_, Quic>,
    _msg: &mut MsgHdr<'_>,
    _len: usize,
    _flags: i32,
) -> Result<usize> {
    Err(ENOTCONN)
}
