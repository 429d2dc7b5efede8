// SPDX-License-Identifier: GPL-2.0

//! What the `kernel` crate lacks for a network protocol, written as if for upstream.
//!
//! Everything below `rust/` may use `unsafe`, C symbols and kernel names; nothing else in the module
//! does. Each file wraps one C header and says so.

pub mod bindings;
