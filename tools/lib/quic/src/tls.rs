// SPDX-License-Identifier: LGPL-2.1-or-later
//! TLS as QUIC wants it: credentials made once, sessions made for each connection.

use std::{
    ffi::CString,
    net::IpAddr,
    path::{
        Path,
        PathBuf, //
    },
    sync::Arc, //
};

use crate::{
    config::{
        Cipher,
        ClientAuth,
        Trust, //
    },
    error::{
        Error,
        Result, //
    },
    handshake::{
        Setup,
        Tickets, //
    },
    settings::Settings,
    sys::gnutls::{
        AntiReplay,
        CertificateCredentials,
        ClientPskCredentials,
        Code,
        PeerName,
        ServerPskCredentials,
        Session, //
    },
};

mod keylog;
mod psk;

pub(crate) use keylog::KeyLog;
pub(crate) use psk::{
    Psk,
    PskKeys, //
};

/// TLS 1.3 without its middlebox compatibility, the groups and ciphers of QUIC, with and without
/// certificates. The ciphers are put in by [`priority`].
// RFC 9001 4.2 #1
// RFC 9001 8.4 #1
const PRIORITY: &str = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+PSK:+ECDHE-PSK:-CIPHER-ALL{}:-GROUP-ALL\
    :+GROUP-SECP256R1:+GROUP-X25519:+GROUP-SECP384R1:+GROUP-SECP521R1\
    :%DISABLE_TLS13_COMPAT_MODE";

/// A session ready for its handshake, with what the handshake itself has to know.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) session: Session,
    pub(crate) is_server: bool,
    /// The name in messages about certificates.
    pub(crate) peer_name: Option<String>,
    /// Keys that the peer may use.
    pub(crate) psks: Option<Arc<PskKeys>>,
    pub(crate) key_log: Option<Arc<KeyLog>>,
    /// A connection without a common application protocol fails.
    pub(crate) needs_alpn: bool,
    /// Who makes a server's tickets possible.
    pub(crate) tickets: Tickets,
    /// The end of the handshake proves who the peer is.
    pub(crate) verifies_peer: bool,
}

/// A [`Prepared`] session for the machine.
pub(crate) struct Parts {
    pub(crate) session: Session,
    pub(crate) setup: Setup,
}

impl Prepared {
    pub(crate) fn split(self) -> Parts {
        Parts {
            session: self.session,
            setup: Setup {
                is_server: self.is_server,
                peer_name: self.peer_name,
                psks: self.psks,
                key_log: self.key_log,
                needs_alpn: self.needs_alpn,
                tickets: self.tickets,
                sends_singly: false,
            },
        }
    }
}

/// What all sessions of a client share.
#[derive(Debug)]
pub(crate) struct ClientTls {
    auth: ClientCredentials,
    priority: String,
}

#[derive(Debug)]
enum ClientCredentials {
    Certificates {
        cred: Arc<CertificateCredentials>,
        verify: bool,
    },
    Psk(Arc<ClientPskCredentials>),
}

impl ClientTls {
    /// Verifies servers by certificate. `certificate` is the client's own, with its key.
    pub(crate) fn with_trust(
        trust: &Trust,
        certificate: Option<(&Path, &Path)>,
        ciphers: &[Cipher],
    ) -> Result<ClientTls> {
        let mut cred = CertificateCredentials::new().map_err(tls_error)?;
        load_trust(&mut cred, trust)?;
        if let Some((chain, key)) = certificate {
            load_key(&mut cred, chain, key)?;
        }
        Ok(ClientTls {
            auth: ClientCredentials::Certificates {
                cred: Arc::new(cred),
                verify: *trust != Trust::InsecureNoVerification,
            },
            priority: priority(ciphers),
        })
    }

    /// Verifies servers by certificate, unless told not to, with credentials that others share.
    pub(crate) fn with_credentials(
        cred: Arc<CertificateCredentials>,
        verify: bool,
        ciphers: &[Cipher],
    ) -> ClientTls {
        ClientTls {
            auth: ClientCredentials::Certificates { cred, verify },
            priority: priority(ciphers),
        }
    }

