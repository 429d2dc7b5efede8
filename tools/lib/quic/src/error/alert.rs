// SPDX-License-Identifier: LGPL-2.1-or-later
//! TLS alerts (RFC 8446 6) and their place among QUIC's error codes (RFC 9001 4.8).

use std::fmt;

/// First of the 256 transport error codes that carry a TLS alert.
const CRYPTO_ERROR: u32 = 0x100;

/// Description of a TLS alert, RFC 8446 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Alert(pub u8);

impl Alert {
    /// A handshake message that does not belong here.
    pub const UNEXPECTED_MESSAGE: Alert = Alert(10);
    /// No acceptable set of parameters.
    pub const HANDSHAKE_FAILURE: Alert = Alert(40);
    /// The certificate is broken or does not fit the name.
    pub const BAD_CERTIFICATE: Alert = Alert(42);
    /// The certificate was revoked.
    pub const CERTIFICATE_REVOKED: Alert = Alert(44);
    /// The certificate is not valid at this time.
    pub const CERTIFICATE_EXPIRED: Alert = Alert(45);
    /// Some other problem with the certificate.
    pub const CERTIFICATE_UNKNOWN: Alert = Alert(46);
    /// The certificate's issuer is not trusted.
    pub const UNKNOWN_CA: Alert = Alert(48);
    /// A field of a message is out of range or contradicts another.
    pub const ILLEGAL_PARAMETER: Alert = Alert(47);
    /// A message cannot be read.
    pub const DECODE_ERROR: Alert = Alert(50);
    /// A signature or a binder does not verify.
    pub const DECRYPT_ERROR: Alert = Alert(51);
    /// Something failed that is not the peer's fault.
    pub const INTERNAL_ERROR: Alert = Alert(80);
    /// A required extension was not sent.
    pub const MISSING_EXTENSION: Alert = Alert(109);
    /// The pre-shared key's identity is unknown.
    pub const UNKNOWN_PSK_IDENTITY: Alert = Alert(115);
    /// The server wants a certificate from the client.
    pub const CERTIFICATE_REQUIRED: Alert = Alert(116);
    /// No common application protocol.
    pub const NO_APPLICATION_PROTOCOL: Alert = Alert(120);

    /// The transport error code that carries this alert in CONNECTION_CLOSE.
    pub fn transport_code(self) -> u32 {
        CRYPTO_ERROR | u32::from(self.0)
    }

    /// The alert carried by a transport error code.
    pub fn from_transport_code(code: u32) -> Option<Alert> {
        match code & !0xff {
            CRYPTO_ERROR => u8::try_from(code & 0xff).ok().map(Alert),
            _ => None,
        }
    }

    /// Name of RFC 8446, with spaces.
    pub fn name(self) -> Option<&'static str> {
        NAMES
            .iter()
            .find(|(number, _)| *number == self.0)
            .map(|(_, name)| *name)
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "alert {}", self.0),
        }
    }
}

/// TLS alerts that TLS 1.3 can send.
const NAMES: &[(u8, &str)] = &[
    (0, "close notify"),
    (10, "unexpected message"),
    (20, "bad record MAC"),
    (22, "record overflow"),
    (40, "handshake failure"),
    (42, "bad certificate"),
    (43, "unsupported certificate"),
    (44, "certificate revoked"),
    (45, "certificate expired"),
    (46, "certificate unknown"),
    (47, "illegal parameter"),
    (48, "unknown CA"),
    (49, "access denied"),
    (50, "decode error"),
    (51, "decrypt error"),
    (70, "protocol version"),
    (71, "insufficient security"),
    (80, "internal error"),
    (86, "inappropriate fallback"),
    (90, "user canceled"),
    (109, "missing extension"),
    (110, "unsupported extension"),
    (112, "unrecognized name"),
    (113, "bad certificate status response"),
    (115, "unknown PSK identity"),
    (116, "certificate required"),
    (120, "no application protocol"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_map_to_the_crypto_range_and_back() {
        for number in 0..=u8::MAX {
            let code = Alert(number).transport_code();
            assert_eq!(code, 0x100 + u32::from(number));
            assert_eq!(Alert::from_transport_code(code), Some(Alert(number)));
        }
        for code in [0, 0x0a, 0xff, 0x200, 0x1100, u32::MAX] {
            assert_eq!(Alert::from_transport_code(code), None, "{code:#x}");
        }
    }

    #[test]
    fn an_alert_without_a_name_prints_its_number() {
        assert_eq!(Alert(120).to_string(), "no application protocol (120)");
        assert_eq!(Alert(200).to_string(), "alert 200");
    }
}
