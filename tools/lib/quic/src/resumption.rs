// SPDX-License-Identifier: LGPL-2.1-or-later
//! Continuing earlier connections (RFC 8446 2.2).

use std::{
    fmt,
    sync::PoisonError,
    time::Duration, //
};

use crate::{
    config::{
        TransportParams,
        Version, //
    },
    conn::{
        until,
        Connection, //
    },
    error::{
        Error,
        Result, //
    },
    session_data::SessionData,
    socket::Socket,
    sys::gnutls::Code,
    tls::Prepared,
    uapi::Level, //
};

/// Format of stored tickets; others are not used.
const FORMAT: u8 = 2;
/// Length of the server's limits in a stored ticket.
const LIMITS_LEN: usize = 56;

/// Ranges of the option TRANSPORT_PARAM: windows and sizes in bytes, and a time.
const MIN_SIZE: u16 = 1200;
const MAX_UDP_PAYLOAD: u16 = 65527;
const MIN_IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a client remembers of a connection in order to continue it
/// ([`Connection::connect_resuming`]). Good for one server, for one QUIC version, and for as long as
/// the server likes, mostly hours. Whoever has it can pretend to be this client, so it is to be kept
/// like a key.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionTicket {
    /// The name of the server.
    name: String,
    /// The server had proved its identity.
    verified: bool,
    /// What the server permitted, for early data.
    limits: TransportParams,
    session: SessionData,
}

// Secrets stay out of logs.
impl fmt::Debug for SessionTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.session.tls.len();
        write!(f, "SessionTicket({}, {len} bytes)", self.name)
    }
}

impl SessionTicket {
    /// Takes what [`Self::to_bytes`] gave, for instance from a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<SessionTicket> {
        let ticket = || {
            let ([FORMAT, verified, len], rest) = bytes.split_first_chunk()? else {
                return None;
            };
            let (name, rest) = rest.split_at_checked(usize::from(*len))?;
            let (limits, tls) = rest.split_at_checked(LIMITS_LEN)?;
            Some(SessionTicket {
                name: String::from_utf8(name.to_vec()).ok()?,
                verified: *verified == 1,
                limits: TransportParams::decode(limits),
                session: SessionData::from_bytes(tls),
            })
        };
        ticket().ok_or_else(|| Error::Config("these bytes are no session ticket".into()))
    }

    /// For storing.
    pub fn to_bytes(&self) -> Vec<u8> {
        let len = u8::try_from(self.name.len()).unwrap_or(0);
        let name = self.name.as_bytes().get(..usize::from(len));
        let head = [FORMAT, u8::from(self.verified), len];
        let name = name.unwrap_or_default();
        let session = self.session.to_bytes();
        [&head, name, &self.limits.encode(), &session].concat()
    }

    /// The version of the connection that it is from, after any negotiation. It is of no use in
    /// another one (RFC 9369 5).
    pub fn version(&self) -> Version {
        self.session.version
    }

    /// Lets a session that is to begin in `version` continue the one that the ticket is from; in
    /// another version it is a new one. A continued session shows no certificate, so what was
    /// verified must be what is to be verified.
    pub(crate) fn apply(&self, prepared: &mut Prepared, version: Version) -> Result<()> {
        let name = prepared.peer_name.as_deref();
        if name != Some(self.name.as_str()) || (prepared.verifies_peer && !self.verified) {
            return Err(Error::Config(format!(
                "the session ticket is of a connection with {} that was {}verified",
                self.name,
                if self.verified { "" } else { "not " },
            )));
        }
        let session = prepared.session.as_ref();
        self.session
            .apply(session, version)
            .map(drop)
            .map_err(tls_error)
    }
}

impl SessionTicket {
    /// Tells the socket what the server permitted, so that it can send early data.
    pub(crate) fn apply_limits(&self, socket: &Socket) -> Result<()> {
        socket
            .set_remembered_params(&within_ranges(&self.limits))
            .map_err(|err| Error::Io("setting the server's limits", err))
    }
}

