// SPDX-License-Identifier: GPL-2.0

//! Packet protection (RFC 9001, RFC 9369): keys from secrets, their limits, and key updates.
//!
//! Secrets are wiped when dropped.  Keys that are made from a secret of TLS allocate and may sleep
//! in the kernel; everything else here may be called in any context.

#![forbid(unsafe_code)]

pub mod hkdf;
pub mod keys;
pub mod limits;
pub mod one_rtt;
pub mod retry;
#[cfg(test)]
mod tests;

pub use keys::{
    initial_keys,
    RxKeys,
    Secret,
    SpaceKeys,
    TxKeys, //
};
pub use one_rtt::OneRtt;
pub use retry::retry_tag;
