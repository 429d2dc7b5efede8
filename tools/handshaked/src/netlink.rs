// SPDX-License-Identifier: GPL-2.0
//! The kernel's generic netlink family "handshake" (`<linux/handshake.h>`).
//!
//! The kernel tells the group "tlshd" that a request waits (READY). Whoever is first accepts it
//! and gets the socket as a descriptor, and reports with DONE how the handshake ended.

use std::{
    io,
    os::fd::{
        AsRawFd,
        OwnedFd, //
    },
    time::Duration,
};

use neli::{
    attr::Attribute,
    consts::{
        nl::{
            NlmF,
            NlmFFlags, //
        },
        socket::NlFamily,
    },
    err::NlError,
    genl::{
        Genlmsghdr,
        Nlattr, //
    },
    nl::{
        NlPayload,
        Nlmsghdr, //
    },
    socket::NlSocketHandle,
    types::{
        Buffer,
        GenlBuffer, //
    },
};

use crate::sys;

const FAMILY: &str = "handshake";
const GROUP: &str = "tlshd";
const VERSION: u8 = 1;

/// `HANDSHAKE_CMD_*`
mod cmd {
    pub(super) const ACCEPT: u8 = 2;
    pub(super) const DONE: u8 = 3;
}

/// `HANDSHAKE_A_ACCEPT_*`
mod accept {
    pub(super) const SOCKFD: u16 = 1;
    pub(super) const HANDLER_CLASS: u16 = 2;
    pub(super) const MESSAGE_TYPE: u16 = 3;
    pub(super) const TIMEOUT: u16 = 4;
    pub(super) const AUTH_MODE: u16 = 5;
    pub(super) const PEER_IDENTITY: u16 = 6;
    pub(super) const CERTIFICATE: u16 = 7;
    pub(super) const PEERNAME: u16 = 8;
    pub(super) const KEYRING: u16 = 9;
}

/// `HANDSHAKE_A_X509_*`
mod x509 {
    pub(super) const CERT: u16 = 1;
    pub(super) const PRIVKEY: u16 = 2;
}

/// `HANDSHAKE_A_DONE_*`
mod done {
    pub(super) const STATUS: u16 = 1;
    pub(super) const SOCKFD: u16 = 2;
    pub(super) const REMOTE_AUTH: u16 = 3;
}

/// `HANDSHAKE_HANDLER_CLASS_TLSHD`
const CLASS_TLSHD: u32 = 1;
/// `HANDSHAKE_MSG_TYPE_SERVERHELLO`
const SERVERHELLO: u32 = 2;

/// `enum handshake_auth`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthMode {
    Unspecified,
    Anonymous,
    Psk,
    X509,
}

/// A request of a kernel consumer.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: OwnedFd,
    pub(crate) is_server: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) auth: AuthMode,
    /// Serial numbers of pre-shared keys.
    pub(crate) peer_ids: Vec<i32>,
    /// Serial numbers of a certificate and its private key.
    pub(crate) certificate: Option<(i32, i32)>,
    pub(crate) peer_name: Option<String>,
    /// A keyring with the keys, which the kernel has linked to the process's.
    pub(crate) keyring: Option<i32>,
}

/// How a handshake ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// An errno, 0 for success.
    pub(crate) status: u32,
    /// Serial numbers of keys that say who the peer is.
    pub(crate) remote: Vec<i32>,
}

/// A socket of the family.
pub(crate) struct Handshakes {
    socket: NlSocketHandle,
    family: u16,
}

type Message = Nlmsghdr<u16, Genlmsghdr<u8, u16>>;
type Attributes = GenlBuffer<u16, Buffer>;

impl Handshakes {
    pub(crate) fn open() -> io::Result<Handshakes> {
        let mut socket = NlSocketHandle::connect(NlFamily::Generic, None, &[])?;
        let family = socket
            .resolve_genl_family(FAMILY)
            .map_err(|err| failed("looking for the kernel's handshake service", err))?;
        Ok(Handshakes { socket, family })
    }

    /// Lets the kernel tell this socket of requests.
    pub(crate) fn subscribe(&mut self) -> io::Result<()> {
        let group = self
            .socket
            .resolve_nl_mcast_group(FAMILY, GROUP)
            .map_err(|err| failed("looking for the group of handshake agents", err))?;
        self.socket.add_mcast_membership(&[group])
    }

