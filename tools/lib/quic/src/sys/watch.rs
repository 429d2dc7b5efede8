// SPDX-License-Identifier: LGPL-2.1-or-later
//! Sockets that tokio's runtime watches.

use std::{
    io,
    sync::Arc, //
};

use ::tokio::io::unix::AsyncFd;

use crate::socket::Socket;

/// A socket that tells when it is readable and writable.
pub(crate) type Watched = AsyncFd<Arc<Socket>>;

/// Lets the runtime watch a socket, and makes all calls on that return instead of waiting. Must be
/// called within a runtime.
pub(crate) fn watch(socket: Arc<Socket>) -> io::Result<Watched> {
    socket.set_nonblocking()?;
    // SAFETY: a `Socket` owns its descriptor, which is never replaced and is closed only when the
    // last reference is dropped; the `AsyncFd` keeps one.
    Ok(unsafe { AsyncFd::register(socket) }?)
}
