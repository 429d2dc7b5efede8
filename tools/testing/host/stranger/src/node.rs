// SPDX-License-Identifier: GPL-2.0

//! A quinn endpoint as a node of the simulation.

use std::collections::{
    BTreeMap,
    HashMap, //
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant as StdInstant;

use bytes::BytesMut;
use quic_core::common::id::{
    Side,
    StreamId, //
};
use quic_core::common::time::Instant;
use quic_sim::app::{
    pattern,
    Received, //
};
use quic_sim::net::Packet;
use quic_sim::world::Node;
use quinn_proto::crypto::rustls::{
    QuicClientConfig,
    QuicServerConfig, //
};
use quinn_proto::{
    ClientConfig,
    Connection,
    ConnectionHandle,
    DatagramEvent,
    Dir,
    EcnCodepoint,
    Endpoint,
    EndpointConfig,
    Event,
    RandomConnectionIdGenerator,
    ReadError,
    ServerConfig,
    StreamEvent,
    Transmit,
    TransportConfig,
    VarInt, //
};

use crate::tls::{
    Identity,
    NAME, //
};

/// What the application on quinn does.
#[derive(Debug, Clone, Default)]
pub struct Task {
    /// Bidirectional streams to open, by their length.
    pub streams: Vec<u64>,
    /// Bytes to answer on every bidirectional stream of the peer.
    pub reply: Option<u64>,
}

struct Flow {
    id: quinn_proto::StreamId,
    next: u64,
    len: u64,
}

/// A connection of quinn with its application.
pub struct Peer {
    /// The connection.
    pub connection: Connection,
    task: Task,
    opened: usize,
    flows: Vec<Flow>,
    readable: Vec<quinn_proto::StreamId>,
    /// What was received of each stream.
    pub received: BTreeMap<u64, Received>,
    /// Why the connection was lost, once it was.
    pub lost: Option<String>,
    timeout: Option<StdInstant>,
}

/// The endpoint.
pub struct Stranger {
    addr: SocketAddr,
    side: Side,
    endpoint: Endpoint,
    task: Task,
    /// Connections.
    pub peers: HashMap<ConnectionHandle, Peer>,
    base: StdInstant,
    answers: Vec<Packet>,
    retry: bool,
}

fn endpoint_config() -> EndpointConfig {
    EndpointConfig::new(ring_key())
}

/// Keys of quinn's stateless resets; nothing depends on their value.
fn ring_key() -> Arc<dyn quinn_proto::crypto::HmacKey> {
    struct Key;
    impl quinn_proto::crypto::HmacKey for Key {
        fn sign(&self, data: &[u8], out: &mut [u8]) {
            for (index, byte) in out.iter_mut().enumerate() {
                *byte = data.get(index % data.len().max(1)).copied().unwrap_or(0) ^ 0x5c;
            }
        }

        fn signature_len(&self) -> usize {
            32
        }

        fn verify(
            &self,
            data: &[u8],
            signature: &[u8],
        ) -> Result<(), quinn_proto::crypto::CryptoError> {
            let mut expected = [0; 32];
            self.sign(data, &mut expected);
            if expected == signature {
                Ok(())
            } else {
                Err(quinn_proto::crypto::CryptoError)
            }
        }
    }
    Arc::new(Key)
}

fn transport() -> Arc<TransportConfig> {
    let mut transport = TransportConfig::default();
    transport.max_concurrent_bidi_streams(VarInt::from_u32(100));
    transport.datagram_receive_buffer_size(Some(1 << 20));
    Arc::new(transport)
}

impl Stranger {
    /// A server.
    pub fn server(addr: SocketAddr, identity: &Identity, task: Task, retry: bool) -> Self {
        Self::listening(addr, identity, task, retry, endpoint_config())
    }

    /// A server whose connection ids are empty.
    pub fn server_without_ids(addr: SocketAddr, identity: &Identity, task: Task) -> Self {
        let mut config = endpoint_config();
        config.cid_generator(|| Box::new(RandomConnectionIdGenerator::new(0)));
        Self::listening(addr, identity, task, false, config)
    }

    fn listening(
        addr: SocketAddr,
        identity: &Identity,
        task: Task,
        retry: bool,
        endpoint: EndpointConfig,
    ) -> Self {
        let crypto = QuicServerConfig::try_from(identity.server()).expect("a QUIC suite");
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config.transport_config(transport());
        let endpoint = Endpoint::new(
            Arc::new(endpoint),
            Some(Arc::new(config)),
            true,
            Some([1; 32]),
        );
        Self::new(addr, Side::Server, endpoint, task, retry)
    }

    /// A client that connects to `remote` now.
    pub fn client(
        now: Instant,
        addr: SocketAddr,
        remote: SocketAddr,
        identity: &Identity,
        task: Task,
    ) -> Self {
        let crypto = QuicClientConfig::try_from(identity.client()).expect("a QUIC suite");
        let mut config = ClientConfig::new(Arc::new(crypto));
        config.transport_config(transport());
        let endpoint = Endpoint::new(Arc::new(endpoint_config()), None, true, Some([2; 32]));
        let mut stranger = Self::new(addr, Side::Client, endpoint, task, false);
        let at = stranger.at(now);
        let (handle, connection) = stranger
            .endpoint
            .connect(at, config, remote, NAME)
            .expect("a connection");
        stranger.add(handle, connection);
        stranger
    }

    fn new(addr: SocketAddr, side: Side, endpoint: Endpoint, task: Task, retry: bool) -> Self {
        Self {
            addr,
            side,
            endpoint,
            task,
            peers: HashMap::new(),
            base: StdInstant::now(),
            answers: Vec::new(),
            retry,
        }
    }

    fn add(&mut self, handle: ConnectionHandle, connection: Connection) {
        let peer = Peer {
            connection,
            task: self.task.clone(),
            opened: 0,
            flows: Vec::new(),
            readable: Vec::new(),
            received: BTreeMap::new(),
            lost: None,
            timeout: None,
        };
        self.peers.insert(handle, peer);
    }

    /// The only connection.
    pub fn peer(&mut self) -> Option<&mut Peer> {
        self.peers.values_mut().next()
    }

    /// Streams received to their end.
    pub fn complete(&self) -> usize {
        let received = self.peers.values().flat_map(|peer| peer.received.values());
        received.filter(|received| received.fin).count()
    }

    fn at(&self, now: Instant) -> StdInstant {
        self.base + std::time::Duration::from_nanos(now.as_nanos())
    }

    fn answer(&mut self, transmit: &Transmit, bytes: &[u8]) {
        self.answers.push(Packet {
            src: self.addr,
            dst: transmit.destination,
            ecn: transmit.ecn.map_or(0, |ecn| ecn as u8),
            bytes: bytes[..transmit.size].to_vec(),
        });
    }

    fn endpoint_events(&mut self) {
        let handles: Vec<_> = self.peers.keys().copied().collect();
        for handle in handles {
            while let Some(peer) = self.peers.get_mut(&handle) {
                let Some(event) = peer.connection.poll_endpoint_events() else {
                    break;
                };
                if let Some(event) = self.endpoint.handle_event(handle, event) {
                    peer.connection.handle_event(event);
                }
            }
        }
    }
}

impl Node for Stranger {
    fn owns(&self, addr: SocketAddr) -> bool {
        self.addr == addr
    }

    fn receive(&mut self, now: Instant, packet: Packet) {
        let at = self.at(now);
        let data = BytesMut::from(&packet.bytes[..]);
        let ecn = EcnCodepoint::from_bits(packet.ecn);
        let mut out = Vec::new();
        let event = self
            .endpoint
            .handle(at, packet.src, None, ecn, data, &mut out);
        match event {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                if let Some(peer) = self.peers.get_mut(&handle) {
                    peer.connection.handle_event(event);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                if self.retry && incoming.may_retry() && !incoming.remote_address_validated() {
                    if let Ok(transmit) = self.endpoint.retry(incoming, &mut out) {
                        self.answer(&transmit, &out);
                    }
                    return;
                }
                match self.endpoint.accept(incoming, at, &mut out, None) {
                    Ok((handle, connection)) => self.add(handle, connection),
                    Err(error) => {
                        if let Some(transmit) = error.response {
                            self.answer(&transmit, &out);
                        }
                    }
                }
            }
            Some(DatagramEvent::Response(transmit)) => self.answer(&transmit, &out),
            None => {}
        }
    }

    fn timeout(&mut self, now: Instant) {
        let at = self.at(now);
        for peer in self.peers.values_mut() {
            if peer.connection.poll_timeout().is_some_and(|due| due <= at) {
                peer.connection.handle_timeout(at);
            }
        }
    }

    fn drive(&mut self, now: Instant) -> Vec<(Instant, Packet)> {
        let at = self.at(now);
        let (side, addr) = (self.side, self.addr);
        self.endpoint_events();
        let mut packets: Vec<_> = self.answers.drain(..).map(|p| (now, p)).collect();
        for peer in self.peers.values_mut() {
            peer.act(side);
            let mut out = Vec::new();
            while let Some(transmit) = peer.connection.poll_transmit(at, 10, &mut out) {
                let size = transmit.segment_size.unwrap_or(transmit.size);
                for bytes in out[..transmit.size].chunks(size) {
                    let packet = Packet {
                        src: addr,
                        dst: transmit.destination,
                        ecn: transmit.ecn.map_or(0, |ecn| ecn as u8),
                        bytes: bytes.to_vec(),
                    };
                    packets.push((now, packet));
                }
                out.clear();
            }
            // quinn asks by an exclusive reference for what is only a look.
            peer.timeout = peer.connection.poll_timeout();
        }
        self.endpoint_events();
        packets
    }

    fn next_timeout(&self) -> Option<Instant> {
        let due = self.peers.values().filter_map(|peer| peer.timeout).min()?;
        let span = due.saturating_duration_since(self.base).as_nanos();
        Some(Instant::from_nanos(u64::try_from(span).unwrap_or(u64::MAX)))
    }
}

impl Peer {
    fn act(&mut self, side: Side) {
        while let Some(event) = self.connection.poll() {
            match event {
                Event::ConnectionLost { reason } => self.lost = Some(format!("{reason:?}")),
                Event::Stream(StreamEvent::Readable { id }) => self.readable.push(id),
                _ => {}
            }
        }
        for dir in [Dir::Bi, Dir::Uni] {
            while let Some(id) = self.connection.streams().accept(dir) {
                self.readable.push(id);
            }
        }
        if !self.connection.is_handshaking() {
            self.open();
        }
        for id in std::mem::take(&mut self.readable) {
            self.read(side, id);
        }
        self.write(side);
    }

    fn open(&mut self) {
        while let Some(len) = self.task.streams.get(self.opened).copied() {
            let Some(id) = self.connection.streams().open(Dir::Bi) else {
                return;
            };
            self.opened += 1;
            self.flows.push(Flow { id, next: 0, len });
        }
    }

    fn write(&mut self, side: Side) {
        let connection = &mut self.connection;
        self.flows.retain_mut(|flow| {
            let id = StreamId::from_raw(u64::from(flow.id)).expect("a stream id");
            let mut stream = connection.send_stream(flow.id);
            while flow.next < flow.len {
                let end = flow.len.min(flow.next + 16_384);
                let bytes: Vec<u8> = (flow.next..end).map(|at| pattern(id, side, at)).collect();
                match stream.write(&bytes) {
                    Ok(written) => flow.next += written as u64,
                    Err(quinn_proto::WriteError::Blocked) => return true,
                    Err(_) => return false,
                }
            }
            let _ = stream.finish();
            false
        });
    }

    fn read(&mut self, side: Side, stream: quinn_proto::StreamId) {
        let id = StreamId::from_raw(u64::from(stream)).expect("a stream id");
        let received = self.received.entry(id.raw()).or_default();
        let mut recv = self.connection.recv_stream(stream);
        let Ok(mut chunks) = recv.read(true) else {
            return;
        };
        loop {
            match chunks.next(usize::MAX) {
                Ok(Some(chunk)) => {
                    assert_eq!(chunk.offset, received.bytes);
                    for byte in &chunk.bytes[..] {
                        assert_eq!(*byte, pattern(id, side.peer(), received.bytes));
                        received.bytes += 1;
                    }
                }
                Ok(None) => {
                    received.fin = true;
                    break;
                }
                Err(ReadError::Blocked) => break,
                Err(ReadError::Reset(_)) => break,
            }
        }
        let _ = chunks.finalize();
        let is_request = id.initiator() != side && stream.dir() == Dir::Bi;
        if let (true, true, Some(len)) = (received.fin, is_request, self.task.reply) {
            let id = stream;
            self.flows.push(Flow { id, next: 0, len });
        }
    }
}