impl Connection {
    /// Client: waits for the server's session ticket, which comes soon after the handshake if at
    /// all. `None` if none came in time, and on servers.
    pub fn session_ticket(&self, timeout: Duration) -> Result<Option<SessionTicket>> {
        let shared = &self.shared;
        let mut session = shared
            .session
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(session) = session.as_mut() else {
            return Ok(None);
        };
        let what = "waiting for a session ticket";
        let stored = || match shared.socket.session_ticket() {
            Ok(ticket) => Ok(ticket),
            Err(err) => Err(shared.explain(what, err)),
        };
        let mut ticket = stored()?;
        if ticket.is_empty() {
            let arrived = shared.wait(until(Some(timeout)), what, |inbox| {
                inbox.ticket.then_some(Ok(()))
            });
            match arrived {
                Ok(()) | Err(Error::Timeout(_)) => ticket = stored()?,
                Err(err) => return Err(err),
            }
        }
        if ticket.is_empty() {
            return Ok(None);
        }
        match session.as_ref().feed(Level::App, &ticket) {
            Err(code) if code.is_fatal() => return Err(tls_error(code)),
            _ => {}
        }
        let data = SessionData::export(session.as_ref(), self.info.version).map_err(tls_error)?;
        Ok(Some(SessionTicket {
            name: self.info.server_name.clone().unwrap_or_default(),
            verified: self.info.peer_verified,
            limits: remembered(&self.peer_transport_params()?),
            session: data,
        }))
    }
}

/// The parameters that may be used for early data.
// RFC 9000 7.4.1 #2
// RFC 9000 7.4.1 #4
fn remembered(params: &TransportParams) -> TransportParams {
    TransportParams {
        max_ack_delay: None,
        ..params.clone()
    }
}

/// What the option TRANSPORT_PARAM takes of a server's parameters, which may lie out of its ranges.
/// A limit that it does not take is as good as 0: less is sent early, all else when the handshake
/// has brought the server's parameters again.
fn within_ranges(limits: &TransportParams) -> TransportParams {
    let window = |bytes: Option<u64>| bytes.filter(|bytes| *bytes >= MIN_SIZE.into());
    let size = |bytes: Option<u16>| bytes.filter(|bytes| *bytes >= MIN_SIZE);
    TransportParams {
        max_data: window(limits.max_data),
        max_stream_data_bidi_local: window(limits.max_stream_data_bidi_local),
        max_stream_data_bidi_remote: window(limits.max_stream_data_bidi_remote),
        max_stream_data_uni: window(limits.max_stream_data_uni),
        max_datagram_frame_size: size(limits.max_datagram_frame_size),
        max_udp_payload_size: size(limits.max_udp_payload_size)
            .map(|bytes| bytes.min(MAX_UDP_PAYLOAD)),
        max_idle_timeout: limits
            .max_idle_timeout
            .filter(|timeout| *timeout >= MIN_IDLE_TIMEOUT),
        ..limits.clone()
    }
}

fn tls_error(code: Code) -> Error {
    Error::Tls {
        alert: None,
        reason: format!("cannot use the session ticket: {}", code.text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_the_socket_would_refuse_are_left_out() {
        let limits = |bytes: u16, idle: u64| TransportParams {
            max_data: Some(bytes.into()),
            max_stream_data_bidi_local: Some(bytes.into()),
            max_stream_data_bidi_remote: Some(bytes.into()),
            max_stream_data_uni: Some(bytes.into()),
            max_streams_bidi: Some(3),
            max_datagram_frame_size: Some(bytes),
            max_udp_payload_size: Some(bytes),
            max_idle_timeout: Some(Duration::from_millis(idle)),
            ..TransportParams::default()
        };
        let usual = limits(1200, 1000);
        assert_eq!(within_ranges(&usual), usual);
        for (bytes, idle) in [(1199, 999), (1, 1), (0, 0)] {
            let few = TransportParams {
                max_streams_bidi: Some(3),
                ..TransportParams::default()
            };
            assert_eq!(within_ranges(&limits(bytes, idle)), few, "{bytes}");
        }
        let most = within_ranges(&limits(u16::MAX, 5000));
        assert_eq!(most.max_udp_payload_size, Some(65527));
        assert_eq!(most.max_datagram_frame_size, Some(u16::MAX));
    }

    #[test]
    fn stored_tickets_can_be_read_back_and_broken_ones_are_refused() {
        let ticket = SessionTicket {
            name: "server.test".into(),
            verified: true,
            limits: TransportParams::decode(&[5; LIMITS_LEN]),
            session: SessionData {
                version: Version::V2,
                tls: vec![1, 2, 3],
            },
        };
        let bytes = ticket.to_bytes();
        assert!(SessionTicket::from_bytes(&bytes).unwrap() == ticket);
        // Without the version, as it was stored once.
        let ticket = SessionTicket::from_bytes(&bytes[..bytes.len() - 16]).unwrap();
        assert_eq!(ticket.version(), Version::V1);
        assert_eq!(ticket.session.tls, [1, 2, 3]);
        for broken in [
            &[][..],
            &[1, 1],
            &[2, 1, 0],
            &[1, 1, 200, b'x'],
            &[1, 0, 1, 0xff],
        ] {
            assert!(SessionTicket::from_bytes(broken).is_err(), "{broken:?}");
        }
    }
}
