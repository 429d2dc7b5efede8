// SPDX-License-Identifier: GPL-2.0

//! Server names: the list that a listener may have (QUIC_SOCKOPT_SERVER_NAME), and whether it
//! holds the one that a client asks for (RFC 6066 3).
//!
//! A list is kept in lower case, joined by commas. `*.example.org` stands for every name with one
//! more label in front of `example.org`.

#![forbid(unsafe_code)]

use kernel::prelude::*;

/// Longest list, bytes.
pub(crate) const MAX_LIST: usize = 1024;
/// Names in a list: they are compared under a lock.
const MAX_NAMES: usize = 16;
/// Longest host name (RFC 1035 2.3.4), bytes.
const MAX_NAME: usize = 253;

/// How a list matches, from the least to the most specific.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Match {
    /// It names no servers.
    Any,
    /// By a `*`.
    Wildcard,
    /// By the very name.
    Exact,
}

/// Brings a list into its canonical form. `EINVAL` for what is no host name and for too many.
pub(crate) fn normalize(list: &[u8]) -> Result<KVec<u8>> {
    let mut out = KVec::with_capacity(list.len(), GFP_KERNEL)?;
    for (i, name) in list.split(|b| *b == b',').enumerate() {
        let name = name.trim_ascii_start();
        if i >= MAX_NAMES || !is_name(name) {
            return Err(EINVAL);
        }
        if !out.is_empty() {
            out.push(b',', GFP_KERNEL)?;
        }
        for byte in name {
            out.push(byte.to_ascii_lowercase(), GFP_KERNEL)?;
        }
    }
    Ok(out)
}

/// Whether this is a host name, or one with a `*` as its first label.
fn is_name(name: &[u8]) -> bool {
    let plain = name.strip_prefix(b"*.").unwrap_or(name);
    let is_label = |label: &[u8]| {
        let is_legal = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.iter().all(is_legal)
    };
    name.len() <= MAX_NAME && plain.split(|c| *c == b'.').all(is_label)
}

/// How `list` holds the name that a client asks for; `None` if it does not.
pub(crate) fn find(list: &[u8], wanted: Option<&[u8]>) -> Option<Match> {
    if list.is_empty() {
        return Some(Match::Any);
    }
    let wanted = wanted.filter(|name| name.len() <= MAX_NAME)?;
    list.split(|c| *c == b',')
        .filter_map(|name| compare(name, wanted))
        .max()
}

/// Whether some server has both names, of which either may begin with a `*`.
pub(crate) fn meet(a: &[u8], b: &[u8]) -> bool {
    compare(a, b).is_some() || compare(b, a).is_some()
}

fn compare(name: &[u8], wanted: &[u8]) -> Option<Match> {
    match name.strip_prefix(b"*") {
        None => name.eq_ignore_ascii_case(wanted).then_some(Match::Exact),
        Some(rest) => {
            let label = wanted.iter().position(|c| *c == b'.')?;
            let tail = wanted.get(label..)?;
            (label > 0 && rest.eq_ignore_ascii_case(tail)).then_some(Match::Wildcard)
        }
    }
}
