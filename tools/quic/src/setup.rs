// SPDX-License-Identifier: GPL-2.0
//! From options to configurations and connections.

use std::{
    net::SocketAddr,
    time::Duration, //
};

use quic::{
    Cipher,
    ClientAuth,
    ClientConfig,
    Congestion,
    Connection,
    EarlyConnection,
    Listener,
    ServerConfig,
    ServerConfigBuilder,
    SessionTicket,
    SocketConfig,
    TransportParams,
    Trust,
    Version, //
};

use crate::{
    cli::{
        CipherArg,
        CongestionArg,
        IdentityArgs,
        ListenArgs,
        TransportArgs,
        TrustArgs, //
    },
    failure::{
        no_identity,
        Failure,
        Result, //
    },
    target::Target,
};

/// Credit of a connection: enough for 1 Gbit/s at 100 ms.
const MAX_DATA: u64 = 16 << 20;
/// Credit of a stream: a single one must not fill the connection.
const MAX_STREAM_DATA: u64 = 8 << 20;
/// Streams that a peer may have open at once.
const MAX_STREAMS: u16 = 1000;

/// A server to connect to, as often as wanted: names are looked up and files are read once.
pub struct Client {
    config: ClientConfig,
    addrs: Vec<SocketAddr>,
    name: String,
    target: Target,
}

impl Client {
    pub fn new(
        target: &Target,
        alpn: &str,
        trust: &TrustArgs,
        own: &IdentityArgs,
        transport: &TransportArgs,
    ) -> Result<Client> {
        let mut builder = ClientConfig::builder()
            .alpn([alpn])
            .transport(params(transport))
            .socket(socket(transport))
            .handshake_timeout(Duration::from_secs(transport.handshake_timeout.into()));
        if !transport.cipher.is_empty() {
            builder = builder.ciphers(transport.cipher.iter().copied().map(Cipher::from));
        }
        builder = match (&own.psk, &trust.ca) {
            (Some(file), _) => builder.psk_file(file),
            (None, Some(file)) => builder.trust(Trust::File(file.clone())),
            (None, None) if trust.insecure => builder.trust(Trust::InsecureNoVerification),
            (None, None) => builder,
        };
        if let (Some(cert), Some(key)) = (&own.cert, &own.key) {
            builder = builder.certificate(cert, key);
        }
        if let Some(addr) = trust.bind {
            builder = builder.bind(addr);
        }
        Ok(Client {
            config: builder.build()?,
            addrs: target.resolve(trust)?,
            name: trust.name.clone().unwrap_or_else(|| target.host.clone()),
            target: target.clone(),
        })
    }

    pub fn connect(&self) -> Result<Connection> {
        Connection::connect(self.addrs.as_slice(), &self.name, &self.config)
            .map_err(|err| self.failed(err))
    }

    /// Continues the session of a ticket.
    pub fn resume(&self, ticket: &SessionTicket) -> Result<Connection> {
        Connection::connect_resuming(self.addrs.as_slice(), &self.name, &self.config, ticket)
            .map_err(|err| self.failed(err))
    }

    /// Continues the session of a ticket. What `ask` sends leaves before the handshake.
    pub fn resume_early<T>(
        &self,
        ticket: &SessionTicket,
        ask: impl FnOnce(&EarlyConnection) -> quic::Result<T>,
    ) -> Result<(Connection, T)> {
        let early =
            Connection::connect_early(self.addrs.as_slice(), &self.name, &self.config, ticket);
        let asked = early.and_then(|early| {
            let asked = ask(&early)?;
            Ok((early.handshake()?, asked))
        });
        asked.map_err(|err| self.failed(err))
    }

    fn failed(&self, err: quic::Error) -> Failure {
        Failure::from(err).during(format!("connecting to {}", self.target))
    }
}

/// Opens a listener for `quic COMMAND`.
pub fn listen(
    command: &str,
    alpn: &str,
    listen: &ListenArgs,
    own: &IdentityArgs,
    transport: &TransportArgs,
) -> Result<Listener> {
    listen_with(command, alpn, listen, own, transport, |builder| builder)
}

