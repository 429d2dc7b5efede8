// SPDX-License-Identifier: GPL-2.0

//! Packets made outside the core, with the secrets of the scripted handshake.

#![expect(dead_code, reason = "each test program uses a part of it")]

use std::net::SocketAddr;

use quic_core::aead::{
    PacketKey,
    Suite, //
};
use quic_core::buf::Chunk;
use quic_core::common::{
    ConnectionId,
    Dir,
    Instant,
    Level,
    Reader,
    Side,
    Stats,
    Version, //
};
use quic_core::conn::accept::FirstPacket;
use quic_core::conn::{
    Info,
    State, //
};
use quic_core::crypto::{
    initial_keys,
    Secret, //
};
use quic_core::frame::Frame;
use quic_core::packet::{
    protect,
    stateless, //
};
use quic_sim::net::{
    Link,
    Packet, //
};
use quic_sim::node::{
    Client,
    Server,
    Setup, //
};
use quic_sim::pair::{
    client_addr,
    server_addr,
    Pair, //
};
use quic_sim::peer::Peer;
use quic_sim::world::Node;

/// Two endpoints, connected and at rest, each with one stream of one byte.
pub struct Lab {
    pair: Pair,
    /// The connection ids that client and server send to.
    dcids: [Vec<u8>; 2],
    pn: u32,
}

/// Where an endpoint is.
pub fn addr(side: Side) -> SocketAddr {
    match side {
        Side::Client => client_addr(),
        Side::Server => server_addr(),
    }
}

fn between(from: Side, bytes: Vec<u8>) -> Packet {
    Packet {
        src: addr(from),
        dst: addr(from.peer()),
        ecn: 0,
        bytes,
    }
}

/// A datagram of the server's.
pub fn packet_to_client(bytes: Vec<u8>) -> Packet {
    between(Side::Server, bytes)
}

impl Lab {
    pub fn new(seed: u64) -> Self {
        Self::with_setup(seed, Setup::default())
    }

    pub fn with_setup(seed: u64, mut setup: Setup) -> Self {
        // The applications do not read what they did not agree on.
        setup.plan.stalled = true;
        let mut server = setup.clone();
        server.config.stateless_reset = true;
        let mut pair = Pair::new(seed, Link::lossy(5, 0), &setup, server);
        assert!(pair.connect(10));
        pair.wait(quic_core::common::Duration::from_millis(500));
        let mut lab = Self {
            pair,
            dcids: [vec![], vec![]],
            pn: 1_000_000,
        };
        for side in [Side::Client, Side::Server] {
            lab.open_stream(side);
            let packets = lab.drive(side);
            let short = packets.iter().find(|packet| packet.bytes[0] & 0x80 == 0);
            let bytes = &short.expect("stream data").bytes;
            lab.dcids[usize::from(side.is_server())] = bytes[1..9].to_vec();
            for packet in packets {
                lab.deliver(side.peer(), packet.bytes);
            }
        }
        lab
    }

    /// Calls an endpoint.
    pub fn with<R>(&mut self, side: Side, call: impl FnOnce(&mut Peer, Instant) -> R) -> R {
        let now = self.pair.world.now;
        match side {
            Side::Client => call(&mut self.pair.client.borrow_mut().peer, now),
            Side::Server => call(&mut self.pair.server.borrow_mut().peers[0], now),
        }
    }

    /// A 1-RTT packet of `sender` with this first byte and payload, the next number in four bytes.
    pub fn forge(&mut self, sender: Side, first: u8, payload: &[u8]) -> Vec<u8> {
        self.pn += 1;
        let secret = secret_of(sender);
        let mut key = secret.packet_key(Version::V1).expect("key");
        let header_key = secret.header_key(Version::V1).expect("key");
        let mut packet = vec![first];
        packet.extend(&self.dcids[usize::from(sender.is_server())]);
        packet.extend(self.pn.to_be_bytes());
        packet.extend(payload);
        seal(&mut packet, 13, u64::from(self.pn), &mut key);
        protect::mask(&mut packet, 9, &header_key).expect("long enough");
        packet
    }

