// SPDX-License-Identifier: GPL-2.0

//! What there is once for bidirectional and once for unidirectional streams.

#![forbid(unsafe_code)]

use crate::common::id::Dir;

/// A value for each of the two directions of streams.
#[derive(Debug, Default)]
pub(super) struct PerDir<T> {
    pub(super) bidi: T,
    pub(super) uni: T,
}

impl<T> PerDir<T> {
    /// The value of a direction.
    pub(super) fn get(&self, dir: Dir) -> &T {
        match dir {
            Dir::Bidi => &self.bidi,
            Dir::Uni => &self.uni,
        }
    }

    /// The value of a direction, to be changed.
    pub(super) fn get_mut(&mut self, dir: Dir) -> &mut T {
        match dir {
            Dir::Bidi => &mut self.bidi,
            Dir::Uni => &mut self.uni,
        }
    }
}
