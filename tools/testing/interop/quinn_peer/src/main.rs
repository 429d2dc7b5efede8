// SPDX-License-Identifier: GPL-2.0

//! The other end for the interoperation tests: hq-interop (HTTP/0.9 over QUIC) with quinn.
//!
//! ```text
//! quinn_peer server ADDRESS PORT CERTIFICATE KEY FOLDER
//! quinn_peer client ADDRESS PORT AUTHORITY NAME FOLDER PATH...
//! ```
//!
//! The server prints "listening" once it is ready. The client stores each answer in FOLDER, and verifies the server's
//! certificate against AUTHORITY and NAME. Options come from the environment: `RETRY=1` (server: validate addresses by
//! Retry), `CHACHA20=1` (only that cipher), `KEY_UPDATE=1` (client: new keys before the requests), `EARLY=1` (client:
//! a second connection, whose requests must arrive as early data).

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, Endpoint, Incoming, RecvStream, SendStream};
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use rustls::RootCertStore;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const ALPN: &[u8] = b"hq-interop";

fn asked(option: &str) -> bool {
    std::env::var_os(option).is_some()
}

/// The cryptography, with one cipher where only that one is asked for. The suite of the Initial packets stays.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = default_provider();
    if asked("CHACHA20") {
        provider.cipher_suites = vec![
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
        ];
    }
    Arc::new(provider)
}

/// The file a path of a request means: nothing outside the folder.
fn file_in(folder: &Path, path: &str) -> PathBuf {
    folder.join(Path::new(path).file_name().unwrap_or_default())
}

async fn answer(mut send: SendStream, mut recv: RecvStream, folder: PathBuf) -> Result<()> {
    let request = String::from_utf8(recv.read_to_end(4096).await?)?;
    let path = request.split_whitespace().nth(1).ok_or("no path")?;
    send.write_all(&std::fs::read(file_in(&folder, path))?)
        .await?;
    send.finish()?;
    send.stopped().await?;
    Ok(())
}

async fn serve(incoming: Incoming, folder: PathBuf) -> Result<()> {
    let connecting = incoming.accept()?;
    // Early data of a client is served before the handshake is done.
    let conn = match connecting.into_0rtt() {
        Ok((conn, _)) => conn,
        Err(connecting) => connecting.await?,
    };
    while let Ok((send, recv)) = conn.accept_bi().await {
        tokio::spawn(answer(send, recv, folder.clone()));
    }
    Ok(())
}

async fn server(address: SocketAddr, certificate: &str, key: &str, folder: &str) -> Result<()> {
    let chain =
        CertificateDer::pem_file_iter(certificate)?.collect::<std::result::Result<Vec<_>, _>>()?;
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.max_early_data_size = u32::MAX;
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let endpoint = Endpoint::server(config, address)?;
    println!("listening");
    while let Some(incoming) = endpoint.accept().await {
        if asked("RETRY") && !incoming.remote_address_validated() {
            incoming.retry()?;
        } else {
            tokio::spawn(serve(incoming, folder.into()));
        }
    }
    Ok(())
}

async fn get(conn: Connection, path: String, folder: PathBuf) -> Result<()> {
    let (mut send, mut recv) = conn.open_bi().await?;
    send.write_all(format!("GET /{path}\r\n").as_bytes())
        .await?;
    send.finish()?;
    let data = recv.read_to_end(1 << 30).await?;
    std::fs::write(file_in(&folder, &path), &data)?;
    println!("got {path}: {} bytes", data.len());
    Ok(())
}

async fn fetch(conn: &Connection, folder: &str, paths: &[String]) -> Result<()> {
    let requests: Vec<_> = paths
        .iter()
        .map(|path| tokio::spawn(get(conn.clone(), path.clone(), folder.into())))
        .collect();
    for request in requests {
        request.await??;
    }
    Ok(())
}

fn client_config(authority: &str) -> Result<quinn::ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority)? {
        roots.add(certificate?)?;
    }
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN.to_vec()];
    tls.enable_early_data = true;
    Ok(quinn::ClientConfig::new(Arc::new(
        QuicClientConfig::try_from(tls)?,
    )))
}

/// Second connections, until the requests of one arrive as early data. rustls rounds the age of a ticket to seconds, and
/// GnuTLS refuses early data with a ticket that is older for the client than for itself: where a second has ended since
/// the ticket came, the next connection makes a new one.
const EARLY_TRIES: usize = 10;

async fn early(
    endpoint: &Endpoint,
    address: SocketAddr,
    name: &str,
    folder: &str,
    paths: &[String],
) -> Result<()> {
    for _ in 0..EARLY_TRIES {
        let connecting = endpoint.connect(address, name)?;
        let (conn, accepted) = connecting
            .into_0rtt()
            .map_err(|_| "the server's ticket allows no early data")?;
        let fetched = fetch(&conn, folder, paths).await;
        if accepted.await {
            println!("early data was accepted");
            conn.close(0u32.into(), b"");
            return fetched;
        }
        fetch(&conn, folder, paths).await?;
        conn.close(0u32.into(), b"");
    }
    Err("the early data was not accepted".into())
}

async fn client(
    address: SocketAddr,
    authority: &str,
    name: &str,
    folder: &str,
    paths: &[String],
) -> Result<()> {
    let any = if address.is_ipv4() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    } else {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    };
    let mut endpoint = Endpoint::client(SocketAddr::new(any, 0))?;
    endpoint.set_default_client_config(client_config(authority)?);
    let conn = endpoint.connect(address, name)?.await?;
    if asked("KEY_UPDATE") {
        conn.force_key_update();
    }
    fetch(&conn, folder, paths).await?;
    conn.close(0u32.into(), b"");
    if asked("EARLY") {
        early(&endpoint, address, name, folder, paths).await?;
    }
    endpoint.wait_idle().await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [role, host, port, certificate, key, folder] if role == "server" => {
            server(
                SocketAddr::new(host.parse()?, port.parse()?),
                certificate,
                key,
                folder,
            )
            .await
        }
        [role, host, port, authority, name, folder, paths @ ..] if role == "client" => {
            client(
                SocketAddr::new(host.parse()?, port.parse()?),
                authority,
                name,
                folder,
                paths,
            )
            .await
        }
        _ => Err("usage: quinn_peer server|client ADDRESS PORT ... (see the source)".into()),
    }
}
