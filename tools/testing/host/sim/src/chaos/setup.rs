// SPDX-License-Identifier: GPL-2.0

//! What the two ends are made from.

use quic_core::aead::Suite;

use super::Script;
use crate::node::{
    params,
    Setup, //
};

/// What both setups take from the script.
fn setup(script: &mut Script<'_>, flags: u8) -> Setup {
    let mut setup = Setup::default();
    if flags & 2 != 0 {
        setup.shape.suite = Suite::ChaCha20Poly1305;
    }
    setup.shape.early = flags & 4 != 0;
    setup.shape.accept_early = flags & 8 != 0;
    let byte = script.byte();
    setup.config.ack_frequency = byte & 1 == 0;
    setup.config.pacing = byte & 2 == 0;
    setup.config.nodelay = byte & 4 != 0;
    setup.config.ecn = byte & 8 == 0;
    setup.config.stateless_reset = byte & 16 != 0;
    setup.params.grease_quic_bit = byte & 32 != 0;
    if byte & 64 != 0 {
        setup.params.max_datagram_frame_size = 1_400;
    }
    if byte & 128 != 0 {
        setup.params.initial_max_data = 3_000;
        setup.params.initial_max_stream_data_bidi_remote = 1_000;
        setup.params.initial_max_stream_data_bidi_local = 1_000;
        setup.params.initial_max_streams_bidi = 2;
    }
    setup
}

/// The client's setup.
pub(super) fn client_setup(script: &mut Script<'_>, flags: u8) -> Setup {
    let mut setup = setup(script, flags);
    setup.config.version = match flags >> 6 {
        0 | 1 => 0,
        2 => 0x6b33_43cf,
        _ => 0x1a2a_3a4a,
    };
    if setup.shape.early {
        setup.remembered = Some(params());
    }
    setup.shape.hello = 200 * (1 + script.below(12));
    setup
}

/// The server's setup.
pub(super) fn server_setup(script: &mut Script<'_>, flags: u8) -> Setup {
    let mut setup = setup(script, flags);
    // A server that takes early data takes nothing back of what the client remembers.
    if setup.shape.early && setup.shape.accept_early {
        setup.params.initial_max_data = params().initial_max_data;
        setup.params.initial_max_stream_data_bidi_remote =
            params().initial_max_stream_data_bidi_remote;
        setup.params.initial_max_stream_data_bidi_local =
            params().initial_max_stream_data_bidi_local;
        setup.params.initial_max_streams_bidi = params().initial_max_streams_bidi;
    }
    setup.retry = flags & 16 != 0;
    if flags & 32 != 0 {
        setup.config.version = 0x6b33_43cf;
    }
    setup.shape.certificate = 500 * (1 + script.below(16));
    setup
}
