// SPDX-License-Identifier: GPL-2.0

//! Transport parameters.

#![forbid(unsafe_code)]

use quic_core::{
    common::{
        Duration,
        Side,
        Writer, //
    },
    params::TransportParams, //
};

/// The parameters of either side: what is understood writes back to the same values.
pub fn params(bytes: &[u8]) {
    for side in [Side::Client, Side::Server] {
        let Ok(params) = TransportParams::parse(bytes, side) else {
            continue;
        };
        let mut buffer = vec![0; bytes.len() + 64];
        let mut writer = Writer::new(&mut buffer);
        params
            .encode(side, &mut writer)
            .expect("what was read fits");
        let again = TransportParams::parse(writer.written(), side).expect("written well");
        if params.max_idle_timeout < Duration::MAX && params.min_ack_delay != Some(Duration::MAX) {
            assert_eq!(params, again);
        }
        assert!(params.check_not_reduced(&params.remembered()).is_ok());
    }
}
