// SPDX-License-Identifier: GPL-2.0

//! A connection of the core with its scripted handshake and its application.

use std::net::SocketAddr;

use quic_core::buf::{
    Chunk,
    Datagram, //
};
use quic_core::common::cx::{
    Cx,
    Stats, //
};
use quic_core::common::error::Error;
use quic_core::common::id::ConnectionId;
use quic_core::common::time::Instant;
use quic_core::conn::event::Event;
use quic_core::conn::{
    CidOp,
    Connection,
    Ecn,
    PathAddr,
    Secret,
    State, //
};
use quic_core::mem::Box as CoreBox;

use crate::app::App;
use crate::net::Packet;
use crate::rng::SeedRng;
use crate::tls::{
    Agent,
    Step, //
};

/// Bytes of the buffer that a connection writes its datagrams to.
const BUFFER: usize = 65536;

/// Datagrams taken at once.
const MAX_SEGMENTS: usize = 16;

/// Datagrams that a connection may want to send at one moment; one that never has enough is found
/// out.
const MAX_DATAGRAMS: usize = 100_000;

/// A connection at work.
pub struct Peer {
    /// The connection.
    pub connection: CoreBox<Connection>,
    /// The application.
    pub app: App,
    agent: Box<dyn Agent>,
    /// Events in the order they came.
    pub events: Vec<Event>,
    /// Counters of the core.
    pub stats: Stats,
    /// Transport parameters that the peer announced, as they came.
    pub peer_params: Vec<u8>,
    /// Connection ids issued by this side.
    pub ids: Vec<(u64, ConnectionId)>,
    /// The most memory that was held for sending and for receiving, in bytes.
    pub peak: (usize, usize),
    rng: SeedRng,
    /// Datagrams taken at once.
    pub segments: usize,
}

impl Peer {
    /// Puts a connection, a handshake and an application together.
    pub fn new(
        connection: CoreBox<Connection>,
        agent: Box<dyn Agent>,
        app: App,
        rng: SeedRng,
        now: Instant,
    ) -> Self {
        let mut peer = Self {
            connection,
            app,
            agent,
            events: Vec::new(),
            stats: Stats::default(),
            peer_params: Vec::new(),
            ids: Vec::new(),
            peak: (0, 0),
            rng,
            segments: MAX_SEGMENTS,
        };
        let steps = peer.agent.start();
        peer.run(now, steps);
        peer
    }

