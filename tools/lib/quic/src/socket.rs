// SPDX-License-Identifier: LGPL-2.1-or-later
//! The QUIC socket: its options, messages and events as typed calls.
//!
//! All methods take `&self` and may be called from several threads at once; the kernel's socket
//! lock orders them.

use std::{
    io,
    net::SocketAddr,
    os::fd::{
        AsFd,
        BorrowedFd,
        OwnedFd, //
    },
    time::Duration, //
};

use crate::{
    config::{
        Attempt,
        SocketConfig,
        TransportParams,
        Version, //
    },
    error::CloseReason,
    sys::sock::{
        self,
        Control,
        Received, //
    },
    uapi::{
        self,
        opt,
        Level,
        SOL_QUIC, //
    },
};

/// Longest encoding of transport parameters that the kernel hands out; it promises 256.
const PARAMS_LEN: usize = 512;
/// Longest session ticket or resumption data that the kernel stores.
const TICKET_LEN: usize = 4096;

/// A closed connection is an error of the call, not a signal.
const NOSIGNAL: u32 = libc::MSG_NOSIGNAL as u32;

/// An open QUIC socket.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(feature = "tokio")]
impl std::os::fd::AsRawFd for Socket {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
}

impl Socket {
    /// Takes a descriptor that may be a QUIC socket; if it is none, its calls fail.
    pub(crate) fn from_fd(fd: OwnedFd) -> Socket {
        Socket(fd)
    }

    /// Opens a socket of the family of `addr`.
    pub(crate) fn open(addr: &SocketAddr) -> io::Result<Socket> {
        sock::socket(addr).map(Socket)
    }

    pub(crate) fn bind(&self, addr: &SocketAddr) -> io::Result<()> {
        sock::bind(self.as_fd(), addr)
    }

    pub(crate) fn connect(&self, addr: &SocketAddr) -> io::Result<()> {
        sock::connect(self.as_fd(), addr)
    }

    pub(crate) fn listen(&self, backlog: i32) -> io::Result<()> {
        sock::listen(self.as_fd(), backlog)
    }

    /// The next connection attempt; its handshake has not been run yet.
    pub(crate) fn accept(&self) -> io::Result<Socket> {
        retry(|| sock::accept(self.as_fd()).map(Socket))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        sock::name(self.as_fd(), false)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        sock::name(self.as_fd(), true)
    }