    /// Knows servers by a pre-shared key.
    pub(crate) fn with_psk(psk: &Psk, ciphers: &[Cipher]) -> Result<ClientTls> {
        let cred = ClientPskCredentials::new(&psk.identity, &psk.key).map_err(tls_error)?;
        Ok(ClientTls {
            auth: ClientCredentials::Psk(Arc::new(cred)),
            priority: priority(ciphers),
        })
    }

    /// A session with the server of this name, or of any.
    pub(crate) fn session(
        &self,
        server_name: Option<&str>,
        settings: &Settings,
        early_data: bool,
    ) -> Result<Prepared> {
        let mut session = Session::client(early_data).map_err(tls_error)?;
        prepare(&mut session, &self.priority, settings)?;
        let name = server_name.map_or(Ok(PeerName::AnyServer), parse_name)?;
        if let PeerName::Dns(name) = &name {
            let sni = name.as_bytes();
            session.set_server_name(sni).map_err(tls_error)?;
        }
        let verifies_peer = match &self.auth {
            ClientCredentials::Certificates { cred, verify } => {
                session.use_certificates(cred).map_err(tls_error)?;
                if *verify {
                    session.verify(&name);
                }
                *verify
            }
            ClientCredentials::Psk(cred) => {
                session.use_client_psk(cred).map_err(tls_error)?;
                true
            }
        };
        Ok(Prepared {
            session,
            is_server: false,
            peer_name: server_name.map(str::to_owned),
            psks: None,
            key_log: settings.key_log.clone(),
            needs_alpn: !settings.alpn.is_empty(),
            tickets: Tickets::None,
            verifies_peer,
        })
    }
}

/// What all sessions of a server share.
#[derive(Debug)]
pub(crate) struct ServerTls {
    cred: Option<Arc<CertificateCredentials>>,
    psk: Option<Arc<ServerPskCredentials>>,
    keys: Arc<PskKeys>,
    client_auth: ClientAuth,
    replay: Arc<AntiReplay>,
    priority: String,
}

impl ServerTls {
    pub(crate) fn new(
        certificates: &[(PathBuf, PathBuf)],
        keys: PskKeys,
        client_auth: &ClientAuth,
        ciphers: &[Cipher],
    ) -> Result<ServerTls> {
        if certificates.is_empty() && keys.is_empty() {
            return Err(Error::Config(
                "a server needs a certificate or a pre-shared key".into(),
            ));
        }
        let cred = match certificates {
            [] => None,
            list => {
                let mut cred = CertificateCredentials::new().map_err(tls_error)?;
                for (chain, key) in list {
                    load_key(&mut cred, chain, key)?;
                }
                if let ClientAuth::Request(trust) | ClientAuth::Require(trust) = client_auth {
                    load_trust(&mut cred, trust)?;
                }
                Some(Arc::new(cred))
            }
        };
        let psk = match keys.is_empty() {
            true => None,
            false => Some(Arc::new(ServerPskCredentials::new().map_err(tls_error)?)),
        };
        Ok(ServerTls {
            cred,
            psk,
            keys: Arc::new(keys),
            client_auth: client_auth.clone(),
            replay: Arc::new(AntiReplay::new().map_err(tls_error)?),
            priority: priority(ciphers),
        })
    }

    /// With credentials and a memory of early data that others share.
    pub(crate) fn with_credentials(
        cred: Option<Arc<CertificateCredentials>>,
        keys: PskKeys,
        client_auth: ClientAuth,
        replay: Arc<AntiReplay>,
        ciphers: &[Cipher],
    ) -> Result<ServerTls> {
        let psk = match keys.is_empty() {
            true => None,
            false => Some(Arc::new(ServerPskCredentials::new().map_err(tls_error)?)),
        };
        Ok(ServerTls {
            cred,
            psk,
            keys: Arc::new(keys),
            client_auth,
            replay,
            priority: priority(ciphers),
        })
    }