    /// Calls the connection with a context.
    pub fn with<R>(
        &mut self,
        now: Instant,
        call: impl FnOnce(&mut Connection, &mut Cx<'_>) -> R,
    ) -> R {
        let mut cx = Cx {
            now,
            rng: &mut self.rng,
            stats: &mut self.stats,
        };
        call(&mut self.connection, &mut cx)
    }

    /// Where the connection is in its life.
    pub fn state(&self) -> State {
        self.connection.state()
    }

    /// A packet arrived.
    pub fn receive(&mut self, now: Instant, packet: &Packet) {
        let path = PathAddr {
            local: packet.dst,
            remote: packet.src,
        };
        let Ok(mut datagram) = Datagram::try_from_slice(&packet.bytes) else {
            return;
        };
        let ecn = Ecn::from_bits(packet.ecn);
        if std::env::var_os("SIM_TRACE").is_some() {
            eprintln!(
                "{:>9} us: {} bytes at {}",
                now.as_nanos() / 1000,
                packet.bytes.len(),
                packet.dst
            );
        }
        self.with(now, |connection, cx| {
            connection.handle_datagram(cx, path, ecn, &mut datagram);
        });
    }

    /// A deadline has passed.
    pub fn timeout(&mut self, now: Instant) {
        self.with(now, |connection, cx| connection.handle_timeout(cx));
    }

    /// Lets handshake and application act, and sends. `on_op` learns of connection ids.
    pub fn drive(&mut self, now: Instant, on_op: &mut dyn FnMut(CidOp)) -> Vec<(Instant, Packet)> {
        self.handshake(now);
        self.app.act(&mut self.connection, now);
        while let Some(event) = self.connection.events().pop() {
            self.events.push(event);
        }
        let connection = &self.connection;
        self.peak.0 = self.peak.0.max(connection.send_truesize());
        self.peak.1 = self.peak.1.max(connection.recv_truesize());
        let mut packets = Vec::new();
        loop {
            while let Some(op) = self.poll_op() {
                on_op(op);
            }
            let before = packets.len();
            self.transmit(now, &mut packets);
            if packets.len() == before {
                break;
            }
        }
        packets
    }

    /// The next change of the table of connection ids.
    pub fn poll_op(&mut self) -> Option<CidOp> {
        let op = self.connection.poll_cid_op()?;
        if let CidOp::Add { cid, seq } = op {
            self.ids.push((seq, cid));
        }
        Some(op)
    }

    fn handshake(&mut self, now: Instant) {
        while self.connection.next_crypto().is_some() && self.connection.state().is_open() {
            let mut bytes = Vec::new();
            let read = self.connection.read_crypto(65536, false, &mut |part| {
                bytes.extend_from_slice(part);
                Ok(part.len())
            });
            let Ok(read) = read else {
                return;
            };
            let steps = self.agent.on_bytes(read.level, &bytes);
            self.run(now, steps);
        }
    }

    /// Carries out the script's steps. One that fails for memory ends the connection, as a
    /// handshake agent would.
    fn run(&mut self, now: Instant, steps: Vec<Step>) {
        for step in steps {
            if let Err(error) = self.step(now, step) {
                let code = if error == Error::NoMemory {
                    0x01
                } else {
                    0x150
                };
                self.with(now, |connection, cx| {
                    connection.close(cx, false, code, b"handshake script");
                });
                return;
            }
        }
    }

    fn step(&mut self, now: Instant, step: Step) -> Result<(), Error> {
        match step {
            Step::Send { level, bytes, more } => {
                let chunk = Chunk::try_from_slice(&bytes)?;
                let written = self.with(now, |connection, cx| {
                    connection.write_crypto(cx, level, chunk, more)
                });
                written.map_err(|(error, _)| error)
            }
            Step::Secret {
                send,
                level,
                suite,
                bytes,
            } => {
                let secret = Secret {
                    send,
                    level,
                    suite,
                    bytes: &bytes,
                };
                self.with(now, |connection, cx| connection.install_secret(cx, secret))
            }
            Step::PeerParams(bytes) => {
                self.peer_params.clone_from(&bytes);
                self.with(now, |connection, cx| connection.set_peer_params(cx, &bytes))
            }
            Step::OwnParams => {
                let mut bytes = [0u8; 512];
                let len = self.connection.encode_params(&mut bytes)?;
                let steps = self.agent.on_params(&bytes[..len]);
                steps.into_iter().try_for_each(|step| self.step(now, step))
            }
        }
    }

    fn transmit(&mut self, now: Instant, packets: &mut Vec<(Instant, Packet)>) {
        let mut buffer = vec![0u8; BUFFER];
        let segments = self.segments;
        loop {
            let transmit = self.with(now, |connection, cx| {
                connection.poll_transmit(cx, &mut buffer, segments)
            });
            let Some(transmit) = transmit else {
                return;
            };
            let size = transmit.segment_size.unwrap_or(transmit.len);
            assert!(transmit.len > 0 && transmit.len <= BUFFER && size > 0);
            let departure = transmit.earliest.unwrap_or(now);
            for bytes in buffer[..transmit.len].chunks(size) {
                let packet = Packet {
                    src: transmit.path.local,
                    dst: transmit.path.remote,
                    ecn: transmit.ecn as u8,
                    bytes: bytes.to_vec(),
                };
                packets.push((departure, packet));
            }
            assert!(
                packets.len() < MAX_DATAGRAMS,
                "the connection sends for ever"
            );
        }
    }

    /// The remote address the connection sends to.
    pub fn remote(&self) -> SocketAddr {
        self.connection.path().remote
    }
}
