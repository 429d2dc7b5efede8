// SPDX-License-Identifier: LGPL-2.1-or-later
//! Pre-shared keys and the files that hold them: lines of `identity:key in hexadecimal`.

use std::{
    collections::HashMap,
    fmt,
    path::Path, //
};

use crate::error::{
    Error,
    Result, //
};

/// Longest identity, RFC 8446 4.2.11 minus what GnuTLS adds.
const IDENTITY_LEN: usize = 128;
/// Longest key that GnuTLS takes.
const KEY_LEN: usize = 512;

/// One pre-shared key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Psk {
    pub(crate) identity: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

/// The keys that a server accepts.
#[derive(Clone, Default)]
pub(crate) struct PskKeys(HashMap<Vec<u8>, Vec<u8>>);

// Secrets stay out of logs.
impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Psk({})", String::from_utf8_lossy(&self.identity))
    }
}

impl fmt::Debug for PskKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PskKeys({})", self.0.len())
    }
}

impl Psk {
    pub(crate) fn new(identity: Vec<u8>, key: Vec<u8>) -> Result<Psk> {
        if identity.is_empty() || identity.len() > IDENTITY_LEN {
            return Err(Error::Config(format!(
                "the identity of a pre-shared key has 1 to {IDENTITY_LEN} bytes"
            )));
        }
        if key.is_empty() || key.len() > KEY_LEN {
            return Err(Error::Config(format!(
                "a pre-shared key has 1 to {KEY_LEN} bytes"
            )));
        }
        Ok(Psk { identity, key })
    }

    /// The first key of a file.
    pub(crate) fn first_of_file(file: &Path) -> Result<Psk> {
        let mut keys = read_file(file)?;
        match keys.is_empty() {
            true => Err(Error::Config(format!(
                "there is no key in {}",
                file.display()
            ))),
            false => Ok(keys.swap_remove(0)),
        }
    }
}

impl PskKeys {
    /// All keys of a file.
    pub(crate) fn from_file(file: &Path) -> Result<PskKeys> {
        let keys = read_file(file)?;
        Ok(PskKeys(
            keys.into_iter()
                .map(|psk| (psk.identity, psk.key))
                .collect(),
        ))
    }

    pub(crate) fn insert(&mut self, identity: Vec<u8>, key: Vec<u8>) -> Result<()> {
        let psk = Psk::new(identity, key)?;
        self.0.insert(psk.identity, psk.key);
        Ok(())
    }

    pub(crate) fn get(&self, identity: &[u8]) -> Option<&[u8]> {
        self.0.get(identity).map(Vec::as_slice)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn read_file(file: &Path) -> Result<Vec<Psk>> {
    let text = std::fs::read(file)
        .map_err(|err| Error::Config(format!("cannot read {}: {err}", file.display())))?;
    let mut keys = Vec::new();
    for (nr, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let psk = parse_line(line).ok_or_else(|| {
            let file = file.display();
            Error::Config(format!(
                "{file}, line {nr}: expected identity:key in hexadecimal"
            ))
        })?;
        keys.push(psk);
    }
    Ok(keys)
}

/// The key is behind the last colon, so identities may contain colons.
fn parse_line(line: &[u8]) -> Option<Psk> {
    let colon = line.iter().rposition(|byte| *byte == b':')?;
    let (identity, rest) = line.split_at_checked(colon)?;
    let digits = rest.get(1..)?;
    if digits.len() % 2 != 0 {
        return None;
    }
    let key: Option<Vec<u8>> = digits.chunks(2).map(parse_byte).collect();
    Psk::new(identity.to_vec(), key?).ok()
}

fn parse_byte(digits: &[u8]) -> Option<u8> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_key_file_are_an_identity_and_hexadecimal_digits() {
        let psk = |identity: &str, key: &[u8]| {
            Some(Psk {
                identity: identity.into(),
                key: key.into(),
            })
        };
        for (line, expected) in [
            ("me:00ff", psk("me", &[0, 255])),
            ("a:b:0aF0", psk("a:b", &[10, 240])),
            ("me:", None),
            (":00", None),
            ("me:0", None),
            ("me:0g", None),
            ("me:+1", None),
            ("me", None),
        ] {
            assert_eq!(parse_line(line.as_bytes()), expected, "{line}");
        }
    }
}
