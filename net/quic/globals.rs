// SPDX-License-Identifier: GPL-2.0

//! What all sockets of the module share.

#![forbid(unsafe_code)]

use kernel::{
    prelude::*,
    sync::Arc, //
};

use crate::{
    aead::{
        hmac,
        Hash, //
    },
    demux::Demux,
    linux::{
        net::{
            netns::NetId,
            slot::{
                Filled,
                Slot, //
            },
            udp_tunnel::Tunnels,
            work::Queue, //
        },
        rand, //
    },
    lookup::Tables,
    packet::token::TokenKey, //
};

/// Shared by all sockets; every socket holds a reference.
#[pin_data]
pub(crate) struct Globals {
    /// Where deferred work runs.
    pub(crate) queue: Arc<Queue>,
    /// The UDP sockets below.
    pub(crate) tunnels: Arc<Tunnels<Demux>>,
    /// How datagrams find their sockets.
    #[pin]
    pub(crate) tables: Tables,
    /// Derives the stateless reset tokens of this host's connection ids (RFC 9000 10.3.2).
    pub(crate) reset_key: [u8; 32],
    /// Makes the secrets that several listeners have in common.
    pub(crate) group_key: [u8; 32],
}

impl Globals {
    /// What seals the tokens of Retry packets. All listeners of a network namespace have the same: a
    /// client may have to prove its address before it is known whose it is.
    pub(crate) fn retry_key(&self, net: NetId) -> TokenKey {
        let mut key = [0; 32];
        let parts: [&[u8]; 2] = [b"retry", &net.to_bytes()];
        hmac(Hash::Sha256, &self.group_key, &parts, &mut key);
        TokenKey::new(key)
    }
}

static GLOBALS: Slot<Globals> = Slot::new();

/// Makes the shared part and publishes it until the result is dropped.
pub(crate) fn set_up() -> Result<Shared> {
    let queue = Arc::new(Queue::new(c"quic")?, GFP_KERNEL)?;
    let tunnels = Tunnels::new(queue.clone())?;
    let (mut reset_key, mut group_key) = ([0; 32], [0; 32]);
    rand::fill(&mut reset_key);
    rand::fill(&mut group_key);
    let (own, work) = (queue.clone(), queue.clone());
    let globals = Arc::pin_init(
        try_pin_init!(Globals {
            queue: own,
            tunnels,
            tables <- Tables::new(work),
            reset_key,
            group_key,
        }),
        GFP_KERNEL,
    )?;
    Ok(Shared {
        _filled: GLOBALS.fill(globals)?,
        queue,
    })
}

/// The shared part, for a new socket.
pub(crate) fn get() -> Result<Arc<Globals>> {
    GLOBALS.get().ok_or(ENODEV)
}

/// The module's hold on the shared part.
pub(crate) struct Shared {
    _filled: Filled<Globals>,
    queue: Arc<Queue>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The last sockets are gone, but their work items may still be on their way out, and the
        // memory of their tunnels too.
        self.queue.drain();
    }
}