    /// A session with a client.
    pub(crate) fn session(
        &self,
        settings: &Settings,
        tickets: Tickets,
        early_data: bool,
    ) -> Result<Prepared> {
        let mut session = Session::server(early_data).map_err(tls_error)?;
        prepare(&mut session, &self.priority, settings)?;
        session.use_anti_replay(&self.replay);
        if let Some(cred) = &self.cred {
            session.use_certificates(cred).map_err(tls_error)?;
        }
        if let Some(psk) = &self.psk {
            session.use_server_psk(psk).map_err(tls_error)?;
        }
        let trust = match &self.client_auth {
            ClientAuth::None => None,
            ClientAuth::Request(trust) => Some((trust, false)),
            ClientAuth::Require(trust) => Some((trust, true)),
        };
        if let Some((trust, required)) = trust {
            session.request_certificate(required);
            match (trust, required) {
                (Trust::InsecureNoVerification, _) => {}
                (_, true) => session.verify(&PeerName::AnyClient),
                (_, false) => session.verify_if_shown(),
            }
        }
        let verifies = trust.is_some_and(|(trust, _)| *trust != Trust::InsecureNoVerification);
        Ok(Prepared {
            session,
            is_server: true,
            peer_name: None,
            psks: Some(Arc::clone(&self.keys)),
            key_log: settings.key_log.clone(),
            needs_alpn: !settings.alpn.is_empty(),
            tickets,
            verifies_peer: verifies,
        })
    }
}

/// What every session gets.
fn prepare(session: &mut Session, priority: &str, settings: &Settings) -> Result<()> {
    let session = session.as_ref();
    session.set_priority(priority).map_err(tls_error)?;
    if !settings.alpn.is_empty() {
        let names: Vec<&[u8]> = settings.alpn.iter().map(|name| name.as_bytes()).collect();
        session.set_alpn(&names).map_err(tls_error)?;
    }
    Ok(())
}

/// The priority string with these ciphers.
pub(crate) fn priority(ciphers: &[Cipher]) -> String {
    let list = ciphers
        .iter()
        .fold(String::new(), |list, cipher| list + ":+" + cipher.name());
    PRIORITY.replace("{}", &list)
}

/// A host name or an address. Addresses may be in brackets, names may end in a dot.
fn parse_name(name: &str) -> Result<PeerName> {
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    if let Ok(ip) = bare.unwrap_or(name).parse::<IpAddr>() {
        return Ok(PeerName::Ip(ip));
    }
    let host = name.strip_suffix('.').unwrap_or(name);
    match CString::new(host) {
        Ok(host) if !host.is_empty() => Ok(PeerName::Dns(host)),
        _ => Err(Error::Config(format!("{name:?} cannot be a server's name"))),
    }
}

pub(crate) fn load_trust(cred: &mut CertificateCredentials, trust: &Trust) -> Result<()> {
    let (count, what) = match trust {
        Trust::InsecureNoVerification => return Ok(()),
        Trust::System => (cred.trust_system(), "the system's trust store".to_owned()),
        Trust::File(file) => {
            readable(file)?;
            (cred.trust_file(file), file.display().to_string())
        }
    };
    match count {
        Ok(0) => Err(Error::Config(format!("there is no certificate in {what}"))),
        Ok(_) => Ok(()),
        Err(code) => Err(Error::Config(format!(
            "cannot use the certificates in {what}: {}",
            code.text()
        ))),
    }
}

pub(crate) fn load_key(cred: &mut CertificateCredentials, chain: &Path, key: &Path) -> Result<()> {
    readable(chain)?;
    readable(key)?;
    cred.add_key(chain, key).map_err(|code| {
        let (chain, key, why) = (chain.display(), key.display(), code.text());
        Error::Config(format!(
            "cannot use certificate {chain} with key {key}: {why}"
        ))
    })
}

/// GnuTLS only says "error while reading file"; the system says which and why.
fn readable(file: &Path) -> Result<()> {
    match std::fs::File::open(file) {
        Ok(_) => Ok(()),
        Err(err) => Err(Error::Config(format!(
            "cannot read {}: {err}",
            file.display()
        ))),
    }
}

/// A failure of GnuTLS outside of a handshake.
pub(crate) fn tls_error(code: Code) -> Error {
    Error::Config(format!("cannot set up TLS: {}", code.text()))
}
