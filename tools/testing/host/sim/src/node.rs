// SPDX-License-Identifier: GPL-2.0

//! Nodes on the network: a client, and a server with its listener.

use std::collections::{
    HashMap,
    VecDeque, //
};
use std::net::SocketAddr;
use std::rc::Rc;

use quic_core::common::cx::{
    Cx,
    Stats, //
};
use quic_core::common::error::TransportError;
use quic_core::common::id::{
    ConnectionId,
    Side,
    Version, //
};
use quic_core::common::time::Instant;
use quic_core::conn::accept::{
    FirstPacket,
    Incoming,
    Validation, //
};
use quic_core::conn::{
    reset_token,
    CidOp,
    Config,
    Connection,
    PathAddr,
    State, //
};
use quic_core::packet::replay::ReplayFilter;
use quic_core::packet::stateless;
use quic_core::packet::token::{
    Claims,
    TokenKey,
    TokenKind,
    MAX_TOKEN_LEN, //
};
use quic_core::params::TransportParams;

use crate::app::{
    App,
    Plan, //
};
use crate::net::Packet;
use crate::peer::Peer;
use crate::rng::SeedRng;
use crate::tls::{
    Agent,
    Script,
    Shape, //
};
use crate::watch::Watch;
use crate::world::Node;

/// Length of the connection ids of the core.
const CID: usize = 8;

/// What a scenario does to a connection that was just made.
pub type Prepare = Rc<dyn Fn(&mut Connection)>;

/// Makes the handshake agent of a connection.
pub type MakeAgent = Rc<dyn Fn(Side) -> Box<dyn Agent>>;

/// What both kinds of nodes are made from.
#[derive(Clone)]
pub struct Setup {
    /// Settings of the connection.
    pub config: Config,
    /// Transport parameters.
    pub params: TransportParams,
    /// The scripted handshake.
    pub shape: Shape,
    /// Another handshake in its place.
    pub agent: Option<MakeAgent>,
    /// The application.
    pub plan: Plan,
    /// Server: demand address validation by Retry.
    pub retry: bool,
    /// Client: what is changed after the connection was made, and before the handshake begins.
    pub prepare: Option<Prepare>,
    /// Client: token of an earlier connection.
    pub token: Vec<u8>,
    /// Client: the server's parameters of an earlier connection, for 0-RTT.
    pub remembered: Option<TransportParams>,
}

impl Default for Setup {
    fn default() -> Self {
        let mut config = Config {
            reset_key: [1; 32],
            token_key: [2; 32],
            ..Config::default()
        };
        config.events = quic_core::conn::event::EventMask::ALL;
        Self {
            config,
            params: params(),
            shape: Shape::default(),
            agent: None,
            plan: Plan::default(),
            retry: false,
            prepare: None,
            token: Vec::new(),
            remembered: None,
        }
    }
}

impl Setup {
    fn make_agent(&self, side: Side) -> Box<dyn Agent> {
        match &self.agent {
            Some(make) => make(side),
            None => Box::new(Script::new(side, self.shape.clone())),
        }
    }
}

/// The transport parameters that the socket interface has by default.
pub fn params() -> TransportParams {
    TransportParams {
        max_idle_timeout: quic_core::common::time::Duration::from_secs(30),
        initial_max_data: 65535 * 32,
        initial_max_stream_data_bidi_local: 65535 * 16,
        initial_max_stream_data_bidi_remote: 65535 * 16,
        initial_max_stream_data_uni: 65535 * 16,
        initial_max_streams_bidi: 100,
        initial_max_streams_uni: 100,
        active_connection_id_limit: 7,
        ..TransportParams::default()
    }
}

/// A client with one connection.
pub struct Client {
    addrs: Vec<SocketAddr>,
    /// The connection.
    pub peer: Peer,
}

impl Client {
    /// A client at `local` that connects to `remote`.
    pub fn new(
        now: Instant,
        seed: u64,
        local: SocketAddr,
        remote: SocketAddr,
        setup: &Setup,
    ) -> Option<Self> {
        let mut rng = SeedRng::new(seed, u64::from(local.port()) << 8);
        let mut stats = Stats::default();
        let mut cx = Cx {
            now,
            rng: &mut rng,
            stats: &mut stats,
        };
        let path = PathAddr { local, remote };
        let (config, params) = (&setup.config, &setup.params);
        let mut connection =
            Connection::client(&mut cx, config, params, path, &setup.token).ok()?;
        if let Some(remembered) = &setup.remembered {
            connection.set_remembered_params(remembered).ok()?;
        }
        if let Some(prepare) = &setup.prepare {
            prepare(&mut connection);
        }
        let agent = setup.make_agent(Side::Client);
        let app = App::new(Side::Client, setup.plan.clone());
        Some(Self {
            addrs: vec![local],
            peer: Peer::new(connection, agent, app, rng, now),
        })
    }

