// SPDX-License-Identifier: GPL-2.0

//! Registration with the kernel, and the order in which the module comes up and goes down.

#![forbid(unsafe_code)]

use kernel::{
    prelude::*,
    ThisModule, //
};

use crate::{
    globals::{
        self,
        Shared, //
    },
    linux::{
        net::{
            proc,
            proto::{
                Info,
                Registration, //
            },
            protosw,
            sysctl, //
        },
        uapi::IPPROTO_QUIC, //
    },
    socket::Quic, //
};

/// Everything that is registered. Dropped in the order of the fields: first nobody can make a
/// socket any more, then what sockets share goes.
pub(crate) struct Registered {
    _switch: protosw::Registration,
    _sysctls: sysctl::Registration,
    _registration: Registration,
    _nets: proc::Registration,
    _shared: Shared,
}

/// Brings the protocol up.
pub(crate) fn register(module: &'static ThisModule) -> Result<Registered> {
    let shared = globals::set_up()?;
    let info = Info {
        number: IPPROTO_QUIC,
        name4: c"QUIC",
        name6: c"QUICv6",
    };
    let nets = proc::Registration::new::<Quic>()?;
    let registration = Registration::new::<Quic>(module, &info)?;
    let names = sysctl::Names {
        dir: c"net/quic",
        mem: c"quic_mem",
        rmem: c"quic_rmem",
        wmem: c"quic_wmem",
    };
    let sysctls = sysctl::Registration::new(&registration, &names)?;
    // Last, as sockets can be made from here on: nothing may fail after it.
    let switch = protosw::Registration::new(&registration)?;
    Ok(Registered {
        _switch: switch,
        _sysctls: sysctls,
        _registration: registration,
        _nets: nets,
        _shared: shared,
    })
}
