// SPDX-License-Identifier: GPL-2.0

//! CONFIG: how the connection shall behave.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    linux::net::{
        inet,
        sock::Sock,
        sockopt::{
            OptIn,
            OptOut, //
        }, //
    },
    options::{
        check_config,
        merge_config, //
    },
    socket::Quic,
    uapi::Config, //
};

pub(super) fn set(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let config = Config::decode(&value.read_array::<{ Config::SIZE }>()?);
    let mut sk = sk.lock();
    if sk.sk().raw().state() == inet::ESTABLISHED || !check_config(&config) {
        return Err(EINVAL);
    }
    merge_config(&mut sk.options.config, &config);
    sk.apply_config()
}

pub(super) fn get(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let config = sk.lock().options.config;
    value.write(&config.encode())
}
