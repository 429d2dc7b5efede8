// SPDX-License-Identifier: GPL-2.0

//! Events as `recvmsg(2)` returns them: the type in one byte, then the payload (uapi 9).

#![forbid(unsafe_code)]

use kernel::prelude::*;

use crate::{
    conn::event::{
        CloseInfo,
        Event, //
    },
    mem::Vec,
    options::Close,
    uapi::{
        ConnectionIdInfo,
        StreamMaxData,
        StreamUpdate,
        PHRASE_SIZE, //
    },
};

/// The bytes of an event.
pub(crate) fn encode(event: &Event) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut put = |bytes: &[u8]| -> Result {
        out.try_reserve(bytes.len().saturating_add(1))?;
        out.try_extend_from_slice(&[event.number()])?;
        Ok(out.try_extend_from_slice(bytes)?)
    };
    match event {
        Event::StreamUpdate {
            id,
            state,
            errcode,
            finalsz,
        } => put(&StreamUpdate {
            id: signed(id.raw()),
            state: *state,
            errcode: code(*errcode),
            finalsz: *finalsz,
        }
        .encode()),
        Event::MaxStreamData { id, max } => put(&StreamMaxData {
            id: signed(id.raw()),
            max_data: *max,
        }
        .encode()),
        Event::MaxStreams { id_limit } => put(&id_limit.to_ne_bytes()),
        Event::ConnectionId {
            dest,
            active,
            prior_to,
        } => put(&ConnectionIdInfo {
            dest: u8::from(*dest),
            active: code(*active),
            prior_to: code(*prior_to),
        }
        .encode()),
        Event::Closed(info) => put(&Close::of(info).encode()),
        Event::Migrated { local } => put(&[u8::from(*local)]),
        Event::KeyUpdated { phase } => put(&[*phase]),
        Event::NewToken(token) => put(token),
        Event::NewSessionTicket(ticket) => put(ticket),
    }?;
    Ok(out)
}

/// Stream ids have 62 bits.
fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

/// The interface knows 32 bits of a code.
fn code(value: u64) -> u32 {
    // CAST: cut by definition of the interface.
    value as u32
}

impl Close {
    /// The cause of a connection's end in terms of the interface.
    pub(crate) fn of(info: &CloseInfo) -> Self {
        let mut phrase = [0; PHRASE_SIZE];
        for (to, from) in phrase.iter_mut().zip(info.reason()) {
            *to = *from;
        }
        Self {
            errcode: code(info.code),
            frame: u8::try_from(info.frame).unwrap_or(u8::MAX),
            phrase,
            chosen: false,
        }
    }
}
