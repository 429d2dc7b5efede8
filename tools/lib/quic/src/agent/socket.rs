// SPDX-License-Identifier: LGPL-2.1-or-later
//! The socket of a kernel consumer, used as upstream's tlshd does.

use std::{
    io,
    os::fd::{
        AsFd,
        BorrowedFd,
        OwnedFd, //
    },
    time::Duration,
};

use crate::{
    config::{
        Cipher,
        SocketConfig,
        Version, //
    },
    driver::Wire,
    error::CloseReason,
    handshake::Kernel,
    sys::sock::{
        self,
        Control,
        Received, //
    },
    uapi::{
        self,
        opt,
        Level,
        Reader,
        SOL_QUIC, //
    },
};

/// Room for the list of application protocols.
const ALPN_LEN: usize = 128;
/// Room for a session ticket, its key, or resumption data.
const TICKET_LEN: usize = 4096;
/// `struct quic_config` as tlshd has it, without its last field.
const CONFIG_LEN: usize = 24;
/// Room for encoded transport parameters.
const PARAMS_LEN: usize = 256;
/// Room for a handshake message.
const MESSAGE_LEN: usize = 4096;
/// Room for one control message of one byte.
const CONTROL_LEN: usize = 24;

/// A duplicate of the consumer's descriptor: closing it does not close the socket.
pub(super) struct ConsumersSocket(pub(super) OwnedFd);

/// What the consumer has set on the socket.
#[derive(Debug)]
pub(super) struct Wishes {
    pub(super) alpn: Vec<String>,
    /// Client: the data of an earlier session. Server: the key that protects tickets.
    pub(super) ticket: Vec<u8>,
    /// Client: the version in which the connection begins.
    pub(super) version: Version,
    cipher: u32,
    /// How long a client waits for a session ticket.
    pub(super) ticket_wait: Duration,
    /// Server: 1 to ask for a certificate, 2 to demand one.
    pub(super) certificate_request: u8,
    /// Client: the server is not verified.
    pub(super) trusts_any_server: bool,
}

impl Wishes {
    pub(super) fn ciphers(&self) -> Vec<Cipher> {
        super::ciphers(self.cipher)
    }
}

impl ConsumersSocket {
    /// Reads what the consumer wants.
    pub(super) fn wishes(&self) -> io::Result<Wishes> {
        let alpn = self.get(opt::ALPN, ALPN_LEN)?;
        let ticket = self.get(opt::SESSION_TICKET, TICKET_LEN)?;
        let config = self.get(opt::CONFIG, CONFIG_LEN)?;
        let config = Reader(&config);
        let names = String::from_utf8_lossy(&alpn).into_owned();
        Ok(Wishes {
            alpn: names
                .split(',')
                .map(|name| name.trim_start().trim_end_matches('\0').to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
            ticket,
            version: SocketConfig::read_version(config.0),
            cipher: config.u32(12),
            ticket_wait: Duration::from_secs(config.u8(19).into()),
            certificate_request: config.u8(20),
            trusts_any_server: config.u8(20) == 3,
        })
    }

    /// Client: the server's ticket; empty before it has come. Server: the key that protects tickets.
    pub(super) fn ticket(&self) -> io::Result<Vec<u8>> {
        self.get(opt::SESSION_TICKET, TICKET_LEN)
    }

    /// The version in use, which may have been negotiated; where the kernel does not tell it, the one
    /// that was configured.
    pub(super) fn version(&self) -> io::Result<Version> {
        let value = self
            .get(opt::INFO, 4)
            .or_else(|_| self.get(opt::CONFIG, 4))?;
        Ok(SocketConfig::read_version(&value))
    }

    /// Leaves resumption data for the consumer.
    pub(super) fn set_ticket(&self, data: &[u8]) -> io::Result<()> {
        self.set(opt::SESSION_TICKET, data)
    }

    fn get(&self, name: i32, room: usize) -> io::Result<Vec<u8>> {
        let mut value = vec![0; room];
        let len = sock::getsockopt(self.0.as_fd(), SOL_QUIC, name, &mut value)?;
        value.truncate(len);
        Ok(value)
    }

    fn set(&self, name: i32, value: &[u8]) -> io::Result<()> {
        sock::setsockopt(self.0.as_fd(), SOL_QUIC, name, value)
    }
}

impl Kernel for ConsumersSocket {
    fn set_secret(&self, secret: &[u8; 56]) -> io::Result<()> {
        self.set(opt::CRYPTO_SECRET, secret)
    }

    fn local_params(&self) -> io::Result<Vec<u8>> {
        self.get(opt::TRANSPORT_PARAM_EXT, PARAMS_LEN)
    }

    fn set_peer_params(&self, params: &[u8]) -> io::Result<()> {
        self.set(opt::TRANSPORT_PARAM_EXT, params)
    }

    fn close_reason(&self) -> Option<CloseReason> {
        if !sock::is_hung_up(self.0.as_fd()) {
            return None;
        }
        let value = self.get(opt::CONNECTION_CLOSE, 72).ok()?;
        let info = self.get(opt::INFO, uapi::INFO_FLAGS_END).ok();
        Some(uapi::read_close_reason(&value, info.as_deref()))
    }

    fn ticket_key(&self) -> Option<Vec<u8>> {
        self.ticket().ok()
    }

    fn on_alpn(&self, name: &[u8]) -> io::Result<()> {
        self.set(opt::ALPN, name)
    }
}

impl Wire for ConsumersSocket {
    fn send(&self, level: Level, bytes: &[u8], more: bool) -> io::Result<usize> {
        let flags = if more { libc::MSG_MORE as u32 } else { 0 };
        let control = Control::Handshake(level as u8);
        sock::send(self.0.as_fd(), bytes, Some(control), flags)
    }

    fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        let len = buf.len().min(MESSAGE_LEN);
        let buf = buf.get_mut(..len).unwrap_or_default();
        let received = sock::recv_with(self.0.as_fd(), buf, libc::MSG_DONTWAIT, CONTROL_LEN)?;
        match received.len {
            0 => Err(io::Error::from_raw_os_error(libc::ECONNRESET)),
            _ => Ok(received),
        }
    }

    fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        sock::wait_readable(self.0.as_fd(), timeout)
    }

    fn wait_writable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        sock::wait_writable(self.0.as_fd(), timeout)
    }

    fn close(&self, code: u32, phrase: &str) {
        end(self.0.as_fd(), code, phrase);
    }
}

/// Ends the connection and tells the peer why, now: the consumer may keep its file for long, and
/// the file of a process in the kernel outlives its closing until that process leaves the kernel.
pub(super) fn end(socket: BorrowedFd<'_>, code: u32, phrase: &str) {
    let close = uapi::connection_close(code, phrase);
    // No other protocol has this option. A socket that is closed already has told the peer.
    if sock::setsockopt(socket, SOL_QUIC, opt::CONNECTION_CLOSE, &close).is_ok() {
        let _ = sock::shutdown(socket);
    }
}
