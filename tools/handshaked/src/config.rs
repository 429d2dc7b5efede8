// SPDX-License-Identifier: GPL-2.0
//! The configuration file, in the format of tlshd.conf.

use std::path::{
    Path,
    PathBuf, //
};

use ini::Ini;
use quic::{
    agent::Credentials,
    Trust, //
};

/// What the file says.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) client: Credentials,
    pub(crate) server: Credentials,
    /// Messages of every handshake, not of failures only.
    pub(crate) verbose: bool,
}

impl Config {
    /// Reads a file. One that is not there means the defaults, unless it was asked for.
    pub(crate) fn read(file: &Path, must_exist: bool) -> Result<Config, String> {
        if !must_exist && !file.exists() {
            return Ok(Config::default());
        }
        let text = std::fs::read_to_string(file)
            .map_err(|err| format!("cannot read {}: {err}", file.display()))?;
        Config::parse(&text).map_err(|err| format!("{}: {err}", file.display()))
    }

    fn parse(text: &str) -> Result<Config, String> {
        let file = Ini::load_from_str(text).map_err(|err| err.to_string())?;
        let mut config = Config::default();
        for (section, values) in &file {
            let section = section.unwrap_or_default();
            for (key, value) in values {
                config.set(section, key, value)?;
            }
        }
        for (role, one) in [("client", &config.client), ("server", &config.server)] {
            if one.certificate.as_ref().is_some_and(|(chain, key)| {
                chain.as_os_str().is_empty() || key.as_os_str().is_empty()
            }) {
                return Err(format!(
                    "[authenticate.{role}] needs both x509.certificate and x509.private_key"
                ));
            }
        }
        Ok(config)
    }

    fn set(&mut self, section: &str, key: &str, value: &str) -> Result<(), String> {
        let role = match section {
            "authenticate.client" => &mut self.client,
            "authenticate.server" => &mut self.server,
            "debug" => {
                if key == "loglevel" {
                    self.verbose = value != "0";
                }
                // tlshd's other levels have no counterpart.
                return Ok(());
            }
            // Keyrings come with the requests.
            "authenticate" if key == "keyrings" => return Ok(()),
            _ => return Err(format!("unknown section or key: [{section}] {key}")),
        };
        let files = || (PathBuf::new(), PathBuf::new());
        match key {
            "x509.truststore" => role.trust = Trust::File(value.into()),
            "x509.certificate" => role.certificate.get_or_insert_with(files).0 = value.into(),
            "x509.private_key" => role.certificate.get_or_insert_with(files).1 = value.into(),
            _ => return Err(format!("unknown key: [{section}] {key}")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_tlshd_is_understood() {
        let config = Config::parse(
            "[debug]\nloglevel=1\ntls=0\nnl=0\n\n[authenticate]\nkeyrings= .nfs;.nvme\n\
             [authenticate.client]\nx509.truststore= /etc/trust.pem\n# a comment\n\
             [authenticate.server]\nx509.certificate=/etc/c.pem\nx509.private_key=/etc/k.pem\n",
        )
        .unwrap();
        assert!(config.verbose);
        assert_eq!(config.client.trust, Trust::File("/etc/trust.pem".into()));
        assert_eq!(config.client.certificate, None);
        assert_eq!(config.server.trust, Trust::System);
        assert_eq!(
            config.server.certificate,
            Some(("/etc/c.pem".into(), "/etc/k.pem".into()))
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (text, word) in [
            (
                "[authenticate.server]\nx509.certificate=/etc/c.pem\n",
                "private_key",
            ),
            ("[authenticate.server]\nx509.cert=/etc/c.pem\n", "x509.cert"),
            ("[autenticate]\nkeyrings=a\n", "[autenticate]"),
        ] {
            let err = Config::parse(text).unwrap_err();
            assert!(err.contains(word), "{err}");
        }
        let missing = Path::new("/nonexistent/file");
        assert!(Config::read(missing, false).is_ok());
        assert!(Config::read(missing, true)
            .unwrap_err()
            .contains("/nonexistent"));
    }
}