    /// Makes all calls return instead of waiting.
    #[cfg(feature = "tokio")]
    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        sock::set_nonblocking(self.as_fd())
    }

    /// Sets SO_SNDTIMEO.
    pub(crate) fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        sock::set_timeout(self.as_fd(), true, timeout)
    }

    pub(crate) fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        sock::wait_readable(self.as_fd(), timeout)
    }

    pub(crate) fn wait_writable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        sock::wait_writable(self.as_fd(), timeout)
    }

    /// SO_RCVTIMEO, if it is set.
    pub(crate) fn receive_timeout(&self) -> Option<Duration> {
        sock::receive_timeout(self.as_fd())
    }

    /// Send memory not yet acknowledged by the peer.
    pub(crate) fn unacknowledged(&self) -> io::Result<usize> {
        sock::unacknowledged(self.as_fd())
    }

    /// Sends CONNECTION_CLOSE with what [`Self::set_close`] stored and ends all waiting calls.
    pub(crate) fn shutdown(&self) -> io::Result<()> {
        sock::shutdown(self.as_fd())
    }

    /// Receives one item without waiting.
    pub(crate) fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        retry(|| sock::recv(self.as_fd(), buf, libc::MSG_DONTWAIT))
    }

    /// Looks at the next item without waiting and without taking it.
    pub(crate) fn try_peek(&self, buf: &mut [u8]) -> io::Result<Received> {
        retry(|| sock::recv(self.as_fd(), buf, libc::MSG_DONTWAIT | libc::MSG_PEEK))
    }

    /// Sends on a stream; waits for flow control and buffer space up to the write time-out.
    /// With MSG_DONTWAIT among the flags it does not.
    pub(crate) fn send_stream(&self, id: i64, data: &[u8], flags: u32) -> io::Result<usize> {
        let stream_flags = (flags & uapi::STREAM_FLAGS) | uapi::MSG_QUIC_STREAM_SNDBLOCK;
        let control = Control::Stream(id, stream_flags);
        let others = (flags & !uapi::STREAM_FLAGS) | NOSIGNAL;
        retry(|| sock::send(self.as_fd(), data, Some(control), others))
    }

    /// Sends for a caller of the C interface: stream flags are among the flags, signals are the
    /// caller's affair, and so are interruptions.
    pub(crate) fn send_as_asked(&self, data: &[u8], id: i64, flags: u32) -> io::Result<usize> {
        let control = Control::Stream(id, flags & uapi::STREAM_FLAGS);
        let others = flags & !uapi::STREAM_FLAGS;
        sock::send(self.as_fd(), data, Some(control), others)
    }

    /// Receives for a caller of the C interface.
    pub(crate) fn recv_as_asked(&self, buf: &mut [u8], flags: u32) -> io::Result<Received> {
        sock::recv(self.as_fd(), buf, flags as i32)
    }

    /// Sends a datagram of RFC 9221.
    pub(crate) fn send_datagram(&self, data: &[u8]) -> io::Result<usize> {
        let flags = uapi::MSG_QUIC_DATAGRAM | NOSIGNAL;
        retry(|| sock::send(self.as_fd(), data, None, flags))
    }

    /// Sends handshake bytes; `more` says that further messages follow at once.
    pub(crate) fn send_handshake(
        &self,
        level: Level,
        data: &[u8],
        more: bool,
    ) -> io::Result<usize> {
        let flags = if more { libc::MSG_MORE as u32 } else { 0 };
        let control = Control::Handshake(level as u8);
        retry(|| sock::send(self.as_fd(), data, Some(control), flags | NOSIGNAL))
    }

    /// Opens the next local stream and returns its id. Waits for the peer's permission, unless
    /// `wait` is false, up to the write time-out.
    pub(crate) fn open_stream(&self, uni: bool, wait: bool) -> io::Result<i64> {
        let mut flags = uapi::MSG_QUIC_STREAM_SNDBLOCK;
        if uni {
            flags |= uapi::MSG_QUIC_STREAM_UNI;
        }
        if !wait {
            flags |= uapi::MSG_QUIC_STREAM_DONTWAIT;
        }
        retry(|| {
            let mut value = uapi::id_and_word(-1, flags);
            self.get(opt::STREAM_OPEN, &mut value)?;
            Ok(uapi::read_id_and_word(&value).0)
        })
    }

    pub(crate) fn reset_stream(&self, id: i64, code: u32) -> io::Result<()> {
        self.set(opt::STREAM_RESET, &uapi::id_and_word(id, code))
    }

    pub(crate) fn reset_stream_at(&self, id: i64, code: u32, reliable: u64) -> io::Result<()> {
        self.set(opt::STREAM_RESET_AT, &uapi::reset_at(id, reliable, code))
    }

    pub(crate) fn set_priority(&self, id: i64, urgency: u8, incremental: bool) -> io::Result<()> {
        self.set(
            opt::STREAM_PRIORITY,
            &uapi::priority(id, urgency, incremental),
        )
    }

    pub(crate) fn stop_sending(&self, id: i64, code: u32) -> io::Result<()> {
        self.set(opt::STREAM_STOP_SENDING, &uapi::id_and_word(id, code))
    }

    pub(crate) fn enable_event(&self, kind: u8) -> io::Result<()> {
        self.set(opt::EVENT, &[kind, 1])
    }

    pub(crate) fn set_transport_params(&self, params: &TransportParams) -> io::Result<()> {
        self.set(opt::TRANSPORT_PARAM, &params.encode())
    }

    /// Tells what the peer announced in an earlier connection.
    pub(crate) fn set_remembered_params(&self, params: &TransportParams) -> io::Result<()> {
        let mut value = params.encode();
        value[0] = 1;
        self.set(opt::TRANSPORT_PARAM, &value)
    }

    /// The parameters of this side, or those announced by the peer.
    pub(crate) fn transport_params(&self, remote: bool) -> io::Result<TransportParams> {
        let mut value = [0; 56];
        value[0] = u8::from(remote);
        self.get(opt::TRANSPORT_PARAM, &mut value)?;
        Ok(TransportParams::decode(&value))
    }

    pub(crate) fn set_config(&self, config: &SocketConfig) -> io::Result<()> {
        self.set(opt::CONFIG, &config.encode())
    }

    /// Client: sets the version to begin in, and says that this program starts anew where the server
    /// asks for another one, or that this is the new attempt. Kernels that do not know the latter go
    /// on with the same ClientHello.
    pub(crate) fn set_attempt(&self, attempt: Attempt) -> io::Result<()> {
        self.set(opt::CONFIG, &SocketConfig::encode_attempt(attempt))
    }

    /// The version in use; where the kernel does not tell it, the one that was configured.
    pub(crate) fn version(&self) -> io::Result<Version> {
        // Both structures begin with it.
        let mut value = [0; 4];
        if self.get(opt::INFO, &mut value).is_err() {
            self.get(opt::CONFIG, &mut value)?;
        }
        Ok(SocketConfig::read_version(&value))
    }

    /// Stores the list of application protocols, most wanted first.
    pub(crate) fn set_alpn(&self, names: &[String]) -> io::Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        self.set(opt::ALPN, names.join(",").as_bytes())
    }

    /// Leaves the application protocol that was chosen where programs that have no session find it.
    pub(crate) fn store_alpn(&self, name: &[u8]) -> io::Result<()> {
        self.set(opt::ALPN, name)
    }

    /// Stores what [`Self::shutdown`] or closing the descriptor tells the peer.
    pub(crate) fn set_close(&self, code: u32, phrase: &str) -> io::Result<()> {
        self.set(opt::CONNECTION_CLOSE, &uapi::connection_close(code, phrase))
    }

    /// How the connection ended. All zero while it has not.
    pub(crate) fn close_reason(&self) -> io::Result<CloseReason> {
        let mut value = [0; 72];
        let len = self.get(opt::CONNECTION_CLOSE, &mut value)?;
        let close = value.get(..len).unwrap_or(&value);
        let info = self.get_bytes(opt::INFO, uapi::INFO_FLAGS_END).ok();
        Ok(uapi::read_close_reason(close, info.as_deref()))
    }

    /// Whether the connection has ended, so that [`Self::close_reason`] is of the end.
    pub(crate) fn has_ended(&self) -> bool {
        sock::is_hung_up(self.as_fd())
    }

    /// Moves an established connection to another local address; announces it as the preferred one
    /// on a server whose handshake has not been run.
    pub(crate) fn migrate(&self, addr: &SocketAddr) -> io::Result<()> {
        sock::set_address(self.as_fd(), SOL_QUIC, opt::CONNECTION_MIGRATION, addr)
    }

    /// Starts a key update.
    pub(crate) fn update_keys(&self) -> io::Result<()> {
        self.set(opt::KEY_UPDATE, &[])
    }

    /// Installs a packet secret.
    pub(crate) fn set_secret(&self, secret: &[u8; 56]) -> io::Result<()> {
        self.set(opt::CRYPTO_SECRET, secret)
    }

    /// This side's transport parameters, encoded for the TLS extension.
    pub(crate) fn encoded_params(&self) -> io::Result<Vec<u8>> {
        self.get_bytes(opt::TRANSPORT_PARAM_EXT, PARAMS_LEN)
    }

    /// Hands the peer's transport parameters to the kernel.
    pub(crate) fn set_encoded_params(&self, params: &[u8]) -> io::Result<()> {
        self.set(opt::TRANSPORT_PARAM_EXT, params)
    }

    /// Client: the ticket received. Server: the key that protects tickets.
    pub(crate) fn session_ticket(&self) -> io::Result<Vec<u8>> {
        self.get_bytes(opt::SESSION_TICKET, TICKET_LEN)
    }

    /// Whether the kernel takes this socket for a server's, as libquic asks it.
    pub(crate) fn is_server(&self) -> bool {
        let mut token = [0; 128];
        self.get(opt::TOKEN, &mut token).is_err()
    }

    fn set(&self, name: i32, value: &[u8]) -> io::Result<()> {
        sock::setsockopt(self.as_fd(), SOL_QUIC, name, value)
    }

    fn get(&self, name: i32, value: &mut [u8]) -> io::Result<usize> {
        sock::getsockopt(self.as_fd(), SOL_QUIC, name, value)
    }

    fn get_bytes(&self, name: i32, most: usize) -> io::Result<Vec<u8>> {
        let mut value = vec![0; most];
        let len = self.get(name, &mut value)?;
        value.truncate(len);
        Ok(value)
    }
}

/// Repeats a call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