    /// Leaves out a packet number.
    pub fn skip_number(&mut self) {
        self.pn += 1;
    }

    /// Lets the peer of `sender` receive these frames.
    pub fn inject(&mut self, sender: Side, payload: &[u8]) {
        let packet = self.forge(sender, 0x43, payload);
        self.deliver(sender.peer(), packet);
    }

    pub fn deliver(&mut self, receiver: Side, bytes: Vec<u8>) {
        let packet = between(receiver.peer(), bytes);
        self.with(receiver, |peer, now| peer.receive(now, &packet));
    }

    /// Lets the server receive frames of the client from another address.
    pub fn inject_from(&mut self, src: SocketAddr, payload: &[u8]) {
        let bytes = self.forge(Side::Client, 0x43, payload);
        let packet = Packet {
            src,
            ..between(Side::Client, bytes)
        };
        self.with(Side::Server, |peer, now| peer.receive(now, &packet));
    }

    /// The client sends to another id of the server's from now on.
    pub fn use_id(&mut self, id: &ConnectionId) {
        self.dcids[usize::from(Side::Client.is_server())] = id.as_slice().to_vec();
    }

    /// Lets the server receive frames of its client at another address of its own.
    pub fn inject_at(&mut self, dst: SocketAddr, payload: &[u8]) {
        self.inject_over(addr(Side::Client), dst, payload);
    }

    /// Lets the server receive frames of its client over any path.
    pub fn inject_over(&mut self, src: SocketAddr, dst: SocketAddr, payload: &[u8]) {
        let bytes = self.forge(Side::Client, 0x43, payload);
        let packet = Packet {
            src,
            dst,
            ecn: 0,
            bytes,
        };
        self.with(Side::Server, |peer, now| peer.receive(now, &packet));
    }

    /// The number of the last packet that was forged.
    pub fn last_number(&self) -> u64 {
        self.pn.into()
    }

    /// Lets an endpoint send a byte of stream data.
    pub fn open_stream(&mut self, side: Side) {
        self.with(side, |peer, _| {
            let streams = peer.connection.streams_mut();
            let id = streams.open(None, Dir::Bidi).expect("a stream");
            let chunk = Chunk::try_from_slice(b"x").expect("memory");
            assert!(streams.queue(id, chunk, false).is_ok());
        });
    }

    /// Wants the ids below `prior_to` back that an endpoint has issued.
    pub fn retire_own_ids(&mut self, side: Side, prior_to: u64) {
        let result = self.with(side, |peer, now| {
            peer.with(now, |connection, cx| {
                connection.set_cids(cx, false, 0, prior_to)
            })
        });
        assert_eq!(result, Ok(()));
    }

    /// When an endpoint has something to do next.
    pub fn deadline(&mut self, side: Side) -> Option<Instant> {
        self.with(side, |peer, _| peer.connection.next_timeout())
    }

    /// What an endpoint tells of itself.
    pub fn info(&mut self, side: Side) -> Info {
        self.with(side, |peer, _| peer.connection.info())
    }

    /// Lets the client receive frames of the server from another address.
    pub fn inject_to_client_from(&mut self, src: SocketAddr, payload: &[u8]) {
        let bytes = self.forge(Side::Server, 0x43, payload);
        let packet = Packet {
            src,
            ..between(Side::Server, bytes)
        };
        self.with(Side::Client, |peer, now| peer.receive(now, &packet));
    }

    /// As [`Self::expire`], if the deadline is less than five seconds away: none of idleness.
    pub fn expire_soon(&mut self, side: Side) {
        let next = self.with(side, |peer, _| peer.connection.next_timeout());
        let soon = quic_core::common::Duration::from_secs(5);
        let end = self.pair.world.now.saturating_add(soon);
        if next.is_some_and(|next| next < end) {
            self.expire(side);
        }
    }

