// SPDX-License-Identifier: LGPL-2.1-or-later
//! System calls and GnuTLS behind safe functions. Apart from `capi`, the only place with
//! `unsafe`.

pub(crate) mod gnutls;
pub(crate) mod sock;
#[cfg(feature = "tokio")]
pub(crate) mod watch;