/// Like [`listen`], with settings of the command's own.
pub fn listen_with(
    command: &str,
    alpn: &str,
    listen: &ListenArgs,
    own: &IdentityArgs,
    transport: &TransportArgs,
    more: impl FnOnce(ServerConfigBuilder) -> ServerConfigBuilder,
) -> Result<Listener> {
    let mut settings = socket(transport);
    settings.validate_peer_address = listen.retry;
    let mut builder = ServerConfig::builder()
        .alpn([alpn])
        .transport(params(transport))
        .socket(settings)
        .handshake_timeout(Duration::from_secs(transport.handshake_timeout.into()));
    if !transport.cipher.is_empty() {
        builder = builder.ciphers(transport.cipher.iter().copied().map(Cipher::from));
    }
    builder = match (&own.cert, &own.key, &own.psk) {
        (Some(cert), Some(key), _) => builder.certificate(cert, key),
        (_, _, Some(file)) => builder.psk_file(file),
        _ => return Err(no_identity(command)),
    };
    if let Some(file) = &listen.client_ca {
        builder = builder.client_auth(ClientAuth::Require(Trust::File(file.clone())));
    }
    let config = more(builder).build()?;
    Listener::bind(listen.listen, &config)
        .map_err(|err| Failure::from(err).during(format!("listening at {}", listen.listen)))
}

fn params(args: &TransportArgs) -> TransportParams {
    let mut params = TransportParams::default();
    params.max_data = Some(MAX_DATA);
    params.max_stream_data_bidi_local = Some(MAX_STREAM_DATA);
    params.max_stream_data_bidi_remote = Some(MAX_STREAM_DATA);
    params.max_stream_data_uni = Some(MAX_STREAM_DATA);
    params.max_streams_bidi = Some(MAX_STREAMS);
    params.max_idle_timeout = args
        .idle_timeout
        .map(|secs| Duration::from_secs(secs.into()));
    params
}

fn socket(args: &TransportArgs) -> SocketConfig {
    let mut config = SocketConfig::default();
    config.version = args.quic_version.map(|number| match number {
        2 => Version::V2,
        _ => Version::V1,
    });
    config.congestion = args.congestion.map(|algorithm| match algorithm {
        CongestionArg::Reno => Congestion::Reno,
        CongestionArg::Cubic => Congestion::Cubic,
    });
    config.nodelay = true;
    config
}

impl From<CipherArg> for Cipher {
    fn from(arg: CipherArg) -> Cipher {
        match arg {
            CipherArg::Aes128Gcm => Cipher::Aes128Gcm,
            CipherArg::Aes256Gcm => Cipher::Aes256Gcm,
            CipherArg::Aes128Ccm => Cipher::Aes128Ccm,
            CipherArg::Chacha20 => Cipher::ChaCha20Poly1305,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_identity_is_told_how_to_get_one() {
        let args = ListenArgs {
            listen: ([127, 0, 0, 1], 0).into(),
            client_ca: None,
            retry: false,
        };
        let own = IdentityArgs::default();
        let failure = listen("recv", "x", &args, &own, &TransportArgs::default()).unwrap_err();
        assert!(failure.hints().iter().any(|hint| hint.contains("--cert")));
    }

    #[test]
    fn a_trust_file_that_is_not_there_is_named() {
        let trust = TrustArgs {
            ca: Some("/nonexistent/ca.pem".into()),
            ..TrustArgs::default()
        };
        let target: Target = "127.0.0.1".parse().unwrap();
        let (own, transport) = (IdentityArgs::default(), TransportArgs::default());
        let Err(failure) = Client::new(&target, "x", &trust, &own, &transport) else {
            panic!("it was accepted");
        };
        assert!(
            failure.to_string().contains("/nonexistent/ca.pem"),
            "{failure}"
        );
    }
}