    /// Lets time pass for one endpoint until its next deadline, which is handled.
    pub fn expire(&mut self, side: Side) -> bool {
        let next = self.with(side, |peer, _| peer.connection.next_timeout());
        let Some(next) = next else {
            return false;
        };
        self.pair.world.now = self.pair.world.now.max(next);
        self.with(side, |peer, now| peer.timeout(now));
        true
    }

    pub fn now(&self) -> Instant {
        self.pair.world.now
    }

    /// What the endpoint has to send.
    pub fn drive(&mut self, side: Side) -> Vec<Packet> {
        let packets = self.with(side, |peer, now| {
            let packets = peer.drive(now, &mut |_| {});
            // What a test of millions of packets must not keep.
            peer.events.clear();
            peer.ids.truncate(64);
            packets
        });
        packets.into_iter().map(|(_, packet)| packet).collect()
    }

    /// The frames of a 1-RTT packet of `sender`.
    pub fn open(&self, sender: Side, bytes: &[u8]) -> Vec<u8> {
        open_short(sender, bytes)
    }

    /// The types of the frames of a 1-RTT packet of `sender`.
    pub fn kinds(&self, sender: Side, packet: &Packet) -> Vec<u64> {
        kinds(&open_short(sender, &packet.bytes))
    }

    /// The number of a 1-RTT packet of `sender`.
    pub fn number(&self, sender: Side, bytes: &[u8], expected: u64) -> u64 {
        let mut bytes = bytes.to_vec();
        let header_key = secret_of(sender).header_key(Version::V1).expect("key");
        let unmasked = protect::unmask(&mut bytes, 9, &header_key).expect("long enough");
        unmasked.number(expected)
    }

    /// Lets an endpoint write `len` bytes to its stream, as far as it has credit. Says whether the
    /// stream still takes any.
    pub fn write(&mut self, side: Side, len: usize) -> bool {
        self.with(side, |peer, _| {
            let streams = peer.connection.streams_mut();
            let id = streams.send_target(Dir::Bidi);
            let Ok(credit) = streams.sendable(id) else {
                return false;
            };
            let chunk = Chunk::try_from_slice(&vec![7; len.min(credit as usize)]);
            let queued = streams.queue(id, chunk.expect("memory"), false);
            queued.is_ok()
        })
    }

    pub fn state(&mut self, side: Side) -> State {
        self.with(side, |peer, _| peer.state())
    }

    /// The code the endpoint closed with, if it did.
    pub fn error(&mut self, side: Side) -> Option<u64> {
        self.with(side, |peer, _| {
            let info = peer.connection.close_info();
            info.map(|info| info.code)
        })
    }

    pub fn stats(&mut self, side: Side) -> Stats {
        self.with(side, |peer, _| peer.stats)
    }

    /// Connection ids that an endpoint has issued.
    pub fn ids(&mut self, side: Side) -> Vec<(u64, ConnectionId)> {
        self.with(side, |peer, _| peer.ids.clone())
    }

    pub fn migrate(
        &mut self,
        side: Side,
        local: SocketAddr,
    ) -> Result<(), quic_core::common::error::Error> {
        self.with(side, |peer, now| {
            peer.with(now, |connection, cx| connection.migrate(cx, local))
        })
    }

    pub fn key_phase(&mut self, side: Side) -> bool {
        self.with(side, |peer, _| peer.connection.info().key_phase)
    }

    /// Where an endpoint sends.
    pub fn remote(&mut self, side: Side) -> SocketAddr {
        self.with(side, |peer, _| peer.remote())
    }

    /// Packets opened so far.
    pub fn opened(&mut self, side: Side) -> u64 {
        self.stats(side).pkt_in
    }

    /// The token of the id that the client sends to.
    pub fn reset_token_of_server(&self) -> [u8; 16] {
        let id = ConnectionId::new(&self.dcids[0]).expect("length");
        stateless::reset_token(&Setup::default().config.reset_key, &id)
    }

    /// A Version Negotiation packet to the client.
    pub fn version_negotiation(&self, versions: &[u32]) -> Vec<u8> {
        negotiation(&self.dcids[1], &self.dcids[0], versions)
    }

