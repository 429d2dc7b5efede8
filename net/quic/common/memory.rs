// SPDX-License-Identifier: GPL-2.0

//! How much memory there is for what a peer sends.
//!
//! Whoever owns the connection says so before it hands a datagram in; the core decides what that
//! means for each frame.

#![forbid(unsafe_code)]

/// Memory for data that is received, beyond what is held already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Memory {
    /// As much as the windows allow.
    #[default]
    Plenty,
    /// It becomes scarce: windows stay as they are.
    Scarce,
    /// None. Data is refused, and its packet not acknowledged, unless there is nothing to be read
    /// and the data can be: so that a reader always gets on, at the cost of one packet.
    Exhausted,
}
