// SPDX-License-Identifier: LGPL-2.1-or-later
//! Whole handshakes on a caller's socket.

use std::{
    ffi::CStr,
    io,
    mem::ManuallyDrop,
    sync::Arc,
    time::Duration, //
};

use super::{
    credentials,
    report, //
};
use crate::{
    config::HANDSHAKE_TIMEOUT,
    driver::{
        self,
        Wire, //
    },
    error::{
        CloseReason,
        Error,
        Result, //
    },
    handshake::{
        Kernel,
        Setup,
        Tickets, //
    },
    settings::Settings,
    socket::Socket,
    sys::{
        gnutls::SessionRef,
        sock::Received, //
    },
    uapi::Level, //
};

/// Longest list of application protocols, and most names in it. The original library takes half.
const ALPNS_LEN: usize = 128;
const MOST_ALPNS: usize = 16;

pub(super) fn client(
    socket: ManuallyDrop<Socket>,
    psk_file: Option<&CStr>,
    hostname: Option<&CStr>,
    alpns: Option<&CStr>,
) -> Result<()> {
    let tls = credentials::client(psk_file)?;
    let settings = settings(alpns)?;
    let name = hostname.map(CStr::to_string_lossy);
    let prepared = tls.session(name.as_deref(), &settings, false)?;
    run(socket, prepared)
}

pub(super) fn server(
    socket: ManuallyDrop<Socket>,
    key_file: Option<&CStr>,
    cert_file: Option<&CStr>,
    alpns: Option<&CStr>,
) -> Result<()> {
    let key_file = key_file.ok_or_else(|| Error::Config("pkey_file is NULL".into()))?;
    let tls = credentials::server(key_file, cert_file)?;
    let settings = settings(alpns)?;
    let prepared = tls.session(&settings, Tickets::Ours, false)?;
    run(socket, prepared)
}

/// The handshake of a caller's session.
pub(super) fn whole(socket: ManuallyDrop<Socket>, session: SessionRef<'_>) -> Result<()> {
    let timeout = timeout(&socket);
    let setup = setup(&socket, session);
    let wire = Arc::new(CallersSocket(socket));
    let result = driver::run_session(&wire, session, setup, timeout, &mut refuse);
    session.detach();
    result.map(drop)
}

/// What the machine has to know about a caller's session.
pub(super) fn setup(socket: &Socket, session: SessionRef<'_>) -> Setup {
    let is_server = socket.is_server();
    if is_server {
        session.lift_early_data_limit();
    }
    if let (true, Some(replay)) = (is_server, credentials::anti_replay()) {
        session.use_static_anti_replay(replay);
    }
    let role = if is_server { "server" } else { "client" };
    report::debug(&format!("handshake as {role}"));
    Setup {
        is_server,
        tickets: match is_server {
            true => Tickets::Owners,
            false => Tickets::None,
        },
        ..Setup::default()
    }
}

/// Offers or accepts the protocols of a list separated by commas.
pub(super) fn set_alpn(session: SessionRef<'_>, list: &[u8]) -> Result<()> {
    let names: Vec<&[u8]> = split_alpns(list)?;
    session.set_alpn(&names).map_err(|code| {
        Error::Config(format!(
            "cannot set the application protocols: {}",
            code.text()
        ))
    })
}

fn run(socket: ManuallyDrop<Socket>, prepared: crate::tls::Prepared) -> Result<()> {
    let timeout = timeout(&socket);
    let wire = Arc::new(CallersSocket(socket));
    let crate::tls::Parts { mut session, setup } = prepared.split();
    let result = driver::run_session(&wire, session.as_ref(), setup, timeout, &mut refuse);
    session.as_ref().detach();
    result.map(drop)
}

fn timeout(socket: &Socket) -> Duration {
    socket.receive_timeout().unwrap_or(HANDSHAKE_TIMEOUT)
}

/// What was taken from a caller's queue cannot be put back.
fn refuse(_: &Received, _: &[u8]) -> Result<()> {
    let err = io::Error::from_raw_os_error(libc::EBADMSG);
    Err(Error::Io("receiving an event during the handshake", err))
}

fn settings(alpns: Option<&CStr>) -> Result<Settings> {
    let mut settings = Settings::default();
    if let Some(list) = alpns {
        for name in split_alpns(list.to_bytes())? {
            settings
                .alpn
                .push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(settings)
}

fn split_alpns(list: &[u8]) -> Result<Vec<&[u8]>> {
    if list.len() > ALPNS_LEN {
        return Err(Error::Config(format!(
            "the list of application protocols is longer than {ALPNS_LEN} bytes"
        )));
    }
    let names: Vec<&[u8]> = list
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii_start)
        .filter(|name| !name.is_empty())
        .collect();
    match names.len() {
        1..=MOST_ALPNS => Ok(names),
        _ => Err(Error::Config(format!(
            "there must be 1 to {MOST_ALPNS} application protocols"
        ))),
    }
}

/// A socket that belongs to the caller: never closed here. A failure only sets what its closing
/// will tell the peer.
pub(super) struct CallersSocket(pub(super) ManuallyDrop<Socket>);

impl Kernel for CallersSocket {
    fn set_secret(&self, secret: &[u8; 56]) -> io::Result<()> {
        self.0.set_secret(secret)
    }

    fn local_params(&self) -> io::Result<Vec<u8>> {
        self.0.encoded_params()
    }

    fn set_peer_params(&self, params: &[u8]) -> io::Result<()> {
        self.0.set_encoded_params(params)
    }

    fn close_reason(&self) -> Option<CloseReason> {
        Kernel::close_reason(&*self.0)
    }

    fn ticket_key(&self) -> Option<Vec<u8>> {
        Kernel::ticket_key(&*self.0)
    }

    fn on_alpn(&self, name: &[u8]) -> io::Result<()> {
        Kernel::on_alpn(&*self.0, name)
    }
}

impl Wire for CallersSocket {
    fn send(&self, level: Level, bytes: &[u8], more: bool) -> io::Result<usize> {
        self.0.send_handshake(level, bytes, more)
    }

    fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        self.0.try_recv(buf)
    }

    fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.0.wait_readable(timeout)
    }

    fn wait_writable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        self.0.wait_writable(timeout)
    }

    fn close(&self, code: u32, phrase: &str) {
        // A socket that is closed already has told the peer.
        let _ = self.0.set_close(code, phrase);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_protocols_are_separated_by_commas_and_spaces() {
        let long = vec![b'a'; 129];
        let many = ["a"; 17].join(",").into_bytes();
        for (list, expected) in [
            (&b"h3"[..], Some(vec![&b"h3"[..]])),
            (b"h3, h3-29", Some(vec![b"h3", b"h3-29"])),
            (b"a,,b,", Some(vec![b"a", b"b"])),
            (b"", None),
            (b", ,", None),
            (&long, None),
            (&many, None),
        ] {
            assert_eq!(split_alpns(list).ok(), expected);
        }
    }
}