    /// A Retry packet to the client.
    pub fn retry(&self, version: Version) -> Vec<u8> {
        let id = |bytes: &[u8]| ConnectionId::new(bytes).expect("length");
        let (client, server) = (id(&self.dcids[1]), id(&self.dcids[0]));
        retry(version, &client, &server, &id(&[0x55; 8]), b"token")
    }
}

/// The frames of a 1-RTT packet of `sender` with an id of eight bytes.
pub fn open_short(sender: Side, bytes: &[u8]) -> Vec<u8> {
    let secret = secret_of(sender);
    let mut bytes = bytes.to_vec();
    let mut key = secret.packet_key(Version::V1).expect("key");
    let header_key = secret.header_key(Version::V1).expect("key");
    let unmasked = protect::unmask(&mut bytes, 9, &header_key).expect("long enough");
    let len = key
        .open(unmasked.number(0), &mut bytes, unmasked.header_len)
        .expect("authentic");
    bytes[unmasked.header_len..][..len].to_vec()
}

/// The types of the frames of a payload, without padding.
pub fn kinds(payload: &[u8]) -> Vec<u64> {
    let mut reader = Reader::new(payload);
    let mut kinds = vec![];
    while !reader.is_empty() {
        let frame = Frame::parse(&mut reader).expect("a frame");
        if !matches!(frame, Frame::Padding { .. }) {
            kinds.push(frame.frame_type());
        }
    }
    kinds
}

/// The 1-RTT secret of the scripted handshake.
fn secret_of(sender: Side) -> Secret {
    let byte = 0x40 + u8::from(sender.is_client());
    Secret::new(Suite::Aes128Gcm, &[byte; 32]).expect("length")
}

fn seal(packet: &mut Vec<u8>, header_len: usize, pn: u64, key: &mut PacketKey) {
    let end = packet.len();
    packet.resize(end + 16, 0);
    key.seal(pn, packet, header_len, end, &[]).expect("seals");
}

/// A 1-RTT packet of the client to `dcid`.
pub fn short_packet(dcid: &[u8], payload: &[u8]) -> Vec<u8> {
    let secret = secret_of(Side::Client);
    let mut key = secret.packet_key(Version::V1).expect("key");
    let header_key = secret.header_key(Version::V1).expect("key");
    let mut packet = [&[0x43], dcid, &[0, 0, 0, 9], payload].concat();
    seal(&mut packet, 13, 9, &mut key);
    protect::mask(&mut packet, 9, &header_key).expect("long enough");
    packet
}

/// A client and a server whose datagrams go through the test's hands.
pub struct Wire {
    pub client: Client,
    pub server: Server,
    pub now: Instant,
}

impl Wire {
    pub fn new(client: &Setup, server: Setup) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let client = Client::new(now, 1, client_addr(), server_addr(), client);
        Self {
            client: client.expect("a client"),
            server: fresh_server(server),
            now,
        }
    }

    /// What the client has to send.
    pub fn up(&mut self) -> Vec<Packet> {
        let packets = self.client.drive(self.now);
        packets.into_iter().map(|(_, packet)| packet).collect()
    }

    /// What the server has to send.
    pub fn down(&mut self) -> Vec<Packet> {
        let packets = self.server.drive(self.now);
        packets.into_iter().map(|(_, packet)| packet).collect()
    }

    pub fn give_server(&mut self, packets: Vec<Packet>) {
        for packet in packets {
            self.server.receive(self.now, packet);
        }
    }

    pub fn give_client(&mut self, packets: Vec<Packet>) {
        for packet in packets {
            self.client.receive(self.now, packet);
        }
    }

    /// Lets time pass until the next deadline of either, which is handled.
    pub fn tick(&mut self) {
        let next = [self.client.next_timeout(), self.server.next_timeout()];
        let Some(next) = next.into_iter().flatten().min() else {
            return;
        };
        self.now = self.now.max(next);
        self.client.timeout(self.now);
        self.server.timeout(self.now);
    }

    /// Carries everything both ways, `rounds` times.
    pub fn exchange(&mut self, rounds: usize) {
        for _ in 0..rounds {
            let packets = self.up();
            self.give_server(packets);
            let packets = self.down();
            self.give_client(packets);
        }
    }
}

