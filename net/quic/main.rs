// SPDX-License-Identifier: GPL-2.0

//! QUIC, RFC 9000: the module and the list of its parts.

use kernel::prelude::*;

#[path = "../../rust/lib.rs"]
pub mod linux;

module! {
    type: Quic,
    name: "quic",
    authors: ["The Linux QUIC authors"],
    description: "QUIC transport protocol (RFC 9000)",
    license: "GPL",
    alias: ["net-pf-2-proto-261", "net-pf-10-proto-261"],
}

struct Quic;

impl kernel::Module for Quic {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Quic)
    }
}