    /// Gives the client another address, to migrate to.
    pub fn add_addr(&mut self, addr: SocketAddr) {
        self.addrs.push(addr);
    }
}

impl Node for Client {
    fn owns(&self, addr: SocketAddr) -> bool {
        self.addrs.contains(&addr)
    }

    fn receive(&mut self, now: Instant, packet: Packet) {
        self.peer.receive(now, &packet);
    }

    fn timeout(&mut self, now: Instant) {
        self.peer.timeout(now);
    }

    fn drive(&mut self, now: Instant) -> Vec<(Instant, Packet)> {
        self.peer.drive(now, &mut |_| {})
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.peer.connection.next_timeout()
    }
}

/// A listener and the connections it has accepted.
pub struct Server {
    addrs: Vec<SocketAddr>,
    setup: Setup,
    /// Connections in the order they were accepted.
    pub peers: Vec<Peer>,
    /// Counters of the listener.
    pub stats: Stats,
    /// Preferred addresses that new connections announce, one of a family.
    pub preferred: Vec<SocketAddr>,
    ids: HashMap<Vec<u8>, usize>,
    used: ReplayFilter,
    rng: SeedRng,
    answers: VecDeque<Packet>,
    watch: Watch,
}

impl Server {
    /// A listener at `addr`.
    pub fn new(seed: u64, addr: SocketAddr, setup: Setup) -> Self {
        Self {
            addrs: vec![addr],
            setup,
            peers: Vec::new(),
            stats: Stats::default(),
            preferred: Vec::new(),
            ids: HashMap::new(),
            used: ReplayFilter::new(Instant::from_nanos(0)).expect("memory"),
            rng: SeedRng::new(seed, 2),
            answers: VecDeque::new(),
            watch: Watch::default(),
        }
    }

    /// Gives the server another address.
    pub fn add_addr(&mut self, addr: SocketAddr) {
        self.addrs.push(addr);
    }

    /// Applications, also of connections to come, take any bytes.
    pub fn trust_nothing(&mut self) {
        self.setup.plan.unchecked = true;
        for peer in &mut self.peers {
            peer.app.plan.unchecked = true;
        }
    }

    /// Forgets all connections, as a restart does.
    pub fn forget(&mut self) {
        self.peers.clear();
        self.ids.clear();
    }

    fn unknown(&mut self, now: Instant, packet: &Packet) {
        match FirstPacket::parse(&packet.bytes) {
            FirstPacket::Incoming(incoming)
                if incoming.is_acceptable(self.setup.params.grease_quic_bit) =>
            {
                self.accept(now, packet, incoming);
            }
            FirstPacket::UnsupportedVersion(unknown) => {
                let mut out = [0u8; 600];
                let (dcid, scid) = (unknown.dcid, unknown.scid);
                let versions = &Version::SUPPORTED;
                let len = stateless::write_version_negotiation(
                    &mut out,
                    dcid,
                    scid,
                    versions,
                    &mut self.rng,
                );
                self.answer(packet, &out[..len.unwrap_or(0)]);
            }
            FirstPacket::Short => self.reset(packet),
            FirstPacket::Incoming(_) | FirstPacket::OtherLong | FirstPacket::Drop => {}
        }
    }

    fn accept(&mut self, now: Instant, packet: &Packet, mut incoming: Incoming) {
        let key = TokenKey::new(self.setup.config.token_key);
        let found = incoming.validate(now, &key, &packet.bytes, packet.src);
        match incoming.take_token(found, &mut self.used, now) {
            Validation::InvalidRetry => {
                let error = TransportError::invalid_token("retry token");
                let mut out = [0u8; 200];
                let (to, from) = (&incoming.scid, &incoming.dcid);
                let len =
                    stateless::write_initial_close(&mut out, incoming.version, to, from, &error);
                self.answer(packet, &out[..len.unwrap_or(0)]);
                return;
            }
            Validation::Valid(_) => {}
            _ if self.setup.retry => return self.retry(now, packet, &incoming),
            _ => {}
        }
        let path = PathAddr {
            local: packet.dst,
            remote: packet.src,
        };
        let mut rng = SeedRng::new(self.rng.draw(), 3);
        let mut stats = Stats::default();
        let mut cx = Cx {
            now,
            rng: &mut rng,
            stats: &mut stats,
        };
        let (config, params) = (&self.setup.config, &self.setup.params);
        let made = Connection::server(&mut cx, config, params, &incoming, path);
        let Ok(mut connection) = made else {
            return;
        };
        for preferred in &self.preferred {
            let _ = connection.set_preferred_address(&mut cx, *preferred);
        }
        let agent = self.setup.make_agent(Side::Server);
        let app = App::new(Side::Server, self.setup.plan.clone());
        let mut peer = Peer::new(connection, agent, app, rng, now);
        peer.receive(now, packet);
        self.peers.push(peer);
        self.collect(self.peers.len() - 1);
    }

