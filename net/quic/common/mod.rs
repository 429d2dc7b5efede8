// SPDX-License-Identifier: GPL-2.0

//! Types that every part of the protocol core shares: numbers with a meaning, the cursor over
//! bytes, errors, the context argument, and containers whose growth may fail.
//!
//! Nothing here knows a socket, a clock or a lock.

#![forbid(unsafe_code)]

pub mod cursor;
pub mod cx;
pub mod deque;
pub mod error;
pub mod id;
pub mod inline;
pub mod map;
pub mod memory;
pub mod ranges;
pub mod rng;
pub mod time;
pub mod token;
pub mod varint;

pub use cursor::{
    NoSpace,
    Reader,
    Truncated,
    Writer, //
};
pub use cx::{
    Cx,
    Stats, //
};
pub use deque::Deque;
pub use error::{
    Error,
    ErrorCode,
    TransportError, //
};
pub use id::{
    ConnectionId,
    Dir,
    Level,
    Side,
    Space,
    StreamId,
    Version, //
};
pub use inline::InlineVec;
pub use map::OrdMap;
pub use ranges::RangeSet;
pub use rng::Rng;
pub use time::{
    Duration,
    Instant, //
};
pub use token::{
    Token,
    Tokens, //
};
pub use varint::VarInt;

/// The configuration of every model test: a fixed seed, so that a failure is the same everywhere.
#[cfg(test)]
pub(crate) fn test_config(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(0x5155_4943),
        ..Default::default()
    }
}
