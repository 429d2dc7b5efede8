// SPDX-License-Identifier: GPL-2.0
//! Hosts, ports and paths as people write them.

use std::{
    fmt,
    net::{
        IpAddr,
        Ipv6Addr,
        SocketAddr,
        ToSocketAddrs, //
    },
    str::FromStr, //
};

use crate::{
    cli::TrustArgs,
    failure::{
        Failure,
        Result, //
    },
};

/// Port taken if none is given.
pub const DEFAULT_PORT: u16 = 4433;

/// `HOST`, `HOST:PORT`, `[IPv6]:PORT` or an IPv6 address alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub host: String,
    pub port: u16,
}

/// A target with a path: `HOST:PORT/PATH`, with or without `https://` or `quic://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    pub target: Target,
    /// Begins with a slash.
    pub path: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Target, String> {
        let (host, port) = split_port(text)?;
        if host.is_empty() {
            return Err("the host is missing".into());
        }
        if host.contains(|c: char| c.is_whitespace() || c.is_control() || "/[]".contains(c)) {
            return Err(format!("{host:?} is not the name of a host"));
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(format!("{port:?} is not a port, 1 to 65535")),
                Ok(port) => port,
            },
        };
        Ok(Target {
            host: host.into(),
            port,
        })
    }
}

/// Splits off the port, if there is one.
fn split_port(text: &str) -> std::result::Result<(&str, Option<&str>), String> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let Some((host, rest)) = rest.split_once(']') else {
            return Err("the ] of the IPv6 address is missing".into());
        };
        if host.parse::<Ipv6Addr>().is_err() {
            return Err(format!("{host:?} is not an IPv6 address"));
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(format!("{rest:?} behind the ] is not a port")),
        };
    }
    match text.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => {
            Err("write an IPv6 address with a port as [ADDRESS]:PORT".into())
        }
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

impl Target {
    /// Looks the host up, and keeps the addresses of the family asked for.
    pub fn resolve(&self, trust: &TrustArgs) -> Result<Vec<SocketAddr>> {
        let found = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|err| {
                Failure::new(format!("looking up {}: {err}", self.host))
                    .hint("check the name, or give the address of the server")
            })?;
        let addrs: Vec<SocketAddr> = found
            .filter(|addr| !(trust.ipv4 && addr.is_ipv6() || trust.ipv6 && addr.is_ipv4()))
            .collect();
        if addrs.is_empty() {
            let family = if trust.ipv4 { "IPv4" } else { "IPv6" };
            return Err(Failure::new(format!(
                "{} has no {family} address",
                self.host
            )));
        }
        Ok(addrs)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(addr)) => write!(f, "[{addr}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Url, String> {
        let rest = ["https://", "quic://", "hq://"]
            .into_iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .unwrap_or(text);
        let Some((target, path)) = rest.split_once('/') else {
            return Err("the path is missing: HOST:PORT/PATH".into());
        };
        if path.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("a path has no spaces; write %20".into());
        }
        Ok(Url {
            target: target.parse()?,
            path: format!("/{path}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn targets_by_table() {
        for (text, host, port) in [
            ("host", "host", 4433),
            ("host:1", "host", 1),
            ("192.0.2.7:65535", "192.0.2.7", 65535),
            ("::1", "::1", 4433),
            ("[::1]", "::1", 4433),
            ("[2001:db8::7]:99", "2001:db8::7", 99),
            ("fd00:9::1", "fd00:9::1", 4433),
        ] {
            let host = host.into();
            assert_eq!(text.parse(), Ok(Target { host, port }), "{text}");
        }
        for text in [
            "",
            ":1",
            "host:",
            "host:0",
            "host:65536",
            "host:-1",
            "host:http",
            "[::1",
            "[::1]x",
            "[host]:1",
            "1:2:3:4:5:6:7:8:9",
            "a b",
            "a/b",
            "a\nb",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn urls_by_table() {
        for (text, target, path) in [
            ("host/", "host:4433", "/"),
            ("host:1/a/b", "host:1", "/a/b"),
            ("https://host/a", "host:4433", "/a"),
            ("[::1]:5/x?y", "[::1]:5", "/x?y"),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!(url.target.to_string(), target, "{text}");
            assert_eq!(url.path, path, "{text}");
        }
        for text in ["host", "/path", "host:x/a", "host/a b", "host/a\r\nb"] {
            assert!(text.parse::<Url>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(host in "[a-z][a-z0-9.-]{0,20}", port in 1u16..) {
            let target = Target { host, port };
            prop_assert_eq!(target.to_string().parse(), Ok(target));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in ".{0,60}") {
            let _ = text.parse::<Target>();
            let _ = text.parse::<Url>();
        }
    }
}