    /// Takes connection ids into the table before anything else happens.
    fn collect(&mut self, index: usize) {
        while let Some(op) = self.peers[index].poll_op() {
            apply(&mut self.ids, index, op);
        }
    }

    fn retry(&mut self, now: Instant, packet: &Packet, incoming: &Incoming) {
        let scid = ConnectionId::random(&mut self.rng, CID);
        let claims = Claims {
            kind: TokenKind::Retry,
            version: incoming.version,
            issued: now,
            original_dcid: incoming.dcid,
            retry_scid: scid,
        };
        let key = TokenKey::new(self.setup.config.token_key);
        let mut token = [0u8; MAX_TOKEN_LEN];
        let Ok(len) = key.seal(&claims, packet.src, &mut self.rng, &mut token) else {
            return;
        };
        let mut out = [0u8; 400];
        let len = stateless::write_retry(
            &mut out,
            incoming.version,
            &incoming.scid,
            &incoming.dcid,
            &scid,
            &token[..len],
            &mut self.rng,
        );
        self.stats.retry_out += 1;
        self.answer(packet, &out[..len.unwrap_or(0)]);
    }

    fn reset(&mut self, packet: &Packet) {
        let Some(cid) = packet.bytes.get(1..1 + CID).and_then(ConnectionId::new) else {
            return;
        };
        let token = reset_token(&self.setup.config.reset_key, &cid);
        let mut out = [0u8; 100];
        let len = packet.bytes.len();
        let written = stateless::write_stateless_reset(&mut out, len, &token, &mut self.rng);
        self.stats.stateless_reset_out += 1;
        self.answer(packet, &out[..written.unwrap_or(0)]);
    }

    fn answer(&mut self, to: &Packet, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.answers.push_back(Packet {
                src: to.dst,
                dst: to.src,
                ecn: 0,
                bytes: bytes.to_vec(),
            });
        }
    }
}

/// Carries out a change of the table.
fn apply(ids: &mut HashMap<Vec<u8>, usize>, index: usize, op: CidOp) {
    match op {
        CidOp::Add { cid, .. } => {
            ids.insert(cid.as_slice().to_vec(), index);
        }
        CidOp::Remove { cid } => {
            ids.remove(cid.as_slice());
        }
        CidOp::AddReset { .. } | CidOp::RemoveReset { .. } => {}
    }
}

impl Node for Server {
    fn owns(&self, addr: SocketAddr) -> bool {
        self.addrs.contains(&addr)
    }

    fn receive(&mut self, now: Instant, packet: Packet) {
        let is_connected = self.peers.iter().any(|p| p.state() == State::Established);
        self.watch.on_received(&packet, CID, is_connected);
        let dcid = quic_core::packet::Packet::destination(&packet.bytes, CID);
        let known = dcid.and_then(|dcid| self.ids.get(dcid)).copied();
        match known {
            Some(index) => {
                self.peers[index].receive(now, &packet);
                self.collect(index);
            }
            None => self.unknown(now, &packet),
        }
    }

    fn timeout(&mut self, now: Instant) {
        for peer in &mut self.peers {
            if peer.connection.next_timeout().is_some_and(|at| at <= now) {
                peer.timeout(now);
            }
        }
    }

    fn drive(&mut self, now: Instant) -> Vec<(Instant, Packet)> {
        let mut packets: Vec<_> = self.answers.drain(..).map(|packet| (now, packet)).collect();
        let ids = &mut self.ids;
        for (index, peer) in self.peers.iter_mut().enumerate() {
            packets.extend(peer.drive(now, &mut |op| apply(ids, index, op)));
        }
        for (_, packet) in &packets {
            self.watch.on_sent(packet);
        }
        packets
    }

    fn next_timeout(&self) -> Option<Instant> {
        let timeouts = self
            .peers
            .iter()
            .filter_map(|p| p.connection.next_timeout());
        timeouts.min()
    }
}
