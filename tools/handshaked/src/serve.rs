// SPDX-License-Identifier: GPL-2.0
//! One request: from the keys it names to the report of its result.

use std::{io, net::SocketAddr, os::fd::AsFd, time::Duration};

use quic::{
    agent::{
        Agent,
        Certificate,
        Identity,
        Outcome,
        PresharedKey,
        Request,
        Role, //
    },
    Error,
};

use crate::{
    netlink::{
        Accepted,
        AuthMode,
        Done,
        Handshakes, //
    },
    sys,
};

/// Time for a handshake whose consumer sets none.
const TIMEOUT: Duration = Duration::from_secs(60);
/// `KEY_SPEC_SESSION_KEYRING`
const SESSION_KEYRING: i32 = -3;

/// Serves the next request, if there is one. To be called in a thread of its own: the kernel links
/// the request's keyring to the caller's.
pub(crate) fn serve_one(agent: &Agent, verbose: bool) -> io::Result<bool> {
    let mut kernel = Handshakes::open()?;
    let Some(accepted) = kernel.accept()? else {
        return Ok(false);
    };
    let peer = quic::agent::peer_addr(accepted.socket.as_fd())
        .map_or_else(|_| "unknown peer".to_owned(), |addr| addr.to_string());
    let role = if accepted.is_server {
        "server"
    } else {
        "client"
    };
    let done = match run(agent, &accepted) {
        Ok(outcome) => {
            if verbose {
                eprintln!("{role} of {peer}: handshake done{}", details(&outcome));
            }
            let remote = remote_keys(&accepted, &outcome, &peer);
            Done { status: 0, remote }
        }
        Err(err) => {
            eprintln!("{role} of {peer}: {err}");
            Done {
                status: status(&err).unsigned_abs(),
                remote: Vec::new(),
            }
        }
    };
    kernel.done(&accepted.socket, &done)?;
    Ok(true)
}

fn run(agent: &Agent, accepted: &Accepted) -> quic::Result<Outcome> {
    let request =
        request(accepted).inspect_err(|_| quic::agent::refuse(accepted.socket.as_fd()))?;
    agent.handshake(&accepted.socket, &request)
}

/// The consumer's wishes, with the keys it names.
fn request(accepted: &Accepted) -> quic::Result<Request> {
    let identity = identity(accepted)?;
    let role = if accepted.is_server {
        Role::Server
    } else {
        Role::Client
    };
    let peer_name = match role {
        Role::Client => Some(peer_name(accepted)?),
        Role::Server => None,
    };
    Ok(Request {
        role,
        identity,
        peer_name,
        timeout: accepted.timeout.unwrap_or(TIMEOUT),
    })
}

/// The name that the server must prove to have: given by the consumer, or that of its address.
fn peer_name(accepted: &Accepted) -> quic::Result<String> {
    if let Some(name) = &accepted.peer_name {
        return Ok(name.clone());
    }
    let addr: SocketAddr = quic::agent::peer_addr(accepted.socket.as_fd())
        .map_err(|err| Error::Io("reading the peer's address", err))?;
    Ok(sys::host_name(&addr).unwrap_or_else(|| addr.ip().to_string()))
}

fn identity(accepted: &Accepted) -> quic::Result<Identity> {
    match accepted.auth {
        AuthMode::Unspecified => Err(Error::Config(
            "the request has no authentication mode".into(),
        )),
        AuthMode::Anonymous => Ok(Identity::Anonymous),
        AuthMode::X509 => {
            let Some((cert, key)) = accepted.certificate else {
                return Ok(Identity::Certificate(None));
            };
            Ok(Identity::Certificate(Some(Certificate {
                chain: sys::read_key(cert).map_err(key_error)?,
                key: sys::read_key(key).map_err(key_error)?,
            })))
        }
        AuthMode::Psk => {
            let keys: Result<Vec<_>, _> = key_serials(accepted)
                .map_err(key_error)?
                .into_iter()
                .map(preshared_key)
                .collect();
            Ok(Identity::Psk(keys.map_err(key_error)?))
        }
    }
}

/// The keys named by the request; if none is, all pre-shared keys of its keyring.
fn key_serials(accepted: &Accepted) -> io::Result<Vec<i32>> {
    if !accepted.peer_ids.is_empty() {
        return Ok(accepted.peer_ids.clone());
    }
    let Some(keyring) = accepted.keyring else {
        return Ok(Vec::new());
    };
    let list = sys::read_key(keyring)?;
    let serials = list.chunks_exact(4).filter_map(|bytes| {
        let serial = i32::from_ne_bytes(bytes.try_into().ok()?);
        let (kind, _) = sys::describe_key(serial).ok()?;
        matches!(kind.as_str(), "psk" | "user").then_some(serial)
    });
    Ok(serials.collect())
}

fn preshared_key(serial: i32) -> io::Result<PresharedKey> {
    let (_, description) = sys::describe_key(serial)?;
    Ok(PresharedKey {
        identity: description.into_bytes(),
        key: sys::read_key(serial)?,
    })
}

fn key_error(err: io::Error) -> Error {
    Error::Io("reading a key of the request", err)
}

/// Keys by which the consumer learns who the peer is: the pre-shared key in use, or the peer's
/// certificate, added to the session's keyring.
fn remote_keys(accepted: &Accepted, outcome: &Outcome, peer: &str) -> Vec<i32> {
    if accepted.auth == AuthMode::Psk {
        let used = accepted.peer_ids.iter().copied().find(|serial| {
            match (&outcome.psk_identity, sys::describe_key(*serial)) {
                (Some(identity), Ok((_, description))) => *identity == description,
                (None, _) => true,
                (_, Err(_)) => false,
            }
        });
        return used.into_iter().collect();
    }
    let Some(certificate) = outcome.peer_certificates.first() else {
        return Vec::new();
    };
    let name = format!("quic-peer:{peer}");
    match sys::add_key(c"asymmetric", &name, certificate, SESSION_KEYRING) {
        Ok(serial) => vec![serial],
        Err(err) => {
            eprintln!("cannot keep the certificate of {peer} as a key: {err}");
            Vec::new()
        }
    }
}

/// The errno that the consumer gets.
fn status(err: &Error) -> i32 {
    match err {
        Error::Certificate(_) | Error::PeerAlert(..) => libc::EACCES,
        Error::Tls { .. } => libc::EPROTO,
        Error::IdleTimeout | Error::Timeout(_) => libc::ETIMEDOUT,
        Error::Closed(_) | Error::LocallyClosed => libc::ECONNRESET,
        Error::Reset(_) | Error::Stopped(_) => libc::ECONNRESET,
        Error::Config(_) => libc::EINVAL,
        Error::Unavailable(err) | Error::Io(_, err) => err.raw_os_error().unwrap_or(libc::EIO),
        _ => libc::EIO,
    }
}

fn details(outcome: &Outcome) -> String {
    let mut text = String::new();
    if let Some(identity) = &outcome.psk_identity {
        text += &format!(", key of {identity}");
    }
    if outcome.resumed {
        text += ", resumed";
    }
    if outcome.ticket_stored {
        text += ", ticket stored";
    }
    text
}
