// SPDX-License-Identifier: GPL-2.0

//! Parameters of an earlier connection, for 0-RTT (RFC 9000 section 7.4.1).

#![forbid(unsafe_code)]

use super::TransportParams;
use crate::common::TransportError;

impl TransportParams {
    /// The values a client may use in a later connection before the server has sent new ones.
    // RFC 9000 7.4.1 #2, RFC 9000 7.4.1 #4
    pub fn remembered(&self) -> TransportParams {
        let forgotten = TransportParams::default();
        TransportParams {
            original_destination_connection_id: None,
            stateless_reset_token: None,
            preferred_address: None,
            initial_source_connection_id: None,
            retry_source_connection_id: None,
            ack_delay_exponent: forgotten.ack_delay_exponent,
            max_ack_delay: forgotten.max_ack_delay,
            // Of one handshake only (RFC 9368 section 3), forbidden to be remembered by the draft
            // on acknowledgement frequency, and not used without a token (RFC 9287 section 3.1).
            version_information: None,
            min_ack_delay: None,
            grease_quic_bit: false,
            grease: None,
            ..self.clone()
        }
    }

    /// Checks that a server that accepted 0-RTT did not take back what it had `remembered` to
    /// offer.
    // RFC 9000 7.4.1 #5, RFC 9000 7.4.1 #6
    pub fn check_not_reduced(&self, remembered: &TransportParams) -> Result<(), TransportError> {
        let limits = |params: &TransportParams| {
            [
                params.active_connection_id_limit,
                params.initial_max_data,
                params.initial_max_stream_data_bidi_local,
                params.initial_max_stream_data_bidi_remote,
                params.initial_max_stream_data_uni,
                params.initial_max_streams_bidi,
                params.initial_max_streams_uni,
                // RFC 9221 section 3
                params.max_datagram_frame_size,
                // draft-ietf-quic-reliable-stream-reset section 3
                u64::from(params.reset_stream_at),
            ]
        };
        let pairs = limits(self).into_iter().zip(limits(remembered));
        match pairs.into_iter().any(|(now, before)| now < before) {
            true => Err(TransportError::protocol_violation(
                "limits reduced although 0-RTT was accepted",
            )),
            false => Ok(()),
        }
    }
}
