// SPDX-License-Identifier: GPL-2.0

//! Flow-control credit that transport parameters give to new streams (RFC 9000 18.2).

#![forbid(unsafe_code)]

use crate::{
    common::id::Dir,
    params::TransportParams, //
};

/// Credit of a new stream, by who opened it and its type.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Windows {
    /// For bidirectional streams opened by the side that grants the credit.
    pub(super) bidi_local: u64,
    /// For bidirectional streams opened by the other side.
    pub(super) bidi_remote: u64,
    /// For unidirectional streams opened by the other side.
    pub(super) uni: u64,
}

impl Windows {
    /// What the parameters of one side grant.
    pub(super) fn of(params: &TransportParams) -> Self {
        Self {
            bidi_local: params.initial_max_stream_data_bidi_local,
            bidi_remote: params.initial_max_stream_data_bidi_remote,
            uni: params.initial_max_stream_data_uni,
        }
    }

    /// The credit granted for a stream, where `own` tells whether the granting side opened it.
    pub(super) fn for_stream(&self, dir: Dir, own: bool) -> u64 {
        match (dir, own) {
            (Dir::Bidi, true) => self.bidi_local,
            (Dir::Bidi, false) => self.bidi_remote,
            (Dir::Uni, true) => 0,
            (Dir::Uni, false) => self.uni,
        }
    }
}