    /// Waits until a request may be there.
    pub(crate) fn wait(&mut self) -> io::Result<()> {
        match self.socket.recv::<u16, Genlmsghdr<u8, u16>>() {
            Ok(_) => Ok(()),
            // Too many notifications at once: a request may well be there.
            Err(NlError::Wrapped(_)) if io::Error::last_os_error().raw_os_error() == Some(105) => {
                Ok(())
            }
            Err(err) => Err(failed("waiting for requests", err)),
        }
    }

    /// The next request, if there is one.
    pub(crate) fn accept(&mut self) -> io::Result<Option<Accepted>> {
        let mut attributes = Attributes::new();
        attributes.push(attribute(accept::HANDLER_CLASS, CLASS_TLSHD)?);
        self.send(cmd::ACCEPT, attributes, &[NlmF::Request])?;
        match self.socket.recv::<u16, Genlmsghdr<u8, u16>>() {
            Ok(Some(reply)) => Ok(Some(read_request(&reply)?)),
            Ok(None) => Ok(None),
            Err(NlError::Nlmsgerr(err)) if err.error == -libc::EAGAIN => Ok(None),
            Err(err) => Err(failed("accepting a request", err)),
        }
    }

    /// Gives the socket back.
    pub(crate) fn done(&mut self, socket: &OwnedFd, done: &Done) -> io::Result<()> {
        let mut attributes = Attributes::new();
        attributes.push(attribute(done::STATUS, done.status)?);
        attributes.push(attribute(done::SOCKFD, socket.as_raw_fd())?);
        for serial in &done.remote {
            attributes.push(attribute(done::REMOTE_AUTH, *serial)?);
        }
        self.send(cmd::DONE, attributes, &[NlmF::Request, NlmF::Ack])?;
        match self.socket.recv::<u16, Genlmsghdr<u8, u16>>() {
            Ok(_) => Ok(()),
            Err(err) => Err(failed("reporting the result", err)),
        }
    }

    fn send(&mut self, cmd: u8, attributes: Attributes, flags: &[NlmF]) -> io::Result<()> {
        let payload = Genlmsghdr::new(cmd, VERSION, attributes);
        let message: Message = Nlmsghdr::new(
            None,
            self.family,
            NlmFFlags::new(flags),
            None,
            None,
            NlPayload::Payload(payload),
        );
        let sent = self.socket.send(message);
        sent.map_err(|err| failed("sending to the kernel", err))
    }
}

fn attribute<P: neli::Size + neli::ToBytes>(
    kind: u16,
    value: P,
) -> io::Result<Nlattr<u16, Buffer>> {
    Nlattr::new(false, false, kind, value).map_err(|err| failed("making a message", err))
}

fn read_request(reply: &Message) -> io::Result<Accepted> {
    let missing = |what| failed("reading a request", what);
    let payload = reply
        .get_payload()
        .map_err(|err| failed("reading a request", err))?;
    let handle = payload.get_attr_handle();
    let number = |kind| handle.get_attr_payload_as::<u32>(kind).ok();
    let fd = handle
        .get_attr_payload_as::<i32>(accept::SOCKFD)
        .map_err(|_| missing("it has no socket"))?;
    let mut peer_ids = Vec::new();
    for item in handle.iter() {
        if item.nla_type.nla_type == accept::PEER_IDENTITY {
            peer_ids.extend(item.get_payload_as::<i32>().ok());
        }
    }
    let certificate = handle.get_attribute(accept::CERTIFICATE).and_then(|item| {
        let nested = item.get_attr_handle::<u16>().ok()?;
        let serial = |kind| nested.get_attr_payload_as::<i32>(kind).ok();
        Some((serial(x509::CERT)?, serial(x509::PRIVKEY)?))
    });
    let peer_name = handle.get_attribute(accept::PEERNAME).map(|item| {
        let bytes = item.payload().as_ref();
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    });
    Ok(Accepted {
        socket: sys::own_received(fd)?,
        is_server: number(accept::MESSAGE_TYPE) == Some(SERVERHELLO),
        timeout: number(accept::TIMEOUT).map(|ms| Duration::from_millis(ms.into())),
        auth: match number(accept::AUTH_MODE) {
            Some(1) => AuthMode::Anonymous,
            Some(2) => AuthMode::Psk,
            Some(3) => AuthMode::X509,
            _ => AuthMode::Unspecified,
        },
        peer_ids: peer_ids.into_iter().filter(|serial| *serial != 0).collect(),
        certificate: certificate.filter(|(cert, key)| *cert != 0 && *key != 0),
        peer_name: peer_name.filter(|name| !name.is_empty()),
        keyring: number(accept::KEYRING).map(|serial| serial as i32),
    })
}

fn failed(what: &str, err: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{what}: {err}"))
}
