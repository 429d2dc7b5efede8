// SPDX-License-Identifier: GPL-2.0

//! Two connections joined by nothing: every datagram arrives at once.

#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
