// SPDX-License-Identifier: GPL-2.0

//! The protocol core of `net/quic`, compiled for the host.
//!
//! Every module below `net/quic/` is the file of the kernel module, mounted by path and unchanged.
//! Only the three facades (`mem`, `buf` and `aead`) have a twin of their own here, shaped like the
//! kernel's: fallible, with explicit growth, and with fail points for the allocation-failure sweep.
//!
//! A file mounted by `#[path]` resolves its own out-of-line submodules next to itself, so a core
//! module with submodules is a directory with a `mod.rs`.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
// No panic may be reachable from what a peer or a program sends.  Test code is free to panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

pub mod aead;
pub mod buf;
pub mod mem;

#[path = "../../../../../net/quic/common/mod.rs"]
pub mod common;

#[path = "../../../../../net/quic/frame/mod.rs"]
pub mod frame;

#[path = "../../../../../net/quic/packet/mod.rs"]
pub mod packet;

#[path = "../../../../../net/quic/crypto/mod.rs"]
pub mod crypto;

#[path = "../../../../../net/quic/cong/mod.rs"]
pub mod cong;

#[path = "../../../../../net/quic/recovery/mod.rs"]
pub mod recovery;

#[path = "../../../../../net/quic/params/mod.rs"]
pub mod params;

#[path = "../../../../../net/quic/inqueue.rs"]
pub mod inqueue;

#[path = "../../../../../net/quic/stream/mod.rs"]
pub mod stream;

#[path = "../../../../../net/quic/connid/mod.rs"]
pub mod connid;

#[path = "../../../../../net/quic/path/mod.rs"]
pub mod path;

#[path = "../../../../../net/quic/conn/mod.rs"]
pub mod conn;
