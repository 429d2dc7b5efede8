// SPDX-License-Identifier: LGPL-2.1-or-later
//! Sending before the handshake (0-RTT, RFC 9001 4.6).

use std::sync::Arc;

use crate::{
    conn::{
        Connection,
        Shared, //
    },
    error::Result,
    establish::Pending,
    stream::{
        BiStream,
        SendStream, //
    },
};

/// A connection whose handshake is not finished: what is written now leaves at once.
/// Made by [`Connection::connect_early`].
///
/// Only as much can be written as the server permitted in the earlier connection; more waits for
/// the handshake, and so for ever if the same thread is to call [`Self::handshake`]. Reading waits
/// for the handshake, too.
#[must_use = "the handshake has still to be finished"]
pub struct EarlyConnection(Pending);

impl EarlyConnection {
    pub(crate) fn new(pending: Pending) -> Result<EarlyConnection> {
        pending.open_for_early_data()?;
        Ok(EarlyConnection(pending))
    }

    /// Opens a bidirectional stream for early data.
    pub fn open_bi(&self) -> Result<BiStream> {
        Shared::open_bi(&self.0.opening.shared)
    }

    /// Opens a unidirectional stream for early data.
    pub fn open_uni(&self) -> Result<SendStream> {
        Shared::open_uni(&self.0.opening.shared)
    }

    /// Finishes the handshake and verifies the server. Streams opened before go on.
    /// [`ConnectionInfo::early_data`] tells whether the server took what was sent early.
    ///
    /// [`ConnectionInfo::early_data`]: crate::ConnectionInfo::early_data
    pub fn handshake(self) -> Result<Connection> {
        self.0.finish()
    }
}

impl Shared {
    /// Opens a bidirectional stream.
    pub(crate) fn open_bi(self: &Arc<Self>) -> Result<BiStream> {
        let id = self.open(false)?;
        self.demux.opened(id);
        Ok(BiStream::new(self, id))
    }

    /// Opens a unidirectional stream.
    pub(crate) fn open_uni(self: &Arc<Self>) -> Result<SendStream> {
        let id = self.open(true)?;
        Ok(SendStream::new(Arc::clone(self), id))
    }
}
