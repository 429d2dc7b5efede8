// SPDX-License-Identifier: GPL-2.0

//! EVENT: which events are wanted.

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
    socket::Quic,
    uapi::EventOption, //
};

/// Types 1 to 9 exist.
fn bit(kind: u8) -> Result<u16> {
    match kind {
        1..=9 => Ok(1 << kind),
        _ => Err(EINVAL),
    }
}

pub(super) fn set(sk: &Sock<Quic>, value: &OptIn) -> Result {
    let option = EventOption::decode(&value.read_array::<{ EventOption::SIZE }>()?);
    let bit = bit(option.kind)?;
    let mut sk = sk.lock();
    match option.on {
        0 => sk.options.events &= !bit,
        1 => sk.options.events |= bit,
        _ => return Err(EINVAL),
    }
    sk.apply_events();
    Ok(())
}

pub(super) fn get(sk: &Sock<Quic>, value: &OptOut) -> Result {
    let mut option = EventOption::decode(&value.read_array::<{ EventOption::SIZE }>()?);
    let bit = bit(option.kind)?;
    option.on = u8::from(sk.lock().options.events & bit != 0);
    value.write(&option.encode())
}
