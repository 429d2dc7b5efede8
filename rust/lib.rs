// SPDX-License-Identifier: GPL-2.0

//! What the `kernel` crate lacks for a network protocol, written as if for upstream.
//!
//! Everything below `rust/` may use `unsafe`, C symbols and kernel names; nothing else in the module
//! does. Each file wraps one C header and says so. The facades of the core (`mem`, `buf`, `aead`)
//! lie next to this file, but are mounted at the crate root, where the core looks for them.

pub(crate) mod bindings;
pub mod crypto;
pub mod net;
pub mod pinned;
pub mod rand;
pub mod sync;
pub mod time;
pub mod uapi;
pub mod window;
