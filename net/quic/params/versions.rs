// SPDX-License-Identifier: GPL-2.0

//! The version_information parameter (RFC 9368 section 3).

#![forbid(unsafe_code)]

use super::parse::bad;
use crate::common::{
    NoSpace,
    Reader,
    Side,
    TransportError,
    Version,
    Writer, //
};

/// The version in use and those that would do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VersionInformation {
    /// The version in use.
    pub chosen: Version,
    // The entries behind `len` are zero, so that derived comparison is right.
    available: [Version; Self::MAX],
    len: usize,
}

impl VersionInformation {
    /// The most versions kept; of a longer list the first count, and the version in use.
    pub const MAX: usize = 16;
    /// The most bytes written.
    pub(super) const MAX_BYTES: usize = 4 * (1 + Self::MAX);

    /// Takes the version in use and a list of which the first [`VersionInformation::MAX`] count.
    pub fn new(chosen: Version, available: &[Version]) -> Self {
        let mut info = Self {
            chosen,
            available: [Version::NEGOTIATION; Self::MAX],
            len: available.len().min(Self::MAX),
        };
        for (to, from) in info.available.iter_mut().zip(available) {
            *to = *from;
        }
        info
    }

    /// Available Versions: of a client the preferred ones first.
    pub fn available(&self) -> &[Version] {
        self.available.get(..self.len).unwrap_or_default()
    }

    /// Parses the value that an endpoint on side `sender` sent.
    ///
    /// A zero, or a client that does not list the version it chose, is a parsing failure
    /// (RFC 9368 section 4).
    pub(super) fn parse(value: &[u8], sender: Side) -> Result<Self, TransportError> {
        let malformed = || bad("version_information");
        if value.is_empty() || !value.chunks_exact(4).remainder().is_empty() {
            return Err(malformed());
        }
        let mut reader = Reader::new(value);
        let mut next = || reader.u32().map(Version);
        let mut info = Self::new(next().map_err(|_| malformed())?, &[]);
        let mut lists_chosen = false;
        while let Ok(version) = next() {
            if version == Version::NEGOTIATION {
                return Err(malformed());
            }
            lists_chosen |= version == info.chosen;
            if let Some(slot) = info.available.get_mut(info.len) {
                *slot = version;
                info.len = info.len.saturating_add(1);
            }
        }
        if info.chosen == Version::NEGOTIATION || (sender.is_client() && !lists_chosen) {
            return Err(malformed());
        }
        if lists_chosen {
            info.keep_chosen();
        }
        Ok(info)
    }

    /// A list that was cut keeps the version in use, without which a client's would be malformed.
    fn keep_chosen(&mut self) {
        if !self.available().contains(&self.chosen) {
            if let Some(last) = self.available.last_mut() {
                *last = self.chosen;
            }
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), NoSpace> {
        writer.put_u32(self.chosen.0)?;
        for version in self.available() {
            writer.put_u32(version.0)?;
        }
        Ok(())
    }
}

impl core::fmt::Debug for VersionInformation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?} of {:?}", self.chosen, self.available())
    }
}
