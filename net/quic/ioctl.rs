// SPDX-License-Identifier: GPL-2.0

//! `ioctl(2)`.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    linux::net::sock::Owned,
    socket::{
        Quic,
        Role, //
    },
};

const SIOCINQ: u32 = 0x541b;
const SIOCOUTQ: u32 = 0x5411;
const SIOCOUTQNSD: u32 = 0x894b;

/// Sizes of the queues in bytes. `EINVAL` on a listener, `ENOIOCTLCMD` for other commands.
pub(crate) fn ioctl(sk: &mut Owned<'_, Quic>, cmd: u32) -> Result<i32> {
    if matches!(sk.role, Role::Listener(_)) {
        return Err(EINVAL);
    }
    let raw = sk.sk().raw();
    let bytes = match cmd {
        SIOCINQ => raw.rmem(),
        SIOCOUTQ => raw.wmem(),
        SIOCOUTQNSD => match &sk.role {
            Role::Connection(at) => {
                usize::try_from(at.core.streams().unsent_bytes()).unwrap_or(usize::MAX)
            }
            _ => 0,
        },
        _ => return Err(ENOIOCTLCMD),
    };
    Ok(i32::try_from(bytes).unwrap_or(i32::MAX))
}
