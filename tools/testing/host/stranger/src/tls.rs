// SPDX-License-Identifier: GPL-2.0

//! rustls as the handshake agent of the core.
//!
//! rustls derives packet keys by itself and does not hand out secrets; the core wants secrets, as
//! the kernel does. They are taken from the key log.

use std::sync::{
    Arc,
    Mutex, //
};

use quic_core::aead::Suite;
use quic_core::common::id::{
    Level,
    Side, //
};
use quic_sim::tls::{
    Agent,
    Step, //
};
use rustls::pki_types::{
    CertificateDer,
    PrivateKeyDer,
    PrivatePkcs8KeyDer,
    ServerName, //
};
use rustls::quic::{
    ClientConnection,
    Connection,
    KeyChange,
    ServerConnection,
    Version, //
};
use rustls::{
    CipherSuite,
    ClientConfig,
    KeyLog,
    RootCertStore,
    ServerConfig, //
};

/// The application protocol of all tests.
pub const ALPN: &[u8] = b"sim";

/// The server's name in its certificate.
pub const NAME: &str = "server.test";

/// A certificate made for the run, and its key.
#[derive(Debug)]
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Identity {
    /// A new self-signed certificate.
    pub fn generate() -> Self {
        let names = vec![NAME.to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        Self {
            certificate: made.cert.der().clone(),
            key: made.key_pair.serialize_der().into(),
        }
    }

    /// A client's configuration that trusts this certificate alone.
    pub fn client(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        config
    }

    /// A server's configuration with this certificate.
    pub fn server(&self) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(self.key.clone_key());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)
            .expect("a certificate and its key");
        config.alpn_protocols = vec![ALPN.to_vec()];
        config
    }
}

/// Collects secrets by their label.
#[derive(Debug, Default)]
struct Log(Mutex<Vec<(String, Vec<u8>)>>);

impl KeyLog for Log {
    fn log(&self, label: &str, _random: &[u8], secret: &[u8]) {
        let entry = (label.to_owned(), secret.to_vec());
        self.0.lock().expect("a log").push(entry);
    }
}

/// The agent of one connection.
pub struct Tls {
    side: Side,
    client: Option<ClientConfig>,
    server: Option<ServerConfig>,
    log: Arc<Log>,
    connection: Option<Connection>,
    level: Level,
    has_params: bool,
    has_app_receive: bool,
}

impl Tls {
    /// An agent for a side of the connection, with the identity of the server.
    pub fn new(side: Side, identity: &Identity) -> Self {
        let log = Arc::new(Log::default());
        let (mut client, mut server) = (identity.client(), identity.server());
        client.key_log = log.clone();
        server.key_log = log.clone();
        Self {
            side,
            client: Some(client),
            server: Some(server),
            log,
            connection: None,
            level: Level::Initial,
            has_params: false,
            has_app_receive: false,
        }
    }

    fn secret(&self, send: bool, level: Level) -> Option<Step> {
        let sender = if send { self.side } else { self.side.peer() };
        let who = if sender.is_client() {
            "CLIENT"
        } else {
            "SERVER"
        };
        let label = match level {
            Level::Handshake => format!("{who}_HANDSHAKE_TRAFFIC_SECRET"),
            _ => format!("{who}_TRAFFIC_SECRET_0"),
        };
        let log = self.log.0.lock().expect("a log");
        let (_, bytes) = log.iter().find(|(known, _)| *known == label)?;
        Some(Step::Secret {
            send,
            level,
            suite: self.suite()?,
            bytes: bytes.clone(),
        })
    }

    fn suite(&self) -> Option<Suite> {
        let suite = self.connection.as_ref()?.negotiated_cipher_suite()?;
        match suite.suite() {
            CipherSuite::TLS13_AES_128_GCM_SHA256 => Some(Suite::Aes128Gcm),
            CipherSuite::TLS13_AES_256_GCM_SHA384 => Some(Suite::Aes256Gcm),
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => Some(Suite::ChaCha20Poly1305),
            _ => None,
        }
    }

    /// Takes out everything TLS has to say.
    fn pump(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        let params = self
            .connection
            .as_ref()
            .and_then(|connection| connection.quic_transport_parameters())
            .filter(|_| !self.has_params);
        if let Some(params) = params {
            steps.push(Step::PeerParams(params.to_vec()));
            self.has_params = true;
        }
        loop {
            let Some(connection) = &mut self.connection else {
                return steps;
            };
            let mut bytes = Vec::new();
            let change = connection.write_hs(&mut bytes);
            let is_idle = bytes.is_empty() && change.is_none();
            if !bytes.is_empty() {
                steps.push(Step::Send {
                    level: self.level,
                    bytes,
                    more: false,
                });
            }
            match change {
                Some(KeyChange::Handshake { .. }) => {
                    self.level = Level::Handshake;
                    steps.extend(self.secret(true, Level::Handshake));
                    steps.extend(self.secret(false, Level::Handshake));
                }
                Some(KeyChange::OneRtt { .. }) => {
                    self.level = Level::App;
                    steps.extend(self.secret(true, Level::App));
                }
                None => {}
            }
            if is_idle {
                break;
            }
        }
        // A server may not open 1-RTT packets before the client's Finished.
        let is_complete = self
            .connection
            .as_ref()
            .is_some_and(|c| !c.is_handshaking());
        if is_complete && self.level == Level::App && !self.has_app_receive {
            self.has_app_receive = true;
            steps.extend(self.secret(false, Level::App));
        }
        steps
    }
}

impl Agent for Tls {
    fn start(&mut self) -> Vec<Step> {
        vec![Step::OwnParams]
    }

    fn on_params(&mut self, params: &[u8]) -> Vec<Step> {
        let params = params.to_vec();
        self.connection = Some(match self.side {
            Side::Client => {
                let config = Arc::new(self.client.take().expect("one start"));
                let name = ServerName::try_from(NAME).expect("a name");
                let made = ClientConnection::new(config, Version::V1, name, params);
                Connection::Client(made.expect("a client"))
            }
            Side::Server => {
                let config = Arc::new(self.server.take().expect("one start"));
                let made = ServerConnection::new(config, Version::V1, params);
                Connection::Server(made.expect("a server"))
            }
        });
        self.pump()
    }

    fn on_bytes(&mut self, _level: Level, bytes: &[u8]) -> Vec<Step> {
        let connection = self.connection.as_mut().expect("a started handshake");
        connection.read_hs(bytes).expect("a valid handshake");
        self.pump()
    }
}
