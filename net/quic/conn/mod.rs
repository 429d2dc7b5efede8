// SPDX-License-Identifier: GPL-2.0

//! A connection: the state of RFC 9000 for one peer, without I/O, clock or socket.
//!
//! ```text
//!  handle_datagram  --> recv -> frames --> streams, ids, paths, recovery
//!  handle_timeout   --> timers                     |
//!  calls of the user --> streams, secrets, ids ... |
//!                                                  v
//!  poll_cid_op, poll_transmit, events, next_timeout, state
//! ```
//!
//! [`Connection`] is a plain tree: every part is owned here and none knows the others. Whoever owns
//! the connection calls it under one lock, in any context unless a method says otherwise, and after
//! every call carries out what comes of it: `poll_cid_op` until `None` (an id is announced on the
//! wire only after its `Add` was taken), `poll_transmit` until `None`, `events().take_wake()`,
//! `next_timeout`, `state`.

#![forbid(unsafe_code)]

pub mod accept;
pub mod admission;
mod assemble;
pub mod client_hello;
mod close;
pub mod config;
mod crypto;
mod datagram;
mod early;
mod encrypted_extensions;
mod ending;
pub mod event;
mod fates;
mod frames;
mod handshake;
mod idle;
mod ids;
mod info;
mod migrate;
mod negotiate;
mod once;
mod open;
mod outcome;
mod reason;
mod reconfigure;
mod recv;
mod secrets;
mod spaces;
mod ticket;
mod timers;
pub mod too_big;
mod transmit;
mod undecrypted;
mod user;
mod validate;
mod versions;
mod write;

pub use close::State;
pub use config::{
    Config,
    Restart, //
};
pub use crypto::CryptoRead;
pub use info::Info;
pub use secrets::Secret;
pub use too_big::PacketTooBig;
pub use transmit::Transmit;

pub use crate::{
    connid::CidOp,
    packet::stateless::reset_token,
    path::{
        Ecn,
        PathAddr, //
    },
};

use crate::{
    buf::Pinned,
    common::{
        cx::Cx,
        error::Error,
        id::{
            ConnectionId,
            Side,
            Version, //
        },
        time::Instant, //
    },
    connid::{
        local::LocalIds,
        remote::RemoteIds,
        LOCAL_LEN, //
    },
    crypto::keys::initial_keys,
    mem::{
        Box,
        Vec, //
    },
    params::TransportParams,
    path::Paths,
    recovery::{
        self,
        Recovery, //
    },
    stream::Streams,
};
use accept::Incoming;
use close::Closing;
use datagram::Datagrams;
use event::Events;
use handshake::Handshake;
use idle::Idle;
use spaces::Spaces;
use ticket::Tickets;
use undecrypted::Undecrypted;

/// One connection.
#[derive(Debug)]
pub struct Connection {
    side: Side,
    version: Version,
    state: State,
    config: Box<Config>,
    /// What this side announces.
    local: Box<TransportParams>,
    /// What the peer announced, or what is remembered of it for 0-RTT.
    peer: Box<TransportParams>,
    handshake: Box<Handshake>,
    spaces: Box<Spaces>,
    recovery: Box<Recovery>,
    paths: Box<Paths>,
    local_ids: LocalIds,
    remote_ids: RemoteIds,
    streams: Box<Streams>,
    datagrams: Datagrams,
    early: Undecrypted,
    tickets: Tickets,
    /// Client: the token for a later connection, given by the user or by the server.
    token: Vec<u8>,
    closing: Closing,
    idle: Idle,
    events: Events,
    /// Number of the own id that the newest packet on the active path was sent to.
    active_carrier: Option<u64>,
    /// When pacing lets the next packet go, if pacing is what holds it back.
    pacing_release: Option<Instant>,
    /// When a server forgets its 0-RTT keys, or a client stops waiting for 0-RTT packets to be
    /// acknowledged.
    early_until: Option<Instant>,
    /// There was no memory to remember another packet, or no buffer for it: nothing is tried again
    /// before then, and something is then.
    starved_until: Option<Instant>,
    /// The user has closed: what the window admits goes out first, whatever pacing and Nagle say.
    is_flushing: bool,
    /// A datagram was sent.
    has_sent: bool,
    /// UDP payload received and sent, on all paths.
    bytes: (u64, u64),
    /// A frame of the packet in work found no memory.
    refused: bool,
    /// A packet could not be protected; the connection ends at the next opportunity.
    seal_failed: bool,
}

impl Connection {
    /// A client's connection. Nothing is sent before handshake bytes are written.
    ///
    /// `token` is one that this server gave in an earlier connection, or empty. Process context.
    /// Fails with `NoMemory`, or `Invalid` for addresses or settings that cannot be used.
    pub fn client(
        cx: &mut Cx<'_>,
        config: &Config,
        params: &TransportParams,
        path: PathAddr,
        token: &[u8],
    ) -> Result<Box<Self>, Error> {
        let version = Version::wanted(config.version);
        // RFC 9000 7.2 #1
        let dcid = ConnectionId::random(cx.rng, versions::FIRST_DCID);
        let mut connection = Self::new(cx, Side::Client, config, params, path, version, dcid)?;
        connection.handshake.token.try_extend_from_slice(token)?;
        connection.token.try_extend_from_slice(token)?;
        connection.set_restart(config.restart);
        // A client knows that it may send to the address it was given.
        connection.paths.active_mut().set_validated();
        Ok(connection)
    }

