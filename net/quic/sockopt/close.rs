// SPDX-License-Identifier: GPL-2.0

//! CONNECTION_CLOSE: code and phrase of the close to come, or of the one that was.

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    linux::net::{
        sock::Sock,
        sockopt::{
            OptIn,
            OptOut, //
        }, //
    },
    options::Close,
    socket::Quic, //
};

pub(super) fn set(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let close = Close::decode(&value.read_array()?);
    sk.lock().options.close = close;
    Ok(())
}

pub(super) fn get(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let close = sk.lock().options.close;
    value.write(&close.encode())
}
