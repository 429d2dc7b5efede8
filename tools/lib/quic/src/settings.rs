// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the builders of clients and servers have in common.

use std::{
    io,
    sync::Arc,
    time::Duration, //
};

use crate::{
    config::{
        Cipher,
        SocketConfig,
        TransportParams,
        CLOSE_TIMEOUT,
        HANDSHAKE_TIMEOUT,
        RECEIVE_BUFFER, //
    },
    error::{
        Error,
        Result, //
    },
    socket::Socket,
    tls::KeyLog,
    uapi::event, //
};

/// Longest list of application protocols that the socket takes.
const ALPN_LEN: usize = 128;

/// Settings of a configuration that do not depend on the role.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) alpn: Vec<String>,
    pub(crate) ciphers: Vec<Cipher>,
    pub(crate) params: TransportParams,
    pub(crate) socket: SocketConfig,
    pub(crate) handshake_timeout: Duration,
    pub(crate) read_timeout: Option<Duration>,
    pub(crate) write_timeout: Option<Duration>,
    pub(crate) close_timeout: Duration,
    pub(crate) receive_buffer: usize,
    pub(crate) key_log: Option<Arc<KeyLog>>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            alpn: Vec::new(),
            ciphers: Cipher::ALL.to_vec(),
            params: TransportParams::default(),
            socket: SocketConfig::default(),
            handshake_timeout: HANDSHAKE_TIMEOUT,
            read_timeout: None,
            write_timeout: None,
            close_timeout: CLOSE_TIMEOUT,
            receive_buffer: RECEIVE_BUFFER,
            key_log: None,
        }
    }
}

impl Settings {
    /// Refuses what the socket or TLS could not express.
    pub(crate) fn check(&self) -> Result<()> {
        for name in &self.alpn {
            if name.is_empty() || name.len() > 255 || name.contains(',') || name.starts_with(' ') {
                return Err(Error::Config(format!(
                    "{name:?} cannot be the name of an application protocol"
                )));
            }
        }
        if self.alpn.join(",").len() > ALPN_LEN {
            return Err(Error::Config(format!(
                "the names of the application protocols are longer than {ALPN_LEN} bytes together"
            )));
        }
        if self.ciphers.is_empty() {
            return Err(Error::Config("no cipher is left to offer".into()));
        }
        Ok(())
    }

    /// Sets the options of a socket that neither listens nor is connected.
    pub(crate) fn apply(&self, socket: &Socket) -> Result<()> {
        let error = |what| move |err: io::Error| setting_error(what, err);
        socket
            .set_alpn(&self.alpn)
            .map_err(error("setting the application protocols"))?;
        socket
            .set_transport_params(&self.params)
            .map_err(error("setting the transport parameters"))?;
        socket
            .set_config(&self.socket)
            .map_err(error("setting the socket's configuration"))?;
        for kind in [event::STREAM_UPDATE, event::NEW_SESSION_TICKET] {
            socket
                .enable_event(kind)
                .map_err(error("asking for events"))?;
        }
        Ok(())
    }
}

fn setting_error(what: &'static str, err: io::Error) -> Error {
    match err.raw_os_error() {
        Some(libc::EINVAL) => Error::Config(format!("{what}: a value is out of range")),
        _ => Error::Io(what, err),
    }
}

/// The methods that both builders have. The type must have a field `settings`.
macro_rules! builder_methods {
    ($builder:ident) => {
        impl $builder {
            /// Application protocols (ALPN), most wanted first. If any is given, a connection
            /// without a common one fails.
            pub fn alpn<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
                self.settings.alpn = names.into_iter().map(Into::into).collect();
                self
            }

            /// Ciphers to offer or accept; all if not set.
            pub fn ciphers(mut self, ciphers: impl IntoIterator<Item = Cipher>) -> Self {
                self.settings.ciphers = ciphers.into_iter().collect();
                self
            }

            /// Transport parameters to announce.
            pub fn transport(mut self, params: TransportParams) -> Self {
                self.settings.params = params;
                self
            }

            /// Local settings of the sockets.
            pub fn socket(mut self, config: SocketConfig) -> Self {
                self.settings.socket = config;
                self
            }

            /// Time for a whole handshake; 10 seconds if not set.
            pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
                self.settings.handshake_timeout = timeout;
                self
            }

            /// Time that one read, or waiting for a stream, may take. No limit if not set.
            pub fn read_timeout(mut self, timeout: Option<Duration>) -> Self {
                self.settings.read_timeout = timeout;
                self
            }

            /// Time that one write, or opening a stream, may wait for the peer. No limit if not
            /// set.
            pub fn write_timeout(mut self, timeout: Option<Duration>) -> Self {
                self.settings.write_timeout = timeout;
                self
            }

            /// Time that [`crate::Connection::close`] waits for acknowledgements; 30 seconds if
            /// not set.
            pub fn close_timeout(mut self, timeout: Duration) -> Self {
                self.settings.close_timeout = timeout;
                self
            }

            /// Bytes received for streams that nobody reads before everything waits for their
            /// readers; 4 MiB if not set.
            pub fn receive_buffer(mut self, bytes: usize) -> Self {
                self.settings.receive_buffer = bytes;
                self
            }

            /// Appends the TLS secrets to a file in the format of SSLKEYLOGFILE, for Wireshark.
            /// The environment variable of that name works without this call. Whoever can read
            /// the file can read the connections.
            pub fn key_log(mut self, file: impl AsRef<std::path::Path>) -> Result<Self> {
                self.settings.key_log = Some(Arc::new(KeyLog::open(file.as_ref())?));
                Ok(self)
            }
        }
    };
}

pub(crate) use builder_methods;