/// The levels of the packets of a datagram, in order.
pub fn levels(bytes: &[u8]) -> Vec<Level> {
    let mut rest = bytes;
    let mut found = vec![];
    while let Ok(quic_core::packet::Packet::Protected(header)) =
        quic_core::packet::Packet::parse_first(rest, 8)
    {
        found.push(header.level);
        rest = &rest[header.len..];
    }
    found
}

/// The types of the frames of the 1-RTT packet in a datagram, if there is one.
pub fn app_kinds(sender: Side, datagram: &[u8]) -> Vec<u64> {
    let mut rest = datagram;
    while let Ok(quic_core::packet::Packet::Protected(header)) =
        quic_core::packet::Packet::parse_first(rest, 8)
    {
        if header.level == Level::App {
            return kinds(&open_short(sender, rest));
        }
        rest = &rest[header.len..];
    }
    vec![]
}

/// A listener with nothing to do.
pub fn fresh_server(setup: Setup) -> Server {
    Server::new(1, server_addr(), setup)
}

/// A client that has sent nothing.
pub fn fresh_client(seed: u64) -> (Peer, Instant) {
    client_of(seed, &Setup::default())
}

fn client_of(seed: u64, setup: &Setup) -> (Peer, Instant) {
    let now = Instant::from_nanos(1_000_000_000);
    let client = Client::new(now, seed, client_addr(), server_addr(), setup);
    (client.expect("a connection").peer, now)
}

/// The first datagrams of a client.
pub fn first_flight(seed: u64) -> Vec<Packet> {
    first_flight_of(seed, &Setup::default())
}

/// The first datagrams of a client with this setup.
pub fn first_flight_of(seed: u64, setup: &Setup) -> Vec<Packet> {
    let (mut client, now) = client_of(seed, setup);
    let packets = client.drive(now, &mut |_| {});
    packets.into_iter().map(|(_, packet)| packet).collect()
}

/// Destination and source of a long header.
pub fn long_ids(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let len = usize::from(bytes[5]);
    let (dcid, rest) = bytes[6..].split_at(len);
    let len = usize::from(rest[0]);
    (dcid.to_vec(), rest[1..1 + len].to_vec())
}

fn negotiation(dcid: &[u8], scid: &[u8], versions: &[u32]) -> Vec<u8> {
    let mut packet = vec![0xc0, 0, 0, 0, 0, dcid.len() as u8];
    packet.extend(dcid);
    packet.push(scid.len() as u8);
    packet.extend(scid);
    packet.extend(versions.iter().flat_map(|version| version.to_be_bytes()));
    packet
}

/// A Version Negotiation packet in answer to a client's Initial.
pub fn negotiation_for(initial: &[u8], versions: &[u32]) -> Vec<u8> {
    let (dcid, scid) = long_ids(initial);
    negotiation(&scid, &dcid, versions)
}

fn retry(
    version: Version,
    client: &ConnectionId,
    original: &ConnectionId,
    new: &ConnectionId,
    token: &[u8],
) -> Vec<u8> {
    let mut packet = vec![0xf0];
    packet.extend(version.0.to_be_bytes());
    for id in [client, new] {
        packet.push(id.len() as u8);
        packet.extend(id.as_slice());
    }
    packet.extend(token);
    let tag = quic_core::crypto::retry_tag(version, original, &packet).expect("tag");
    packet.extend(tag);
    packet
}

/// A Retry packet in answer to a client's Initial.
pub fn retry_for(initial: &[u8], new: &[u8], token: &[u8]) -> Vec<u8> {
    let (dcid, scid) = long_ids(initial);
    let id = |bytes: &[u8]| ConnectionId::new(bytes).expect("length");
    retry(Version::V1, &id(&scid), &id(&dcid), &id(new), token)
}