    /// A server's connection for a client's first Initial packet. The datagram itself is to be
    /// given to [`Self::handle_datagram`] afterwards. Process context.
    pub fn server(
        cx: &mut Cx<'_>,
        config: &Config,
        params: &TransportParams,
        incoming: &Incoming,
        path: PathAddr,
    ) -> Result<Box<Self>, Error> {
        let version = incoming.version;
        let dcid = incoming.original_dcid();
        let mut connection = Self::new(cx, Side::Server, config, params, path, version, dcid)?;
        connection.remote_ids.replace_first(incoming.scid);
        connection.local_ids.add_original(incoming.dcid);
        connection.accept_keys(incoming)?;
        Ok(connection)
    }

    fn new(
        cx: &mut Cx<'_>,
        side: Side,
        config: &Config,
        params: &TransportParams,
        path: PathAddr,
        version: Version,
        dcid: ConnectionId,
    ) -> Result<Box<Self>, Error> {
        let scid = ConnectionId::random(cx.rng, LOCAL_LEN);
        let mut spaces = boxed(|| Spaces::new(params.max_ack_delay))?;
        spaces.initial.keys = initial_keys(version, &dcid, side).map_err(|_| Error::NoMemory)?;
        let recovery = recovery::Config {
            side,
            initial_rtt: config.initial_rtt,
            mtu: crate::path::mtu::BASE,
            algorithm: config.congestion,
            ecn: config.ecn,
        };
        let pinned = Pinned::try_new()?;
        let mut connection = Box::try_new(Self {
            side,
            version,
            state: State::Establishing,
            local: boxed(|| params.clone())?,
            peer: boxed(TransportParams::default)?,
            handshake: boxed(|| Handshake::new(dcid, version))?,
            spaces,
            recovery: boxed(|| Recovery::new(recovery))?,
            paths: boxed(|| Paths::new(path, config.max_udp_payload))?,
            local_ids: LocalIds::new(scid, config.reset_key)?,
            remote_ids: RemoteIds::new(dcid, params.active_connection_id_limit)?,
            streams: boxed(|| Streams::new(side, params, pinned))?,
            datagrams: Datagrams::default(),
            early: Undecrypted::default(),
            tickets: Tickets::default(),
            token: Vec::new(),
            closing: Closing::default(),
            idle: Idle::new(cx.now, params.max_idle_timeout, config.keep_alive),
            events: Events::new(config.events),
            active_carrier: Some(0),
            pacing_release: None,
            early_until: None,
            starved_until: None,
            is_flushing: false,
            has_sent: false,
            bytes: (0, 0),
            refused: false,
            seal_failed: false,
            config: boxed(|| config.clone())?,
        })?;
        // Peers that do not ignore what they do not know are found out (RFC 9000 18.1).
        connection.local.grease = Some(cx.rng.u64());
        connection.announce_ids();
        connection.set_max_pacing_rate(config.max_pacing_rate);
        Ok(connection)
    }

    /// What follows from the token of the client's first packet.
    fn accept_keys(&mut self, incoming: &Incoming) -> Result<(), Error> {
        // RFC 9000 8.1.2: Initial keys come from the connection id the client uses now.
        self.handshake.key_dcid = incoming.dcid;
        self.handshake.original_dcid = incoming.original_dcid();
        self.handshake.retry_scid = incoming.retry_scid();
        self.spaces.initial.keys =
            initial_keys(self.version, &incoming.dcid, self.side).map_err(|_| Error::NoMemory)?;
        if incoming.is_validated() {
            self.paths.active_mut().set_validated();
        }
        self.announce_ids();
        Ok(())
    }

    /// The next change of the tables that lead packets to the connection. To be taken until `None`
    /// before anything is transmitted.
    pub fn poll_cid_op(&mut self) -> Option<CidOp> {
        self.local_ids
            .poll_op()
            .or_else(|| self.remote_ids.poll_op())
    }

    /// Which end this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// Where the connection is in its life.
    pub fn state(&self) -> State {
        self.state
    }

    /// The version in use.
    pub fn version(&self) -> u32 {
        self.version.0
    }

    /// The path in use.
    pub fn path(&self) -> PathAddr {
        self.paths.active().addr
    }

    /// Whether the handshake is confirmed (RFC 9001 4.1.2).
    pub fn is_confirmed(&self) -> bool {
        self.handshake.is_confirmed
    }

    /// Notifications and wake-ups.
    pub fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    /// The streams, to be looked at.
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    /// The streams, to be used.
    pub fn streams_mut(&mut self) -> &mut Streams {
        &mut self.streams
    }
}

/// Makes a part of the connection in memory of its own. Parts are made one by one, each in a frame
/// that is gone before the next: a kernel stack has 16 KiB.
#[inline(never)]
fn boxed<T>(make: impl FnOnce() -> T) -> Result<Box<T>, crate::mem::AllocError> {
    Box::try_new(make())
}

#[cfg(test)]
mod tests;
