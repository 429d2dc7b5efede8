// SPDX-License-Identifier: GPL-2.0

//! QUIC, RFC 9000: the module and the list of its parts.
//!
//! The core (pure, no kernel names) takes its memory, buffers and cryptography from the three
//! facades below; [`linux`] holds all that touches C. Only files below `rust/` contain `unsafe`.

#![allow(
    unreachable_pub,
    reason = "the core's files are those of a host crate too, which has them public"
)]

use kernel::prelude::*;

#[path = "../../rust/lib.rs"]
pub mod linux;

#[path = "../../rust/aead.rs"]
pub mod aead;
#[path = "../../rust/buf.rs"]
pub mod buf;
#[path = "../../rust/mem.rs"]
pub mod mem;

pub mod common;
pub mod cong;
pub mod conn;
pub mod connid;
pub mod crypto;
pub mod frame;
pub mod inqueue;
pub mod packet;
pub mod params;
pub mod path;
pub mod recovery;
pub mod stream;

mod accept;
mod apply;
mod attached;
mod bind;
mod close;
mod connect;
mod counters;
mod demux;
mod dispatch;
mod drive;
mod errno;
mod event_bytes;
mod family;
mod globals;
mod hellos;
mod input;
mod ioctl;
mod listen;
mod listening;
mod lookup;
mod options;
mod output;
mod poll;
mod procfs;
mod protocol;
mod quotes;
mod recvmsg;
mod requests;
mod selftest;
mod send_crypto;
mod send_datagram;
mod send_stream;
mod sendmsg;
mod server_name;
mod settings;
mod socket;
mod sockopt;
mod stateless;
mod tables;
mod uapi;

module! {
    type: Quic,
    name: "quic",
    authors: ["The Linux QUIC authors"],
    description: "QUIC transport protocol (RFC 9000)",
    license: "GPL",
    alias: ["net-pf-2-proto-261", "net-pf-10-proto-261"],
    params: {
        selftest: u8 {
            default: 0,
            description: "Check the cryptography against RFC 9001 when loading (1 = yes)",
        },
        spin_bit: u8 {
            default: 1,
            description: "Show observers the round-trip time by the spin bit of RFC 9000 17.4 (0 = no)",
        },
    },
}

/// What lives as long as the module.
struct Quic {
    _protocol: protocol::Registered,
}

impl kernel::Module for Quic {
    fn init(module: &'static ThisModule) -> Result<Self> {
        if module_parameters::selftest.value() != 0 {
            selftest::run()?;
        }
        Ok(Quic {
            _protocol: protocol::register(module)?,
        })
    }
}