/// The packet number of a client's Initial packet.
pub fn initial_number(initial: &[u8]) -> u64 {
    let (dcid, scid) = long_ids(initial);
    let mut bytes = initial.to_vec();
    let dcid = ConnectionId::new(&dcid).expect("length");
    let keys = initial_keys(Version::V1, &dcid, Side::Server).expect("keys");
    let at = 7 + dcid.len() + scid.len();
    // A token of less than 64 bytes, and a length of two.
    let pn_offset = at + 1 + usize::from(bytes[at]) + 2;
    let rx = keys.rx.expect("both directions");
    let unmasked = protect::unmask(&mut bytes, pn_offset, &rx.header).expect("long enough");
    unmasked.number(0)
}

/// An Initial packet of the server, number zero, in answer to a client's.
pub fn server_initial(initial: &[u8], token: &[u8], payload: &[u8]) -> Vec<u8> {
    numbered_initial(initial, 0, 0x66, token, payload)
}

/// An Initial packet of the server with this number and all bytes of its connection id the same.
pub fn numbered_initial(initial: &[u8], pn: u8, id: u8, token: &[u8], payload: &[u8]) -> Vec<u8> {
    initial_from(initial, pn, &[id; 8], token, payload)
}

/// As above, with the whole connection id.
pub fn initial_from(initial: &[u8], pn: u8, id: &[u8], token: &[u8], payload: &[u8]) -> Vec<u8> {
    let (original, client) = long_ids(initial);
    seal_initial(Side::Server, &original, (&client, id), pn, token, payload)
}

/// An Initial packet of the client, number zero, in place of `initial`.
pub fn client_initial(initial: &[u8], payload: &[u8]) -> Vec<u8> {
    let (original, client) = long_ids(initial);
    seal_initial(
        Side::Client,
        &original,
        (&original, &client),
        0,
        b"",
        payload,
    )
}

fn seal_initial(
    sender: Side,
    original: &[u8],
    (dcid, scid): (&[u8], &[u8]),
    pn: u8,
    token: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let original = ConnectionId::new(original).expect("length");
    let keys = initial_keys(Version::V1, &original, sender.peer()).expect("keys");
    let rx = keys.rx.expect("both directions");
    let mut packet = vec![0xc3, 0, 0, 0, 1, dcid.len() as u8];
    packet.extend(dcid);
    packet.push(scid.len() as u8);
    packet.extend(scid);
    packet.push(token.len() as u8);
    packet.extend(token);
    let payload = [payload, &vec![0; 1_150]].concat();
    let len = (4 + payload.len() + 16) as u16;
    packet.extend((len | 0x4000).to_be_bytes());
    let pn_offset = packet.len();
    packet.extend([0, 0, 0, pn]);
    packet.extend(payload);
    // What one side opens with, the other seals with.
    let mut key = rx.packet;
    seal(&mut packet, pn_offset + 4, u64::from(pn), &mut key);
    protect::mask(&mut packet, pn_offset, &rx.header).expect("long enough");
    packet
}

/// Whether a listener takes a datagram for a new connection.
pub fn is_incoming(datagram: &[u8]) -> bool {
    matches!(FirstPacket::parse(datagram), FirstPacket::Incoming(_))
}

/// Whether a listener answers a datagram with Version Negotiation.
pub fn is_unsupported(datagram: &[u8]) -> bool {
    matches!(
        FirstPacket::parse(datagram),
        FirstPacket::UnsupportedVersion(_)
    )
}

/// Whether a listener takes a datagram for one of a connection that it does not know.
pub fn is_stray(datagram: &[u8]) -> bool {
    matches!(FirstPacket::parse(datagram), FirstPacket::OtherLong)
}

/// Whether a listener takes no notice of a datagram.
pub fn is_dropped(datagram: &[u8]) -> bool {
    matches!(FirstPacket::parse(datagram), FirstPacket::Drop)
}
